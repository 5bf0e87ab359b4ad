"""What pictures and pages have in common that show the airs of a simulated run."""

from __future__ import annotations

from typing import Any

from .palette import AIR_COLOURS

MOST_LINKS = 4000  # of an air; more of them are a stain
BEND = 0.1  # of the lines of each further air, as a share of their length


def drawn(run: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the airs of a run as they are drawn: with a colour, and a bend of the lines; without the links if they are too many."""
    return [_drawn(run, number) for number in range(len(run["airs"]))]


def _drawn(run: dict[str, Any], number: int) -> dict[str, Any]:
    air = run["airs"][number]
    is_dense = len(air["links"]) > MOST_LINKS
    return {
        **air,
        "name": air["name"] + (": too many links to draw" if is_dense else ""),
        "links": [] if is_dense else air["links"],
        "colour": AIR_COLOURS[number % len(AIR_COLOURS)],
        "bend": _bend(run, number),
    }


def _bend(run: dict[str, Any], number: int) -> float:
    """Return how far a line keeps off the straight way, so that airs with a board in common do not cover each other."""
    earlier = {index for air in run["airs"][:number] for index in air["boards"]}
    return BEND * number if earlier & set(run["airs"][number]["boards"]) else 0.0
