"""What faction probe finds out and shows: what differs, a node that stands still, and fleets that are wider than a terminal."""

import json
import re

import pytest
from command import faction
from emulated import Board, furnish, ports, powered, settings_of, states, wait
from needs import needs_micropython
from rich.console import Console

from faction import BOOTSTRAPPED, COLLECTING
from faction.console import Answers
from faction_tools.serial.answers import check
from faction_tools.serial.findings import findings
from faction_tools.serial.report import Report
from faction_tools.serial.survey import COMMANDS, Survey
from faction_tools.shown.survey import Picture
from faction_tools.simulator.scenario import load
from faction_tools.simulator.simulation import Simulation
from faction_tools.wording import FEW


def found(boards):
    """Return {kind: texts} of the findings that a program gets."""
    answer = json.loads(faction("probe", "--json", *ports(boards)).stdout)
    kinds = {}
    for each in answer["findings"]:
        kinds.setdefault(each["kind"], []).append(each["text"])
    return answer["exit"], kinds


# What differs at the board "west", what that is called, and the exit code.
DIFFERENCES = {
    "quorum": ({"quorum": 2}, "roster", "3 (west): quorum 2, others 4; deploy again", 2),
    "cluster": ({"cluster": "hall"}, "cluster", "3 (west): cluster hall, others local; deploy again", 2),
    "roster": (
        {"peers": [0, 1, 2, 3, 9], "names": ["north", "south", "east", "west", "new"]},
        "roster",
        "3 (west): boards 0-3, 9, others 0-3; deploy again",
        2,
    ),
    "key": ({"key": "a secret of sixteen"}, "key", "3 (west): a key, others no key; deploy again", 2),
    "deadline": ({"deadline_ms": 50_000}, "settings", "3 (west): deadline_ms 50000, others 60000; deploy again", 1),
    "interval": ({"interval_ms": 150}, "settings", "3 (west): interval_ms 150, others 100; deploy again", 1),
}


@needs_micropython
@pytest.mark.parametrize("what", DIFFERENCES)
def test_what_differs_is_named(tmp_path, what):
    changes, kind, text, code = DIFFERENCES[what]
    settings = [{**each, "start_up_ms": 60_000} for each in settings_of(4)]
    settings[3].update(changes)
    with powered(tmp_path, settings) as boards:
        exit_code, kinds = found(boards)
        assert kinds[kind][0] == text and exit_code == code, kinds


@needs_micropython
def test_no_majority_blames_nobody(tmp_path):
    settings = settings_of(2)
    settings[1]["quorum"] = 1
    with powered(tmp_path, settings) as boards:
        _, kinds = found(boards)
        assert kinds["roster"][0] == "quorum 2: 0 (north); quorum 1: 1 (south); deploy all of them again, from one roster", kinds


@needs_micropython
def test_another_key_is_named_although_no_board_tells_its_key(tmp_path):
    settings = settings_of(3, key="the key of this cluster")
    settings[2]["key"] = "the key of another cluster"
    with powered(tmp_path, settings) as boards:
        text = "2 (east) hears only frames that are damaged, or signed with another key; deploy again, or look for what disturbs the air"
        wait(lambda: found(boards)[1].get("unreadable") == [text])
        assert "another cluster" not in faction("probe", *ports(boards)).stdout


# A program that polls its console, and after a while no longer its node.
STILL = """\
import time
from faction.transports.udp import UDP
from member import addresses, load, say, serve, speak_on
from terminal import Terminal
settings = load()
[air] = settings["transports"]
terminal = Terminal()
speak_on(terminal)
node, console = serve(settings, UDP(air["port"], addresses(air), air["bind"]), terminal)
say("faction: node stands")
for _ in range(100):
    node.poll()
    time.sleep(0.005)
say("its node is not polled any more")
while True:
    console.poll()
    time.sleep(0.005)
"""


