"""One simulated run in a few lines, and the list of scenarios as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table

from faction import BOOTSTRAPPED
from faction.names import state_name

from ..simulator.board import SimulatedBoard
from ..simulator.scenario import Scenario
from ..simulator.simulation import Simulation
from ..wording import ranges
from .campaign import ways_missing

MOST_RANGES = 12  # of ids in a line


def summary(simulation: Simulation, result: dict[str, Any]) -> str:
    """Return what became of a run. result: its outcome."""
    ready = f", the last at {result['ready_ms'] / 1000:.2f} s" if result["ready_ms"] is not None else ""
    air = f"; {result['air_ms'] / 1000:.2f} s on the air" if result["air_ms"] else ""
    skew = result["start_skew_ms"]
    together = f"they go on together, the last {skew:.0f} ms after the first\n" if skew is not None else ""
    ways = "".join(f"\n{line}" for line in ways_missing(result["gaps"]))
    return (
        f"{simulation.scenario.title}, seed {simulation.seed}\n"
        f"{result['bootstrapped']} of {len(simulation.boards)} nodes Bootstrapped{ready}{_others(simulation.boards)}\n"
        f"{together}"
        f"{result['frames']:,} frames sent, {result['frames_of_a_node']:,} by the busiest node, {result['deliveries']:,} delivered, "
        f"{result['lost']:,} lost{air}{ways}"
    )


def _others(boards: list[SimulatedBoard]) -> str:
    """Name the nodes that are not Bootstrapped, by what became of them: "; nodes 0-2, 5 timed out; node 7 off"."""
    by_state: dict[str, list[int]] = {}
    for board in boards:
        if board.state != BOOTSTRAPPED:
            by_state.setdefault(_state(board), []).append(board.peer_id)
    return "".join(f"; {_nodes(ids)} {state}" for state, ids in by_state.items())


def _nodes(ids: list[int]) -> str:
    """Name nodes, or say how many there are if that is shorter."""
    if len(ids) == 1:
        return f"node {ids[0]}"
    told = ranges(ids)
    return f"nodes {told}" if told.count(",") < MOST_RANGES else f"{len(ids)} nodes"


def _state(board: SimulatedBoard) -> str:
    return "off" if board.state is None else state_name(board.state)


def list_of(scenarios: Iterable[tuple[str, Scenario]]) -> Table:
    """Return a table of (name, scenario)."""
    table = Table("scenario", "nodes", "what it shows", title="faction simulate SCENARIO", title_justify="left")
    for name, scenario in scenarios:
        table.add_row(name, str(scenario.cluster.nodes), " ".join(scenario.about.split()))
    return table
