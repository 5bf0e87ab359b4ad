"""What happened in a recorded run, for pictures, pages and journals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from faction import BOOTSTRAPPED, DEADLINE_EXPIRED, LOCAL_PARTICIPATION_COMPLETED, READY_OBSERVED
from faction.names import state_name

from ..journals.files import heading
from .simulation import Simulation, outcome

TEMPLATE = Path(__file__).parent.parent / "shown" / "page.html"
OFF = -1  # as a state


def history(simulation: Simulation) -> dict[str, Any]:
    """Return a run as plain data: times in ms, states and commands in codes, OFF without power."""
    boards = simulation.boards
    return {
        "title": simulation.scenario.title,
        "about": " ".join(simulation.scenario.about.split()),
        "seed": simulation.seed,
        "ids": [board.peer_id for board in boards],
        "required": [board.quorum for board in boards],
        "changes": sorted((at / 1000, board.index, OFF if state is None else state) for board in boards for at, state in board.changes),
        "frames": [(at / 1000, index, flags) for at, index, flags in simulation.frames],
        "learned": [(at / 1000, index, command, peer_id) for at, index, command, peer_id in simulation.learned],
        "heard": simulation.heard,
        "end": simulation.now / 1000,
        "outcome": outcome(simulation),
        "states": {OFF: "off", **{state: state_name(state) for state in range(5)}},
    }


def convergence(run: dict[str, Any]) -> dict[str, list[tuple[float, int]]]:
    """Return how many nodes were complete and how many Bootstrapped, as (ms, count) at each change."""
    curves: dict[str, list[tuple[float, int]]] = {"own part complete": [(0.0, 0)], "bootstrapped": [(0.0, 0)]}
    complete: set[int] = set()
    state: dict[int, int] = {}
    events = [(at, index, "learned", command) for at, index, command, _ in run["learned"] if command == LOCAL_PARTICIPATION_COMPLETED]
    events += [(at, index, "state", code) for at, index, code in run["changes"]]
    for at, index, kind, code in sorted(events):
        if kind == "learned":
            complete.add(index)
        else:
            state[index] = code
            if code <= 0:  # off, or new
                complete.discard(index)
        curves["own part complete"].append((at, len(complete)))
        curves["bootstrapped"].append((at, list(state.values()).count(BOOTSTRAPPED)))
    return curves


def page(run: dict[str, Any]) -> str:
    """Return a page that stands alone, in which the run can be stepped through."""
    data = json.dumps({**run, "codes": {"ready": READY_OBSERVED, "local": LOCAL_PARTICIPATION_COMPLETED, "deadline": DEADLINE_EXPIRED}})
    return TEMPLATE.read_text(encoding="utf-8").replace("/*RUN*/null", data.replace("</", "<\\/"))


def journals(simulation: Simulation) -> str:
    """Return the record of each board's last boot, as faction replay reads it; the time is that of the simulation."""
    parts = []
    for board in simulation.boards:
        if board.node is not None and board.journals:
            lines = list(board.journals[-1].lines())
            age_cs = lines[0].rpartition("age_cs=")[2]
            first = next((at for at, index, *_ in simulation.learned if index == board.index and at >= board.booted_at), simulation.now)
            # The node's clock stands at its last poll; the first command of the record is what both clocks share.
            parts.append(heading(str(board.peer_id), first / 1e6 + int(age_cs) / 100))
            parts += [line + "\n" for line in lines]
    return "".join(parts)