@needs_micropython
def test_a_node_that_stands_still(tmp_path):
    settings = settings_of(3)
    for number in (0, 2):
        furnish(tmp_path / str(number), settings[number])
    (tmp_path / "2" / "main.py").write_text(STILL)
    with Board(tmp_path / "0") as good, Board(tmp_path / "2") as still:
        wait(lambda: b"faction: node" in good.said and b"not polled any more" in still.said)
        done = faction("probe", good.port, still.port)
        text = "2 (east): its node stands still: its program answers here, but does not call node.poll(); correct the program"
        assert f"! {text}\n" in done.stdout and done.returncode == 1, done.stdout
        [first, second] = [line for line in done.stdout.splitlines() if "(north)" in line[:20] or "(east)" in line[:20]][:2]
        assert " s left" in first and "stands still" in second and "stands still" not in first, done.stdout
        [report] = json.loads(faction("probe", "--json", still.port).stdout)["boards"]
        assert report["stands_still"] and not report["is_at_repl"]
        assert "its node stands still" in faction("probe", still.port).stdout


@needs_micropython
def test_boards_are_waited_for_in_the_order_of_their_ids(tmp_path):
    ids = [2, 9, 10, 100]
    settings = [{**each, "peers": ids, "peer_id": ids[i]} for i, each in enumerate(settings_of(4, names=None))]
    for each in settings:
        del each["names"]
    with powered(tmp_path, settings[:1]) as boards:
        wait(lambda: states(boards, COLLECTING))
        done = faction("probe", *ports(boards))
        assert done.stdout.splitlines()[-1] == "not yet; waiting for 9, 10, 100", done.stdout


def fleet(scenario, is_reached, **changes):
    """Return the reports of simulated nodes at some time of their run: the answers of real consoles."""
    settings = load(scenario)
    cluster = settings.cluster.model_copy(update=changes)
    run = Simulation(settings.model_copy(update={"cluster": cluster}), seed=1)
    run.run(lambda: is_reached([board.node for board in run.boards if board.node is not None]))
    return [report_of(board.node) for board in run.boards if board.node is not None]


def report_of(node):
    answers = Answers(node, names=[f"sensor-{peer_id}" for peer_id in node.config.peers])
    report = Report(f"/dev/ttyACM{node.config.peer_id}", {c: json.loads("".join(answers.to(f"{c} json"))) for c in COMMANDS})
    for command, answer in report.answers.items():
        check(command, answer, report.port)
    return report


def some_are_ready(nodes):
    return sum(node.machine.state == COLLECTING for node in nodes) > 20


def all_are_bootstrapped(nodes):
    return len(nodes) == 60 and all(node.machine.state == BOOTSTRAPPED for node in nodes)


@pytest.fixture(scope="module")
def waiting():
    return fleet("swarm", some_are_ready, nodes=60, quorum="everyone")


def lines_of(survey, width, height=None):
    """Return the lines of a survey on a terminal."""
    console = Console(width=width, height=50, force_terminal=True, color_system=None, markup=False)
    with console.capture() as captured:
        console.print(Picture(survey, height))
    return captured.get().splitlines()


def test_a_narrow_terminal_breaks_names_rather_than_states(waiting):
    lines = lines_of(Survey(waiting), 56)
    assert max(map(len, lines)) <= 56
    assert sum(len(re.findall(r" (?:pinging|collecting) ", line)) for line in lines) == 60, lines


def test_a_page_loses_nothing_on_a_narrow_terminal(waiting):
    lines = lines_of(Survey(waiting[:1]), 40)
    assert max(map(len, lines)) <= 40 and "…" not in "".join(lines), lines


def test_one_board_that_gives_no_answer_is_not_called_some():
    fault = Report("/dev/ttyUSB7", fault="/dev/ttyUSB7: no answer")
    assert lines_of(Survey([fault]), 80)[-1].rstrip() == "no answer"


