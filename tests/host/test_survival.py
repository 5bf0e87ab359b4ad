"""No board gives up: the programs of an ESP32, as processes of MicroPython, with applications, networks and power that fail.

All of boards/ and faction/ is the real thing. Only the modules machine and network of the firmware are doubles: host/device/esp32.
"""

import ast
import json
import os
import random
import re
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import serial
from command import cpu_s
from emulated import Board, furnish, replace, settings_of, wait
from needs import NO_MICROPYTHON, require

from faction import BOOTSTRAPPED
from faction.console import PROMPT
from faction_tools.dev import interpreters

require(NO_MICROPYTHON)

FIRMWARE = Path(__file__).parent / "device" / "esp32"
QUIET = """
from member import Hooks


class Application(Hooks):
    pass
"""


def prepare(flash, settings, application=QUIET):
    """Put on a flash what an ESP32 has: its programs, the doubles of its firmware, and an application."""
    furnish(flash, settings, "esp32")
    for each in FIRMWARE.iterdir():
        shutil.copy(each, flash)
    (flash / "application.py").write_text(application)


def settings(count=2, **changes):
    """Return settings as faction deploy writes them; the network needs no access point unless a test gives it an ssid."""
    made = settings_of(count, **changes)
    for each in made:
        transport = {**each.pop("transport"), "ssid": None, "password": ""}
        each["transports"] = [transport]
    return made


@contextmanager
def running(folder):
    with Board(folder) as board:
        wait(lambda: b"faction: node" in board.said)
        yield board


@contextmanager
def pair(tmp_path, made, application=QUIET):
    """Yield the board whose application is given, and a healthy one."""
    prepare(tmp_path / "0", made[0], application)
    prepare(tmp_path / "1", made[1])
    with running(tmp_path / "0") as board, running(tmp_path / "1") as other:
        yield board, other


def ask(board, command="probe", seconds=90):
    """Return the answer of a board's console to a command, as an object. What the board says of itself may stand in the middle of one."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        with serial.Serial(board.port, timeout=0.3) as port:
            port.reset_input_buffer()
            port.write(b"\r%s json\r" % command.encode())
            heard = b""
            until = time.monotonic() + 3
            while time.monotonic() < until:
                heard += port.read(port.in_waiting or 1)
                for found in re.findall(rb'\{"faction": "%s".*\}\r\n' % command.encode(), heard):
                    with suppress(ValueError):
                        return json.loads(found)
    raise AssertionError(f"no answer to {command}: {bytes(board.said)[-500:]}")


# The application

HOOKS = {
    "start_up": "def start_up(self, node):",
    "on_bootstrapped": "def on_bootstrapped(self, node):",
    "on_timed_out": "def on_timed_out(self, node):",
    "step": "def step(self, node):",
}
# It raises in a hook until the file "mended" is there, and then says so.
BROKEN = """
import os
from member import Hooks, say


class Application(Hooks):
    calls = 0
    is_mended = False

    {head}
        self.calls += 1
        try:
            os.stat("mended")
        except OSError:
            raise ValueError("no sensor, call %d" % self.calls) from None
        if not self.is_mended:
            say("mended after", self.calls)
        self.is_mended = True
        return True
