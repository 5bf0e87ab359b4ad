"""Who hears whom: a character for each board that is asked and each of its peers."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from rich.console import RenderableType
from rich.text import Text

from faction import BOOTSTRAPPED

from ..serial.report import Report
from ..serial.survey import Survey
from ..wording import ranges
from .palette import STYLES

LEGEND = "· silent  ○ heard  ● ready  ◌ ◍ told by others  ✗ one-way"
GROUP = 10  # peers stand in groups of so many, with a space between
Marks = tuple[tuple[str, str], ...]
_LABEL = 24  # characters of the names of boards that know the same


def heading(survey: Survey) -> str:
    """Return the legend, and of which ids the characters are."""
    return f"{LEGEND}, of {ranges(peers_of(survey))}"


def peers_of(survey: Survey) -> list[int]:
    """Return the ids that the boards have in their rosters."""
    return sorted({peer_id for board in survey.boards for peer_id in board.peers})


def marks(survey: Survey) -> list[Marks]:
    """Return what each board knows of each of these ids: a character and its style."""
    peers = peers_of(survey)
    heard_by: dict[int, set[int]] = {}
    for board in survey.boards:
        for peer_id in filter(board.hears, board.peers):
            heard_by.setdefault(peer_id, set()).add(board.peer_id)
    return [tuple([_mark(board, peer_id, heard_by.get(board.peer_id, set())) for peer_id in peers]) for board in survey.boards]


def _mark(board: Report, peer_id: int, heard_by: set[int]) -> tuple[str, str]:
    _, _, heard, ready, _, _, said_cs = board.peers.get(peer_id, [peer_id, None, 0, 0, -1, 0, -1])
    style = STYLES[BOOTSTRAPPED] if ready else ""
    if heard or peer_id == board.peer_id:
        return "●" if ready else "○", style
    if peer_id in heard_by:
        return "✗", "bold red"
    if ready or said_cs >= 0:
        return "◍" if ready else "◌", style
    return "·", ""


def hearing(survey: Survey, width: int) -> Iterator[RenderableType]:
    """Iterate the lines that show it for many boards. Boards that know the same share a line; blocks of peers follow each other."""
    rows: dict[Marks, list[int]] = {}
    for board, row in zip(survey.boards, marks(survey)):
        rows.setdefault(row, []).append(board.peer_id)
    labels = {row: wrap(ranges(set(ids)), _LABEL) for row, ids in rows.items()}
    first = max([len(line) for lines in labels.values() for line in lines])
    peers = peers_of(survey)
    step = max(1, (width - first - 1) // (GROUP + 1)) * GROUP
    for start in range(0, len(peers), step):
        ruler = "".join([str(peers[i]).ljust(GROUP + 1) for i in range(start, min(start + step, len(peers)), GROUP)])
        yield Text(" " * (first + 1) + ruler.rstrip(), "dim")
        for row, (label, *more) in labels.items():
            yield Text(label.rjust(first)) + text_of(row[start : start + step], " ")
            yield from [Text(line.rjust(first)) for line in more]


def text_of(row: Marks, gap: str = "") -> Text:
    """Return characters with their styles. gap: what stands before each group of ten."""
    text = Text()
    for i, (character, style) in enumerate(row):
        text.append(character if i % GROUP else gap + character, style)
    return text
