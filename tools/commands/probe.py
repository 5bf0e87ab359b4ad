"""faction probe: ask boards how they are, and show it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..serial.survey import Survey, Watch


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("port", nargs="*", help="serial ports (all on USB)")
    parser.add_argument("--watch", type=float, nargs="?", const=1, metavar="SECONDS", help="again and again, until ctrl-C (1)")
    parser.add_argument("--json", action="store_true", help="for programs, one object a line")
    parser.add_argument("--journal", metavar="FILE", help="save the records of all boards, for faction replay")
    parser.add_argument("--timeout", type=float, default=3, metavar="SECONDS", help="for an answer (3)")


def run(options: argparse.Namespace) -> int:
    """Ask, show, and save the journals if wanted; return what the survey's exit code is."""
    from ..serial import survey as probe

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


def _show(survey: Survey, options: argparse.Namespace) -> None:
    from ..shown import survey as probe_view
    from ..shown.terminal import terminal

    if options.json:
        print(json.dumps(survey.as_json()), flush=True)
    else:
        probe_view.show(survey, terminal())


def _look_on(watch: Watch, options: argparse.Namespace) -> Survey:
    """Ask again and again until ctrl-C; return the last survey."""
    from rich.live import Live

    from ..serial.survey import Survey
    from ..shown import survey as probe_view
    from ..shown.terminal import terminal

    survey = Survey([])
    with suppress(KeyboardInterrupt), Live(console=terminal(), auto_refresh=False, screen=False) as live:
        while True:
            survey = watch.survey()
            if options.json:
                _show(survey, options)
            else:
                live.update(probe_view.picture(survey), refresh=True)
            time.sleep(options.watch)
    return survey


def _save_journals(watch: Watch, survey: Survey, path: Path) -> int:
    """Write the journals of all boards that keep one to a new file, and name those that do not."""
    from ..journals import replay

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
