"""What is plugged in: which board is at which port, and what the trouble with the others is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from ..errors import CommandError
from ..serial import port as usb
from ..serial.answers import check
from ..serial.line import BoardLine
from ..serial.port import LineError, Stopped
from ..serial.together import together
from .drive import Drive
from .drives import mounted
from .entries import BoardEntry
from .found import CONFIGURATION, Found
from .identity import kind_of, name_in
from .roster import Roster
from .serial_board import FIRMWARES, SerialBoard

CONSOLE_S = 1.5  # how long a console may take to answer; a program that does not answer is interrupted then


@dataclass
class Plugged:
    """One board that is plugged in.

    ``place``        its port; of a CircuitPython board with a mounted drive, the folder
    ``kind``         the kind that it has in a roster; None: not known, or faction does not run on it
    ``platform``, ``machine``, ``firmware``, ``hardware_id``  what it says of itself; empty if nobody asked
    ``said``         the name or the id that it has by the configuration on it; None: it has none
    ``cluster``      the cluster of that configuration
    ``is_running``   its program answered, so it was not interrupted; one of an earlier version does not tell all of this
    ``fault``        why nothing is known of it: one line; empty if something is
    """

    place: str
    kind: str | None = None
    platform: str = ""
    machine: str = ""
    firmware: str = ""
    hardware_id: str = ""
    said: Any = None
    cluster: str | None = None
    is_running: bool = False
    fault: str = ""

    def board(self, roster: Roster) -> BoardEntry | None:
        """Return the board of the roster with its hardware id."""
        return next((each for each in roster.boards if self.hardware_id and each.hardware_id == self.hardware_id), None)

    def named(self, roster: Roster) -> BoardEntry | None:
        """Return the board of the roster that it is by the configuration on it."""
        if self.said is None or self.cluster not in (None, roster.cluster):
            return None
        named = [each for each in roster.boards if self.said in (each.name, each.id) and self.kind in (None, each.kind)]
        return named[0] if named else None

    def claimed(self, roster: Roster) -> BoardEntry | None:
        """Return the same, if the roster has no hardware id for that board: then nothing speaks against it."""
        named = self.named(roster)
        return named if named is not None and named.hardware_id is None else None


def places() -> list[str]:
    """Return where boards may be plugged in: the ports on USB, and the drives of CircuitPython boards in place of their ports."""
    drives = mounted()
    numbers = {_number_of(drive) for drive in drives}
    known = usb.usb_numbers()
    return [*[port for port in usb.found() if known.get(port) not in numbers], *map(str, drives)]


def _number_of(drive: Path) -> str | None:
    with suppress(CommandError):  # it was pulled out just now: then it is asked, and says so
        return Drive(drive).identify().hardware_id
    return None


def look(where: Sequence[str], roster: Roster | None, stop: Event, interrupts: bool) -> list[Plugged]:
    """Ask at all places at the same time, and return what is there.

    A board whose console answers is not interrupted. interrupts: one of an earlier version is, as its console does not tell its
    hardware id. What was interrupted starts again. Raises KeyboardInterrupt after ctrl-C.
    """
    numbers = usb.usb_numbers()
    asked = list(dict.fromkeys(where))
    return _without_doubles(together(lambda place: _of_place(place, roster, stop, interrupts, numbers.get(place, "")), asked, stop))


def _of_place(place: str, roster: Roster | None, stop: Event, interrupts: bool, number: str) -> Plugged:
    """Return what is at one place. Nothing is raised: what is wrong is its fault."""
    try:
        if Path(place).is_dir():
            return _of_drive(Path(place))
        running, is_at_repl = _at_console(place, stop)
        if running is None or (interrupts and not running.platform):
            return _at_repl(place, stop, is_at_repl)
        running.hardware_id = running.hardware_id or _known(number, roster)
        return running
    except CommandError as error:
        return Plugged(place, fault=str(error))
    except Stopped:
        return Plugged(place, fault=f"{place}: stopped by ctrl-C")


def _of_drive(folder: Path) -> Plugged:
    return _of_found(str(folder), Drive(folder).identify())


def _of_found(place: str, found: Found) -> Plugged:
    configuration = found.table(CONFIGURATION)
    board = Plugged(place, kind_of(found), found.platform, found.machine, found.firmware, found.hardware_id or "")
    board.said = name_in(configuration)
    board.cluster = configuration.get("cluster") if isinstance(configuration.get("cluster"), str) else None
    return board


def _at_console(port: str, stop: Event) -> tuple[Plugged | None, bool]:
    """Ask the console of a board. Return what it says, None if it does not answer; and whether the board sits at its REPL.

    Raises LineError if the port does not open.
    """
    with BoardLine(port, CONSOLE_S, stop) as board:
        with suppress(LineError):
            probe, config = board.ask("probe"), board.ask("config")
            check("probe", probe, port)
            check("config", config, port)
            if not board.is_at_repl:
                return _of_answers(port, probe, config), False
        return None, board.is_at_repl


def _of_answers(port: str, probe: dict[str, Any], config: dict[str, Any]) -> Plugged:
    """Return what a console has said. One of an earlier version says nothing of its hardware and its firmware."""
    name, _, version = config.get("firmware", "").partition(" ")
    platform = "circuitpython" if name == "circuitpython" else config.get("platform", "")
    found = Found(platform, config.get("machine", ""), config.get("hardware_id"), f"{FIRMWARES.get(name, name)} {version}".strip())
    board = _of_found(port, found)
    board.said = probe["id"] if probe["name"] is None else probe["name"]
    board.cluster, board.is_running = config["cluster"], True
    return board


def _at_repl(port: str, stop: Event, is_at_repl: bool) -> Plugged:
    """Interrupt the program of a board, ask, and start it again, unless it sat at its REPL before. Raises CommandError, Stopped."""
    if stop.is_set():  # its program is not interrupted for nothing
        raise Stopped
    board = SerialBoard(port, stop)
    try:
        found = board.identify()
        if is_at_repl:
            with suppress(OSError):
                board.leave()
        return _of_found(port, found)
    finally:
        board.close()


def _known(number: str, roster: Roster | None) -> str:
    """Return the hardware id of the roster that is the serial number of a port on USB, which may be longer; "" if none is."""
    known = [each.hardware_id for each in roster.boards if each.hardware_id] if roster else []
    return next((each for each in known if len(each) >= 12 and number.startswith(each)), "")


def _without_doubles(boards: Iterable[Plugged]) -> list[Plugged]:
    """Leave out the port of a CircuitPython board whose drive is there, too."""
    boards = list(boards)
    drives = {board.hardware_id for board in boards if board.hardware_id and Path(board.place).is_dir()}
    return [board for board in boards if Path(board.place).is_dir() or board.hardware_id not in drives or board.kind != "circuitpython"]
