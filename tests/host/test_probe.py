"""faction probe against real MicroPython processes on pseudo terminals, at their consoles and at their REPLs."""

import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect
import pyte
import pytest
import serial
from command import FACTION, faction, matrix
from emulated import NAMES, Board, Bridge, Port, ports, pour, powered, settings_of, states, wait
from needs import NO_MICROPYTHON, needs_microbit, require

from faction import BOOTSTRAPPED, COLLECTING, TIMED_OUT, __version__
from faction_tools import cli
from faction_tools.dev import microbit
from faction_tools.serial import line, survey
from faction_tools.serial import port as usb

require(NO_MICROPYTHON)


def shown(done, boards):
    """Return what was printed, without what differs from run to run."""
    text = done.stdout
    for number, board in enumerate(boards):
        text = re.sub(rf"{board.port}\b", f"PORT{number}", text)  # /dev/pts/1 is the beginning of /dev/pts/12
    return re.sub(r"\d+(\.\d)? s\b", "T s", text)


HEALTHY = """\
· silent  ○ heard  ● ready  ◌ ◍ told by others  ✗ one-way, of 0-4
┏━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━┳━━━━━━━━━┓
┃ board     ┃ port       ┃ state        ┃ hears ┃ ready  ┃    time ┃
┡━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━╇━━━━━━━━━┩
│ 0 (north) │ PORT0      │ bootstrapped │ ●●●●● │ 5 of 5 │ started │
│ 1 (south) │ PORT1      │ bootstrapped │ ●●●●● │ 5 of 5 │ started │
│ 2 (east)  │ PORT2      │ bootstrapped │ ●●●●● │ 5 of 5 │ started │
│ 3 (west)  │ PORT3      │ bootstrapped │ ●●●●● │ 5 of 5 │ started │
│ 4 (door)  │ PORT4      │ bootstrapped │ ●●●●● │ 5 of 5 │ started │
└───────────┴────────────┴──────────────┴───────┴────────┴─────────┘
all bootstrapped
"""


README = (Path(__file__).parents[2] / "tools/README.md").read_text()
EXAMPLE = json.loads(README.split("```json\n")[1].split("```")[0])


def shape(value):
    """Return a value of JSON with types in place of values."""
    return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else type(value)


def test_five_healthy_boards(tmp_path):
    with powered(tmp_path, settings_of(5)) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        wait(lambda: all(has_started(board) for board in boards))
        wait(lambda: "│ ●●●●● │" * 5 == "".join(re.findall("│ ●+ │", faction("probe", *ports(boards)).stdout)))  # each hears each itself
        people = faction("probe", *ports(boards))
        assert people.returncode == 0, people.stdout + people.stderr
        assert matrix(shown(people, boards)) == matrix(HEALTHY)
        programs = faction("probe", "--json", *ports(boards))
        answer = json.loads(programs.stdout)
        assert programs.returncode == answer["exit"] == 0 and answer["version"] == 1 and answer["findings"] == []
        assert shape(answer["boards"][0]) == shape(EXAMPLE["boards"][0]) and list(answer) == list(EXAMPLE)
        for number, board in enumerate(answer["boards"]):
            assert board["port"] == boards[number].port and board["state"] == "bootstrapped" and board["is_at_repl"] is False
            assert list(board["probe"]) == [
                "faction",
                "id",
                "name",
                "state",
                "complete",
                "heard",
                "ready",
                "required",
                "peers",
                "remaining_ms",
                "uptime_cs",
                "known",
                "start_ms",
                "started",
                "started_late_ms",
                "last_error",
            ]
            assert (board["probe"]["known"], board["probe"]["start_ms"], board["probe"]["started"]) == (0, 0, True)
            assert (board["probe"]["id"], board["probe"]["name"], board["probe"]["ready"]) == (number, NAMES[number], 5)
            assert [row[:4] for row in board["peers"]["peers"]] == [[i, NAMES[i], int(i != number), 1] for i in range(5)]
            assert board["missing"] == {"faction": "missing", "unheard": [], "unready": []}
            assert board["config"]["roster"] == answer["boards"][0]["config"]["roster"]
            assert board["stats"]["node"]["beacon"] > 0 and board["stats"]["node"]["malformed"] == 0


