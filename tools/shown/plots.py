"""Pictures of recorded runs: the states that each board passed, and who told whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.patches import FancyArrowPatch

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, NO_PEER, PINGING, READY_OBSERVED, TIMED_OUT, WITHDRAWAL_OBSERVED
from faction.names import state_name

from ..journals.files import RecordedRun
from ..journals.steps import Step, all_peers, events
from .figure import save, stack
from .mermaid import arrows, path_of
from .palette import COLOURS, ink

PLACES = {INITIAL: (0, 0), PINGING: (2, 0), COLLECTING: (4, 0), BOOTSTRAPPED: (6, 1.4), TIMED_OUT: (6, -1.4)}
BENDS = {(INITIAL, COLLECTING): 0.35, (INITIAL, BOOTSTRAPPED): -0.3, (INITIAL, TIMED_OUT): 0.3}
INCHES_AN_EVENT = 0.22
TOLD = (
    "who told whom: thin, that it is there; thick, that it is ready; dotted, that this holds no longer; "
    "the colour is the state of who was told"
)
PATH, NO_PATH, LINE = "#222222", "#cccccc", "#bbbbbb"  # colours of what is no state


def draw_run(runs: Sequence[RecordedRun], path: Path) -> None:
    """Draw the states of each board, and below them the messages of all."""
    heights = [3.2] * len(runs) + [max(2.0, INCHES_AN_EVENT * (len(events(runs)) + 3))]
    figure, axes = stack(9, heights)
    for axis, run in zip(axes, runs):
        _draw_states(axis, run)
    _draw_messages(axes[-1], runs)
    save(figure, path)


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
        shade = COLOURS[state] if state in visited else "#ffffff"
        box = {"boxstyle": "round,pad=0.6", "facecolor": shade, "edgecolor": COLOURS[state], "linewidth": 1.5}
        axis.text(x, y, state_name(state), ha="center", va="center", color=ink(shade), bbox=box, zorder=3)


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
    axis.set_title(TOLD, loc="left")
    axis.set(xlim=(-0.9, len(places) - 0.4), ylim=(len(told) + 1, -1.2))
    axis.axis("off")
    for peer_id, x in places.items():
        axis.plot([x, x], [-0.3, len(told)], color=LINE, linewidth=0.8, zorder=0)
        for y, side in ((-0.5, "bottom"), (len(told) + 0.2, "top")):  # a long record shows only one of its ends at a time
            axis.text(x, y, names.get(peer_id, str(peer_id)), ha="center", va=side, weight="bold")
    for y, (seconds, run, step) in enumerate(told):
        axis.text(-0.85, y, f"{seconds:.2f} s", va="center", color=PATH)
        _draw_message(axis, y, places[run.config.peer_id], places, step)


def _draw_message(axis: Any, y: int, own: int, places: dict[int, int], step: Step) -> None:
    """Draw a command: an arrow from the peer that it is about, or words where it is about none."""
    if step.peer_id == NO_PEER:
        box = {"facecolor": "white", "edgecolor": PATH, "pad": 1.5}
        words = f"{step.words}: {state_name(step.state)}" if step.state >= BOOTSTRAPPED else step.words
        axis.text(own, y, words, ha="center", va="center", bbox=box)
    else:
        dots = ":" if step.command == WITHDRAWAL_OBSERVED else "-"
        width = 2 if step.command == READY_OBSERVED else 0.9
        arrow = {"arrowstyle": "-|>", "color": COLOURS[step.state], "linewidth": width, "linestyle": dots}
        axis.annotate("", (own, y), (places[step.peer_id], y), arrowprops=arrow)
        if step.state >= BOOTSTRAPPED:
            axis.text(own + 0.05, y + 0.14, state_name(step.state), color=COLOURS[step.state], weight="bold", va="top")
