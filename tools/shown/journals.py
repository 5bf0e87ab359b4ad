"""What faction replay prints: one run as a timeline, several as one, who learned when that whom was ready, and views."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from faction import (
    BROADCAST_READY,
    CONCLUDED_BOOTSTRAPPED,
    CONCLUDED_TIMED_OUT,
    INITIAL,
    LOCAL_COMPLETED,
    NO_PEER,
    READY_ACCEPTED,
    WITHDRAWAL_OBSERVED,
)
from faction.names import describe, state_name

from ..journals.files import JournalError, RecordedRun
from ..journals.steps import Step, all_peers, events, in_words, steps, view_after
from .palette import STYLES

_CONSEQUENCES = (BROADCAST_READY, CONCLUDED_BOOTSTRAPPED, CONCLUDED_TIMED_OUT)


def timeline(run: RecordedRun) -> Table:
    """Return a run in words, a line for each command and rejection."""
    peers, quorum = len(run.config.peers), run.config.quorum
    table = Table(title=f"{run.name}: quorum {quorum} of {peers}, {len(run.commands)} commands", title_justify="left")
    for name in ("", "time", "command", "state", "ready", "consequence"):
        table.add_column(name, justify="right" if name in ("", "time") else "left")
    _add_rejections(table, run, 0)
    for number, step in enumerate(steps(run), 1):
        table.add_row(str(number), f"{step.cs / 100:.2f} s", step.words, _state(step), f"{step.ready} of {quorum}", _consequence(step))
        _add_rejections(table, run, number)
    captions = [f"rejections that were not kept: {run.dropped}"] if run.dropped else []
    table.caption = "\n".join([*captions, *_folded(run)]) or None
    return table


def _folded(run: RecordedRun) -> list[str]:
    """Return how many commands the record of a run lacks, in words; nothing if it has all."""
    return [f"withdrawals, and what they took back, that were not kept: {run.folded} commands"] if run.folded else []


def _add_rejections(table: Table, run: RecordedRun, number: int) -> None:
    """Add the rejections that came after so many commands."""
    for before, command, peer_id, result in run.rejections:
        if before == number:
            table.add_row("", "", Text(in_words(command, peer_id), "dim"), "", "", Text(describe(result), "dim"))


def _state(step: Step) -> Text:
    return Text(state_name(step.state), STYLES[step.state])


def _consequence(step: Step) -> str:
    """Return what a command caused besides its own effect."""
    return ", ".join(describe(flag) for flag in _CONSEQUENCES if step.result & flag)


def at(runs: Sequence[RecordedRun], number: int) -> str:
    """Return the view of each machine after so many commands. Raises JournalError if a run has fewer."""
    return "\n".join([_view(run, number) for run in runs])


def _view(run: RecordedRun, number: int) -> str:
    count = len(run.commands)
    if not 0 <= number <= count:
        raise JournalError(f"--at {number}: the journal of {run.name} has {count} commands; choose a number from 0 to {count}")
    view = view_after(run, number)
    heard = sorted({*view.pinging, *view.collecting} - {run.config.peer_id})  # who is ready was heard, too, as in faction probe
    part = "complete" if view.is_pinging_completed else "not complete"
    return (
        f"{run.name}, after {number} commands: {state_name(view.state)}, own part {part}\n"
        f"  heard: {_ids(heard)}\n  ready: {_ids(view.collecting)}; required: {view.required}"
    )


def _ids(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) or "nobody"


def merged(runs: Sequence[RecordedRun]) -> Table:
    """Return the runs of several boards as one timeline."""
    table = Table(title=f"{len(runs)} boards", title_justify="left")
    for name in ("time", "board", "command", "state", "ready"):
        table.add_column(name, justify="right" if name == "time" else "left")
    for seconds, run, step in events(runs):
        table.add_row(f"{seconds:.2f} s", run.name, step.words, _state(step), f"{step.ready} of {run.config.quorum}")
    captions = [f"{run.name}: {text}" for run in runs for text in _folded(run)]
    without = [run.name for run in runs if run.start is None]
    if without:
        captions.append(f"not known when these were taken, so each counts from its own first command: {', '.join(without)}")
    table.caption = "\n".join(captions) or None
    return table


def learned(runs: Sequence[RecordedRun]) -> Group:
    """Return when each board learned of which peer that it was ready, and when it concluded."""
    peers = all_peers(runs)
    table = Table(box=None)
    for name in ("board", *map(str, peers), "verdict"):
        table.add_column(name, justify="left" if name in ("board", "verdict") else "right")
    told = events(runs)
    for run in runs:
        own = [(seconds, step) for seconds, owner, step in told if owner is run]
        known = _ready_since(run, own)
        times = [f"{known[peer_id]:.2f}" if peer_id in known else "" for peer_id in peers]
        table.add_row(run.name, *times, f"{state_name(own[-1][1].state)} {own[-1][0]:.2f}" if own else state_name(INITIAL))
    return Group("when a board counted a peer as ready, in seconds", table)


def _ready_since(run: RecordedRun, own: Sequence[tuple[float, Step]]) -> dict[int, float]:
    """Return since when a board counts each peer as ready, itself among them: {peer id: seconds}. Who was withdrawn is out."""
    since: dict[int, float] = {}
    for seconds, step in own:
        if step.command == WITHDRAWAL_OBSERVED:
            since.pop(step.peer_id, None)
        elif step.result & (READY_ACCEPTED | LOCAL_COMPLETED):
            since.setdefault(run.config.peer_id if step.peer_id == NO_PEER else step.peer_id, seconds)
    return since
