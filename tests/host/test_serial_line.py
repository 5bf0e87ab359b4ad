"""Processes on a serial line: real MicroPython processes and pseudo terminals, a cable that is pulled and comes back, two airs.

Their configurations come from a roster, and their files from what faction deploy puts into a folder.
"""

import json
import os
import re
import select
import signal
import subprocess
import termios
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from emulated import furnish, pour, powered, wait
from needs import NO_MICROPYTHON, require

from faction_tools.dev import interpreters
from faction_tools.dev.cluster import free_ports
from faction_tools.fleet import roster

require(NO_MICROPYTHON)

TOP = """
cluster = "house"
quorum = "everyone"
interval_ms = 100
"""
BOARD = """
[[boards]]
id = {id}
name = "b{id}"
kind = "unix"
transports = [{transports}]
"""


class Cable:
    """Joins serial ports, whose paths are given: each hears what the others say. While it is out there are no such ports."""

    def __init__(self, *paths):
        self._paths = paths
        self._ends = []
        self._thread = None
        self.plug_in()

    def plug_in(self):
        for path in self._paths:
            ours, theirs = os.openpty()
            path.symlink_to(os.ttyname(theirs))
            os.close(theirs)
            os.set_blocking(ours, False)  # select tells of a port that nobody has open; by the time of the read somebody may have it
            self._ends.append(ours)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def pull(self):
        self._ended.set()
        self._thread.join(60)
        for each in self._ends:
            os.close(each)
        self._ends.clear()
        for path in self._paths:
            path.unlink()

    def _carry(self):
        while not self._ended.is_set():
            for source in select.select(self._ends, [], [], 0.01)[0]:
                try:
                    data = os.read(source, 256)
                except OSError:  # nobody has opened the port yet, or only just
                    time.sleep(0.01)
                    continue
                for target in self._ends:
                    if target != source:
                        pour(target, data)


@contextmanager
def cable(*paths):
    made = Cable(*paths)
    try:
        yield made
    finally:
        with suppress(OSError):
            made.pull()


def uart(path, more=""):
    return f'{{ kind = "uart", device = "{path}"{more} }}'


def configurations(tmp_path, *airs):
    """Return the faction.json of each board of a roster; airs: their transports."""
    path = tmp_path / "faction.toml"
    path.write_text(TOP + "".join(BOARD.format(id=i, transports=each) for i, each in enumerate(airs)))
    checked = roster.load(path)
    return [checked.configuration(board) for board in checked.boards]


def objects(text, key):
    """Return the JSON objects with a key that stand whole in a text. The program prints its own between the parts of an answer."""
    words = bytes(text).decode(errors="replace")
    found = []
    for start in re.finditer("{", words):
        with suppress(ValueError):
            made, _ = json.JSONDecoder().raw_decode(words, start.start())
            found += [made] if key in made else []
    return found


def latest(board):
    """Return what a process has printed last of its node."""
    return (objects(board.said, "started") or [{}])[-1]


def started(*boards):
    return all(latest(board).get("started") for board in boards)


def counts(board):
    """Return the counters of a board's transport."""
    length = len(board.said)
    for _ in range(90):  # what the program says of itself may stand in the middle of an answer: then it is asked again
        os.write(board._device, b"\rstats json\r")
        with suppress(AssertionError):
            wait(lambda: objects(board.said[length:], "transport"), 1)
            return objects(board.said[length:], "transport")[-1]["transport"]
    raise AssertionError(f"no answer: {bytes(board.said)[-500:]}")


def test_two_processes_on_a_line_survive_its_cut(tmp_path):
    paths = tmp_path / "tty0", tmp_path / "tty1"
    settings = configurations(tmp_path, *map(uart, paths))
    assert settings[0]["transports"] == [{"kind": "uart", "device": str(paths[0]), "baudrate": 115200, "direction": None}]
    with cable(*paths) as line, powered(tmp_path, settings) as (a, b):
        wait(lambda: started(a, b))
        assert counts(a)["line"] == 1 and counts(a)["line lost"] == 0
        line.pull()
        wait(lambda: b"not open (the other end is gone)" in a.said and counts(a)["line"] == 0)
        b.kill()  # it begins anew while the line is out, and has to ask
        wait(lambda: b.said.count(b"faction: node") == 2)
        wait(lambda: latest(b)["unheard"] == [0] and latest(b)["sent"] == 0)
        assert b"ENOENT" in b.said
        line.plug_in()
        wait(lambda: started(a, b) and latest(b)["ready"] == [0, 1])
        assert a.said.count(b"faction: node") == 1 and b"Traceback" not in a.said + b.said
        found = counts(a)
        assert found["line"] == 1 and found["line lost"] == 1
        assert a.said.count(b"ENOENT") <= 1  # what stays the same is said once


