"""faction check: check a roster, and say what it means."""

from __future__ import annotations

import argparse

from . import ROSTER


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("roster", nargs="?", default=ROSTER)


def run(options: argparse.Namespace) -> int:
    """Check a roster, and say what it means."""
    from ..fleet import roster

    checked = roster.load(options.roster)
    print(f"{options.roster}: good: {len(checked.boards)} boards, quorum {checked.quorum_count()}")
    return 0
