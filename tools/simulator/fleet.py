"""A roster as a scenario: its boards, its airs, and how fast its lines are. So a fleet can be tried before it is built.

A roster does not tell how much an air loses, how long a board takes to start, or how far a radio reaches. What stands here for
that is an assumption, which --set changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..fleet.agreement import DIRECT_ENDS
from ..fleet.entries import AnyTransport, EspNow, Uart, Udp
from ..fleet.reachability import Fleet, air_of, network_of
from ..fleet.roster import Roster
from ..toml.strict import made_as
from .scenario import Scenario, ScenarioError

ASSUMED = (
    "assumed: radios lose one frame in ten (--set medium.loss=0.2), serial lines spoil one in a hundred, each board hears all others on "
    "its air, and has done its own part 0.5 to 3 s after its power-on (--set cluster.start_up_ms=4000)"
)
_MEDIUM = {"loss": 0.1}  # of all airs that do not say otherwise
_RADIO = {"access": "listen", "bitrate": 1_000_000, "overhead_us": 700, "delay_ms": {"exponential": [0.5, 1.0]}}
_ACCESS_POINT = {**_RADIO, "delay_ms": {"exponential": [1.0, 3.0]}}  # it passes each frame on
_CABLE = {"loss": 0.0}
_BITS = 10  # of a byte on a serial line
_FRAMING_BYTES = 5  # the checksum, the coding and the zeros around a frame


def scenario_of(roster: Roster, path: str, changes: Sequence[str] = ()) -> Scenario:
    """Return the scenario of a roster, with changes such as "cluster.start_up_ms=4000". Its nodes are the boards in the order of their ids.

    path: of the roster, for messages. Raises ScenarioError.
    """
    boards = sorted(roster.boards, key=lambda board: board.id)
    fleet = Fleet([(board, roster.transports_of(board)) for board in boards])
    data = {"title": f"the boards of {path}", "cluster": _cluster(roster), "medium": dict(_MEDIUM), "airs": _named_once(_airs(fleet))}
    if len(boards) == 1:
        del data["airs"]
    return made_as(Scenario, Path(path), data, ScenarioError, changes)


def _cluster(roster: Roster) -> dict[str, Any]:
    fields = {
        "nodes": len(roster.boards),
        "quorum": roster.quorum_count(),
        "interval_ms": roster.pace_of("interval_ms"),
        "deadline_ms": roster.deadline_ms,
        "deadline_from_contact": roster.deadline_from_contact,
        "frames_per_minute": roster.pace_of("frames_per_minute"),
        "start_after_ms": roster.start_after_ms,
        "presence_ms": roster.presence_ms,
        "is_line_shared": roster.pace == "slow",
        "key": roster.key is not None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _airs(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """Iterate the airs with two boards or more."""
    on: dict[str, list[tuple[int, AnyTransport]]] = {}
    for i, transports in enumerate(fleet.transports):
        for each in transports:
            if not isinstance(each, Udp):
                on.setdefault(air_of(each), []).append((i, each))
    for name, ends in on.items():
        nodes = sorted({i for i, _ in ends})
        if len(nodes) > 1:
            yield {"name": name, "nodes": nodes, **_medium([each for _, each in ends], len(nodes))}
    yield from _of_udp(fleet)


def _medium(transports: Sequence[AnyTransport], count: int) -> Mapping[str, Any]:
    """Return what an air does to frames, as far as its transports tell."""
    first = transports[0]
    if isinstance(first, EspNow):
        return _RADIO
    if isinstance(first, Uart):
        byte_us = _BITS * 1_000_000 / first.baudrate
        is_bus = count > DIRECT_ENDS or any(isinstance(each, Uart) and each.direction is not None for each in transports)
        return {
            "loss": 0.0,
            "corruption": 0.01,
            "access": "blind" if is_bus else "free",
            "bitrate": first.baudrate * 8 // _BITS,
            "overhead_us": round(_FRAMING_BYTES * byte_us),
            "delay_ms": 0.1,
        }
    return _ACCESS_POINT if any(isinstance(each, Udp) and each.ssid is not None for each in transports) else _CABLE


def _of_udp(fleet: Fleet) -> Iterator[dict[str, Any]]:
    """Iterate the airs of UDP: boards that some datagrams join. Between two of them that no datagram joins, all is lost."""
    left = {i for i, transports in enumerate(fleet.transports) if any(isinstance(each, Udp) for each in transports)}
    while left:
        group, new = set(), {min(left)}
        while new:
            group |= new
            new = {each for each in left - group if any(each in fleet.datagrams[i] or i in fleet.datagrams[each] for i in new)}
        left -= group
        if len(group) > 1:
            nodes = sorted(group)
            transports = [each for i in nodes for each in fleet.transports[i] if isinstance(each, Udp)]
            deaf = [(i, sorted(group - fleet.datagrams[i] - {i})) for i in nodes]
            links = [{"sources": [i], "targets": targets, "loss": 1.0} for i, targets in deaf if targets]
            network = network_of(transports[0])
            name = "UDP" if network is None else f'UDP "{network}"'
            yield {"name": name, "nodes": nodes, "links": links, **_medium(transports, len(nodes))}


def _named_once(airs: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the airs, each with a name of its own."""
    found: list[dict[str, Any]] = []
    for air in airs:
        count = sum(each["name"].partition(" #")[0] == air["name"] for each in found)
        found.append({**air, "name": f"{air['name']} #{count + 1}" if count else air["name"]})
    return found
