"""Clusters beyond earshot in the simulator: topologies, hidden terminals, several airs with bridges, and boards that no way leads to."""

import json

import pytest
from command import faction

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import ECHO
from faction.transports.bridge import Bridge
from faction.wire import CORRUPT
from faction_tools.simulator import campaign, scenario
from faction_tools.simulator.outcome import outcome
from faction_tools.simulator.scenario import Scenario, ScenarioError
from faction_tools.simulator.simulation import Simulation
from faction_tools.simulator.topology import gaps

BEGIN = 1000  # microseconds
TWO_AIRS = [{"name": "radio", "nodes": [0, 1, 2], "topology": "line"}, {"name": "wire", "nodes": [2, 3, 4]}]


def cluster(nodes, **others):
    return {"nodes": nodes, "interval_ms": 100, "deadline_ms": 20_000, "power_on_ms": 0.0, "start_up_ms": {"uniform": [50, 500]}, **others}


def on(nodes, medium=None, of_cluster=None, **others):
    """Return a scenario of some nodes."""
    data = {"title": "beyond earshot", "cluster": cluster(nodes, **(of_cluster or {})), "medium": medium or {}, **others}
    return Scenario.model_validate(data)


def write(path, **scenario):
    """Write a scenario as TOML."""

    def text(value):
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{name} = {text(inner)}" for name, inner in value.items()) + " }"
        return "[" + ", ".join(map(text, value)) + "]" if isinstance(value, list) else json.dumps(value)

    path.write_text("".join(f"{name} = {text(value)}\n" for name, value in scenario.items()))
    return path


def near(run):
    """Return who reaches whom at once, as a set of (sender, receiver), over all airs."""
    return {way for medium in run.media for way in medium.links()}


def states(run):
    return [board.state for board in run.boards]


# Topologies


@pytest.mark.parametrize(("topology", "count"), [("line", 12), ("ring", 12), ("grid", 16)])
def test_boards_that_hear_their_neighbours_alone_all_get_there(topology, count):
    run = Simulation(on(count, {"topology": topology, "loss": 0.1}), 3, record=True).run()
    assert states(run) == [BOOTSTRAPPED] * count and outcome(run)["start_skew_ms"] < 200
    assert {way for way, frames in run.media[0].heard.items() if frames} == {(b, a) for a, b in near(run)}
    beyond = [each for each in run.recording.learned if each[3] >= 0 and (each[3], each[1]) not in near(run)]
    assert beyond and all(teller != peer_id and (teller, index) in near(run) for _, index, _, peer_id, teller in beyond)


def test_a_random_graph_is_that_of_the_seed():
    drawn = on(30, {"topology": "random", "reach": 0.3})
    first, again, other = (Simulation(drawn, seed) for seed in (1, 1, 2))
    assert near(first) == near(again) != near(other) and first.places == again.places
    for a in range(30):
        for b in range(30):
            (x, y), (to_x, to_y) = first.places[a], first.places[b]
            assert ((a, b) in near(first)) == (a != b and (x - to_x) ** 2 + (y - to_y) ** 2 <= 0.3 * 0.3)
    assert all(0 <= x < 1 and 0 <= y < 1 for x, y in first.places)


def test_with_a_seed_for_the_places_the_graph_is_always_the_same():
    drawn = on(30, {"topology": "random", "reach": 0.3}, {"places_seed": 7})
    runs = [Simulation(drawn, seed) for seed in (1, 2)]
    assert near(runs[0]) == near(runs[1]) and runs[0].places == runs[1].places
    assert [board.phase for board in runs[0].boards] != [board.phase for board in runs[1].boards]


def test_a_random_graph_that_is_connected_gets_there():
    drawn = on(40, {"topology": "random", "reach": 0.25, "loss": 0.2})
    connected = [seed for seed in range(1, 30) if not Simulation(drawn, seed).gaps()][:3]
    for seed in connected:
        assert states(Simulation(drawn, seed).run()) == [BOOTSTRAPPED] * 40
    assert len(connected) == 3


