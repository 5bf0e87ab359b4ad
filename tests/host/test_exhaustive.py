"""The model checker: it finds nothing in the shipped package, misses no state, and catches members that were broken."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import faction as f
import faction.machine
import faction.peers
from faction.node import Node
from faction_tools.dev.verify import exhaustive
from faction_tools.dev.verify.exhaustive import LINE, PAIR, TRIANGLE, CheckedCluster, Composition, Coverage, check_cluster
from faction_tools.dev.verify.machine_states import Behaviour, check_machine
from faction_tools.dev.verify.member import Parts
from faction_tools.dev.verify.rules import Violation

MACHINE = Path(faction.machine.__file__)
PEERS = Path(faction.peers.__file__)
NO_WAY = "a path leads to all bootstrapped"
RULES = CheckedCluster(2, 2, PAIR, restarts=1, deadlines=True)  # in which a broken machine is caught
in_full = pytest.mark.skipif(not os.environ.get("FULL"), reason="FULL=1: a minute")


def broken(path: Path, *replacements: tuple[str, str]) -> ModuleType:
    """Return a module of the package with texts of its source replaced."""
    source = path.read_text(encoding="utf-8")
    for old, new in replacements:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    module = ModuleType("broken")
    exec(compile(source, f"broken {path.name}", "exec"), module.__dict__)
    return module


def check(parts: Parts, cluster: CheckedCluster = RULES) -> Coverage:
    check_machine(f.Config(0, range(2), 2), parts.machine)
    return check_cluster(cluster, parts)


@pytest.mark.parametrize(
    "cluster",
    [
        CheckedCluster(1, 1),
        RULES,
        CheckedCluster(2, 1, PAIR, restarts=2),
        CheckedCluster(2, 2, PAIR, restarts=1, unit=1),
        CheckedCluster(2, 2, PAIR, restarts=1, presence_ms=3),
        CheckedCluster(3, 3, LINE, staggered=True, coarse=True),
        CheckedCluster(3, 2, TRIANGLE, coarse=True),
    ],
    ids=str,
)
def test_the_shipped_members_break_no_rule(cluster: CheckedCluster) -> None:
    coverage = check_cluster(cluster)
    assert coverage.cluster == cluster
    assert coverage.transitions >= coverage.states - 1 > 0


@pytest.mark.parametrize("graph", exhaustive.GRAPHS, ids=str)
def test_a_way_leads_to_all_bootstrapped_on_every_graph_of_four(graph: exhaustive.Edges) -> None:
    assert check_cluster(CheckedCluster(4, 4, graph, coarse=True)).states > 300


def test_the_graphs_are_all_that_there_are() -> None:
    """There are 6 connected graphs of four members, and 21 of five; a test of isomorphism is that of the symmetries."""
    for graphs, count, known in ((exhaustive.GRAPHS, 4, 6), (exhaustive.GRAPHS_OF_FIVE, 5, 21)):
        kinds = {frozenset(exhaustive.renumbered(graph, count)) for graph in graphs}
        assert len(graphs) == len(kinds) == known


def test_the_states_of_one_member_are_those_counted_by_hand() -> None:
    """Not complete, bootstrapped, timed out."""
    coverage = check_cluster(CheckedCluster(1, 1, deadlines=True))
    assert (coverage.states, coverage.transitions) == (3, 2)


def test_the_states_of_two_members_are_those_counted_by_hand() -> None:
    """Members are placed alike, and it does not matter when one was heard, but that it was.

    None is complete, and none has heard the other, or one, or both. One is complete, and the other has heard nothing, or has
    heard it before, or knows that it is ready. Both are, and none, one or both have heard that.
    """
    assert check_cluster(CheckedCluster(2, 2, PAIR, coarse=True)).states == 3 + 3 + 3


@pytest.mark.parametrize(
    "reduced",
    [
        replace(RULES, restarts=0),
        pytest.param(RULES, marks=in_full),
        CheckedCluster(2, 1, PAIR, restarts=1, coarse=True),
        CheckedCluster(2, 2, PAIR, restarts=1, presence_ms=2, coarse=True),
        pytest.param(CheckedCluster(3, 3, LINE), marks=in_full),
    ],
    ids=str,
)
def test_what_is_left_out_loses_nothing_that_a_member_shows(reduced: CheckedCluster) -> None:
    shown = []
    for cluster in (reduced, replace(reduced, reduced=False)):
        composition = Composition(cluster, Parts())
        composition.check()
        shown.append(composition.shown())
    assert shown[0] == shown[1]


class Silent:
    """An observer that takes the machine off its express lane, and does nothing else."""

    def observe(self, machine: f.Faction, command: int, peer_id: int, previous_state: int, result: int) -> None: ...

    def observe_query(self, machine: f.Faction) -> None: ...

    def observe_rejection(self, machine: f.Faction, command: int, peer_id: int, result: int) -> None: ...


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_machine_that_is_watched_does_the_same(count: int) -> None:
    for quorum in range(1, count + 1):
        config = f.Config(0, range(count), quorum)
        express, watched = Behaviour(config, f.Faction), Behaviour(config, lambda config: f.Faction(config, Silent()))
        assert express.check() == watched.check()
        assert set(express.views) == set(watched.views)


def test_the_states_of_the_machine_of_two_are_those_counted_by_hand() -> None:
    """Quorum 2. INITIAL. PINGING: of four sets of participants and four of ready ones, all but those with nobody in either.

    COLLECTING: we count ourselves alone, with any participants. BOOTSTRAPPED: we count both. TIMED_OUT: from all of these but the last.
    A withdrawal of the other may leave PINGING with nobody in either set.
    """
    pinging = 4 * 4
    assert check_machine(f.Config(0, range(2), 2))[0] == 1 + pinging + 4 + 4 + (pinging + 4)


AN_ID_ANYWHERE = """            return REJECTED | NON_MEMBER
        mask = 1 << (index & 7)
        index >>= 3
        result = """
FREE = "if step and (step > 0) == (result == 0):"
ONCE = f"""        {FREE}
            self._bits[index] ^= mask
            self.count += step
        return result"""
IN_AND_OUT = """        if step and (step > 0 or result):
            self._bits[index] ^= mask
            self.count += 1 if self._bits[index] & mask else -1
        return result if step < 0 else 0"""
HAS = "return self._join(peer_id, 0) == REJECTED | DUPLICATE"
LOOKS = "return self.config.index(peer_id) >= 0 and self._bits[0] >> self.config.index(peer_id) & 1 == 1"
LANE_ONCE = """        if bits[index] & mask:
            return REJECTED | DUPLICATE
