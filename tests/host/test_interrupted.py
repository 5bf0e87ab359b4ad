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
from faction.node import Node
from faction.transports.loopback import Hub

# MicroPython and CircuitPython look for a pending KeyboardInterrupt at branches only.
BRANCHES = frozenset(dis.hasjrel + dis.hasjabs)
PACKAGE = str(ROOT / "faction")
STEP = 1  # of the branches, one in so many is tried


class Interrupter:
    """Raises KeyboardInterrupt after the branch of a number in the package. ``passed``: how many branches there were."""

    def __init__(self, number):
        self._number = number
        self._branched = set()  # frames whose latest step was a branch
        self.passed = 0
        self.has_raised = False

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
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


def go(number):
    """Let a node come to its verdict and to the common start, with one ctrl-C on the way; return how many branches there were."""
    ticks = [0]
    hub = Hub()
    nodes = [
        Node(Config(i, (0, 1, 5), 2), hub.join(), "x", 3000, 100, clock=Clock(lambda: ticks[0]), seed=i + 3, start_after_ms=60)
        for i in range(2)
    ]
    node, other = nodes
    polls = count()
    interrupter = Interrupter(number)

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
        if turn < 30 and not interrupter.has_raised:
            sys.settrace(interrupter)
        return False

    member.PAUSE_MS = 0
    loop = member.Loop(node, Console(node, Keys()), step)
    sys.settrace(interrupter)
    try:
        loop.run()
    finally:
        sys.settrace(None)
    assert node.machine.state == BOOTSTRAPPED and list(node.machine.collecting) == [0, 1], number
    assert node.machine.collecting.count == 2
    other.poll()
    assert other.machine.state == BOOTSTRAPPED and other.has_started
    return interrupter.passed


def test_a_node_goes_on_after_ctrl_c_at_any_branch():
    branches = go(0)
    assert branches > 1000
    for number in range(1, branches, STEP):
        go(number)
