"""The roster: one file that describes all boards of a cluster. Every board gets its configuration from it."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from faction import byzantine, everyone, majority
from faction.node import SLOW

from ..toml.faults import Fault, Faults
from ..toml.places import Steps
from ..toml.strict import FileError, Strict, load_as

RULES = {"majority": majority, "byzantine": byzantine, "everyone": everyone}
LONGEST_MS = 0x08000000  # 37 hours: the longest wait of a node
# What each kind of board has no hardware or no program for.
_LACKS = {"rp2040": {"espnow": "ESP-NOW"}, "unix": {"espnow": "ESP-NOW", "uart": "UART"}}

EXAMPLE = """\
# The boards of a cluster. Check this file with: faction check

cluster = "greenhouse"       # boards ignore frames of a cluster with another name
quorum = "majority"          # majority, byzantine, everyone, or a number of boards
interval_ms = 500            # the shortest time between two beacons of a board
deadline_ms = 60000          # how long a board waits for a quorum
# deadline_from_contact = true   # a board waits for so long from the first frame of another board on
# start_after_ms = 2000      # from the first verdict to the start of all boards; without it: four intervals
# presence_ms = 16000        # how long a board counts that nobody hears; without it: 32 intervals; 0: for ever
# frames_per_minute = 120    # a board sends no more than this; without it: no bound
# pace = "slow"              # for LoRa and slow lines, in place of interval_ms: 10000 ms, 12 frames a minute
# key = "at least sixteen secret characters"   # boards ignore frames that were not signed with it
# console_control = true     # the console of a board may also restart its node, and end its wait
# console = "off"            # no console on the serial line; "data": on the second USB port of CircuitPython

[transport]                  # for all boards that have no transport of their own
kind = "espnow"              # espnow, udp or uart
channel = 6

# [transport]
# kind = "udp"
# port = 47000
# ssid = "the network"       # without it: the board is on the network already
# password = "its password"
# to = ["192.168.4.255:47000"]   # without it: send to everybody on the network

# [transport]
# kind = "uart"              # a serial line; an RS-485 line has a direction pin
# uart = 1
# baudrate = 115200
# tx = 4
# rx = 5
# direction = 6
# bus = "hall"               # which line it is, if there are several

[[boards]]
id = 0                       # another one for each board, from 0 to 1073741823
name = "north"
kind = "esp32"               # esp32, rp2040, circuitpython or unix
# hardware_id = "e6614103e7452b2f"   # what machine.unique_id() says; another board refuses this id

[[boards]]
id = 1
name = "south"               # this board stands between the radio of "north" and the line of "door"
kind = "esp32"
transports = [{ kind = "espnow" }, { kind = "uart", uart = 1, tx = 17, rx = 16 }]

