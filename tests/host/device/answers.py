"""Every answer of a console about many peers, with little memory: answers.py PEERS FREE, on CPython or MicroPython.

PEERS: how many; FREE: the bytes of heap that are left beside the node, its journal and its console; 0: all. Prints the
answers. They do not depend on the interpreter, as clock and seed are given.
"""

import gc
import sys

from faction import Config
from faction.clock import Clock
from faction.console import Console
from faction.journal import Journal
from faction.node import Node

COMMANDS = ("probe", "peers", "missing", "admissible", "config", "stats", "journal", "watch", "restart", "expire", "help", "nonsense")


class Air:
    """A transport on which nothing comes."""

    def send(self, buffer, length):
        pass

    def receive(self, buffer):
        return -1

    def counts(self):
        return (("overflows", 0),)


class Line:
    """A stream on which a line is typed; what is written is printed. ``ended``: a prompt was written."""

    def __init__(self):
        self.typed = b""
        self.at = 0
        self.tail = bytearray(9)
        self.byte = bytearray(1)

    def any(self):
        return self.at < len(self.typed)

    def readinto(self, buffer):
        buffer[0] = self.typed[self.at]
        self.at += 1
        return 1

    def write(self, buffer):
        count = min(len(buffer), 50)  # a part, as a slow line does
        for i in range(count):
            for j in range(8):
                self.tail[j] = self.tail[j + 1]
            self.tail[8] = buffer[i]
            self.byte[0] = buffer[i]
            put(self.byte)
        return count


def put(buffer):
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(buffer)
    else:
        sys.stdout.write(chr(buffer[0]))


def setting(count):
    """Return a console about a node of many peers, some of whom are ready, and its line."""
    ticks = [0]
    config = Config(0, range(0, 7 * count, 7), count)
    journal = Journal(config, 8)
    node = Node(config, Air(), "many", 600000, clock=Clock(lambda: ticks[0]), seed=7, observer=journal)
    journal.follow(node)
    line = Line()
    console = Console(node, line, journal)
    node.poll()
    for i in range(0, count - 1, 2):
        node.machine.process(0, 7 * i)
        node.machine.process(1, 7 * i)
        ticks[0] += 1
    for _ in range(10):
        node.machine.process(0, 0)
    node.poll()
    node.complete()
    return console, line, ticks


def ask(console, line, ticks, command):
    """Type a command, and poll until the prompt; return how many polls that took."""
    line.typed = command.encode() + b"\r"
    line.at = 0
    line.tail[8] = 0
    for polls in range(100000):
        console.poll()
        if bytes(line.tail) == b"faction> ":
            put(b"\n")
            return polls
    raise ValueError("%s: no prompt" % command)


def fill(free):
    """Return objects that take all of the heap but so many bytes."""
    kept = None  # a chain: a list would need one large piece itself
    for size in (65536, 4096, 256, 32):
        gc.collect()
        try:
            while gc.mem_free() > free + 2 * size:
                kept = (kept, bytearray(size))
        except MemoryError:  # no hole is so large
            pass
    return kept


def main(count, free):
    console, line, ticks = setting(count)
    commands = [command + form for command in COMMANDS for form in ("", " json")]
    kept = fill(free) if free else None
    for command in commands:
        ask(console, line, ticks, command)
    return kept


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
