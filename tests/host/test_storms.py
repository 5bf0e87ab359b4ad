"""The storms: they hold, they notice, they shrink; and those that once broke a rule hold now."""

import json
import re

import pytest

from faction import BOOTSTRAPPED, WITHDRAWAL_OBSERVED
from faction.machine import Faction
from faction.node import Node
from faction.peers import Peers
from faction.wire import MALFORMED
from faction_tools.dev.verify import drawing, ledger, mutants, storms
from faction_tools.simulator.scenario import Scenario
from faction_tools.simulator.simulation import Simulation

SEEDS = range(1, 201)
KEPT = sorted(storms.REGRESSIONS.glob("*.json"))


def test_the_rules_hold_in_storms():
    covered, broken = storms.weather(SEEDS)
    assert broken == [] and covered["clusters"] == len(SEEDS)
    assert covered["bootstrapped"] > 200 and covered["timed out"] > 100 and covered["boots"] > 600


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_what_once_broke_a_rule_holds_now(path):
    kept = json.loads(path.read_text())
    assert storms.fault(Scenario.model_validate(kept["scenario"]), kept["seed"]) == ""


def test_every_fault_is_among_the_storms():
    made = [storms.storm(seed) for seed in SEEDS]
    kinds = {event.kind for each in made for event in each.events}
    assert kinds == {"crash", "restart", "brownout", "partition", "heal", "calm"}
    for name, values in {
        "medium.loss": (0.0, 0.4),
        "medium.duplication": (0.0, 0.2),
        "medium.corruption": (0.0, 0.1),
        "medium.access": ("free", "listen", "blind"),
        "medium.topology": ("all", "ring", "line", "grid", "places"),
        "medium.max_length": (250, 82, 42),
        "cluster.key": (False, True),
        "cluster.retries": (0, 2),
        "cluster.drift_ppm": (0.0, 20000.0),
        "cluster.tick_bits": (16, 29, 30),
        "cluster.nodes": (2, 3, 4, 5, 6, 7, 8),
        "cluster.presence_ms": (None, 0, 240),
        "cluster.start_after_ms": (None, 0, 400),
        "cluster.is_line_shared": (False, True),
        "cluster.deadline_from_contact": (False, True),
    }.items():
        table, field = name.split(".")
        assert set(values) <= {getattr(getattr(each, table), field) for each in made}, name
    assert any(each.intruder and each.intruder.forges for each in made) and any(each.medium.links for each in made)
    assert any(member.clone_of is not None for each in made for member in each.nodes)
    assert max(len(each.airs) for each in made) > 2
    titles = [each.title for each in made]
    assert [titles.count(each) for each in (drawing.CALM, drawing.DEPARTURE, drawing.TOGETHER)] == [50, 13, 25]


def test_airs_of_storms_that_calm_down_connect_all():
    for seed in range(0, 400, 2):
        made = storms.storm(seed)
        if made.title in (drawing.CALM, drawing.DEPARTURE, drawing.TOGETHER):
            assert Simulation(made).gaps() == [], seed


def faults(seeds=SEEDS):
    return {storms.fault(storms.storm(seed), seed).partition(", node")[2].partition(": ")[2] for seed in seeds} - {""}


def test_a_deadline_that_never_comes_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "cancel", lambda node: None)
    assert "no verdict in the end" in faults()


def test_a_verdict_that_changes_is_noticed(monkeypatch):
    process = Faction.process

    def forgetful(machine, command, peer_id=-1):
        result = process(machine, command, peer_id)
        if machine.state == BOOTSTRAPPED and command < 2:
            machine.state = 2
        return result

    monkeypatch.setattr(Faction, "process", forgetful)
    assert "says READY: False; complete: True, state 2" in faults()


def deceive(monkeypatch, name, change):
    """Let change(peers or node) happen before each call of a method of Peers."""
    method = getattr(Peers, name)

    def changed(peers, *arguments):
        change(peers)
        return method(peers, *arguments)

    monkeypatch.setattr(Peers, name, changed)


def test_a_readiness_that_nobody_claimed_is_noticed(monkeypatch):
    def gullible(peers):
        peers.wire.flags |= 2

    deceive(monkeypatch, "take", gullible)
    assert any("as ready, which never claimed it" in fault for fault in faults())


def test_a_statement_that_gets_younger_is_noticed(monkeypatch):
    def rejuvenate(peers):
        for i, at in enumerate(peers.said):
            peers.said[i] = min(at + 1, peers.now) if at > 0 else at

    deceive(monkeypatch, "write", rejuvenate)
    assert any(re.match(r"says that \d said READY: (True|False), \d+ ms ago; it was", fault) for fault in faults())


