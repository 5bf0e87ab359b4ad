"""The serial line of real MicroPython processes under attack: floods, readers that do not read, and ctrl-C."""

import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import tty
from contextlib import contextmanager, suppress

import pytest
import serial
from command import faction
from emulated import furnish, pour, powered, settings_of, states, wait
from needs import NO_MICROPYTHON, require

from faction import BOOTSTRAPPED
from faction_tools.dev import interpreters

require(NO_MICROPYTHON)

ROOT = interpreters.ROOT
CTRL_C = b"\x03"


def answers(board):
    """Tell whether a board answers probe at its console, as the node that goes on."""
    done = faction("probe", "--json", board.port, "--timeout", "6")
    found = json.loads(done.stdout)["boards"][0]
    return not found.get("is_at_repl", True) and found["probe"]["faction"] == "probe"


@contextmanager
def process(folder, settings, output, keys=subprocess.PIPE):
    """Yield a process that is a board, with its output into a file."""
    furnish(folder, settings)
    environment = dict(os.environ, MICROPYPATH=f"{folder / 'lib'}:.frozen")
    command = [interpreters.micropython(), "main.py"]
    child = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=keys, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@contextmanager
def fed(child, data):
    """Write data to the standard input of a process without an end, as fast as it reads."""
    ended = threading.Event()
    fed = []

    def feed():
        with suppress(OSError):
            while not ended.is_set():
                if select.select([], [child.stdin], [], 0.05)[1]:
                    fed.append(os.write(child.stdin.fileno(), data))

    thread = threading.Thread(target=feed)
    os.set_blocking(child.stdin.fileno(), False)
    thread.start()
    try:
        yield lambda: sum(fed)
    finally:
        ended.set()
        thread.join()


FLOODS = {"zeros": bytes(4096), "text": b"x" * 4096, "lines": b"probe\r" * 600, "noise": bytes(range(4, 256)) * 16}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_on_the_line_does_not_stop_a_node(tmp_path, kind):
    """Its output is read by nobody, either: after a while the flood is answered into a full pipe."""
    settings = settings_of(2)
    read, write = os.pipe()
    with process(tmp_path / "0", settings[0], write) as flooded, fed(flooded, FLOODS[kind]) as count:
        wait(lambda: count() > 60_000)  # the pipe is full
        time.sleep(1)  # it is flooded before the other one is there
        with process(tmp_path / "1", settings[1], subprocess.PIPE) as other:
            assert bootstraps(other)
        assert flooded.poll() is None
    os.close(read)
    os.close(write)


def bootstraps(child):
    """Tell whether a process says that it is bootstrapped, within two minutes."""
    limit = time.monotonic() + 120
    said = b""
    while time.monotonic() < limit and b'"state": %d' % BOOTSTRAPPED not in said:
        if select.select([child.stdout], [], [], 0.1)[0]:
            said += os.read(child.stdout.fileno(), 4096)
    return b'"state": %d' % BOOTSTRAPPED in said


@pytest.mark.parametrize("is_raw", [True, False])
def test_a_terminal_that_nobody_reads_does_not_stop_a_node(tmp_path, is_raw):
    """A host types and never reads. The node answers on the air all the same, and on the line once it is read."""
    settings = settings_of(2)
    host, device = os.openpty()
    if is_raw:
        tty.setraw(device)
    with process(tmp_path / "0", settings[0], device, device):
        os.set_blocking(host, False)
        pour(host, (b"help\rstats\r" if is_raw else b"help\nstats\n") * 200)  # 150 KB of answers, for a line that holds less
        time.sleep(2.5)  # longer than the patience of the console, 2 s
        with process(tmp_path / "1", settings[1], subprocess.PIPE) as other:
            assert bootstraps(other)
        heard = b""
        limit = time.monotonic() + 120
        asked = 0.0
        while not re.search(rb"0 \(north\): bootstrapped, .*ready 2 of 2", heard) and time.monotonic() < limit:
            with suppress(BlockingIOError):
                heard = heard[-4096:] + os.read(host, 65536)
            if time.monotonic() > asked + 3:  # what was dropped is lost: ask again
                asked = time.monotonic()
                with suppress(BlockingIOError):
                    os.write(host, b"\rprobe\r" if is_raw else b"\nprobe\n")
            select.select([host], [], [], 0.05)
        assert re.search(rb"0 \(north\): bootstrapped, .*ready 2 of 2", heard), heard
    os.close(host)
    os.close(device)


