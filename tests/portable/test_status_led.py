"""The status LED: boards/common/status_led.py."""

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, TIMED_OUT, Config
from faction.clock import Clock
from faction.node import Node
from faction.transports.loopback import Hub
from helpers import of_boards
from run import Skip
from witness import LOCKED_HEAP, need_lock

status_led = of_boards("status_led")


class Board:
    """Two nodes on the air, of which the first has an LED. ``levels``: of the LED, each 10 ms."""

    def __init__(self):
        if status_led is None:
            raise Skip("boards/common is not on this port")
        self.ms = 0
        self.is_on = None
        hub = Hub()
        clock = Clock(lambda: self.ms)
        self.node, self.other = [
            Node(Config(i, (0, 1), 2), hub.join(), "x", 60000, 100, clock=clock, seed=i + 1, start_after_ms=0) for i in (0, 1)
        ]
        self.led = status_led.StatusLed(self.node, self.switch)

    def switch(self, is_on):
        self.is_on = is_on

    def run(self, ms, is_other_on=False):
        """Return how long the LED was on and off in turn, in ms, without the first and the last time."""
        spans = []
        latest = None
        for _ in range(ms // 10):
            self.ms += 10
            self.node.poll()
            if is_other_on:
                self.other.poll()
            self.led.step()
            if self.is_on != latest:
                spans.append([self.is_on, 0])
                latest = self.is_on
            spans[-1][1] += 10
        return spans[1:-1]


def test_slow_while_it_waits():
    board = Board()
    assert board.is_on is False
    spans = board.run(8000)
    assert board.node.machine.state == INITIAL and len(spans) >= 5
    assert all(ms == 1000 for _, ms in spans), spans


def test_double_when_somebody_was_heard():
    board = Board()
    board.run(3000, True)
    spans = board.run(8000, True)
    assert board.node.machine.state <= COLLECTING
    assert [ms for is_on, ms in spans if is_on] == [100] * len([0 for is_on, _ in spans if is_on])
    assert sorted({ms for is_on, ms in spans if not is_on}) == [200, 1600], spans


def test_a_new_run_waits_again():
    board = Board()
    board.run(3000, True)
    board.node.restart()
    spans = board.run(8000)
    assert all(ms == 1000 for _, ms in spans), spans


def test_on_when_bootstrapped():
    board = Board()
    board.node.complete()
    board.other.complete()
    board.run(3000, True)
    assert board.node.machine.state == BOOTSTRAPPED and board.run(5000) == [] and board.is_on is True


def test_fast_when_timed_out():
    board = Board()
    board.node.cancel()
    spans = board.run(5000)
    assert board.node.machine.state == TIMED_OUT and len(spans) > 20
    assert all(ms == 100 for _, ms in spans), spans


def test_it_allocates_nothing():
    need_lock()
    board = Board()
    board.run(3000, True)
    step = board.led.step
    with LOCKED_HEAP:
        for _ in range(10):
            step()
