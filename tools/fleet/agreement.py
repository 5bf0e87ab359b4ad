"""What the fields of a roster must agree on: each may be right alone, and a board or the fleet could not work all the same."""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ..toml.faults import Fault, as_written
from ..toml.places import Steps
from .entries import AnyTransport, BoardEntry, Connected, Equipped, EspNow, Uart, Udp
from .found import APPLICATION
from .networks import Socket, wrong_networks
from .pins import number_of, used, wrong_led, wrong_uart
from .reachability import Fleet

# The longest wait of the watchdog, in whole seconds: MicroPython's documentation of machine.WDT says 8388 ms.
RP2040_WATCHDOG_S = 8
# What each kind of board has no hardware or no program for.
_LACKS = {"rp2040": {"espnow": "ESP-NOW"}, "unix": {"espnow": "ESP-NOW"}}
DIRECT_ENDS = 2  # boards whose UARTs can be connected directly


class Common(NamedTuple):
    """A roster, as far as its parts must agree.

    ``top``: what is given for all boards. ``application``: that of all, or one for each kind. ``folder``: where paths begin.
    """

    top: Equipped
    boards: Sequence[BoardEntry]
    application: str | dict[str, str] | None
    console: str
    quorum: object
    quorum_count: int
    folder: Path

    def owner(self, number: int) -> tuple[Connected, Steps]:
        """Return who has the transports of a board, and the way there: the board, or the roster for all."""
        board = self.boards[number]
        return (board, ("boards", number)) if board.listed else (self.top, ())

    def transports(self, number: int) -> Iterator[tuple[Steps, AnyTransport]]:
        """Iterate (way, transport) of a board."""
        owner, prefix = self.owner(number)
        for i, transport in enumerate(owner.listed):
            yield (*prefix, *owner.place(i)), transport


def disagreements(roster: Common, doubtful: AbstractSet[int] = frozenset()) -> list[Fault]:
    """Return all that does not agree. doubtful: the indexes of boards whose transports were wrong: what they are is not known.

    Whether all boards hear each other is told only if all transports are right.
    """
    count = len(roster.boards)
    faults = [*_repeated(roster), *_borrowed_names(roster), *_absent(roster), *_of_console(roster)]
    if not 1 <= roster.quorum_count <= count:
        faults.append(Fault(("quorum",), f"must be from 1 to {count}, the number of boards", str(roster.quorum)))
    of_transports = [*_doubled(roster), *(() if doubtful else _of_buses(roster)), *wrong_networks(list(_sockets(roster, doubtful)))]
    for i in range(count):
        if i in doubtful:
            continue
        of_transports += [*_unfit(roster, i), *_incomplete(roster, i), *_clashes(roster, i), *_wrong_pins(roster, i)]
        faults += [*_impatient(roster, i), *_misplaced(roster, i)]
    faults += [*_addresses_twice(roster), *of_transports]
    is_sure = not of_transports and not doubtful
    twice = [each for bus, ends in _lines(roster).items() for each in _twice(bus, ends)] if is_sure else []
    return list(dict.fromkeys([*faults, *twice, *(_apart(roster) if is_sure and not twice else ())]))


def _sockets(roster: Common, doubtful: AbstractSet[int]) -> Iterator[Socket]:
    for i, board in enumerate(roster.boards):
        if i not in doubtful:
            yield from ((board, steps, each) for steps, each in roster.transports(i) if isinstance(each, Udp))


def _repeated(roster: Common) -> Iterator[Fault]:
    """Iterate what two boards have in common, and must not."""
    for field in ("id", "name", "hardware_id"):
        values = [getattr(board, field) for board in roster.boards]
        for value, count in Counter(values).items():
            if count > 1 and value is not None:
                first, *others = [i for i, each in enumerate(values) if each == value]
                text = f"boards[{first}] has it, too; give every board its own"
                yield from (Fault(("boards", i, field), text, as_written(value)) for i in others)


def _borrowed_names(roster: Common) -> Iterator[Fault]:
    """Iterate the names that are the id of another board: commands find a board by either."""
    ids = {str(board.id): i for i, board in enumerate(roster.boards)}
    for i, board in enumerate(roster.boards):
        if ids.get(board.name, i) != i:
            yield Fault(("boards", i, "name"), f"is the id of boards[{ids[board.name]}]; choose another name", as_written(board.name))


def _absent(roster: Common) -> Iterator[Fault]:
    """Iterate the applications that are not there."""
    if isinstance(roster.application, str):
        named: list[tuple[Steps, str]] = [(("application",), roster.application)]
    else:
        named = [(("application", kind), path) for kind, path in (roster.application or {}).items()]
    named += [(("boards", i, "application"), board.application) for i, board in enumerate(roster.boards) if board.application]
    for steps, path in named:
        text = _no_application(roster.folder / path)
        if text:
            yield Fault(steps, text, as_written(path))


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


