"""Many runs of a scenario, and what they say: how long it takes, what it costs, which deadline is safe."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from .scenario import Scenario
from .simulation import Simulation, outcome

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


COLUMNS = ("", "median", "95th", "99th", "longest")
ROWS = (
    ("until the last is Bootstrapped, s", "ready_ms", 1000),
    ("longest wait of a node, s", "longest_wait_ms", 1000),
    ("frames of all nodes", "frames", 1),
    ("frames of the busiest node", "frames_of_a_node", 1),
    ("time on the air, s", "air_ms", 1000),
)


def report(campaign: Campaign) -> Table:
    """Return the distribution of times and costs."""
    done = len(campaign.outcomes)
    title = f"{campaign.name}: {done:,} runs" + (f" of {campaign.wanted:,}" if done < campaign.wanted else "")
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name else "left")
    for text, key, unit in ROWS:
        values = [campaign.quantile(key, share) for share in (0.5, 0.95, 0.99, 1.0)]
        if any(values):
            digits = 2 if unit > 1 else 0
            table.add_row(text, *["never" if value is None else f"{value / unit:,.{digits}f}" for value in values])
    return table


def verdicts(campaign: Campaign, command: str) -> Iterator[str]:
    """Iterate lines on the verdicts; command repeats a run when a seed is put behind it."""
    yield (
        f"all Bootstrapped in {campaign.share('all'):.2%} of the runs, some in {campaign.share('some'):.2%} (a split verdict), "
        f"none in {campaign.share('none'):.2%}"
    )
    for verdict in ("some", "none"):
        for seed in campaign.examples(verdict):
            yield f"  {verdict}: {command} --seed {seed}"


def sweep_table(name: str, campaigns: Iterable[tuple[Any, Campaign]]) -> Table:
    """Return a line for each value of a parameter."""
    table = Table(title=f"sweep of {name}", title_justify="left")
    for column in (name, "all", "some", "none", "median, s", "99th, s", "frames of a node"):
        table.add_column(column, justify="right")
    for value, campaign in campaigns:
        times = [campaign.quantile("ready_ms", share) for share in (0.5, 0.99)]
        frames = campaign.quantile("frames_of_a_node", 0.5)
        table.add_row(
            str(value),
            *[f"{campaign.share(verdict):.1%}" for verdict in ("all", "some", "none")],
            *["never" if time is None else f"{time / 1000:.2f}" for time in times],
            f"{frames:.0f}",
        )
    return table
