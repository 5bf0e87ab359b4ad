"""What pictures and pages show of a simulated run: the graph, who told whom, and the common start."""

import re
import subprocess

import pytest
from command import anew, faction
from needs import CHROMIUM, needs_chromium

from faction import NO_PEER, READY_OBSERVED, WITHDRAWAL_OBSERVED
from faction_tools.shown import airs, page
from faction_tools.simulator import history
from faction_tools.simulator.scenario import Scenario
from faction_tools.simulator.simulation import Simulation

BRIDGES = (5, 11, 12, 18)


def recorded(name, seed=1):
    simulation = Simulation(name, seed, record=True).run()
    return simulation, history.history(simulation)


def three_in_a_line(**others):
    cluster = {"nodes": 3, "interval_ms": 100, "deadline_ms": 3000, "power_on_ms": 0.0, "start_up_ms": 100.0}
    return Scenario.model_validate({"title": "line", "cluster": cluster, "medium": {"topology": "line"}, **others})


def test_in_the_tunnel_boards_hear_their_neighbours_alone_and_the_wires_join_them():
    simulation, run = recorded("tunnel")
    west, east, wires = ({(a, b) for a, b, _ in air["links"]} for air in run["airs"])
    assert west == {(a, b) for a in range(12) for b in range(12) if abs(a - b) == 1}
    assert east == {(a, b) for a in range(12, 24) for b in range(12, 24) if abs(a - b) == 1}
    assert wires == {(a, b) for a in BRIDGES for b in BRIDGES if a != b}
    assert simulation.gaps() == [] and run["outcome"]["bootstrapped"] == 24
    cut = simulation.scenario.model_copy(update={"airs": simulation.scenario.airs[:2]})
    assert Simulation(cut).gaps() == [(list(range(12)), list(range(12, 24))), (list(range(12, 24)), list(range(12)))]


def test_who_told_whom_ends_with_what_each_machine_counts():
    for name, seed in (("tunnel", 1), ("brownout", 3), ("split", 2)):
        simulation, run = recorded(name, seed)
        told = history.tellers(run)
        for board in simulation.boards:
            counted = set(board.node.machine.collecting) - {board.peer_id}
            assert {peer_id for index, peer_id in told if index == board.index} == counted, (name, board.index)
        links = {(a, b) for air in run["airs"] for a, b, _ in air["links"]}
        assert all((teller, index) in links for (index, _), teller in told.items())


def test_a_withdrawal_by_silence_has_no_teller_and_one_by_word_has():
    crash = {"at_ms": 500.0, "kind": "crash", "nodes": [2]}
    # Board 0 completes too late, so 1 counts 2 and then misses it; only 1 notices the silence itself.
    silent = three_in_a_line(events=[crash], nodes=[{"id": 0, "start_up_ms": 50_000.0}])
    cluster = silent.cluster.model_copy(update={"presence_ms": 1000})
    run = history.history(Simulation(silent.model_copy(update={"cluster": cluster}), 1, record=True).run())
    lost = [(index, teller) for _, index, command, peer_id, teller in run["learned"] if (command, peer_id) == (WITHDRAWAL_OBSERVED, 2)]
    assert lost and all(teller == NO_PEER for _, teller in lost)
    assert not any(peer_id == 2 for _, peer_id in history.tellers(run))
    restart = three_in_a_line(
        events=[{"at_ms": 500.0, "kind": "restart", "nodes": [2]}],
        nodes=[{"id": 2, "start_up_ms": 400.0}, {"id": 0, "start_up_ms": 2000.0}],
    )
    told = history.history(Simulation(restart, 1, record=True).run())["learned"]
    lost = [(index, teller) for _, index, command, peer_id, teller in told if (command, peer_id) == (WITHDRAWAL_OBSERVED, 2)]
    assert (1, 2) in lost and (0, 1) in lost
    assert all(teller in (index - 1, index + 1) for _, index, command, _, teller in told if command == READY_OBSERVED)


def test_the_starts_are_those_of_the_boards():
    simulation, run = recorded("tunnel")
    assert sorted(index for _, index in run["starts"]) == list(range(24))
    times = [at for at, _ in run["starts"]]
    assert max(times) - min(times) == pytest.approx(run["outcome"]["start_skew_ms"]) and run["outcome"]["start_skew_ms"] < 100
    assert min(times) > run["outcome"]["ready_ms"]


