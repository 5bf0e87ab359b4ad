"""In steady state a node allocates nothing, whatever comes in: the heap lock and the counter of allocations watch it."""

import sys

from airs import Watcher
from faction import Config
from faction.node import Node
from faction.transports.loopback import Hub
from faction.transports.ring import Ring
from faction.wire import ASKING, CORRUPT, READY, Checksum, Wire, compute_crc
from frames import Speaker, decode, frame, sealed
from witness import HAS_COUNT, LOCKED_HEAP, need_count, need_lock, need_lock_or_count, watched

NOT_ON = ("micropython",)  # see tests/README.md


class Ticks:
    """A clock that each reading moves on, without an allocation."""

    def __init__(self, step):
        self.step = step
        self.ticks = 0

    def now(self):
        self.ticks = (self.ticks + self.step) & 0x3FFFFFFF
        return self.ticks

    def diff(self, later, earlier):
        return (later - earlier) & 0x3FFFFFFF


def test_the_witness_sees_an_allocation():
    need_lock_or_count()
    try:
        watched(lambda: bytearray(64))
    except (MemoryError, AssertionError):
        return
    raise ValueError("64 bytes were allocated, and nothing noticed")


# A damaged frame has another CRC-32, which may be a big int: see Checksum.verify. The heap lock lets that pass, the counter does not.
TAKES_BIG_INTS = HAS_COUNT and sys.maxsize < 1 << 32


def damaged():
    """Return a frame with a flipped bit."""
    broken = frame(1, ASKING | READY, 5, 9)
    broken[9] ^= 4
    return broken


def visitors():
    """Return frames of every kind that a node of three may meet, but damaged ones only where they may be watched."""
    good = frame(1, ASKING | READY, 5, 9)
    beyond = bytearray(good)
    beyond[34] = 0x10  # a window that ends behind the roster
    huge = bytearray(b"\xfa\xc7" + b"\xff" * 240)
    return [
        good,
        frame(2, ASKING, 6, 1),
        frame(2, ASKING, 0x3FFFFFFF, 0x3FFFFFFF),
        frame(0, READY, 77, 1),
        frame(1, READY, 5, 8),
        frame(1, READY, 5, 10),
        frame(7, READY, 5, 1, peers=(0, 7), quorum=2),
        frame(1, READY, 5, 1, cluster="x"),
        frame(1, READY, 5, 1, quorum=2),
        frame(1, ASKING, 5, 11, statements={0: (0, True), 2: (9, True)}, start_ms=-5, question_age=3),
        frame(1, READY, 5, 12, statements={2: (1, False)}, start_ms=700, question_age=3),
        frame(2, ASKING, 7, 1, statements={1: (0x7FFE, True)}, run_age=0),
        frame(1, ASKING, 5, 13, start_ms=(1 << 29) - 1, question_age=0x7FFE),
        frame(2, 0, 0x3FFFFFFE, 0x3FFFFFFF, statements={0: (0, True), 1: (0x7FFE, False)}, start_ms=1 - (1 << 29), question_age=0),
        sealed(beyond),
        huge,
        bytearray(b"hello"),
        bytearray(),
    ] + ([] if TAKES_BIG_INTS else [damaged()])


class Feed:
    """A transport on which the same frames come in again and again."""

    def __init__(self, frames):
        self.ring = Ring(len(frames), 250)
        self.frames = frames

    def fill(self):
        for i in range(len(self.frames)):
            self.ring.put(self.frames[i], len(self.frames[i]))

    def send(self, buffer, length):
        pass

    def receive(self, buffer):
        return self.ring.receive(buffer)


def node_in(state, observer=None):
    """Return (feed, node) of a node in one of the states, by name."""
    feed = Feed(visitors())
    node = Node(Config(0, (0, 1, 2), 3), feed, "greenhouse", 1 << 20, 500, 300, clock=Ticks(100), seed=1, observer=observer)
    if state == "pinging":
        feed.fill()
        node.poll()
    elif state == "collecting":
        node.complete()
    elif state == "bootstrapped":
        node.complete()
        for peer_id in (1, 2):
            node.machine.process(1, peer_id)
    elif state == "timed out":
        node.cancel()
    return feed, node


class Poll:
    def __init__(self, feed, node):
        self.feed = feed
        self.node = node

    def __call__(self):
        for _ in range(20):
            self.feed.fill()
            self.node.poll()