def test_places_in_metres():
    placed = on(4, {"topology": "places", "reach_m": 2.5}, {"places": [[0.0, 0.0], [2.0, 0.0], [2.0, 2.5], [9.0, 0.0]]})
    run = Simulation(placed)
    assert near(run) == {(0, 1), (1, 0), (1, 2), (2, 1)} and run.places[2] == (2.0, 2.5)
    assert run.gaps() == [([0, 1, 2], [3]), ([3], [0, 1, 2])]


# Hidden terminals


def speak_at_once(topology, count, senders, **others):
    """Let some boards without power send a frame of 24 ms each, 5 ms one after the other. Return the run, when that is over."""
    medium = {"topology": topology, "access": "listen", "bitrate": 10_000, **others}
    run = Simulation(on(count, medium, {"power_on_ms": 60_000.0}))
    air = run.media[0]
    for i, sender in enumerate(senders):
        run.timeline.now = BEGIN + i * 5000
        air.transmit(air.radios[sender], bytes(30))
    while run.timeline.run(1, BEGIN + 10**6):
        pass
    return run


@pytest.mark.parametrize(
    ("topology", "count", "senders", "between"),
    [("line", 3, (0, 2), {1}), ("ring", 4, (0, 2), {1, 3}), ("grid", 9, (1, 3), {0, 4}), ("line", 4, (0, 3), set())],
)
def test_two_that_do_not_hear_each_other_collide_at_who_hears_both(topology, count, senders, between):
    run = speak_at_once(topology, count, senders)
    first, second = (run.media[0].radios[each] for each in senders)
    assert not run.media[0].hears(first, second)
    assert (first.free_at, second.free_at) == (BEGIN + 24_000, BEGIN + 29_000)  # none of them waits
    assert [board.collided for board in run.boards] == [2 if each in between else 0 for each in range(count)]


@pytest.mark.parametrize(
    ("topology", "count", "senders"), [("line", 3, (0, 1)), ("ring", 4, (0, 1)), ("grid", 9, (0, 1)), ("all", 3, (0, 2))]
)
def test_two_that_hear_each_other_wait_for_each_other(topology, count, senders):
    run = speak_at_once(topology, count, senders)
    assert not any(board.collided for board in run.boards)
    assert run.media[0].radios[senders[1]].free_at > BEGIN + 2 * 24_000


def test_a_random_graph_and_places_have_hidden_terminals():
    places = {"places": [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]]}
    hidden = on(3, {"topology": "places", "reach_m": 2.5, "access": "listen", "bitrate": 10_000}, places)
    run = Simulation(hidden, 5).run()
    assert run.boards[1].collided and not run.boards[0].collided and not run.boards[2].collided
    assert states(run) == [BOOTSTRAPPED] * 3


def test_a_wall_keeps_out_the_noise_too():
    run = Simulation(on(4, {"access": "listen", "bitrate": 10_000}, {"power_on_ms": 60_000.0}))
    air, radios = run.media[0], run.media[0].radios
    air.part([[0, 1], [2, 3]])
    assert air.hears(radios[0], radios[1]) and not air.hears(radios[0], radios[2])
    for radio in (radios[0], radios[2]):
        air.transmit(radio, bytes(30))
    while run.timeline.run(1, 10**6):
        pass
    assert [radio.free_at for radio in radios] == [24_000, 0, 24_000, 0]
    assert not any(board.collided for board in run.boards)
    air.heal()
    assert air.hears(radios[0], radios[2])


# Several airs


