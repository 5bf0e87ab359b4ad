"""What faction probe shows to people: a page for one board, a matrix for several."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from faction import BOOTSTRAPPED
from faction.names import state_name

from ..serial.survey import ALL_BOOTSTRAPPED, BAD, NO_ANSWER, NOT_YET, Report, Survey, board_name
from .ids import ranges
from .palette import STYLES

LEGEND = "· silent  ○ heard  ● ready  ◌ ◍ told by others  ✗ one-way"
VERDICTS = {
    ALL_BOOTSTRAPPED: "all bootstrapped",
    NOT_YET: "not yet",
    BAD: "timed out, or in conflict",
    NO_ANSWER: "no answer from some",
}


def picture(survey: Survey) -> RenderableType:
    """Return what people see of a survey: a page or a table, the findings, the faults, the verdict."""
    parts: list[RenderableType] = []
    if len(survey.reports) == 1 and survey.boards:
        parts += page(survey.boards[0])
    elif survey.boards:
        parts.append(matrix(survey))
    parts += [Text("! " + finding.text, "bold red" if finding.kind != "one_way" else "yellow") for finding in survey.findings]
    parts += [Text("! " + report.fault, "bold red") for report in survey.reports if report.fault]
    return Group(*parts, Text(_verdict(survey), "bold"))


def _verdict(survey: Survey) -> str:
    text = VERDICTS[survey.exit_code]
    if survey.exit_code == NOT_YET:
        waited = sorted({name for board in survey.boards for name in _waited_for(board)})
        text += f"; waiting for {', '.join(waited)}" if waited else ""
    return text


def _waited_for(board: Report) -> Iterator[str]:
    """Iterate the peers that a board still waits for."""
    if board.state != BOOTSTRAPPED:
        for peer_id, name, _, ready, *_ in board.peers.values():
            if not ready:
                yield board_name(peer_id, name)


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
    table = Table("peer", "", "last frame", "told by others", "restarts")
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


def matrix(survey: Survey) -> Table:
    """Return the table of several boards: who hears whom, and who is ready."""
    peers = sorted({peer_id for board in survey.boards for peer_id in board.peers})
    table = Table(title=f"{LEGEND}, of {ranges(peers)}", title_justify="left")
    for name in ("board", "port", "state", "hears", "ready", "time"):
        table.add_column(name, justify="right" if name == "time" else "left")
    for board in survey.boards:
        probe = board.answers["probe"]
        table.add_row(
            board.name,
            board.port + (", REPL" if board.is_at_repl else ""),
            Text(state_name(board.state), STYLES[board.state]),
            _marks(survey, board, peers),
            f"{probe['ready']} of {probe['required']}",
            time_of(board),
        )
    return table


def _marks(survey: Survey, board: Report, peers: list[int]) -> Text:
    """Return a character for each peer: what the board knows of it."""
    heard_by = {each.peer_id for each in survey.boards if board.peer_id in each.peers and each.hears(board.peer_id)}
    text = Text()
    for peer_id in peers:
        _, _, heard, ready, _, _, said_cs = board.peers.get(peer_id, [peer_id, None, 0, 0, -1, 0, -1])
        style = STYLES[BOOTSTRAPPED] if ready else ""
        if heard or peer_id == board.peer_id:
            text.append("●" if ready else "○", style)
        elif peer_id in heard_by:
            text.append("✗", "bold red")
        elif ready or said_cs >= 0:
            text.append("◍" if ready else "◌", style)
        else:
            text.append("·")
    return text


def show(survey: Survey, console: Console) -> None:
    """Print a survey."""
    console.print(picture(survey), highlight=False, soft_wrap=True)