def test_a_line_that_is_cut_again_and_again(tmp_path):
    paths = tmp_path / "tty0", tmp_path / "tty1"
    settings = configurations(tmp_path, *map(uart, paths))
    for each in settings:
        each["start_up_ms"] = 4000
    with cable(*paths) as line, powered(tmp_path, settings) as (a, b):
        for _ in range(4):
            lost = counts(a)["line lost"]
            wait(lambda: counts(a)["line"] == counts(b)["line"] == 1)
            line.pull()
            wait(lambda lost=lost: counts(a)["line lost"] == lost + 1)
            line.plug_in()
        wait(lambda: started(a, b))
        assert a.said.count(b"faction: node") == b.said.count(b"faction: node") == 1


def test_a_bridge_joins_a_line_and_a_network(tmp_path):
    paths = tmp_path / "tty0", tmp_path / "tty1"
    ports = free_ports(2)
    airs = [f'{{ kind = "udp", port = {ports[i]}, bind = "127.0.0.1", to = ["127.0.0.1:{ports[1 - i]}"] }}' for i in range(2)]
    settings = configurations(tmp_path, airs[0], f"{airs[1]}, {uart(paths[0])}", uart(paths[1]))
    with cable(*paths) as line, powered(tmp_path, settings) as boards:
        wait(lambda: started(*boards))
        assert all(latest(board)["ready"] == [0, 1, 2] for board in boards)
        line.pull()
        wait(lambda: b"not open" in boards[1].said)
        boards[2].kill()
        line.plug_in()
        wait(lambda: boards[2].said.count(b"faction: node") == 2 and started(*boards) and latest(boards[2])["ready"] == [0, 1, 2])
        assert boards[0].said.count(b"faction: node") == boards[1].said.count(b"faction: node") == 1


def fill(end):
    """Write until there is no room, and until none comes: the system moves what is written to another buffer a little later."""
    os.set_blocking(end, False)
    for _ in range(10):
        with suppress(BlockingIOError):
            while True:
                os.write(end, b"x")
        time.sleep(0.05)


def test_a_line_without_a_reader_stops_nobody(tmp_path):
    """A pseudo terminal that nobody reads is full after some frames. The network and the console go on."""
    ports = free_ports(2)
    airs = [f'{{ kind = "udp", port = {ports[i]}, bind = "127.0.0.1", to = ["127.0.0.1:{ports[1 - i]}"] }}' for i in range(2)]
    path, other = tmp_path / "tty0", tmp_path / "none"
    settings = configurations(tmp_path, f"{airs[0]}, {uart(path)}", f"{airs[1]}, {uart(other)}")
    ours, theirs = os.openpty()
    path.symlink_to(os.ttyname(theirs))
    mode = termios.tcgetattr(theirs)
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(theirs, termios.TCSANOW, mode)
    fill(theirs)
    try:
        with powered(tmp_path, settings) as (a, b):
            wait(lambda: started(a, b))
            assert counts(a)["2 failures"] > 0
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("rate", [300, 19200, 57600, 230400])
def test_the_port_is_raw_and_has_its_rate(tmp_path, rate):
    ours, theirs = os.openpty()  # as the system makes it: with echo, lines, and characters that mean something
    settings = configurations(tmp_path, uart(os.ttyname(theirs), f", baudrate = {rate}"))
    try:
        with powered(tmp_path, settings):
            wait(lambda: termios.tcgetattr(theirs)[4:6] == [getattr(termios, f"B{rate}")] * 2)
            iflag, oflag, _, lflag, _, _, cc = termios.tcgetattr(theirs)
            assert (iflag, oflag, lflag) == (0, 0, 0) and cc[termios.VMIN] in (0, b"\x00")
    finally:
        os.close(ours)
        os.close(theirs)


