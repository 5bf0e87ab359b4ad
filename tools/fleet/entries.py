"""The tables of a roster: a transport, and what a board may have."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

from typing import Annotated, Literal, Optional, Union

from pydantic import Field

from ..toml.places import Steps
from ..toml.strict import Strict
from .fields import (
    ANY_HOST,
    Chip,
    Country,
    Device,
    Hexadecimal,
    Host,
    Interface,
    Kind,
    Led,
    MaybeText,
    Name,
    Password,
    Pin,
    Ssid,
    Target,
    UartNumber,
)

ITSELF = "auto"  # the direction of a transceiver that turns by itself


class Udp(Strict):
    """``to``: whom to send to; none: everybody on the network. ``ssid``: None: the board is on the network already.

    ``network``: the name of that network, for people and for the check: boards on one network have the same. None: the ssid, or the
    network of the computer. ``country``: where the radio is, for its channels and its power; None: what the firmware takes.
    ``gateway``: of boards with an address of their own.
    """

    kind: Literal["udp"]
    port: int = Field(47000, ge=1, le=65535)
    bind: Host = ANY_HOST
    to: list[Target] = []
    ssid: Optional[Ssid] = None
    password: Password = Field("", repr=False)
    country: Optional[Country] = None
    gateway: Optional[Host] = None
    network: Optional[Name] = None


class EspNow(Strict):
    """``channel``: of the radio; boards on one channel hear each other."""

    kind: Literal["espnow"]
    channel: int = Field(6, ge=1, le=14)


class Uart(Strict):
    """``tx``, ``rx``: None: the pins that the port has by itself. ``direction``: the pin of an RS-485 transceiver, if there is one;
    "auto": the transceiver turns by itself. ``device``: the path of a serial port of a computer: a process has this in place of a number
    and pins.

    ``bus``: the name of the line, for people: boards on one line have the same. A board does not get to know it.
    """

    kind: Literal["uart"]
    uart: UartNumber = 1
    device: Optional[Device] = None
    baudrate: int = Field(115200, ge=300, le=4_000_000)
    tx: Optional[Pin] = None
    rx: Optional[Pin] = None
    direction: Optional[Pin] = None
    bus: Name = "line"

    @property
    def direction_pin(self) -> int | str | None:
        """The pin that turns the transceiver; None if there is none."""
        return None if self.direction == ITSELF else self.direction


AnyTransport = Union[Udp, EspNow, Uart]
Transport = Annotated[AnyTransport, Field(discriminator="kind")]
Transports = Optional[Annotated[list[Transport], Field(min_length=1)]]


class Connected(Strict):
    """What has a transport, or a list of several. ``listed`` is that list, with none, one or several."""

    transport: Optional[Transport] = None
    transports: Transports = None

    @property
    def listed(self) -> list[AnyTransport]:
        """The transports, in their order."""
        return self.transports or ([] if self.transport is None else [self.transport])

    def place(self, i: int) -> Steps:
        """Return the way to a transport of the list."""
        return ("transport",) if self.transports is None else ("transports", i)


class Equipped(Connected):
    """What may be given for all boards, or for one of them.

    ``watchdog_s``: the board resets if its program stands still for so long; 0: no watchdog. ``led``: the pin of the LED that shows the
    state; "board": the LED of the board; "none": no LED. ``led_inverted``: it shines while its pin is low. None: not given.
    """

    watchdog_s: Optional[int] = Field(None, ge=0, le=3600)
    led: Optional[Led] = None
    led_inverted: Optional[bool] = None


class BoardEntry(Equipped):
    """One board of the roster. Without a transport of its own it has those of all boards.

    ``application``: the program of the user, a file or a folder, from the folder of the roster on. ``address``: a fixed one in the Wi-Fi
    network, with the length of the network's prefix; None: the access point gives one. ``chip``: which ESP32 it is, for its pins; None:
    the first one, or another if only that has the pins.
    """

    id: int = Field(ge=0, le=2**30 - 1)
    name: Name
    kind: Kind
    chip: Optional[Chip] = None
    hardware_id: Optional[Hexadecimal] = None
    application: MaybeText = None
    address: Optional[Interface] = None
