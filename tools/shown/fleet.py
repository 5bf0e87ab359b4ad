"""What faction check shows of a good roster: who hears whom, and how far it is to the last board."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from ..fleet.entries import AnyTransport, Udp
from ..fleet.reachability import Fleet
from ..fleet.roster import Roster
from ..wording import counted, first_few, ranges

LONGEST_HEARD = 60  # characters of the ids that a board hears, in the table
PRESENCE_INTERVALS = 24  # a board that waits may be silent for 20, and a frame may be lost
START_INTERVALS = 4  # from the first verdict to the start, where the roster says nothing: see faction.node


def table(fleet: Fleet) -> Table:
    """Return a line for each board, in the order of the ids."""
    made = Table()
    made.add_column("id", justify="right")
    for name in ("board", "kind", "airs", "hears"):
        made.add_column(name, overflow="fold")
    made.add_column("farthest", justify="right")
    for i in sorted(range(len(fleet.boards)), key=lambda each: fleet.boards[each].id):
        board = fleet.boards[i]
        away = counted(fleet.farthest(i), "hop")
        made.add_row(str(board.id), board.name, board.kind, "\n".join(fleet.airs[i]), _heard(fleet, i), away)
    return made


def _heard(fleet: Fleet, number: int) -> str:
    """Return whom a board hears; in few words where the ids of many boards are not in a row."""
    told = ranges(fleet.boards[each].id for each in fleet.hears[number]) or "nobody"
    if len(told) <= LONGEST_HEARD:
        return told
    unheard = set(range(len(fleet.boards))) - fleet.hears[number] - {number}
    if not unheard:
        return "all others"
    told = f"all but {ranges(fleet.boards[each].id for each in unheard)}"
    return told if len(told) <= LONGEST_HEARD else f"{len(fleet.hears[number])} of {len(fleet.boards) - 1} others"


def _impatient(roster: Roster) -> Iterator[str]:
    """Iterate the times that are too short to be likely to work."""
    interval_ms = roster.pace_of("interval_ms")
    if roster.deadline_ms < interval_ms:
        yield (
            f"advice: deadline_ms = {roster.deadline_ms} is shorter than an interval of {interval_ms} ms, so that one lost frame decides; "
            "faction simulate --roster tells a safe one"
        )
    if roster.presence_ms and roster.presence_ms < PRESENCE_INTERVALS * interval_ms:
        yield (
            f"advice: presence_ms = {roster.presence_ms} is shorter than {PRESENCE_INTERVALS} intervals, so that a board which waits comes "
            f"and goes; write presence_ms = {PRESENCE_INTERVALS * interval_ms} or more"
        )


def _lacks_ssid(transport: AnyTransport) -> bool:
    return isinstance(transport, Udp) and bool(transport.password) and transport.ssid is None


def advice(roster: Roster, fleet: Fleet) -> Iterator[str]:
    """Iterate what a roster should say, although it is good without it."""
    yield from _impatient(roster)
    strangers = [board.name for board, transports in zip(fleet.boards, fleet.transports) if any(map(_lacks_ssid, transports))]
    if strangers:
        yield f"advice: there is a password but no ssid, so that {first_few(strangers)} will join no Wi-Fi network; write its ssid"
    hops = max(fleet.farthest(i) for i in range(len(fleet.boards)))
    interval_ms = roster.pace_of("interval_ms")
    start_ms = START_INTERVALS * interval_ms if roster.start_after_ms is None else roster.start_after_ms
    needed_ms = (hops + 1) * interval_ms
    if 0 < start_ms < needed_ms:
        yield (
            f"advice: news needs {hops} hops to the last board, and the boards start {start_ms} ms after the first verdict; write "
            f"start_after_ms = {needed_ms}, an interval for each board in a row, so that all start together"
        )
