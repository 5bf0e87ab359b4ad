"""Many runs as tables: how long they took, what they cost, and how they ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table

from ..simulator.campaign import Campaign

COLUMNS = ("", "median", "95th", "99th", "longest")
SHARES = (0.5, 0.95, 0.99, 1.0)
ROWS = (
    ("until the last is Bootstrapped, s", "ready_ms", 1000),
    ("longest wait of a node, s", "longest_wait_ms", 1000),
    ("frames of all nodes", "frames", 1),
    ("frames of the busiest node", "frames_of_a_node", 1),
    ("time on the air, s", "air_ms", 1000),
)


def report(campaign: Campaign) -> Table:
    """Return the distribution of times and costs. A row in which nothing was measured is left out."""
    done = len(campaign.outcomes)
    title = f"{campaign.name}: {done:,} runs" + (f" of {campaign.wanted:,}" if done < campaign.wanted else "")
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="right" if name else "left")
    for text, key, unit in ROWS:
        values = [campaign.quantile(key, share) for share in SHARES]
        if any(values):
            digits = 2 if unit > 1 else 0
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