"""


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_raises_is_kept_and_called_again(tmp_path, hook):
    made = settings()
    if hook == "on_timed_out":
        made[0].update(quorum=2, deadline_ms=500)
        made[1]["quorum"] = 1  # another roster: it is alone
    with pair(tmp_path, made, BROKEN.format(head=HOOKS[hook])) as (board, other):
        wait(lambda: b"faction: %s: ValueError: no sensor, call 2; again in 500 ms" % hook.encode() in board.said)
        if hook != "on_timed_out":
            wait(lambda: ask(other)["heard"] == 1)
        assert board.said.count(b"faction: node") == 1
        answer = ask(board)
        assert answer["last_error"].startswith(f"{hook}: ValueError: no sensor, call "), answer
        lines = ask(board, "errors")["lines"]
        assert "Traceback (most recent call last):" in lines and any('application.py", line 15, in' in line for line in lines), lines
        assert (tmp_path / "0/last_error.txt").read_text().startswith(f"{hook}: ValueError: no sensor, call ")
        said = bytes(board.said)
        calls = [int(each) for each in re.findall(rb"no sensor, call (\d+); again", said)]
        assert calls == list(range(1, len(calls) + 1)) and len(calls) < 12
        (tmp_path / "0/mended").touch()
        wait(lambda: b"mended after" in board.said)
        if hook != "on_timed_out":
            wait(lambda: ask(board)["started"] and ask(other)["started"])


FAULTS = {
    "SyntaxError": "def broken(:\n",
    "ImportError": "import no_such_module\n",
    "MemoryError": "raise MemoryError('memory allocation failed, allocating 9999 bytes')\n",
    "AttributeError": "import member\nmember.nothing\n",
    "KeyError": "from member import Hooks\nclass Application(Hooks):\n    def __init__(self):\n        {}['sensor']\n",
    "RuntimeError": "from member import Hooks\nclass Application(Hooks):\n    def start_up(self, node):\n        self.start_up(node)\n",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_program_that_does_not_even_start_leaves_the_node_running(tmp_path, fault):
    made = settings()
    with pair(tmp_path, made, FAULTS[fault]) as (board, other):
        wait(lambda: re.search(rb"faction: (application.py|start_up): %s.*; again in 500 ms" % fault.encode(), board.said))
        wait(lambda: ask(board)["heard"] == 1 and ask(other)["heard"] == 1)
        assert fault in ask(board)["last_error"] and ask(board)["complete"] is False
        assert 30 < len((tmp_path / "0/last_error.txt").read_bytes()) < 1300
        replace(tmp_path / "0/application.py", QUIET)
        if fault in ("SyntaxError", "ImportError", "MemoryError"):  # the import is tried again
            wait(lambda: ask(board)["started"] and ask(other)["started"])


# What is no Exception, and what goes wrong only when somebody looks at it. The name of what is told: (the head of the file, a method).
ODD = {
    "start_up: GeneratorExit: x": ("", "def start_up(self, node):\n        raise GeneratorExit('x')"),
    "step: BaseException: x": ("", "def step(self, node):\n        raise BaseException('x')"),
    "step: CancelledError": ("from asyncio import CancelledError", "def step(self, node):\n        raise CancelledError"),
    "step: Mute": (
        "class Mute(Exception):\n    def __str__(self):\n        raise BaseException('no')",
        "def step(self, node):\n        raise Mute",
    ),
    "start_up: ValueError: odd": (
        "class Odd:\n    def __bool__(self):\n        raise ValueError('odd')",
        "def start_up(self, node):\n        return Odd()",
    ),
    "application.py: BaseException: x": ("raise BaseException('x')", "pass"),
    "poll: AttributeError: 'NoneType' object has no attribute": (
        "",
        "def step(self, node):\n        node.machine = None",
    ),
}


@pytest.mark.parametrize("told", ODD)
def test_an_odd_exception_ends_nothing(tmp_path, told):
    [made] = settings(1)
    head, method = ODD[told]
    prepare(tmp_path, made, f"from member import Hooks\n{head}\n\n\nclass Application(Hooks):\n    {method}\n")
    with running(tmp_path) as board:
        wait(lambda: re.search(b"faction: %s.*; again in 500 ms" % told.encode(), board.said))
        assert board.said.count(b"faction: node") == 1 and b">>>" not in board.said
        assert ask(board, "errors")["lines"][0].startswith(told)


def test_ctrl_c_while_the_application_is_imported(tmp_path):
    [made] = settings(1)
    prepare(tmp_path, made, "import os, time\nprint('importing')\nwhile 'go' not in os.listdir():\n    time.sleep(0.02)\n" + QUIET)
    with running(tmp_path) as board:
        wait(lambda: b"importing" in board.said)
        press(board, 1)
        wait(lambda: board.said.count(b"importing") == 2, 10)  # it is imported again
        time.sleep(0.5)  # what comes at once behind a ctrl-C would be a tool that wants to get in
        (tmp_path / "go").touch()
        wait(lambda: ask(board)["started"])
        (tmp_path / "go").unlink()
        board.kill()
        wait(lambda: board.said.count(b"importing") == 3)
        press(board, 3)
        wait(lambda: b"the program has ended" in board.said and board.said.rstrip().endswith(b">>>"))


def test_an_error_outlives_the_power(tmp_path):
    made = settings(1)
    prepare(tmp_path, made[0], FAULTS["KeyError"])
    with running(tmp_path) as board:
        wait(lambda: b"again in" in board.said)
        replace(tmp_path / "application.py", QUIET)
        board.kill()
        wait(lambda: board.said.count(b"faction: node") == 2)
        assert ask(board)["last_error"] == "before the latest reset: application.py: KeyError: sensor"
        wait(lambda: ask(board)["started"])


def test_an_error_that_comes_again_and_again_is_written_once(tmp_path):
    made = settings(1)
    application = BROKEN.format(head=HOOKS["step"]).replace("no sensor, call %d", "no sensor %d").replace("% self.calls", "% 7")
    prepare(tmp_path, made[0], application)
    with running(tmp_path) as board:
        wait(lambda: b"again in 250 ms" in board.said)
        written = (tmp_path / "last_error.txt").stat()
        wait(lambda: b"again in 2000 ms" in board.said)
        board.kill()
        wait(lambda: board.said.count(b"again in 2000 ms") == 2)
        now = (tmp_path / "last_error.txt").stat()
        assert (now.st_ino, now.st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
        assert not (tmp_path / "last_error.old.txt").exists()


# It says which errors it finds, then writes one after the other, and says so. A power cut often hits the middle of a file.
WRITER = """
import last_error

