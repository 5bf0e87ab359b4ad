"""faction replay: show what recorded runs hold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CommandError
from ..files import check_place, replaced

if TYPE_CHECKING:
    from ..journals.files import RecordedRun

SUFFIXES = (".svg", ".png", ".md")
WIDE = 200  # characters of a line where no terminal limits it


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="what faction probe --journal saved, or what a console printed")
    parser.add_argument("--at", type=int, metavar="N", help="show what each board knew after N commands")
    parser.add_argument("--diagram", metavar="FILE", help="draw the path taken, and who told whom: .svg, .png or .md (Mermaid)")


def run(options: argparse.Namespace) -> int:
    """Show one run as a timeline, or several as one; draw them if that is wanted."""
    if options.diagram:
        _check_suffix(options.diagram)
        check_place(options.diagram)
    from ..journals.files import load
    from ..shown.terminal import terminal

    runs = load(options.files)
    console = terminal() if sys.stdout.isatty() else terminal(width=WIDE)
    console.print(*_parts(runs, options.at), highlight=False)
    if options.diagram:
        with replaced(options.diagram) as fresh:
            _draw(runs, fresh)
        print(f"{options.diagram}: written", file=sys.stderr)
    return 0


def _check_suffix(path: str) -> None:
    suffix = Path(path).suffix
    if suffix.lower() not in SUFFIXES:
        raise CommandError(f"--diagram {path}: unknown suffix {suffix!r}; choose .svg, .png or .md")


def _parts(runs: Sequence[RecordedRun], number: int | None) -> list[object]:
    """Return what to print."""
    from ..shown import journals

    if number is not None:
        return [journals.at(runs, number)]
    return [journals.timeline(runs[0])] if len(runs) == 1 else [journals.merged(runs), journals.learned(runs)]


def _draw(runs: Sequence[RecordedRun], path: Path) -> None:
    """Write the diagram of the states with the path that each run took, and the diagram of who told whom."""
    if path.suffix.lower() == ".md":
        from ..shown import mermaid

        path.write_text(mermaid.page(runs), encoding="utf-8")
    else:
        from ..shown.plots import draw_run

        draw_run(runs, path)
