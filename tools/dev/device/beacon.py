"""On MicroPython: what a beacon costs a node of twenty peers, with a checksum and under a key, as multiples of an empty method call.

    micropython beacon.py ROUNDS

Prints JSON: lists of one ratio a round. A beacon is received, judged and taken in by a poll; its sequence is new, what it says is not.
"""

import json
import sys
import time

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import Node
from faction.wire import Checksum

_PEERS = 20
_FRAMES = 40  # that a node hears in a round: no more than one poll takes
_SECRET = b"a secret that nobody else knows"


class Empty:
    def call(self, command, peer_id):
        pass


class Air:
    """A transport with a list of frames, each of which is received once."""

    def __init__(self):
        self.frames = []
        self.sent = None

    def send(self, buffer, length):
        self.sent = bytes(buffer)

    def receive(self, buffer):
        if not self.frames:
            return -1
        frame = self.frames.pop()
        buffer[: len(frame)] = frame
        return len(frame)


class Pair:
    """Two nodes that have proved themselves to each other: the one speaks, the other one is measured."""

    def __init__(self, seal):
        self.ms = 0
        clock = Clock(lambda: self.ms)
        self.nodes = [Node(Config(i, range(_PEERS), _PEERS), Air(), "speed", 1 << 28, seal=seal, clock=clock, seed=i + 1) for i in (0, 1)]
        for _ in range(4000):
            self.ms += 10
            for node, other in (self.nodes, self.nodes[::-1]):
                node.poll()
                if node.transport.sent:
                    other.transport.frames.append(node.transport.sent)
                    node.transport.sent = None

    def frames(self):
        """Return frames that the first node sends, the latest first."""
        speaker = self.nodes[0]
        found = []
        for _ in range(_FRAMES):
            speaker._write()
            found.append(bytes(speaker.wire.outbox))
        return found[::-1]

    def hear(self):
        """Return the time that the second node takes for these frames, without that of as many polls that bring none."""
        node = self.nodes[1]
        counted = node.counters[0]
        node.poll()
        start = time.ticks_us()
        node.poll()
        idle_us = time.ticks_diff(time.ticks_us(), start)
        node.transport.frames = self.frames()
        start = time.ticks_us()
        node.poll()
        taken_us = time.ticks_diff(time.ticks_us(), start) - idle_us
        assert node.counters[0] == counted + _FRAMES, node.counters
        return taken_us / _FRAMES


def empty():
    target = Empty()
    numbers = range(2000)
    start = time.ticks_us()
    for _ in numbers:
        pass
    bare_us = time.ticks_diff(time.ticks_us(), start)
    start = time.ticks_us()
    for _ in numbers:
        target.call(1, 2)
    return (time.ticks_diff(time.ticks_us(), start) - bare_us) / len(numbers)


def main():
    pairs = {"checksum": Pair(Checksum()), "key": Pair(Key(_SECRET))}
    found = {"checksum": [], "key": [], "key / checksum": []}
    for _ in range(int(sys.argv[1])):
        cost = {kind: pair.hear() for kind, pair in pairs.items()}
        call_us = empty()
        for kind in cost:
            found[kind].append(cost[kind] / call_us)
        found["key / checksum"].append(cost["key"] / cost["checksum"])
    print(json.dumps(found))


main()
