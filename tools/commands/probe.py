"""faction probe: ask boards how they are, and show it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from ..errors import CommandError, named
from ..files import check_no_folder, replaced
from . import NO_ANSWER

if TYPE_CHECKING:
    from ..serial.report import Report
    from ..serial.survey import Survey, Watch

JOURNAL = ("probe", "peers", "journal")  # the commands whose answers a file of records is made of
NO_PORT = "no serial port on USB found; use a data cable, install the driver of its chip (CP210x or CH340), or name a port"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("port", nargs="*", help="serial ports (default: all on USB)")
    parser.add_argument("--watch", nargs="?", const="1", metavar="SECONDS", help="ask again after so long, until ctrl-C (default: 1)")
    parser.add_argument("--json", action="store_true", help="for programs: an object on a line")
    parser.add_argument("--journal", metavar="FILE", help="save the records of all boards in a new file, for faction replay")
    parser.add_argument("--timeout", default="3", metavar="SECONDS", help="how long an answer may take (default: 3)")


def run(options: argparse.Namespace) -> int:
    """Ask, show, and save the records if that is wanted. Return the exit code of the survey."""
    pause = None if options.watch is None else _pause(options.watch)
    timeout = _seconds("--timeout", options.timeout, 0.1, 3_600)
    from ..serial import survey
    from ..serial.port import found

    ports = options.port or found()
    if not ports:
        print(NO_PORT, file=sys.stderr)
        return NO_ANSWER
    file = _reserve(options.journal) if options.journal else None
    try:
        with survey.Watch(ports, timeout) as watch:
            last = _once(watch, options.json) if pause is None else _again_and_again(watch, options.json, pause)
            return last.exit_code if file is None else max(last.exit_code, _save_records(watch, file))
    finally:
        if file is not None and file.stat().st_size == 0:
            file.unlink()


def _pause(text: str) -> float:
    """Return the seconds of --watch. Raises CommandError, also for a port, which argparse takes for the seconds."""
    if "/" in text or text.upper().startswith("COM"):
        raise CommandError(f"--watch {text}: not a number of seconds; put the port first, or write --watch=1 {text}")
    return _seconds("--watch", text, 0, 86_400)


def _seconds(option: str, text: str, least: float, most: float) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if least <= seconds <= most:
            return seconds
    raise CommandError(f"{option} {text}: not a number of seconds from {least} to {most}; write, for example, {option}=1")


def _once(watch: Watch, as_json: bool) -> Survey:
    """Ask once, and show the answers."""
    survey = watch.survey()
    _show(survey, as_json)
    return survey


def _show(survey: Survey, as_json: bool) -> None:
    if as_json:
        print(json.dumps(survey.as_json()), flush=True)
        return
    from ..shown.survey import show
    from ..shown.terminal import terminal

    show(survey, terminal())
    sys.stdout.flush()


def _again_and_again(watch: Watch, as_json: bool, pause: float) -> Survey:
    """Ask again and again until ctrl-C, and show the answers. Return the last survey."""
    from rich.live import Live

    from ..serial.survey import Survey
    from ..shown.survey import Picture
    from ..shown.terminal import terminal

    survey = Survey([])
    is_live = sys.stdout.isatty() and not as_json  # rich would wrap JSON, and show a file or a pipe nothing until the end
    with suppress(KeyboardInterrupt), Live(console=terminal(), auto_refresh=False) if is_live else nullcontext() as live:
        while True:
            survey = watch.survey()
            if live is None:
                _show(survey, as_json)
            else:
                live.update(Picture(survey, live.console.height - 1), refresh=True)
            time.sleep(pause)
    return survey


def _reserve(name: str) -> Path:
    """Create an empty file before anything is asked, so that a bad name is known at once. Raises OSError."""
    file = Path(name)
    check_no_folder(name)
    with named(file):
        file.open("x").close()
    return file


def _save_records(watch: Watch, file: Path) -> int:
    """Write the records of all boards that keep one, and name the other boards. Return the exit code of these answers."""
    survey = watch.survey(JOURNAL)
    kept = [board for board in survey.boards if "journal" in board.answers]
    for report in survey.reports:
        if report not in kept:
            print(report.fault or f"{report.port}: keeps no journal", file=sys.stderr)
    if kept:
        with replaced(file) as fresh:  # all of it or nothing
            fresh.write_text("".join([_record(board) for board in kept]), encoding="utf-8")
    what = f"has the journals of {len(kept)} of {len(survey.reports)} boards; show them with faction replay {quote(str(file))}"
    if not kept:
        what = "not written; no board gave a journal"
    print(f"{file}: {what}", file=sys.stderr)
    return survey.exit_code


def _record(board: Report) -> str:
    from ..journals.files import heading

    return heading(board.name, board.taken) + "\n".join(board.answers["journal"]["lines"]) + "\n"
