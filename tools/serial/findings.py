"""On what several boards disagree. What many of them have in common is one finding, not one for each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from faction import BOOTSTRAPPED, TIMED_OUT

from ..wording import FEW, counted, ranges
from .report import Report, names

CONFLICTS = ("clone", "roster", "cluster", "key", "other_version")  # the kinds of Finding that lead to an exit code of 2
_ENOUGH = 3  # so many damaged frames are no accident
_MANY = 3  # more one-way links than this, of one board, are one finding


def _told(name: str) -> Callable[[Report], Any]:
    """Return a function that gives what a board says of its configuration; None: it does not tell."""
    return lambda board: board.answers.get("config", {}).get(name)


def _key(board: Report) -> str | None:
    has_key = _told("has_key")(board)
    return None if has_key is None else "a key" if has_key else "no key"


_SETTINGS = ("interval_ms", "deadline_ms", "start_after_ms", "presence_ms", "frames_per_minute")
# What boards must have in common: the kind of finding, what it is, so that its value can follow, and how a report gives it.
_EXPECTATIONS: tuple[tuple[str, str, Callable[[Report], Any]], ...] = (
    ("cluster", "cluster", _told("cluster")),
    ("roster", "quorum", _told("quorum")),
    ("roster", "boards", lambda board: ranges(board.peers)),
    ("roster", "roster check", _told("roster")),
    ("key", "", _key),
    ("other_version", "protocol version", _told("protocol")),
    ("version", "faction", _told("version")),
    *[("settings", name, _told(name)) for name in _SETTINGS],
)
# What follows from other values. It is not named where one of these differs.
_DERIVED = {"roster check": ("quorum", "boards"), "start_after_ms": ("interval_ms",), "presence_ms": ("interval_ms",)}
# The beacons of another cluster on the same channel are not a fault, so "other_cluster" is not here.
_OFFENCES = {
    "same_id": ("clone", "another board with its own id"),
    "other_expectations": ("roster", "a board with another roster or quorum, id"),
    "other_version": ("other_version", "a board that speaks another version of the protocol; deploy to all boards. It has the id"),
}


@dataclass(frozen=True)
class Finding:
    """Something on which boards disagree, or that is wrong with one. ``kind``: see tools/README.md."""

    kind: str
    text: str


def findings(boards: Sequence[Report]) -> Iterator[Finding]:
    """Iterate what is to be said of boards. All of them have answered, and they stand in the order of their ids."""
    yield from _clones(boards)
    yield from _other_expectations(boards)
    yield from _heard_of(boards)
    yield from _unreadable(boards)
    yield from _one_way(boards)
    yield from _stale_readiness(boards)
    yield from _split_verdict(boards)
    yield from _of_programs(boards)


def _clones(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards that have the same id."""
    for peer_id, count in Counter(board.peer_id for board in boards).items():
        if count > 1:
            ports = " and ".join(board.port for board in boards if board.peer_id == peer_id)
            both = "both" if count == 2 else "all"
            yield Finding("clone", f"{ports} {both} have the id {peer_id}; deploy one of them again, with an id of its own")


