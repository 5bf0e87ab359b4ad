"""The roster: one file that describes all boards of a cluster. Every board gets its configuration from it."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import AfterValidator, Field, PlainValidator, PrivateAttr, ValidationInfo, model_validator

from faction import byzantine, everyone, majority
from faction.node import SLOW

from ..toml.faults import Fault, Faults, unknown
from ..toml.places import Steps
from ..toml.strict import FileError, Strict, load_as

KINDS = ("esp32", "rp2040", "circuitpython", "unix")
RULES = {"majority": majority, "byzantine": byzantine, "everyone": everyone}
APPLICATION = "application.py"  # the user's program on a board
# The longest wait of the watchdog, in whole seconds: MicroPython's documentation of machine.WDT says 8388 ms.
RP2040_WATCHDOG_S = 8
PINS = 64  # no board has so many
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


def _country(text: str) -> str:
    if not re.fullmatch("[A-Z]{2}", text, re.ASCII):
        raise ValueError('must be the two capital letters of a country, such as "DE"')
    return text


def _host(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        pass
    raise ValueError('must be an address of four numbers, such as "192.168.4.1"')


def _interface(text: str) -> str:
    """Accept the address of one board, with the length of its network's prefix."""
    address, slash, _ = text.partition("/")
    try:
        parsed = ipaddress.IPv4Interface(text)
    except ValueError:
        parsed = None
    if parsed is None or not slash or not re.fullmatch("[0-9]+", text.rpartition("/")[2], re.ASCII):
        raise ValueError('must be an address and the length of its network, such as "192.168.4.11/24"')
    network = parsed.network
    if network.prefixlen < 31 and parsed.ip in (network.network_address, network.broadcast_address):
        raise ValueError(f"is the address of a whole network; take one between {network[1]} and {network[-2]}")
    return text


def _application(value: Any) -> Any:
    """Accept a path, or a table of kinds of boards with a path for each."""
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("must be a path in quotes, or a table with a path for each kind of board")
    faults = [Fault((kind,), unknown(kind, KINDS, value)) for kind in value if kind not in KINDS]
    faults += [Fault((kind,), "must be a path, in quotes", json.dumps(path)) for kind, path in value.items() if not _is_path(path)]
    if faults:
        raise Faults(faults)
    return value


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _led(value: Any) -> Any:
    if value in ("board", "none") or isinstance(value, int) and not isinstance(value, bool) and 0 <= value < PINS:
        return value
    raise ValueError(f"must be the number of a pin, 0 to {PINS - 1}, 'board' or 'none'")


Quorum = Annotated[Union[int, str], PlainValidator(_quorum)]
Pin = Annotated[Union[int, str], PlainValidator(_pin)]
Target = Annotated[str, AfterValidator(_target)]
Led = Annotated[Union[int, str], PlainValidator(_led)]
Application = Annotated[Union[str, dict[str, str]], PlainValidator(_application)]
Host = Annotated[str, AfterValidator(_host)]
Interface = Annotated[str, AfterValidator(_interface)]


def _no_application(path: Path) -> str:
    """Say why a path is no program of a user; return an empty text if it is one."""
    try:
        if path.is_dir():
            return "" if (path / APPLICATION).is_file() else f"has no {APPLICATION}; put one into this folder, or name another"
        if path.is_file():
            return "" if path.suffix == ".py" else "is no .py file; name a .py file, or a folder"
    except (OSError, ValueError):  # too long, or not allowed to look at
        return "cannot be read; correct the path, or what may be read there"
    return f"does not exist in {path.parent}; correct the path, from the folder of the roster on"


def quorum_count(quorum: Quorum, boards: int) -> int:
    """Return a quorum as a number of boards."""
    return quorum if isinstance(quorum, int) else RULES[quorum](boards)


