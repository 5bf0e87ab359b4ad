"""What a node says of its cluster, and what it does with what it is given."""

import sys

from airs import INTERVAL_MS, STEP_MS, Cluster, Lone, Watcher
from faction import BROADCAST_READY, COLLECTING, CONCLUDED_BOOTSTRAPPED, REJECTED, TIMED_OUT, Config
from faction import node as module
from faction.clock import Clock
from faction.node import ECHO, RECEIVE_FAILED, SEND_FAILED, SENT, Node
from faction.transports.loopback import Hub
from faction.wire import ASKING, READY, mix
from firmware import need_urandom
from helpers import message_of

# 3. Who is missing


def test_missing_splits_into_never_heard_and_heard_but_not_ready():
    cluster = Cluster(5)
    cluster.off.add(4)
    cluster.run(500)
    node = cluster.nodes[0]
    assert node.missing() == ([4], [0, 1, 2, 3])
    cluster.complete(0, 2)
    cluster.run(STEP_MS)
    assert node.missing() == ([4], [1, 3])
    told = []
    node.each_missing(lambda peer_id, heard: told.append((peer_id, heard)))
    assert told == [(1, True), (3, True), (4, False)]


def test_missing_knows_who_was_heard_only_after_our_completion():
    cluster = Cluster(2)
    cluster.off.add(1)
    cluster.complete(0)
    cluster.run(1000)
    assert cluster.nodes[0].missing() == ([1], [])
    cluster.reboot(1)
    cluster.run(1000)
    assert cluster.nodes[0].machine.state == COLLECTING and cluster.nodes[0].missing() == ([], [1])


# What the node does with what it is given


def test_complete_says_what_the_machine_says():
    assert Cluster(1).nodes[0].complete() & (BROADCAST_READY | CONCLUDED_BOOTSTRAPPED) == BROADCAST_READY | CONCLUDED_BOOTSTRAPPED
    node = Cluster(2).nodes[0]
    assert node.complete() & BROADCAST_READY
    assert node.complete() & REJECTED
    assert node.counters[SENT] == 1  # what is refused is not announced


def test_complete_knows_how_late_it_is():
    """An application may do something long before it completes. Ages and the start must not be those of its last poll."""
    node = Lone(3, 2)
    node.run(100)
    node.show(1, ASKING | READY)
    node.cluster.ms += 5000  # in which nobody polls
    node.node.complete()
    begin, said = node.ms, node.said[-1]
    assert said.ms == begin and said.ages[1] == (625, True) and said.start_ms == node.node.start_in_ms() == 4 * INTERVAL_MS
    node.run(10)
    assert node.node.start_in_ms() == 4 * INTERVAL_MS - 10


def test_complete_after_the_deadline_is_refused():
    cluster = Cluster(2, deadline_ms=3000)
    node = cluster.nodes[0]
    node.poll()
    cluster.ms += 3000
    assert node.complete() & REJECTED and node.machine.state == TIMED_OUT


def test_a_node_with_nothing_to_tell_says_so():
    node = Cluster(2).nodes[0]
    assert list(node.offenders) == [-1] * 4 and list(node.counters) == [0] * 15


def test_the_codes_of_the_counters_are_stable():
    names = "SAME_ID STRANGER STALE ECHO UNPROVEN RESTART SENT SEND_FAILED RECEIVE_FAILED".split()
    assert [getattr(module, name) for name in names] == list(range(6, 15))


def test_a_transport_says_how_long_a_frame_may_be():
    class Short(Broken):
        max_length = 45

    node = Cluster(5).make(0, range(5), Short())
    assert node.wire.length == 44 and node.wire.room == 2
    Short.max_length = 41
    assert message_of(ValueError, lambda: Cluster(5).make(0, range(5), Short())) == "max_length 41: must be 42 or more"


def test_a_line_whose_frames_hold_a_quarter_of_the_roster_boots():
    """All depends on statements, and on frames that tell what their hearers lack."""
    for wait_ms in (1000, 60000):
        cluster = Cluster(8, presence_ms=0, deadline_ms=1000000)
        for index in range(8):
            cluster.air.ports[index].max_length = 44
            cluster.reboot(index)
        cluster.air.cut = {(i, j) for i in range(8) for j in range(8) if abs(i - j) > 1}
        cluster.run(1000)
        cluster.complete(*range(1, 8))
        cluster.run(wait_ms)
        cluster.complete(0)
        took = cluster.run(100 * INTERVAL_MS, cluster.bootstrapped)
        assert cluster.bootstrapped() and took < 50 * INTERVAL_MS, took  # 4 to 18 as a rule
        assert cluster.nodes[0].wire.room == 2


def test_ages_of_peers_direct_and_relayed():
    cluster = Cluster(3)
    cluster.air.cut = {(0, 2), (2, 0)}
    cluster.run(2000)
    node = cluster.nodes[0]
    cluster.off.add(1)
    before = node.age_cs(1), node.age_cs(2, False)
    cluster.run(700)
    assert before[0] >= 0 and node.age_cs(1) == before[0] + 70
    assert node.age_cs(2) == -1 and node.age_cs(2, False) == before[1] + 70
    assert node.missing() == ([], [0, 1, 2])
    assert [node.age_cs(peer_id) for peer_id in (0, 3, -1, 1 << 29)] == [-1] * 4
    node.restart()
    assert node.age_cs(1) == node.age_cs(1, False) == node.age_cs(2, False) == -1


def test_a_seed_gives_the_same_run_on_every_port():
    nonces = [Node(Config(0, (0, 1), 2), Hub().join(), "x", 1000, clock=Clock(None), seed=seed).nonce for seed in (1, 2, 0x3FFFFFFF)]
    assert nonces == [797286488, 596539909, 718567273]