def test_a_presence_that_never_ends_is_noticed(monkeypatch):
    monkeypatch.setattr(Peers, "expire", lambda peers: peers.now + 1000)
    assert any("of which it has not heard for" in fault for fault in faults())
    monkeypatch.setattr(ledger.Account, "_check_presence", lambda account, collecting: None)
    assert any(fault.startswith("bootstrapped without") for fault in faults(range(2, 800, 16)))


def test_a_withdrawal_without_a_reason_is_noticed(monkeypatch):
    def forget(peers):
        machine = peers.machine
        if machine.collecting.count > 1 and peers.now % 16 == 0:
            machine.process(WITHDRAWAL_OBSERVED, next(each for each in machine.collecting if each != machine.config.peer_id))

    deceive(monkeypatch, "judge", forget)
    assert any("a set shrank" in fault for fault in faults())


def test_a_node_that_talks_on_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_says_again", lambda node: True)
    assert any("ms after its verdict" in fault for fault in faults(range(1, 12)))


def test_a_start_that_each_finds_for_itself_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_hear_start", lambda node, at: False)
    assert any("the common start is in" in fault for fault in faults())


def careless(node, learn=Node._learn):
    learn(node)
    node.counters[MALFORMED] += 1


def test_a_frame_that_is_not_counted_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_learn", careless)
    assert any("frames received, counted as" in fault for fault in faults())


def test_a_cluster_that_never_gets_together_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_plan_answer", lambda node, flags: None)
    assert "not bootstrapped in the end, though nothing was out of order for good" in faults(range(4, 400, 4))


def test_a_failure_shrinks_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(Node, "_learn", careless)
    seed = next(seed for seed in SEEDS if storms.storm(seed).events and storms.fault(storms.storm(seed), seed))
    scenario, small_seed = storms.shrink(storms.storm(seed), seed)
    text = storms.fault(scenario, small_seed)
    assert "frames received, counted as" in text
    assert scenario.events == [] and scenario.nodes == [] and scenario.intruder is None and scenario.cluster.nodes == 2
    assert scenario.medium.loss == 0 and scenario.medium.links == [] and scenario.medium.access == "free"
    path = storms.keep(scenario, small_seed, text, tmp_path)
    kept = json.loads(path.read_text())
    assert kept["broke"] == text and storms.fault(Scenario.model_validate(kept["scenario"]), kept["seed"]) == text
    monkeypatch.undo()
    assert storms.fault(Scenario.model_validate(kept["scenario"]), kept["seed"]) == ""


def test_two_workers_run_the_same_storms(monkeypatch):
    monkeypatch.setattr(storms, "CHUNK", 30)
    covered, broken = storms.run(100, jobs=2)
    assert broken == [] and covered == storms.weather(range(1, 101))[0]


def test_every_deliberate_bug_fits_the_sources():
    assert len(mutants.MUTANTS) >= 20 and len({mutant.name for mutant in mutants.MUTANTS}) == len(mutants.MUTANTS)
    for mutant in mutants.MUTANTS:
        assert (mutants.PACKAGE / mutant.file).read_text().count(mutant.old) == 1 and mutant.new != mutant.old, mutant.name
        assert any(mutant.file in each.files for each in mutants.CHECKS), mutant.file


def test_a_bug_is_caught_and_no_bug_is_not():
    harmless = mutants.Mutant("a comment", "machine.py", "# States:\n", "# The states:\n")
    patience_s = dict.fromkeys((each.name for each in mutants.CHECKS), mutants.ENOUGH_S)
    assert mutants.check(harmless, patience_s) == ""
    assert mutants.check(mutants.MUTANTS[0], patience_s) == "test_machine"
    for name in ("exhaustive", "storms", "abuse"):
        tried = [each for each in mutants.alone(patience_s) if each[2][0].name == name]
        assert len(tried) > 2 and mutants.check(*tried[0]) == name
    with pytest.raises(ValueError, match="nowhere: machine.py has its text 0 times, not once; adapt it"):
        mutants.check(mutants.Mutant("nowhere", "machine.py", "no such line", ""), patience_s)


def test_a_check_that_hangs_has_caught_the_bug():
    hangs = mutants.Check("hangs", (), ("-c", "while True: pass"))
    assert not mutants.passes(hangs, str(mutants.ROOT), 0.5)
    assert mutants.passes(mutants.Check("ends", (), ("-c", "pass")), str(mutants.ROOT), mutants.ENOUGH_S)


def test_a_check_that_fails_without_a_bug_is_named(monkeypatch, capsys):
    monkeypatch.setattr(mutants, "CHECKS", (mutants.Check("fails", ("machine.py",), ("-c", "raise SystemExit(1)")),))
    assert mutants.main(["quorum"]) == 1
    assert capsys.readouterr().err == "fails: fails without any bug\n"
