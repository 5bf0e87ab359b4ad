"""Many runs as tables: how long they took, what they cost, and how they ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.table import Table

from ..simulator import bounds
from ..simulator.campaign import LIMIT_MS, Campaign
from ..wording import counted, first_few

SURE = f"{bounds.CERTAINTY:.0%}"
COLUMNS = ("", "median", "95th", "99th", "longest")
SHARES = (0.5, 0.95, 0.99, 1.0)
# (what a row says, key of an outcome, what to divide it by, decimal places)
ROWS = (
    ("until the last is Bootstrapped, s", "ready_ms", 1000, 2),
    ("longest wait of a node, s", "longest_wait_ms", 1000, 2),
    ("between the first and the last start, ms", "start_skew_ms", 1, 0),
    ("frames of all nodes", "frames", 1, 0),
    ("frames of the busiest node", "frames_of_a_node", 1, 0),
    ("time on the air, s", "air_ms", 1000, 2),
)
MOST_GAPS = 3  # that are named
MOST_IDS = 12  # of a group


def report(campaign: Campaign) -> Table:
    """Return the distribution of times and costs as measured. A row in which nothing was measured is left out."""
    done = len(campaign.outcomes)
    title = f"{campaign.name}: {done:,} runs" + (f" of {campaign.wanted:,}" if done < campaign.wanted else "")
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name else "left")
    for text, key, unit, digits in ROWS:
        values = [campaign.quantile(key, each) for each in SHARES]
        if any(values):
            table.add_row(text, *["never" if value is None else f"{value / unit:,.{digits}f}" for value in values])
    return table


def verdicts(campaign: Campaign, command: str) -> Iterator[str]:
    """Iterate lines on how the runs ended. command, with a seed behind it, repeats a run."""
    yield (
        f"all Bootstrapped in {campaign.share('all'):.2%} of the runs, some in {campaign.share('some'):.2%} (a split verdict), "
        f"none in {campaign.share('none'):.2%}"
    )
    yield failures(campaign)
    for verdict in ("some", "none"):
        for seed in campaign.examples(verdict):
            yield f"  {verdict}: {command} --seed {seed}"
    yield from _unconnected(campaign, command)


def failures(campaign: Campaign) -> str:
    """Return the line on what these runs say about how many of all runs fail."""
    count, runs = campaign.failures, len(campaign.outcomes)
    most = share(bounds.most_cases(count, runs), up=True)
    return f"not all Bootstrapped in {count:,} of {runs:,} runs; of all that could be run, in {most} at most ({SURE} certain)"


def share(value: float, up: bool = False) -> str:
    """Return a share in percent, with all its digits, at least two behind the point; up: rounded up to two digits."""
    percent = 100 * value
    if up and percent:
        step = math.floor(math.log10(percent)) - 1
        percent = min(100.0, math.ceil(percent / 10.0**step - 1e-9) * 10.0**step)
    whole, _, digits = f"{percent:.12f}".rstrip("0").partition(".")
    digits = digits if up else digits.ljust(2, "0")
    return f"{whole}.{digits}%" if digits else f"{whole}%"


def _unconnected(campaign: Campaign, command: str) -> Iterator[str]:
    """Iterate lines on the runs in which the airs did not connect all boards. Where the graph is always the same, one run says it."""
    runs = campaign.unconnected
    if runs:
        part = len(runs) / len(campaign.outcomes)
        yield f"the airs do not connect all boards in {part:.2%} of the runs; {command} --seed {runs[0]['seed']}:"
        yield from ways_missing(runs[0]["gaps"])


def ways_missing(gaps: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Iterator[str]:
    """Iterate lines on boards between which the airs offer no way, and what to do. gaps: as Simulation.gaps gives them."""
    told = [gap for i, gap in enumerate(gaps) if (gap[1], gap[0]) not in gaps[:i]]  # both ways are one line
    for start, end in told[:MOST_GAPS]:
        back = ", nor back" if (end, start) in gaps else ""
        remedy = "nothing that the first say arrives there; widen the reach, or give a board two airs"
        yield f"no way from {first_few(start, MOST_IDS)} to {first_few(end, MOST_IDS)}{back}: {remedy}"
    if len(told) > MOST_GAPS:
        yield f"and no way from {counted(len(told) - MOST_GAPS, 'more group')} of boards to all others"


def deadline(campaign: Campaign, confidence: float) -> str:
    """Return the lines that recommend a deadline, for runs that had none, and say where it comes from."""
    deadline_ms = campaign.deadline_ms(confidence)
    answer = f"for {share(confidence)} of the starts to succeed: "
    if deadline_ms is None:
        return answer + _no_deadline(campaign, confidence)
    return f"{_source(campaign, confidence)}\n{answer}deadline_ms = {deadline_ms:_}"


def _source(campaign: Campaign, confidence: float) -> str:
    """Return which of the measured waits a deadline is, and what it is worth."""
    runs = len(campaign.outcomes)
    beyond = runs - (bounds.rank(runs, confidence) or runs)
    place = f"the longest but {beyond:,}" if beyond else "the longest"
    return f"the deadline is {place} of {runs:,} waits, rounded up: {SURE} certain, for the scenario as simulated, not for the real air"


def _no_deadline(campaign: Campaign, confidence: float) -> str:
    """Return why there is no deadline."""
    runs, never = len(campaign.outcomes), campaign.failures
    if not campaign.is_complete:
        return "no answer: the runs that were cut short may be the longest"
    if runs < bounds.runs_needed(confidence):
        return f"no answer from {runs:,} runs; it takes {bounds.runs_needed(confidence):,} at least"
    many = f"too many runs never get there: {never:,} of {runs:,}, within {LIMIT_MS / 1000:.0f} s"
    if bounds.at_most(never - 1, runs, 1 - confidence) >= bounds.CERTAINTY:
        return f"no deadline is long enough: {many}"
    return f"no answer: {many}; more runs may tell"


def sweep_table(name: str, campaigns: Iterable[tuple[Any, Campaign]]) -> Table:
    """Return a table with a line for each value of a field of the scenario."""
    done = list(campaigns)
    runs = min(len(campaign.outcomes) for _, campaign in done)
    few = "" if bounds.rank(runs, 0.99) else f"; ?: that takes {bounds.runs_needed(0.99)} runs"
    known = share(bounds.most_cases(0, runs), up=True)
    caption = f"≤: at most, {SURE} certain{few}. 0 failures in {runs:,} runs: {known} of all at most ({SURE} certain)"
    table = Table(title=f"sweep of {name}", title_justify="left", caption=caption, caption_justify="left")
    for column in ("value", "all", "some", "none", "median, s", "99th, s", "frames each"):
        table.add_column(column, justify="right", overflow="fold", min_width=max(map(len, column.split())))
    for value, campaign in done:
        table.add_row(str(value), *_sweep_row(campaign))
    return table


def _sweep_row(campaign: Campaign) -> Iterator[str]:
    for verdict in ("all", "some", "none"):
        yield f"{campaign.share(verdict):.1%}"
    median, late = campaign.quantile("ready_ms", 0.5), campaign.at_most("ready_ms", 0.99)
    yield "never" if median is None else f"{median / 1000:.2f}"
    yield "?" if late is None else "never" if late == math.inf else f"≤ {late / 1000:.2f}"
    yield f"{campaign.quantile('frames_of_a_node', 0.5):.0f}"