def press(board, count, pause=0.1):
    with serial.Serial(board.port, timeout=0.2) as port:
        for _ in range(count):
            port.write(CTRL_C)
            time.sleep(pause)


def is_at_repl(board):
    return bytes(board.said).rstrip(b"\r\n").endswith(b">>> ") or board.said.endswith(b">>> ")


ENDED = b"faction: ctrl-C, three times: the program has ended; at the REPL ctrl-D starts it again\r\n"


def test_one_ctrl_c_or_two_do_not_end_a_member(tmp_path):
    with powered(tmp_path, settings_of(2)) as boards:
        wait(lambda: states(boards, BOOTSTRAPPED))
        before = boards[0].said.count(b"faction: node")
        for count in (1, 2, 1):
            press(boards[0], count)
            time.sleep(1.1)
            assert answers(boards[0])
        assert boards[0].said.count(b"faction: node") == before and ENDED not in boards[0].said


@pytest.mark.parametrize("settings", [{}, {"console": "off"}])
def test_three_ctrl_c_end_a_member(tmp_path, settings):
    with powered(tmp_path, settings_of(1, **settings)) as [board]:
        wait(lambda: states([board], BOOTSTRAPPED))
        press(board, 3)
        wait(lambda: ENDED in board.said and is_at_repl(board))


def test_many_ctrl_c_far_apart_disturb_nobody(tmp_path):
    """Wherever they hit: in the node, in its console, in a write, in a sleep."""
    settings = settings_of(2, interval_ms=50)
    settings[1]["start_up_ms"] = 4000
    with powered(tmp_path, settings) as boards:
        with serial.Serial(boards[0].port, timeout=0.2) as port:
            for i in range(60):
                port.write(b"pr" + CTRL_C + b"x")  # a character ends the row
                time.sleep(0.03 + i * 0.0007)
        wait(lambda: states(boards, BOOTSTRAPPED))
        wait(lambda: all(b'"started": true' in board.said for board in boards))
        assert answers(boards[0]) and boards[0].said.count(b"faction: node") == 1


def mpremote(board, *words):
    command = [sys.executable, "-m", "mpremote", "connect", f"port:{board.port}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_mpremote_gets_in_at_once(tmp_path):
    with powered(tmp_path, settings_of(1)) as [board]:
        wait(lambda: states([board], BOOTSTRAPPED))
        time.sleep(1)  # a line that has been quiet
        done = mpremote(board, "resume", "exec", "print(6 * 7)")
        assert (done.returncode, done.stdout.strip()) == (0, "42"), done
        assert ENDED in board.said


def test_thonny_gets_in(tmp_path):
    """It presses ctrl-C and asks for the raw REPL, waits, and does so again until that is there."""
    is_in = lambda: board.said.endswith(b"raw REPL; CTRL-B to exit\r\n>")  # noqa: E731
    with powered(tmp_path, settings_of(1)) as [board]:
        wait(lambda: states([board], BOOTSTRAPPED))
        with serial.Serial(board.port, timeout=0.2) as port:
            for seconds in (0.05, 0.5, 0.1, 1, 3, 5):
                if not is_in():
                    port.write(CTRL_C)
                    port.write(b"\x01")
                    time.sleep(seconds)
        assert is_in(), bytes(board.said)


def test_mpremote_gets_in_after_three_ctrl_c(tmp_path):
    with powered(tmp_path, settings_of(1, console="off")) as [board]:
        wait(lambda: states([board], BOOTSTRAPPED))
        press(board, 3)
        done = mpremote(board, "resume", "exec", "print(6 * 7)")
        assert (done.returncode, done.stdout.strip()) == (0, "42"), done
