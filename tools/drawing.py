"""Runs as pictures: the states with the path taken, and who told whom; by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, NO_PEER, PINGING, READY_OBSERVED, TIMED_OUT
from faction.names import state_name

from .diagram import arrows
from .replay import Journal, events
from .sequence import taken

matplotlib.use("Agg")  # no window, wherever it runs
matplotlib.rcParams.update({"svg.hashsalt": "faction", "font.size": 8})

from matplotlib import pyplot  # noqa: E402
from matplotlib.patches import FancyArrowPatch  # noqa: E402

COLOURS = {INITIAL: "#9aa0a6", PINGING: "#e9c46a", COLLECTING: "#4aa3df", BOOTSTRAPPED: "#2a9d8f", TIMED_OUT: "#d1495b"}
PLACES = {INITIAL: (0, 0), PINGING: (2, 0), COLLECTING: (4, 0), BOOTSTRAPPED: (6, 1.4), TIMED_OUT: (6, -1.4)}
BENDS = {(INITIAL, COLLECTING): 0.35, (INITIAL, BOOTSTRAPPED): -0.3, (INITIAL, TIMED_OUT): 0.3}
INCHES_AN_EVENT = 0.22


def save(figure: Any, path: Path) -> None:
    """Write a figure, the same bytes every time."""
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=120)
    pyplot.close(figure)


def draw_run(journals: Sequence[Journal], path: Path) -> None:
    """Draw the states of each board, and below them the messages of all."""
    told = events(journals)
    heights = [3.2] * len(journals) + [max(2.0, INCHES_AN_EVENT * (len(told) + 3))]
    figure, axes = pyplot.subplots(
        len(heights), figsize=(9, sum(heights)), gridspec_kw={"height_ratios": heights}, layout="constrained", squeeze=False
    )
    for axis, journal in zip(axes[:, 0], journals):
        _draw_states(axis, journal)
    _draw_messages(axes[-1, 0], journals)
    save(figure, path)


def _draw_states(axis: Any, journal: Journal) -> None:
    ways = taken(journal)
    visited = {INITIAL, *[state for way in ways for state in way]}
    axis.set_title(f"{journal.name}: the numbers are those of its commands", loc="left")
    axis.set(xlim=(-0.8, 7), ylim=(-2.1, 2.1), aspect="equal")  # the bends are computed on paper
    axis.axis("off")
    for way in arrows():
        _draw_arrow(axis, way, ways.get(way, []))
    for state, (x, y) in PLACES.items():
        shade = COLOURS[state] if state in visited else "white"
        box = {"boxstyle": "round,pad=0.6", "facecolor": shade, "edgecolor": COLOURS[state], "linewidth": 1.5}
        axis.text(x, y, state_name(state), ha="center", va="center", bbox=box, zorder=3)


def _draw_arrow(axis: Any, way: tuple[int, int], numbers: list[int]) -> None:
    (x, y), (to_x, to_y) = PLACES[way[0]], PLACES[way[1]]
    colour = "#222222" if numbers else "#cccccc"
    loop = way[0] == way[1]
    bend = BENDS.get(way, 0.0)
    start, end = ((x - 0.3, y + 0.25), (x + 0.3, y + 0.25)) if loop else ((x, y), (to_x, to_y))
    style = "arc3,rad=-1.3" if loop else f"arc3,rad={bend}"
    shrink = 0 if loop else 28
    axis.add_patch(
        FancyArrowPatch(
            start,
            end,
            connectionstyle=style,
            arrowstyle="-|>",
            mutation_scale=11,
            color=colour,
            linewidth=1.6 if numbers else 0.8,
            shrinkA=shrink,
            shrinkB=shrink,
            zorder=2 if numbers else 1,
        )
    )
    if numbers:
        across = bend * 0.5
        middle = (x, y + 0.68) if loop else ((x + to_x) / 2 + across * (to_y - y), (y + to_y) / 2 - across * (to_x - x) + 0.12)
        axis.text(*middle, _numbers(numbers), ha="center", va="bottom", weight="bold", zorder=4)


def _numbers(numbers: list[int]) -> str:
    """Write the numbers of commands, of many the first and the last."""
    return ", ".join(map(str, numbers)) if len(numbers) < 5 else f"{numbers[0]} … {numbers[-1]}"


def _draw_messages(axis: Any, journals: Sequence[Journal]) -> None:
    peers = sorted({peer_id for journal in journals for peer_id in journal.config.peers})
    names = {journal.config.peer_id: journal.name for journal in journals}
    place = {peer_id: x for x, peer_id in enumerate(peers)}
    told = events(journals)
    axis.set_title("who told whom: thin, that it is there; thick, that it is ready", loc="left")
    axis.set(xlim=(-0.9, len(peers) - 0.4), ylim=(len(told) + 0.5, -1.2))
    axis.axis("off")
    for peer_id, x in place.items():
        axis.plot([x, x], [-0.3, len(told)], color="#bbbbbb", linewidth=0.8, zorder=0)
        axis.text(x, -0.5, names.get(peer_id, str(peer_id)), ha="center", va="bottom", weight="bold")
    for y, (seconds, journal, step) in enumerate(told):
        own = place[journal.config.peer_id]
        axis.text(-0.85, y, f"{seconds:.2f} s", va="center", color="#666666")
        if step.peer_id == NO_PEER:
            axis.text(own, y, step.words, ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "#999999", "pad": 1.5})
        else:
            arrow = {"arrowstyle": "-|>", "color": COLOURS[step.state], "linewidth": 2 if step.command == READY_OBSERVED else 0.9}
            axis.annotate("", (own, y), (place[step.peer_id], y), arrowprops=arrow)
        if step.state >= BOOTSTRAPPED:
            axis.text(own + 0.05, y + 0.1, state_name(step.state), color=COLOURS[step.state], weight="bold", va="top")
