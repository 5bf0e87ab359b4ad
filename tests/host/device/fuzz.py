"""Random and mutated frames into a node: fuzz.py SEED COUNT [key], on CPython or MicroPython.

Nothing may raise, and nothing but a whole frame of a member may change what the node knows. Which frames are whole is
decided here, not by the code under test. Prints how many frames of which verdict there were.
"""

import sys
from binascii import crc32

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import RESTART, Node
from faction.wire import READY, Checksum, Wire

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


def number(data, at):
    return data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3]


def is_whole(frame, model):
    """Tell whether a frame is one that a member could have sent, by the layout in faction/wire.py."""
    if len(frame) < 40 or frame[:3] != model[:3] or frame[4:12] != model[4:12]:
        return False
    window = number(frame, 32)
    count = window >> 4 & 0xFF
    return (
        number(frame, 12) in PEERS
        and 0 < number(frame, 16) < 1 << 30
        and max(number(frame, 20), number(frame, 24), number(frame, 28), window) < 1 << 30
        and len(frame) == 40 + 2 * count
        and (window >> 12) + count <= len(PEERS)
        and crc32(frame[:-4]) == number(bytes(reversed(frame[-4:])), 0)
    )


def claims(frame, run_ms):
    """Return who is ready by a whole frame, if our run is so old; of ourselves it can say nothing."""
    window = number(frame, 32)
    ready = [number(frame, 12)] if frame[3] & READY else []
    for i in range(window >> 4 & 0xFF):
        word = frame[36 + 2 * i] << 8 | frame[37 + 2 * i]
        if word >= 0x8000 and word != 0xFFFF and (word & 0x7FFF) << (window & 15) <= run_ms:
            ready.append(PEERS[(window >> 12) + i])
    return [peer_id for peer_id in ready if peer_id]


def genuine(chance, seal, quoted):
    """Return a frame of a member, of a stranger, or of a node that expects something else."""
    peers = PEERS if chance(8) else (1, 2, 5)
    config = Config(peers[chance(len(peers))], peers, 3 if chance(4) else 1 + chance(3))
    least = 36 + 4 * seal.quotes_for(len(peers)) + seal.size
    wire = Wire(config, "fuzz" if chance(8) else "other", seal, least + 2 + chance(2 * len(peers)))
    if len(wire.quotes):
        wire.quotes[0] = quoted
    wire.flags = chance(256)
    wire.nonce = 1 + chance(1 << chance(30))
    wire.sequence = chance(1 << chance(30))
    wire.start = chance(1 << chance(31)) if chance(2) else 0
    wire.run_age = chance(1 << chance(16))
    wire.question_age = chance(1 << chance(16))
    wire.first = chance(len(peers) + 1 - wire.room) if chance(8) else chance(1 << 18)  # or beyond the roster
    wire.unit = chance(16) if chance(2) else 0
    for i in range(wire.room):
        wire.outbox[36 + 2 * i] = chance(256) if chance(2) else chance(2) << 7
        wire.outbox[37 + 2 * i] = chance(256) if chance(2) else chance(64)
    wire.encode()
    return bytearray(wire.outbox)


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
    """Return (frame, whether it is as it was sent, whether it quotes us)."""
    kind = chance(10)
    if kind < 2:
        return bytearray([chance(256) for _ in range(chance(260))]), False, False
    if kind == 2:
        return bytearray(b"\xfa\xc7\x02" + bytes([chance(256) for _ in range(chance(60))])), False, False
    quoted = nonce if chance(4) else 1 + chance(1000)
    frame = genuine(chance, seal, quoted)
    if kind < 6:
        before = bytes(frame)
        frame = mutated(frame, chance)
        return frame, bytes(frame) == before, quoted == nonce
    if kind < 8 and not isinstance(seal, Key):  # what anybody can make who knows the format
        end = len(frame) - seal.size
        frame[chance(end)] = chance(256)
        seal.sign(frame, end, memoryview(frame)[:end])
    return frame, True, quoted == nonce


def knowledge(node):
    machine = node.machine
    return machine.state, machine.pinging.count, list(machine.collecting), bytes(node.peers.restarts), list(node.missing()[0])


def fuzz(seed, count, seal):
    """Feed count frames to a node, which begins another run after every 64; return its counters."""
    chance = Chance(seed)
    feed = Feed()
    ticks = [0]
    node = Node(Config(0, PEERS, 3), feed, "fuzz", 100000, clock=Clock(lambda: ticks[0]), seal=seal, seed=seed)
    model = Wire(Config(0, PEERS, 3), "fuzz", Checksum()).outbox
    keyed = isinstance(seal, Key)
    for i in range(count):
        if i % 64 == 0:
            node.restart()
            node.poll()
            begin = ticks[0]
            if i % 128:
                node.complete()
            sent = []  # in this run
            proven = set()  # runs, by the sender and its nonce
            after = knowledge(node)
        if sent and not chance(16):
            frame, is_intact, is_quoting = sent[chance(len(sent))]  # a replay
        else:
            frame, is_intact, is_quoting = any_frame(chance, seal, node.nonce)
            sent.append((frame, is_intact, is_quoting))
        if keyed and is_intact and is_quoting:
            proven.add(bytes(frame[12:20]))
        ticks[0] += chance(8)
        before = after
        feed.frame = frame
        node.poll()
        after = knowledge(node)
        if after == before:
            continue
        if not (is_intact and bytes(frame[12:20]) in proven if keyed else is_whole(frame, model)):
            raise AssertionError("%s changed %s to %s" % (bytes(frame), before, after))
        counted = [peer_id for peer_id in after[2] if peer_id not in before[2]]
        claimed = claims(frame, ticks[0] - begin)
        if [peer_id for peer_id in counted if peer_id not in claimed]:
            raise AssertionError("%s counts %s, claims %s" % (bytes(frame), counted, claimed))
    return list(node.counters[:RESTART])


def main(seed, count, keyed):
    counts = fuzz(seed, count, Key(SECRET, 4) if keyed else Checksum())
    if sum(counts) != count:
        raise AssertionError("%d frames in, %d counted" % (count, sum(counts)))
    print(" ".join([str(each) for each in counts]))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["key"])
