"""Many runs of a scenario, and what they say: how long it takes, what it costs, which deadline is safe."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .outcome import outcome
from .scenario import Scenario
from .simulation import Simulation

CHUNK = 20  # runs that a worker does at a time
NO_DEADLINE_MS = 2**29 - 1
LIMIT_MS = 600_000.0  # of a run without a deadline: some clusters never get together
EXAMPLES = 3  # runs of each bad verdict that are named


def outcomes(scenario: Scenario, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Run these seeds one after the other. What a worker does: at the top of the module, so that it can be sent there."""
    return [outcome(Simulation(scenario, seed).run()) for seed in seeds]


def _leave_interrupts() -> None:
    """Let ctrl-C reach the parent alone, so that a worker ends what it has begun."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def local_executor(jobs: int | None = None) -> Iterator[Executor]:
    """Give the cores of this computer."""
    with ProcessPoolExecutor(jobs or os.cpu_count(), initializer=_leave_interrupts) as pool:
        yield pool


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """Give the workers of a Dask cluster, at the address of its scheduler."""
    from distributed import Client

    with Client(address) as client:  # type: ignore[no-untyped-call]
        yield client.get_executor()


@dataclass
class Campaign:
    """The outcomes of many runs, as far as they have come."""

    name: str
    wanted: int
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    def share(self, verdict: str) -> float:
        """Return the share of the runs in which all, some or none of those with power are Bootstrapped."""
        return float(sum(each["verdict"] == verdict for each in self.outcomes) / len(self.outcomes))

    def quantile(self, key: str, share: float) -> float | None:
        """Return the least value that so large a share of all runs stays within; None if too few have one at all."""
        values = sorted(each[key] for each in self.outcomes if each[key] is not None)
        rank = math.ceil(share * len(self.outcomes)) or 1
        return float(values[rank - 1]) if rank <= len(values) else None

    def deadline_ms(self, confidence: float) -> int | None:
        """Return the deadline, rounded up to two digits, within which all nodes of so large a share of the runs are Bootstrapped,
        each counted from its own power-on; None if that many never are. Of runs without a deadline.
        """
        value = self.quantile("longest_wait_ms", confidence)
        if value is None:
            return None
        step = 10 ** max(1, len(str(int(value))) - 2)
        return int(math.ceil(value / step) * step)

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
) -> Campaign:
    """Run so many seeds; advance is called with the number of runs done since. Ctrl-C ends it with what there is."""
    campaign = Campaign(name, runs)
    seeds = range(first_seed, first_seed + runs)
    chunks = [list(seeds[start : start + CHUNK]) for start in range(0, runs, CHUNK)]
    futures = [executor.submit(outcomes, scenario, chunk) for chunk in chunks]
    try:
        for future in as_completed(futures):
            done = future.result()
            campaign.outcomes += done
            advance(len(done))
    except KeyboardInterrupt:
        for future in futures:
            future.cancel()
    campaign.outcomes.sort(key=lambda each: int(each["seed"]))  # workers finish in any order
    return campaign


def without_deadline(scenario: Scenario) -> Scenario:
    """Return a scenario in which no deadline cuts a run short, so that every time is known."""
    data = scenario.model_dump()
    data["cluster"]["deadline_ms"] = NO_DEADLINE_MS
    data["limit_ms"] = LIMIT_MS
    return Scenario.model_validate(data)
