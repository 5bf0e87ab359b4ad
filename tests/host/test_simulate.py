"""The simulator: one seed is one history, each fault does what it says, and the commands show what happened."""

import hashlib
import json
import os
import random
import subprocess
import sys

import pytest
from command import faction
from needs import CHROMIUM, needs_chromium

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import RESTART, SAME_ID, STALE, UNPROVEN
from faction.wire import ASKING, BEACON, CORRUPT, OTHER_EXPECTATIONS
from faction_tools.shown import page as pages
from faction_tools.simulator import campaign, distributions, history, scenario
from faction_tools.simulator.outcome import outcome
from faction_tools.simulator.scenario import Scenario, ScenarioError
from faction_tools.simulator.simulation import Simulation

# Of the events of each scenario with seed 1.
DIGESTS = {
    "brownout": "8542c94a99d6ffb6",
    "greenhouse": "a5f6a36e74f1d216",
    "intruder": "219a1bd82df0bedf",
    "rs485": "dc11124528c5f337",
    "split": "00944f4eaa8619fd",
    "swarm": "2dba4a14344837b6",
    "tunnel": "01e35de4ab6ec1e8",
}


def small(medium=None, **others):
    """Return a scenario of four nodes on clean air."""
    cluster = {"nodes": 4, "interval_ms": 100, "deadline_ms": 5000, "power_on_ms": 0.0, "start_up_ms": 100.0, **others.pop("cluster", {})}
    return Scenario.model_validate({"title": "small", "cluster": cluster, "medium": medium or {}, **others})


def told(simulation):
    """Return everything that happened, as a text."""
    return json.dumps(history.history(simulation), sort_keys=True)


def states(simulation):
    return [board.state for board in simulation.boards]


def test_one_seed_is_one_history():
    for name in scenario.shipped():
        first, again, other = (told(Simulation(name, seed, record=True).run()) for seed in (5, 5, 6))
        assert first == again != other


def test_a_history_is_the_same_in_another_process_and_with_another_hash_seed():
    program = "import sys; sys.path.insert(0, %r); from test_simulate import *; print(told(Simulation('greenhouse', 1, record=True).run()))"
    here = os.path.dirname(__file__)
    said = []
    for hash_seed in ("1", "2"):
        environment = dict(os.environ, PYTHONHASHSEED=hash_seed)
        command = [sys.executable, "-c", program % here]
        said.append(subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout)
    assert said[0] == said[1] and len(said[0]) > 5000


@pytest.mark.parametrize("name", scenario.shipped())
def test_a_history_is_the_same_on_every_machine(name):
    """A digest is that of the first time it was computed. A change of the node or the simulator that moves a frame changes it."""
    run = history.history(Simulation(name, 1, record=True).run())
    events = json.dumps([run["changes"], run["frames"], run["learned"]])
    digest = hashlib.sha256(events.encode()).hexdigest()
    assert digest[:16] == DIGESTS[name]


def test_recording_changes_nothing():
    for name in scenario.shipped():
        assert outcome(Simulation(name, 3).run()) == outcome(Simulation(name, 3, record=True).run())


@pytest.mark.parametrize("name", scenario.shipped())
def test_the_shipped_scenarios_end_as_they_are_told(name):
    shipped = scenario.load(name)
    seeds = range(1, 11) if shipped.cluster.nodes < 20 else range(1, 5)
    assert {outcome(Simulation(name, seed).run())["verdict"] for seed in seeds} == ({"all", "some"} if name == "split" else {"all"})
    assert len(shipped.about) > 100


def test_loss_duplication_and_corruption_are_as_frequent_as_they_should_be():
    def shares(**medium):
        """Four nodes that wait: what becomes of each frame at each of three receivers."""
        run = Simulation(small(medium, cluster={"start_up_ms": 2_000_000.0, "deadline_ms": 1_000_000}, limit_ms=999_000.0)).run()
        ways = 3 * sum(board.sent for board in run.boards)
        corrupt = sum(board.node.counters[CORRUPT] for board in run.boards)
        assert ways > 8000
        return sum(board.lost for board in run.boards) / ways, run.deliveries / ways, corrupt / ways

    assert shares() == (0, 1, 0)
    lost, delivered, _ = shares(loss=0.3)
    assert 0.28 < lost < 0.32 and lost + delivered == 1
    assert 1.18 < shares(duplication=0.2)[1] < 1.22
    assert 0.08 < shares(corruption=0.1)[2] < 0.12


