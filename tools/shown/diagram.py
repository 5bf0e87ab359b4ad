"""The state diagram, drawn from the table that the machine obeys: python -m faction_tools.shown.diagram prints it as Mermaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faction import ACCEPTED, BOOTSTRAPPED, INITIAL, PROBE
from faction.machine import TABLE
from faction.names import command_name, state_name

# The layout of a cell, as machine.py has it above its table.
_NEXT = 14
_STATES = 7
_CHECK_QUORUM = 0x20000


def moves() -> Iterator[tuple[int, int, str]]:
    """Iterate the (state, state that follows, label) of every accepted command; a quorum check makes two of one cell."""
    for cell, result in enumerate(TABLE):
        state, command = divmod(cell, PROBE + 1)
        if not result & ACCEPTED:
            continue
        following = result >> _NEXT & _STATES or state
        if result & _CHECK_QUORUM:
            yield state, BOOTSTRAPPED, command_name(command) + " [quorum]"
            yield state, following, command_name(command) + " [no quorum]"
        else:
            yield state, following, command_name(command)


def arrows() -> dict[tuple[int, int], list[str]]:
    """Return the labels of each (state, state that follows). Commands that lead from one to the same other share an arrow."""
    labels: dict[tuple[int, int], list[str]] = {}
    for state, following, label in moves():
        labels.setdefault((state, following), []).append(label)
    return labels


def mermaid(taken: Mapping[tuple[int, int], list[int]] | None = None) -> str:
    """Return the diagram; the arrows of a path that was taken have the numbers of their commands, its states a colour."""
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
        lines.append("    classDef visited fill:#2a9d8f,color:white")
        lines += [f"    class {_node(state)} visited" for state in visited]
    return "\n".join(lines)


def _node(state: int) -> str:
    return state_name(state).upper().replace(" ", "_")


if __name__ == "__main__":
    print(mermaid())