"""
# What was heard twice is forgotten; the express lane would not, so it is closed.
FORGETFUL = (
    (ONCE, IN_AND_OUT),
    (HAS, LOOKS),
    ("        if self.observer is None:\n            cell", "        if False:\n            cell"),
)
ONE_MORE = ("self.collecting.count >= self.config.quorum:", "self.collecting.count > self.config.quorum:")
ONE_LESS = ("self.collecting.count >= self.config.quorum:", "self.collecting.count >= self.config.quorum - 1:")
CLOSED = "_CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED, _CLOSED,     # "
COLLECTING = "_REFUSED,                 _READY_CHECKED, _REFUSED,                      _DEADLINE,        PROBED, _WITHDRAWN"
WITHDRAW = "command = self.pinging._join(peer_id, -step) | self.collecting._join(peer_id, -step)"
TAKEN_BACK = "a withdrawal takes back what was observed of another member, and nothing else"

BROKEN_MACHINES = {
    "quorum one less": ([ONE_LESS], "bootstrapped is who counts a quorum"),
    "quorum one more": ([ONE_MORE], NO_WAY),
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
        [(ONCE, ONCE.replace("(step > 0) == (result == 0)", "(step > 0 or result)"))],
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
        [("                self.collecting._join(self.config.peer_id, 1)\n", "")],
        NO_WAY,
    ),
    "another counted for us": (
        [("self.collecting._join(self.config.peer_id, 1)", "self.collecting._join(self.config.peers[0], 1)")],
        "nobody counts a readiness that was never claimed",
    ),
    "readiness refused": ([(COLLECTING, COLLECTING.replace("_READY_CHECKED", "_REFUSED"))], NO_WAY),
    "participation counted as readiness": (
        [
            (
                "            peers = self.pinging\n        else:\n            return self._step",
                "            peers = self.collecting\n        else:\n            return self._step",
            ),
            (
                "                peers = self.collecting if command else self.pinging\n                cell =",
                "                peers = self.collecting\n                cell =",
            ),
        ],
        "nobody counts a readiness that was never claimed",
    ),
    "a refusal that completes": (
        [(LANE_ONCE, LANE_ONCE.replace("return", "self.is_pinging_completed = True\n            return"))],
        "what is not accepted changes nothing",
    ),
    "admits too much": (
        [("return not self._decide(command, peer_id, 0) & REJECTED", "return command == PROBE or self.state < BOOTSTRAPPED")],
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
    "what is heard twice is forgotten": (FORGETFUL, "nothing but a withdrawal takes a member out of a set"),
    "a withdrawal of readiness alone": (
        [(WITHDRAW, WITHDRAW.replace("pinging._join(peer_id, -step)", "pinging._join(peer_id, 0)"))],
        TAKEN_BACK,
    ),
    "a withdrawal of participation alone": (
        [(WITHDRAW, WITHDRAW.replace("collecting._join(peer_id, -step)", "collecting._join(peer_id, 0)"))],
        TAKEN_BACK,
    ),
    "a withdrawal that adds": ([(WITHDRAW, WITHDRAW.replace("-step", "step"))], "what is not accepted changes nothing"),
    "a withdrawal of ourselves": ([("if peer_id == self.config.peer_id:", "if peer_id < 0:")], TAKEN_BACK),
    "a withdrawal of nothing": ([("command or REJECTED | NOTHING_OBSERVED", "command or cell")], TAKEN_BACK),
    "a withdrawal that leads back": (
        [("_WITHDRAWN = const(ACCEPTED | WITHDRAWAL_ACCEPTED)", "_WITHDRAWN = const(ACCEPTED | WITHDRAWAL_ACCEPTED | PINGING << _NEXT)")],
        TAKEN_BACK,
    ),
    "withdrawals refused while collecting": ([(COLLECTING, COLLECTING.replace("_WITHDRAWN", "_REFUSED"))], TAKEN_BACK),
}


@pytest.mark.parametrize("name", BROKEN_MACHINES)
def test_a_broken_machine_is_caught(name: str) -> None:
    replacements, rule = BROKEN_MACHINES[name]
    with pytest.raises(Violation, match="^" + rule):
        check(Parts(machine=broken(MACHINE, *replacements).Faction))


ROUNDED = CheckedCluster(3, 3, LINE, unit=1, coarse=True)
ROUNDED_UP = "age = late - said[i] >> unit"
TAKEN_IN = "        said[self.own] = now\n"
LATER = "known += 2 << wire.unit"
OWN_WORD = "                marks |= _TAKES_BACK\n"
STAGGERED = CheckedCluster(3, 3, LINE, staggered=True, coarse=True)
RESTARTED = CheckedCluster(3, 3, LINE, restarts=1, coarse=True)

# What is done wrong, the rule that it breaks, and where.
BROKEN_PEERS = {
    "an age rounded down": (
        (ROUNDED_UP, "age = self.now - said[i] >> unit"),
        "what is relayed never gets younger",
        ROUNDED,
    ),
    "a relay that makes a statement younger": (
        (ROUNDED_UP, "age = max(0, -(said[i] - self.now + 1 >> unit))"),
        "what is relayed never",
        RESTARTED,
    ),
    "a relay that knows no age": ((ROUNDED_UP, "age = 0"), "what is", STAGGERED),
    "a statement of before our run counted": (
        ("            if at >= self.start:\n", "            if True:\n"),
        "nobody counts what was said before its own run began",
        STAGGERED,
    ),
    "a statement about ourselves believed": (
        (TAKEN_IN, "        pass\n"),
        "nobody believes what is said about itself",
        STAGGERED,
    ),
    "a withdrawal that is never made": ((OWN_WORD, "                pass\n"), "a readiness that its owner has taken back", RULES),
    "a withdrawal made from what rounding can do": (
        (LATER, "known += 0"),
        "only what was taken back is withdrawn",
        replace(RESTARTED, edges=TRIANGLE),
    ),
    "a withdrawal made from any statement": (
        (
            ("if said > known and self.now - said", "if said > (self.now if index == self.own else _NEVER) and self.now - said"),
            ("if now - self.said[index] > age << unit:", "if index != self.own:"),
        ),
        "only a later statement|only what was taken back",
        replace(RESTARTED, edges=TRIANGLE),
    ),
    "a restart that keeps statements": (
        (
            "            self.marks[i] &= ~(_READY | _ASKS | _TAKES_BACK | _UNTOLD)\n            self.said[i] = self.heard[i] = _NEVER\n",
            "            pass\n",
        ),
        "a new run knows nothing of the one before",
        RULES,
    ),
    "a frame that counts before all of it is taken in": (
        (
            "        self._skim(index,",
            "        self.observe()\n        self._skim(index,",
        ),
        "a readiness that its owner has taken back",
        RESTARTED,
    ),
    "a readiness that is not relayed": (
        ("| (self.marks[i] & _READY) << 6", "| (i == self.own) * (self.marks[i] & _READY) << 6"),
        "what is known",
        STAGGERED,
    ),
    "nothing is relayed": ((ROUNDED_UP, "age = 0 if i == self.own else _NO_AGE"), NO_WAY, STAGGERED),
    "silence that withdraws nobody": (
        ("if said < self.now - self.presence_ms:", "if said < self.now - 2 * self.presence_ms:"),
        "who is silent is forgotten",
        CheckedCluster(2, 2, PAIR, presence_ms=2),
    ),
}


@pytest.mark.parametrize("name", BROKEN_PEERS)
def test_broken_peers_are_caught(name: str) -> None:
    texts, rule, cluster = BROKEN_PEERS[name]
    replacements = texts if isinstance(texts[0], tuple) else (texts,)
    with pytest.raises(Violation, match=f"^({rule})"):
        check(Parts(peers=broken(PEERS, *replacements).Peers), cluster)


def test_a_node_that_claims_what_is_not_true_is_caught() -> None:
    class Boaster(Node):
        def _write(self) -> None:
            self.peers.marks[self.peers.own] = 2
            super()._write()

    with pytest.raises(Violation, match="^a frame says what is true of its sender"):
        check(Parts(node=Boaster))


def test_a_node_that_still_claims_after_its_deadline_is_caught() -> None:
    class Stubborn(Node):
        def _close(self) -> None:
            ready = self.peers.marks[self.peers.own]
            super()._close()
            self.peers.marks[self.peers.own] = ready

    with pytest.raises(Violation, match="^a frame says what is true of its sender"):
        check(Parts(node=Stubborn))


def test_members_as_they_are_pass_where_the_broken_ones_are_caught() -> None:
    parts = Parts(machine=broken(MACHINE).Faction, peers=broken(PEERS).Peers)
    assert check(parts).states == check(Parts()).states
    check_cluster(RESTARTED)
    # make verify looks at these, and at the shipped members in the largest of them.
    assert {ROUNDED, STAGGERED, replace(RESTARTED, edges=TRIANGLE)} <= set(exhaustive.USUAL)


@in_full
def test_frames_that_come_late_displace_nobody_for_ever() -> None:
    """Seven frames of a run that a late one displaced bring it back; if they never did, there would be no way on."""
    late = CheckedCluster(2, 2, PAIR, restarts=1, late_ms=1, coarse=True)
    assert check_cluster(late).states > 1000
    never = broken(PEERS, ("            marks += _DOUBT\n", "            marks |= _DOUBT\n")).Peers
    with pytest.raises(Violation, match="^" + NO_WAY):
        check_cluster(late, Parts(peers=never))


def test_the_trace_is_the_shortest() -> None:
    with pytest.raises(Violation) as caught:
        check_cluster(RULES, Parts(peers=broken(PEERS, BROKEN_PEERS["a withdrawal that is never made"][0]).Peers))
    assert str(caught.value).splitlines() == [
        "a readiness that its owner has taken back counts no longer: that of 0",
        "  1 0 completes",
        "  2 1 hears 0",
        "  3 0 misses its deadline",
        "  4 1 hears 0",
    ]


def test_the_command_shows_what_was_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FULL", raising=False)
    monkeypatch.setattr(exhaustive, "USUAL", [CheckedCluster(1, 1), CheckedCluster(2, 2, PAIR, coarse=True)])
    assert exhaustive.main([]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "of", "1", "2", "1"] in [row[:5] for row in rows]
    assert ["2", "of", "2,", "0-1,", "coarse", "9"] in [row[:6] for row in rows]
    assert ["machine,", "2", "of", "3", "169", "8,281"] in rows


def test_the_command_fails_with_the_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    peers = broken(PEERS, BROKEN_PEERS["a withdrawal that is never made"][0]).Peers
    monkeypatch.setattr(exhaustive, "FULL", [CheckedCluster(1, 1), RULES])
    monkeypatch.setattr(exhaustive, "check_cluster", lambda cluster: check_cluster(cluster, Parts(peers=peers)))
    assert exhaustive.main(["--full"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 of 2, 0-1, restarts 1, deadlines: a readiness that its owner has taken back")
    assert lines[-1] == "  4 1 hears 0"
