"""On MicroPython: what a poll of a node costs, by what it finds or does.

    micropython poll.py ROUNDS

Prints JSON: {what: a list of times in ns, one for each round}. A time is that of one poll with the reading of the time around it;
"reading" is that of the reading alone. "call" is an empty method call with two arguments in a loop, "loop" is that of the loop alone.
The kinds take turns in each round. Compare the least times only: other programs add to all of them, and take from none.

The node is one of twenty that wait for the last one of them, so each frame has twenty statements. The node knows all that they
say. All costs of a poll count: the reading of the clock, the double of a transport, and what the poll does after the frame.
"""

import json
import sys
import time

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import SENT, Node
from faction.wire import Checksum

_PEERS = 20
_POLLS = 30  # of each kind in a round
_CALLS = 1000
_MS = 10  # between two polls of the cluster
_BEGUN_MS = 20000
_SECRET = b"a secret that nobody else knows"


class Empty:
    def call(self, command, peer_id):
        pass


class Air:
    """A transport: what comes in is in the inbox of its node already, and has this length. It keeps what goes out."""

    def __init__(self):
        self.length = -1
        self.sent = 0

    def send(self, buffer, length):
        self.sent = length

    def receive(self, buffer):
        length = self.length
        self.length = -1
        return length


class Cluster:
    """Twenty nodes that hear each other. All of them but the last one are ready.

    After that time stands still, but for the kinds of polls that need a later one.
    """

    def __init__(self, seal):
        self.ms = 0
        self.nodes = [self._node(i, seal) for i in range(_PEERS)]
        self._run()
        for node in self.nodes[:-1]:
            node.complete()
        self._run()
        self.heard, self.speaker = self.nodes[0], self.nodes[1]
        assert list(self.heard.machine.collecting) == list(range(_PEERS - 1))

    def _node(self, i, seal):
        config = Config(i, range(_PEERS), _PEERS)
        return Node(config, Air(), "speed", 1 << 28, seal=seal, clock=Clock(self._now), seed=i + 1, presence_ms=0)

    def _now(self):
        return self.ms

    def _run(self):
        for _ in range(_BEGUN_MS // _MS):
            self.ms += _MS
            for node in self.nodes:
                node.poll()
                self._carry(node)

    def _carry(self, node):
        if node.transport.sent:
            node.transport.sent = 0
            frame = bytes(node.wire.outbox)
            for other in self.nodes:
                if other is not node:
                    put(other, frame)
                    other.poll()

    def frame(self):
        """Return the next frame of the speaker."""
        self.speaker._write()
        return bytes(self.speaker.wire.outbox)

    def idle(self, counted):
        return polled(self.heard)

    def later(self, counted):
        """Return the time of a poll that finds nothing, and is the first one in its ms."""
        while self.heard.idle_ms() < 2:  # what is due now or in the next ms is another kind of poll
            self.ms += 1
            self.heard.poll()
        self.ms += 1
        return polled(self.heard)

    def beacon(self, counted):
        """Return the time of a poll that takes in a frame with a new sequence, which says nothing new."""
        put(self.heard, self.frame())
        found = polled(self.heard)
        assert self.heard.counters[0] == counted[0] + 1, self.heard.counters
        return found

    def renewed(self, counted):
        """Return the time of a poll that takes in a frame that says the same as before of each peer, only later."""
        self.ms += _MS
        for node in (self.heard, self.speaker):
            node.poll()
        for i in range(_PEERS - 1):
            self.speaker.peers.said[i] = self.speaker.peers.now
        found = self.beacon(counted)
        assert self.heard.peers.said[:-1] == [self.heard.peers.now] * (_PEERS - 1)
        return found

    def corrupt(self, counted):
        """Return the time of a poll that takes in a frame of which one bit is wrong."""
        frame = bytearray(self.frame())
        frame[50] ^= 1
        put(self.heard, frame)
        found = polled(self.heard)
        assert self.heard.counters[2] == counted[2] + 1, self.heard.counters
        return found

    def sending(self, counted):
        """Return the time of a poll that sends a frame."""
        while True:
            self.ms += max(1, self.heard.idle_ms())
            found = polled(self.heard)
            if self.heard.counters[SENT] > counted[SENT]:
                return found


def put(node, frame):
    node.wire.inbox[: len(frame)] = frame
    node.transport.length = len(frame)


def polled(node):
    start = time.time_ns()
    node.poll()
    return time.time_ns() - start


def mean(call, heard):
    """Return the mean time of some polls."""
    total = 0
    for _ in range(_POLLS):
        total += call(list(heard.counters))
    return total / _POLLS


def reading(counted):
    start = time.time_ns()
    return time.time_ns() - start


def calls():
    """Return the times of an empty call in a loop, and of the loop alone."""
    target = Empty()
    numbers = range(_CALLS)
    start = time.time_ns()
    for _ in numbers:
        target.call(1, 2)
    middle = time.time_ns()
    for _ in numbers:
        pass
    return (middle - start) / _CALLS, (time.time_ns() - middle) / _CALLS


def main():
    plain, keyed = Cluster(Checksum()), Cluster(Key(_SECRET))
    waiting, sending, renewed = Cluster(Checksum()), Cluster(Checksum()), Cluster(Checksum())
    kinds = {
        "idle": (plain.idle, plain.heard),
        "later": (waiting.later, waiting.heard),
        "beacon": (plain.beacon, plain.heard),
        "corrupt": (plain.corrupt, plain.heard),
        "keyed": (keyed.beacon, keyed.heard),
        "sending": (sending.sending, sending.heard),
        "renewed": (renewed.renewed, renewed.heard),
        "reading": (reading, plain.heard),
    }
    found = {kind: [] for kind in kinds}
    found["call"], found["loop"] = [], []
    for _ in range(int(sys.argv[1])):
        call_ns, loop_ns = calls()
        found["call"].append(call_ns)
        found["loop"].append(loop_ns)
        for kind, (call, heard) in kinds.items():
            found[kind].append(mean(call, heard))
    json.dump(found, sys.stdout)  # piece by piece: there may be no 10 KB of heap in one piece


main()