last_error.WRITES = 1 << 20
errors = last_error.Errors()
print([line.rstrip() for line in errors.texts() if line.startswith("step: ")])
i = int(last_error._first_line(last_error.LATEST).split(" ")[-1]) if last_error._first_line(last_error.LATEST) else 0
while True:
    i += 1
    try:
        raise ValueError("number %d" % i)
    except ValueError as error:
        errors.keep("step", error)
    print(i)
"""


def test_a_power_cut_while_an_error_is_written_costs_none(tmp_path):
    [made] = settings(1)
    prepare(tmp_path, made)
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path / 'lib'}:.frozen")
    chance = random.Random(7)
    half_written = 0
    latest = 1
    for cuts in range(61):
        with subprocess.Popen(
            [interpreters.micropython(), "-c", WRITER], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as writer:
            read = writer.stdout.readline().decode()
            kept = [int(line.rpartition(" ")[2]) for line in ast.literal_eval(read)]
            assert not cuts or (len(kept) == 2 and kept[0] == kept[1] + 1 and kept[0] >= latest), (kept, latest)
            latest = max([latest, *kept])
            for _ in range(chance.randint(2, 6)):
                writer.stdout.readline()
            time.sleep(chance.uniform(0, 0.003))
            writer.kill()
            writer.communicate()
        half_written += (tmp_path / "last_error.new").exists()
    assert half_written > 5 and latest > 60, (half_written, latest)


def test_three_ctrl_c_end_a_board_whose_application_fails(tmp_path):
    made = settings(1)
    prepare(tmp_path, made[0], FAULTS["KeyError"])
    with running(tmp_path) as board:
        wait(lambda: b"again in 500 ms" in board.said)
        press(board, 1)
        time.sleep(1.5)
        assert ask(board)["id"] == 0
        press(board, 3)
        wait(lambda: b"the program has ended" in board.said and board.said.rstrip().endswith(b">>>"))


@pytest.mark.parametrize(("hook", "work"), [("start_up", "sleep(0.01)"), ("on_bootstrapped", "sleep(0.01)"), ("step", "pass")])
def test_three_ctrl_c_end_a_hook_that_has_hung_for_long(tmp_path, hook, work):
    [made] = settings(1)
    hangs = f"    {HOOKS[hook]}\n        from time import sleep\n        print('hangs')\n        while True:\n            {work}\n"
    prepare(tmp_path, made, QUIET.replace("    pass\n", hangs))
    with running(tmp_path) as board:
        wait(lambda: b"hangs" in board.said)
        time.sleep(1.5)
        press(board, 2)
        time.sleep(1.5)
        assert b"has ended" not in board.said  # two are not enough, and these are too old for the next ones
        began = time.monotonic()
        while b"the program has ended" not in board.said:  # again, if a busy computer let the three take longer than a second
            assert time.monotonic() < began + 60
            press(board, 1)
            time.sleep(0.3)
            assert b"has ended" not in board.said
            press(board, 2)
            time.sleep(0.3)
        wait(lambda: board.said.rstrip().endswith(b">>>"))


def press(board, count):
    with serial.Serial(board.port, timeout=0.2) as port:
        for _ in range(count):
            port.write(b"\x03")
            time.sleep(0.1)


# The configuration, of another version or damaged


def test_a_field_that_is_null_is_as_absent(tmp_path):
    [made] = settings(1)
    made.update(dict.fromkeys(("names", "hardware_ids", "key", "watchdog_s", "led", "led_inverted", "console", "console_control")))
    made.update(dict.fromkeys(("interval_ms", "deadline_ms", "start_after_ms", "presence_ms", "frames_per_minute")))
    prepare(tmp_path, made)
    with running(tmp_path) as board:
        wait(lambda: ask(board)["started"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"watchdog_s": "8"},
        {"names": 5},
        {"hardware_ids": [1]},
        {"transports": 5},
        {"transports": [{}]},
        {"transports": [{"kind": "udp"}]},
        {"transports": [{"kind": "udp", "port": 47000, "bind": "0.0.0.0", "ssid": None, "to": ["nowhere"]}]},
        {"transports": [{"kind": "udp", "port": 47000, "bind": None, "ssid": None, "to": None}]},
        {"peers": 3},
        {"cluster": 7},
        {"key": 7},
        5,
        None,
    ],
)
@pytest.mark.parametrize("program", ["esp32", "unix"])
def test_a_wrong_configuration_is_told_in_one_line(tmp_path, program, wrong):
    [made] = settings(1)
    if program == "esp32":
        prepare(tmp_path, {**made, **wrong} if isinstance(wrong, dict) else wrong)
    elif wrong in ({"watchdog_s": "8"},):
        pytest.skip("a process has no watchdog")
    else:
        furnish(tmp_path, {**made, **wrong} if isinstance(wrong, dict) else wrong)
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path / 'lib'}:.frozen")
    command = [interpreters.micropython(), "main.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, input="", capture_output=True, text=True, timeout=120)
    assert re.fullmatch("faction: .+\r?\n", done.stdout + done.stderr), done.stdout + done.stderr


# The watchdog

HANGS = """
import os
from member import Hooks


