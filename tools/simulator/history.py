"""What happened in a recorded run, as plain data, for pictures, pages and journals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faction import BOOTSTRAPPED, INITIAL, LOCAL_PARTICIPATION_COMPLETED, READY_OBSERVED, TIMED_OUT, WITHDRAWAL_OBSERVED
from faction.names import state_name

from ..journals.files import heading
from .board import SimulatedBoard
from .medium import Medium
from .outcome import outcome
from .simulation import Simulation
from .timeline import US

OFF = -1  # as a state
DIRECT, RELAYED = 1, 2  # how a node learned of a readiness


def history(simulation: Simulation) -> dict[str, Any]:
    """Return a run as plain data: times in ms, states and commands in codes, OFF without power.

    starts: (ms, index) of each board that goes on together with the others, at its latest start.
    """
    boards, recording = simulation.boards, simulation.recording
    return {
        "title": simulation.scenario.title,
        "about": " ".join(simulation.scenario.about.split()),
        "seed": simulation.seed,
        "ids": [board.peer_id for board in boards],
        "required": [board.quorum for board in boards],
        "changes": sorted((at / US, board.index, OFF if state is None else state) for board in boards for at, state in board.changes),
        "frames": [(at / US, index, flags, air) for at, index, flags, air in recording.frames],
        "learned": [(at / US, index, command, peer_id, teller) for at, index, command, peer_id, teller in recording.learned],
        "starts": [(board.started_at / US, board.index) for board in boards if board.started_at is not None],
        "places": simulation.places,
        "airs": [_air(medium) for medium in simulation.media],
        "end": simulation.now / US,
        "outcome": outcome(simulation),
        "states": {OFF: "off", **{state: state_name(state) for state in range(TIMED_OUT + 1)}},
    }


def _air(medium: Medium) -> dict[str, Any]:
    """Return an air: its boards, and how many frames went each way between those who can hear each other, as (sender, receiver, frames)."""
    boards = [radio.board.index for radio in medium.radios]
    links = [(sender, receiver, medium.heard[receiver, sender]) for sender, receiver in medium.links()]
    return {"name": medium.settings.name, "boards": boards, "links": links}


def convergence(run: dict[str, Any]) -> dict[str, list[tuple[float, int]]]:
    """Return how many nodes had completed their own part and how many were Bootstrapped, as (ms, count) at each change."""
    curves: dict[str, list[tuple[float, int]]] = {"own part complete": [(0.0, 0)], "bootstrapped": [(0.0, 0)]}
    complete: set[int] = set()
    states: dict[int, int] = {}
    for at, index, kind, code in _steps(run):
        if kind == "learned":
            complete.add(index)
        else:
            states[index] = code
            if code in (OFF, INITIAL):
                complete.discard(index)
        curves["own part complete"].append((at, len(complete)))
        curves["bootstrapped"].append((at, list(states.values()).count(BOOTSTRAPPED)))
    return curves


def tellers(run: dict[str, Any]) -> dict[tuple[int, int], int]:
    """Return through whom each node learned of each readiness that it counts in the end: (index, peer id) to the id of the teller."""
    found: dict[tuple[int, int], int] = {}
    begins = {index: at for at, index, state in run["changes"] if state in (OFF, INITIAL)}
    for at, index, command, peer_id, teller in run["learned"]:
        if command == READY_OBSERVED and at >= begins[index]:
            found[index, peer_id] = teller
        elif command == WITHDRAWAL_OBSERVED:
            found.pop((index, peer_id), None)
    return found


def _steps(run: dict[str, Any]) -> list[tuple[float, int, str, int]]:
    """Return (ms, index, kind, code) of each completed part, as "learned", and of each change of a state, as "state"."""
    learned = [(at, index, "learned", command) for at, index, command, *_ in run["learned"] if command == LOCAL_PARTICIPATION_COMPLETED]
    return sorted(learned + [(at, index, "state", code) for at, index, code in run["changes"]])


def journals(simulation: Simulation) -> str:
    """Return the record of the latest boot of each board that has power, as faction replay reads it. Times are those of the run."""
    return "".join(line for board in simulation.boards for line in _journal(simulation, board))


def _journal(simulation: Simulation, board: SimulatedBoard) -> Iterator[str]:
    """Iterate the lines of a board's latest record."""
    kept = simulation.recording.journals.get(board.index)
    if board.node is None or not kept:
        return
    lines = list(kept[-1].lines())
    # The record counts from its first command, and its head gives the age of that command at the node's last poll.
    age_cs = int(lines[0].rpartition("age_cs=")[2])
    yield heading(str(board.peer_id), _first_command_us(simulation, board) / 1e6 + age_cs / 100)
    for line in lines:
        yield line + "\n"


def _first_command_us(simulation: Simulation, board: SimulatedBoard) -> int:
    """Return when a board accepted its first command since it was powered on, or now if it has accepted none."""
    for at, index, *_ in simulation.recording.learned:
        if index == board.index and at >= board.booted_at:
            return at
    return simulation.now