def _other_expectations(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name what differs in the configurations of boards, and the values on both sides."""
    differing: set[str] = set()
    for kind, what, value_of in _EXPECTATIONS:
        groups: dict[Any, list[Report]] = defaultdict(list)
        for board in boards:
            if value_of(board) is not None:
                groups[value_of(board)].append(board)
        if len(groups) > 1 and differing.isdisjoint(_DERIVED.get(what, ())):
            differing.add(what)
            for text in _differences(what, groups):
                yield Finding(kind, text)


def _differences(what: str, groups: dict[Any, list[Report]]) -> Iterator[str]:
    """Say which boards have another value than most; or if no value has a majority, who has which."""
    named = {value: f"{what} {value}".strip() for value in groups}
    usual, other, *_ = sorted(groups, key=lambda value: -len(groups[value]))
    if len(groups[usual]) == len(groups[other]):
        sides = "; ".join(f"{named[value]}: {names(group)}" for value, group in groups.items())
        yield f"{sides}; deploy all of them again, from one roster"
        return
    for value, group in groups.items():
        if value != usual:
            yield f"{names(group)}: {named[value]}, others {named[usual] if not what else usual}; deploy again"


def _heard_of(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards with a wrong configuration that others have heard. They need not be among the boards asked."""
    hearers: dict[tuple[str, int], list[Report]] = defaultdict(list)
    for board in boards:
        for offence, peer_id in board.answers.get("stats", {}).get("offenders", {}).items():
            if offence in _OFFENCES:
                hearers[offence, peer_id].append(board)
    for (offence, peer_id), group in hearers.items():
        kind, text = _OFFENCES[offence]
        yield Finding(kind, f"{names(group)} {_verb(group, 'hears')} {text} {peer_id}")


def _pairs(boards: Sequence[Report]) -> Iterator[tuple[Report, Report]]:
    """Iterate the pairs of boards that have each other in their rosters, in both orders."""
    for one in boards:
        for other in boards:
            if one.peer_id != other.peer_id and other.peer_id in one.peers and one.peer_id in other.peers:
                yield one, other


def _unreadable(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards that can read no frame of all those that they hear, as with another key."""
    deaf = [board for board in boards if not _count(board, "beacon") and _count(board, "corrupt") >= _ENOUGH]
    if deaf:
        text = "only frames that are damaged, or signed with another key; deploy again, or look for what disturbs the air"
        yield Finding("unreadable", f"{names(deaf)} {_verb(deaf, 'hears')} {text}")


def _count(board: Report, counter: str) -> int:
    return int(board.answers.get("stats", {}).get("node", {}).get(counter, 0))


def _one_way(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the links that work in one direction only. All links of a board that hears nobody, or is heard by nobody, are one finding."""
    links = [(one, other) for one, other in _pairs(boards) if one.hears(other.peer_id) and not other.hears(one.peer_id)]
    for at, say in ((1, _deaf), (0, _mute)):
        groups: dict[int, list[tuple[Report, Report]]] = defaultdict(list)
        for link in links:
            groups[id(link[at])].append(link)
        for group in groups.values():
            if len(group) > _MANY:
                yield Finding("one_way", say(group[0][at], [link[1 - at] for link in group]))
        links = [link for link in links if len(groups[id(link[at])]) <= _MANY]
    for one, other in links[: FEW if len(links) > FEW else None]:
        yield Finding("one_way", _link(one, other))
    if len(links) > FEW:
        more = counted(len(links) - FEW, "more link")
        yield Finding("one_way", f"the same is true of {more}, each is a ✗ above; look for what disturbs the air")


def _link(one: Report, other: Report) -> str:
    text = f"{one.name} hears {other.name}, but not the other way round; check antennas, channel and transmit pins"
    if other.is_told_of(one.peer_id):
        text += f", unless frames are often lost; {other.name} knows {one.name} through others"
    return text


def _deaf(board: Report, others: Sequence[Report]) -> str:
    return f"{board.name} does not hear {names(others)}, which all hear it; check its antenna, its channel and its receive pin"


def _mute(board: Report, others: Sequence[Report]) -> str:
    return f"{board.name} hears {names(others)}, which all do not hear it; check its antenna, its channel and its transmit pin"


def _stale_readiness(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards that count another one which is not ready. Before its verdict a board takes that back by itself."""
    counted: dict[tuple[int, bool], tuple[Report, list[Report]]] = {}
    for one, other in _pairs(boards):
        if one.peers[other.peer_id][3] and not other.answers["probe"]["complete"]:
            counted.setdefault((id(other), one.state in (BOOTSTRAPPED, TIMED_OUT)), (other, []))[1].append(one)
    for (_, is_concluded), (other, group) in counted.items():
        yield Finding("readiness", _counted(group, other.name, is_concluded))


def _counted(group: Sequence[Report], whom: str, is_concluded: bool) -> str:
    who = names(group)
    restarted = f"{whom} has restarted since, and is not ready yet"
    if is_concluded:
        return f"{who} counted {whom} as ready in {'its' if _is_one(group) else 'their'} verdict, but {restarted}"
    later = f"{who} withdraws that when it hears of it" if _is_one(group) else "they withdraw that when they hear of it"
    return f"{who} {_verb(group, 'counts')} {whom} as ready, but {restarted}; {later}"


def _is_one(group: Sequence[Report]) -> bool:
    return len({board.name for board in group}) == 1


def _verb(group: Sequence[Report], singular: str) -> str:
    return singular if _is_one(group) else singular.removesuffix("s")


def _split_verdict(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name both sides if some boards are Bootstrapped and others timed out."""
    bootstrapped, timed_out = ([board for board in boards if board.state == state] for state in (BOOTSTRAPPED, TIMED_OUT))
    if bootstrapped and timed_out:
        text = f"bootstrapped: {names(bootstrapped)}; timed out: {names(timed_out)}; restart those that timed out"
        yield Finding("verdict", text)


def _of_programs(boards: Iterable[Report]) -> Iterator[Finding]:
    """Name the boards whose program does not poll its node, and what programs failed with last."""
    for board in boards:
        if board.stands_still and not board.is_at_repl:
            text = "its node stands still: its program answers here, but does not call node.poll(); correct the program"
            yield Finding("still", f"{board.name}: {text}")
        if board.last_error:
            yield Finding("error", f"{board.name}: its program has failed: {board.last_error}")
