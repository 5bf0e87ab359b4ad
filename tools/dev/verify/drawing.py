"""Draws storms: scenarios with every fault that the simulator knows. No two seeds are alike.

Most storms are free: whatever is drawn may stay out of order. Some have a shape, so that more can be asked of their end:

- CALM: each fault ends, or repetition overcomes it, and the airs connect all boards.
- DEPARTURE: a quorum of all. Some boards restart or go, and that is at least fifty intervals before the last board is ready.
- TOGETHER: CALM, and from two intervals before the common start on, at the latest, the air loses nothing, and nobody restarts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from ...simulator.scenario import LEAST_WITH_KEY, Scenario

CALM = "storm that calms down"
DEPARTURE = "storm in which some leave, and the last is late"
TOGETHER = "storm that is over before the common start"
REACH_M = 10.0


def storm(seed: int) -> Scenario:
    """Return a scenario with every fault that the simulator knows, small and short."""
    chance = random.Random(f"storm {seed}")
    count = chance.choices(range(2, 9), (40, 34, 12, 5, 3, 3, 3))[0]  # large ones take longest
    interval_ms = chance.choice((40, 100, 200))
    span_ms = chance.choice((4, 8, 14)) * interval_ms
    data: dict[str, Any] = {
        "title": f"storm {seed}",
        "cluster": _cluster(chance, count, interval_ms, span_ms),
        "medium": _medium(chance, count, interval_ms),
        "nodes": list(_oddities(chance, count)),
        "events": [_mishap(chance, count, span_ms) for _ in range(chance.randint(0, 4))],
        "limit_ms": 12.0 * span_ms,
    }
    if chance.random() < 0.3:  # short frames: statements take turns, from one a frame up
        data["medium"]["max_length"] = chance.choice((LEAST_WITH_KEY, 110)) if data["cluster"]["key"] else chance.choice((42, 46, 50))
    if chance.random() < (0.5 if data["cluster"]["key"] else 0.26):  # of all storms a third
        data["intruder"] = _intruder(chance, interval_ms, data["cluster"]["key"])
    _spread(data, chance, count, is_connected=seed % 2 == 0)
    if seed % 4 == 0:
        _calm(data, CALM)
    elif seed % 16 == 2:
        _depart(data, chance)
    elif seed % 8 == 6:
        _meet(data, chance, span_ms)
    return Scenario.model_validate(data)


def _cluster(chance: random.Random, count: int, interval_ms: int, span_ms: float) -> dict[str, Any]:
    return {
        "nodes": count,
        "quorum": chance.randint(1, count),
        "interval_ms": interval_ms,
        "deadline_ms": span_ms,
        "deadline_from_contact": chance.random() < 0.2,
        "frames_per_minute": chance.choice((0, 0, 600)),
        "start_after_ms": chance.choice((None, None, 0, 10 * interval_ms)),
        "presence_ms": chance.choice((None, None, 0, 6 * interval_ms)),
        "is_line_shared": chance.random() < 0.3,
        "retries": chance.choice((0, 1, 2)),
        "key": chance.random() < 0.3,
        "power_on_ms": {"uniform": [0.0, chance.choice((0.2, 1.0)) * span_ms]},
        "start_up_ms": {"uniform": [0.0, chance.choice((0.2, 0.6, 1.1)) * span_ms]},
        "drift_ppm": chance.choice((0.0, 100.0, 20000.0)),
        "poll_ms": chance.choice((5, 20)),
        "tick_bits": chance.choice((16, 29, 30)),
        "ticks_before_wrap_ms": chance.uniform(0, span_ms),
    }


def _medium(chance: random.Random, count: int, interval_ms: int) -> dict[str, Any]:
    is_one_way = chance.random() < 0.3
    return {
        "loss": chance.choice((0.0, 0.1, 0.4)),
        "duplication": chance.choice((0.0, 0.2)),
        "corruption": chance.choice((0.0, 0.1)),
        "delay_ms": chance.choice((0.5, 0.5, {"exponential": [0.1, 0.3 * interval_ms]}, {"exponential": [0.1, 5.0 * interval_ms]})),
        "access": chance.choice(("free", "free", "listen", "blind")),
        "bitrate": 250_000,
        "max_length": 250,
        "links": [{"sources": [chance.randrange(count)], "targets": [chance.randrange(count)], "loss": 1.0}] if is_one_way else [],
    }


def _intruder(chance: random.Random, interval_ms: int, has_key: bool) -> dict[str, Any]:
    """Return an intruder that plays frames back, at regular times or right behind each frame. Under a key it makes some, too."""
    when = chance.choice(({"every_ms": float(interval_ms)}, {"behind_ms": 1.0}, {"behind_ms": 0.5 * interval_ms}))
    return {**when, "kind": chance.choice(("all", "all", "old_asking")), "forges": has_key and chance.random() < 0.5}


def _spread(data: dict[str, Any], chance: random.Random, count: int, is_connected: bool) -> None:
    """Say who hears whom."""
    medium = data["medium"]
    kind = chance.choice(("all", "all", "line", "ring", "grid", "places", "airs"))
    if kind == "airs":
        data["airs"] = list(_airs(chance, count))
        medium["topology"] = "all"
    elif kind == "places":
        medium.update(topology="places", reach_m=REACH_M)
        data["cluster"]["places"] = _places(chance, count, is_connected)
    else:
        medium["topology"] = kind


def _airs(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Iterate airs that form a chain: each has a board of the one before."""
    members = chance.sample(range(count), count)
    bridge: list[int] = []
    while members:
        size = chance.randint(1, len(members))
        nodes = bridge + members[:size]
        members = members[size:]
        bridge = [chance.choice(nodes)]
        yield {"name": f"air {len(members)}", "nodes": nodes, "topology": chance.choice(("all", "all", "line"))}