def _of_console(roster: Common) -> Iterator[Fault]:
    others = [board.name for board in roster.boards if board.kind != "circuitpython"]
    if roster.console == "data" and others:
        text = f"only circuitpython boards have a second USB port, not {', '.join(others)}; write 'repl' or 'off'"
        yield Fault(("console",), text, '"data"')


def _doubled(roster: Common) -> Iterator[Fault]:
    owners: list[tuple[Connected, Steps]] = [(roster.top, ()), *((board, ("boards", i)) for i, board in enumerate(roster.boards))]
    for owner, prefix in owners:
        if owner.transport is not None and owner.transports is not None:
            text = "transport is there, too; delete one of them, and put all transports into transports"
            yield Fault((*prefix, "transports"), text)


def _unfit(roster: Common, number: int) -> Iterator[Fault]:
    """Iterate what the kind of a board cannot do."""
    board = roster.boards[number]
    transports = [each for _, each in roster.transports(number)]
    if not transports:
        yield Fault(("boards", number, "transport"), "missing, and there is none for all boards; add [transport]")
    for lacks in sorted({_LACKS.get(board.kind, {}).get(each.kind, "") for each in transports} - {""}):
        yield Fault(("boards", number, "kind"), f"has no {lacks}; give this board a transport of its own", as_written(board.kind))
    if board.chip is not None and board.kind != "esp32":
        yield Fault(("boards", number, "chip"), "is for boards of kind esp32; delete it", as_written(board.chip))


def _incomplete(roster: Common, number: int) -> Iterator[Fault]:
    for steps, each in roster.transports(number):
        if isinstance(each, Uart) and roster.boards[number].kind != "unix" and (each.tx is None) != (each.rx is None):
            given, absent = ("tx", "rx") if each.rx is None else ("rx", "tx")
            yield Fault((*steps, absent), f"missing beside {given}; add it, or leave out both for the pins that the port has by itself")


def _clashes(roster: Common, number: int) -> Iterator[Fault]:
    """Iterate what a board has only once, and two of its parts cannot both have."""
    first: dict[tuple[str, object], Steps] = {}
    networks: dict[str, Steps] = {}
    told: set[Steps] = set()
    for steps, what, value, written in _claims(roster, number):
        if (what, value) in first and steps not in told:
            told.add(steps)
            text = f"{_beside(first[what, value], steps)} has it, too; a board has it only once"
            yield Fault(steps, text, as_written(written))
        first.setdefault((what, value), steps)
    for steps, transport in roster.transports(number):
        if isinstance(transport, Udp) and transport.ssid is not None:
            networks.setdefault(transport.ssid, (*steps, "ssid"))
    for ssid, steps in list(networks.items())[1:]:
        yield Fault(
            steps, f"a board joins one network only, and {as_written(next(iter(networks)))} is there, too; choose one", as_written(ssid)
        )


def _beside(other: Steps, steps: Steps) -> str:
    """Return the way to another field, as it is written beside a field: within one board, without the board."""
    return str(Fault(other[2:] if other[:1] == steps[:1] == ("boards",) else other, ""))


def _claims(roster: Common, number: int) -> Iterator[tuple[Steps, str, object, object]]:
    """Iterate (way to the field, what it is, value, value as it is written) of all that a board has only once."""
    board = roster.boards[number]
    for steps, each in roster.transports(number):
        if isinstance(each, EspNow):
            yield (*steps, "kind"), "radio", each.kind, each.kind
        elif isinstance(each, Udp):
            yield (*steps, "port"), "port", each.port, each.port
        elif board.kind == "unix":
            if each.device is not None:
                yield (*steps, "device"), "device", each.device, each.device
        else:
            if board.kind != "circuitpython":  # a UART is its pins there
                yield (*steps, "uart"), "uart", each.uart, each.uart
            for field, pin in used(each, board.kind):
                yield (*steps, field), "pin", number_of(pin, board.kind), pin
    steps, led = _led(roster, number)
    if isinstance(led, int):
        yield steps, "pin", led, led


def _led(roster: Common, number: int) -> tuple[Steps, int | str | None]:
    """Return the LED of a board, and the way to the field."""
    own = roster.boards[number].led
    return (("led",), roster.top.led) if own is None else (("boards", number, "led"), own)


