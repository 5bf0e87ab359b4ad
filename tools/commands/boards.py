"""faction boards: list what is plugged in."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from ..wording import counted
from . import NO_ANSWER, ROSTER
from .probe import NO_PORT

if TYPE_CHECKING:
    from ..fleet.plugged import Plugged
    from ..fleet.roster import Roster

WHAT_IT_DOES = """\
A board whose program answers at its console goes on, undisturbed. The program of any other board is interrupted for some
seconds, by ctrl-C, to ask who it is; then the board starts it again, as after power-on. With --interrupt so does a board of
an earlier version, whose console does not tell its hardware id. A board at its REPL stays there. A drive is only read.
"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.epilog = WHAT_IT_DOES
    parser.add_argument("port", nargs="*", help="serial ports, and folders of CIRCUITPY drives (default: all on USB, all drives)")
    parser.add_argument("--roster", metavar="FILE", help=f"the roster with the names of the boards (default: {ROSTER}, if it is there)")
    parser.add_argument("--interrupt", action="store_true", help="also end programs of earlier versions, which do not tell all")
    parser.add_argument("--json", action="store_true", help="for programs: an object on a line")


def run(options: argparse.Namespace) -> int:
    """Ask all boards at the same time, and show what they are."""
    from ..fleet import plugged, roster
    from ..shown.progress import busy

    known = roster.load(options.roster or ROSTER) if options.roster or Path(ROSTER).exists() else None
    places = options.port or plugged.places()
    if not places:
        print(NO_PORT, file=sys.stderr)
        return NO_ANSWER
    with busy(f"asking {counted(len(places), 'board')}"):
        found = plugged.look(places, known, Event(), options.interrupt)
    code = NO_ANSWER if any(board.fault for board in found) else 0
    _show(found, known, code, options.json)
    return code


def _show(found: list[Plugged], known: Roster | None, code: int, as_json: bool) -> None:
    from ..shown.plugged import show
    from ..shown.terminal import terminal

    if as_json:
        print(json.dumps({"version": 1, "exit": code, "boards": [_as_json(board, known) for board in found]}))
    else:
        show(found, known, terminal())


def _as_json(board: Plugged, known: Roster | None) -> dict[str, Any]:
    if board.fault:
        return {"port": board.place, "fault": board.fault}
    entry = board.board(known) if known else None
    fields = asdict(board)
    return {
        "port": fields.pop("place"),
        "id": entry and entry.id,
        "name": entry and entry.name,
        **{name: value for name, value in fields.items() if name != "fault"},
    }