def test_a_board_on_two_airs_joins_them():
    run = Simulation(on(5, airs=TWO_AIRS), 2, record=True).run()
    assert states(run) == [BOOTSTRAPPED] * 5
    assert [len(board.radios) for board in run.boards] == [1, 1, 2, 1, 1]
    assert [isinstance(board.node.transport, Bridge) for board in run.boards] == [False, False, True, False, False]
    tellers = {teller for _, index, _, peer_id, teller in run.recording.learned if index >= 3 and 0 <= peer_id < 2}
    assert tellers <= {2, 3, 4} and 2 in tellers
    airs = {(index, air) for _, index, _, air in run.recording.frames}
    assert airs == {(0, "radio"), (1, "radio"), (2, "radio"), (2, "wire"), (3, "wire"), (4, "wire")}
    assert run.boards[2].sent == 2 * run.boards[2].node.counters[12]
    assert set(run.media[1].heard) == {(a, b) for a in (2, 3, 4) for b in (2, 3, 4) if a != b}


def test_what_the_medium_says_holds_for_all_airs_that_do_not_say_it_themselves():
    airs = [TWO_AIRS[0], {**TWO_AIRS[1], "loss": 0.5, "access": "blind"}]
    wire = on(5, {"loss": 0.25, "bitrate": 5000}, airs=airs).media()
    assert [(air.loss, air.access, air.bitrate) for air in wire] == [(0.25, "free", 5000), (0.5, "blind", 5000)]
    changed = campaign.without_deadline(on(5, {"loss": 0.25}, airs=airs))
    assert [air.loss for air in changed.media()] == [0.25, 0.5] and changed.cluster.deadline_ms > 10**8
    (alone,) = on(3, {"loss": 0.25}).media()
    assert (alone.loss, alone.nodes, alone.topology) == (0.25, [0, 1, 2], "all")


def test_a_partition_parts_every_air_and_its_end_joins_them():
    cut = {"at_ms": 0.0, "kind": "partition", "groups": [[0, 1], [2, 3, 4]]}
    assert states(Simulation(on(5, airs=TWO_AIRS, events=[cut])).run()) == [TIMED_OUT] * 5
    healed = Simulation(on(5, airs=TWO_AIRS, events=[cut, {"at_ms": 3000.0, "kind": "heal"}])).run()
    assert states(healed) == [BOOTSTRAPPED] * 5 and outcome(healed)["ready_ms"] > 3000


def test_a_link_is_one_of_its_own_air():
    airs = [
        {"name": "radio", "nodes": [0, 1, 2]},
        {"name": "wire", "nodes": [0, 1, 2], "links": [{"sources": [0], "targets": [1], "loss": 1.0}]},
    ]
    run = Simulation(on(3, airs=airs), 1, record=True).run()
    radio, wire = run.media
    assert radio.heard[1, 0] and not wire.heard[1, 0] and wire.heard[0, 1]
    assert (0, 1) in set(radio.links()) and (0, 1) not in set(wire.links()) and run.gaps() == []
    assert run.boards[0].node.counters[ECHO] == 0


def test_an_intruder_reaches_nothing_on_any_air():
    airs = [{"name": "radio", "nodes": [0, 1, 2]}, {"name": "wire", "nodes": [2, 3, 4]}]
    run = Simulation(on(5, of_cluster={"key": True}, airs=airs, intruder={"every_ms": 20.0}), 2).run()
    assert states(run) == [BOOTSTRAPPED] * 5
    assert all(board.node.counters[CORRUPT] > 10 for board in run.boards)


@pytest.mark.parametrize(
    ("airs", "said"),
    [
        ([TWO_AIRS[0]], "airs: without nodes 3, 4; add each to the nodes of at least one air"),
        ([TWO_AIRS[0], {**TWO_AIRS[1], "name": "radio"}], 'airs[1].name: "radio": another air has this name'),
        ([TWO_AIRS[0], {**TWO_AIRS[1], "nodes": [2, 3, 4, 3]}], "airs[1].nodes: 3: is there twice"),
        ([TWO_AIRS[0], {**TWO_AIRS[1], "nodes": [2, 3, 4, 5]}], "airs[1].nodes: 5: no such node; there are 0 to 4"),
        ([TWO_AIRS[0], {**TWO_AIRS[1], "topology": "random"}], "airs[1].reach: missing for random places"),
        ([TWO_AIRS[0], {**TWO_AIRS[1], "topology": "places"}], "airs[1].reach_m: missing for places"),
        ([TWO_AIRS[0], {**TWO_AIRS[1], "topology": "places", "reach_m": 1.0}], "cluster.places: missing; list [x, y] in metres"),
        ([TWO_AIRS[0], {"nodes": [3, 4]}], "airs[1].name: missing; add it"),
    ],
)
def test_what_is_wrong_with_airs_is_said(tmp_path, airs, said):
    path = tmp_path / "mine.toml"
    write(path, title="wrong", cluster=cluster(5), airs=airs)
    with pytest.raises(ScenarioError) as caught:
        scenario.load(str(path))
    assert said in str(caught.value)


