"""Many runs of a scenario, and what they say: how long it takes, what it costs, which deadline is safe."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ..errors import CommandError
from ..interrupts import ENDING, noted
from . import bounds
from .outcome import outcome
from .scenario import Scenario
from .simulation import Simulation

CHUNK = 20  # the most runs that a worker does at a time
CHUNKS = 8  # for each worker from what is left: so the last ones are single runs, and all workers end together
AHEAD = 3  # chunks for each worker that wait for it
CHUNK_PAIRS = 20_000  # of nodes: a run takes as long as it has pairs of nodes, and a chunk should take a second at most
NO_DEADLINE_MS = 2**29 - 1
LIMIT_MS = 600_000.0  # of a run without a deadline: some clusters never get together
EXAMPLES = 3  # runs of each bad verdict that are named
CONNECT_SECONDS = 10  # that a Dask scheduler has to answer

_is_stopped: Callable[[], bool] | None = None  # of a worker: tells that nobody waits for its results


def outcomes(scenario: Scenario, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Run these seeds one after the other. This is what a worker does; it stands at the top of the module, so that it can be sent there."""
    return [outcome(Simulation(scenario, seed).run(_is_stopped)) for seed in seeds]


def _begin_worker(is_stopped: Callable[[], bool]) -> None:
    """Leave ctrl-C, and what does the same, to the parent alone, which tells the workers to stop. A worker ends with its parent."""
    global _is_stopped
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    _is_stopped = is_stopped
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent has been killed, and can tell it nothing any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def local_executor(jobs: int | None = None) -> Iterator[Executor]:
    """Give the cores of this computer, or so many processes. At the end of the context the workers stop what they do.

    Raises CommandError if one of them ends before its work is done.
    """
    stop = multiprocessing.Event()
    with ProcessPoolExecutor(jobs or cores(), initializer=_begin_worker, initargs=(stop.is_set,)) as pool:
        try:
            yield pool
        except BrokenExecutor as error:
            raise CommandError("a worker ended before its work was done; is there enough memory? Fewer --jobs need less") from error
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Give the workers of a Dask cluster, at the address of its scheduler. Raises CommandError if it does not answer, or fails."""
    from distributed import Client, KilledWorker

    _silence("distributed", "tornado", "asyncio")  # they tell with tracebacks what we tell in a line
    try:
        client = Client(address, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise CommandError(f"--dask {address}: no scheduler answers there; start one with: dask scheduler") from error
    try:
        with client:
            yield client.get_executor()  # type: ignore[no-untyped-call]
    except (CancelledError, KilledWorker, ModuleNotFoundError, RuntimeError) as error:
        remedy = "start it again, with the same faction on all its computers"
        raise CommandError(f"--dask {address}: the cluster ended before its work was done; {remedy}") from error


def _silence(*libraries: str) -> None:
    """Let libraries, which are imported already, log nothing but what ends the program."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in libraries:
            logging.getLogger(name).setLevel(logging.CRITICAL)


