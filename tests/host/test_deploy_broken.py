"""Boards that are broken in some way: each gets one line that says what is wrong, and loses no file."""

import os
import re
import resource
import select
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest
from command import FACTION
from emulated import Board, Port, pour, wait
from needs import NO_MICROPYTHON, require
from test_deploy_keeps import BOARD, BOOT_OUT, HEAD

from faction_tools import cli
from faction_tools.dev.cluster import free_ports
from faction_tools.serial import port, repl

require(NO_MICROPYTHON)

MINE = {"notes.txt": b"mine", "application.py": b"# mine\n", "lib/mine.py": b"mine = 1\n"}
RAW = b"raw REPL; CTRL-B to exit\r\n>"


# The limits that a test may shorten, so that it is short, as whatever answers within them does so at once.
FOR_WHO_NEVER_ENTERS = {"ENTER_S": 0.3, "PROMPT_S": 0.1}
FOR_WHO_FALLS_SILENT = {"PATIENCE_S": 0.3, "PROMPT_S": 0.1}
FOR_WHO_NEVER_ENDS = {"LIMIT_S": 0.5, "PROMPT_S": 0.1}
FOR_WHO_ANSWERS = {"PROMPT_S": 0.1}


def shorten(monkeypatch, limits):
    for name, seconds in limits.items():
        monkeypatch.setattr(port if name == "PATIENCE_S" else repl, name, seconds)


def roster(folder, kind, transport="udp"):
    path = folder / "faction.toml"
    path.write_text(HEAD + BOARD.format(id=0, name="north", kind=kind, port=free_ports(1)[0]))
    return str(path)