PAGE = """\
0 (north) on PORT0: collecting, own part complete, ready 2 of 3, T s left
cluster local, quorum 3 of 3, roster check ROSTER, interval 100 ms, faction 0.1.0
┏━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━━┓
┃ peer      ┃                   ┃ last frame ┃ told by others ┃ restarts ┃
┡━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━━┩
│ 0 (north) │ ready, this board │            │                │          │
│ 1 (south) │ ready             │ T s ago    │                │          │
│ 2 (east)  │ never heard of    │            │                │          │
└───────────┴───────────────────┴────────────┴────────────────┴──────────┘
node: COUNTERS
not yet; waiting for 2 (east)
"""


def test_a_board_that_misses_one(tmp_path):
    with powered(tmp_path, settings_of(3)[:2]) as boards:
        wait(lambda: all(b'"ready": [0, 1]' in board.said for board in boards))
        done = faction("probe", boards[0].port)
        assert done.returncode == 1, done.stderr
        text = re.sub(r"check [0-9a-f]{8}", "check ROSTER", re.sub(r"node: beacon .*", "node: COUNTERS", shown(done, boards)))
        assert matrix(text) == matrix(PAGE)


def test_boards_that_timed_out(tmp_path):
    with powered(tmp_path, settings_of(3, deadline_ms=300)[:2]) as boards:
        wait(lambda: states(boards, TIMED_OUT))
        done = faction("probe", *ports(boards))
        assert done.returncode == 2 and "timed out" in done.stdout.splitlines()[-1], done.stdout
        answer = json.loads(faction("probe", "--json", boards[0].port).stdout)
        assert answer["exit"] == 2 and answer["boards"][0]["missing"]["unheard"] == [2]


def test_boards_in_conflict(tmp_path):
    settings = settings_of(4)
    settings[2]["quorum"] = 2
    settings[3]["peer_id"] = 0
    with powered(tmp_path, settings) as boards:
        heard = ("0 (north) hears another board with its own id 0", "0 (north), 1 (south) hear a board with another roster or quorum, id 2")
        wait(lambda: set(heard) <= {text for texts in findings(boards).values() for text in texts})
        done = faction("probe", *ports(boards))
        assert done.returncode == 2, done.stdout + done.stderr
        text = shown(done, boards)
        assert "! PORT0 and PORT3 both have the id 0; deploy one of them again, with an id of its own" in text, text
        assert "! 2 (east): quorum 2, others 4; deploy again\n" in text and "! 0 (north) hears another board with its own id 0\n" in text, (
            text
        )
        assert "! 0 (north), 1 (south) hear a board with another roster or quorum, id 2\n" in text, text
        assert "timed out, or in conflict" in text
        kinds = {finding["kind"] for finding in json.loads(faction("probe", "--json", *ports(boards)).stdout)["findings"]}
        assert {"clone", "roster"} <= kinds


VERSION_1 = bytes.fromhex("fac7010300000000000000000000000700000001000000010000")  # of peer 7


def test_another_version_on_the_air_is_named(tmp_path):
    settings = settings_of(2)
    with powered(tmp_path, settings) as boards, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        wait(lambda: states(boards, BOOTSTRAPPED))
        sender.sendto(VERSION_1, ("127.0.0.1", settings[0]["transport"]["port"]))
        wait(lambda: "other_version" in findings(boards))
        [text] = findings(boards)["other_version"]
        assert text == "0 (north) hears a board that speaks another version of the protocol; deploy to all boards. It has the id 7"
        assert faction("probe", *ports(boards)).returncode == 2


def restarted(board, settings):
    """Cut the power of a board for a moment. It comes back with other settings."""
    (board.flash / "faction.json").write_text(json.dumps(settings))
    board.said.clear()
    board.kill()
    wait(lambda: b"faction: node" in board.said)


def test_a_board_that_restarts_after_the_verdict_of_others(tmp_path):
    settings = settings_of(2)
    with powered(tmp_path, settings) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        restarted(boards[1], {**settings[1], "start_up_ms": 60_000})
        text = "0 (north) counted 1 (south) as ready in its verdict, but 1 (south) has restarted since, and is not ready yet"
        wait(lambda: findings(boards).get("readiness") == [text])


