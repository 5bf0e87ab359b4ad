"""Draws the frames of fuzz.py, on CPython: most are nearly right. Some answer what the node under test says.

Those of a member come from a shipped node.
"""

import random
from struct import pack

from fuzz import CLUSTER, FOREIGN, LIVE, OLD, OTHER_PEERS, PEERS, QUORUM, SECRET, STEP, Feed, number

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import SENT, Node
from faction.transports.uart import Framer
from faction.wire import Checksum, Wire

KEPT = 40  # frames of earlier runs
LONGEST_IDLE_MS = 600  # of a member between two polls

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


class Chance:
    """Draws numbers below a limit."""

    def __init__(self, seed):
        generator = random.Random(seed)
        self._random = generator.random
        self.bytes = generator.randbytes
        self.one_of = generator.choice

    def __call__(self, limit):
        return int(self._random() * limit)


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
        chance, node, ms = self._chance, self._node, self._ms
        if heard is not None:
            self._feed.put(node, heard)
        if not chance(32):
            node.restart()
        sent = node.counters[SENT]
        for _ in range(20):
            if not chance(8):
                node.complete()
            else:
                node.poll()
            ms[0] = ms[0] + min(node.idle_ms(), LONGEST_IDLE_MS) + 1 + chance(100) & 0x3FFFFFFF
            if node.counters[SENT] != sent:
                return bytes(node.wire.outbox)
        node.restart()  # it has concluded, and nobody asks
        return self.frame(None)


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
            data = chance.bytes(chance(30)) + data
        return data, is_whole


class Drawn:
    """Frames that are drawn, and written to a file, from which fuzz.Recorded reads them."""

    def __init__(self, seed, file, seal, has_line):
        self._chance = chance = Chance(seed)
        self._file = file
        self._source = Source(chance, seal)
        self._noise = Noise(chance) if has_line else None
        self.hear = self._source.hear if not has_line else lambda ours: None

    def begin(self, trace):
        self._file.write(trace)
        self._source.begin()

    def next(self):
        frame, whose = self._source.next()
        ms = self._chance(8)
        on_line, must_come = self._noise.line(frame) if self._noise else (b"", False)
        self._file.write(pack(STEP, whose, must_come, ms, len(frame), len(on_line)) + frame + on_line)
        return whose, ms, bytes(frame), bytes(on_line), must_come