class Fake(Port):
    """Something at the end of a serial line that is no MicroPython: it is asked for an answer to what it has heard."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer
        self._heard = b""

    def turn(self):
        if select.select([self.host], [], [], 0.01)[0]:
            with suppress(BlockingIOError):
                self._heard += os.read(self.host, 4096)
        self._heard, said = self._answer(self._heard)
        pour(self.host, said)


def silent(heard):
    return b"", b""


def echo(heard):
    return b"", heard


def noise(heard):
    return b"", os.urandom(64)


def log(heard):
    return b"", b"[12345] sensor: 21.5 C\r\n"


def modem(heard):
    return b"", b"\r\nERROR\r\n" if heard else b""


def dead_in_raw_repl(heard):
    return b"", RAW if b"\x01" in heard else b""


def refuses_raw_paste(heard):
    """It says that it knows no raw paste, and then never says OK."""
    if b"\x05A\x01" in heard:
        return b"", b"R\x00"
    return (b"", RAW) if heard.endswith(b"\x01") else (b"", b"")


def window_of_nothing(heard):
    if b"\x05A\x01" in heard:
        return b"", b"R\x01\x00\x00"
    return (b"", RAW) if heard.endswith(b"\x01") else (b"", b"")


def half_a_window(heard):
    if b"\x05A\x01" in heard:
        return b"", b"R\x01\x10"
    return (b"", RAW) if heard.endswith(b"\x01") else (b"", b"")


def answers(text):
    """Return a device that takes every program, and answers with this text."""

    def device(heard):
        if b"\x05A\x01" in heard:
            return b"", b"R\x00"
        if heard.endswith(b"\x04"):
            word = re.fullmatch(rb"print\('(\w+)'\)\x04", heard)  # the first program, which asks whether anybody listens
            return b"", b"OK%s\x04\x04>" % (word[1] + b"\r\n" if word else text)
        return (b"", RAW) if heard.endswith(b"\x01") else (heard, b"")

    return device


def never_ends(heard):
    if b"\x05A\x01" in heard:
        return b"", b"R\x00"
    if heard.endswith(b"\x04") or not heard:
        return b"", b"OK" if heard else b"x" * 64
    return (b"", RAW) if heard.endswith(b"\x01") else (heard, b"")


FAKES = {
    "silent": (silent, "no MicroPython answers; press"),
    "echo": (echo, "no MicroPython answers"),
    "noise": (noise, "no MicroPython answers, but it prints "),
    "log": (log, "no MicroPython answers, but it prints '[12345] sensor: 21.5 C'; press"),
    "modem": (modem, "no MicroPython answers, but it prints 'ERROR'; press"),
    "dead in the raw REPL": (dead_in_raw_repl, "lost the board in the middle of the work"),
    "no raw paste, no OK": (refuses_raw_paste, "lost the board in the middle of the work"),
    "a window of nothing": (window_of_nothing, "lost the board in the middle of the work"),
    "half a window": (half_a_window, "lost the board in the middle of the work"),
    "no answer": (answers(b""), "the answer of the board is damaged; run this again"),
    "a wrong answer": (answers(b"(1, 2)\r\nend\r\n"), "the answer of the board is damaged; run this again"),
    "nothing but an end": (answers(b"end\r\n"), "the answer of the board is damaged; run this again"),
    "a part that is none": (answers(b"('esp32', 'micropython', 'x', None)\r\n(1, 2)\r\nend\r\n"), "the answer of the board is damaged"),
    "a text for bytes": (answers(b"('esp32', 'micropython', 'x', None)\r\n('a', 'b')\r\nend\r\n"), "the answer of the board is damaged"),
    "always the same": (answers(b"('esp32', 'micropython', 'x', None)\r\nend\r\n"), "the answer of the board is damaged"),
    "an answer of noise": (answers(bytes(range(128, 256)) + b"\r\nend\r\n"), "the answer of the board is damaged; run this again"),
    "a deep answer": (answers(b"(" * 3000 + b"\r\nend\r\n"), "the answer of the board is damaged; run this again"),
    "another system": (answers(b"('esp8266', 'micropython', 'x\\x1b[2J', None)\r\nend\r\n"), "is x\\x1b[2J (esp8266), and north of"),
    "circuitpython": (answers(b"('RP2040', 'circuitpython', 'Pico', 'ab')\r\nend\r\n"), "runs CircuitPython, and north is of kind esp32; "),
    "never ends": (never_ends, "lost the board in the middle of the work"),
}


LIMITS = {
    **dict.fromkeys(("silent", "echo", "noise", "log", "modem"), FOR_WHO_NEVER_ENTERS),
    **dict.fromkeys(("dead in the raw REPL", "no raw paste, no OK", "a window of nothing", "half a window"), FOR_WHO_FALLS_SILENT),
    "never ends": FOR_WHO_NEVER_ENDS,
}


@pytest.mark.parametrize("name", FAKES)
def test_what_is_no_board_gets_one_clear_line(tmp_path, monkeypatch, capsys, name):
    device, words = FAKES[name]
    shorten(monkeypatch, LIMITS.get(name, FOR_WHO_ANSWERS))
    with Fake(device) as fake:
        start = time.monotonic()
        code = cli.main(["deploy", fake.port, "north", "--roster", roster(tmp_path, "esp32")])
        assert time.monotonic() - start < 60
    said = capsys.readouterr()
    assert code == 2 and said.out == "" and len(said.err.splitlines()) == 1, said
    assert said.err.startswith(f"{fake.port}: {words}"), said.err


@contextmanager
def broken(tmp_path, fault="", **files):
    (tmp_path / "flash").mkdir()
    for name, content in {**MINE, **files}.items():
        (tmp_path / "flash" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "flash" / name).write_bytes(content)
    with Board(tmp_path / "flash", "esp32", fault=fault) as board:
        yield board


def files(board):
    return {path.relative_to(board.flash).as_posix(): path.read_bytes() for path in board.flash.rglob("*") if path.is_file()}


# A program that breaks something of the board, and what is said.
FAULTS = {
    "no hashlib": (
        "import sys\nsys.modules['hashlib'] = None",
        "the board says AttributeError: 'NoneType' object has no attribute 'sha256': its firmware lacks what faction needs; ",
    ),
    "a full flash": (
        "import builtins\n_open = open\ndef _full(path, mode='r'):\n"
        "    if 'w' in mode: raise OSError(28)\n    return _open(path, mode)\nbuiltins.open = _full",
        "): no space left on the board; delete files of yours there, or take a smaller --slice",
    ),
    "a flash that can only be read": (
        "import builtins\n_open = open\ndef _fixed(path, mode='r'):\n"
        "    if 'w' in mode: raise OSError(30)\n    return _open(path, mode)\nbuiltins.open = _fixed",
        "): its files can only be read; erase the flash and flash MicroPython again",
    ),
    "a flash that forgets": (
        "import builtins\n_open = open\n"
        "class _Forgets:\n    def __init__(self, file): self._file = file\n    def write(self, data): self._file.write(data[:-1])\n"
        "    def close(self): self._file.close()\n"
        "def _torn(path, mode='r'):\n    file = _open(path, mode)\n    return _Forgets(file) if 'w' in mode else file\n"
        "builtins.open = _torn",
        "reads back differently; run this again; if it stays so, the flash is broken",
    ),
    "no memory": (
        "import os\ndef _full(folder):\n    raise MemoryError('memory allocation failed, allocating 4096 bytes')\nos.ilistdir = _full",
        "the board says MemoryError: memory allocation failed, allocating 4096 bytes: its memory is full; press its reset button",
    ),
    "a line that spoils what is sent": (
        "import os\ndef _spoilt(folder):\n    raise SyntaxError('invalid syntax')\nos.ilistdir = _spoilt",
        "the board says SyntaxError: invalid syntax: the line spoils what is sent; use a shorter cable, and run this again",
    ),
    "no rename": (
        "import os\ndef _rename(old, new):\n    raise OSError(5)\nos.rename = _rename",
        "the board says OSError: [Errno 5] EIO: reset it and run this again",
    ),
    "no number": (
        "import machine\ndef _none():\n    raise RuntimeError('no efuse')\nmachine.unique_id = _none",
        "the board says RuntimeError: no efuse: reset it and run this again",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_board_gets_one_clear_line_and_loses_nothing(tmp_path, capsys, name):
    fault, words = FAULTS[name]
    with broken(tmp_path, fault) as board:
        before = files(board)
        code = cli.main(["deploy", board.port, "north", "--roster", roster(tmp_path, "esp32"), "--slice", "node"])
        after = files(board)
    said = capsys.readouterr()
    assert code == 2 and len(said.err.splitlines()) == 1 and words in said.err, said
    if name != "no rename":
        assert after == before
    assert {path: after.get(path) for path in before} == before


# What lies on the flash where it is in the way: a folder ends with "/".
IN_THE_WAY = {
    "main.py/": "main.py: is a folder there, and has to be a file; ",
    "lib/faction/node.mpy.new/": "lib/faction/node.mpy.new: is a folder there, and has to be a file; ",
    "faction.json/": "faction.json: is a folder there, and has to be a file; ",
    "lib/faction": "lib/faction: is a file there, and has to be a folder; ",
    "lib/faction/transports": "lib/faction/transports: is a file there, and has to be a folder; ",
}


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_what_is_in_the_way_is_named(tmp_path, capsys, name):
    with broken(tmp_path) as board:
        path = board.flash / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(b"mine")
        before = files(board)
        code = cli.main(["deploy", board.port, "north", "--roster", roster(tmp_path, "esp32"), "--slice", "node"])
        assert files(board) == before
    said = capsys.readouterr()
    assert code == 2 and len(said.err.splitlines()) == 1 and f"{board.port}: {IN_THE_WAY[name]}" in said.err, said


def test_a_folder_that_would_hide_the_application(tmp_path, capsys):
    with broken(tmp_path) as board:
        (board.flash / "application").mkdir()
        (tmp_path / "mine.py").write_bytes(b"")
        path = roster(tmp_path, "esp32")
        (tmp_path / "faction.toml").write_text('application = "mine.py"\n' + (tmp_path / "faction.toml").read_text())
        assert cli.main(["deploy", board.port, "north", "--roster", path, "--slice", "node"]) == 2
    assert "application/: hides application.py; rename or delete this folder, and run this again" in capsys.readouterr().err


# An application of the user's, and what is said of it.
PROGRAMS = {
    "cannot be compiled": (b"def broken(:\n", "SyntaxError: invalid syntax (application.py, line 1)"),
    "is no application": (b"x = 1\n", "ImportError: can't import name Application (main.py, line "),
    "fails at its import": (
        b"import nothing_of_this_name\n",
        "ImportError: no module named 'nothing_of_this_name' (application.py, line 1)",
    ),
    "fails in its first hook": (
        b"from member import Hooks\n\n\nclass Application(Hooks):\n    def start_up(self, node):\n        return 1 // 0\n",
        "ZeroDivisionError: divide by zero",
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_fails_shows_its_exception_at_once(tmp_path, capsys, name):
    program, words = PROGRAMS[name]
    with broken(tmp_path) as board:
        (tmp_path / "mine.py").write_bytes(program)
        path = roster(tmp_path, "esp32")
        (tmp_path / "faction.toml").write_text('application = "mine.py"\n' + (tmp_path / "faction.toml").read_text())
        start = time.monotonic()
        code = cli.main(["deploy", board.port, "north", "--roster", path, "--slice", "node", "--wait", "600"])
        assert time.monotonic() - start < 300
    said = capsys.readouterr()
    assert code == 2 and len(said.err.splitlines()) == 1 and words in said.err, said
    assert " fails: " in said.err and said.err.endswith("; correct that, and run this again\n")


STUBBORN = """
n = 0
while n < 2:
    try:
        while True:
            print("tick" * 20)
    except KeyboardInterrupt:
        n += 1