def test_boards_that_are_given_no_seed_draw_different_nonces():
    need_urandom()
    nonces = [lone(None).nonce for _ in range(8)]
    assert len(set(nonces)) == 8 and min(nonces) > 0 and max(nonces) <= 0x3FFFFFFF


def lone(seed):
    return Node(Config(0, (0, 1), 2), Hub().join(), "x", 1000, clock=Clock(None), seed=seed)


def test_a_nonce_does_not_give_the_next_one_away():
    """It is not the state of a generator, nor does it lead to the secret that faction.key makes its challenge of."""
    for seed in (1, 2, 77, 0x3FFFFFFF):
        node = lone(seed)
        told = []
        begin = node.peers.begin

        def listen(nonce, secret, told=told, begin=begin):
            told.extend((nonce, secret))
            begin(nonce, secret)

        node.peers.begin = listen
        for _ in range(3):
            node.restart()
        found = set()
        for x in told[::2]:
            for guess in (x, x - 1):
                for _ in range(40):
                    guess = mix(guess)
                    found.update((guess, guess + 1, guess % 0x3FFFFFFF + 1))
        assert len(set(told)) == 6 and not found.intersection(told), (seed, told)


class WithoutEntropy:
    """The module os where there is no source of random numbers."""

    def __init__(self, urandom):
        self.urandom = urandom


def refuse(count):
    raise NotImplementedError  # a board with CircuitPython


def fail(count):
    raise OSError(2)  # a computer without /dev/urandom


class Bare:
    """The module os of MicroPython on a board that has none."""


def test_a_board_without_a_source_of_random_numbers_is_told_to_give_a_seed():
    known = sys.modules.get("os")  # MicroPython does not keep its own modules there
    for without in (WithoutEntropy(refuse), WithoutEntropy(fail), Bare(), None):  # None: no such module
        sys.modules["os"] = without
        try:
            assert message_of(ValueError, lambda: lone(None)) == "seed None: no os.urandom; give a new one at each boot"
            assert lone(1).nonce
        finally:
            del sys.modules["os"]
            if known:
                sys.modules["os"] = known


def test_our_own_frames_that_come_back_are_counted_and_nothing_else():
    cluster = Cluster(2)
    node, port = cluster.nodes[0], cluster.air.ports[0]
    cluster.off.add(1)
    cluster.air.loses = lambda sender, receiver, buffer: port.put(buffer, len(buffer)) and False
    cluster.complete(0)
    cluster.run(1000)
    assert node.counters[ECHO] == node.counters[SENT] and node.machine.pinging.count == 0
    assert node.missing() == ([1], [])


class Broken:
    sent = 0

    def send(self, buffer, length):
        self.sent += 1
        raise OSError(5)

    def receive(self, buffer):
        raise OSError(5)


def test_errors_of_the_transport_are_counted():
    cluster = Cluster(2, deadline_ms=3000)
    broken = Broken()
    node = cluster.make(0, range(2), broken)
    node.complete()
    for _ in range(400):
        cluster.ms += STEP_MS
        node.poll()
    assert node.machine.state == TIMED_OUT
    assert node.counters[SEND_FAILED] == broken.sent >= 5 and node.counters[SENT] == 0
    assert node.counters[RECEIVE_FAILED] == 401  # complete polls, too


def test_a_flood_does_not_hold_a_poll():
    class Flood:
        def send(self, buffer, length):
            pass

        def receive(self, buffer):
            self.asked += 1
            return 7

    flood = Flood()
    flood.asked = 0
    node = Cluster(2).make(0, range(2), flood)
    node.poll()
    assert 16 <= flood.asked <= 256


def test_the_machine_of_a_node_is_watched_too():
    watcher = Watcher()
    node = Cluster(2, observer=watcher).nodes[0]
    assert node.machine.observer is watcher


def test_values_that_make_no_sense():
    config = Config(0, (0, 1), 2)
    for options, named in (
        ({"deadline_ms": 0}, "deadline_ms 0: must be an int, 1 to 1073741823"),
        ({"deadline_ms": 2.5}, "deadline_ms 2.5: must be an int, 1 to 1073741823"),
        ({"interval_ms": 0}, "interval_ms 0: must be an int, 1 to 3600000"),
        ({"interval_ms": True}, "interval_ms True: must be an int, 1 to 3600000"),
        ({"frames_per_minute": 1}, "frames_per_minute 1: must be an int, 2 to 10000"),
        ({"frames_per_minute": -1}, "frames_per_minute -1: must be an int, 2 to 10000"),
        ({"start_after_ms": -1}, "start_after_ms -1: must be an int, 0 to 134217728"),
        ({"start_after_ms": 1 << 28}, "start_after_ms 268435456: must be an int, 0 to 134217728"),
        ({"presence_ms": -1}, "presence_ms -1: must be an int, 0 to 134217728"),
        ({"presence_ms": 0.5}, "presence_ms 0.5: must be an int, 0 to 134217728"),
        ({"seed": 0}, "seed 0: must be an int, 1 to 1073741823"),
        ({"seed": 1 << 30}, "seed 1073741824: must be an int, 1 to 1073741823"),
    ):
        given = {"deadline_ms": 1000, "seed": 1}
        given.update(options)
        assert message_of(ValueError, lambda: Node(config, Hub().join(), "x", **given)) == named


def test_the_flags_of_a_frame():
    cluster = Cluster(2)
    cluster.run(INTERVAL_MS)
    cluster.complete(0)
    cluster.run(INTERVAL_MS)
    assert {flags for _, sender, flags in cluster.air.log if sender == 0} == {ASKING, ASKING | READY}
    assert {flags for _, sender, flags in cluster.air.log if sender == 1} == {ASKING}
