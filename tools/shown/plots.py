"""Pictures by matplotlib: of recorded runs the states passed and who told whom; of simulated ones the timeline of every node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, NO_PEER, PINGING, READY_OBSERVED, TIMED_OUT
from faction.names import state_name
from faction.wire import READY

from ..journals.files import RecordedRun
from ..journals.steps import Step, all_peers, events
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
DOTS_AN_INCH = 120
MOST_DOTS = 60_000  # in either direction; matplotlib refuses more than 65,535
PATH, NO_PATH, LINE = "#222222", "#cccccc", "#bbbbbb"  # colours of what is no state


def save(figure: Any, path: Path) -> None:
    """Write a figure, the same bytes every time. One that is very large is drawn with fewer dots."""
    dots = min(DOTS_AN_INCH, MOST_DOTS / max(figure.get_size_inches()))
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None, dpi=dots)
    pyplot.close(figure)


def draw_run(runs: Sequence[RecordedRun], path: Path) -> None:
    """Draw the states of each board, and below them the messages of all."""
    heights = [3.2] * len(runs) + [max(2.0, INCHES_AN_EVENT * (len(events(runs)) + 3))]
    figure, axes = _stack(9, heights)
    for axis, run in zip(axes, runs):
        _draw_states(axis, run)
    _draw_messages(axes[-1], runs)
    save(figure, path)


def _stack(width: float, heights: Sequence[float], title: float = 0) -> tuple[Any, Sequence[Any]]:
    """Return a figure with axes below each other, and these axes. All sizes are in inches; title: the room for one above them."""
    sizes: dict[str, Any] = {"figsize": (width, sum(heights) + title), "gridspec_kw": {"height_ratios": heights}}
    figure, axes = pyplot.subplots(len(heights), layout="constrained", squeeze=False, **sizes)
    return figure, list(axes[:, 0])


def _draw_states(axis: Any, run: RecordedRun) -> None:
    """Draw the state diagram, with the numbers of the commands that took an arrow."""
    ways = path_of(run)
    visited = {INITIAL, *[state for way in ways for state in way]}
    axis.set_title(f"{run.name}: the numbers are those of its commands", loc="left")
    axis.set(xlim=(-0.8, 7), ylim=(-2.1, 2.1), aspect="equal")  # the numbers find the bends only if both axes have one scale
    axis.axis("off")
    for way in arrows():
        _draw_arrow(axis, way, ways.get(way, []))
    for state, (x, y) in PLACES.items():
        shade = COLOURS[state] if state in visited else "white"
        box = {"boxstyle": "round,pad=0.6", "facecolor": shade, "edgecolor": COLOURS[state], "linewidth": 1.5}
        axis.text(x, y, state_name(state), ha="center", va="center", bbox=box, zorder=3)


def _draw_arrow(axis: Any, way: tuple[int, int], numbers: list[int]) -> None:
    """Draw an arrow from state to state, thick if a command took it."""
    (x, y), (to_x, to_y) = PLACES[way[0]], PLACES[way[1]]
    is_loop = way[0] == way[1]
    bend = BENDS.get(way, 0.0)
    start, end = ((x - 0.3, y + 0.25), (x + 0.3, y + 0.25)) if is_loop else ((x, y), (to_x, to_y))
    shape: dict[str, Any] = {"connectionstyle": f"arc3,rad={-1.3 if is_loop else bend}", "arrowstyle": "-|>", "mutation_scale": 11}
    shrink = 0 if is_loop else 28
    line: dict[str, Any] = {"color": PATH, "linewidth": 1.6, "zorder": 2} if numbers else {"color": NO_PATH, "linewidth": 0.8, "zorder": 1}
    axis.add_patch(FancyArrowPatch(start, end, shrinkA=shrink, shrinkB=shrink, **shape, **line))
    if numbers:
        across = bend * 0.5
        middle = (x, y + 0.68) if is_loop else ((x + to_x) / 2 + across * (to_y - y), (y + to_y) / 2 - across * (to_x - x) + 0.12)
        axis.text(*middle, _numbers(numbers), ha="center", va="bottom", weight="bold", zorder=4)


def _numbers(numbers: list[int]) -> str:
    """Write the numbers of commands, of many the first and the last."""
    return ", ".join(map(str, numbers)) if len(numbers) < 5 else f"{numbers[0]} … {numbers[-1]}"


def _draw_messages(axis: Any, runs: Sequence[RecordedRun]) -> None:
    """Draw a line for each board and an arrow for each message, in order of time."""
    names = {run.config.peer_id: run.name for run in runs}
    places = {peer_id: x for x, peer_id in enumerate(all_peers(runs))}
    told = events(runs)
    axis.set_title("who told whom: thin, that it is there; thick, that it is ready", loc="left")
    axis.set(xlim=(-0.9, len(places) - 0.4), ylim=(len(told) + 0.5, -1.2))
    axis.axis("off")
    for peer_id, x in places.items():
        axis.plot([x, x], [-0.3, len(told)], color=LINE, linewidth=0.8, zorder=0)
        axis.text(x, -0.5, names.get(peer_id, str(peer_id)), ha="center", va="bottom", weight="bold")
    for y, (seconds, run, step) in enumerate(told):
        axis.text(-0.85, y, f"{seconds:.2f} s", va="center", color=PATH)
        _draw_message(axis, y, places[run.config.peer_id], places, step)


def _draw_message(axis: Any, y: int, own: int, places: dict[int, int], step: Step) -> None:
    """Draw a command: an arrow from the peer that it is about, or words where it is about none."""
    if step.peer_id == NO_PEER:
        box = {"facecolor": "white", "edgecolor": PATH, "pad": 1.5}
        axis.text(own, y, step.words, ha="center", va="center", bbox=box)
    else:
        arrow = {"arrowstyle": "-|>", "color": COLOURS[step.state], "linewidth": 2 if step.command == READY_OBSERVED else 0.9}
        axis.annotate("", (own, y), (places[step.peer_id], y), arrowprops=arrow)
    if step.state >= BOOTSTRAPPED:
        axis.text(own + 0.05, y + 0.1, state_name(step.state), color=COLOURS[step.state], weight="bold", va="top")


def draw_history(run: dict[str, Any], path: Path) -> None:
    """Draw a simulated run: the states and frames of every node, how many nodes were ready when, and who heard whom."""
    count = len(run["ids"])
    heights = [max(2.5, 0.2 * count), 2.2, max(3.0, min(8.0, 0.22 * count))]
    figure, axes = _stack(10, heights, title=1)
    _draw_timeline(axes[0], run)
    _draw_convergence(axes[1], run)
    _draw_heard(figure, axes[2], run)
    figure.suptitle(f"{run['title']}, seed {run['seed']}")
    save(figure, path)


def _draw_timeline(axis: Any, run: dict[str, Any]) -> None:
    """Draw a bar for each node, with a colour for each state and a mark for each frame."""
    changes: list[list[tuple[float, int]]] = [[] for _ in run["ids"]]
    for at, index, state in run["changes"]:
        changes[index].append((at / 1000, state))
    for index, own in enumerate(changes):
        ends = [at for at, _ in own[1:]] + [run["end"] / 1000]
        spans = [(at, end - at) for (at, _), end in zip(own, ends)]
        axis.broken_barh(spans, (index - 0.4, 0.8), facecolors=[COLOURS.get(state, OFF_COLOUR) for _, state in own])
    for ready, colour in ((0, "white"), (READY, "black")):
        marks = [(at / 1000, index) for at, index, flags in run["frames"] if flags & READY == ready]
        axis.scatter([at for at, _ in marks], [index for _, index in marks], marker="|", s=30, color=colour, linewidth=0.8)
    axis.set(yticks=range(len(run["ids"])), yticklabels=run["ids"], xlabel="s", ylabel="node", xlim=(0, run["end"] / 1000))
    axis.set_ylim(len(run["ids"]) - 0.5, -0.5)
    _draw_legend(axis)


def _draw_legend(axis: Any) -> None:
    """Say which colour is which state."""
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    names = [state_name(state) for state in COLOURS]
    axis.legend(handles, names, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.02), frameon=False)


def _draw_convergence(axis: Any, run: dict[str, Any]) -> None:
    """Draw how many nodes had completed their own part, and how many were Bootstrapped."""
    for (name, curve), colour in zip(convergence(run).items(), (COLOURS[COLLECTING], COLOURS[BOOTSTRAPPED])):
        points = [*curve, (run["end"], curve[-1][1])]
        axis.step([at / 1000 for at, _ in points], [number for _, number in points], where="post", label=name, color=colour)
    axis.set(xlabel="s", ylabel="nodes", xlim=(0, run["end"] / 1000), ylim=(0, len(run["ids"]) * 1.05))
    axis.legend(loc="lower right", frameon=False)


def _draw_heard(figure: Any, axis: Any, run: dict[str, Any]) -> None:
    """Draw how many frames of each sender have reached each receiver."""
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