class Udp(Strict):
    """``to``: whom to send to; none: everybody on the network. ``ssid``: None: the board is on the network already.

    ``country``: where the radio is, for its channels and its power; None: what the firmware takes. ``gateway``: of boards with an
    address of their own.
    """

    kind: Literal["udp"]
    port: int = Field(47000, ge=1, le=65535)
    bind: str = "0.0.0.0"
    to: list[Target] = []
    ssid: Optional[str] = None
    password: str = Field("", repr=False)
    country: Optional[Annotated[str, AfterValidator(_country)]] = None
    gateway: Optional[Host] = None


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
    network, with the length of the network's prefix; None: the access point gives one.
    """

    id: int = Field(ge=0, le=2**30 - 1)
    name: str = Field(min_length=1)
    kind: Literal["esp32", "rp2040", "circuitpython", "unix"]
    hardware_id: Optional[Annotated[str, AfterValidator(_hexadecimal)]] = None
    application: Optional[Annotated[str, Field(min_length=1)]] = None
    address: Optional[Interface] = None


class Roster(Equipped):
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
    application: Optional[Application] = None
    boards: list[BoardEntry] = Field(min_length=1)
    _folder: Path = PrivateAttr(Path())

    @model_validator(mode="after")
    def _agree(self, info: ValidationInfo) -> Roster:
        """Check what no field can know alone."""
        self._folder = Path((info.context or {}).get("folder", ""))
        faults = [*self._repeated(), *self._unfit(), *self._absent(), *self._misplaced()]
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

    def _absent(self) -> Iterator[Fault]:
        """Iterate the applications that are not there."""
        if isinstance(self.application, str):
            named: list[tuple[Steps, str]] = [(("application",), self.application)]
        else:
            named = [(("application", kind), path) for kind, path in (self.application or {}).items()]
        named += [(("boards", i, "application"), board.application) for i, board in enumerate(self.boards) if board.application]
        for steps, path in named:
            text = _no_application(self._folder / path)
            if text:
                yield Fault(steps, text, json.dumps(path, ensure_ascii=False))

    def _misplaced(self) -> Iterator[Fault]:
        """Iterate the fixed addresses that no network has, and watchdogs that cannot wait for so long."""
        taken: dict[str, int] = {}
        for i, board in enumerate(self.boards):
            yield from self._impatient(i, board)
            if board.address is None:
                continue
            for text in self._wrong_address(board, ipaddress.IPv4Interface(board.address)):
                yield Fault(("boards", i, "address"), text, f'"{board.address}"')
            host = board.address.partition("/")[0]
            if host in taken:
                yield Fault(("boards", i, "address"), f"boards[{taken[host]}] has it, too; give every board its own", f'"{board.address}"')
            taken.setdefault(host, i)

    def _wrong_address(self, board: BoardEntry, address: ipaddress.IPv4Interface) -> Iterator[str]:
        networks = [each for each in self.transports_of(board) if isinstance(each, Udp) and each.ssid is not None]
        if board.kind == "unix":
            yield "a process has the addresses of its computer; delete it"
        elif not networks:
            yield "this board joins no Wi-Fi network; give its udp transport an ssid, or delete the address"
        for gateway in {each.gateway for each in networks} - {None}:
            if ipaddress.IPv4Address(str(gateway)) not in address.network:
                yield f"the gateway {gateway} is in another network than {address.network}; correct one of them"
            elif str(address.ip) == gateway:
                yield "the gateway has it, too; give the board another one"

    def _impatient(self, number: int, board: BoardEntry) -> Iterator[Fault]:
        seconds = self._equipment(board, "watchdog_s") or 0
        if board.kind == "rp2040" and seconds > RP2040_WATCHDOG_S:
            steps: Steps = ("watchdog_s",) if board.watchdog_s is None else ("boards", number, "watchdog_s")
            text = f"the watchdog of {board.name} waits for {RP2040_WATCHDOG_S} s at most; write {RP2040_WATCHDOG_S} or less"
            yield Fault(steps, text, str(seconds))

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

    def _equipment(self, board: BoardEntry, field: Literal["watchdog_s", "led", "led_inverted"]) -> Any:
        """Return what a board has: what it says itself, or what all have."""
        own = getattr(board, field)
        return getattr(self, field) if own is None else own

    def application_of(self, board: BoardEntry) -> Path | None:
        """Return the program of the user for a board, a file or a folder; None: the roster names none."""
        for_all = self.application if isinstance(self.application, str) else (self.application or {}).get(board.kind)
        path = board.application or for_all
        return None if path is None else self._folder / path

    def _network(self, board: BoardEntry, transport: Udp | EspNow | Uart) -> dict[str, Any]:
        """Return what faction.json says of one transport of a board."""
        told = transport.model_dump(exclude={"bus"})
        if isinstance(transport, Udp):
            own = None if board.address is None else ipaddress.IPv4Interface(board.address)
            told["address"] = None if own is None else str(own.ip)
            told["netmask"] = None if own is None else str(own.netmask)
            told["gateway"] = None if own is None else transport.gateway  # otherwise the access point gives that, too
        return told

    def board(self, which: str) -> BoardEntry:
        """Return the board with this name or id; raise RosterError with those there are."""
        for board in self.boards:
            if which in (board.name, str(board.id)):
                return board
        known = ", ".join(f"{board.id} ({board.name})" for board in self.boards)
        raise RosterError(f"{which}: no board of this name or id; there are {known}")

    def configuration(self, board: BoardEntry) -> dict[str, Any]:
        """Return what faction.json on this board holds."""
        led = self._equipment(board, "led")
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
            "transports": [self._network(board, each) for each in self.transports_of(board)],
            "console": self.console,
            "console_control": self.console_control,
            "watchdog_s": self._equipment(board, "watchdog_s") or None,
            "led": None if led in (None, "none") else led,
            "led_inverted": bool(self._equipment(board, "led_inverted")),
            "peers": sorted(each.id for each in self.boards),
            "names": [each.name for each in sorted(self.boards, key=lambda each: each.id)],
            "peer_id": board.id,
            "hardware_ids": {each.hardware_id: each.id for each in self.boards if each.hardware_id},
        }


def load(path: str | Path) -> Roster:
    """Return the roster in a TOML or JSON file. Raises RosterError."""
    return load_as(Roster, Path(path), RosterError, "check the name; faction new writes an example")
