"""Frames of every kind into a node: fuzz.py SEED COUNT [key | line], on CPython or MicroPython.

Nothing may raise, and nothing but a whole frame of a member may change what the node knows. Without a key the heap is locked
while the node works, and which frames are whole is decided here, not by the code under test. With a key, only what a member
has made since our run began may change it, even if somebody with the key has changed it; after that, older frames of the same
run of that member, too. With "line" the frames come over a serial line, with noise between them. Prints how many frames of
which verdict there were.
"""

import sys
from binascii import crc32

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import RESTART, Node
from faction.transports.uart import UART, Framer
from faction.wire import READY, Checksum, Wire

try:
    from micropython import heap_lock, heap_unlock
except ImportError:  # CPython
    heap_lock = heap_unlock = None

PEERS = (0, 1, 2, 70000)
QUORUM = 3
OTHER_PEERS = (0, 1, 5)
CLUSTER = "fuzz"
SECRET = b"the secret of the fuzzed cluster"
RUN = 64  # frames between two runs of the node
KEPT = 40  # frames of earlier runs

# Where the fields of a frame are, and what is at the limits of a field.
FIELDS = (4, 8, 12, 16, 20, 24, 28, 32)
LIMITS = (
    b"\0\0\0\0",
    b"\0\0\0\1",
    b"\0\0\x7f\xff",
    b"\x1f\xff\xff\xff",
    b"\x20\0\0\0",
    b"\x20\0\0\1",
    b"\x3f\xff\x80\0",
    b"\x3f\xff\xff\xff",
    b"\x40\0\0\0",
    b"\xff\xff\xff\xff",
)
WORDS = (b"\0\0", b"\0\1", b"\x7f\xfe", b"\x7f\xff", b"\x80\0", b"\x80\1", b"\xff\xfe", b"\xff\xff")


# Whose frame it is
FOREIGN = 0  # not that of a member, or damaged
OLD = 1  # a member made it before our run began
LIVE = 2


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

    def bytes(self, count):
        return bytes([self(256) for _ in range(count)])

    def one_of(self, values):
        return values[self(len(values))]


class Feed:
    """A transport on which one frame waits. It keeps what was sent last. Allocates nothing."""

    def __init__(self):
        self.frame = None
        self.length = 0  # of what was sent
        self._sent = bytearray(250)

    def send(self, buffer, length):
        self.length = length
        for i in range(length):
            self._sent[i] = buffer[i]

    def receive(self, buffer):
        if self.frame is None:
            return -1
        length = min(len(self.frame), len(buffer))
        for i in range(length):
            buffer[i] = self.frame[i]
        self.frame = None
        return length

    def sent(self):
        """Return what was sent since the last call, or None."""
        length = self.length
        self.length = 0
        return bytes(self._sent[:length]) if length else None


class Line:
    """A stream of bytes. Allocates nothing while it is read."""

    def __init__(self):
        self._bytes = b""
        self._next = 0

    def put(self, data):
        self._bytes = data
        self._next = 0

    def any(self):
        return len(self._bytes) - self._next

    def readinto(self, buffer):
        count = min(len(buffer), len(self._bytes) - self._next)
        for i in range(count):
            buffer[i] = self._bytes[self._next + i]
        self._next += count
        return count

    def write(self, data):
        return len(data)


class Member:
    """A shipped node that says what a member says. Its clock is fast, so that it has something to say."""

    def __init__(self, chance, peer_id, seal, peers=PEERS, quorum=QUORUM, cluster=CLUSTER):
        self._chance = chance
        self._feed = Feed()
        self._ms = [0]
        clock = Clock(lambda: self._ms[0])
        config = Config(peer_id, peers, quorum)
        seed = 1 + chance(0x3FFFFFF0)
        self._node = Node(config, self._feed, cluster, 600000, clock=clock, seal=seal, seed=seed)

    def frame(self, heard):
        """Return its next frame, after it has heard this one, if there is one."""
        self._feed.frame = heard
        if not self._chance(32):
            self._node.restart()
        for _ in range(20):
            if not self._chance(8):
                self._node.complete()
            else:
                self._node.poll()
            self._ms[0] = self._ms[0] + 100 + self._chance(500) & 0x3FFFFFFF
            said = self._feed.sent()
            if said:
                return bytearray(said)
        self._node.restart()  # it has concluded, and nobody asks
        return self.frame(None)


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


