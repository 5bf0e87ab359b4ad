"""Frames of every kind into a node: fuzz.py MODE COUNT FILE [SEED], on CPython or MicroPython. MODE: plain, key or line.

Nothing may raise, and nothing but a whole frame of a member may change what the node knows. Without a key the heap is locked
while the node works, and which frames are whole is decided here, not by the code under test. With a key, only what a member
has made since our run began may change it, even if somebody with the key has changed it; after that, older frames of the same
run of that member, too. With "line" the frames come over a serial line, with noise between them. Prints how many frames of
which verdict there were.

With a seed, on CPython, the frames are drawn, and written to the file: see fuzz_frames.py. Without one they come from the file.
Then the node must say and know the same, run by run, as the one that they were drawn for.
"""

import sys
from binascii import crc32
from struct import unpack

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import RESTART, SENT, Node
from faction.transports.uart import UART
from faction.wire import READY, Checksum

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

# Whose frame it is
FOREIGN = 0  # not that of a member, or damaged
OLD = 1  # a member made it before our run began
LIVE = 2

# A step in the file: whose frame, whether it must come through, the ms before it, the bytes of the frame, those on the line
STEP = "<BBBHH"
STEP_BYTES = 7


class Recorded:
    """Frames from a file."""

    def __init__(self, file):
        self._file = file

    def begin(self, trace):
        """Begin a run of the node. trace: a check of all that it has said and known."""
        if self._file.read(4) != trace:
            raise AssertionError("the node said or knew something else than the one for which the frames were drawn")

    def next(self):
        """Return whose frame comes, the ms before it, the frame, its bytes on the line, and whether it must come through there."""
        read = self._file.read
        whose, must_come, ms, length, on_line = unpack(STEP, read(STEP_BYTES))
        return whose, ms, read(length), read(on_line), must_come

    def hear(self, ours):
        """Take no notice of what the node says: begin does."""


class Feed:
    """A transport on which one frame waits, in the hands of the node already. Allocates nothing while it is used."""

    def __init__(self):
        self._length = -1

    def put(self, node, frame):
        inbox = node.wire.inbox
        self._length = length = min(len(frame), len(inbox))
        inbox[:length] = frame[:length]

    def send(self, buffer, length):
        pass

    def receive(self, buffer):
        length = self._length
        self._length = -1
        return length


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


READY_BITS = 2  # their place in what knowledge returns


def knowledge(node):
    """Return what the node knows: its state, how many take part, who is ready, who restarted how often, and who was heard of."""
    machine = node.machine
    peers = node.peers
    start = peers.start
    known = [at >= start for at in peers.said]
    known[0] = False  # that is we
    return bytes([machine.state, machine.pinging.count, machine.collecting._bits[0]]) + bytes(peers.restarts) + bytes(known)


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
    """A node that is fed from a source: Recorded, or what has the same methods. file: where that one reads or writes."""

    def __init__(self, mode, file, seed):
        self._is_keyed = mode == "key"
        self._seal = Key(SECRET, 4) if self._is_keyed else Checksum()
        self._feed = Feed()
        self._line = Line() if mode == "line" else None
        self._ticks = ticks = [0]
        transport = UART(self._line) if self._line else self._feed
        config = Config(0, PEERS, QUORUM)
        self.node = Node(config, transport, CLUSTER, 100000, clock=Clock(lambda: ticks[0]), seal=self._seal, seed=1)
        self._model = bytes(self.node.wire.outbox)
        if self._line:
            transport.send(self.node.wire.outbox, self.node.wire.length)  # the first frame of a length takes memory
        self._source = self._source_of(file, seed)
        self._pending = []  # frames whose end, a zero byte, the line may still hold back
        self._ended = 0  # how many of them have ended
        self._begin = 0
        self._proven = set()  # the runs of members that are alive: their ids and nonces
        self._known = None  # what the node knows
        self._sent = 0  # frames
        self._trace = 0

    def _source_of(self, file, seed):
        if seed is None:
            return Recorded(file)
        from fuzz_frames import Drawn

        return Drawn(seed, file, self._seal, self._line is not None)

    def begin(self, is_complete):
        """Begin another run of the node."""
        counts = [count & 0xFF for count in self.node.counters]
        self._trace = crc32(bytes(counts), self._trace)
        self._source.begin(self._trace.to_bytes(4, "little"))
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
        whose, ms, frame, on_line, must_come = self._source.next()
        self._ticks[0] += ms
        run = None
        if self._is_keyed:
            run = frame[12:20]
            if whose == LIVE:
                self._proven.add(run)
        if self._line:
            self._feed_line(frame, on_line, must_come)
        else:
            self._feed.put(self.node, frame)
            poll(self.node, not self._is_keyed)
        if self.node.counters[SENT] != self._sent:
            self._hear()
        after = knowledge(self.node)
        if after != self._known:
            self._trace = crc32(after, self._trace)
            self._check(frame, whose != FOREIGN and run in self._proven, self._known, after)
            self._known = after

    def _hear(self):
        """Take note of what the node has said."""
        self._sent = self.node.counters[SENT]
        ours = bytes(self.node.wire.outbox)
        self._trace = crc32(ours, self._trace)
        self._source.hear(ours)

    def _feed_line(self, frame, on_line, must_come):
        self._pending = self._pending[self._ended :] + [frame]
        self._ended = len(self._pending) - 1 if b"\0" in on_line else 0
        self._line.put(on_line)
        heard = sum(self.node.counters[:RESTART])
        for _ in range(3):
            poll(self.node, True)
            if not self._line.any():
                break
        else:
            complain(frame, "not all of the line was read")
        if must_come and sum(self.node.counters[:RESTART]) == heard:
            complain(frame, "lost on the line %s", on_line)

    def _check(self, frame, is_proven, before, after):
        """Check that a frame may change what the node knows, and says what the node counts."""
        believed = [frame] if is_proven and self._is_keyed else []
        if not self._is_keyed:
            believed = [each for each in self._pending or [frame] if is_whole(each, self._model)]
        if not believed:
            complain(frame, "it changed %s to %s", list(before), list(after))
        claimed = [peer_id for each in believed for peer_id in claims(each, self._ticks[0] - self._begin)]
        counted = after[READY_BITS] & ~before[READY_BITS]
        for i in range(len(PEERS)):
            if counted >> i & 1 and PEERS[i] not in claimed:
                complain(frame, "counts %d, claimed are %s", PEERS[i], claimed)


def main(words):
    """Run the fuzzer, and return the exit code."""
    mode, count, path, seed = words[0], int(words[1]), words[2], int(words[3]) if len(words) > 3 else None
    with open(path, "rb" if seed is None else "wb") as file:
        fuzz = Fuzz(mode, file, seed)
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