@dataclass
class Campaign:
    """The outcomes of many runs, as far as they have come."""

    name: str
    wanted: int
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Tell whether all the runs that were wanted are done."""
        return len(self.outcomes) == self.wanted

    def share(self, verdict: str) -> float:
        """Return the share of the runs in which "all", "some" or "none" of the nodes with power are Bootstrapped."""
        return float(sum(each["verdict"] == verdict for each in self.outcomes) / len(self.outcomes))

    def quantile(self, key: str, share: float) -> float | None:
        """Return the least value that so large a share of all runs does not exceed; None if too few runs have a value."""
        value = self._in_order(key)[(math.ceil(share * len(self.outcomes)) or 1) - 1]
        return value if value < math.inf else None

    def at_most(self, key: str, share: float) -> float | None:
        """Return the upper bound of this quantile of all runs that could be made: see bounds. Infinity: it may be "never".

        None if the runs are too few to say.
        """
        rank = bounds.rank(len(self.outcomes), share)
        return None if rank is None else self._in_order(key)[rank - 1]

    def at_least(self, key: str, share: float) -> float | None:
        """Return the lower bound of this quantile, as at_most does for the upper one."""
        rank = bounds.rank(len(self.outcomes), 1 - share)
        return None if rank is None else self._in_order(key)[-rank]

    def _in_order(self, key: str) -> list[float]:
        """Return all values in order. Where there is none, it never came: that is later than all others."""
        return sorted(math.inf if each[key] is None else float(each[key]) for each in self.outcomes)

    def deadline_ms(self, confidence: float) -> int | None:
        """Return a deadline within which all nodes of so large a share of all runs are Bootstrapped, with a certainty of 95 %.

        Each node counts from its own power-on, by its own clock. The bound is rounded up to two digits. None if the runs are too
        few, if too many of them never get there, or if they are not all done: those cut short may be the longest. The runs must
        have had no deadline.
        """
        value = self.at_most("longest_wait_ms", confidence) if self.is_complete else None
        if value is None or value == math.inf:
            return None
        value = math.ceil(value) + 1  # a node gives up in the poll in which the deadline has come, and its clock shows whole ms
        step: int = 10 ** max(1, len(str(value)) - 2)
        return -(-value // step) * step

    @property
    def failures(self) -> int:
        """Return in how many runs not all nodes with power are Bootstrapped."""
        return sum(each["verdict"] != "all" for each in self.outcomes)

    @property
    def unconnected(self) -> list[dict[str, Any]]:
        """Return the outcomes of the runs in which the airs did not connect all boards."""
        return [each for each in self.outcomes if each["gaps"]]

    def examples(self, verdict: str) -> list[int]:
        """Return the seeds of a few runs with this verdict."""
        return sorted(each["seed"] for each in self.outcomes if each["verdict"] == verdict)[:EXAMPLES]


def run(
    scenario: Scenario,
    name: str,
    runs: int,
    executor: Executor,
    first_seed: int = 1,
    advance: Callable[[int], object] = lambda count: None,
    workers: int | None = None,
) -> Campaign:
    """Run so many seeds. Ctrl-C ends it with what there is.

    advance: is called with the number of runs done since its last call. workers: of the executor; None: as many as there are cores.
    """
    campaign = Campaign(name, runs)
    workers = workers or cores()
    chunks = _chunks(range(first_seed, first_seed + runs), scenario.cluster.nodes, workers)
    waiting: set[Future[list[dict[str, Any]]]] = set()
    ended: SimpleQueue[Future[list[dict[str, Any]]] | None] = SimpleQueue()

    def submit(seeds: range) -> None:
        future = executor.submit(outcomes, scenario, seeds)
        waiting.add(future)
        future.add_done_callback(ended.put)

    # KeyboardInterrupt would leave a pool whose workers have begun with none to end them.
    with noted(lambda: ended.put(None)):
        for seeds in islice(chunks, workers * (AHEAD + 1)):
            submit(seeds)
        while waiting:
            future = ended.get()
            if future is None:
                break
            waiting.remove(future)
            for seeds in islice(chunks, 1):
                submit(seeds)
            campaign.outcomes += future.result()
            advance(len(future.result()))
    for future in waiting:
        future.cancel()
    campaign.outcomes.sort(key=lambda each: int(each["seed"]))  # workers finish in any order
    return campaign


def _chunks(seeds: range, nodes: int, workers: int) -> Iterator[range]:
    """Share seeds out among the workers, in the order of the seeds, and ever fewer at a time."""
    most = max(1, min(CHUNK, CHUNK_PAIRS // nodes**2))
    start = 0
    while start < len(seeds):
        size = max(1, min(most, (len(seeds) - start) // (CHUNKS * workers)))
        yield seeds[start : start + size]
        start += size


def without_deadline(scenario: Scenario) -> Scenario:
    """Return a scenario in which no deadline cuts a run short, so that every time is known."""
    cluster = scenario.cluster.model_copy(update={"deadline_ms": NO_DEADLINE_MS})
    return scenario.model_copy(update={"cluster": cluster, "limit_ms": LIMIT_MS})
