"""Ctrl-C at any point of a node's work, as a firmware raises it: a KeyboardInterrupt after a branch. The node goes on."""

import dis
import sys
from itertools import count

from faction_tools.dev.interpreters import ROOT

sys.path.append(str(ROOT / "boards" / "common"))

import member

from faction import BOOTSTRAPPED, Config
from faction.clock import Clock
from faction.console import Console
from faction.key import Key
from faction.node import SENT, Node
from faction.transports.loopback import Hub

# MicroPython and CircuitPython look for a pending KeyboardInterrupt at branches only.
BRANCHES = frozenset(dis.hasjrel + dis.hasjabs)
PACKAGE = str(ROOT / "faction")
STEP = 1  # of the branches, one in so many is tried
STEP_KEY = 7  # of those under a key, which has many more


class Interrupter:
    """Raises KeyboardInterrupt after the branch of a number in the package. ``passed``: how many branches there were.

    It watches one stretch of the work alone, as to watch takes a hundred times as long as to work.
    """

    def __init__(self, number, stretches, spared=""):
        """stretches: how many branches there were before each stretch; number 0 notes them. spared: the end of the name of a file in
        which it comes never.
        """
        self._number = number
        self._stretches = stretches
        self._rest = iter([*stretches, sys.maxsize])
        self._before = next(self._rest)
        self._spared = spared
        self._branched = set()  # frames whose latest step was a branch
        self.passed = 0
        self.has_raised = False

    def begin(self):
        """Begin the next stretch. It ends with sys.settrace(None)."""
        if self._number == 0:
            self._stretches.append(self.passed)
            sys.settrace(self)
        elif not self.has_raised:
            self.passed, self._before = self._before, next(self._rest)
            if self.passed < self._number <= self._before:
                sys.settrace(self)

    def __call__(self, frame, event, argument):
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE) or self._spared and name.endswith(self._spared):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._trace

    def _trace(self, frame, event, argument):
        if event != "opcode":
            self._branched.discard(id(frame))
            return self._trace
        was_branch = id(frame) in self._branched
        self._branched.discard(id(frame))
        if frame.f_code.co_code[frame.f_lasti] in BRANCHES:
            self._branched.add(id(frame))
        if was_branch:
            self.passed += 1
            if self.passed == self._number:
                self.has_raised = True
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._trace


class Keys:
    """A stream on which nobody types."""

    def any(self):
        return 0

    def readinto(self, buffer):
        raise AssertionError("nothing waits")

    def write(self, buffer):
        return len(buffer)


def pair(ticks, seal=None):
    """Return two nodes, whose clock is ticks[0]."""
    hub = Hub()
    clock = Clock(lambda: ticks[0])
    return [
        Node(Config(i, (0, 1, 5), 2), hub.join(), "x", 3000, 100, seal=seal, clock=clock, seed=i + 3, start_after_ms=60) for i in range(2)
    ]


def go(number, stretches, seal=None):
    """Let a node come to its verdict and to the common start, with one ctrl-C on the way; return how many branches there were."""
    ticks = [0]
    node, other = pair(ticks, seal)
    polls = count()
    interrupter = Interrupter(number, stretches)

    def step():
        """Complete the nodes, and end when the first one has started."""
        sys.settrace(None)
        ticks[0] += 10
        turn = next(polls)
        other.poll()
        if turn == 3:
            other.complete()
        if turn >= 6 and not node.machine.is_pinging_completed:
            node.complete()
        if turn > 25 and node.has_started:
            return True
        assert turn < 250, "it is not at the start"
        if turn < 30:
            interrupter.begin()
        return False

    member.PAUSE_MS = 0
    loop = member.Loop(node, Console(node, Keys()), step)
    interrupter.begin()
    try:
        loop.run()
    finally:
        sys.settrace(None)
    assert node.machine.state == BOOTSTRAPPED and list(node.machine.collecting) == [0, 1], number
    assert node.machine.collecting.count == 2 and interrupter.has_raised == (number > 0)
    other.poll()
    assert other.machine.state == BOOTSTRAPPED and other.has_started
    return interrupter.passed


def at_any_branch(work, least, step, *more):
    """Do some work again and again, each time with ctrl-C at another one of its branches. least: there are more than so many."""
    stretches = []
    branches = work(0, stretches, *more)
    assert branches > least
    for number in range(1, branches, step):
        work(number, stretches, *more)


def test_a_node_goes_on_after_ctrl_c_at_any_branch():
    at_any_branch(go, 1000, STEP)


def test_it_does_so_under_a_key():
    at_any_branch(go, 1000, STEP_KEY, Key(bytes(16)))


def by_hand(number, stretches):
    """Poll a node that hears nobody, without a program of a board, with one ctrl-C on the way; return how many branches there were."""
    ticks = [0]
    node = Node(Config(0, (0, 1), 1), Hub().join(), "x", 3000, 100, clock=Clock(lambda: ticks[0]), seed=3, start_after_ms=60)
    interrupter = Interrupter(number, stretches, "machine.py")  # one within a step of the machine takes a restart: see member.py
    for turn in range(45):
        ticks[0] += 10
        interrupter.begin()
        try:
            node.poll()
            if turn >= 15 and not node.machine.is_pinging_completed:
                node.complete()
        except KeyboardInterrupt:
            assert interrupter.has_raised
        finally:
            sys.settrace(None)
    assert node.has_started and node.counters[SENT] >= 2 and interrupter.has_raised == (number > 0), number
    return interrupter.passed


def test_a_node_that_is_polled_by_hand_goes_on_too():
    at_any_branch(by_hand, 300, STEP)
