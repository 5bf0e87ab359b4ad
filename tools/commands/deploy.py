"""faction deploy: bring a board's slice and configuration onto it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from . import ROSTER

if TYPE_CHECKING:
    from ..fleet.deploy import Plan

CONFIGURATION = "faction.json"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from ..fleet.build import SLICES

    parser.add_argument("port", help="a serial port, or the folder of a mounted CIRCUITPY drive")
    parser.add_argument("board", help="the name or id of the board in the roster")
    parser.add_argument("--roster", default=ROSTER)
    parser.add_argument("--slice", choices=SLICES, default="full")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")
    parser.add_argument("--wait", type=float, default=15, metavar="SECONDS", help="for the board's first words (15)")


def run(options: argparse.Namespace) -> int:
    """Copy what has changed, remove what is left over, and start the board."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ..fleet import build, deploy, roster
    from ..shown.terminal import terminal

    checked = roster.load(options.roster)
    board = checked.board(options.board)
    files = build.board(board.kind, options.slice)
    configuration = checked.configuration(board)
    if "console.py" not in build.SLICES[options.slice]:
        configuration["console"] = "off"
    files[CONFIGURATION] = json.dumps(configuration, indent=1).encode()
    console = terminal(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{board.name}", total=len(files))

        def advance(path: str) -> None:
            progress.update(task, advance=1, description=f"{board.name}: {path}")

        if Path(options.port).is_dir():
            made = deploy.to_drive(Path(options.port), files, advance, options.dry_run)
            answer = "CircuitPython restarts by itself"
        else:
            made, answer = _over_serial(options, files, advance)
    verb = "would copy" if options.dry_run else "copied"
    print(f"{board.name}: {verb} {len(made.copied)} files, removed {len(made.removed)}, {len(made.unchanged)} unchanged")
    if options.dry_run:
        print("\n".join(["  + " + path for path in made.copied] + ["  - " + path for path in made.removed]))
    else:
        print(f"{board.name}: {answer}")
    return 0


def _over_serial(options: argparse.Namespace, files: dict[str, bytes], advance: Callable[[str], None]) -> tuple[Plan, str]:
    from ..fleet import deploy

    board = deploy.Board(options.port)
    try:
        made = deploy.to_board(board, files, advance, options.dry_run)
        return made, "" if options.dry_run else board.restart(options.wait)
    finally:
        board.close()
