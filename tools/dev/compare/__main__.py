"""Compare faction with what users would pick instead: MQTT, and ZooKeeper's double barrier."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from rich.console import Console
from rich.table import Table

from ...errors import CommandError
from ...shown.progress import bar
from ..demo import whole
from . import air, cases
from .contestants import Contestant, all_of_them, heap

SIZES = (5, 20)
LOSSES = (0.0, 0.2)
CASES: dict[str, Callable[[Contestant], Coroutine[Any, Any, str]]] = {
    "one restarts after it was ready": cases.restarted,
    "the server dies": cases.without_server,
    "one never comes": cases.one_missing,
}


def measured(contestants: list[Contestant], tries: int, advance: Callable[[int], object]) -> Table:
    """Return the table of times. advance is called after each cell, with 1."""
    table = Table(title=f"from the last readiness until all go on, in s: median (longest) of {tries}; and how far apart they go on, median")
    table.add_column("")
    for count in SIZES:
        for loss in LOSSES:
            table.add_column(f"{count} processes, {loss:.0%} lost")
    chance = random.Random(1)
    for contestant in contestants:
        cells = []
        for count in SIZES:
            for loss in LOSSES:
                found = [asyncio.run(cases.times(contestant, count, loss, chance)) for _ in range(tries)]
                cells.append(cell(found))
                advance(1)
        table.add_row(contestant.name, *cells)
    return table


def cell(found: list[tuple[float, float] | None]) -> str:
    """Return the text about some runs; each is None if not all went on."""
    whole = [each for each in found if each is not None]
    failed = f"{len(found) - len(whole)} of {len(found)} not in {cases.LIMIT_S} s" if len(whole) < len(found) else ""
    if not whole:
        return failed
    waits, gaps = zip(*whole)
    text = f"{statistics.median(waits):.2f} ({max(waits):.2f}); {statistics.median(gaps):.3f}"
    return f"{text}; {failed}" if failed else text


def troubled(contestants: list[Contestant], advance: Callable[[int], object]) -> Table:
    """Return the table of what happens when something goes wrong. advance is called after each cell, with 1."""
    table = Table("", *CASES, title="five processes, no loss", show_lines=True)
    for contestant in contestants:
        cells = []
        for case in CASES.values():
            cells.append(asyncio.run(case(contestant)))
            advance(1)
        table.add_row(contestant.name, *cells)
    return table


def heaps() -> Table:
    """Return the table of what the imports take."""
    table = Table("import", "bytes of heap, 64 bit")
    for module in ("faction.node", "umqtt.simple"):
        table.add_row(module, f"{heap(module):,}")
    return table


def main() -> int:
    """Return 0, or 2 if it cannot run."""
    parser = argparse.ArgumentParser(prog="compare", description=__doc__)
    parser.add_argument("--tries", type=whole("TRIES", 1, 1000), default=5, help="how often each time is measured (5)")
    options = parser.parse_args()
    try:
        air.enter()
        contestants = all_of_them()
        steps = len(contestants) * (len(SIZES) * len(LOSSES) + len(CASES))
        with bar("comparing", steps) as shown:
            tables = [measured(contestants, options.tries, shown.advance), troubled(contestants, shown.advance), heaps()]
    except CommandError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    for table in tables:
        Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