def test_a_board_that_restarts_before_the_verdict_is_withdrawn(tmp_path):
    settings = settings_of(3)
    settings[2]["start_up_ms"] = 60_000
    with powered(tmp_path, settings) as boards:
        wait(lambda: b'"ready": [0, 1]' in boards[0].said)
        restarted(boards[1], {**settings[1], "start_up_ms": 60_000})
        wait(lambda: json.loads(faction("probe", "--json", boards[0].port).stdout)["boards"][0]["probe"]["ready"] == 1)
        assert "readiness" not in findings(boards)
        done = faction("probe", *ports(boards))
        assert done.stdout.splitlines()[-1] == "not yet; waiting for 1 (south), 2 (east)", done.stdout


def cut(settings, *links):
    """Let a board send nothing to another, for each (board, other)."""
    for sender, receiver in links:
        deaf = f"127.0.0.1:{settings[receiver]['transport']['port']}"
        network = settings[sender]["transport"]
        network["to"] = [to for to in network["to"] if to != deaf]


def findings(boards):
    """Return {kind: texts} of a survey for programs."""
    found = {}
    for each in json.loads(faction("probe", "--json", *ports(boards)).stdout)["findings"]:
        found.setdefault(each["kind"], []).append(each["text"])
    return found


def rows(boards):
    """Return the rows of the table of three boards."""
    return matrix(faction("probe", *ports(boards)).stdout)[2:5]


def test_a_one_way_link_is_marked(tmp_path):
    settings = settings_of(3)
    cut(settings, (0, 2), (1, 2))  # 2 hears nobody, and is heard by all
    with powered(tmp_path, settings) as boards:
        wait(lambda: "✗✗●" in faction("probe", *ports(boards), width=160).stdout)
        done = faction("probe", *ports(boards), width=160)
        assert "│ ✗✗●   │" in done.stdout and done.stdout.count("but not the other way round") == 2, done.stdout
        assert "! 0 (north) hears 2 (east), but not the other way round" in done.stdout
        assert done.returncode == 1


def test_a_line_of_boards_whose_ends_do_not_hear_each_other(tmp_path):
    settings = settings_of(3)
    cut(settings, (0, 2), (2, 0))
    with powered(tmp_path, settings) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        wait(lambda: [row[3] for row in rows(boards)] == ["●●◍", "●●●", "◍●●"])
        done = faction("probe", *ports(boards))
        assert done.returncode == 0 and "!" not in done.stdout, done.stdout
        assert [row[3] for row in matrix(done.stdout)[2:5]] == ["●●◍", "●●●", "◍●●"], done.stdout
        answer = json.loads(faction("probe", "--json", *ports(boards)).stdout)
        assert answer["findings"] == []
        assert [(board["probe"]["heard"], board["probe"]["known"]) for board in answer["boards"]] == [(1, 1), (2, 0), (1, 1)]
        *row, said_cs = answer["boards"][0]["peers"]["peers"][2]
        assert row == [2, "east", 0, 1, -1, 0] and said_cs >= 0
        page = faction("probe", boards[0].port).stdout
        assert re.search(r"│ 2 \(east\)  │ ready +│ +│ \d+\.\d s ago +│ +│", page), page


def test_a_line_that_waits_shows_who_is_known_through_others(tmp_path):
    settings = settings_of(3)
    settings[2]["start_up_ms"] = 60_000
    cut(settings, (0, 2), (2, 0))
    with powered(tmp_path, settings) as boards:
        wait(lambda: [row[3] for row in rows(boards)] == ["●●◌", "●●○", "◍●○"])
        done = faction("probe", *ports(boards))
        assert done.returncode == 1 and done.stdout.splitlines()[-1] == "not yet; waiting for 2 (east)", done.stdout
        assert [row[3] for row in matrix(done.stdout)[2:5]] == ["●●◌", "●●○", "◍●○"], done.stdout


def test_a_relay_hides_no_one_way_link(tmp_path):
    settings = settings_of(3)
    cut(settings, (0, 2))  # 2 does not hear 0, but 1 tells it
    with powered(tmp_path, settings) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        wait(lambda: rows(boards)[2][3] == "✗●●")
        done = faction("probe", *ports(boards))
        assert done.returncode == 0 and matrix(done.stdout)[4][3] == "✗●●", done.stdout
        [text] = findings(boards)["one_way"]
        assert text.startswith("0 (north) hears 2 (east), but not the other way round; check antennas")
        assert text.endswith("unless frames are often lost; 2 (east) knows 0 (north) through others")


def test_the_common_start_is_shown(tmp_path):
    with powered(tmp_path, settings_of(2, start_after_ms=59_900)) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        done = faction("probe", *ports(boards))
        assert done.returncode == 0 and len(re.findall(r"starts in [1-5]\d\.\d s", done.stdout)) == 2, done.stdout


