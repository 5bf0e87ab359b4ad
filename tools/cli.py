"""The command faction: new, check, build, dist, deploy, probe, replay, simulate."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from .commands import simulate as simulate_command
from .fleet import build, deploy, roster
from .fleet.compile import PACKAGE, compile_package
from .journals import replay
from .serial import survey as probe
from .shown import survey as probe_view
from .simulator import scenario

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


def probe_boards(options: argparse.Namespace) -> int:
    """Ask boards how they are, and show it."""
    ports = options.port or probe.found()
    if not ports:
        print("no serial port on USB found; is it a data cable, and its driver (CP210x, CH340) installed? Or name a port", file=sys.stderr)
        return probe.NO_ANSWER
    with probe.Watch(ports, options.timeout) as watch:
        survey = _look_on(watch, options) if options.watch else watch.survey()
        if not options.watch:
            _show(survey, options)
        if options.journal:
            return _save_journals(watch, survey, Path(options.journal))
    return survey.exit_code


def _show(survey: probe.Survey, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(survey.as_json()), flush=True)
    else:
        probe_view.show(survey, Console())


def _look_on(watch: probe.Watch, options: argparse.Namespace) -> probe.Survey:
    """Ask again and again until ctrl-C; return the last survey."""
    survey = probe.Survey([])
    with suppress(KeyboardInterrupt), Live(console=Console(), auto_refresh=False, screen=False) as live:
        while True:
            survey = watch.survey()
            if options.json:
                _show(survey, options)
            else:
                live.update(probe_view.picture(survey), refresh=True)
            time.sleep(options.watch)
    return survey


def _save_journals(watch: probe.Watch, survey: probe.Survey, path: Path) -> int:
    """Write the journals of all boards that keep one to a new file, and name those that do not."""
    journals = watch.survey(("probe", "peers", "journal"))
    kept = [board for board in journals.boards if "journal" in board.answers]
    with path.open("x", encoding="utf-8") as file:
        for board in kept:
            file.write(replay.heading(board.name, board.taken))
            file.write("\n".join(board.answers["journal"]["lines"]) + "\n")
    for report in journals.reports:
        if report not in kept:
            print(report.fault or f"{report.port}: keeps no journal", file=sys.stderr)
    print(f"{path}: {len(kept)} journals; faction replay {path}", file=sys.stderr)
    return max(survey.exit_code, journals.exit_code)


def replay_journals(options: argparse.Namespace) -> int:
    """Tell what journals hold."""
    journals = replay.load(options.files)
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if options.at is not None:
        console.print(replay.at(journals, options.at), highlight=False)
    elif len(journals) == 1:
        console.print(replay.timeline(journals[0]), highlight=False)
    else:
        console.print(replay.merged(journals), replay.learned(journals), highlight=False)
    if options.diagram:
        replay.draw(journals, Path(options.diagram))
        print(f"{options.diagram}: written", file=sys.stderr)
    return 0


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

    _add_asking(commands)
    simulate_command.add(commands)
    return made


def _add_asking(commands: Any) -> None:
    """Add the commands that ask boards, and tell what they said."""
    command = commands.add_parser("probe", help="ask boards how they are, over their serial lines")
    command.add_argument("port", nargs="*", help="serial ports (all on USB)")
    command.add_argument("--watch", type=float, nargs="?", const=1, metavar="SECONDS", help="again and again, until ctrl-C (1)")
    command.add_argument("--json", action="store_true", help="for programs, one object a line")
    command.add_argument("--journal", metavar="FILE", help="save the records of all boards, for faction replay")
    command.add_argument("--timeout", type=float, default=3, metavar="SECONDS", help="for an answer (3)")
    command.set_defaults(call=probe_boards)

    command = commands.add_parser("replay", help="tell what journals hold: when a board learned what")
    command.add_argument("files", nargs="+", metavar="FILE", help="what faction probe --journal has saved, or a console has shown")
    command.add_argument("--at", type=int, metavar="N", help="the view after N commands")
    command.add_argument("--diagram", metavar="FILE", help="draw the path taken and who told whom: .svg, .png or .md (Mermaid)")
    command.set_defaults(call=replay_journals)


def main() -> int:
    options = parser().parse_args()
    try:
        return int(options.call(options))
    except FileExistsError as error:
        print(f"{error.filename}: is there; name another file, or remove it", file=sys.stderr)
        return 2
    except (roster.RosterError, deploy.DeployError, replay.ReplayError, scenario.ScenarioError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
