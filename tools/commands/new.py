"""faction new: write an example roster."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import ROSTER


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("roster", nargs="?", default=ROSTER)


def run(options: argparse.Namespace) -> int:
    """Write an example roster, but never over a file that exists."""
    from ..fleet import roster

    path = Path(options.roster)
    if path.exists():
        raise roster.RosterError(f"{path}: already exists; choose another name or delete it")
    path.write_text(roster.EXAMPLE, encoding="utf-8")
    print(f"{path}: written; edit it, then: faction check")
    return 0
