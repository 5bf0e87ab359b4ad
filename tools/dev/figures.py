"""Measurements and their budgets: a table for people, JSON for programs, an exit code for CI."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

NOISY = 0.25  # the spread above which a figure that is near its budget cannot tell whether it keeps it


@dataclass(frozen=True)
class Figure:
    """One measurement. Without a budget it is for information. spread: how far repeated measurements differ, relative."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    aim: float | None = None
    spread: float = 0.0

    @property
    def verdict(self) -> str:
        """Return "over" for a figure over its budget, "noisy" if noise may be the reason, otherwise "ok", or "" without a budget."""
        if self.budget is None:
            return ""
        if self.value <= self.budget:
            return "ok"
        may_be_noise = self.spread > NOISY and self.value * (1 - self.spread) <= self.budget
        return "noisy" if may_be_noise else "over"


def from_rounds(name: str, unit: str, budget: float | None, aim: float | None, value: Callable[[slice], float]) -> Figure:
    """Return what value makes of all rounds as a figure. Its spread is how far two halves of the rounds differ.

    value: takes the least of the times of some rounds: other programs add to each of them, and take from none.
    """
    measured = value(slice(None))
    spread = abs(value(slice(0, None, 2)) - value(slice(1, None, 2))) / measured
    return Figure(name, measured, unit, budget, aim, spread)


def exit_code(figures: Sequence[Figure]) -> int:
    """Return 1 if a budget is broken; noise is no failure."""
    return int(any(figure.verdict == "over" for figure in figures))


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print the table."""
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    for name in ("measured", "budget", "aim"):
        table.add_column(name, justify="right")
    table.add_column("")
    styles = {"over": "bold red", "noisy": "yellow"}
    for figure in figures:
        measured = f"{_number(figure.value)} {figure.unit}"
        table.add_row(figure.name, measured, _number(figure.budget), _number(figure.aim), figure.verdict, style=styles.get(figure.verdict))
    console = Console()
    console.print(table)
    for figure in figures:
        if figure.verdict == "noisy":
            console.print(f"warning: {figure.name}: rounds differ by {figure.spread:.0%}; measure again on a quiet machine")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def report(title: str, figures: Sequence[Figure], options: argparse.Namespace) -> int:
    """Print the figures as the options ask, and return the exit code."""
    if options.json:
        rows: list[dict[str, Any]] = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
        print(json.dumps(rows, indent=1))
    else:
        show(title, figures)
    return exit_code(figures)


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the options that all such commands have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="print JSON: name, value, unit, budget, aim, spread, verdict")
    made.add_argument("--source", metavar="DIR", help="measure the package in another folder than faction/")
    return made
