"""Keys, noise and floods into a console whose stream fails in every way: console_fuzz.py SEED LINES, on CPython or MicroPython.

No poll may raise, read or write without a bound; and in between a probe gets its answer. Prints how much of what there was.
"""

import sys

from faction import Config
from faction.clock import Clock
from faction.console import Console
from faction.journal import Journal
from faction.node import Node
from helpers import Chance

PEERS = (0, 1, 2, 70000)
MOST = 32  # bytes that a poll may read
WRITES = 98  # and calls of write: each key may erase a character, and one key a line
WORDS = (
    b"probe",
    b"peers",
    b"missing",
    b"admissible",
    b"config",
    b"stats",
    b"journal",
    b"watch 1",
    b"restart",
    b"expire",
    b"help",
    b"json",
)
NOISE = (b"\x03", b"\r", b"\n", b"\x08", b"\x7f", b"\x15", b"\x1b", b"\x1b[A", b"\x1bO", b"\0", b"\xff", b"\x01", b"\x02", b"\x04", b" ")


class Air:
    """A transport on which nothing comes."""

    def send(self, buffer, length):
        pass

    def receive(self, buffer):
        return -1


class Line:
    """A stream that takes a part, or nothing, or fails, as chance will have it. ``is_kind``: it does not."""

    def __init__(self, chance):
        self.chance = chance
        self.typed = b""
        self.at = self.reads = self.writes = self.refused = 0
        self.is_kind = False
        self.latest = b""

    def any(self):
        self.fail()
        return len(self.typed) - self.at

    def readinto(self, buffer):
        self.fail()
        self.reads += 1
        if not self.is_kind and not self.chance.below(40):
            return None
        buffer[0] = self.typed[self.at]
        self.at += 1
        return 1

    def write(self, buffer):
        self.fail()
        self.writes += 1
        if self.is_kind:
            self.latest += bytes(buffer)
            return len(buffer)
        return (len(buffer), 0, None, self.chance.below(len(buffer) + 1), len(buffer), 1)[self.chance.below(6)]

    def fail(self):
        if not self.is_kind and not self.chance.below(50):
            self.refused += 1
            raise OSError(5)


def a_line(chance):
    """Return what is typed: a command, keys, noise, or a flood."""
    kind = chance.below(10)
    if kind < 5:
        words = [WORDS[chance.below(len(WORDS))] for _ in range(1 + chance.below(2))] + ([b"json"] if chance.below(3) == 0 else [])
        return b" ".join(words) + (b"\r", b"\n", b"\r\n")[chance.below(3)]
    if kind < 7:
        return b"".join(
            [NOISE[chance.below(len(NOISE))] + WORDS[chance.below(len(WORDS))][: chance.below(4)] for _ in range(chance.below(12))]
        )
    if kind < 9:
        return bytes([chance.below(256) for _ in range(chance.below(50))])
    return NOISE[chance.below(len(NOISE))] * (1 + chance.below(300))


def poll(console, line):
    reads, writes = line.reads, line.writes
    console.poll()
    if line.reads - reads > MOST or line.writes - writes > WRITES:
        raise AssertionError("a poll read %d bytes, and wrote %d times" % (line.reads - reads, line.writes - writes))


def check(console, line, ticks, node):
    """Ask for a probe on a line that works, and compare the answer."""
    line.is_kind = True
    ticks[0] += 3000
    node.poll()
    for typed in (b"", b"q", b"\x15\r", b"probe json\r"):
        console.interrupts = 0
        line.latest = b""
        line.typed = typed
        line.at = 0
        for _ in range(400):
            poll(console, line)
    start = b'probe json\r\n{"faction": "probe", "id": 0, "name": null, "state": %d, ' % node.machine.state
    if not line.latest.startswith(start) or not line.latest.endswith(b"}\r\nfaction> "):
        raise AssertionError(line.latest)
    line.is_kind = False


def fuzz(seed, lines):
    """Type so many lines; return (lines, polls, bytes read, writes, refusals, how often a program would have ended)."""
    chance = Chance(seed)
    line = Line(chance)
    ticks = [0]
    config = Config(0, PEERS, 3)
    journal = Journal(config, 3)
    node = Node(config, Air(), "fuzz", 100000, clock=Clock(lambda: ticks[0]), seed=seed, observer=journal)
    journal.follow(node)
    console = Console(node, line, journal, is_control_allowed=True)
    polls = ended = 0
    for number in range(lines):
        line.typed = line.typed[line.at :][:500] + a_line(chance)
        line.at = 0
        for _ in range(chance.below(12)):
            polls += 1
            ticks[0] += chance.below(40)
            node.poll()
            if not chance.below(30):
                console.interrupt()
            poll(console, line)
        if console.interrupts >= 3:  # here a program would end
            ended += 1
            console.interrupts = 0
        if number % 500 == 499:
            check(console, line, ticks, node)
    check(console, line, ticks, node)
    return lines, polls, line.reads, line.writes, line.refused, ended


if __name__ == "__main__":
    print(*fuzz(int(sys.argv[1]), int(sys.argv[2])))
