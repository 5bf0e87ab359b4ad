"""faction check: check a roster, and say what it means."""

from __future__ import annotations

import argparse

from ..wording import counted
from . import ROSTER


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("roster", nargs="?", default=ROSTER, help=f"a TOML or JSON file (default: {ROSTER})")


def run(options: argparse.Namespace) -> int:
    """Say that a roster is good, and who hears whom. Otherwise load raises RosterError, with a line for each fault."""
    from ..fleet import roster
    from ..shown.fleet import advice, table
    from ..shown.terminal import terminal

    checked = roster.load(options.roster)
    fleet = checked.fleet()
    console = terminal()
    console.print(
        f"{options.roster}: good: {counted(len(checked.boards), 'board')}, quorum {checked.quorum_count()}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(table(fleet), highlight=False)
    for line in advice(checked, fleet):
        console.print(line, highlight=False, soft_wrap=True)
    return 0
