"""The command faction: new, check, build, deploy."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from . import build, deploy, roster
from .interpreters import PACKAGE, compile_package

DEFAULT = "faction.toml"
CONFIGURATION = "faction.json"


def new(options: argparse.Namespace) -> int:
    """Write an example roster."""
    path = Path(options.roster)
    if path.exists():
        raise roster.RosterError(f"{path}: is there; name another file, or remove it")
    path.write_text(roster.EXAMPLE, encoding="utf-8")
    print(f"{path}: written; edit it, then: faction check")
    return 0


def check(options: argparse.Namespace) -> int:
    """Check a roster, and say what it means."""
    checked = roster.load(options.roster)
    print(f"{options.roster}: good: {len(checked.boards)} boards, quorum {checked.quorum_count()}")
    return 0


def build_boards(options: argparse.Namespace) -> int:
    """Build the files of every kind of board in the roster, or of all kinds."""
    kinds = build.PROGRAMS if options.roster is None else {board.kind for board in roster.load(options.roster).boards}
    out = Path(options.out)
    table = Table("board", "slice", "files", "bytes", title=f"built in {out}")
    for kind in sorted(kinds):
        files = build.board(kind, options.slice)
        build.write(files, out / kind)
        table.add_row(kind, options.slice, str(len(files)), f"{sum(map(len, files.values())):,}")
    console = Console()
    console.print(table)
    if options.native:
        console.print(_native(out / "native"))
    return 0


def _native(out: Path) -> Table:
    """Build native code for every architecture; return a table of sizes."""
    table = Table("file", "bytecode", *build.ARCHITECTURES, title=f"native code, bytes, in {out}")
    with TemporaryDirectory() as plain:
        columns = [compile_package(PACKAGE, plain)]
        columns += [build.native(architecture, out / architecture) for architecture in build.ARCHITECTURES]
        for row in zip(*columns):
            table.add_row(row[0].relative_to(plain).as_posix(), *[f"{path.stat().st_size:,}" for path in row])
    return table


def dist(options: argparse.Namespace) -> int:
    """Make the release: zip files, a tree for mip, checksums."""
    for path in build.release(Path(options.out)):
        print(f"{path.stat().st_size:8,}  {path}")
    return 0


def deploy_board(options: argparse.Namespace) -> int:
    """Bring a board's slice and configuration onto it."""
    checked = roster.load(options.roster)
    board = checked.board(options.board)
    files = build.board(board.kind, options.slice)
    configuration = checked.configuration(board)
    if "console.py" not in build.SLICES[options.slice]:
        configuration["console"] = "off"
    files[CONFIGURATION] = json.dumps(configuration, indent=1).encode()
    console = Console(stderr=True)
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


def _over_serial(options: argparse.Namespace, files: dict[str, bytes], advance: Callable[[str], None]) -> tuple[deploy.Plan, str]:
    board = deploy.Board(options.port)
    try:
        made = deploy.to_board(board, files, advance, options.dry_run)
        return made, "" if options.dry_run else board.restart(options.wait)
    finally:
        board.close()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    made = argparse.ArgumentParser(prog="faction", description="From a roster to a fleet of boards.")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("new", help="write an example roster")
    command.add_argument("roster", nargs="?", default=DEFAULT)
    command.set_defaults(call=new)

    command = commands.add_parser("check", help="check a roster")
    command.add_argument("roster", nargs="?", default=DEFAULT)
    command.set_defaults(call=check)

    command = commands.add_parser("build", help="build the files for each kind of board")
    command.add_argument("roster", nargs="?", help="build the kinds of this roster only")
    command.add_argument("--out", default="build", metavar="DIR")
    command.add_argument("--slice", choices=build.SLICES, default="full", help="how much of the package (full)")
    command.add_argument("--native", action="store_true", help="native code for every architecture, too")
    command.set_defaults(call=build_boards)

    command = commands.add_parser("dist", help="make the release bundle")
    command.add_argument("--out", default="dist", metavar="DIR")
    command.set_defaults(call=dist)

    command = commands.add_parser("deploy", help="bring a board's files and configuration onto it")
    command.add_argument("port", help="a serial port, or the folder of a mounted CIRCUITPY drive")
    command.add_argument("board", help="the name or id of the board in the roster")
    command.add_argument("--roster", default=DEFAULT)
    command.add_argument("--slice", choices=build.SLICES, default="full")
    command.add_argument("--dry-run", action="store_true", help="say what would be done")
    command.add_argument("--wait", type=float, default=15, metavar="SECONDS", help="for the board's first words (15)")
    command.set_defaults(call=deploy_board)
    return made


def main() -> int:
    options = parser().parse_args()
    try:
        return int(options.call(options))
    except (roster.RosterError, deploy.DeployError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