def test_a_board_that_comes_late_says_so(tmp_path):
    settings = settings_of(3)
    for each in settings:
        each["quorum"] = 2
    settings[2]["start_up_ms"] = 2500
    with powered(tmp_path, settings) as boards:
        wait(lambda: states(boards[:2], BOOTSTRAPPED))
        wait(lambda: "the others have started, " in faction("probe", boards[2].port).stdout or states(boards, BOOTSTRAPPED))
        wait(lambda: all(has_started(board) for board in boards))
        done = faction("probe", *ports(boards))
        assert [row[5] for row in matrix(done.stdout)[2:4]] == ["started", "started"], done.stdout
        assert re.search(r"started \d\.\d s late", done.stdout), done.stdout


def test_a_board_at_its_repl(tmp_path):
    with powered(tmp_path, settings_of(2)) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        with serial.Serial(boards[0].port, timeout=0.2) as line:
            for _ in range(3):  # as a person does who wants to look around
                line.write(b"\x03")
                time.sleep(0.1)
            wait(lambda: boards[0].said.endswith(b">>> "))
        done = faction("probe", *ports(boards))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "PORT0, REPL" in shown(done, boards) and "PORT1, REPL" not in shown(done, boards)
        page = faction("probe", boards[0].port)
        assert "at its REPL: its node stands still until the board is reset" in page.stdout
        with serial.Serial(boards[0].port, timeout=0.2) as line:
            line.write(b"node = None; import faction.console; faction.console.probe()\r")
            wait(lambda: b"0 (north): bootstrapped, own part complete, heard 1 of 1, ready 2 of 2" in boards[0].said)


def test_a_repl_without_a_node(tmp_path):
    (tmp_path / "bare").mkdir()
    with Board(tmp_path / "bare") as board:
        wait(lambda: board.said.endswith(b">>> "))
        done = faction("probe", board.port)
        assert done.returncode == 3 and len(done.stdout.splitlines()) == 2, done.stdout
        assert done.stdout.startswith(f"! {board.port}: at its REPL, and without a node; press its reset button"), done.stdout


def test_a_program_that_does_not_answer(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "main.py").write_text("import time\nwhile True:\n    print('temperature 21')\n    time.sleep(0.1)\n")
    with Board(tmp_path / "other") as board:
        done = faction("probe", board.port, "--timeout", "1")
        assert (
            done.returncode == 3
            and "no answer, but it prints 'temperature 21'; does it run faction, with its console on? Press its reset button" in done.stdout
        ), done.stdout


# A program that reads commands as the console does. What it does with the words of a command comes behind this.
READS_COMMANDS = """\
import sys
command = ""
while True:
    key = sys.stdin.read(1)
    command += key
    if key == "\\r":
        words = command.split()
        command = ""
"""

FOREIGN = f"""\
{READS_COMMANDS}        print('{{"faction": "%s", "id": 0, "state": 9}}' % (words[0] if words else "none"))
"""


def test_an_answer_of_another_kind(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "main.py").write_text(FOREIGN)
    with Board(tmp_path / "other") as board:
        done = faction("probe", board.port)
    wrong = "its answer to probe is not as expected (name: Field required)"
    assert (done.returncode, done.stderr) == (3, ""), done
    assert done.stdout.splitlines()[0] == f"! {board.port}: {wrong}; bring faction {__version__} onto it: faction deploy"


EARLIER_ANSWERS = """\
ANSWERS = {
    "probe": '"id": 0, "name": "north", "state": 2, "complete": true, "heard": 1, "ready": 2, "required": 2, "peers": 2, '
    '"remaining_ms": 5000, "uptime_cs": 195',
    "peers": '"peers": [[0, "north", 0, 1, -1, 0], [1, "south", 1, 0, 4, 0]]',
    "missing": '"unheard": [], "unready": [1]',
    "config": '"version": "0.1.0", "cluster": "x", "peers": 2, "quorum": 2, "roster": "1c9c1d97", "interval_ms": 100',
    "stats": '"node": {}, "offenders": {"same_id": 7}, "transport": {}',
}
"""

EARLIER = f"""\
{EARLIER_ANSWERS}{READS_COMMANDS}        if words and words[0] in ANSWERS:
            print('{{"faction": "%s", %s}}' % (words[0], ANSWERS[words[0]]))
"""


