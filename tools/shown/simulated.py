"""Pictures of simulated runs: one with its timeline, its airs, and who learned what through whom; and a sweep of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from faction import BOOTSTRAPPED, COLLECTING
from faction.names import state_name
from faction.wire import READY

from ..simulator.campaign import Campaign
from ..simulator.history import DIRECT, OFF, RELAYED, convergence, tellers
from .campaign import SURE
from .figure import mosaic, save, stack
from .graph import draw_graph, height_of
from .palette import COLOURS, OFF_COLOUR, OWN_COLOUR, START_COLOUR, UNKNOWN_COLOUR, WAY_COLOURS

WIDTH = 10  # inches
QUANTILES = {"median": 0.5, "99th percentile": 0.99}  # of a sweep
ARROW = "An arrow: no upper bound, because the runs are too few or some never get there"
MOST_NAMED = 40  # nodes of which each is named, and each teller
WIDEST = 4.2  # inches of a square that shows each node and each other
SECONDS = "time, s"
LEGEND: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False}


def draw_history(run: dict[str, Any], path: Path) -> None:
    """Draw a simulated run: what every node did, how many were ready when, who hears whom, and who learned what through whom."""
    count = len(run["ids"])
    side = max(3.0, min(WIDEST, 0.2 * count))
    rows = [
        (["timeline"], max(2.5, 0.2 * count)),
        (["convergence"], 2.2),
        (["graph"], height_of(run, WIDTH)),
        (["heard", "through"], side),
    ]
    figure, axes = mosaic(WIDTH, rows, title=1)
    _draw_timeline(axes["timeline"], run)
    _draw_convergence(axes["convergence"], run)
    draw_graph(axes["graph"], run)
    _draw_heard(axes["heard"], run)
    _draw_through(axes["through"], run)
    figure.suptitle(f"{run['title']}, seed {run['seed']}")
    save(figure, path)


def _draw_timeline(axis: Any, run: dict[str, Any]) -> None:
    """Draw a bar for each node, with a colour for each state and a mark for each frame and for the common start."""
    changes: list[list[tuple[float, int]]] = [[] for _ in run["ids"]]
    for at, index, state in run["changes"]:
        changes[index].append((at / 1000, state))
    for index, own in enumerate(changes):
        ends = [at for at, _ in own[1:]] + [run["end"] / 1000]
        spans = [(at, end - at) for (at, _), end in zip(own, ends)]
        axis.broken_barh(spans, (index - 0.4, 0.8), facecolors=[COLOURS.get(state, OFF_COLOUR) for _, state in own])
    for ready, colour in ((0, "white"), (READY, "black")):
        marks = [(at / 1000, index) for at, index, flags, _ in run["frames"] if flags & READY == ready]
        axis.scatter([at for at, _ in marks], [index for _, index in marks], marker="|", s=30, color=colour, linewidth=0.8)
    starts = [at / 1000 for at, _ in run["starts"]], [index for _, index in run["starts"]]
    axis.scatter(*starts, marker=">", s=30, color=START_COLOUR, edgecolors="white", linewidths=0.6, zorder=3)
    axis.set(yticks=range(len(run["ids"])), yticklabels=run["ids"], xlabel=SECONDS, ylabel="node", xlim=(0, _end(run)))
    axis.set_ylim(len(run["ids"]) - 0.5, -0.5)
    axis.legend(handles=_keys(run), ncols=8, columnspacing=1.2, **LEGEND)


def _keys(run: dict[str, Any]) -> list[Any]:
    """Return what the legend of a timeline explains: the states, and the marks that it has."""
    keys: list[Any] = [Patch(color=colour, label=state_name(state)) for state, colour in COLOURS.items()]
    if any(state == OFF for _, _, state in run["changes"]):
        keys.append(Patch(color=OFF_COLOUR, label=run["states"][OFF]))
    for marker, colour, label, is_there in (("|", "black", "frame", run["frames"]), (">", START_COLOUR, "goes on", run["starts"])):
        if is_there:
            keys.append(Line2D([], [], marker=marker, linestyle="", color=colour, label=label))
    return keys


def _end(run: dict[str, Any]) -> float:
    """Return when a run ended, in s; a time axis must not be empty."""
    return float(run["end"] / 1000) or 1.0


def _draw_convergence(axis: Any, run: dict[str, Any]) -> None:
    """Draw how many nodes had completed their own part, and how many were Bootstrapped; and when the first one went on."""
    for (name, curve), colour in zip(convergence(run).items(), (COLOURS[COLLECTING], COLOURS[BOOTSTRAPPED])):
        points = [*curve, (run["end"], curve[-1][1])]
        axis.step([at / 1000 for at, _ in points], [number for _, number in points], where="post", label=name, color=colour)
    if run["starts"]:
        axis.axvline(min(run["starts"])[0] / 1000, color=START_COLOUR, linestyle="--", linewidth=1, label="the common start")
    axis.set(xlabel=SECONDS, ylabel="nodes", xlim=(0, _end(run)), ylim=(0, len(run["ids"]) * 1.05))
    axis.legend(ncols=3, **LEGEND)


def _draw_heard(axis: Any, run: dict[str, Any]) -> None:
    """Draw how many frames of each sender have reached each receiver, on all airs."""
    heard = [[0] * len(run["ids"]) for _ in run["ids"]]
    for air in run["airs"]:
        for sender, receiver, frames in air["links"]:
            heard[receiver][sender] += frames
    shown = axis.imshow(heard, cmap="Greens")
    axis.set(xlabel="sender", ylabel="receiver", title="frames that arrived")
    beside = axis.inset_axes([1.04, 0, 0.06, 1])  # as high as the squares, whatever room there is
    axis.figure.colorbar(shown, cax=beside, ticks=MaxNLocator(integer=True))


def _draw_through(axis: Any, run: dict[str, Any]) -> None:
    """Draw through whom each node learned of each readiness that it counts in the end."""
    peers = sorted(set(run["ids"]))
    cells = [[0] * len(peers) for _ in run["ids"]]
    for (index, peer_id), teller in tellers(run).items():
        cells[index][peers.index(peer_id)] = DIRECT if teller == peer_id else RELAYED
        if teller != peer_id and len(run["ids"]) <= MOST_NAMED:
            axis.text(peers.index(peer_id), index, str(teller), ha="center", va="center", size=5)
    for index, peer_id in enumerate(run["ids"]):
        cells[index][peers.index(peer_id)] = RELAYED + 1
    colours = [UNKNOWN_COLOUR, *WAY_COLOURS, OWN_COLOUR]
    axis.imshow(cells, cmap=ListedColormap(colours), vmin=0, vmax=RELAYED + 1)
    axis.set(xlabel="whose readiness", ylabel="who counts it")
    told = {DIRECT: "the node itself", RELAYED: "another, named there" if len(run["ids"]) <= MOST_NAMED else "another", 0: "nobody"}
    there = {way for row in cells for way in row}
    keys = [Patch(facecolor=colours[way], edgecolor="#999999", label=words) for way, words in told.items() if way in there]
    axis.legend(handles=keys, title="told by", ncols=3, columnspacing=1.2, **LEGEND)


def draw_sweep(name: str, campaigns: Sequence[tuple[Any, Campaign]], path: Path) -> None:
    """Draw times over the values of a field, in s, with their bounds; a time that does not exist leaves a gap."""
    figure, (axis,) = stack(7, [4.4])
    done = [campaign for _, campaign in campaigns]
    runs = min(len(campaign.outcomes) for campaign in done)
    measured = [campaign.quantile("ready_ms", share) or 0.0 for campaign in done for share in QUANTILES.values()]
    top = 1.15 * (max(measured) / 1000 or 1.0)
    for position, (label, share) in enumerate(QUANTILES.items()):
        _draw_quantile(axis, label, [_interval(campaign, share) for campaign in done], top, 0.06 * position)
    axis.set_xticks(range(len(done)), [str(value) for value, _ in campaigns])
    without = any(campaign.at_most("ready_ms", share) is None for campaign in done for share in QUANTILES.values())
    bars = f"{runs:,} runs or more for each value. Bars: {SURE} certain not below, {SURE} certain not above"
    figure.suptitle(f"{bars}\n{ARROW}" if without else bars)
    axis.set(xlabel=name, ylabel="until the last is Bootstrapped, s", ylim=(0, top))
    axis.legend(ncols=len(QUANTILES), **LEGEND)
    save(figure, path)


def _interval(campaign: Campaign, share: float) -> tuple[float, float, float]:
    """Return (lower bound, measured, upper bound) of a quantile, in s; what there is not is 0, not a number, or infinity."""
    low, high = campaign.at_least("ready_ms", share), campaign.at_most("ready_ms", share)
    return (low or 0.0) / 1000, _seconds(campaign.quantile("ready_ms", share)), (math.inf if high is None else high) / 1000


def _draw_quantile(axis: Any, label: str, found: Sequence[tuple[float, float, float]], top: float, shift: float) -> None:
    """Draw the measured values as points, and their bounds as bars; as an arrow to the top where there is no upper bound."""
    places = [place + shift for place in range(len(found))]
    (line,) = axis.plot(places, [value for _, value, _ in found], marker="o", markersize=4, label=label)
    for place, (low, value, high) in zip(places, found):
        if not math.isnan(value):
            ways = [[value - low], [min(high, top) - value]]
            axis.errorbar(place, value, ways, color=line.get_color(), capsize=4, linewidth=1)
            if high == math.inf:
                axis.plot(place, 0.985 * top, marker="^", color=line.get_color(), markersize=7, clip_on=False)


def _seconds(milliseconds: float | None) -> float:
    return math.nan if milliseconds is None else milliseconds / 1000