[[boards]]
id = 2
name = "door"
kind = "rp2040"
transport = { kind = "uart", uart = 1, tx = 4, rx = 5 }
"""


class RosterError(FileError):
    """What is wrong with a roster: one line for each fault, with file, line, field, value and what to do."""


def _quorum(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) or isinstance(value, str) and value in RULES:
        return value
    raise ValueError("must be a whole number, 'majority', 'byzantine' or 'everyone'")


def _pin(value: Any) -> Any:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        return value
    raise ValueError("must be the number of a pin, or its name in quotes")


def _budget(number: int) -> int:
    if number == 0 or 2 <= number <= 10000:
        return number
    raise ValueError("must be from 2 to 10000, or 0 for no bound")


def _target(text: str) -> str:
    numbers = re.fullmatch(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3}):(\d{1,5})", text, re.ASCII)
    if not numbers or any(int(number) > 255 for number in numbers.groups()[:4]) or not 1 <= int(numbers[5]) <= 65535:
        raise ValueError('must be an address and a port, such as "192.168.4.255:47000"')
    return text


def _hexadecimal(text: str) -> str:
    if not re.fullmatch("([0-9a-f]{2})+", text):
        raise ValueError("must be pairs of the digits 0 to 9 and a to f")
    return text


Quorum = Annotated[Union[int, str], PlainValidator(_quorum)]
Pin = Annotated[Union[int, str], PlainValidator(_pin)]
Target = Annotated[str, AfterValidator(_target)]


def quorum_count(quorum: Quorum, boards: int) -> int:
    """Return a quorum as a number of boards."""
    return quorum if isinstance(quorum, int) else RULES[quorum](boards)


class Udp(Strict):
    """``to``: whom to send to; none: everybody on the network. ``ssid``: None: the board is on the network already."""

    kind: Literal["udp"]
    port: int = Field(47000, ge=1, le=65535)
    bind: str = "0.0.0.0"
    to: list[Target] = []
    ssid: Optional[str] = None
    password: str = Field("", repr=False)


class EspNow(Strict):
    kind: Literal["espnow"]
    channel: int = Field(6, ge=1, le=14)


class Uart(Strict):
    """``tx``, ``rx``: None: the pins that the port has by itself. ``direction``: the pin of an RS-485 transceiver, if there is one.

    ``bus``: the name of the line, for people: boards on one line have the same. A board does not get to know it.
    """

    kind: Literal["uart"]
    uart: int = Field(1, ge=0, le=7)
    baudrate: int = Field(115200, ge=300, le=4_000_000)
    tx: Optional[Pin] = None
    rx: Optional[Pin] = None
    direction: Optional[Pin] = None
    bus: str = Field("line", min_length=1)

    @model_validator(mode="after")
    def _has_both_pins(self) -> Uart:
        if (self.tx is None) != (self.rx is None):
            given, absent = ("tx", "rx") if self.rx is None else ("rx", "tx")
            raise Faults([Fault((absent,), f"missing beside {given}; add it, or leave out both for the pins that the port has by itself")])
        return self


Transport = Annotated[Union[Udp, EspNow, Uart], Field(discriminator="kind")]


Transports = Optional[Annotated[list[Transport], Field(min_length=1)]]


def _claims(transport: Udp | EspNow | Uart, kind: str) -> list[tuple[str, str, Any]]:
    """Return what a transport needs for itself on a kind of board: (field, what it is, value)."""
    if isinstance(transport, EspNow):
        return [("kind", "radio", transport.kind)]
    if isinstance(transport, Udp):
        return [("port", "port", transport.port)]
    pins = {"tx": transport.tx, "rx": transport.rx, "direction": transport.direction}
    claims: list[tuple[str, str, Any]] = [(field, "pin", pin) for field, pin in pins.items() if pin is not None]
    if kind != "circuitpython":
        claims.insert(0, ("uart", "uart", transport.uart))
    elif transport.tx is None:  # a UART is its pins there
        claims.insert(0, ("kind", "pin", "TX"))
    return claims


class Connected(Strict):
    """What has a transport, or a list of several. ``listed`` is that list, with none, one or several."""

    transport: Optional[Transport] = None
    transports: Transports = None

    @model_validator(mode="after")
    def _has_one_kind(self) -> Connected:
        if self.transport is not None and self.transports is not None:
            raise Faults([Fault(("transports",), "transport is there, too; delete one of them, and put all transports into transports")])
        return self

    @property
    def listed(self) -> list[Udp | EspNow | Uart]:
        return self.transports or ([] if self.transport is None else [self.transport])

    def place(self, i: int) -> Steps:
        """Return the way to a transport of the list."""
        return ("transport",) if self.transports is None else ("transports", i)


class BoardEntry(Connected):
    """One board of the roster. Without a transport of its own it has those of all boards."""

    id: int = Field(ge=0, le=2**30 - 1)
    name: str = Field(min_length=1)
    kind: Literal["esp32", "rp2040", "circuitpython", "unix"]
    hardware_id: Optional[Annotated[str, AfterValidator(_hexadecimal)]] = None


class Roster(Connected):
    """The boards of a cluster, and what they have in common.

    ``start_after_ms``, ``presence_ms``: None: what the node takes, four and 32 intervals. ``pace``: "slow" changes what other
    fields are where the roster does not give them: see faction.node.SLOW.
    """

    cluster: str = Field(min_length=1)
    key: Optional[Annotated[str, Field(min_length=16)]] = Field(None, repr=False)
    quorum: Quorum = "majority"
    pace: Optional[Literal["slow"]] = None
    interval_ms: int = Field(500, ge=1, le=3_600_000)
    deadline_ms: int = Field(60_000, ge=1, le=2**30 - 1)
    deadline_from_contact: bool = False
    start_after_ms: Optional[int] = Field(None, ge=0, le=LONGEST_MS)
    presence_ms: Optional[int] = Field(None, ge=0, le=LONGEST_MS)
    frames_per_minute: Annotated[int, AfterValidator(_budget)] = 0
    console: Literal["repl", "data", "off"] = "repl"
    console_control: bool = False
    boards: list[BoardEntry] = Field(min_length=1)

    @model_validator(mode="after")
    def _agree(self) -> Roster:
        """Check what no field can know alone."""
        faults = [*self._repeated(), *self._unfit()]
        if not 1 <= self.quorum_count() <= len(self.boards):
            faults.append(Fault(("quorum",), f"must be from 1 to {len(self.boards)}, the number of boards", str(self.quorum)))
        if faults:
            raise Faults(faults)
        return self

    def _repeated(self) -> Iterator[Fault]:
        """Iterate what two boards have in common, and must not."""
        for field in ("id", "name", "hardware_id"):
            values = [getattr(board, field) for board in self.boards]
            for value, count in Counter(values).items():
                if count > 1 and value is not None:
                    first, *others = [i for i, each in enumerate(values) if each == value]
                    shown = f'"{value}"' if isinstance(value, str) else str(value)
                    text = f"boards[{first}] has it, too; give every board its own"
                    yield from (Fault(("boards", i, field), text, shown) for i in others)

    def _unfit(self) -> Iterator[Fault]:
        """Iterate what the kind of a board cannot do."""
        for i, board in enumerate(self.boards):
            if not self.transports_of(board):
                yield Fault(("boards", i, "transport"), "missing, and there is none for all boards; add [transport]")
            for lacks in sorted({_LACKS.get(board.kind, {}).get(each.kind, "") for each in self.transports_of(board)} - {""}):
                yield Fault(("boards", i, "kind"), f"has no {lacks}; give this board a transport of its own", f'"{board.kind}"')
            yield from self._clashes(i, board)
        others = [board.name for board in self.boards if board.kind != "circuitpython"]
        if self.console == "data" and others:
            text = f"only circuitpython boards have a second USB port, not {', '.join(others)}; write 'repl' or 'off'"
            yield Fault(("console",), text, '"data"')

    def _clashes(self, number: int, board: BoardEntry) -> Iterator[Fault]:
        """Iterate what two transports of a board cannot both have."""
        owner: Connected = board if board.listed else self
        prefix: Steps = ("boards", number) if board.listed else ()
        first: dict[tuple[str, Any], Steps] = {}
        networks: dict[str, Steps] = {}
        for i, transport in enumerate(owner.listed):
            for field, what, value in _claims(transport, board.kind):
                steps = (*owner.place(i), field)
                if (what, value) in first:
                    text = f"{Fault(first[what, value], '')} has it, too; a board has it only once"
                    yield Fault((*prefix, *steps), text, json.dumps(value))
                first.setdefault((what, value), steps)
            if isinstance(transport, Udp) and transport.ssid is not None:
                networks.setdefault(transport.ssid, (*prefix, *owner.place(i), "ssid"))
        for ssid, steps in list(networks.items())[1:]:
            yield Fault(steps, f"a board joins one network only, and {next(iter(networks))} is there, too; choose one", json.dumps(ssid))

    def transports_of(self, board: BoardEntry) -> list[Udp | EspNow | Uart]:
        """Return the transports of a board: its own, or those of all."""
        return board.listed or self.listed

    def quorum_count(self) -> int:
        """Return the quorum as a number."""
        return quorum_count(self.quorum, len(self.boards))

    def _paced(self, field: Literal["interval_ms", "frames_per_minute"]) -> int:
        """Return the value of a field that the pace decides, unless the roster gives it."""
        return SLOW[field] if self.pace == "slow" and field not in self.model_fields_set else int(getattr(self, field))

    def board(self, which: str) -> BoardEntry:
        """Return the board with this name or id; raise RosterError with those there are."""
        for board in self.boards:
            if which in (board.name, str(board.id)):
                return board
        known = ", ".join(f"{board.id} ({board.name})" for board in self.boards)
        raise RosterError(f"{which}: no board of this name or id; there are {known}")

    def configuration(self, board: BoardEntry) -> dict[str, Any]:
        """Return what faction.json on this board holds."""
        return {
            "cluster": self.cluster,
            "key": self.key,
            "quorum": self.quorum_count(),
            "interval_ms": self._paced("interval_ms"),
            "deadline_ms": self.deadline_ms,
            "deadline_from_contact": self.deadline_from_contact,
            "start_after_ms": self.start_after_ms,
            "presence_ms": self.presence_ms,
            "frames_per_minute": self._paced("frames_per_minute"),
            "is_line_shared": self.pace == "slow",
            "transports": [each.model_dump(exclude={"bus"}) for each in self.transports_of(board)],
            "console": self.console,
            "console_control": self.console_control,
            "peers": sorted(each.id for each in self.boards),
            "names": [each.name for each in sorted(self.boards, key=lambda each: each.id)],
            "peer_id": board.id,
            "hardware_ids": {each.hardware_id: each.id for each in self.boards if each.hardware_id},
        }


def load(path: str | Path) -> Roster:
    """Return the roster in a TOML or JSON file. Raises RosterError."""
    return load_as(Roster, Path(path), RosterError, "check the name; faction new writes an example")