def test_poll_allocates_nothing_in_any_state_whatever_comes_in():
    need_lock_or_count()
    for state in ("initial", "pinging", "collecting", "bootstrapped", "timed out"):
        watched(Poll(*node_in(state)))
        watched(Poll(*node_in(state, Counting())))


def test_a_damaged_frame_takes_nothing_from_a_heap_that_is_locked():
    need_lock()
    _, node = node_in("pinging")
    feed = node.transport
    feed.frames = [damaged()]
    poll = Poll(feed, node)
    before = node.counters[CORRUPT]
    with LOCKED_HEAP:
        poll()
    assert node.counters[CORRUPT] == before + 20


class Counting(Watcher):
    """An observer that only counts, as one that must not allocate does."""

    def __init__(self):
        self.count = 0

    def observe_conflict(self, node, conflict, peer_id):
        self.count += 1


def test_every_call_of_a_run_allocates_nothing():
    need_lock_or_count()
    _, node = node_in("initial")

    def a_run():
        node.restart()
        node.poll()
        node.complete()
        node.poll()
        node.each_missing(note)
        node.cancel()
        node.poll()

    watched(a_run)


def note(peer_id, heard):
    pass


def test_two_hundred_peers_allocate_nothing_more():
    need_lock_or_count()
    peers = tuple(range(0, 2000, 10))
    feed = Feed([frame(peers[i], ASKING | READY, i + 1, 1, peers, 200) for i in range(1, 200, 9)])
    node = Node(Config(0, peers, 200), feed, "greenhouse", 1 << 20, clock=Ticks(100), seed=1)
    watched(Poll(feed, node))
    node.complete()
    watched(Poll(feed, node))


def test_a_ring_hands_frames_over_without_allocating():
    need_lock_or_count()
    ring = Ring(2, 26)
    data = frame(1, READY, 5, 1)
    buffer = bytearray(64)

    def hand_over():
        ring.put(data, 26)
        ring.put(data, 20)
        ring.put(data, 26)
        while ring.receive(buffer) >= 0:
            pass

    watched(hand_over)


def test_a_hub_carries_frames_without_allocating():
    need_lock_or_count()
    hub = Hub(4)
    first, second = hub.join(), hub.join()
    data = frame(1, READY, 5, 1)
    buffer = bytearray(64)

    def carry():
        first.send(data, 26)
        second.receive(buffer)

    watched(carry)


def test_a_whole_cluster_allocates_nothing_while_it_boots():
    """All of it but the log of the test's own air, which the hub of faction does not keep."""
    need_count()
    hub = Hub(32)
    clock = Ticks(3)
    nodes = [Node(Config(i, (0, 1, 2), 3), hub.join(), "x", 100000, clock=clock, seed=i + 1) for i in range(3)]

    def boot():
        for node in nodes:
            node.restart()
        for _ in range(100):
            for i in range(3):
                nodes[i].poll()
        for i in range(3):
            nodes[i].complete()
        for _ in range(300):
            for i in range(3):
                nodes[i].poll()

    boot()
    watched(boot)
    assert all(node.machine.state == 3 for node in nodes)


def test_frames_are_encoded_and_decoded_without_allocating():
    need_lock_or_count()
    for peers in ((0, 1, 2), tuple(range(200))):
        receiver = Wire(Config(0, peers, 2), "greenhouse", Checksum())
        good = Speaker(1, peers, 2).frame(ASKING | READY, {2: (7, True)})

        def both():
            decode(receiver, good)
            receiver.encode()
            compute_crc(good, 40)

        watched(both)


def test_withdrawals_conflicts_and_the_start_allocate_nothing():
    need_lock_or_count()
    speakers = [Speaker(i, (0, 1, 2), 3, nonce=i + 5) for i in range(3)]
    frames = []
    for turn in range(1, 12):  # each is ready, takes it back, begins another run; strangers enough to fill the memory for them
        frames.append(speakers[1].frame(ASKING | READY, {2: (turn, True)}, start_ms=3000 - turn))
        frames.append(speakers[1].frame(ASKING, {2: (0, False)}))
        frames.append(speakers[2].frame(ASKING, {0: (0, True)}, nonce=40 + turn))
        frames.append(frame(20 + turn, READY, 5, 1, cluster="x", peers=(0, 20 + turn)))
    feed = Feed(frames)
    node = Node(Config(0, (0, 1, 2), 3), feed, "greenhouse", 1 << 20, 500, clock=Ticks(10), seed=1, observer=Counting(), presence_ms=700)
    watched(Poll(feed, node))
    node.complete()
    watched(Poll(feed, node))
    assert node.machine.observer.count > 3
