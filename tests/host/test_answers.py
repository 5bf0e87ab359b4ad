"""Every answer of a console about a thousand peers, on a MicroPython with little memory: it is that of CPython, letter by letter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from needs import NO_MICROPYTHON, require

from faction_tools.dev import interpreters
from faction_tools.journals import files
from faction_tools.serial import answers, line

require(NO_MICROPYTHON)

SCRIPT = Path(__file__).parent / "device" / "answers.py"
FREE = 16_384  # bytes beside the node; a word has 8 bytes here, so it is as 8 KB on a board
PEERS = 1000


def said(command, **environment):
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, timeout=200)
    assert done.returncode == 0, (done.stdout[-500:], done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def expected():
    return said([sys.executable, str(SCRIPT), str(PEERS), "0"], PYTHONPATH=str(interpreters.ROOT))


def small(tmp_path, free):
    interpreters.compile_package(interpreters.PACKAGE, tmp_path)
    command = [interpreters.micropython(), "-X", "heapsize=400000", str(SCRIPT), str(PEERS), str(free)]
    return said(command, MICROPYPATH=f"{tmp_path}:.frozen")


def test_all_answers_are_whole(tmp_path, expected):
    assert b"out of memory" not in expected
    assert small(tmp_path, FREE) == expected


def test_a_board_that_runs_out_of_memory_goes_on(tmp_path):
    """Each command gets a prompt all the same, and those for programs say what is wrong."""
    text = small(tmp_path, 4096)
    assert text.count(b"faction> ") == 24 and b"\r\nout of memory: the rest of the answer is left out\r\n" in text
    faults = [answer["text"] for answer in line.objects(text) if answer["faction"] == "error"]
    assert "out of memory: ask again" in faults


def test_the_tools_read_these_answers(tmp_path, expected):
    found = {answer["faction"]: answer for answer in line.objects(expected) if answer["faction"] != "error"}
    assert list(found) == ["probe", "peers", "missing", "admissible", "config", "stats", "journal", "help"]
    for command in ("probe", "peers", "missing", "config", "stats", "journal"):
        answers.check(command, found[command], "port")
    assert len(found["peers"]["peers"]) == PEERS and found["missing"]["unheard"] == list(range(7, 7 * PEERS, 14))
    # Every other peer may become ready, or be withdrawn; and there are the deadline and the probe.
    assert len(found["admissible"]["commands"]) == PEERS - 1 + 2
    record = tmp_path / "run.journal"
    record.write_text("\n".join(found["journal"]["lines"]) + "\n")
    assert json.loads(json.dumps(found["journal"]["lines"]))[0].count(",") == PEERS - 1
    [journal] = files.load([record])
    assert journal is not None
