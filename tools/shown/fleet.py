"""What faction check shows of a good roster: who hears whom, and how far it is to the last board."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from ..fleet.reachability import Fleet
from ..fleet.roster import Roster
from ..serial.report import ranges

START_INTERVALS = 4  # from the first verdict to the start, where the roster says nothing: see faction.node


def table(fleet: Fleet) -> Table:
    """Return a line for each board, in the order of the ids."""
    made = Table()
    made.add_column("id", justify="right")
    for name in ("board", "kind", "airs", "hears directly"):
        made.add_column(name, overflow="fold")
    made.add_column("hops to the farthest", justify="right")
    for i in sorted(range(len(fleet.boards)), key=lambda each: fleet.boards[each].id):
        board = fleet.boards[i]
        heard = ranges(fleet.boards[each].id for each in fleet.hears[i]) or "nobody"
        made.add_row(str(board.id), board.name, board.kind, "\n".join(fleet.airs[i]), heard, str(fleet.farthest(i)))
    return made


def advice(roster: Roster, fleet: Fleet) -> Iterator[str]:
    """Iterate what a roster should say, although it is good without it."""
    hops = max(fleet.farthest(i) for i in range(len(fleet.boards)))
    interval_ms = roster.pace_of("interval_ms")
    start_ms = START_INTERVALS * interval_ms if roster.start_after_ms is None else roster.start_after_ms
    needed_ms = (hops + 1) * interval_ms
    if 0 < start_ms < needed_ms:
        yield (
            f"advice: news needs {hops} hops to the last board, and the boards start {start_ms} ms after the first verdict; write "
            f"start_after_ms = {needed_ms}, an interval for each board in a row, so that all start together"
        )
