"""Who hears whom: the boards of a simulated run at their places, with a line for each pair that hears each other on an air."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from ..simulator.history import OFF
from .airs import drawn
from .palette import COLOURS, OFF_COLOUR, ink

MARGIN = 0.08  # around the places, as a share of their extent
POINTS = 12  # of a bent line
TALLEST = 5.0  # inches

Point = tuple[float, float]


def height_of(run: dict[str, Any], width: float) -> float:
    """Return how high the drawing is if it is so wide, both in inches."""
    left, right, low, high = _extent(run)
    return max(1.6, min(TALLEST, width * (high - low) / (right - left)))


def _extent(run: dict[str, Any]) -> tuple[float, float, float, float]:
    """Return the least and the greatest x and y, with a margin."""
    points = [*run["places"], *[point for air in _lines(run) for _, line in air for point in line]]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    margin = MARGIN * max(max(xs) - min(xs), max(ys) - min(ys), 1e-9) or 1.0
    return min(xs) - margin, max(xs) + margin, min(ys) - margin, max(ys) + margin


def _lines(run: dict[str, Any]) -> Iterator[list[tuple[bool, list[Point]]]]:
    """Iterate, of each air, (whether it leads both ways, its points) of each line that is drawn."""
    places = run["places"]
    for air in drawn(run):
        ways = {(sender, receiver) for sender, receiver, _ in air["links"]}
        pairs = [(a, b) for a, b in sorted(ways) if a < b or (b, a) not in ways]
        yield [((b, a) in ways, _bent(places[a], places[b], air["bend"])) for a, b in pairs]


def _bent(start: Point, end: Point, bend: float) -> list[Point]:
    """Return the points of a line that keeps off the straight way by such a share of its length."""
    (x, y), (to_x, to_y) = start, end
    if not bend:
        return [start, end]
    middle_x, middle_y = (x + to_x) / 2 - 2 * bend * (to_y - y), (y + to_y) / 2 + 2 * bend * (to_x - x)
    shares = [i / POINTS for i in range(POINTS + 1)]
    return [
        ((1 - t) ** 2 * x + 2 * t * (1 - t) * middle_x + t * t * to_x, (1 - t) ** 2 * y + 2 * t * (1 - t) * middle_y + t * t * to_y)
        for t in shares
    ]


def draw_graph(axis: Any, run: dict[str, Any]) -> None:
    """Draw the boards, in the colours of their states in the end, and the lines of each air. A dashed line leads one way only."""
    airs = drawn(run)
    for air, lines in zip(airs, _lines(run)):
        for is_mutual, style in ((True, "-"), (False, "--")):
            chosen = [line for mutual, line in lines if mutual == is_mutual]
            axis.add_collection(LineCollection(chosen, colors=air["colour"], linewidths=_width(len(lines)), linestyles=style, zorder=1))
    _draw_boards(axis, run)
    left, right, low, high = _extent(run)
    axis.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    axis.axis("off")
    handles = [Line2D([], [], color=air["colour"], label=air["name"]) for air in airs] if len(airs) > 1 or not airs[0]["links"] else []
    axis.legend(handles=handles, title="who hears whom", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)


def _width(lines: int) -> float:
    """Return the width of each of so many lines, in points: many wide ones are a stain."""
    return max(0.15, min(0.9, 150 / max(lines, 1)))


def _draw_boards(axis: Any, run: dict[str, Any]) -> None:
    states = {index: state for _, index, state in run["changes"]}
    colours = [COLOURS.get(states.get(index, OFF), OFF_COLOUR) for index in range(len(run["ids"]))]
    size = max(8.0, min(150.0, 20_000 / len(run["ids"]) ** 1.4))
    axis.scatter([x for x, _ in run["places"]], [y for _, y in run["places"]], s=size, c=colours, zorder=2)
    if size > 40:
        for (x, y), peer_id, colour in zip(run["places"], run["ids"], colours):
            axis.text(x, y, str(peer_id), ha="center", va="center", color=ink(colour), size=6, zorder=3)