def test_delays_reorder_frames():
    run = Simulation(small({"delay_ms": {"exponential": [1.0, 300.0]}}, cluster={"deadline_ms": 20_000, "start_up_ms": 10_000.0})).run()
    assert sum(board.node.counters[STALE] for board in run.boards) > 20 and states(run) == [BOOTSTRAPPED] * 4


def test_a_one_way_link():
    run = Simulation(small({"links": [{"sources": [0, 1, 2], "targets": [3], "loss": 1.0}]}), record=True).run()
    heard = run.media[0].heard
    assert heard[0, 3] > 0 and not any(heard[3, sender] for sender in range(4))
    assert states(run) == [BOOTSTRAPPED, BOOTSTRAPPED, BOOTSTRAPPED, TIMED_OUT]


@pytest.mark.parametrize(("topology", "reached"), [("all", [1, 2, 3]), ("line", [1]), ("ring", [1, 3]), ("grid", [1, 2])])
def test_who_reaches_whom(topology, reached):
    run = Simulation(small({"topology": topology}), record=True).run()
    assert [i for i in range(4) if run.media[0].heard[i, 0]] == reached


def test_a_partition_and_its_end():
    cut = {"at_ms": 0.0, "kind": "partition", "groups": [[0, 1], [2, 3]]}
    assert states(Simulation(small(events=[cut])).run()) == [TIMED_OUT] * 4
    healed = Simulation(small(events=[cut, {"at_ms": 3000.0, "kind": "heal"}])).run()
    assert states(healed) == [BOOTSTRAPPED] * 4 and outcome(healed)["ready_ms"] > 3000


def test_an_air_that_calms_down():
    medium = {"loss": 1.0, "duplication": 1.0, "delay_ms": 700.0, "access": "blind", "max_length": 42}
    calmed = Simulation(small(medium, events=[{"at_ms": 3000.0, "kind": "calm"}])).run()
    assert states(calmed) == [BOOTSTRAPPED] * 4 and 3000 < outcome(calmed)["ready_ms"] < 3500
    assert calmed.boards[0].node.wire.room == 1


def test_what_a_node_is_told_of_times():
    data = small().model_dump()
    data["cluster"].update(start_after_ms=700, presence_ms=900, is_line_shared=True)
    node = Simulation(Scenario.model_validate(data)).run().boards[0].node
    assert (node.start_after_ms, node.peers.presence_ms, node.is_line_shared) == (700, 900, True)


def test_power():
    crashed = Simulation(small(events=[{"at_ms": 50.0, "kind": "crash", "nodes": [2]}])).run()
    assert states(crashed) == [TIMED_OUT, TIMED_OUT, None, TIMED_OUT] and outcome(crashed)["off"] == 1
    restarted = Simulation(small(events=[{"at_ms": 1000.0, "kind": "restart", "nodes": [2]}])).run()
    assert states(restarted) == [BOOTSTRAPPED] * 4 and restarted.boards[2].boots == 2
    assert restarted.boards[0].node.counters[RESTART] == 1
    dimmed = Simulation(small(events=[{"at_ms": 50.0, "kind": "brownout", "nodes": [1, 2], "for_ms": 700.0}])).run()
    assert states(dimmed) == [BOOTSTRAPPED] * 4 and 750 < outcome(dimmed)["ready_ms"] < 1500


def test_a_clone_and_a_wrong_roster_are_noticed():
    cloned = Simulation(small(nodes=[{"id": 3, "clone_of": 1}])).run()
    assert cloned.boards[1].node.counters[SAME_ID] and cloned.boards[3].node.counters[SAME_ID]
    wrong = Simulation(small(nodes=[{"id": 3, "quorum": 2}])).run()
    assert wrong.boards[0].node.counters[OTHER_EXPECTATIONS] and states(wrong) == [TIMED_OUT] * 4


def test_an_intruder_reaches_nothing():
    run = Simulation("intruder", 2).run()
    for board in run.boards:
        assert board.node.counters[CORRUPT] > 10 and board.node.counters[UNPROVEN] + board.node.counters[STALE] > 10
        assert board.node.counters[BEACON] and board.state == BOOTSTRAPPED


def injected(run):
    """Return what an intruder brings onto the only air: (ms, frame) of each; and what the boards send: (ms, frame). Runs to the end."""
    medium = run.media[0]
    inject, theirs, ours = medium.inject, [], []
    medium.listeners.append(lambda sender, frame: ours.append((run.now / 1000, frame)))

    def note(frame):
        theirs.append((run.now / 1000, frame))
        inject(frame)

    medium.inject = note
    run.run()
    return theirs, ours