def sealed(frame, seal):
    """Return the frame with the seal that its other bytes ask for."""
    end = len(frame) - seal.size
    if end > 0:
        seal.sign(frame, end, memoryview(frame)[:end])
    return frame


class Source:
    """Where the frames come from. ``next`` returns one, and whose it is."""

    def __init__(self, chance, seal):
        self._chance = chance
        self._seal = seal
        self._members = [Member(chance, peer_id, seal) for peer_id in PEERS[1:]]
        self._others = [
            Member(chance, 0, seal),  # somebody with our id
            Member(chance, 1, seal, cluster="other"),
            Member(chance, 2, seal, quorum=2),
            Member(chance, 5, seal, peers=OTHER_PEERS),
            Member(chance, 1, Key(b"the secret of somebody else", 4)),
            Member(chance, 1, Checksum() if isinstance(seal, Key) else Key(SECRET, 4)),
        ]
        self._wires = {}
        self._dead = []  # frames of earlier runs of ours
        self._live = []  # and of this one
        self._ours = bytearray()  # what we have sent last

    def begin(self):
        """Begin a run of ours."""
        self._dead = (self._live + self._dead)[:KEPT]
        self._live = []

    def hear(self, ours):
        """Let the members hear what we have sent."""
        self._ours = bytearray(ours)
        for member in self._members:
            self._live.append(member.frame(ours))

    def next(self):
        chance = self._chance
        kind = chance(16)
        if kind == 0:
            return bytearray(chance.bytes(chance(260))), FOREIGN
        if kind == 1:
            return bytearray(b"\xfa\xc7\x02" + chance.bytes(chance(60))), FOREIGN
        if kind == 2:
            return bytearray(self._ours), FOREIGN
        if kind == 3:
            return chance.one_of(self._others).frame(self._ours if self._ours and chance(2) else None), FOREIGN
        if kind == 4 and self._dead:
            return bytearray(chance.one_of(self._dead)), OLD
        if kind == 5 and self._dead:
            return self._changed(bytearray(chance.one_of(self._dead))), OLD
        if kind < 9 and self._live:
            frame = bytearray(chance.one_of(self._live))
        elif isinstance(self._seal, Key) or kind < 11:
            frame = chance.one_of(self._members).frame(self._ours if self._ours and chance(2) else None)
            self._live.append(frame)
            frame = bytearray(frame)
        else:
            frame = self._any()
        kind = chance(4)
        if kind == 0:
            before = bytes(frame)
            frame = self._damaged(frame)
            return frame, LIVE if bytes(frame) == before else FOREIGN
        return (frame if kind == 1 else self._changed(frame)), LIVE

    def _any(self):
        """Return a frame of a member, of a stranger, or of a node that expects something else, with any fields."""
        chance = self._chance
        peers = PEERS if chance(8) else OTHER_PEERS
        peer_id, quorum = chance.one_of(peers), QUORUM if chance(4) else 1 + chance(3)
        wire = self._wire(peers, peer_id, quorum, CLUSTER if chance(8) else "other", 42 + chance(2 * len(peers)))
        wire.flags = chance(256)
        wire.nonce = 1 + chance(1 << chance(30))
        wire.sequence = chance(1 << chance(30))
        wire.start = chance(1 << chance(30)) if chance(2) else 0
        wire.run_age = chance(1 << chance(16))
        wire.question_age = chance(1 << chance(16))
        wire.first = chance(len(peers) + 1 - wire.room) if chance(8) else chance(1 << 18)  # or beyond the roster
        wire.unit = chance(16) if chance(2) else 0
        for i in range(wire.room):
            wire.outbox[36 + 2 * i] = chance(256) if chance(2) else chance(2) << 7
            wire.outbox[37 + 2 * i] = chance(256) if chance(2) else chance(64)
        wire.encode()
        return bytearray(wire.outbox)

    def _wire(self, peers, *others):
        """Return a wire for such a member; one of each kind is made."""
        peer_id, quorum, cluster, length = others
        kind = (len(peers),) + others
        if kind not in self._wires:
            self._wires[kind] = Wire(Config(peer_id, peers, quorum), cluster, self._seal, length)
        return self._wires[kind]

    def _changed(self, frame):
        """Return a frame with fields at their limits, of another version, or with any byte, and with the right seal."""
        chance = self._chance
        for _ in range(1 + chance(3)):
            kind = chance(6)
            at = chance.one_of(FIELDS)
            if kind < 2:
                frame[at : at + 4] = chance.one_of(LIMITS)
            elif kind == 2:
                at = 36 + 2 * chance(4)
                frame[at : at + 2] = chance.one_of(WORDS)
            elif kind == 3:
                frame[chance(len(frame) - self._seal.size)] = chance(256)
            elif kind == 4:
                frame[32:36] = self._window(frame)
            elif not chance(4):
                frame[2] = chance(256)
            else:
                frame[12:16] = chance.one_of((b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\5", b"\0\1\x11\x70"))
        return sealed(frame, self._seal)

    def _window(self, frame):
        """Return a window that is about as long as that of the frame."""
        count = max(0, (number(frame, 32) >> 4 & 0xFF) + self._chance.one_of((0, 0, 0, -1, 1)))
        first = self._chance.one_of((0, 0, 1, 2, 5, 0x3FFFF))
        return bytes([first >> 12 & 0x3F, first >> 4 & 0xFF, (first << 4 | count >> 4) & 0xFF, (count << 4 | self._chance(16)) & 0xFF])

    def _damaged(self, frame):
        chance = self._chance
        for _ in range(1 + chance(3)):
            kind = chance(6)
            at = chance(len(frame)) if frame else 0
            if kind == 0 and frame:
                frame[at] ^= 1 << chance(8)
            elif kind == 1 and frame:
                frame[at] = chance(256)
            elif kind == 2:
                frame = frame[:at]
            elif kind == 3:
                frame = frame + chance.bytes(chance(12))
            elif kind == 4:
                frame = frame[:at] + chance.bytes(1) + frame[at:]
            else:
                frame = frame[:at] + frame[at + 1 :]
        return frame


class Noise:
    """Makes what goes over a serial line of frames: with noise before them, and with damage."""

    def __init__(self, chance):
        self._chance = chance
        self._framer = Framer()

    def line(self, frame):
        """Return the bytes for a frame, and whether the frame must come through."""
        chance = self._chance
        frame = frame[:250]
        length = self._framer.encode(frame, len(frame))
        data = bytearray(self._framer.encoded[:length])
        is_whole = chance(3) > 0
        if not is_whole:
            at = chance(length)
            kind = chance(5)
            if kind == 0:
                data[at] ^= 1 << chance(8)
            elif kind == 1:
                data = data[:at] + data[at + 1 :]
            elif kind == 2:
                data = data[:at] + chance.bytes(1 + chance(3)) + data[at:]
            elif kind == 3:
                data = data[:at]
            else:
                data = data[:at] + data
        if not chance(3):
            data = bytearray([chance(256) for _ in range(chance(30))]) + data
        return data, is_whole


def knowledge(node):
    machine = node.machine
    return machine.state, machine.pinging.count, list(machine.collecting), bytes(node.peers.restarts), list(node.missing()[0])


def lock(is_wanted):
    """Lock the heap, where that is possible."""
    if is_wanted and heap_lock is not None:
        heap_lock()


def unlock(is_wanted):
    if is_wanted and heap_lock is not None:
        heap_unlock()


def poll(node, is_locked):
    """Poll a node, with the heap locked."""
    lock(is_locked)
    try:
        node.poll()
    finally:
        unlock(is_locked)


def complain(frame, text, *values):
    raise AssertionError(text % values + ": " + repr(bytes(frame)))


class Fuzz:
    """A node that is fed."""

    def __init__(self, seed, mode):
        self._chance = Chance(seed)
        seal = Key(SECRET, 4) if mode == "key" else Checksum()
        self._is_keyed = mode == "key"
        self._feed = Feed()
        self._line = Line() if mode == "line" else None
        self._ticks = ticks = [0]
        transport = UART(self._line) if self._line else self._feed
        self.node = Node(Config(0, PEERS, QUORUM), transport, CLUSTER, 100000, clock=Clock(lambda: ticks[0]), seal=seal, seed=seed)
        self._model = bytes(self.node.wire.outbox)
        if self._line:
            transport.send(self.node.wire.outbox, self.node.wire.length)  # the first frame of a length takes memory
        self._source = Source(self._chance, seal)
        self._noise = Noise(self._chance)
        self._pending = []  # frames whose end, a zero byte, the line may still hold back
        self._ended = 0  # how many of them have ended
        self._begin = 0
        self._proven = set()  # the runs of members that are alive: their ids and nonces
        self._known = None  # what the node knows

    def begin(self, is_complete):
        """Begin another run of the node."""
        self._source.begin()
        self._proven = set()
        self._begin = self._ticks[0]
        lock(not self._is_keyed)
        try:
            self.node.restart()
            self.node.poll()
            if is_complete:
                self.node.complete()
        finally:
            unlock(not self._is_keyed)
        self._known = knowledge(self.node)

    def step(self):
        """Feed one frame, and check what came of it."""
        frame, whose = self._source.next()
        run = bytes(frame[12:20])
        if whose == LIVE:
            self._proven.add(run)
        self._ticks[0] += self._chance(8)
        before = self._known
        if self._line:
            self._feed_line(frame)
        else:
            self._feed.frame = frame
            poll(self.node, not self._is_keyed)
            ours = self._feed.sent()
            if ours:
                self._source.hear(ours)
        after = self._known = knowledge(self.node)
        if after != before:
            self._check(frame, whose != FOREIGN and run in self._proven, before, after)

    def _feed_line(self, frame):
        data, must_come = self._noise.line(frame)
        self._pending = self._pending[self._ended :] + [frame]
        self._ended = len(self._pending) - 1 if any(byte == 0 for byte in data) else 0
        self._line.put(data)
        heard = sum(self.node.counters[:RESTART])
        for _ in range(3):
            poll(self.node, True)
        if self._line.any():
            complain(frame, "not all of the line was read")
        if must_come and sum(self.node.counters[:RESTART]) == heard:
            complain(frame, "lost on the line %s", bytes(data))

    def _check(self, frame, is_proven, before, after):
        """Check that a frame may change what the node knows, and says what the node counts."""
        believed = [frame] if is_proven and self._is_keyed else []
        if not self._is_keyed:
            believed = [each for each in self._pending or [frame] if is_whole(each, self._model)]
        if not believed:
            complain(frame, "it changed %s to %s", before, after)
        claimed = [peer_id for each in believed for peer_id in claims(each, self._ticks[0] - self._begin)]
        for peer_id in after[2]:
            if peer_id not in before[2] and peer_id not in claimed:
                complain(frame, "counts %d, claimed are %s", peer_id, claimed)


def main(words):
    """Run the fuzzer, and return the exit code."""
    seed, count, mode = int(words[0]), int(words[1]), words[2] if len(words) > 2 else ""
    fuzz = Fuzz(seed, mode)
    for i in range(count):
        if i % RUN == 0:
            fuzz.begin(i % (2 * RUN) > 0)
        fuzz.step()
    counts = list(fuzz.node.counters[:RESTART])
    if mode != "line" and sum(counts) != count:
        raise AssertionError("%d frames in, %d counted" % (count, sum(counts)))
    print(" ".join([str(each) for each in counts]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