WRITER = """
import sys
import line

class Rest:
    def wake_on(self, file): pass
    def forget(self, file): pass

port = line.Port(sys.argv[1], 9600, Rest())
port.any()
sys.stdin.readline()
try:
    port.write(b"frame")
except OSError as error:
    print("raised", error)
"""


def test_a_write_into_a_cable_that_is_out_says_what_a_read_says(tmp_path):
    furnish(tmp_path, {})
    (tmp_path / "writer.py").write_text(WRITER)
    ours, theirs = os.openpty()
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path}:{tmp_path / 'lib'}:.frozen")
    command = ["nohup", interpreters.micropython(), "writer.py", os.ttyname(theirs)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout.readline().endswith(b": open\r\n")
        os.close(ours)
        os.close(theirs)
        said, _ = process.communicate(b"\n", timeout=20)
    assert b"not open (the other end is gone)" in said and b"raised [Errno 5] EIO" in said


NO_PORTS = {
    "a folder": (lambda path: path.mkdir(), "EISDIR"),
    "a file": (lambda path: path.write_bytes(b"text"), "no serial port: "),
    "nothing": (lambda path: None, "ENOENT"),
}


@pytest.mark.parametrize("what", NO_PORTS)
def test_what_is_no_serial_port_is_said_once_and_tried_again(tmp_path, what):
    make, expected = NO_PORTS[what]
    path = tmp_path / "tty0"
    make(path)
    settings = configurations(tmp_path, uart(path), uart(tmp_path / "tty1"))
    with powered(tmp_path, settings[:1]) as [a]:
        wait(lambda: b"line: %s: not open (" % bytes(path) in a.said and expected.encode() in a.said)
        assert counts(a)["line"] == 0
        if path.exists():
            path.rmdir() if path.is_dir() else path.unlink()
        with cable(path, tmp_path / "tty1"):
            wait(lambda: counts(a)["line"] == 1)
            assert a.said.count(expected.encode()) == 1 and a.said.count(b"faction: node") == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"device": None}, 'faction.json: transports: device: missing; write the path of a serial port, such as "/dev/ttyUSB0"'),
        ({"baudrate": 31250}, "faction.json: transports: baudrate 31250: a process cannot set it; take 9600 or 115200, for example"),
        ({"kind": "espnow"}, "faction.json: transports: kind espnow: this board has none; take one of uart, udp"),
    ],
)
def test_a_wrong_configuration_ends_in_one_line(tmp_path, changes, expected):
    [settings] = configurations(tmp_path, uart("/dev/null"))
    settings["transports"][0].update(changes)
    furnish(tmp_path, settings)
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path / 'lib'}:.frozen")
    done = subprocess.run(
        [interpreters.micropython(), "main.py"], cwd=tmp_path, env=environment, input="", capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stdout + done.stderr) == (1, f"faction: {expected}\n")


@pytest.mark.parametrize("is_protected", [True, False])
def test_a_service_needs_nohup(tmp_path, is_protected):
    """A service has no terminal, so the port becomes its terminal, and the system hangs up with it: as the README says."""
    paths = tmp_path / "tty0", tmp_path / "tty1"
    settings = configurations(tmp_path, *map(uart, paths))
    furnish(tmp_path / "0", settings[0])
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path / '0' / 'lib'}:.frozen")
    command = [*(["nohup"] if is_protected else []), interpreters.micropython(), "main.py"]
    with cable(*paths) as line, (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=tmp_path / "0", env=environment, stdin=subprocess.PIPE, stdout=said, start_new_session=True)
        try:
            wait(lambda: b"tty0: open" in (tmp_path / "said").read_bytes())
            line.pull()
            if is_protected:
                wait(lambda: b"not open (the other end is gone)" in (tmp_path / "said").read_bytes())
                process.stdin.close()
                assert process.wait(20) == 0
            else:
                assert process.wait(20) == -signal.SIGHUP
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
