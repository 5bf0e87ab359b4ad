"""faction replay: tell what journals hold."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="what faction probe --journal has saved, or a console has shown")
    parser.add_argument("--at", type=int, metavar="N", help="the view after N commands")
    parser.add_argument("--diagram", metavar="FILE", help="draw the path taken and who told whom: .svg, .png or .md (Mermaid)")


def run(options: argparse.Namespace) -> int:
    """Show one journal as a timeline, several as one, and draw them if wanted."""
    from ..journals import replay
    from ..shown.terminal import terminal

    journals = replay.load(options.files)
    console = terminal() if sys.stdout.isatty() else terminal(width=200)
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
