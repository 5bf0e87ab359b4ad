"""The model checker: it finds nothing in the shipped machine, misses no state, and catches machines that were broken."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

import faction as f
import faction.machine
from faction.clock import Clock
from faction.node import BEACON, Node
from faction.transports.loopback import Hub
from faction.wire import READY, Checksum, Wire
from faction_tools.dev.verify import exhaustive
from faction_tools.dev.verify.exhaustive import LAST_TWO, NEWEST, Behaviour, CheckedCluster, Composition, Memory, Violation, check

SOURCE = Path(faction.machine.__file__).read_text(encoding="utf-8")


def broken(*replacements: tuple[str, str]) -> type[f.Faction]:
    """Return the machine with texts of its source replaced."""
    source = SOURCE
    for old, new in replacements:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    module = ModuleType("broken_machine")
    exec(compile(source, "broken machine.py", "exec"), module.__dict__)
    return module.Faction


@pytest.mark.parametrize(
    "cluster",
    [
        CheckedCluster(1, 1, 2),
        CheckedCluster(2, 1, 2),
        CheckedCluster(2, 2, 1),
        CheckedCluster(2, 2, 1, memory=LAST_TWO),
        CheckedCluster(3, 2),
        CheckedCluster(3, 3, 1, deadlines=False, prompt=True),
        CheckedCluster(3, 3, 1, prompt=True, merged=True),
        CheckedCluster(4, 3, prompt=True, merged=True),
    ],
    ids=str,
)
def test_the_shipped_machine_breaks_no_rule(cluster: CheckedCluster) -> None:
    coverage = exhaustive.check_cluster(cluster)
    assert coverage.cluster == cluster
    assert coverage.transitions >= coverage.states - 1 > 0


def test_the_states_of_one_member_are_those_counted_by_hand() -> None:
    """INITIAL: its beacon is sent or not. BOOTSTRAPPED: so is the one before and the one after. TIMED_OUT: as INITIAL.

    Transitions: send, complete, time out from the first, and the last two from the second; from BOOTSTRAPPED the beacon in
    the two states without it; from TIMED_OUT in one.
    """
    coverage = check(1, 1, 0)
    assert (coverage.states, coverage.transitions) == (2 + 4 + 2, 3 + 2 + 2 + 1)


def test_the_states_of_two_prompt_members_are_those_counted_by_hand() -> None:
    """Without deadlines, a member whose own part is open has heard nothing, or participation, or readiness if there is any.

    One who is done has heard nothing or participation, or is bootstrapped, with or without having heard participation.
    """
    both_open = 2 * 2
    one_done = 2 * (3 * 2)  # it cannot be bootstrapped before the other is ready
    both_done = 4 * 4
    assert check(2, 2, 0, deadlines=False, prompt=True).states == both_open + one_done + both_done


State = tuple[tuple[tuple[int, frozenset[int], frozenset[int], int, int], ...], frozenset[tuple[int, int, bool]]]


def successors(state: State, quorum: int, restarts: int) -> Iterator[State]:
    """Iterate what may follow in a cluster of two, written down once more, from the specification, with plain sets."""
    members, sent = state
    for me, (phase, pinging, collecting, run, newest) in enumerate(members):
        peer, is_open = 1 - me, phase < f.BOOTSTRAPPED
        changed = [(concluded(phase, pinging, collecting, quorum), run, newest)]
        if phase < f.COLLECTING:
            changed.append((concluded(f.COLLECTING, pinging, collecting | {me}, quorum), run, newest))
        if is_open:
            changed.append(((f.TIMED_OUT, pinging, collecting), run, newest))
        if sum(member[3] for member in members) < restarts:
            changed += [((f.INITIAL, frozenset(), frozenset()), run + 1, kept) for kept in (newest, 0)]
        for sender, heard, ready in sent:
            if sender == peer and heard >= newest:
                more = pinging | {peer} if phase < f.COLLECTING else pinging
                known = (max(phase, f.PINGING), more, collecting | {peer} if ready else collecting)
                changed.append((concluded(*known, quorum) if is_open else members[me][:3], run, heard))
        for machine, now, latest in changed:
            yield (*members[:me], (*machine, now, latest), *members[me + 1 :]), sent
        yield members, sent | {(me, run, me in collecting and phase != f.TIMED_OUT)}


def concluded(phase: int, pinging: frozenset[int], collecting: frozenset[int], quorum: int) -> tuple[int, frozenset[int], frozenset[int]]:
    return f.BOOTSTRAPPED if phase == f.COLLECTING and len(collecting) >= quorum else phase, pinging, collecting


@pytest.mark.parametrize("quorum, restarts", [(1, 0), (2, 0), (1, 1), (2, 1)])
def test_no_state_of_two_members_is_missed(quorum: int, restarts: int) -> None:
    start: State = ((f.INITIAL, frozenset(), frozenset(), 0, 0),) * 2, frozenset()
    found = {start}
    order = [start]
    transitions = 0
    for state in order:
        following = set(successors(state, quorum, restarts)) - {state}
        transitions += len(following)
        order += following - found
        found |= following
    coverage = check(2, quorum, restarts)
    assert (coverage.states, coverage.transitions) == (len(found), transitions)


@pytest.mark.parametrize(
    "whole",
    [
        CheckedCluster(2, 1, 2),
        CheckedCluster(2, 2, 2),
        CheckedCluster(2, 2, 1, memory=LAST_TWO),
        CheckedCluster(3, 2),
        CheckedCluster(3, 3),
    ],
    ids=str,
)
def test_what_is_left_out_loses_nothing_that_a_member_shows(whole: CheckedCluster) -> None:
    shown = []
    for prompt, merged in product((False, True), repeat=2):
        composition = Composition(CheckedCluster(whole.count, whole.quorum, whole.restarts, True, prompt, merged, whole.memory), f.Faction)
        composition.check()
        shown.append(composition.shown())
    assert shown[0] == shown[1] == shown[2] == shown[3]


class Silent:
    """An observer that takes the machine off its express lane, and does nothing else."""

    def observe(self, machine: f.Faction, command: int, peer_id: int, previous_state: int, result: int) -> None: ...

    def observe_query(self, machine: f.Faction) -> None: ...

    def observe_rejection(self, machine: f.Faction, command: int, peer_id: int, result: int) -> None: ...


@pytest.mark.parametrize("cluster", [CheckedCluster(2, 2, 1), CheckedCluster(3, 2)], ids=str)
def test_a_machine_that_is_watched_does_the_same(cluster: CheckedCluster) -> None:
    express = exhaustive.check_cluster(cluster)
    watched = exhaustive.check_cluster(cluster, lambda config: f.Faction(config, Silent()))
    assert (watched.states, watched.transitions) == (express.states, express.transitions)


def test_machine_states_are_merged_only_if_they_go_on_alike() -> None:
    """INITIAL; PINGING with any readiness heard, our own too; COLLECTING; BOOTSTRAPPED; TIMED_OUT after PINGING or COLLECTING."""
    behaviour = Behaviour(f.Config(0, range(2), 2), f.Faction, True)
    shown = [behaviour.views[state] for state in set(behaviour._stands_for)]
    assert len(shown) == len(set(shown)) == 1 + 4 + 1 + 1 + 5
    assert len(behaviour.views) > len(shown)


AN_ID_ANYWHERE = """            return REJECTED | NON_MEMBER
        mask = 1 << (index & 7)
        index >>= 3
        if self._bits[index] & mask:
            return REJECTED | DUPLICATE
        if add:"""
ONCE = """        if self._bits[index] & mask:
            return REJECTED | DUPLICATE
        if add:
            self._bits[index] |= mask
            self.count += 1
        return 0"""
IN_AND_OUT = """        if add:
            self._bits[index] ^= mask
            self.count += 1 if self._bits[index] & mask else -1
        return 0"""
LANE_ONCE = """        if peers._bits[index] & mask:
            return REJECTED | DUPLICATE
