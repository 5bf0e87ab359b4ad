"""faction check: check a roster, and say what it means."""

from __future__ import annotations

import argparse

from . import ROSTER


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("roster", nargs="?", default=ROSTER, help=f"a TOML or JSON file (default: {ROSTER})")


def run(options: argparse.Namespace) -> int:
    """Say that a roster is good. Otherwise load raises RosterError, with a line for each fault."""
    from ..fleet import roster

    checked = roster.load(options.roster)
    boards = len(checked.boards)
    print(f"{options.roster}: good: {boards} board{'s' if boards > 1 else ''}, quorum {checked.quorum_count()}")
    return 0
