"""How fast clusters converge, how quiet they are, and how fast the simulator tells: many seeded runs of the shipped node.

Times are in intervals of a beacon, from the last completion until all are Bootstrapped. The quorum is everyone. The runs are
seeded, so the same source gives the same figures on every machine.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from typing import Any

from faction.node import SLOW

from ..simulator.board import SimulatedBoard
from ..simulator.campaign import outcomes
from ..simulator.outcome import outcome
from ..simulator.scenario import Scenario
from ..simulator.simulation import Simulation
from .figures import Figure, from_rounds
from .verify.attacks import QUESTIONS, questions_after_the_start

INTERVAL_MS = 500
POLL_MS = 5
CHUNK = 5  # runs that a worker does at a time
RUNS = 200  # of a figure whose runs are short
LONGER_RUNS = 100  # of one with 20 nodes or more: the one half of 200 runs and the other differ by less than a tenth of each budget
LINES = ((9600, None, None), (19200, 60, 30))  # RS-485: baud, and budget and aim of 20 boards with a key, in seconds
LINE_RUNS = 50
ATTACK_RUNS = 10
EMPTY_CALLS = 100_000  # of a round
WAIT_S = 20  # that four ready nodes wait for a fifth
BEGUN_S = 60  # after this time all but the straggler have long concluded

# name, nodes, loss, topology, and aim and budget of: the median, the 99th percentile
CONVERGENCE = (
    ("5 nodes, no loss", 5, 0.0, "all", (0.02, 0.02), (0.02, 0.02)),  # the next poll of the receiver, and one to spare
    ("5 nodes, 20% loss", 5, 0.2, "all", (0.07, 0.2), (0.5, 1.2)),
    ("5 nodes, 40% loss", 5, 0.4, "all", (0.15, 0.5), (1.2, 2.5)),
    ("20 nodes, no loss", 20, 0.0, "all", (0.02, 0.02), (0.02, 0.02)),
    ("20 nodes, 20% loss", 20, 0.2, "all", (0.07, 0.2), (0.2, 0.6)),
    ("20 nodes, 40% loss", 20, 0.4, "all", (0.15, 0.4), (0.6, 1.0)),
    ("12 in a line, no loss", 12, 0.0, "line", (4.3, 6.0), (6.5, 8.0)),
    ("12 in a line, 20% loss", 12, 0.2, "line", (6.0, 8.0), (12.0, 20.0)),
    ("5 x 5 in a grid, no loss", 25, 0.0, "grid", (1.9, 2.5), (2.5, 3.5)),
    ("5 x 5 in a grid, 20% loss", 25, 0.2, "grid", (2.4, 3.5), (4.0, 6.0)),
)
FRAMES = {"5 nodes, 20% loss": (6.8, 10.0), "20 nodes, 20% loss": (9.2, 12.0)}  # of a node until silence: aim and budget
SKEW = {"20 nodes, 40% loss": (10.0, 15.0)}  # of the common start, 99th percentile in ms: aim and budget


def scenario(nodes: int, loss: float, start_up_ms: float = 3000.0, topology: str = "all", **others: Any) -> Scenario:
    """Return a cluster whose quorum is everyone, on air that loses frames and is otherwise ideal. others: of its cluster."""
    cluster = {
        "nodes": nodes,
        "interval_ms": INTERVAL_MS,
        "deadline_ms": 120_000,
        "power_on_ms": 0.0,
        "start_up_ms": {"uniform": [0.0, start_up_ms]},
        "poll_ms": POLL_MS,
        **others,
    }
    medium = {"loss": loss, "delay_ms": 0.1, "topology": topology}
    return Scenario.model_validate({"title": "convergence", "cluster": cluster, "medium": medium})


def figures() -> list[Figure]:
    """Return the convergence of clusters, their frames and their common start, over many runs of each, on all cores.

    All is started before the first result is waited for: so no core is idle between two figures.
    """
    with ProcessPoolExecutor() as pool:
        crowded = pool.submit(_crowd)  # one run, and the longest
        keyed = _start_keyed(pool)
        converged = [
            (name, nodes, _start(pool, outcomes, scenario(nodes, loss, topology=topology), runs_of(nodes)), median, percentile)
            for name, nodes, loss, topology, median, percentile in CONVERGENCE
        ]
        joined = _start(pool, stragglers, None, LONGER_RUNS)
        rejoined = _start(pool, rejoins, None, LONGER_RUNS)
        waited, returned = (_start(pool, call, None, RUNS) for call in (waits, returns))
        found = [figure for name, nodes, done, *limits in converged for figure in _rows(name, nodes, list(done), *limits)]
        found.append(_median("straggler to 20 concluded, 30% loss: frames of all", list(joined), 26, 35))
        found += _in_intervals("the end of 12 in a line restarts, 20% loss", list(rejoined), (8, 25), (20, 40))
        found.append(_median(f"4 ready nodes wait {WAIT_S} s for a fifth: frames of all", list(waited), 40, 60))
        return [*found, crowded.result(), _returns(list(returned)), *_keyed(keyed)]


def runs_of(nodes: int) -> int:
    """Return how many runs a figure of a cluster with so many nodes has."""
    return RUNS if nodes < 20 else LONGER_RUNS


def _start_keyed(pool: ProcessPoolExecutor) -> list[Iterator[Any]]:
    """Start what _keyed shows: the runs of a cluster, meetings with a key and without one, the lines, and the talks."""
    return [
        _start(pool, outcomes, scenario(20, 0.2, key=True), runs_of(20)),
        *(_start(pool, meetings, key, RUNS) for key in (True, False)),
        *(_start(pool, lines, baud, LINE_RUNS) for baud, *_ in LINES),
        _start(pool, talks, None, ATTACK_RUNS),
    ]


def _keyed(started: list[Iterator[Any]]) -> list[Figure]:
    """Return what a key costs: until two lone boards meet, until a cluster has started, and after that, under attack."""
    cluster, with_key, without_key, *waits_of_lines, talk = (list(each) for each in started)
    found = _rows("20 nodes with a key, 20% loss", 20, cluster, (0.07, 0.2), (0.2, 0.6))
    for name, met in (("with a key", with_key), ("without one", without_key)):
        found += _in_intervals(f"two lone boards {name} meet", met, (0.9, 1.0), (1.2, 1.5))
    for (baud, budget, aim), waited in zip(LINES, waits_of_lines):
        found.append(Figure(f"20 boards with a key on a line of {baud} baud: 99th percentile", _percentile(waited), "s", budget, aim))
    return [*found, Figure(f"20 concluded with a key, {QUESTIONS} old questions: frames of all", max(talk), "frames", 300, 150)]


def _start(pool: ProcessPoolExecutor, call: Callable[..., Iterable[Any]], what: Any, runs: int) -> Iterator[Any]:
    """Start call(what, seeds), or call(seeds), for so many seeds; iterate over what it makes of them, when that is done."""
    seeds = [range(start, min(start + CHUNK, runs + 1)) for start in range(1, runs + 1, CHUNK)]
    return chain.from_iterable(pool.map(call, seeds) if what is None else pool.map(call, [what] * len(seeds), seeds))


def _rows(name: str, nodes: int, runs: list[dict[str, Any]], median: tuple[float, float], percentile: tuple[float, float]) -> list[Figure]:
    """Return median and 99th percentile of the convergence, the frames of a node, and the skew of the start."""
    bad = [each["seed"] for each in runs if each["verdict"] != "all"]
    if bad:
        raise RuntimeError(f"{name}: not all bootstrapped with the seeds {bad}")
    intervals = [each["convergence_ms"] / INTERVAL_MS for each in runs]
    frames = statistics.median(each["frames"] / nodes for each in runs)
    found = [
        *_in_intervals(name, intervals, median, percentile),
        _figure(f"{name}: frames of a node", frames, "frames", FRAMES.get(name)),
    ]
    skew = _percentile([each["start_skew_ms"] for each in runs])
    return [*found, _figure(f"{name}: start skew, 99th percentile", skew, "ms", SKEW.get(name))]


def _in_intervals(name: str, values: list[float], median: tuple[float, float], percentile: tuple[float, float]) -> list[Figure]:
    """Return median and 99th percentile of times in intervals. median, percentile: aim and budget of each."""
    return [
        _figure(f"{name}: median", statistics.median(values), "intervals", median),
        _figure(f"{name}: 99th percentile", _percentile(values), "intervals", percentile),
    ]


def _figure(name: str, value: float, unit: str, limits: tuple[float, float] | None) -> Figure:
    """Return a figure. limits: aim and budget, if it has any."""
    aim, budget = limits or (None, None)
    return Figure(name, value, unit, budget, aim)


def _percentile(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def _median(name: str, values: list[int], aim: float, budget: float) -> Figure:
    return Figure(name, statistics.median(values), "frames", budget, aim)


def _changed(base: Scenario, **changes: Any) -> Scenario:
    return Scenario.model_validate({**base.model_dump(), **changes})


def _sent(simulation: Simulation) -> int:
    return sum(board.sent for board in simulation.boards)


def _until(simulation: Simulation, seconds: float) -> Simulation:
    simulation.limit_us = int(seconds * 1e6)
    return simulation.run()


def stragglers(seeds: Iterable[int]) -> list[int]:
    """Return how many frames all send when a member joins 20 that have concluded."""
    late = {"id": 20, "power_on_ms": BEGUN_S * 1000.0, "start_up_ms": 0.0}
    cluster = _changed(scenario(21, 0.3, quorum=20), nodes=[late])
    found = []
    for seed in seeds:
        simulation = _until(Simulation(cluster, seed), BEGUN_S - 0.001)
        before = _sent(simulation)
        _until(simulation, 10 * BEGUN_S)
        if outcome(simulation)["verdict"] != "all":
            raise RuntimeError(f"the straggler did not get in with the seed {seed}")
        found.append(_sent(simulation) - before)
    return found


def rejoins(seeds: Iterable[int]) -> list[float]:
    """Return how many intervals the last of twelve in a line takes to get in that restarts when all have concluded; 20 % is lost."""
    restart = {"at_ms": BEGUN_S * 1000.0, "kind": "restart", "nodes": [11]}
    cluster = _changed(scenario(12, 0.2, topology="line"), events=[restart], limit_ms=300_000.0)
    found = []
    for seed in seeds:
        simulation = Simulation(cluster, seed).run()
        board = simulation.boards[11]
        if outcome(simulation)["verdict"] != "all" or board.boots != 2:
            raise RuntimeError(f"the end of the line did not get in with the seed {seed}")
        found.append((board.concluded_at - board.completed_at) / 1e3 / INTERVAL_MS)
    return found


def waits(seeds: Iterable[int]) -> list[int]:
    """Return how many frames four ready nodes send while they wait for a fifth."""
    cluster = _changed(scenario(5, 0.0, 0.0, power_on_ms={"uniform": [0.0, 1000.0]}), nodes=[{"id": 4, "power_on_ms": 1e6}])
    return [_sent(_until(Simulation(cluster, seed), WAIT_S)) for seed in seeds]


def _crowd() -> Figure:
    """Return how many frames a second 200 nodes send that wait for one more."""
    cluster = _changed(scenario(200, 0.0, 0.0, power_on_ms={"uniform": [0.0, 1000.0]}), nodes=[{"id": 4, "power_on_ms": 1e6}])
    simulation = _until(Simulation(cluster, 1), 10)
    before = _sent(simulation)
    return Figure("200 boards wait: frames of all", (_sent(_until(simulation, 20)) - before) / 10, "a second", 60, 15)


def returns(seeds: Iterable[int]) -> list[bool]:
    """Tell, for each seed, whether others start without a member that restarts after its READY, before the last is ready.

    The member is ready at once, restarts after 5 s, and is ready again after 15 s. The last of the others is ready after 10 s.
    """
    cluster = _changed(
        scenario(5, 0.2, 0.0),
        nodes=[{"id": 0, "start_up_ms": 0.0}, {"id": 4, "start_up_ms": 10_000.0}],
        events=[{"at_ms": 5000.0, "kind": "restart", "nodes": [0]}],
    )
    found = []
    for seed in seeds:
        simulation = _until(Simulation(cluster, seed), 5)
        member = simulation.boards[0]
        member.completes_at = 15_000_000
        _until(simulation, 60)
        found.append(any(each.started_at is None or each.started_at < member.completed_at for each in simulation.boards))
    return found


def _returns(without: list[bool]) -> Figure:
    return Figure("a member restarts after its READY: starts without it", sum(without), "runs", 0, 0)


def meetings(key: bool, seeds: Iterable[int]) -> list[float]:
    """Return how many intervals after its power-on a board and one that has long been alone know of each other. None is ready."""
    found = []
    for seed in seeds:
        late_ms = BEGUN_S * 1000.0 + 37 * seed % 8000
        late = {"id": 1, "power_on_ms": late_ms}
        cluster = _changed(scenario(2, 0.0, start_up_ms=1e9, deadline_ms=10**9, key=key), nodes=[late], limit_ms=late_ms + 30_000)
        found.append(_meeting(cluster, seed) / INTERVAL_MS)
    return found


def _meeting(cluster: Scenario, seed: int) -> float:
    """Return how long after the second power-on both know of each other, in ms."""
    moments: list[int] = []

    def check(board: SimulatedBoard) -> None:
        if all(each.node is not None and each.node.machine.pinging.count for each in simulation.boards):
            moments.append(simulation.now)

    simulation = Simulation(cluster, seed, check=check)
    simulation.run(lambda: bool(moments))
    return (moments[0] - simulation.boards[1].booted_at) / 1e3


def lines(baud: int, seeds: Iterable[int]) -> list[float]:
    """Return after how many seconds the last of 20 boards with a key is in, on a line on which no board listens before it sends."""
    cluster = scenario(20, 0.0, 5000.0, key=True, deadline_ms=3_600_000, power_on_ms={"uniform": [0.0, 1000.0]}, **SLOW)
    byte_us = 10e6 / baud  # a byte takes ten bits; a frame has five more
    line = {"access": "blind", "bitrate": baud * 8 // 10, "overhead_us": int(5 * byte_us), "delay_ms": 0.1}
    cluster = _changed(cluster, medium=line)
    done = outcomes(cluster, list(seeds))
    if any(each["verdict"] != "all" for each in done):
        raise RuntimeError("not all got in on the line")
    return [each["ready_ms"] / 1000 for each in done]


def talks(seeds: Iterable[int]) -> list[int]:
    """Return how many frames 20 concluded boards send for old questions of all of them."""
    return [questions_after_the_start(20, seed) for seed in seeds]


def speed(rounds: int) -> list[Figure]:
    """Return what a delivered frame costs the simulator, also beside an empty call, and whether that stays so in longer runs.

    The three take turns, and the least of the rounds counts.
    """
    times: dict[str, list[float]] = {"call": [], "frame": [], "longer": []}
    for _ in range(rounds):
        times["call"].append(_empty_call())
        times["frame"].append(_cost(scenario(20, 0.1, 30_000.0), range(1, 5)))
        times["longer"].append(_cost(scenario(20, 0.1, 120_000.0), range(1, 2)))

    def ratio(kind: str, other: str) -> Callable[[slice], float]:
        return lambda half: min(times[kind][half]) / min(times[other][half])

    return [
        from_rounds("simulator, 20 nodes: a delivered frame", "µs", 25, 12, lambda half: min(times["frame"][half])),
        from_rounds("simulator, 20 nodes: a delivered frame", "empty calls", 550, 350, ratio("frame", "call")),
        from_rounds("simulator: a frame in a run four times as long", "times", 1.3, 1.1, ratio("longer", "frame")),
    ]


class _Empty:
    def call(self, value: int) -> None:
        """Do nothing."""


def _empty_call() -> float:
    """Return what a call of a method that does nothing takes on this interpreter, with its part of a loop, in microseconds."""
    call = _Empty().call
    start = time.process_time()
    for value in range(EMPTY_CALLS):
        call(value)
    return (time.process_time() - start) / EMPTY_CALLS * 1e6


def _cost(cluster: Scenario, seeds: Iterable[int]) -> float:
    """Return what a delivered frame of these runs takes, in microseconds."""
    runs = [Simulation(cluster, seed) for seed in seeds]
    start = time.process_time()
    for each in runs:
        each.run()
    return (time.process_time() - start) / sum(each.deliveries for each in runs) * 1e6