def test_links_that_are_too_many_are_not_drawn():
    many = {"ids": list(range(70)), "airs": [{"name": "air", "boards": list(range(70)), "links": []}]}
    many["airs"][0]["links"] = [(a, b, 1) for a in range(70) for b in range(70) if a != b]
    (shown,) = airs.drawn(many)
    assert shown["links"] == [] and shown["name"] == "air: too many links to draw"
    few = {**many, "airs": [{**many["airs"][0], "links": [(0, 1, 5)]}]}
    assert airs.drawn(few)[0]["links"] == [(0, 1, 5)] and airs.drawn(few)[0]["name"] == "air"


def test_lines_of_airs_with_a_board_in_common_keep_off_each_other():
    _, run = recorded("tunnel")
    assert [air["bend"] > 0 for air in airs.drawn(run)] == [False, False, True]
    assert len({air["colour"] for air in airs.drawn(run)}) == 3
    from faction_tools.shown import graph  # here, for matplotlib takes long to import

    west, _, wires = graph._lines(run)
    assert len(west) == 11 and len(wires) == 6 and all(is_mutual for is_mutual, _ in west)
    assert all(y == 0 for _, line in west for _, y in line) and any(y > 3 for _, line in wires for _, y in line)
    assert 1.6 <= graph.height_of(run, 10) < 3


@pytest.mark.filterwarnings("error")
def test_pictures_of_odd_clusters_are_drawn(tmp_path):
    """One board alone, all in one place with links that lead one way, and nobody powered on."""
    from faction_tools.shown.simulated import draw_history

    cluster = {"nodes": 3, "power_on_ms": 0.0, "deadline_ms": 1000, "places": [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]}
    medium = {"links": [{"sources": [0], "targets": [1, 2], "loss": 1.0}]}
    for number, data in enumerate(
        (
            {"cluster": {"nodes": 1}},
            {"cluster": cluster, "medium": medium},
            {"cluster": {"nodes": 2, "power_on_ms": 5000.0}, "limit_ms": 1000.0},
        )
    ):
        run = history.history(Simulation(Scenario.model_validate({"title": "odd", **data}), 1, record=True).run())
        draw_history(run, tmp_path / f"{number}.svg")
        assert b"<svg" in (tmp_path / f"{number}.svg").read_bytes()
        assert "NaN" not in page.page(run) and "Infinity" not in page.page(run)


def test_a_picture_is_the_same_every_time(tmp_path):
    for run, name in ((faction, "first.svg"), (anew, "again.svg")):
        assert run("simulate", "tunnel", "--picture", tmp_path / name).returncode == 0
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


@needs_chromium
def test_the_page_shows_the_graph_who_told_whom_and_the_start(tmp_path):
    _, run = recorded("tunnel")
    path = tmp_path / "run.html"
    path.write_text(page.page({**run, "airs": [{**run["airs"][0], "name": "<b>radio</b>"}, *run["airs"][1:]]}))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]

    def seen(step):
        done = subprocess.run([CHROMIUM, *options, f"file://{path}#{step}"], capture_output=True, text=True, timeout=300)
        return done.stdout.partition("<script>")[0]

    end = seen(100_000)
    assert end.count('class="board"') == 24 and end.count('class="start"') == 24 and end.count("▶") == 24 + 1  # and the button
    relayed = re.findall(r'class="relayed" title="told by (\d+)">◍', end)
    assert len(relayed) == sum(teller != peer for (_, peer), teller in history.tellers(run).items())
    assert len(re.findall(r'<path d="M [^"]*" fill="none" stroke="#', end)) == 11 + 11 + 6
    assert "&lt;b&gt;radio&lt;/b&gt;" in end and "RS-485" in end
    assert re.findall(r'class="tick">(.*?)<', end) == [f"{second} s" for second in (0, 5, 10, 15, 20)]
    middle = seen(600)
    (said,) = re.findall(r'<p id="say">(.*?)</p>', middle)
    assert re.fullmatch(r"[\d.]+ s: node \d+ .*", said)