class Application(Hooks):
    def step(self, node):
        try:
            os.stat("hang")
        except OSError:
            return
        os.remove("hang")
        while True:
            pass
"""


def test_the_watchdog_resets_a_board_that_hangs_and_no_other(tmp_path):
    made = settings(1, watchdog_s=2)
    prepare(tmp_path, made[0], HANGS)
    with running(tmp_path) as board:
        wait(lambda: ask(board)["started"])
        time.sleep(3)
        assert board.said.count(b"faction: node") == 1  # it is fed
        (tmp_path / "hang").touch()
        wait(lambda: board.said.count(b"faction: node") == 2)
        assert "watchdog: RuntimeError: it has reset this board: a call took more than 2 s" in ask(board)["last_error"]


def test_the_watchdog_leaves_the_repl_alone(tmp_path):
    made = settings(1, watchdog_s=2)
    prepare(tmp_path, made[0])
    with running(tmp_path) as board:
        wait(lambda: ask(board)["started"])
        press(board, 3)
        wait(lambda: b"the program has ended" in board.said)
        time.sleep(3)
        assert board.said.count(b"faction: node") == 1 and board.said.rstrip().endswith(b">>>")


# The network


def networked(**changes):
    """Return settings of two boards on a network that needs an access point."""
    made = settings()
    for each in made:
        each["transports"][0].update(ssid="greenhouse", password="tomatoes", **changes)
    return made


def switch_on(*flashes):
    for flash in flashes:
        (flash / "air").write_text("greenhouse tomatoes")


def count(board, name):
    return ask(board, "stats")["transport"].get(name)


def test_a_board_without_a_network_runs_and_joins_when_it_comes(tmp_path):
    made = networked(country="DE", address="127.0.0.9", netmask="255.0.0.0", gateway="127.0.0.1")
    with pair(tmp_path, made) as (board, other):
        flashes = tmp_path / "0", tmp_path / "1"
        assert ask(board)["peers"] == 2 and count(board, "network") == 0
        wait(lambda: b"not joined greenhouse (no such network in reach); again in 1 s" in board.said)
        wait(lambda: b"not joined greenhouse (no such network in reach); again in 2 s" in board.said)
        assert ask(board, "stats")["node"]["send_failed"] > 0 and ask(board)["heard"] == 0
        switch_on(*flashes)
        wait(lambda: ask(board)["started"] and ask(other)["started"])
        assert b"wi-fi: joined greenhouse, address 127.0.0.9" in board.said
        wait(lambda: (flashes[0] / "pm").read_text().startswith("0 "))
        assert (flashes[0] / "pm").read_text() == "0 127.0.0.9 [('country', 'DE')]"  # power save is off
        for flash in flashes:
            (flash / "air").unlink()
        wait(lambda: count(board, "network") == 0 and count(board, "network lost") == 1)
        assert ask(board)["started"] and ask(other)["started"]
        switch_on(*flashes)
        wait(lambda: count(board, "network") == 1 and count(other, "network") == 1)
        wait(lambda: (flashes[0] / "pm").read_text().startswith("0 "))
        other.kill()  # it comes back as a new run, and asks
        wait(lambda: other.said.count(b"faction: node") == 2 and ask(other)["started"])
        assert board.said.count(b"faction: node") == 1


def test_a_wrong_password_is_named(tmp_path):
    made = networked()
    prepare(tmp_path, made[0])
    (tmp_path / "air").write_text("greenhouse cucumbers")
    with running(tmp_path) as board:
        wait(lambda: b"not joined greenhouse (wrong password)" in board.said)
        assert b"tomatoes" not in board.said and ask(board)["id"] == 0


# The LED


def flashes_of(flash):
    """Return [(ms, level)] of the LED."""
    return [tuple(map(int, line.split())) for line in (flash / "led.log").read_text().splitlines()]


def flashes_slowly(flashes):
    """Tell whether an LED has changed three times, a second apart. A busy computer may have disturbed it before."""
    slow = flashes[-3:]
    return len(flashes) >= 4 and all(850 <= b[0] - a[0] <= 1150 for a, b in zip(slow, slow[1:]))


def test_the_status_led_shows_how_the_board_is(tmp_path):
    made = settings(led=7, led_inverted=True)
    prepare(tmp_path / "0", made[0])
    prepare(tmp_path / "1", made[1])
    with running(tmp_path / "0") as board:
        wait(lambda: flashes_slowly(flashes_of(tmp_path / "0")))
        with running(tmp_path / "1"):
            wait(lambda: ask(board)["started"])
        time.sleep(0.5)
        assert flashes_of(tmp_path / "0")[-1][1] == 0  # inverted: 0 is on
        length = len(flashes_of(tmp_path / "0"))
        time.sleep(2)
        assert len(flashes_of(tmp_path / "0")) == length


# Sleep. See the figures: .venv/bin/python -m pytest -s tests/host/test_survival.py -k awake


def awake(boards, seconds=5):
    """Return the share of time that the process of each board takes of a processor."""
    before, began = [cpu_s(board.process) for board in boards], time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - began
    return [(cpu_s(board.process) - earlier) / spent for board, earlier in zip(boards, before)]


WORKS = """
import os
import time
from member import Hooks


