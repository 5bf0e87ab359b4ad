"""Mermaid diagrams: the states, from the table that the machine obeys; the path that a run took; and who told whom.

python -m faction_tools.shown.mermaid prints the diagram of the states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from faction import ACCEPTED, BOOTSTRAPPED, INITIAL, NO_PEER, WITHDRAWAL_OBSERVED
from faction.machine import _CHECK_QUORUM, _COMMANDS, _NEXT, TABLE
from faction.names import command_name, state_name

from ..journals.files import RecordedRun
from ..journals.steps import all_peers, events, steps
from .palette import COLOURS

_ESCAPES = str.maketrans({"#": "#35;", ";": "#59;"})  # in Mermaid ";" ends a line, and "#" begins a character's code
_STATE = 7  # the bits of a state, once a cell is shifted by _NEXT


def moves() -> Iterator[tuple[int, int, str]]:
    """Iterate the (state, next state, label) of every accepted command. A cell with a quorum check gives two."""
    for cell, result in enumerate(TABLE):
        state, command = divmod(cell, _COMMANDS)
        if not result & ACCEPTED:
            continue
        following = result >> _NEXT & _STATE or state
        if result & _CHECK_QUORUM:
            yield state, BOOTSTRAPPED, command_name(command) + " [quorum]"
            yield state, following, command_name(command) + " [no quorum]"
        else:
            yield state, following, command_name(command)


def arrows() -> dict[tuple[int, int], list[str]]:
    """Return the labels of each (state, next state). Commands with the same two states share an arrow."""
    labels: dict[tuple[int, int], list[str]] = {}
    for state, following, label in moves():
        labels.setdefault((state, following), []).append(label)
    return labels


def states(taken: Mapping[tuple[int, int], list[int]] | None = None) -> str:
    """Return the diagram of the states.

    taken: the numbers of the commands that took each arrow. They are written on the arrows, and the states have a colour.
    """
    labels = arrows()
    taken = taken or {}
    for arrow, numbers in taken.items():
        labels[arrow].append("#" + ", ".join(map(str, numbers)))
    lines = ["stateDiagram-v2", f"    [*] --> {_node(INITIAL)}"]
    lines += [f"    {_node(a)} --> {_node(b)}: {'<br>'.join(text)}" for (a, b), text in labels.items()]
    final = {following for _, following in labels} - {state for state, _ in labels}
    lines += [f"    {_node(state)} --> [*]" for state in sorted(final)]
    visited = sorted({state for arrow in taken for state in arrow})
    if visited:
        lines.append(f"    classDef visited fill:{COLOURS[BOOTSTRAPPED]},color:white")
        lines += [f"    class {_node(state)} visited" for state in visited]
    return "\n".join(lines)


def _node(state: int) -> str:
    return state_name(state).upper().replace(" ", "_")


def path_of(run: RecordedRun) -> dict[tuple[int, int], list[int]]:
    """Return the numbers of the commands that took each arrow, by (state, next state)."""
    taken: dict[tuple[int, int], list[int]] = {}
    for number, step in enumerate(steps(run), 1):
        taken.setdefault((step.previous, step.state), []).append(number)
    return taken


def messages(runs: Sequence[RecordedRun]) -> str:
    """Return the diagram of who told whom, in order of time. A dotted line with a cross: what a peer told holds no longer."""
    names = {run.config.peer_id: run.name.translate(_ESCAPES) for run in runs}
    lines = ["sequenceDiagram", *[f"    participant {peer_id} as {names.get(peer_id, peer_id)}" for peer_id in all_peers(runs)]]
    for seconds, run, step in events(runs):
        own = run.config.peer_id
        if step.peer_id == NO_PEER:
            lines.append(f"    Note over {own}: {seconds:.2f} s {step.words}")
        else:
            arrow = "--x" if step.command == WITHDRAWAL_OBSERVED else "->>"
            lines.append(f"    {step.peer_id}{arrow}{own}: {seconds:.2f} s {step.words.split()[0]}")
        if step.state >= BOOTSTRAPPED:
            lines.append(f"    Note over {own}: {state_name(step.state)}")
    return "\n".join(lines)


def page(runs: Sequence[RecordedRun]) -> str:
    """Return a Markdown page: the states of each board with the path it took, and the messages of all."""
    parts = [_section(run.name, states(path_of(run))) for run in runs]
    return "\n".join([*parts, _section("Who told whom", messages(runs))])


def _section(title: str, diagram: str) -> str:
    return f"# {title}\n\n```mermaid\n{diagram}\n```\n"


if __name__ == "__main__":
    print(states())
