"""What faction boards shows to people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import printable
from ..fleet.plugged import Plugged
from ..fleet.roster import Roster

ANSWERS = "answers: an earlier version of faction answers, so it was not interrupted; with --interrupt it is, and tells all of itself"


def show(boards: Sequence[Plugged], roster: Roster | None, console: Console) -> None:
    """Print the boards as a table, and below it why the others are not in it."""
    known = [board for board in boards if not board.fault]
    if known:
        console.print(_table(known, roster, is_wide=console.width >= 100))
    if any(board.is_running and not board.platform for board in known):
        console.print(Text(ANSWERS, "dim"), soft_wrap=not console.is_terminal)
    for board in boards:
        if board.fault:
            console.print(Text("! " + board.fault, "bold red"), highlight=False, soft_wrap=not console.is_terminal)


def _table(boards: Sequence[Plugged], roster: Roster | None, is_wide: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("port", "kind", "firmware", "hardware id", "board", *(["machine"] if is_wide else [])):
        table.add_column(name, overflow="fold", no_wrap=name in ("kind",))
    for board in boards:
        cells = [board.place, _kind(board), board.firmware, board.hardware_id or ("none" if board.platform else "answers")]
        table.add_row(*map(printable, cells), Text(name_of(board, roster)), *([printable(board.machine)] if is_wide else []))
    return table


def _kind(board: Plugged) -> str:
    return board.kind or (f"({board.platform})" if board.platform else "")


def name_of(board: Plugged, roster: Roster | None) -> str:
    """Say which board of the roster it is: by its hardware id, or only by the configuration on it."""
    entry = board.board(roster) if roster else None
    if entry is not None:
        return f"{entry.id} ({entry.name})"
    if board.said is None:
        return "new"
    said = f"says {printable(str(board.said))}"
    if roster is None:
        return said
    of = f" of {printable(board.cluster)}" if board.cluster not in (None, roster.cluster) else ""
    named = board.named(roster)
    if named is None:
        return f"{said}{of}, not in the roster"
    return said if board.is_running or named.hardware_id is None else f"{said}, but the roster has another hardware id"


def describe(board: Plugged) -> str:
    """Say in a line what a board is, for a person who has to know it again."""
    said = (
        "" if board.said is None else f"; it was {printable(str(board.said))} of {printable(board.cluster or 'a cluster without a name')}"
    )
    number = f"hardware id {board.hardware_id}" if board.hardware_id else "without a hardware id"
    return f"{board.place}: {printable(board.machine or board.platform)}, {number}, {board.firmware}{said}"