def test_places_that_do_not_fit_are_said(tmp_path):
    path = tmp_path / "mine.toml"
    write(path, title="wrong", cluster=cluster(3, places=[[0.0, 1.0]]), medium={"topology": "random", "reach": 0.5})
    with pytest.raises(ScenarioError) as caught:
        scenario.load(str(path))
    assert "cluster.places: 1 places for 3 nodes; give each node one" in str(caught.value)
    assert 'medium.topology: "random": the places are given; choose places, with reach_m' in str(caught.value)


# No way


def test_gaps_between_boards():
    assert gaps([[1], [2], [0]]) == [] == gaps([[]])
    assert gaps([[1], [0], []]) == [([0, 1], [2]), ([2], [0, 1])]
    assert gaps([[1], [], [1, 0]]) == [([0], [2]), ([1], [0, 2])]
    assert gaps([[], [], []]) == [([0], [1, 2]), ([1], [0, 2]), ([2], [0, 1])]


def test_a_run_names_the_groups_between_which_there_is_no_way(tmp_path):
    path = tmp_path / "apart.toml"
    apart = [TWO_AIRS[0], {"name": "wire", "nodes": [3, 4]}]
    write(path, title="apart", cluster=cluster(5, deadline_ms=1000), airs=apart)
    done = faction("simulate", path)
    said = "no way from 0, 1, 2 to 3, 4, nor back: nothing that the first say arrives there; widen the reach, or give a board two airs"
    assert done.returncode == 1 and said in done.stdout.splitlines(), done.stdout
    many = faction("simulate", path, "--runs", "3", width=150)
    assert many.returncode == 1 and said in many.stdout.splitlines()
    assert f"the airs do not connect all boards in 100.00% of the runs; faction simulate {path} --seed 1:" in many.stdout.splitlines()
    assert json.loads(faction("simulate", path, "--json").stdout)["gaps"] == [[[0, 1, 2], [3, 4]], [[3, 4], [0, 1, 2]]]


def test_one_way_is_no_way(tmp_path):
    path = tmp_path / "deaf.toml"
    medium = {"links": [{"sources": [0, 1], "targets": [2], "loss": 1.0}]}
    write(path, title="deaf", cluster=cluster(3, deadline_ms=1000), medium=medium)
    done = faction("simulate", path)
    assert done.returncode == 1 and "no way from 0, 1 to 2: nothing" in done.stdout, done.stdout


def test_a_quorum_can_do_without_those_whom_no_way_leads_to(tmp_path):
    path = tmp_path / "most.toml"
    apart = [{"name": "a", "nodes": [0, 1, 2]}, {"name": "b", "nodes": [3]}]
    write(path, title="most", cluster=cluster(4, quorum=1), airs=apart)
    done = faction("simulate", path)
    assert done.returncode == 0 and "no way from 0, 1, 2 to 3, nor back" in done.stdout, done.stdout


def test_the_report_has_how_far_apart_the_boards_start():
    many = faction("simulate", "greenhouse", "--runs", "10", width=150)
    (row,) = [line for line in many.stdout.splitlines() if "between the first and the last start, ms" in line]
    assert all(1 <= int(cell) <= 40 for cell in row.split("│")[2:-1]), row
    assert "they go on together, the last 11 ms after the first" in faction("simulate", "greenhouse").stdout
