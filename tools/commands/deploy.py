"""faction deploy: bring a board's files and configuration onto it."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CommandError
from . import ROSTER

if TYPE_CHECKING:
    from ..fleet.deploy import Drive, Plan, SerialBoard
    from ..fleet.roster import BoardEntry, Roster

WAIT_SECONDS = 15


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from ..fleet.build import SLICES

    parser.add_argument("port", help="a serial port; for CircuitPython, the folder of its mounted drive, CIRCUITPY")
    parser.add_argument("board", help="the name or id of the board in the roster")
    parser.add_argument("--roster", default=ROSTER, metavar="FILE", help=f"a TOML or JSON file (default: {ROSTER})")
    parser.add_argument("--slice", choices=SLICES, default="full", help="how much of the package (default: full)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--wait", metavar="SECONDS", help=f"how long to wait for the board's first words (default: {WAIT_SECONDS})")


def run(options: argparse.Namespace) -> int:
    """Copy what has changed, remove what is left over, and start the board."""
    from ..fleet import roster
    from ..shown.progress import busy

    checked = roster.load(options.roster)
    board = checked.board(options.board)
    seconds = _seconds(options, board)
    with busy(f"{board.name}: building its files"):
        files = _files(checked, board, options.slice)
    with busy(f"{board.name}: asking what is on the board"):
        target = _target(options.port, board)
    try:
        return _deploy(target, board.name, files, seconds, options.dry_run)
    finally:
        target.close()


def _seconds(options: argparse.Namespace, board: BoardEntry) -> float:
    """Return how long to wait for the first words. Raises CommandError if --wait is wrong, or nothing will be waited for."""
    if options.wait is None:
        return WAIT_SECONDS
    for nothing, reason in (
        (options.dry_run, "--dry-run and --wait cannot work together: nothing is copied"),
        (options.slice == "core", "--slice core and --wait cannot work together: this slice has no program that says something"),
        (board.kind == "circuitpython", f"--wait {options.wait}: nobody waits for {board.name}: it restarts by itself"),
    ):
        if nothing:
            raise CommandError(f"{reason}; leave out --wait")
    try:
        seconds = float(options.wait)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 3600:
        raise CommandError(f"--wait {options.wait}: not a number of seconds above 0 and up to 3600; write, for example, --wait 30")
    return seconds


def _files(checked: Roster, board: BoardEntry, slice_name: str) -> dict[str, bytes]:
    """Return all files of a board, with its configuration."""
    from ..fleet import build

    files = build.board(board.kind, slice_name)
    configuration = checked.configuration(board)
    if "console.py" not in build.SLICES[slice_name]:
        configuration["console"] = "off"
    files[build.CONFIGURATION] = json.dumps(configuration, indent=1).encode()
    return files


def _target(port: str, board: BoardEntry) -> SerialBoard | Drive:
    """Return where the files go. Raises CommandError if the place does not fit the kind of board, or does not answer."""
    from ..fleet.deploy import Drive, SerialBoard

    is_folder = Path(port).is_dir()
    if board.kind == "circuitpython" and not is_folder:
        raise CommandError(f"{port}: is no folder, and {board.name} runs CircuitPython; name the folder of its drive, CIRCUITPY")
    if board.kind in ("esp32", "rp2040") and is_folder:
        raise CommandError(f"{port}: is a folder, and {board.name} runs MicroPython; name its serial port")
    if not is_folder:
        return SerialBoard(port)
    return Drive(Path(port), "run main.py there" if board.kind == "unix" else "CircuitPython restarts by itself")


def _deploy(target: SerialBoard | Drive, name: str, files: dict[str, bytes], seconds: float, dry_run: bool) -> int:
    from ..shown.progress import bar, busy

    with busy(f"{name}: asking what is on the board"):
        made = target.compare(files)
    if dry_run:
        print(_summary(name, "would copy", made))
        print("\n".join(["  + " + path for path in made.copied] + ["  - " + path for path in made.removed]))
        return 0
    with bar(f"{name}: copying", len(made.copied)) as shown:
        target.copy(made, files, lambda done, path: shown.show(done, f"{name}: {path}"))
    print(_summary(name, "copied", made), flush=True)
    if "main.py" not in files and "code.py" not in files:
        print(f"{name}: this slice starts nothing by itself; import faction in a program of your own")
        return 0
    with busy(f"{name}: waiting for its first words, {seconds:.0f} s at most"):
        words = target.restart(seconds)
    print(f"{name}: {words}")
    return 0


def _summary(name: str, verb: str, made: Plan) -> str:
    return f"{name}: {verb} {len(made.copied)} files, removed {len(made.removed)}, {len(made.unchanged)} unchanged"
