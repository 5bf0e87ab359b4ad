"""The memory of a console that answers about a thousand peers, while its node is at work."""

import sys

from airs import quick_clock
from faction import READY_OBSERVED, Config
from faction.console import Console
from faction.journal import Journal
from faction.node import Node
from run import Skip
from test_console import Sink
from test_node_memory import node_in
from witness import left_behind, need_gauge

NOT_ON = ("micropython",)  # see tests/README.md

# Bytes, with all that the collector can take back at once; nearly all of it is words of the machine.
LITTLE = 4000 if sys.maxsize < 1 << 32 else 6000


def a_thousand_peers():
    """Return a console, its stream, and the commands for it. Half of a thousand peers are ready."""
    count = 1000
    config = Config(0, range(0, 7 * count, 7), count)
    journal = Journal(config, 8)
    _, small = node_in("initial")
    node = Node(config, small.transport, "many", 600000, clock=quick_clock(), seed=7, observer=journal)
    journal.follow(node)
    for i in range(count // 2):
        node.machine.process(READY_OBSERVED, 7 * i)
    sink = Sink(b"")
    commands = ("probe", "peers", "missing", "admissible", "config", "stats", "journal", "help")
    return Console(node, sink, journal), sink, [(command + form).encode() for command in commands for form in ("\r", " json\r")]


def is_busy(console):
    return console._answer is not None or console._unsent


def test_a_poll_takes_little_memory_for_an_answer_about_a_thousand_peers():
    need_gauge()
    console, sink, commands = a_thousand_peers()
    most = 0
    for sink.typed in commands:
        sink.at = 0
        console.poll()
        while is_busy(console):
            taken = left_behind(lambda a, b, c: console.poll(), 0, 0, 0)
            if taken > most:
                most = taken
    assert 100 < most < LITTLE, most


HOLE = 512  # bytes
HOLES = 32


def heap_of_holes():
    """Fill the heap, then free some holes in it; return what fills it. Skip the test where the heap grows."""
    full = None
    for size in (HOLE, 16):
        try:
            for _ in range(1 << 22 if size == 16 else 4000):
                full = [bytearray(size), full]
            raise Skip("the heap of this runtime grows")
        except MemoryError:
            pass
    link = full
    freed = 0
    while freed < HOLES:  # those of 16 bytes come first
        if len(link[0]) == HOLE:
            link[0] = b""
            link = link[1]  # so that two holes are not neighbours
            freed += 1
        link = link[1]
    return full


def test_answers_about_a_thousand_peers_take_no_large_piece_of_the_heap():
    need_gauge()
    console, sink, commands = a_thousand_peers()
    incomplete = []
    full = heap_of_holes()
    for sink.typed in commands:
        sink.at = sink.count = 0
        console.poll()
        while is_busy(console):
            console.poll()
        at = sink.count % 64
        if b"out of memory" in bytes(sink.latest[at:] + sink.latest[:at]):
            incomplete.append(sink.typed)
    full = None  # so that a failure can be told
    assert full is None and incomplete == [], incomplete