def test_a_board_of_an_earlier_version_is_shown(tmp_path):
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "main.py").write_text(EARLIER)
    with Board(tmp_path / "earlier") as board:
        page = faction("probe", board.port)
        answer = json.loads(faction("probe", "--json", board.port).stdout)
    assert page.returncode == 2 and "ready 2 of 2, 5.0 s left" in page.stdout and not page.stderr, page
    assert "│ 1 (south) │ heard, not ready  │ 0.0 s ago  │                │          │" in page.stdout, page.stdout
    assert answer["boards"][0]["peers"]["peers"][1] == [1, "south", 1, 0, 4, 0]


@needs_microbit
def test_an_emulated_microbit(tmp_path):
    with microbit.Microbit() as board:
        board.load_machine()
        board.run("make(1, (0, 1, 2), 2)\ndo(0, 2)\ndo(1, 2)")
        with Bridge(board._socket) as bridge:
            answer = json.loads(faction("probe", "--json", bridge.port, "--timeout", "60").stdout)
            [said] = answer["boards"]
            assert said["is_at_repl"] and said["state"] == "pinging" and answer["exit"] == 1, answer
            assert said["peers"]["peers"] == [[0, None, 0, 0, -1, 0], [1, None, 0, 0, -1, 0], [2, None, 1, 1, -1, 0]]
            page = faction("probe", bridge.port, "--journal", tmp_path / "run.journal", "--timeout", "60")
            said = f"{bridge.port}: keeps no journal\n{tmp_path}/run.journal: not written; no board gave a journal\n"
            assert page.stderr == said and not (tmp_path / "run.journal").exists()
            assert "1 on" in page.stdout and "ready 1 of 2" in page.stdout, page.stdout


def test_ports_that_do_not_open(tmp_path):
    none = faction("probe", "/dev/nothing")
    assert none.returncode == 3 and none.stdout.startswith("! /dev/nothing: no such port; plug the board in with a data cable"), none.stdout
    with powered(tmp_path, settings_of(1)) as [board]:
        with serial.Serial(board.port, exclusive=True):
            busy = faction("probe", board.port)
        assert busy.returncode == 3 and "in use by another program; close its terminal" in busy.stdout, busy.stdout
        assert faction("probe", board.port).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0 if hasattr(os, "geteuid") else True, reason="only root can become somebody else")
def test_a_port_of_somebody_else():
    host, device = os.openpty()
    port = os.ttyname(device)
    os.chmod(port, 0o600)
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        os._exit(0 if "you may not open it; run sudo usermod -aG dialout $USER" in usb.explain(port) else 1)
    assert os.waitpid(child, 0)[1] == 0
    os.close(host)
    os.close(device)


def test_no_port_at_all():
    if usb.found():
        pytest.skip("there are boards on this computer")
    done = faction("probe")
    assert done.returncode == 3 and done.stderr.startswith("no serial port on USB found; use a data cable"), done.stderr


