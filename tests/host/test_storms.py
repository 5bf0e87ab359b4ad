"""The storms: they hold, they notice, they shrink; and those that once broke a rule hold now."""

import json

import pytest

from faction import BOOTSTRAPPED
from faction.machine import Faction
from faction.node import Node
from faction.wire import BEACON
from faction_tools.dev.verify import mutants, storms
from faction_tools.simulator.scenario import Scenario

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
    assert kinds == {"crash", "restart", "brownout", "partition", "heal"}
    for name, values in {
        "medium.loss": (0.0, 0.4),
        "medium.duplication": (0.0, 0.2),
        "medium.corruption": (0.0, 0.1),
        "medium.access": ("free", "listen", "blind"),
        "medium.topology": ("all", "ring", "line"),
        "cluster.key": (False, True),
        "cluster.retries": (0, 2),
        "cluster.drift_ppm": (0.0, 20000.0),
        "cluster.tick_bits": (16, 29, 30),
    }.items():
        table, field = name.split(".")
        assert set(values) <= {getattr(getattr(each, table), field) for each in made}, name
    assert any(each.intruder and each.intruder.forges for each in made) and any(each.medium.links for each in made)
    assert any(member.clone_of is not None for each in made for member in each.nodes)
    assert sum(each.title == storms.CALM for each in made) == len(SEEDS) // 4


def faults(seeds=SEEDS):
    return {storms.fault(storms.storm(seed), seed).partition(", node")[2].partition(": ")[2] for seed in seeds} - {""}


def test_a_deadline_that_never_comes_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_expire", lambda node, elapsed_ms: None)
    assert "no verdict in the end" in faults()


def test_a_verdict_that_changes_is_noticed(monkeypatch):
    process = Faction.process

    def forgetful(machine, command, peer_id=-1):
        result = process(machine, command, peer_id)
        if machine.state == BOOTSTRAPPED and command < 2:
            machine.state = 2
        return result

    monkeypatch.setattr(Faction, "process", forgetful)
    assert "state 3 became 2" in faults()


def test_a_readiness_that_nobody_claimed_is_noticed(monkeypatch):
    count = Node._tell_machine

    def gullible(node, index):
        node.wire.flags |= 2
        count(node, index)

    monkeypatch.setattr(Node, "_tell_machine", gullible)
    assert any("ready" in fault and "never claimed" in fault for fault in faults())


def careless(node, length, judge=Node._judge):
    judge(node, length)
    node.counters[BEACON] = 0


def test_a_frame_that_is_not_counted_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_judge", careless)
    assert any("frames received, counted as" in fault for fault in faults())


def test_a_cluster_that_never_gets_together_is_noticed(monkeypatch):
    monkeypatch.setattr(Node, "_note_asker", lambda node, index: None)
    assert "not bootstrapped in the end, though nothing was out of order for good" in faults(range(4, 400, 4))


def test_a_failure_shrinks_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(Node, "_judge", careless)
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


def test_two_workers_run_the_same_storms():
    covered, broken = storms.run(300, jobs=2)
    assert broken == [] and covered == storms.weather(range(1, 301))[0]


def test_every_deliberate_bug_fits_the_sources():
    assert len(mutants.MUTANTS) >= 20 and len({mutant.name for mutant in mutants.MUTANTS}) == len(mutants.MUTANTS)
    for mutant in mutants.MUTANTS:
        assert (mutants.PACKAGE / mutant.file).read_text().count(mutant.old) == 1 and mutant.new != mutant.old, mutant.name


def test_a_bug_is_caught_and_no_bug_is_not():
    harmless = mutants.Mutant("a comment", "machine.py", "# States:\n", "# The states:\n")
    assert mutants.check(harmless) == []
    assert mutants.check(mutants.MUTANTS[0]) == ["machine tests", "exhaustive"]
    with pytest.raises(ValueError, match="nowhere: machine.py has its text 0 times, not once; adapt it"):
        mutants.check(mutants.Mutant("nowhere", "machine.py", "no such line", ""))
