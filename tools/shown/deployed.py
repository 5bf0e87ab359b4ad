"""What faction deploy says of what it has done."""

from __future__ import annotations

from ..fleet.deploy import Order, Outcome
from ..fleet.plan import Plan
from ..wording import counted


def told(order: Order, outcome: Outcome) -> str:
    """Return the line that says what a deployment has done, or would do."""
    if order.is_dry:
        return summary(order.board.name, "would copy", outcome.plan)
    return f"{order.board.name}: {outcome.greeting or _how_it_starts(order)}"


def _how_it_starts(order: Order) -> str:
    """Say how a program starts that was not started here."""
    if order.slice_name == "core":
        return "this slice starts nothing by itself; import faction in a program of your own"
    return "run there: MICROPYPATH=lib:.frozen micropython main.py" if order.board.kind == "unix" else "CircuitPython restarts by itself"


def summary(name: str, verb: str, made: Plan) -> str:
    """Return how many files a plan changes. verb: what is done with them, such as "copied"."""
    return f"{name}: {verb} {counted(len(made.copied), 'file')}, removed {len(made.removed)}, {len(made.unchanged)} unchanged"
