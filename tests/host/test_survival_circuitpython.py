"""No board gives up: the programs of a CircuitPython board, as files that faction deploy brings, in processes of CPython.

There is no CircuitPython for a computer here. The modules of its firmware are doubles: host/device/circuitpython. All of boards/ and
faction/ is the real thing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from emulated import furnish, replace, settings_of, wait
from test_survival import BROKEN, HANGS, QUIET

FIRMWARE = Path(__file__).parent / "device" / "circuitpython"


def settings(count, **changes):
    made = settings_of(count, **changes)
    for each in made:
        each["transports"] = [{**each.pop("transport"), "ssid": "greenhouse", "password": "tomatoes"}]
    return made


class Process:
    """A board: ``said`` is all that it has printed."""

    def __init__(self, flash, made, application):
        self.flash = flash
        furnish(flash, made, "circuitpython")
        for each in FIRMWARE.iterdir():
            shutil.copy(each, flash)
        if application is not None:
            (flash / "application.py").write_text(application)
        self._log = flash / "said"
        self.start()

    def start(self):
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-B", "code.py"],
                cwd=self.flash,
                env=dict(os.environ, PYTHONPATH=f"{self.flash}:{self.flash / 'lib'}"),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def said(self):
        return self._log.read_text()

    def ask(self, command="probe"):
        """Return the answer of the console to a command, as an object. What the board says of itself may stand in the middle of one."""
        pattern = r'\{"faction": "%s".*\}\r?\n' % command
        for _ in range(8):
            known = len(self.said)
            self.process.stdin.write(b"%s json\r" % command.encode())
            self.process.stdin.flush()
            limit = time.monotonic() + 3
            while time.monotonic() < limit and self.process.poll() is None:
                for found in re.findall(pattern, self.said[known:]):
                    with suppress(ValueError):
                        return json.loads(found)
                time.sleep(0.02)
        raise AssertionError(f"no answer to {command}: {self.said[-500:]}")

    def switch_on_network(self):
        (self.flash / "air").write_text("greenhouse tomatoes")


@contextmanager
def running(flash, made, application=QUIET):
    board = Process(flash, made, application)
    try:
        wait(lambda: "faction: node" in board.said)
        yield board
    finally:
        board.process.kill()
        board.process.wait()
        board.process.stdin.close()


def test_it_waits_for_its_network_and_joins_again(tmp_path):
    made = settings(2)
    made[0]["transports"][0].update(address="192.168.4.11", netmask="255.255.255.0", gateway="192.168.4.1")
    with running(tmp_path / "0", made[0]) as board, running(tmp_path / "1", made[1]) as other:
        wait(lambda: board.said.count("not joined greenhouse (No network with that ssid)") >= 2)
        assert board.ask()["heard"] == 0 and board.ask("stats")["transport"]["network"] == 0
        board.switch_on_network()
        other.switch_on_network()
        wait(lambda: board.ask()["started"] and other.ask()["started"])
        assert "wi-fi: joined greenhouse, address 192.168.4.11" in board.said
        (tmp_path / "0/air").unlink()
        wait(lambda: board.ask("stats")["transport"]["network"] == 0)
        assert board.ask()["started"]
        board.switch_on_network()
        wait(lambda: board.ask("stats")["transport"] == {"failures": 0, "network": 1, "network lost": 1})
        assert board.process.poll() is None and other.process.poll() is None


def test_an_application_that_raises_is_kept_and_called_again(tmp_path):
    [made] = settings(1)
    with running(tmp_path, made, BROKEN.format(head="def step(self, node):")) as board:
        board.switch_on_network()
        wait(lambda: "faction: step: ValueError: no sensor, call 2; again in 500 ms" in board.said)
        assert board.ask()["last_error"].startswith("step: ValueError: no sensor")
        assert any("application.py" in line for line in board.ask("errors")["lines"])
        (tmp_path / "mended").touch()
        wait(lambda: "mended after" in board.said)


@pytest.mark.parametrize("application", ["def broken(:\n", "import no_such_module\n", "import board\nboard.LED\n"])
def test_an_application_that_cannot_be_imported_leaves_the_node_running(tmp_path, application):
    [made] = settings(1)
    with running(tmp_path, made, application) as board:
        wait(lambda: re.search(r"faction: application.py: .*Error: .*; again in 500 ms", board.said))
        assert board.ask()["complete"] is False and board.ask()["last_error"].startswith("application.py: ")
        replace(tmp_path / "application.py", QUIET)
        board.switch_on_network()
        wait(lambda: board.ask()["started"])


def test_the_example_runs_on_a_board_without_an_led(tmp_path):
    [made] = settings(1, led="board")
    with running(tmp_path, made, None) as board:
        board.switch_on_network()
        wait(lambda: "second 2" in board.said)
        assert "led: board: not on this board" in board.said and board.ask()["last_error"] is None


@pytest.mark.parametrize("pin", [5, 6])
def test_the_status_led_is_on_when_it_is_bootstrapped(tmp_path, pin):
    [made] = settings(1, led=pin)
    with running(tmp_path, made) as board:
        board.switch_on_network()
        wait(lambda: board.ask()["started"])
        wait(lambda: (tmp_path / "led.log").read_text().endswith("1\n"))
        levels = (tmp_path / "led.log").read_text()
        time.sleep(1.2)  # it would flash each second
        assert (tmp_path / "led.log").read_text() == levels


def test_the_watchdog_resets_a_board_that_hangs(tmp_path):
    [made] = settings(1, watchdog_s=2)
    with running(tmp_path, made, HANGS) as board:
        board.switch_on_network()
        wait(lambda: board.ask()["started"])
        time.sleep(3)
        assert board.process.poll() is None
        (tmp_path / "hang").touch()
        assert board.process.wait(90) == 9
        board.start()
        wait(lambda: board.said.count("faction: node") == 2)
        assert "watchdog: RuntimeError: it has reset this board: a call took more than 2 s" in board.ask()["last_error"]


def test_three_ctrl_c_end_it_and_it_says_what_the_watchdog_does(tmp_path):
    [made] = settings(1, watchdog_s=3)
    with running(tmp_path, made) as board:
        board.ask()
        board.process.stdin.write(b"\x03\x03\x03")
        board.process.stdin.flush()
        board.process.wait(90)
        assert "the program has ended" in board.said and "watchdog: this board cannot stop it: it is reset within 3 s" in board.said


def test_the_radio_moves_to_the_channel_of_the_roster(tmp_path):
    """ESP-NOW needs the firmware's module, so only the channel is tried here."""
    furnish(tmp_path, settings(1)[0], "circuitpython")
    for each in FIRMWARE.iterdir():
        shutil.copy(each, tmp_path)
    subprocess.run([sys.executable, "-c", "import station; station.tune(11)"], cwd=tmp_path, check=True)
    assert (tmp_path / "channel").read_text() == "11"
