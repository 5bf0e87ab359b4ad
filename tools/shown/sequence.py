"""Runs as Mermaid diagrams: the states with the path taken, and who told whom."""

from __future__ import annotations

from collections.abc import Sequence

from faction import BOOTSTRAPPED, NO_PEER
from faction.names import state_name

from ..journals.replay import Journal, events, everybody, steps
from .diagram import mermaid


def markdown(journals: Sequence[Journal]) -> str:
    """Return a page with a state diagram for each board, and one sequence diagram for all."""
    parts = [f"# {journal.name}\n\n```mermaid\n{states(journal)}\n```\n" for journal in journals]
    return "\n".join([*parts, f"# Who told whom\n\n```mermaid\n{sequence(journals)}\n```\n"])


def taken(journal: Journal) -> dict[tuple[int, int], list[int]]:
    """Return the numbers of the commands that took each way from state to state."""
    ways: dict[tuple[int, int], list[int]] = {}
    for number, step in enumerate(steps(journal), 1):
        ways.setdefault((step.previous, step.state), []).append(number)
    return ways


def states(journal: Journal) -> str:
    """Return the state diagram with the numbers of the commands that took each arrow."""
    return mermaid(taken(journal))


def sequence(journals: Sequence[Journal]) -> str:
    """Return who told whom, in order of time."""
    names = {journal.config.peer_id: journal.name for journal in journals}
    peers = everybody(journals)
    lines = ["sequenceDiagram", *[f"    participant {peer_id} as {names.get(peer_id, peer_id)}" for peer_id in peers]]
    for seconds, journal, step in events(journals):
        own = journal.config.peer_id
        if step.peer_id == NO_PEER:
            lines.append(f"    Note over {own}: {seconds:.2f} s {step.words}")
        else:
            lines.append(f"    {step.peer_id}->>{own}: {seconds:.2f} s {step.words.split()[0]}")
        if step.state >= BOOTSTRAPPED:
            lines.append(f"    Note over {own}: {state_name(step.state)}")
    return "\n".join(lines)