def test_an_intruder_acts_right_behind_each_frame_and_not_without_one():
    restart = [{"at_ms": 300.0, "kind": "restart", "nodes": [1]}]
    waits = {"key": True, "start_up_ms": {"uniform": [0.0, 3000.0]}}
    run = Simulation(small(cluster=waits, intruder={"behind_ms": 1.0, "forges": False}, events=restart), 1)
    theirs, ours = injected(run)
    assert [at for at, _ in theirs] == [at + 1 for at, _ in ours] and len(run.timeline) == 0
    for at, frame in theirs:
        assert frame in [each for when, each in ours if when < at]
    sent = [frame for _, frame in ours]
    ages = [i - sent.index(frame) for i, (_, frame) in enumerate(theirs)]
    assert len(theirs) > 40 and max(ages) > 20 and sum(age < 8 for age in ages) > len(ages) / 2


def test_an_intruder_behind_a_shared_line_waits_for_the_end_of_the_frame():
    medium = {"access": "blind", "bitrate": 10_000}
    run = Simulation(small(medium, cluster={"nodes": 2, "start_up_ms": 0.0}, intruder={"behind_ms": 5.0, "forges": False}))
    theirs, ours = injected(run)
    assert theirs[0][0] == ours[0][0] + run.media[0].air_time(len(ours[0][1])) / 1000 + 5


def test_an_intruder_may_play_back_old_questions_alone():
    restart = [{"at_ms": 1000.0, "kind": "restart", "nodes": [1, 2]}]
    run = Simulation(small(intruder={"every_ms": 50.0, "kind": "old_asking", "forges": False}, events=restart, limit_ms=3000.0))
    theirs, ours = injected(run)
    before = {frame for at, frame in ours if at < 1000}
    assert theirs and min(at for at, _ in theirs) > 1000
    assert {frame[15] for _, frame in theirs} == {1, 2}  # the low byte of the id
    assert all(frame in before and frame[3] & ASKING for _, frame in theirs)


def test_clocks_that_drift_and_wrap():
    def ends(**cluster):
        run = Simulation(small(cluster={"quorum": 4, "start_up_ms": 60_000.0, **cluster}, nodes=[{"id": 0, "drift_ppm": 100_000.0}])).run()
        assert states(run) == [TIMED_OUT] * 4
        return [board.concluded_at / 1e6 for board in run.boards]

    fast, *others = ends()
    assert 4.5 < fast < 4.6 and all(4.99 < each < 5.02 for each in others)
    wrapped = ends(ticks_before_wrap_ms=2000.0, tick_bits=16)
    assert wrapped == pytest.approx([fast, *others], abs=0.02)


def two_at_once(access):
    """Two nodes that speak at the same moment, in polls on the same grid point."""
    run = Simulation(small({"access": access, "bitrate": 10_000}, cluster={"nodes": 2, "start_up_ms": 0.0, "deadline_ms": 60_000}))
    for board in run.boards:
        board.phase = 0
    frame = bytes(26)
    run.timeline.now = 1_000_000
    for radio in run.media[0].radios:
        run.media[0].transmit(radio, frame)
    later = run.media[0].radios[0]
    run.timeline.now += 1000
    run.media[0].transmit(later, frame)
    return run


def test_frames_that_overlap_destroy_each_other():
    run = two_at_once("blind").run()
    assert sum(board.collided for board in run.boards) >= 2 and outcome(run)["verdict"] == "all"
    assert run.media[0].air_time(26) == 20_800 and run.air_us > 4 * 20_800


def test_who_listens_waits_for_the_others():
    run = Simulation(small({"access": "listen", "bitrate": 10_000}, cluster={"deadline_ms": 30_000, "interval_ms": 500})).run()
    blind = Simulation(small({"access": "blind", "bitrate": 10_000}, cluster={"deadline_ms": 30_000, "interval_ms": 500})).run()
    collided = [sum(board.collided for board in each.boards) for each in (run, blind)]
    assert states(run) == [BOOTSTRAPPED] * 4 and collided[0] < collided[1], collided


