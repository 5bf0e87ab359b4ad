"""What became of a run, in numbers."""

from __future__ import annotations

from typing import Any

from faction import BOOTSTRAPPED, TIMED_OUT

from .simulation import Simulation
from .timeline import US


def outcome(simulation: Simulation) -> dict[str, Any]:
    """Return what became of a run: times in ms, None where there is none. gaps: between which boards the airs offer no way."""
    boards = simulation.boards
    return {
        "seed": simulation.seed,
        **_verdict(simulation),
        "frames": sum(board.sent for board in boards),
        "frames_of_a_node": max(board.sent for board in boards),
        "deliveries": simulation.deliveries,
        "lost": sum(board.lost + board.collided for board in boards),
        "air_ms": simulation.air_us / US,
        "ended_ms": simulation.now / US,
        "gaps": simulation.gaps(),
    }


def _verdict(simulation: Simulation) -> dict[str, Any]:
    """Return how many nodes got there, and, if it was all that have power, when, and how far apart they went on."""
    boards = simulation.boards
    there = [board for board in boards if board.state == BOOTSTRAPPED]
    off = sum(board.state is None for board in boards)
    is_all = bool(there) and len(there) == len(boards) - off
    last = max((board.concluded_at for board in there), default=0)
    starts = [board.started_at for board in there if board.started_at is not None]
    return {
        "bootstrapped": len(there),
        "timed_out": sum(board.state == TIMED_OUT for board in boards),
        "off": off,
        "verdict": "all" if is_all else "some" if there else "none",
        "ready_ms": last / US if is_all else None,
        "longest_wait_ms": max(board.longest_wait for board in boards) / US if is_all else None,
        "start_skew_ms": (max(starts) - min(starts)) / US if is_all and len(starts) == len(there) else None,
        "convergence_ms": max(0, last - max(board.completed_at for board in boards)) / US if is_all else None,
    }
