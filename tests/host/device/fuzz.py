"""Random and mutated frames into a node: fuzz.py SEED COUNT [key], on CPython or MicroPython.

Nothing may raise, and nothing but a whole frame of a member may change what the node knows. Which frames are whole is
decided here, not by the code under test. Prints how many frames of which verdict there were.
"""

import sys

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import RESTART, Node
from faction.wire import Checksum, Wire

PEERS = (0, 1, 2, 70000)
SECRET = b"the secret of the fuzzed cluster"


class Chance:
    """xorshift with 30 bits: the same on every port, without big ints."""

    def __init__(self, seed):
        self._state = seed

    def __call__(self, limit):
        x = self._state
        x ^= (x & 0x7FFFFF) << 7
        x ^= x >> 9
        x ^= (x & 0xFFFFF) << 10
        self._state = x
        return x % limit


class Feed:
    """A transport on which one frame waits."""

    frame = None

    def send(self, buffer, length):
        pass

    def receive(self, buffer):
        if self.frame is None:
            return -1
        length = min(len(self.frame), len(buffer))
        for i in range(length):
            buffer[i] = self.frame[i]
        self.frame = None
        return length


def bitwise_crc(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc ^ 0xFFFF


def number(data, at):
    return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]


def is_whole(frame, model):
    """Tell whether a frame is one that a member could have sent, by the layout in faction/wire.py."""
    return (
        len(frame) == 26
        and frame[:3] == model[:3]
        and frame[4:12] == model[4:12]
        and number(frame, 12) in PEERS
        and 0 < number(frame, 16) < 1 << 30
        and number(frame, 20) < 1 << 30
        and bitwise_crc(frame[:24]) == frame[24] << 8 | frame[25]
    )


def genuine(chance, seal, quoted):
    """Return a frame of a member, of a stranger, or of a node that expects something else."""
    peers = PEERS if chance(8) else (1, 2, 5)
    wire = Wire(Config(peers[chance(len(peers))], peers, 1 + chance(3)), "fuzz" if chance(8) else "other", seal)
    buffer = bytearray(wire.length)
    if len(wire.quotes):
        wire.quotes[0] = quoted
    wire.encode(buffer, chance(256), 1 + chance(1 << chance(30)), chance(1 << chance(30)))
    return buffer


def mutated(frame, chance):
    for _ in range(1 + chance(3)):
        kind = chance(5)
        at = chance(len(frame)) if frame else 0
        if kind == 0 and frame:
            frame[at] ^= 1 << chance(8)
        elif kind == 1 and frame:
            frame[at] = chance(256)
        elif kind == 2:
            frame = frame[:at]
        elif kind == 3:
            frame = frame + bytes([chance(256) for _ in range(chance(12))])
        else:
            frame = frame[:at] + frame[at + 1 :]
    return frame


def any_frame(chance, seal, nonce):
    """Return (frame, whether it is one that was sent to us as it is)."""
    kind = chance(10)
    if kind < 2:
        return bytearray([chance(256) for _ in range(chance(260))]), False
    if kind == 2:
        return bytearray(b"\xfa\xc7" + bytes([chance(256) for _ in range(chance(60))])), False
    quoted = nonce if chance(4) else 1 + chance(1000)
    frame = genuine(chance, seal, quoted)
    if kind < 6:
        before = bytes(frame)
        frame = mutated(frame, chance)
        return frame, bytes(frame) == before and quoted == nonce
    if kind < 8 and not isinstance(seal, Key):  # what anybody can make who knows the format
        frame[chance(24)] = chance(256)
        seal.sign(frame, 24)
    return frame, quoted == nonce


def knowledge(node):
    machine = node.machine
    return machine.state, machine.pinging.count, machine.collecting.count, tuple(node.missing()[0])


def fuzz(seed, count, seal):
    """Feed count frames to a node, which starts again after every 64; return its counters."""
    chance = Chance(seed)
    feed = Feed()
    node = Node(Config(0, PEERS, 3), feed, "fuzz", 1000, clock=Clock(lambda: 0), seal=seal, seed=seed)
    model = bytearray(26)
    Wire(Config(0, PEERS, 3), "fuzz", Checksum()).encode(model, 0, 1, 1)
    keyed = isinstance(seal, Key)
    for i in range(count):
        if i % 64 == 0:
            node.restart()
            if i % 128:
                node.complete()
        frame, is_genuine = any_frame(chance, seal, node.nonce)
        before = knowledge(node)
        feed.frame = frame
        node.poll()
        may_count = is_genuine if keyed else is_whole(frame, model)
        if not may_count and knowledge(node) != before:
            raise AssertionError("%s changed %s to %s" % (bytes(frame), before, knowledge(node)))
    return list(node.counters[:RESTART])


def main(seed, count, keyed):
    counts = fuzz(seed, count, Key(SECRET, 4) if keyed else Checksum())
    if sum(counts) != count:
        raise AssertionError("%d frames in, %d counted" % (count, sum(counts)))
    print(" ".join([str(each) for each in counts]))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["key"])
