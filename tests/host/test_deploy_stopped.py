"""Deploying that is stopped by a person: the board runs its old program again, with its old files, and nothing new is left."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from emulated import Board, deployed, wait
from needs import NO_MICROPYTHON, require
from test_deploy_keeps import BOARD, HEAD

from faction_tools import cli
from faction_tools.dev.cluster import free_ports
from faction_tools.fleet.roster import load

require(NO_MICROPYTHON)

GREETING = re.compile(rb"faction: node 0 of 1, quorum 1")


@pytest.fixture
def desk(tmp_path):
    """Yield a board with the slice node, and the words of a command that would bring it more."""
    (tmp_path / "flash").mkdir()
    path = tmp_path / "faction.toml"
    path.write_text(HEAD + BOARD.format(id=0, name="north", kind="esp32", port=free_ports(1)[0]))
    deployed(tmp_path / "flash", load(path), "north", "node")
    with Board(tmp_path / "flash", "esp32") as board:
        wait(lambda: greetings(board) == 1)
        yield board, ["deploy", board.port, "north", "--roster", str(path)]


def files(board):
    return {path.relative_to(board.flash).as_posix(): path.read_bytes() for path in board.flash.rglob("*") if path.is_file()}


def greetings(board):
    return len(GREETING.findall(bytes(board.said)))


def started(words):
    command = [sys.executable, "-m", "faction_tools.cli", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ, COLUMNS="100"))


def test_a_dry_run_changes_nothing_and_the_old_program_goes_on(desk):
    board, words = desk
    before, greeted = files(board), greetings(board)
    done = started([*words, "--dry-run"])
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0 and err == "", err
    assert "  + lib/faction/console.mpy" in out and ".new" not in out
    assert files(board) == before
    wait(lambda: greetings(board) > greeted)


@pytest.mark.parametrize(
    ("share", "name"), [(0.02, "SIGINT"), (0.15, "SIGINT"), (0.6, "SIGINT"), (0.85, "SIGINT"), (0.6, "SIGTERM"), (0.6, "SIGHUP")]
)
def test_ctrl_c_leaves_the_old_program_running(desk, share, name):
    board, words = desk
    before, greeted = files(board), greetings(board)
    sent = board.bytes_to_board + int(share * 40_000)  # of 45,000 that a whole one takes
    child = started(words)

    def stop():
        child.send_signal(getattr(signal, name))
        time.sleep(0.5)  # it must not be done before it notices

    board.call_after = sent, stop
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "stopped by ctrl-C\n"), (out, err)
    wait(lambda: greetings(board) > greeted)
    assert files(board) == before


def test_ctrl_c_while_the_first_words_are_due(desk):
    board, words = desk
    (board.flash / "json.py").write_text("import time\ntime.sleep(8)\nfrom ujson import *\n")  # hides that of the firmware
    child = started(words)
    wait(lambda: child.stdout.readline().startswith("north: copied"))
    time.sleep(1)
    child.send_signal(signal.SIGINT)
    assert child.wait(10) == 130 and child.stderr.read() == "stopped by ctrl-C\n"
    greeted = greetings(board)
    wait(lambda: greetings(board) > greeted)
    assert not [name for name in files(board) if name.endswith(".new")]


def test_ctrl_c_again_and_again_does_not_hurry_it(desk):
    """Whatever it hits, the flash is either as it was or whole, and a program runs."""
    board, words = desk
    before = files(board)
    child = started(words)
    sent = board.bytes_to_board
    wait(lambda: board.bytes_to_board >= sent + 30_000)
    while child.poll() is None:
        child.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert child.returncode in (0, 130, -signal.SIGINT, 1), child.stderr.read()
    after = files(board)
    assert after == before or not [name for name in after if name.endswith(".new")]
    greeted = greetings(board)
    assert cli.main(words) == 0
    wait(lambda: greetings(board) > greeted)


def test_what_an_earlier_try_has_left_goes_with_the_next_one(desk):
    board, words = desk
    for name in ("main.py.new", "lib/faction/view.mpy.new", "lib/faction/gone.mpy.new", "lib/faction/written.json.new"):
        (board.flash / name).write_bytes(b"torn")
    assert cli.main([*words, "--slice", "node"]) == 0
    assert not [name for name in files(board) if name.endswith(".new")]


PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
LATE = {"a prompt": PROMPT, "an answer": b"OK('esp32', 'x')\r\nend\r\n\x04\x04>", "both": b"OK\x04\x04>" + 2 * PROMPT}


@pytest.mark.parametrize("what", LATE)
def test_what_a_board_has_said_to_an_earlier_command_comes_late(desk, what):
    """Who was stopped in the middle reads no more. A slow line still carries the answer when the next one has opened it."""
    board, words = desk
    sent = board.bytes_to_board

    def speak():
        wait(lambda: board.bytes_to_board > sent)
        board.say(LATE[what])

    late = threading.Thread(target=speak)
    late.start()
    assert cli.main(words) == 0
    late.join()