"""


def test_a_board_that_keeps_printing_is_deployed_to(tmp_path):
    """Its program prints without an end, and catches some of the ctrl-C."""
    with broken(tmp_path) as board:
        (board.flash / "application.py").unlink()
        (board.flash / "main.py").write_text(STUBBORN)
        board.kill()
        wait(lambda: b"ticktick" in board.said)
        assert cli.main(["deploy", board.port, "north", "--roster", roster(tmp_path, "esp32"), "--slice", "node"]) == 0
        assert (board.flash / "main.old.py").read_text() == STUBBORN


def test_a_drive_that_gets_full_keeps_its_old_files(tmp_path):
    drive = tmp_path / "CIRCUITPY"
    drive.mkdir()
    (drive / "boot_out.txt").write_text(BOOT_OUT)
    (drive / "code.py").write_bytes(b"print('mine')\n")
    words = ["deploy", str(drive), "north", "--roster", roster(tmp_path, "circuitpython")]

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = subprocess.run([*FACTION, *words], capture_output=True, text=True, timeout=120, preexec_fn=no_room)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done
    assert done.stderr.endswith(".new: not written (File too large); free some space or make the drive writable, and run this again\n")
    assert {path.name for path in drive.rglob("*") if path.is_file()} == {"boot_out.txt", "code.py"}
    assert (drive / "code.py").read_bytes() == b"print('mine')\n"


def test_a_board_that_nobody_reads_can_be_switched_off(tmp_path):
    """A pseudo terminal takes some thousand bytes. The board must not wait for a host that takes no more of them."""
    with broken(tmp_path, **{"main.py": b"for _ in range(900): print('x' * 99)\n"}) as board:
        wait(lambda: len(board.said) > 90_000)