class Application(Hooks):
    pause_ms = {pause_ms}
    calls = 0

    def step(self, node):
        self.calls += 1
        if self.calls % 20 == 0:
            with open("calls.new", "w") as file:
                file.write("%d %d" % (self.calls, time.ticks_ms()))
            os.rename("calls.new", "calls")
"""


def two_of_three():
    """Return settings of two boards, of a roster of three, that need two."""
    made = settings(interval_ms=500)
    for each in made:
        each.update(peers=[0, 1, 2], names=["north", "south", "east"], quorum=2)
    return made


def test_the_share_of_time_awake(tmp_path, capsys):
    """A board whose partner never comes, and one that has started with it, at the same time."""
    (alone, _), made = two_of_three(), two_of_three()
    for name, each in (("alone", alone), ("0", made[0]), ("1", made[1])):
        prepare(tmp_path / name, each, QUIET if name == "1" else WORKS.format(pause_ms=20))
    with running(tmp_path / "alone") as waiting, running(tmp_path / "0") as board, running(tmp_path / "1") as other:
        wait(lambda: ask(board)["started"] and ask(other)["started"])
        shares = dict(zip(("it waits for a quorum, alone", "it works: step is called every 20 ms"), awake((waiting, board))))
        assert ask(waiting)["heard"] == 0
    with capsys.disabled():
        for what, share in shares.items():
            print(f"\nawake {share:.1%} of the time: {what}", end="")
    assert all(share < 0.05 for share in shares.values()), shares


def calls_of(flash):
    """Return how often step was called at some time, and that time, in ms of the board; zeros: not yet."""
    path = flash / "calls"
    return tuple(map(int, path.read_text().split())) if path.exists() else (0, 0)


@pytest.mark.parametrize(("pause_ms", "most"), [(5, 230), (20, 60), (1000, 30)])
def test_step_is_called_as_often_as_the_application_wants(tmp_path, pause_ms, most):
    [made] = settings(1)
    prepare(tmp_path, made, WORKS.format(pause_ms=pause_ms))
    with running(tmp_path):
        wait(lambda: calls_of(tmp_path)[0] >= 20)
        calls, began = calls_of(tmp_path)
        wait(lambda: calls_of(tmp_path)[0] >= calls + 60)
        more, ended = calls_of(tmp_path)
        rate = (more - calls) / (ended - began) * 1000
    assert rate <= most, rate  # a busy computer makes it slower


def test_a_frame_and_a_key_wake_a_board(tmp_path):
    """A question at the console is answered long before the 50 ms are over that it would sleep."""
    [made] = settings(1)
    prepare(tmp_path, made, WORKS.format(pause_ms=50))
    with running(tmp_path) as board:
        wait(lambda: ask(board)["started"])
        # What else a computer does only adds to a time, so one try counts. A board that sleeps answers 17 of 20 so soon by chance
        # once in 20,000 tries.
        wait(lambda: sorted(answers_of(board))[16] < 0.02)


def answers_of(board):
    """Return how long each of twenty keys took to be echoed, in seconds."""
    took = []
    with serial.Serial(board.port, timeout=1) as port:
        port.write(b"\r")  # an end to what was typed before: a line has room for so much
        assert port.read_until(PROMPT.encode()).endswith(PROMPT.encode())
        for _ in range(20):
            port.reset_input_buffer()
            began = time.monotonic()
            port.write(b"x")
            assert port.read(1) == b"x"
            took.append(time.monotonic() - began)
    return took


def test_a_board_without_an_led_says_so_and_goes_on(tmp_path):
    made = settings(1, led="board")
    prepare(tmp_path, made[0])
    with running(tmp_path) as board:
        wait(lambda: ask(board)["state"] == BOOTSTRAPPED)
        assert b"led: board: not on this board (invalid pin); give the number of a pin" in board.said