def test_the_air_time_counts_every_frame():
    run = Simulation(small({"access": "listen", "overhead_us": 100})).run()
    length = run.boards[0].node.wire.length
    assert run.air_us == sum(board.sent for board in run.boards) * (100 + length * 8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("loss = 0.1", "loss = 1.5"), ":17: medium.loss: 1.5: must be 1 or less"),
        (("loss = 0.1", "los = 0.1"), ":17: medium.los: no such field; did you mean loss?"),
        (("nodes = 12", 'nodes = "a dozen"'), ':8: cluster.nodes: "a dozen": must be a whole number'),
        (("nodes = 12", ""), ":7: cluster.nodes: missing; add it"),
        (('quorum = "everyone"', "quorum = 13"), ":9: cluster.quorum: 13: must be from 1 to 12, the number of nodes"),
        (
            ("[500, 3000]", "[3000, 500]"),
            ":13: cluster.start_up_ms.uniform: [3000, 500]: must be a least and a greatest value, neither below 0",
        ),
        (("nodes = [5, 7]", "nodes = [5, 70]"), ":29: events[1].nodes: 70: no such node; there are 0 to 11"),
        (('kind = "brownout"\nnodes = [5', 'kind = "melt"\nnodes = [5'), ":28: events[1].kind: \"melt\": must be 'crash', "),
        (("nodes = [5, 7]", ""), ":26: events[1].nodes: missing for a brownout; list the ids"),
        (("loss = 0.1", "loss = "), ":17: column 8: invalid value; write a text in quotes"),
    ],
)
def test_a_fault_in_a_scenario_is_named_with_line_and_field(tmp_path, change, said):
    text = (scenario.SCENARIOS / "brownout.toml").read_text()
    assert change[0] in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(*change))
    with pytest.raises(ScenarioError) as caught:
        scenario.load(str(path))
    assert str(caught.value).startswith(f"{path}{said}"), caught.value


def test_distributions_have_their_means():
    draw = random.Random(1).random
    for value, low, high, mean in (
        ({"uniform": [2.0, 4.0]}, 2, 4, 3),
        ({"normal": [10.0, 2.0]}, 0, 25, 10),
        ({"exponential": [1.0, 3.0]}, 1, 60, 4),
        (7.0, 7, 7, 7),
    ):
        distribution = small(cluster={"start_up_ms": value}).cluster.start_up_ms
        drawn = [distributions.draw(distribution, draw) for _ in range(20_000)]
        assert low <= min(drawn) and max(drawn) <= high and abs(sum(drawn) / 20_000 - mean) < 0.1, value


# The commands


def test_the_list_of_scenarios():
    done = faction("simulate")
    assert done.returncode == 0 and all(name in done.stdout for name in scenario.shipped())
    nobody = faction("simulate", "orchard")
    assert nobody.returncode == 2 and "orchard: no such scenario; give a .toml file, or one of brownout, greenhouse" in nobody.stderr


def test_a_run_names_the_nodes_that_are_not_bootstrapped():
    done = faction("simulate", "split")
    assert done.returncode == 1 and "\n9 of 10 nodes Bootstrapped; node 5 timed out\n" in done.stdout, done
    done = faction("simulate", "greenhouse", "--set", "cluster.deadline_ms=100", "--set", "events=[{at_ms=90, kind='crash', nodes=[3]}]")
    assert "\n0 of 12 nodes Bootstrapped; nodes 0-2, 4-11 timed out; node 3 off\n" in done.stdout, done


def test_a_run_with_many_nodes_that_are_not_bootstrapped_is_a_short_line():
    events = f"events=[{{at_ms=50, kind='crash', nodes={list(range(0, 100, 2))}}}]"
    settings = ("cluster.nodes=100", "cluster.deadline_ms=100", "cluster.power_on_ms=0", "cluster.start_up_ms=1000", events)
    done = faction("simulate", "greenhouse", *[word for each in settings for word in ("--set", each)])
    assert "\n0 of 100 nodes Bootstrapped; 50 nodes off; 50 nodes timed out\n" in done.stdout, done


def test_the_table_of_a_sweep_names_its_field_in_full():
    done = faction("simulate", "greenhouse", "--sweep", "medium.topology=line,ring", "--runs", "5", width=80)
    assert done.stdout.startswith("sweep of medium.topology ") and "…" not in done.stdout, done


def test_one_run_with_everything_that_it_leaves(tmp_path):
    files = {"--picture": tmp_path / "run.svg", "--page": tmp_path / "run.html", "--journal": tmp_path / "run.journal"}
    options = [each for pair in files.items() for each in pair]
    done = faction("simulate", "brownout", "--seed", "3", *options)
    assert done.returncode == 0 and "12 of 12 nodes Bootstrapped, the last at " in done.stdout, done.stdout + done.stderr
    first = files["--picture"].read_bytes()
    assert b"<svg" in first and len(first) > 30_000
    replayed = faction("replay", files["--journal"])
    assert replayed.returncode == 0 and replayed.stdout.startswith("12 boards"), replayed.stderr
    # The last of them is bootstrapped in the merged journals when it was in the run.
    run = Simulation("brownout", 3, record=True).run()
    learned = run.recording.learned
    zero = min(next(at for at, index, *_ in learned if index == board.index and at >= board.booted_at) for board in run.boards)
    last = max((board.concluded_at - zero) / 1e6 for board in run.boards)
    lines = [line for line in replayed.stdout.splitlines() if "│ bootstrapped │" in line]
    times = [float(line.split("│")[1].split()[0]) for line in lines]
    assert len(times) == 12 and abs(max(times) - last) < 0.03
    assert faction("simulate", "brownout", "--seed", "3", "--journal", files["--journal"]).returncode == 2