def _wrong_pins(roster: Common, number: int) -> Iterator[Fault]:
    board = roster.boards[number]
    transports = [each for _, each in roster.transports(number)]
    for steps, each in roster.transports(number):
        if isinstance(each, Uart):
            for field, text, value in wrong_uart(each, board, transports):
                yield Fault((*steps, field), text, None if value is None else as_written(value))
    steps, led = _led(roster, number)
    text = wrong_led(led, board, transports) if isinstance(led, int) else ""
    if text:
        yield Fault(steps, text, as_written(led))


def _lines(roster: Common) -> dict[str, list[tuple[int, Steps, Uart]]]:
    """Return the ends of each line: the board, the way to its transport, and that."""
    lines: dict[str, list[tuple[int, Steps, Uart]]] = defaultdict(list)
    for i in range(len(roster.boards)):
        for steps, each in roster.transports(i):
            if isinstance(each, Uart):
                lines[each.bus].append((i, steps, each))
    return lines


def _of_buses(roster: Common) -> Iterator[Fault]:
    """Iterate what the boards on one line must agree on: the baud rate; on a line of more than two, a transceiver that turns."""
    for bus, ends in _lines(roster).items():
        first = ends[0][2].baudrate
        is_shared = len({number for number, _, _ in ends}) > DIRECT_ENDS and not list(_twice(bus, ends))
        for _, steps, each in ends:
            if each.baudrate != first:
                text = f'{roster.boards[ends[0][0]].name} has {first} on the line "{bus}"; write the same, or another bus'
                yield Fault((*steps, "baudrate"), text, str(each.baudrate))
            if is_shared and each.direction is None:
                remedy = 'give the pin of its RS-485 transceiver, or "auto" if that turns by itself'
                yield Fault((*steps, "direction"), f'missing on the line "{bus}", which has more than {DIRECT_ENDS} boards; {remedy}')


def _twice(bus: str, ends: Sequence[tuple[int, Steps, Uart]]) -> Iterator[Fault]:
    """Iterate where a board is on a line once more: two lines without names, mostly."""
    first: dict[int, Steps] = {}
    for number, steps, _ in ends:
        other = first.setdefault(number, steps)
        if other is not steps:
            yield Fault((*steps, "bus"), f"{_beside(other, steps)} is on this line, too; give each line a bus of its own", as_written(bus))


def _misplaced(roster: Common, number: int) -> Iterator[Fault]:
    """Iterate why a board cannot have its fixed address."""
    board = roster.boards[number]
    if board.address is None:
        return
    networks = [each for _, each in roster.transports(number) if isinstance(each, Udp) and each.ssid is not None]
    for text in _wrong_address(board, ipaddress.IPv4Interface(board.address), networks):
        yield Fault(("boards", number, "address"), text, as_written(board.address))


def _wrong_address(board: BoardEntry, address: ipaddress.IPv4Interface, networks: Sequence[Udp]) -> Iterator[str]:
    if board.kind == "unix":
        yield "a process has the addresses of its computer; delete it"
    elif not networks:
        yield "this board joins no Wi-Fi network; give its udp transport an ssid, or delete the address"
    for gateway in sorted({each.gateway for each in networks if each.gateway is not None}):
        if ipaddress.IPv4Address(gateway) not in address.network:
            yield f"the gateway {gateway} is in another network than {address.network}; correct one of them"
        elif str(address.ip) == gateway:
            yield "the gateway has it, too; give the board another one"


def _addresses_twice(roster: Common) -> Iterator[Fault]:
    taken: dict[str, int] = {}
    for i, board in enumerate(roster.boards):
        if board.address is not None:
            host = board.address.partition("/")[0]
            if taken.setdefault(host, i) != i:
                text = f"boards[{taken[host]}] has it, too; give every board its own"
                yield Fault(("boards", i, "address"), text, as_written(board.address))


def _impatient(roster: Common, number: int) -> Iterator[Fault]:
    """Iterate the watchdogs that cannot wait for so long."""
    board = roster.boards[number]
    seconds = (roster.top.watchdog_s if board.watchdog_s is None else board.watchdog_s) or 0
    if board.kind == "rp2040" and seconds > RP2040_WATCHDOG_S:
        steps: Steps = ("watchdog_s",) if board.watchdog_s is None else ("boards", number, "watchdog_s")
        text = f"the watchdog of {board.name} waits for {RP2040_WATCHDOG_S} s at most; write {RP2040_WATCHDOG_S} or less"
        yield Fault(steps, text, str(seconds))


def _apart(roster: Common) -> Iterator[Fault]:
    """Tell if not all boards hear each other."""
    transports = [[each for _, each in roster.transports(i)] for i in range(len(roster.boards))]
    gap = Fleet(list(zip(roster.boards, transports))).gap()
    if gap is not None:
        number, text = gap
        owner = roster.boards[number]
        yield Fault(("boards", number, *((owner.place(0)[0],) if owner.listed else ())), text)
