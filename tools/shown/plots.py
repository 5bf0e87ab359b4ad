"""Runs as pictures: the states with the path taken, and who told whom; by matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, NO_PEER, PINGING, READY_OBSERVED, TIMED_OUT
from faction.names import state_name

from ..journals.files import RecordedRun
from ..journals.steps import all_peers, events
from ..simulator.campaign import Campaign
from ..simulator.history import convergence
from .mermaid import arrows, path_of
from .palette import COLOURS, OFF_COLOUR

matplotlib.use("Agg")  # no window, wherever it runs
matplotlib.rcParams.update({"svg.hashsalt": "faction", "font.size": 8, "text.parse_math": False})

from matplotlib import pyplot  # noqa: E402
from matplotlib.patches import FancyArrowPatch, Rectangle  # noqa: E402

PLACES = {INITIAL: (0, 0), PINGING: (2, 0), COLLECTING: (4, 0), BOOTSTRAPPED: (6, 1.4), TIMED_OUT: (6, -1.4)}
BENDS = {(INITIAL, COLLECTING): 0.35, (INITIAL, BOOTSTRAPPED): -0.3, (INITIAL, TIMED_OUT): 0.3}
INCHES_AN_EVENT = 0.22


def save(figure: Any, path: Path) -> None:
    """Write a figure, the same bytes every time."""
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None, dpi=120)
    pyplot.close(figure)


def draw_run(runs: Sequence[RecordedRun], path: Path) -> None:
    """Draw the states of each board, and below them the messages of all."""
    told = events(runs)
    heights = [3.2] * len(runs) + [max(2.0, INCHES_AN_EVENT * (len(told) + 3))]
    figure, axes = pyplot.subplots(
        len(heights), figsize=(9, sum(heights)), gridspec_kw={"height_ratios": heights}, layout="constrained", squeeze=False
    )
    for axis, run in zip(axes[:, 0], runs):
        _draw_states(axis, run)
    _draw_messages(axes[-1, 0], runs)
    save(figure, path)


def _draw_states(axis: Any, run: RecordedRun) -> None:
    ways = path_of(run)
    visited = {INITIAL, *[state for way in ways for state in way]}
    axis.set_title(f"{run.name}: the numbers are those of its commands", loc="left")
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


def _draw_messages(axis: Any, runs: Sequence[RecordedRun]) -> None:
    peers = all_peers(runs)
    names = {run.config.peer_id: run.name for run in runs}
    place = {peer_id: x for x, peer_id in enumerate(peers)}
    told = events(runs)
    axis.set_title("who told whom: thin, that it is there; thick, that it is ready", loc="left")
    axis.set(xlim=(-0.9, len(peers) - 0.4), ylim=(len(told) + 0.5, -1.2))
    axis.axis("off")
    for peer_id, x in place.items():
        axis.plot([x, x], [-0.3, len(told)], color="#bbbbbb", linewidth=0.8, zorder=0)
        axis.text(x, -0.5, names.get(peer_id, str(peer_id)), ha="center", va="bottom", weight="bold")
    for y, (seconds, run, step) in enumerate(told):
        own = place[run.config.peer_id]
        axis.text(-0.85, y, f"{seconds:.2f} s", va="center", color="#666666")
        if step.peer_id == NO_PEER:
            axis.text(own, y, step.words, ha="center", va="center", bbox={"facecolor": "white", "edgecolor": "#999999", "pad": 1.5})
        else:
            arrow = {"arrowstyle": "-|>", "color": COLOURS[step.state], "linewidth": 2 if step.command == READY_OBSERVED else 0.9}
            axis.annotate("", (own, y), (place[step.peer_id], y), arrowprops=arrow)
        if step.state >= BOOTSTRAPPED:
            axis.text(own + 0.05, y + 0.1, state_name(step.state), color=COLOURS[step.state], weight="bold", va="top")


def draw_history(run: dict[str, Any], path: Path) -> None:
    """Draw a simulated run: every node's states and frames, how the cluster got together, and who heard whom."""
    count = len(run["ids"])
    tall = max(2.5, 0.2 * count)
    heights = [tall, 2.2, max(3.0, min(8.0, 0.22 * count))]
    figure, axes = pyplot.subplots(3, figsize=(10, sum(heights) + 1), gridspec_kw={"height_ratios": heights}, layout="constrained")
    _draw_bars(axes[0], run)
    _draw_convergence(axes[1], run)
    _draw_heard(figure, axes[2], run)
    figure.suptitle(f"{run['title']}, seed {run['seed']}")
    save(figure, path)


def _draw_bars(axis: Any, run: dict[str, Any]) -> None:
    for index in range(len(run["ids"])):
        own = [(at, state) for at, each, state in run["changes"] if each == index]
        for (start, state), (end, _) in zip(own, [*own[1:], (run["end"], 0)]):
            axis.barh(index, (end - start) / 1000, left=start / 1000, color=COLOURS.get(state, OFF_COLOUR), height=0.8)
    for ready, colour in ((0, "white"), (2, "black")):
        marks = [(at / 1000, index) for at, index, flags in run["frames"] if flags & 2 == ready]
        axis.scatter([at for at, _ in marks], [index for _, index in marks], marker="|", s=30, color=colour, linewidth=0.8)
    axis.set(yticks=range(len(run["ids"])), yticklabels=run["ids"], xlabel="s", ylabel="node", xlim=(0, run["end"] / 1000))
    axis.invert_yaxis()
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    names = [state_name(state) for state in COLOURS]
    axis.legend(handles, names, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.02), frameon=False)


def _draw_convergence(axis: Any, run: dict[str, Any]) -> None:
    for (name, curve), colour in zip(convergence(run).items(), (COLOURS[COLLECTING], COLOURS[BOOTSTRAPPED])):
        points = [*curve, (run["end"], curve[-1][1])]
        axis.step([at / 1000 for at, _ in points], [number for _, number in points], where="post", label=name, color=colour)
    axis.set(xlabel="s", ylabel="nodes", xlim=(0, run["end"] / 1000), ylim=(0, len(run["ids"]) * 1.05))
    axis.legend(loc="lower right", frameon=False)


def _draw_heard(figure: Any, axis: Any, run: dict[str, Any]) -> None:
    shown = axis.imshow(run["heard"], cmap="Greens")
    axis.set(xlabel="sender", ylabel="receiver", title="frames that arrived")
    figure.colorbar(shown, ax=axis)


def draw_sweep(name: str, campaigns: Sequence[tuple[Any, Campaign]], path: Path) -> None:
    """Draw times over the values of a field, in s; a time that does not exist leaves a gap."""
    figure, axis = pyplot.subplots(figsize=(7, 4), layout="constrained")
    values = [str(value) for value, _ in campaigns]
    for label, share in (("median", 0.5), ("99th", 0.99)):
        times = [campaign.quantile("ready_ms", share) for _, campaign in campaigns]
        axis.plot(values, [math.nan if time is None else time / 1000 for time in times], marker="o", label=label)
    axis.set(xlabel=name, ylabel="until the last is Bootstrapped, s", ylim=(0, None))
    axis.legend(frameon=False)
    save(figure, path)