def has_started(board):
    """Return whether a board has said by itself that it goes on. The answers of its console do not count."""
    return any(b'"started": true' in line and b'"faction"' not in line for line in board.said.splitlines())


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("name", ["pull_after", "pull_at"])
def test_the_cable_is_pulled_at_every_point_of_an_exchange(tmp_path, name, part):
    """name: whether bytes to the board are counted, or those from it. Each part takes every third point."""
    with powered(tmp_path, settings_of(1)) as [board]:
        wait(lambda: has_started(board))  # so that what it says by itself does not count
        board.plug_in()
        whole = faction("probe", board.port)
        assert whole.returncode == 0
        to_board, to_host = board.bytes_to_board, board.bytes_to_host
        points = range(1, to_board, max(1, to_board // 8)) if name == "pull_after" else range(1, to_host - 40, max(1, to_host // 16))
        for at in points[part::3]:
            wait(lambda: has_started(board))  # again, as the cable is its power
            board.plug_in()
            board.said.clear()
            setattr(board, name, at if name == "pull_after" else board.bytes_to_host + at)
            done = faction("probe", board.port, "--timeout", "1")
            assert done.returncode == 3, (at, done.stdout)
            lines = done.stdout.splitlines()
            assert len(lines) == 2 and lines[0].startswith(f"! {board.port}: ") and not done.stderr, (at, done.stdout, done.stderr)
        board.plug_in()
        wait(lambda: faction("probe", board.port).returncode == 0)


def test_a_prompt_without_a_repl_behind_it_is_no_longer_waited_for_than_a_person_allows():
    """Another computer may be at the port: mpremote would wait ten seconds for its REPL."""
    with Prompt() as other:
        begin = time.monotonic()
        done = faction("probe", other.port, "--timeout", "1")
        assert time.monotonic() - begin < 9 and done.returncode == 3, done
    assert done.stdout.startswith(f"! {other.port}: the board went away during its answer (could not enter raw repl)"), done.stdout


FLOODS = {
    "prompts": (b">>> ", "the board went away during its answer ("),
    "an answer without an end": (b'{"faction": "probe" ', "no answer, but it prints '"),
    "a number without an end": (b'{"faction": "probe", "id": ' + b"9" * 5000 + b"}\n", "no answer, but it prints '"),
    "a deep answer": (b'{"faction": "probe", "x": ' + b"[" * 3000 + b"\n", "no answer, but it prints '"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_line_that_prints_without_end_is_not_heard_for_ever(monkeypatch, capsys, name):
    monkeypatch.setattr(line, "LONGEST_S", 1)
    flood, said = FLOODS[name]
    with Flood(flood) as other:
        begin = time.monotonic()
        assert cli.main(["probe", other.port]) == 3
        assert time.monotonic() - begin < 30
    shown = capsys.readouterr()
    assert shown.out.startswith(f"! {other.port}: {said}") and len(shown.out.splitlines()) == 2 and not shown.err, shown


def test_ctrl_c_ends_the_wait_for_a_repl_at_once():
    with Flood(b">>> ") as other, started("probe", "--timeout", "60", other.port) as asking:
        wait(lambda: other.sent > 5000)
        time.sleep(1)
        asking.send_signal(signal.SIGINT)
        assert asking.wait(5) == 130


class Flood(Port):
    """Something that prints the same without end, and reads what it is told. ``sent``: how many bytes."""

    def __init__(self, words):
        super().__init__()
        self.sent = 0
        self._words = words

    def turn(self):
        pour(self.host, self._words)
        self.sent += len(self._words)
        with suppress(BlockingIOError):
            os.read(self.host, 4096)
        time.sleep(0.001)


class Prompt(Port):
    """A computer that answers everything with a prompt."""

    def turn(self):
        if select.select([self.host], [], [], 0.05)[0]:
            said = b""
            with suppress(BlockingIOError):
                said = os.read(self.host, 4096)
            pour(self.host, self.answer(said))

    def answer(self, said):
        return b"\r\n>>> "


class HalfPaste(Prompt):
    """One whose REPL breaks off in the head of a raw paste."""

    def answer(self, said):
        return b"R\x01\x10" if said.endswith(b"\x05A\x01") else b"raw REPL; CTRL-B to exit\r\n>"


def test_a_repl_that_breaks_off_in_its_head_is_told_in_one_line():
    with HalfPaste() as other:
        done = faction("probe", other.port, "--timeout", "1")
    lines = done.stdout.splitlines()
    assert done.returncode == 3 and len(lines) == 2 and not done.stderr, done
    assert lines[0] == f"! {other.port}: the board went away during its answer (its answer is damaged); plug it in and run this again"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--watch", "-1", "/dev/nothing"], "--watch -1: not a number of seconds from 0 to 86400; write, for example, --watch=1"),
        (["--watch=soon"], "--watch soon: not a number of seconds from 0 to 86400; write, for example, --watch=1"),
        (["--watch=nan"], "--watch nan: not a number of seconds from 0 to 86400; write, for example, --watch=1"),
        (["--watch", "1e9"], "--watch 1e9: not a number of seconds from 0 to 86400; write, for example, --watch=1"),
        (["--watch", "/dev/x"], "--watch /dev/x: not a number of seconds; put the port first, or write --watch=1 /dev/x"),
        (["--watch", "COM3"], "--watch COM3: not a number of seconds; put the port first, or write --watch=1 COM3"),
        (["--timeout", "0"], "--timeout 0: not a number of seconds from 0.1 to 3600; write, for example, --timeout=1"),
        (["--timeout", "-3"], "--timeout -3: not a number of seconds from 0.1 to 3600; write, for example, --timeout=1"),
        (["--journal", "{folder}", "/dev/nothing"], "{folder}: is a folder; name a file"),
        (["--journal", "{folder}/old", "/dev/nothing"], "{folder}/old: already exists; choose another name or delete it"),
        (["--journal", "{folder}/a/b", "/dev/nothing"], "{folder}/a/b: does not exist; check the name, or make its folder first"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(tmp_path, words, said):
    (tmp_path / "old").write_text("of last year")
    done = faction("probe", *[word.format(folder=tmp_path) for word in words])
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said.format(folder=tmp_path) + "\n")
    assert (tmp_path / "old").read_text() == "of last year"


def test_a_journal_of_nobody_leaves_no_file(tmp_path):
    done = faction("probe", "/dev/nothing", "--journal", tmp_path / "run.journal")
    assert done.returncode == 3 and done.stderr.splitlines()[1] == f"{tmp_path}/run.journal: not written; no board gave a journal"
    assert not (tmp_path / "run.journal").exists()


def limit_file_sizes():
    """Make every file that this process writes end after 100 bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_a_full_disk_loses_no_journal(tmp_path):
    with powered(tmp_path, settings_of(1)) as [board]:
        path = tmp_path / "run.journal"
        words = [*FACTION, "probe", board.port, "--journal", path]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, preexec_fn=limit_file_sizes)
        assert done.returncode == 2 and done.stderr == f"{path}: file too large; mend that, or choose another place\n", done.stderr
        assert "bootstrapped" in done.stdout and not path.exists()
        assert subprocess.run(words, timeout=60, capture_output=True).returncode == 0
        assert "command 0 2 -1 225" in path.read_text()


def test_names_are_shown_as_they_are(tmp_path):
    settings = settings_of(2, names=["[/]", "[bold]door[/bold]"])
    with powered(tmp_path, settings) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        done = faction("probe", *ports(boards))
        assert [row[0] for row in matrix(done.stdout)[2:4]] == ["0 ([/])", "1 ([bold]door[/bold])"], done
        assert "│ 1 ([bold]door[/bold])" in faction("probe", boards[0].port).stdout


def heed_ctrl_c():
    """Undo what a shell does to a program in the background, the tests perhaps: it lets it ignore ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def on_terminal(*words, columns=80, encoding="utf-8"):
    size = (30, columns)
    return pexpect.spawn(FACTION[0], [*FACTION[1:], *map(str, words)], dimensions=size, encoding=encoding, preexec_fn=heed_ctrl_c)


def test_json_on_a_terminal_is_one_line(tmp_path):
    with powered(tmp_path, settings_of(1)) as [board]:
        child = on_terminal("probe", "--json", board.port)
        child.expect(pexpect.EOF)
        [line] = child.before.splitlines()
        assert json.loads(line)["exit"] == 0
        watching = on_terminal("probe", "--json", "--watch", "0.1", board.port)
        assert [json.loads(watching.readline())["exit"] for _ in range(3)] == [0, 0, 0]
        watching.sendintr()
        watching.expect(pexpect.EOF)
        watching.close()
        assert watching.exitstatus == 0


@contextmanager
def started(*words):
    words = [*FACTION, *map(str, words)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c) as child:
        watchdog = threading.Timer(120, child.kill)  # who waits for a line of it gets none then
        watchdog.start()
        try:
            yield child
        finally:
            watchdog.cancel()
            child.kill()


def test_a_watch_into_a_pipe_shows_each_survey(tmp_path):
    with powered(tmp_path, settings_of(1)) as [board]:
        with started("probe", "--watch", "0.1", board.port) as child:
            seen = 0
            while seen < 3:
                line = child.stdout.readline()
                assert line, "it has ended"
                seen += line == "all bootstrapped\n"
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=90)
            assert (child.returncode, errors) == (0, "")


@pytest.mark.parametrize("option", ["--json", "--timeout=2"])
def test_a_pipe_that_is_closed_ends_a_watch_quietly(tmp_path, option):
    with powered(tmp_path, settings_of(1)) as [board]:
        with started("probe", "--watch", "0.1", option, board.port) as child:
            child.stdout.readline()
            child.stdout.close()
            assert child.wait(90) == 141 and child.stderr.read() == ""


def test_ctrl_c_ends_the_wait_for_an_answer_at_once():
    host, device = os.openpty()
    with started("probe", "--timeout", "60", os.ttyname(device)) as child:
        assert select.select([host], [], [], 90)[0]  # it asks
        begin = time.monotonic()
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=50)
        assert (child.returncode, output, errors) == (130, "", "stopped by ctrl-C\n") and time.monotonic() - begin < 15
    os.close(host)
    os.close(device)


def test_ctrl_c_in_a_watch_saves_the_journal(tmp_path):
    with powered(tmp_path, settings_of(1)) as [board]:
        path = tmp_path / "run.journal"
        with started("probe", "--watch", "0.1", board.port, "--journal", path) as child:
            child.stdout.readline()
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=90)
        assert (child.returncode, errors) == (0, f"{path}: has the journals of 1 of 1 boards; show them with faction replay {path}\n")
        assert path.read_text().startswith("board 0 (north) at ")


def screen_of(child, is_there, columns=100, rows=30):
    """Return the lines that the screen of a terminal shows, once they are what is waited for, or after a minute and a half."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(screen)
    limit = time.monotonic() + 90
    lines = []
    while time.monotonic() < limit and not is_there(lines):
        try:
            stream.feed(child.read_nonblocking(4096, 0.05))
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            break
        lines = [line.rstrip() for line in screen.display if line.strip()]
    return lines


def test_watching_a_cluster_boot(tmp_path):
    settings = settings_of(3)
    settings[1]["start_up_ms"] = 60_000
    with powered(tmp_path, settings) as boards:
        wait(lambda: states([boards[0], boards[2]], COLLECTING))
        child = on_terminal("probe", "--watch", "0.3", *ports(boards), columns=100, encoding=None)
        first = screen_of(child, lambda lines: lines and lines[-1].startswith("not yet; "))
        assert first[-1] == "not yet; waiting for 1 (south)" and sum("collecting" in line for line in first) == 2, first
        restarted(boards[1], {**settings[1], "start_up_ms": 0})
        wait(lambda: states(boards, BOOTSTRAPPED))
        later = screen_of(child, lambda lines: lines[-1:] == ["all bootstrapped"])
        assert sum("│ bootstrapped │ ●●●" in line for line in later) == 3, later
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        with started("probe", "--watch", "0.2", "--json", boards[0].port) as watching:
            assert [json.loads(watching.stdout.readline())["exit"] for _ in range(3)] == [0, 0, 0]


def test_a_cable_that_comes_back_while_watching(tmp_path):
    with powered(tmp_path, settings_of(1)) as [board]:
        with survey.Watch([board.port], 2) as watch:
            assert watch.survey().exit_code == 0
            with board._lock:
                board._pull()
            assert watch.survey().exit_code == 3
            board.plug_in()
            watch._ports = [board.port]  # a real port keeps its name
            wait(lambda: watch.survey().exit_code == 0)


def test_a_person_at_a_terminal(tmp_path):
    """miniterm, as it comes with pyserial, with typing errors and a cursor key."""
    settings = settings_of(3)[:1]
    with powered(tmp_path, settings) as [board]:
        child = pexpect.spawn(sys.executable, ["-m", "serial.tools.miniterm", "--raw", board.port, "115200"], dimensions=(30, 100))
        child.expect("Quit: Ctrl")
        for keys in ("mizz\x7f\x7fssing\r", "\x1b[Aprobe\r", "prbe\r"):
            child.send(keys)
            time.sleep(0.3)
        shown = screen_of(child, lambda lines: "unknown command" in " ".join(lines) and lines[-1] == "faction>")
        start = next(i for i, line in enumerate(shown) if line.endswith("missing"))
        assert shown[start + 1 : start + 3] == ["never heard of: 1 (south), 2 (east)", "there, not ready: nobody"], shown
        assert shown[start + 3] == "faction> probe"
        assert shown[start + 4].startswith("0 (north): collecting, own part complete, heard 0 of 2")
        assert shown[start + 5 :] == ["faction> prbe", "prbe: unknown command; help lists the commands", "faction>"], shown
        child.send("\x1d")
        child.expect(pexpect.EOF)


def test_all_ports_are_asked_at_the_same_time():
    ends = [os.openpty() for _ in range(4)]
    begin = time.monotonic()
    with survey.Watch([os.ttyname(device) for _, device in ends], 3) as watch:
        reports = watch.survey().reports
    assert time.monotonic() - begin < 7.5 and [bool(report.fault) for report in reports] == [True] * 4
    for end in ends:
        os.close(end[0])
        os.close(end[1])
