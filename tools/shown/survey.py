"""What faction probe shows to people: a page for one board, a matrix for several."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.box import HEAVY_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from faction import BOOTSTRAPPED
from faction.names import state_name

from ..serial.report import Report, board_name
from ..serial.survey import ALL_BOOTSTRAPPED, BAD, NO_ANSWER, NOT_YET, Survey
from .hearing import heading, hearing, marks, text_of
from .palette import STYLES

HARMLESS = ("one_way", "settings", "unreadable")  # kinds of findings
_NARROW = 56  # characters; on less there is no room for a whole state beside the rest
_FRAME = 6  # lines of a table that are not boards, with what stands around it
VERDICTS = {
    ALL_BOOTSTRAPPED: "all bootstrapped",
    NOT_YET: "not yet",
    BAD: "timed out, or in conflict",
    NO_ANSWER: "no answer from some",
}


class Picture:
    """What people see of a survey: a page or a table, the findings, the faults, the verdict. It fits the width of the terminal."""

    def __init__(self, survey: Survey, height: int | None = None) -> None:
        """height: the lines that there are, for something that cannot scroll; then boards with nothing to say are left out."""
        self._survey = survey
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        survey = self._survey
        below = self._fitting([*_below(survey)], console, options)
        if len(survey.reports) == 1 and survey.boards:
            yield from page(survey.boards[0])
        elif survey.boards:
            room = None if self._height is None else self._height - _lines(below, console, options)
            yield from matrix(survey, console, options, room)
        yield from below

    def _fitting(self, below: list[RenderableType], console: Console, options: ConsoleOptions) -> list[RenderableType]:
        """Return what stands below the table, the verdict at its end, in half of the height."""
        *found, verdict = below
        kept = list(found)
        while self._height is not None and len(kept) > 1 and _lines([*kept, verdict], console, options) >= self._height // 2:
            kept.pop()
        more = [Text(f"! and {len(found) - len(kept)} more", "bold red")] if len(kept) < len(found) else []
        return [*kept, *more, verdict]


def _lines(parts: Iterable[RenderableType], console: Console, options: ConsoleOptions) -> int:
    """Return how many lines of a terminal something takes."""
    return len(console.render_lines(Group(*parts), options))


def _below(survey: Survey) -> Iterator[RenderableType]:
    for finding in survey.findings:
        yield Text("! " + finding.text, "yellow" if finding.kind in HARMLESS else "bold red")
    for report in survey.reports:
        if report.fault:
            yield Text("! " + report.fault, "bold red")
    yield Text(_verdict(survey), "bold")


def _verdict(survey: Survey) -> str:
    text = VERDICTS[survey.exit_code]
    if survey.exit_code == NO_ANSWER and not survey.boards:
        return "no answer"
    if survey.exit_code == NOT_YET:
        waited = sorted({peer for board in survey.boards for peer in _waited_for(board)})
        text += f"; waiting for {', '.join([name for _, name in waited])}" if waited else ""
    return text


def _waited_for(board: Report) -> Iterator[tuple[int, str]]:
    """Iterate the ids and names of the peers that a board still waits for."""
    if board.state != BOOTSTRAPPED:
        for peer_id, name, _, ready, *_ in board.peers.values():
            if not ready:
                yield peer_id, board_name(peer_id, name)


def page(board: Report) -> list[RenderableType]:
    """Return the page of one board: its state, its peers and its counters."""
    probe, config = board.answers["probe"], board.answers.get("config", {})
    head = Text(f"{board.name} on {board.port}: ")
    head.append(state_name(board.state), STYLES[board.state])
    head.append(f", own part {'complete' if probe['complete'] else 'not complete'}, ready {probe['ready']} of {probe['required']}")
    time = time_of(board)
    if time:
        head.append(f", {time}")
    parts: list[RenderableType] = [head]
    if board.is_at_repl:
        parts.append(Text("at its REPL: its node stands still until the board is reset", "yellow"))
    elif board.stands_still:
        parts.append(Text("its node stands still", "bold red"))
    if config:
        text = "cluster {cluster}, quorum {quorum} of {peers}, roster check {roster}, interval {interval_ms} ms, faction {version}"
        parts.append(Text(text.format(**config)))
    return [*parts, _peers(board), *_counters(board)]


def time_of(board: Report) -> str:
    """Return the time until the deadline of a board, or until the common start, or how late it started."""
    probe = board.answers["probe"]
    start_ms = probe.get("start_ms", -1)  # -1 for a board of an earlier version, too
    if probe.get("started"):
        late_ms = probe["started_late_ms"]
        return f"started {late_ms / 1000:.1f} s late" if late_ms else "started"
    if board.state == BOOTSTRAPPED:
        return f"starts in {start_ms / 1000:.1f} s" if start_ms >= 0 else ""
    left = f"{probe['remaining_ms'] / 1000:.1f} s left" if board.state < BOOTSTRAPPED else ""
    return ", ".join(filter(None, ["the others have started" if start_ms == 0 else "", left]))


def _peers(board: Report) -> Table:
    table = Table()
    for name in ("peer", "", "last frame", "told by others", "restarts"):
        table.add_column(name, overflow="fold")
    for peer_id, name, heard, ready, age_cs, restarts, said_cs in board.peers.values():
        age = f"{age_cs / 100:.1f} s ago" if age_cs >= 0 else ""
        said = f"{said_cs / 100:.1f} s ago" if said_cs >= 0 and not 0 <= age_cs <= said_cs else ""
        if peer_id == board.peer_id:
            standing = ("ready" if ready else "not ready") + ", this board"
        else:
            standing = "ready" if ready else "heard, not ready" if heard else "not ready" if said else "never heard of"
        table.add_row(board_name(peer_id, name), Text(standing, STYLES[BOOTSTRAPPED] if ready else ""), age, said, str(restarts or ""))
    return table


def _counters(board: Report) -> Iterator[Text]:
    """Iterate the counters that are not 0, in a line for the node and one for the transport."""
    stats = board.answers.get("stats", {"node": {}, "transport": {}})
    for title in ("node", "transport"):
        counted = [f"{name} {number}" for name, number in stats[title].items() if number]
        if counted:
            yield Text(f"{title}: {', '.join(counted)}")


def matrix(survey: Survey, console: Console, options: ConsoleOptions, room: int | None) -> Iterator[RenderableType]:
    """Iterate the table of several boards, and who hears whom: in the table if that fits, else below it.

    room: how many lines there are; None: as many as it takes.
    """
    wide = _table(survey, survey.boards, options.max_width, is_wide=True)
    if Measurement.get(console, options.update(max_width=sys.maxsize), wide).maximum <= options.max_width:
        is_wide, under = True, []
    else:
        is_wide, under = False, [Text(heading(survey)), *hearing(survey, options.max_width)]
    boards = survey.boards
    if room is not None and len(boards) + _FRAME + len(under) > room:
        under = []
        boards = _noteworthy(survey, max(1, room - _FRAME - 1))
    yield _table(survey, boards, options.max_width, is_wide)
    if len(boards) < len(survey.boards):
        shown = {id(board) for board in boards}
        rest = [board for board in survey.boards if id(board) not in shown]
        yield Text(f"and {len(rest)} more: {_states(rest)}", "dim")
    yield from under


def _noteworthy(survey: Survey, count: int) -> list[Report]:
    """Return so many boards, in their order: before all others those that are not Bootstrapped, stand still, or failed."""
    by_worth = sorted(survey.boards, key=lambda board: (board.state == BOOTSTRAPPED, not (board.stands_still or board.last_error)))
    chosen = {id(board) for board in by_worth[:count]}
    return [board for board in survey.boards if id(board) in chosen]


def _states(boards: Iterable[Report]) -> str:
    """Say how many boards are in which state."""
    states = Counter(board.state for board in boards)
    return ", ".join([f"{states[state]} {state_name(state)}" for state in sorted(states)])


def _table(survey: Survey, boards: Sequence[Report], width: int, is_wide: bool) -> Table:
    """Return the table of some boards. is_wide: with a character for each peer; otherwise with how many are heard, and little else."""
    table = Table(box=HEAVY_HEAD if is_wide else None, title=heading(survey) if is_wide else None, title_justify="left", pad_edge=is_wide)
    for name in ("board", "port", "state", "hears", "ready", "time"):
        is_whole = name == "state" and width >= _NARROW  # a long name breaks rather than a state
        table.add_column(name, justify="right" if name == "time" else "left", overflow="fold", no_wrap=is_whole)
    rows = {id(board): text_of(row) for board, row in zip(survey.boards, marks(survey))} if is_wide else {}
    for board in boards:
        probe = board.answers["probe"]
        table.add_row(
            board.name,
            board.port + (", REPL" if board.is_at_repl else ""),
            Text(state_name(board.state), STYLES[board.state]),
            rows.get(id(board), f"{probe['heard']} of {probe['peers'] - 1}"),
            f"{probe['ready']} of {probe['required']}",
            Text("stands still", "bold red") if board.stands_still else time_of(board),
        )
    return table


def show(survey: Survey, console: Console) -> None:
    """Print a survey. On a terminal it breaks long lines between words; into a file or a pipe it does not."""
    console.print(Picture(survey), highlight=False, soft_wrap=not console.is_terminal)
