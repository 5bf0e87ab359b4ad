"""Many runs as tables: how long they took, what they cost, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.table import Table

from ..simulator.campaign import Campaign

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
    """Return the distribution of times and costs. A row in which nothing was measured is left out."""
    done = len(campaign.outcomes)
    title = f"{campaign.name}: {done:,} runs" + (f" of {campaign.wanted:,}" if done < campaign.wanted else "")
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name else "left")
    for text, key, unit, digits in ROWS:
        values = [campaign.quantile(key, share) for share in SHARES]
        if any(values):
            table.add_row(text, *["never" if value is None else f"{value / unit:,.{digits}f}" for value in values])
    return table


def verdicts(campaign: Campaign, command: str) -> Iterator[str]:
    """Iterate lines on how the runs ended. command, with a seed behind it, repeats a run."""
    yield (
        f"all Bootstrapped in {campaign.share('all'):.2%} of the runs, some in {campaign.share('some'):.2%} (a split verdict), "
        f"none in {campaign.share('none'):.2%}"
    )
    for verdict in ("some", "none"):
        for seed in campaign.examples(verdict):
            yield f"  {verdict}: {command} --seed {seed}"
    yield from _unconnected(campaign, command)


def _unconnected(campaign: Campaign, command: str) -> Iterator[str]:
    """Iterate lines on the runs in which the airs did not connect all boards. Where the graph is always the same, one run says it."""
    runs = campaign.unconnected
    if runs:
        share = len(runs) / len(campaign.outcomes)
        yield f"the airs do not connect all boards in {share:.2%} of the runs; {command} --seed {runs[0]['seed']}:"
        yield from ways_missing(runs[0]["gaps"])


def ways_missing(gaps: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Iterator[str]:
    """Iterate lines on boards between which the airs offer no way, and what to do. gaps: as Simulation.gaps gives them."""
    told = [gap for i, gap in enumerate(gaps) if (gap[1], gap[0]) not in gaps[:i]]  # both ways are one line
    for start, end in told[:MOST_GAPS]:
        back = ", nor back" if (end, start) in gaps else ""
        remedy = "nothing that the first say arrives there; widen the reach, or give a board two airs"
        yield f"no way from {_ids(start)} to {_ids(end)}{back}: {remedy}"
    if len(told) > MOST_GAPS:
        yield f"and no way from {len(told) - MOST_GAPS} more groups of boards to all others"


def _ids(ids: Sequence[int]) -> str:
    shown = [str(each) for each in ids[:MOST_IDS]]
    return ", ".join(shown) + (f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else "")


def deadline(campaign: Campaign, confidence: float) -> str:
    """Return the line that recommends a deadline, for runs that had none."""
    deadline_ms = campaign.deadline_ms(confidence)
    text = "no deadline is long enough: too many runs never get there" if deadline_ms is None else f"deadline_ms = {deadline_ms:_}"
    return f"for {confidence:.2%} of the starts to succeed: {text}"


def sweep_table(name: str, campaigns: Iterable[tuple[Any, Campaign]]) -> Table:
    """Return a table with a line for each value of a field of the scenario."""
    table = Table(title=f"sweep of {name}", title_justify="left")
    for column in (name, "all", "some", "none", "median, s", "99th, s", "frames of a node"):
        table.add_column(column, justify="right")
    for value, campaign in campaigns:
        table.add_row(str(value), *_sweep_row(campaign))
    return table


def _sweep_row(campaign: Campaign) -> Iterator[str]:
    for verdict in ("all", "some", "none"):
        yield f"{campaign.share(verdict):.1%}"
    for share in (0.5, 0.99):
        time = campaign.quantile("ready_ms", share)
        yield "never" if time is None else f"{time / 1000:.2f}"
    yield f"{campaign.quantile('frames_of_a_node', 0.5):.0f}"