def _places(chance: random.Random, count: int, is_connected: bool) -> list[list[float]]:
    """Return places at random. If they are to be connected each is near an earlier one."""
    places = [[0.0, 0.0]]
    while len(places) < count:
        near = chance.choice(places) if is_connected else places[0]
        reach_m = 0.7 * REACH_M if is_connected else 2 * REACH_M
        places.append([near[0] + chance.uniform(-reach_m, reach_m), near[1] + chance.uniform(-reach_m, reach_m)])
    return places


def _calm(data: dict[str, Any], title: str) -> None:
    """Leave those faults alone that end, or that repetition overcomes."""
    cluster = data["cluster"]
    far_ms = 2000 * cluster["interval_ms"]
    cluster.update(deadline_ms=far_ms, deadline_from_contact=False, retries=0)
    if cluster["presence_ms"]:
        cluster["presence_ms"] = None
    if data.get("airs") or data["medium"]["topology"] != "all":
        # Where all but a straggler have concluded, news of the far end comes hop by hop, question by question. Where frames are
        # lost too, that may take longer than the default of 32 intervals.
        cluster["presence_ms"] = 0
    data["medium"]["links"] = []
    data["events"] = [event for event in data["events"] if event["kind"] in ("restart", "brownout")]
    data.update(title=title, nodes=[], limit_ms=2.0 * far_ms)
    if not cluster["key"]:
        data["intruder"] = None  # what it plays back looks like a run that goes on: nothing is certain


def _depart(data: dict[str, Any], chance: random.Random) -> None:
    """Let some boards leave or restart once they are ready, and the last board be late."""
    _calm(data, DEPARTURE)
    data["intruder"] = None  # it may let a board hear again who has left: a frame that was lost there
    cluster = data["cluster"]
    count, interval_ms = cluster["nodes"], cluster["interval_ms"]
    members = chance.sample(range(count), count)
    is_back = chance.random() < 0.5
    away = {"kind": "restart"} if is_back else {"kind": "brownout", "for_ms": chance.choice((5.0, 80.0)) * interval_ms}
    if data.get("airs") or data["medium"]["topology"] != "all":
        data["medium"].update(loss=min(data["medium"]["loss"], 0.1), max_length=250)
    data["medium"]["delay_ms"] = chance.choice((0.5, {"exponential": [0.1, 0.3 * interval_ms]}))  # or nobody knows how old a statement is
    cluster.update(quorum=count, presence_ms=32 * interval_ms, power_on_ms=0.0, start_up_ms={"uniform": [0.0, 4.0 * interval_ms]})
    leavers = members[1 : 1 + chance.randint(1, 2)]
    data["events"] = [{"at_ms": chance.uniform(3, 10) * interval_ms, "nodes": leavers, **away}]
    data["nodes"] = [{"id": members[0], "start_up_ms": chance.uniform(60.0, 64.0) * interval_ms}]
    data["nodes"] += [{"id": each, "start_up_ms": {"uniform": [0.0, 120.0 * interval_ms]}} for each in leavers if is_back]


def _meet(data: dict[str, Any], chance: random.Random, span_ms: float) -> None:
    """Let all that happens be over two intervals before the earliest common start that there can be."""
    _calm(data, TOGETHER)
    over_ms = 1.5 * span_ms  # as _mishap has it
    for event in data["events"]:
        event["at_ms"] = event["at_ms"] / 1.5
    data["events"].append({"at_ms": over_ms, "kind": "calm"})
    data["cluster"]["start_after_ms"] = int(over_ms) + 1 + 2 * data["cluster"]["interval_ms"]
    data["cluster"]["drift_ppm"] = chance.choice((0.0, 100.0))


def _oddities(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Iterate nodes that are not as they should be: another quorum, somebody else's id."""
    if chance.random() < 0.2:
        yield {"id": chance.randrange(count), "quorum": chance.randint(1, count)}
    if chance.random() < 0.2:
        yield {"id": chance.randrange(count), "clone_of": chance.randrange(count)}


def _mishap(chance: random.Random, count: int, span_ms: float) -> dict[str, Any]:
    kind = chance.choice(("crash", "restart", "restart", "brownout", "brownout", "partition", "heal", "calm"))
    event: dict[str, Any] = {"at_ms": chance.uniform(0, 1.5) * span_ms, "kind": kind}
    if kind == "partition":
        members = chance.sample(range(count), count)
        cut = chance.randint(1, count - 1)
        event["groups"] = [members[:cut], members[cut:]]
    elif kind in ("crash", "restart", "brownout"):
        event["nodes"] = chance.sample(range(count), chance.randint(1, count))
        event["for_ms"] = {"uniform": [0.0, span_ms / 2]}
    return event