"""
HAS = "return self._join(peer_id, False) == REJECTED | DUPLICATE"
LOOKS = "return self.config.index(peer_id) >= 0 and self._bits[0] >> self.config.index(peer_id) & 1 == 1"
# What was heard twice is forgotten; the express lane would not, so it is closed.
FORGETFUL = (
    (ONCE, IN_AND_OUT),
    (HAS, LOOKS),
    ("        if self.observer is None:\n            if TABLE", "        if False:\n            if TABLE"),
)
ONE_MORE = ("self.collecting.count >= self.config.quorum:", "self.collecting.count > self.config.quorum:")
ONE_LESS = ("self.collecting.count >= self.config.quorum:", "self.collecting.count >= self.config.quorum - 1:")
CLOSED = "_CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED,  # "
COLLECTING = "_REFUSED,                 _READY_CHECKED, _REFUSED,                      _DEADLINE,        PROBED"

BROKEN_MACHINES = {
    "quorum one less": ([ONE_LESS], "bootstrapped is who counts a quorum"),
    "quorum one more": ([ONE_MORE], "who hears everything is bootstrapped at last"),
    "bootstrapped by others alone": (
        [("_READY = const(ACCEPTED | READY_ACCEPTED)", "_READY = const(ACCEPTED | READY_ACCEPTED | _CHECK_QUORUM)")],
        "nobody is bootstrapped before its own participation is complete",
    ),
    "BOOTSTRAPPED left": (
        [(CLOSED + "BOOTSTRAPPED", CLOSED.replace("_CLOSED,          PROBED", "_DEADLINE, PROBED"))],
        "a conclusion never changes",
    ),
    "TIMED_OUT left": ([(CLOSED + "TIMED_OUT", CLOSED.replace("_CLOSED,   ", "_LOCAL, ", 1))], "a conclusion never changes"),
    "a duplicate counted": ([(LANE_ONCE, "")], "a set counts each member once"),
    "a duplicate counted by the general way": (
        [(ONCE, ONCE.replace("self._bits[index] & mask", "not add"))],
        "a set counts each member once",
    ),
    "a stranger counted": (
        [(AN_ID_ANYWHERE, AN_ID_ANYWHERE.replace("return REJECTED | NON_MEMBER", "index = 0"))],
        "a stranger is not accepted",
    ),
    "a stranger counted on the express lane": (
        [("                return REJECTED | NON_MEMBER\n        else", "                index = 0\n        else")],
        "admits agrees with process",
    ),
    "deadline ignored": ([(COLLECTING, COLLECTING.replace("_DEADLINE", "_REFUSED"))], "the deadline concludes"),
    "ourselves not counted": (
        [("                self.collecting._join(self.config.peer_id, True)\n", "")],
        "who hears everything is bootstrapped at last",
    ),
    "another counted for us": (
        [("self.collecting._join(self.config.peer_id, True)", "self.collecting._join(self.config.peers[0], True)")],
        "nobody counts a readiness that was never claimed",
    ),
    "readiness refused": ([(COLLECTING, COLLECTING.replace("_READY_CHECKED", "_REFUSED"))], "who hears everything is bootstrapped at last"),
    "participation counted as readiness": (
        [
            (
                "            peers = self.pinging\n            result = _HEARD\n",
                "            peers = self.collecting\n            result = _HEARD\n",
            ),
            (
                "            peers = self.collecting if command else self.pinging\n            cell =",
                "            peers = self.collecting\n            cell =",
            ),
        ],
        "nobody counts a readiness that was never claimed",
    ),
    "a refusal that completes": (
        [(LANE_ONCE, LANE_ONCE.replace("return", "self.is_pinging_completed = True\n            return"))],
        "what is not accepted changes nothing",
    ),
    "admits too much": (
        [("return not self._decide(command, peer_id, False) & REJECTED", "return command == PROBE or self.state < BOOTSTRAPPED")],
        "admits agrees with process",
    ),
    "reset keeps the ready ones": (
        [("self.pinging._bits[i] = self.collecting._bits[i] = 0", "self.pinging._bits[i] = 0")],
        "a machine that was reset is as a new one",
    ),
    "reset keeps that our part is done": (
        [("        self.is_pinging_completed = False\n", "        self.is_pinging_completed = self.pinging.count > 0\n")],
        "a machine that was reset is as a new one",
    ),
    "what is heard twice is forgotten": (FORGETFUL, "nothing goes round in circles"),
    "what is heard twice is forgotten, and the quorum one more": ([*FORGETFUL, ONE_MORE], "a path leads to all bootstrapped"),
}


@pytest.mark.parametrize("name", BROKEN_MACHINES)
@pytest.mark.parametrize("merged", [False, True])
def test_a_broken_machine_is_caught(name: str, merged: bool) -> None:
    replacements, rule = BROKEN_MACHINES[name]
    with pytest.raises(Violation, match="^" + rule):
        check(2, 2, 1, merged=merged, machine=broken(*replacements))


def test_the_machine_as_it_is_passes_where_the_broken_ones_are_caught() -> None:
    assert check(2, 2, 1, machine=broken()).states == check(2, 2, 1).states


NETWORKS = {
    "earlier runs count": (Memory((0,), lambda known, run, alive: (max(run, *known),), True), 1, "no frame counts of an earlier run"),
    "unheard earlier runs count": (LAST_TWO._replace(ordered=True), 1, "no frame counts of an earlier run"),
    "a displaced run never returns": (
        LAST_TWO._replace(hear=lambda known, run, alive: LAST_TWO.hear(known, run, False)),
        1,
        "who hears everything is bootstrapped at last",
    ),
    "two dead runs displace each other": (LAST_TWO, 2, "nothing goes round in circles"),
    "nothing counts": (NEWEST._replace(hear=lambda known, run, alive: None), 0, "who hears everything is bootstrapped at last"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_broken_network_is_caught(name: str) -> None:
    memory, restarts, rule = NETWORKS[name]
    with pytest.raises(Violation, match="^" + rule):
        check(2, 2, restarts, memory=memory)


def test_the_trace_is_the_shortest() -> None:
    with pytest.raises(Violation) as caught:
        check(2, 2, 0, machine=broken(*BROKEN_MACHINES["participation counted as readiness"][0]))
    assert caught.value.trace == ["0 sends: participation, run 0", "1 hears 0: participation, run 0"]
    assert str(caught.value).splitlines() == [
        "nobody counts a readiness that was never claimed: 1 counts 0",
        "  1 0 sends: participation, run 0",
        "  2 1 hears 0: participation, run 0",
    ]


def test_more_states_than_there_are_numbers_for_are_refused() -> None:
    composition = Composition(CheckedCluster(2, 2), f.Faction)
    composition._width = 2
    with pytest.raises(OverflowError, match="member 0 can be in more than 4 states"):
        composition.check()


RUNS = (101, 202)  # the nonces of run 0 and run 1
HEARD = tuple(product((0, 1), (False, True), (1, 7)))  # a run, ready or not, once or seven times in a row


@pytest.mark.parametrize("first", HEARD, ids=str)
def test_a_node_remembers_two_runs_as_the_model_does(first: tuple[int, bool, int]) -> None:
    for rest in product(HEARD, repeat=3):
        assert_remembers([first, *rest])


def assert_remembers(heard: list[tuple[int, bool, int]]) -> None:
    """Feed a node with frames of two runs of a peer, each newer than the one before in its run; compare what counts."""
    hub = Hub(slots=8)
    config = f.Config(0, range(2), 2)
    node = Node(config, hub.join(), "x", 10000, clock=Clock(lambda: 0, 0x3FFFFFFF), seed=1)
    air, wire = hub.join(), Wire(f.Config(1, range(2), 2), "x", Checksum())
    buffer = bytearray(wire.length)
    model, known = f.Faction(config), LAST_TWO.start
    for sequence, (run, ready, times) in enumerate(heard, 1):
        counted = node.counters[BEACON]
        for repeat in range(times):
            wire.encode(buffer, READY * ready, RUNS[run], 8 * sequence + repeat)
            air.send(buffer, len(buffer))
            node.poll()
        after = LAST_TWO.hear(known, run, times == 7)
        assert (node.counters[BEACON] > counted) is (after is not None)
        if after is not None:
            known = after
            model.process(f.PARTICIPATION_OBSERVED, 1)
            if ready:
                model.process(f.READY_OBSERVED, 1)
        assert (list(node.machine.pinging), list(node.machine.collecting)) == (list(model.pinging), list(model.collecting))


def test_the_command_shows_what_was_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(exhaustive, "USUAL", [CheckedCluster(1, 1), CheckedCluster(2, 2, prompt=True, deadlines=False)])
    assert exhaustive.main([]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "of", "1", "8", "8"] in [row[:5] for row in rows]
    assert ["2", "of", "2,", "no", "deadlines,", "prompt", "32"] in [row[:7] for row in rows]


def test_the_command_fails_with_the_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(exhaustive, "FULL", [CheckedCluster(1, 1), CheckedCluster(2, 2, 1, memory=NETWORKS["earlier runs count"][0])])
    assert exhaustive.main(["--full"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 of 2, restarts 1: no frame counts of an earlier run")
    assert lines[-1] == "  6 1 hears 0: ready, run 0"