def test_a_run_that_fails_says_so_with_its_exit_code():
    done = faction("simulate", "greenhouse", "--set", "medium.loss=1.0", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["verdict"] == "none"


def test_many_runs_are_the_runs_one_by_one():
    done = faction("simulate", "split", "--runs", "45", "--json", "--seed", "7")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and [each["seed"] for each in said] == list(range(7, 52))
    assert said[3] == outcome(Simulation("split", 10).run())
    people = faction("simulate", "split", "--runs", "45", "--set", "medium.loss=0.25", width=120)
    assert "split: 45 runs" in people.stdout and "(a split verdict)" in people.stdout
    repeat = next(
        line for line in people.stdout.splitlines() if line.startswith("  some: faction simulate split --set medium.loss=0.25 --seed ")
    )
    again = faction(*repeat.split()[2:], "--json")
    assert again.returncode == 1 and json.loads(again.stdout)["verdict"] == "some"


def test_the_recommended_deadline_holds():
    changes = ["medium.loss=0.4", "cluster.nodes=5"]
    done = faction("simulate", "greenhouse", "--runs", "200", "--confidence", "0.95", *[f"--set={each}" for each in changes])
    deadline_ms = int(done.stdout.split("deadline_ms = ")[1].replace("_", ""))
    assert "for 95.00% of the starts to succeed" in done.stdout and 3000 < deadline_ms < 20_000
    loaded = scenario.load("greenhouse", [*changes, f"cluster.deadline_ms={deadline_ms}"])
    verdicts = [each["verdict"] for each in campaign.outcomes(loaded, range(1000, 1100))]
    assert verdicts.count("all") >= 88
    lost = ("--set", "medium.loss=1.0", "--set", "cluster.nodes=2")
    never = faction("simulate", "greenhouse", "--runs", "59", "--confidence", "0.95", *lost)
    assert "no deadline is long enough: too many runs never get there" in never.stdout


def test_a_sweep_draws_its_curve(tmp_path):
    picture = tmp_path / "sweep.png"
    done = faction("simulate", "greenhouse", "--sweep", "medium.loss=0.0,0.3", "--runs", "20", "--picture", picture)
    assert done.returncode == 0 and picture.read_bytes()[:4] == b"\x89PNG", done.stderr
    rows = [line.split("│")[1:-1] for line in done.stdout.splitlines() if line.startswith("│")]
    assert [row[0].strip() for row in rows] == ["0.0", "0.3"] and float(rows[0][4]) < float(rows[1][4])
    wrong = faction("simulate", "greenhouse", "--sweep", "medium.loss=0.0,3.0")
    assert wrong.returncode == 2 and "medium.loss=3.0: must be 1 or less" in wrong.stderr


@needs_chromium
def test_the_page_is_stepped_through_in_a_browser(tmp_path):
    run = history.history(Simulation("greenhouse", 1, record=True).run())
    steps = sum(len(run[name]) for name in ("changes", "frames", "learned", "starts"))
    page = tmp_path / "run.html"

    def seen(script="", step=""):
        page.write_text(pages.page(run) + f"<script>{script}</script>")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
        return subprocess.run([CHROMIUM, *options, f"file://{page}{step}"], capture_output=True, text=True, timeout=300).stdout

    start = seen()
    assert f"step 0 of {steps}" in start and "before the start" in start and run["title"] in start
    stepped = seen("for (let i = 0; i < 3; i++) document.getElementById('next').click(); document.getElementById('back').click();")
    assert f"step 2 of {steps}" in stepped and " s: node " in stepped
    end = seen("document.getElementById('last').click()")
    assert end.count(">12 of 12<") == 12 and end.count(">bootstrapped<") == 13, end[-3000:]
    assert f"step 40 of {steps}" in seen(step="#40")
    assert (
        seen("document.getElementById('slider').value = 7; document.getElementById('slider').oninput({target: {value: 7}})").count(
            "step 7 of"
        )
        == 1
    )
