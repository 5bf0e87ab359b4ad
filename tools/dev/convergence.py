"""How fast clusters converge, and how fast the simulator tells: many seeded runs of the shipped node."""

from __future__ import annotations

import math
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from ..simulator.campaign import outcomes
from ..simulator.scenario import Scenario
from ..simulator.simulation import Simulation
from .figures import Figure, from_rounds

INTERVAL_MS = 500
POLL_MS = 5
CHUNK = 5  # runs that a worker does at a time


def scenario(nodes: int, loss: float, start_up_ms: float = 3000.0) -> Scenario:
    """Return a cluster whose quorum is everyone, on air that loses frames and is otherwise ideal."""
    cluster = {
        "nodes": nodes,
        "interval_ms": INTERVAL_MS,
        "deadline_ms": 120_000,
        "power_on_ms": 0.0,
        "start_up_ms": {"uniform": [0.0, start_up_ms]},
        "poll_ms": POLL_MS,
    }
    return Scenario.model_validate({"title": "convergence", "cluster": cluster, "medium": {"loss": loss, "delay_ms": 0.1}})


def figures(runs: int) -> list[Figure]:
    """Return the convergence of 5 and 20 nodes at three losses, over so many runs of each, on all cores."""
    found = []
    seeds = [range(start, min(start + CHUNK, runs + 1)) for start in range(1, runs + 1, CHUNK)]
    with ProcessPoolExecutor() as pool:
        for nodes in (5, 20):
            for loss in (0.0, 0.2, 0.4):
                chunks = pool.map(outcomes, [scenario(nodes, loss)] * len(seeds), seeds)
                done = [each for chunk in chunks for each in chunk]
                found += _rows(f"{nodes} nodes, {loss:.0%} loss: ", nodes, loss, done)
    return found


def _rows(name: str, nodes: int, loss: float, runs: list[dict[str, Any]]) -> list[Figure]:
    """Return median and 99th percentile of the convergence, and the frames; the runs are seeded, so there is no noise."""
    bad = [each["seed"] for each in runs if each["verdict"] != "all"]
    if bad:
        raise RuntimeError(f"{name}not all bootstrapped with the seeds {bad}")
    intervals = sorted(each["convergence_ms"] / INTERVAL_MS for each in runs)
    limit = {0.0: 2 * POLL_MS / INTERVAL_MS, 0.2: 4.0}.get(loss)  # the next poll of the receiver, and one to spare
    return [
        Figure(name + "median", statistics.median(intervals), "intervals"),
        Figure(name + "99th percentile", intervals[math.ceil(0.99 * len(runs)) - 1], "intervals", limit, limit),
        Figure(name + "frames of a node", statistics.median(each["frames"] / nodes for each in runs), "frames"),
    ]


def speed(rounds: int) -> list[Figure]:
    """Return what a delivered frame costs the simulator, and whether that stays so in longer runs."""
    short = [_cost(scenario(20, 0.1, 30_000.0), seed) for seed in range(1, rounds + 1)]
    long = [_cost(scenario(20, 0.1, 120_000.0), seed) for seed in range(1, max(3, rounds // 5) + 1)]
    ratio = statistics.median(long) / statistics.median(short)
    return [
        from_rounds("simulator, 20 nodes: a delivered frame", short, "µs", 50, 25),
        Figure("simulator: a frame in a run four times as long", ratio, "times", 1.3, 1.1, 0.3),
    ]


def _cost(cluster: Scenario, seed: int) -> float:
    simulation = Simulation(cluster, seed)
    start = time.process_time()
    simulation.run()
    return (time.process_time() - start) / simulation.deliveries * 1e6