@pytest.mark.parametrize("width", [80, 120, 220])
def test_sixty_boards_fit_any_terminal(waiting, width):
    lines = lines_of(Survey(waiting), width)
    assert max(map(len, lines)) <= width and not [line for line in lines if "…" in line]
    for report in waiting:  # each has one line of its own, in the order of their ids
        [at] = [i for i, line in enumerate(lines) if report.port + " " in line]
        assert report.name in lines[at] and "of 60" in lines[at]
    marks = sum(map(len, re.findall("[○●✗◌◍·]{10,}", "\n".join(lines))))
    assert marks == 60 * 60 if width == 220 else marks >= 60 and marks % 60 == 0
    assert " ".join(lines).split("waiting for ")[1].startswith("0 (sensor-0), 2 (sensor-2), ")


def test_two_hundred_boards_fit_in_eighty_columns():
    reports = fleet("swarm", lambda nodes: len(nodes) == 200, nodes=200)
    lines = lines_of(Survey(reports), 80)
    assert len(reports) == 200 and max(map(len, lines)) <= 80
    assert any(line.split()[:3] == ["0", "10", "20"] for line in lines), lines[-30:]


def test_boards_that_know_the_same_share_a_line():
    reports = fleet("swarm", all_are_bootstrapped, nodes=60, quorum="everyone")
    for report in reports:
        for row in report.answers["peers"]["peers"]:
            row[2] = int(row[0] != report.peer_id)
    lines = lines_of(Survey(reports), 80)
    assert lines[-2] == "0-59 " + " ".join(["●" * 10] * 6) and lines[-1] == "all bootstrapped"
    assert lines[-3].split() == ["0", "10", "20", "30", "40", "50"]


def test_a_watch_on_a_small_screen_shows_what_needs_a_look(waiting):
    reports = [Report(each.port, json.loads(json.dumps(each.answers))) for each in waiting]
    for report in reports:
        report.answers["probe"]["state"] = BOOTSTRAPPED if report.peer_id != 41 else COLLECTING
    reports[17].stands_still = True
    reports.append(Report("/dev/ttyUSB7", fault="/dev/ttyUSB7: no answer"))
    lines = lines_of(Survey(reports), 80, height=24)
    assert len(lines) <= 24 and lines[-1] == "no answer from some", lines
    assert any(line.startswith("41 (sensor-41)") for line in lines) and any(line.startswith("17 (sensor-17)") for line in lines)
    assert any(line.startswith("and 5") and line.endswith(" bootstrapped") for line in lines), lines


def test_one_board_that_differs_among_sixty_is_one_line(waiting):
    reports = [Report(each.port, json.loads(json.dumps(each.answers))) for each in waiting]
    reports[7].answers["config"]["quorum"] = 31
    for report in reports:
        report.answers["stats"]["offenders"] = {} if report.peer_id == 7 else {"other_expectations": 7}
        for row in report.answers["peers"]["peers"]:
            row[2] = int(report.peer_id != 7)  # it hears nobody
    texts = [finding.text for finding in findings(reports)]
    assert texts[0] == "7 (sensor-7): quorum 31, others 60; deploy again"
    first = ", ".join(f"{i} (sensor-{i})" for i in range(FEW + 1) if i != 7)
    assert texts[1] == f"{first} and 51 more hear a board with another roster or quorum, id 7"
    assert texts[2].startswith("7 (sensor-7) does not hear 0 (sensor-0), ") and len(texts) == 3, texts


def test_the_last_error_of_a_program_is_named_and_cannot_move_the_cursor():
    [report] = fleet("greenhouse", lambda nodes: len(nodes) == 1, nodes=1, quorum=1)
    report.answers["probe"]["last_error"] = "ValueError: \x1b[2Jgone"
    lines = lines_of(Survey([report]), 100)
    assert "! 0 (sensor-0): its program has failed: ValueError: ?[2Jgone" in lines
