"""How fast clusters converge: the shipped Node on a lossy network in memory, under a virtual clock, many seeded runs."""

from __future__ import annotations

import math
import random
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

from faction import BOOTSTRAPPED, Config
from faction.clock import Clock
from faction.node import SENT, Node
from faction.transports.loopback import Hub, Port

from .figures import Figure

INTERVAL_MS = 500
POLL_MS = 10
DELIVERY_MS = 2 * POLL_MS  # the next poll of the receiver, and the one in which it concludes
START_UP_MS = 3000  # the last node is done at about this time
LIMIT_MS = 120_000


class LossyHub(Hub):
    """A network that loses a share of the frames, for each receiver on its own."""

    def __init__(self, loss: float, chance: random.Random) -> None:
        super().__init__(slots=64)
        self._loss = loss
        self._chance = chance

    def carry(self, sender: Port, buffer: bytes | bytearray, length: int) -> None:
        for port in self.ports:
            if port is not sender and self._chance.random() >= self._loss:
                port.put(buffer, length)


@dataclass(frozen=True)
class Run:
    """What became of one cluster: ms from the last completion to the last conclusion, and the frames of each node."""

    convergence_ms: int
    frames: float


def run(nodes: int, loss: float, seed: int) -> Run:
    """Boot a cluster whose quorum is everyone, until all have concluded and the air is silent."""
    chance = random.Random(seed)
    now = [chance.randrange(1 << 29)]
    hub = LossyHub(loss, chance)
    clock = Clock(lambda: now[0] & 0x3FFFFFFF, 0x3FFFFFFF)
    cluster = [
        Node(Config(i, range(nodes), nodes), hub.join(), "bench", LIMIT_MS, INTERVAL_MS, clock=clock, seed=chance.randrange(1, 1 << 30))
        for i in range(nodes)
    ]
    begin = now[0]
    done_at = sorted(chance.randrange(START_UP_MS) for _ in range(nodes))
    silent_since = 0
    concluded_ms = -1
    while now[0] - begin < LIMIT_MS and now[0] - begin - silent_since < 3 * INTERVAL_MS:
        now[0] += POLL_MS
        elapsed = now[0] - begin
        sent = sum(node.counters[SENT] for node in cluster)
        for node, done in zip(cluster, done_at):
            if not node.machine.is_pinging_completed and elapsed >= done:
                node.complete()
            node.poll()
        if concluded_ms < 0 and all(node.machine.is_concluded for node in cluster):
            concluded_ms = elapsed
        if concluded_ms < 0 or sum(node.counters[SENT] for node in cluster) > sent:
            silent_since = elapsed
    if any(node.machine.state != BOOTSTRAPPED for node in cluster):
        raise RuntimeError(f"seed {seed}: not all of {nodes} nodes bootstrapped at {loss:.0%} loss")
    return Run(concluded_ms - -(-done_at[-1] // POLL_MS) * POLL_MS, sum(node.counters[SENT] for node in cluster) / nodes)


def figures(runs: int) -> list[Figure]:
    """Return the convergence of 5 and 20 nodes at three losses, over so many seeded runs of each, on all cores."""
    found = []
    with ProcessPoolExecutor() as pool:
        for nodes in (5, 20):
            for loss in (0.0, 0.2, 0.4):
                done = list(pool.map(run, repeat(nodes), repeat(loss), range(runs), chunksize=5))
                found += _rows(f"{nodes} nodes, {loss:.0%} loss: ", loss, done)
    return found


def _rows(name: str, loss: float, runs: list[Run]) -> list[Figure]:
    """Return median and 99th percentile of the convergence, and the frames; the runs are seeded, so there is no noise."""
    intervals = sorted(each.convergence_ms / INTERVAL_MS for each in runs)
    limit = {0.0: DELIVERY_MS / INTERVAL_MS, 0.2: 4.0}.get(loss)
    return [
        Figure(name + "median", statistics.median(intervals), "intervals"),
        Figure(name + "99th percentile", intervals[math.ceil(0.99 * len(runs)) - 1], "intervals", limit, limit),
        Figure(name + "frames of a node", statistics.median(each.frames for each in runs), "frames"),
    ]
