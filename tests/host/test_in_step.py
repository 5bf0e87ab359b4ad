"""The example applications keep the promise that they make: all boards work in step, a late one too."""

import ast
import os
import subprocess
from pathlib import Path

import pytest
from needs import NO_MICROPYTHON, require

from faction_tools.dev import interpreters

BOARDS = Path(__file__).parents[2] / "boards"

require(NO_MICROPYTHON)

# It runs on MicroPython with the real clock, real nodes and the application itself. Only the pins are doubles: they note when the
# LED goes on, or the sensor is read. "late" joins when the others have started, "paused" is often not called.
PROGRAM = """
import sys
import time

written = {}
owner = None
began_ms = time.ticks_ms()


class Pin:
    OUT = 1

    def __init__(self, number, mode, value):
        self.level = value
        self.owner = owner
        written[owner] = []

    def __call__(self, level):
        if level and not self.level:
            written[self.owner].append(time.ticks_diff(time.ticks_ms(), began_ms))
        self.level = level


class ADC:
    def __init__(self, channel):
        self.owner = owner
        written[owner] = []

    def read_u16(self):
        if owner is None:
            written[self.owner].append(time.ticks_diff(time.ticks_ms(), began_ms))
        return 14000


class Machine:
    pass


Machine.Pin = Pin
Machine.ADC = ADC
sys.modules["machine"] = Machine

import application
from faction import Config
from faction.node import Node
from faction.transports.loopback import Hub

application.PERIOD_MS = 400
hub = Hub()


class Board:
    def __init__(self, peer_id, name):
        global owner
        owner = name
        self.node = Node(Config(peer_id, (0, 1, 2), 2), hub.join(), "x", 60000, 50, seed=peer_id + 1)
        self.application = application.Application()
        self.told = False
        assert self.application.start_up(self.node)
        owner = None
        self.node.complete()

    def poll(self, is_stepping):
        self.node.poll()
        if not self.told and self.node.has_started:
            self.told = True
            self.application.on_bootstrapped(self.node)
        elif self.told and is_stepping:
            self.application.step(self.node)


boards = [Board(0, "steady"), Board(1, "paused")]
while time.ticks_diff(time.ticks_ms(), began_ms) < 4000:
    ms = time.ticks_diff(time.ticks_ms(), began_ms)
    if len(boards) == 2 and ms > 1200:
        boards.append(Board(2, "late"))
    for board in boards:
        board.poll(board is not boards[1] or ms % 110 < 30)
    time.sleep_ms(5)
print((written, [board.node.started_late_ms for board in boards]))
"""


@pytest.mark.parametrize("example", ["application_esp32.py", "application_rp2040.py"])
def test_boards_work_in_step_and_a_late_one_too(tmp_path, example):
    interpreters.compile_all()
    (tmp_path / "application.py").write_text((BOARDS / "micropython" / example).read_text())
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path}:{interpreters.COMPILED}:{BOARDS}/common")
    command = [interpreters.micropython(), "-c", PROGRAM]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    written, late_ms = ast.literal_eval(done.stdout.splitlines()[-1])
    assert late_ms[:2] == [0, 0] and late_ms[2] > 500
    times = {name: sorted(each) for name, each in written.items()}
    assert len(times["steady"]) >= 6 and len(times["late"]) >= 5, times
    for name, limit in (("late", 100), ("paused", 150)):
        apart = [min(abs(at - other) for other in times["steady"]) for at in times[name][2:]]
        assert max(apart) < limit, (name, apart)
