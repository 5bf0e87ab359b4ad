"""Misconfigured nodes are named, and earlier runs do not count."""

from airs import INTERVAL_MS, Chance, Cluster, Watcher
from faction import INITIAL, PROBE, TIMED_OUT
from faction.node import RESTART, SAME_ID, STALE, STRANGER
from faction.observer import Observers
from faction.wire import (
    ASKING,
    BEACON,
    CORRUPT,
    MALFORMED,
    OTHER_CLUSTER,
    OTHER_EXPECTATIONS,
    OTHER_VERSION,
    READY,
)
from frames import Speaker, sealed
from helpers import Counter


class Forger:
    """Makes frames of any settings, and puts them before a node."""

    def __init__(self, peer_id=1, peers=(0, 1, 2), quorum=3, cluster="greenhouse", seal=None):
        self._speaker = Speaker(peer_id, peers, quorum, cluster, seal)
        self.wire = self._speaker.wire

    def frame(self, nonce, sequence, flags=ASKING | READY):
        return self._speaker.frame(flags, nonce=nonce, sequence=sequence)


def alone(count=3, **options):
    """Return (cluster, node 0, a function that puts a frame before it) of a cluster in which nobody else has power."""
    cluster = Cluster(count, **options)
    for index in range(1, count):
        cluster.off.add(index)

    def show(frame):
        cluster.air.ports[0].put(frame, len(frame))
        cluster.run(10)

    return cluster, cluster.nodes[0], show


def received(node):
    """Return how often each verdict was given; zeros left out."""
    return {verdict: count for verdict, count in enumerate(node.counters[:RESTART]) if count}


# 4. Misconfiguration is named, not suffered


def test_another_roster_is_named():
    watcher = Watcher()
    _, node, show = alone(observer=watcher)
    stranger = Forger(peer_id=7, peers=(0, 1, 2, 7))
    member = Forger(peers=(0, 1, 2, 7))
    for sequence in range(1, 4):
        show(stranger.frame(9, sequence))
        show(member.frame(5, sequence))
    assert watcher.conflicts == [(OTHER_EXPECTATIONS, 7), (OTHER_EXPECTATIONS, 1)]
    assert received(node) == {OTHER_EXPECTATIONS: 6} and node.offenders[OTHER_EXPECTATIONS - OTHER_VERSION] == 1
    assert node.machine.state == INITIAL and node.missing() == ([1, 2], [0])


def test_another_quorum_is_named():
    watcher = Watcher()
    _, node, show = alone(observer=watcher)
    show(Forger(quorum=2).frame(9, 1))
    assert watcher.conflicts == [(OTHER_EXPECTATIONS, 1)]
    assert node.offenders[OTHER_EXPECTATIONS - OTHER_VERSION] == 1 and node.machine.state == INITIAL


def test_another_cluster_is_counted_and_told_once():
    watcher = Watcher()
    _, node, show = alone(observer=watcher)
    for sequence in range(1, 4):
        for peer_id in (1, 2):
            show(Forger(peer_id, cluster="workshop").frame(9, sequence))
    assert watcher.conflicts == [(OTHER_CLUSTER, 1), (OTHER_CLUSTER, 2)]
    assert received(node) == {OTHER_CLUSTER: 6} and node.offenders[OTHER_CLUSTER - OTHER_VERSION] == 2 and node.machine.state == INITIAL


def test_another_version_is_named():
    watcher = Watcher()
    _, node, show = alone(observer=watcher)
    frame = Forger().frame(9, 1)
    frame[2] = 3
    old = bytearray(b"\xfa\xc7\x01\x03") + frame[4:12] + b"\0\0\0\x02" + bytes(10)  # of version 1
    for _ in range(3):
        show(sealed(frame))
        show(old)
    assert watcher.conflicts == [(OTHER_VERSION, 1), (OTHER_VERSION, 2)]
    assert received(node) == {OTHER_VERSION: 6} and node.offenders[0] == 2 and node.machine.state == INITIAL


def offender(kind, peer_id):
    """Return a frame that makes a conflict of a kind."""
    if kind == OTHER_EXPECTATIONS:
        return Forger(peer_id, (0, peer_id), 2).frame(9, 1)
    if kind == OTHER_CLUSTER:
        return Forger(peer_id, (0, peer_id), 2, cluster="workshop").frame(9, 1)
    frame = Forger(peer_id, (0, peer_id), 2).frame(9, 1)
    frame[2] = 3
    return sealed(frame)


def test_an_observer_of_machines_is_told_of_no_conflict():
    for observer in (Counter(), Observers(Counter(), Watcher())):
        _, node, show = alone(observer=observer)
        show(Forger(cluster="another").frame(5, 1))
        assert node.counters[OTHER_CLUSTER] == 1 and node.offenders[OTHER_CLUSTER - OTHER_VERSION] == 1
    assert len(observer._observers[1].conflicts) == 1
    node.machine.process(PROBE)
    first = observer._observers[0]
    assert (first.accepted, first.probed, first.rejected) == (0, 1, 0)


def test_offenders_beyond_memory_are_told_of_once_for_all():
    watcher = Watcher()
    _, node, show = alone(observer=watcher)
    expected = []
    for kind in (OTHER_EXPECTATIONS, OTHER_VERSION, OTHER_CLUSTER):  # those of one kind do not push out those of another
        for peer_id in list(range(10, 30)) + list(range(10, 50)):
            show(offender(kind, peer_id))
        expected += [(kind, peer_id) for peer_id in (10, 11, 12, 13, 14, 15, 16, -2)]
    assert watcher.conflicts == expected
    assert received(node) == {OTHER_EXPECTATIONS: 60, OTHER_VERSION: 60, OTHER_CLUSTER: 60}
    assert list(node.offenders)[:3] == [49, 49, 49]
    node.restart()  # it knows them still
    show(offender(OTHER_CLUSTER, 12))
    show(offender(OTHER_CLUSTER, 77))
    assert watcher.conflicts == expected


def test_seven_offenders_are_told_of_by_name():
    watcher = Watcher()
    _, _, show = alone(observer=watcher)
    for _ in range(3):
        for peer_id in range(10, 17):
            show(offender(OTHER_CLUSTER, peer_id))
    assert watcher.conflicts == [(OTHER_CLUSTER, peer_id) for peer_id in range(10, 17)]


def test_an_offender_without_an_id_is_told_of_once():
    watcher = Watcher()
    _, _, show = alone(observer=watcher)
    frame = Forger(cluster="workshop").frame(9, 1)
    frame[12] = 0xFF
    for _ in range(3):
        show(sealed(frame))
    assert watcher.conflicts == [(OTHER_CLUSTER, -1)]


def test_an_offender_is_told_of_once_for_each_conflict():
    watcher = Watcher()
    _, _, show = alone(observer=watcher)
    for sequence in range(1, 4):
        for peer_id in (1, 7):
            show(Forger(peer_id, (0, 1, 2, 7), cluster="workshop").frame(9, sequence))
            show(Forger(peer_id, (0, 1, 2, 7)).frame(9, sequence))
    told = [(conflict, peer_id) for peer_id in (1, 7) for conflict in (OTHER_CLUSTER, OTHER_EXPECTATIONS)]
    assert watcher.conflicts == told


def test_a_member_that_was_heard_is_still_named_when_its_expectations_change():
    watcher = Watcher()
    _, node, show = alone(observer=watcher)
    show(Forger().frame(9, 1))
    show(Forger(quorum=2).frame(10, 1))
    assert watcher.conflicts == [(OTHER_EXPECTATIONS, 1)] and node.machine.collecting.has(1)


def test_a_board_with_our_id_is_detected_and_never_counts():
    watcher = Watcher()
    cluster, node, show = alone(observer=watcher)
    clone = Forger(peer_id=0)
    for sequence in range(1, 5):
        show(clone.frame(99, sequence))
    assert watcher.conflicts == [(SAME_ID, 0)]
    assert received(node) == {SAME_ID: 4} and node.offenders[SAME_ID - OTHER_VERSION] == 0
    assert node.config.peer_id == 0 and node.machine.collecting.count == 0 and node.machine.state == INITIAL


def test_two_boards_with_one_id_detect_each_other():
    cluster = Cluster(2)
    cluster.nodes.append(cluster.make(1, range(2), cluster.air.join()))
    cluster.run(4 * INTERVAL_MS)
    assert cluster.nodes[1].counters[SAME_ID] and cluster.nodes[2].counters[SAME_ID]


def test_a_clone_beyond_earshot_is_told_of_once():
    watcher = Watcher()
    cluster, node, show = alone(observer=watcher)
    speaker = Speaker(1)
    cluster.run(2 * INTERVAL_MS - 100)
    show(speaker.frame(ASKING, {0: (0, True)}))  # we began too short a time ago
    assert watcher.conflicts == []
    cluster.run(200)
    for age in (0, 1, 2):
        show(speaker.frame(ASKING, {0: (age, True)}))
    assert watcher.conflicts == [(SAME_ID, 0)] and node.offenders[SAME_ID - OTHER_VERSION] == 0
    assert received(node) == {BEACON: 4} and not node.machine.collecting.has(0)


def test_what_we_said_before_we_timed_out_is_no_clone():
    watcher = Watcher()
    cluster, node, show = alone(observer=watcher)
    cluster.run(4 * INTERVAL_MS)
    node.complete()
    cluster.run(4 * INTERVAL_MS)
    node.cancel()
    cluster.run(INTERVAL_MS)
    show(Speaker(1).frame(ASKING, {0: (70, True)}))  # it has not heard that we gave up
    assert watcher.conflicts == [] and node.offenders[SAME_ID - OTHER_VERSION] == -1


def test_a_clone_is_told_of_after_a_time_out_without_completion():
    watcher = Watcher()
    cluster, node, show = alone(observer=watcher)
    cluster.run(4 * INTERVAL_MS)
    node.cancel()
    show(Speaker(1).frame(ASKING, {0: (2, True)}))
    assert watcher.conflicts == [(SAME_ID, 0)]


def test_no_member_of_a_bad_air_takes_itself_for_a_clone_when_it_gives_up():
    for seed in range(1, 13):
        watcher = Watcher()
        cluster = Cluster(5, observer=watcher)
        chance = Chance(77 * seed)
        cluster.air.loses = lambda sender, receiver, buffer: chance(10) < 3
        cluster.nodes[0] = cluster.make(0, range(5), cluster.air.ports[0], seed=9 * seed, deadline_ms=8000)
        cluster.run(2000)
        cluster.complete(0, 1, 2, 3)
        cluster.run(14000)
        assert cluster.nodes[0].machine.state == TIMED_OUT and watcher.conflicts == [], seed


def test_two_boards_with_one_id_that_do_not_hear_each_other_are_noticed():
    watcher = Watcher()
    cluster = Cluster(4, observer=watcher)
    clone = cluster.make(0, range(4), cluster.air.join())
    cluster.nodes.append(clone)
    cluster.air.cut = {(i, j) for i in range(5) for j in range(5) if abs(i - j) > 1}  # a line, with an id at both ends
    cluster.run(4 * INTERVAL_MS)
    clone.complete()
    cluster.run(40 * INTERVAL_MS)
    assert watcher.conflicts == [(SAME_ID, 0)]
    assert not any(node.machine.is_concluded for node in cluster.nodes)


def test_our_own_run_before_a_restart_is_no_other_board():
    watcher = Watcher()
    cluster, node, show = alone(observer=watcher)
    old = Forger(peer_id=0).frame(node.nonce, 1)
    node.restart()
    show(old)
    assert watcher.conflicts == [] and received(node) == {STALE: 1}


def test_an_id_of_no_member_is_a_stranger():
    _, node, show = alone()
    frame = Forger().frame(9, 1)
    for first, last in ((0x00, 0x07), (0x3F, 0xFF), (0x40, 0x00), (0xFF, 0xFF)):
        frame[12] = first
        frame[15] = last
        show(sealed(frame))
    assert received(node) == {STRANGER: 4} and node.machine.state == INITIAL


def test_noise_is_counted():
    _, node, show = alone()
    good = Forger().frame(9, 1)
    bad = bytearray(good)
    bad[20] ^= 1
    other = bytearray(good)
    other[2] = 9
    sealed(other)
    for frame in (b"", b"\xfa", b"hello", b"\xfa\xc7", good[:-1], good + b"\0", bad, other):
        show(bytearray(frame))
    assert received(node) == {MALFORMED: 4, CORRUPT: 3, OTHER_VERSION: 1} and node.machine.state == INITIAL


# 5. Frames of an earlier boot do not count


def test_an_older_frame_of_the_same_run_does_not_count():
    _, node, show = alone()
    sender = Forger()
    show(sender.frame(9, 5, flags=ASKING))
    for sequence in (1, 4, 5):
        show(sender.frame(9, sequence))
    assert received(node) == {BEACON: 1, STALE: 3} and node.machine.collecting.count == 0
    show(sender.frame(9, 6))
    assert node.machine.collecting.has(1)


def test_a_new_nonce_is_a_restart_and_frames_of_the_earlier_run_do_not_count():
    _, node, show = alone()
    sender = Forger()
    captured = [sender.frame(9, sequence) for sequence in range(1, 6)]
    show(sender.frame(9, 1, flags=ASKING))
    show(sender.frame(10, 1, flags=ASKING))
    assert node.counters[RESTART] == 1
    for _ in range(3):
        for frame in captured:
            show(frame)
        show(sender.frame(10, 2, flags=ASKING))
    assert node.machine.collecting.count == 0 and node.counters[RESTART] == 1
    assert node.counters[STALE] == 17  # the captured ones, and two doubles of the last


def test_a_run_returns_after_a_frame_that_was_delayed_over_two_restarts():
    _, node, show = alone()
    sender = Forger()
    for nonce in (9, 10, 11, 9):
        show(sender.frame(nonce, 7, flags=ASKING))
    for sequence in range(8, 16):  # run 11 is alive: it must not be shut out for ever
        show(sender.frame(11, sequence))
    assert node.machine.collecting.has(1)


def test_a_run_returns_with_its_seventh_new_frame_in_a_row():
    _, node, show = alone()
    sender = Forger()
    show(sender.frame(9, 1, flags=ASKING))
    show(sender.frame(10, 1, flags=ASKING))
    for sequence in range(2, 8):
        show(sender.frame(9, sequence))
    show(sender.frame(10, 2, flags=ASKING))  # the run thought current is alive: the count begins anew
    for sequence in range(8, 14):
        show(sender.frame(9, sequence))
    assert node.counters[RESTART] == 1 and node.machine.collecting.count == 0
    show(sender.frame(9, 14))
    assert node.counters[RESTART] == 2 and node.machine.collecting.has(1)


def test_a_dead_run_does_not_return_by_one_frame_that_comes_again_and_again():
    _, node, show = alone()
    sender = Forger()
    show(sender.frame(9, 1, flags=ASKING))
    show(sender.frame(10, 1, flags=ASKING))
    for _ in range(20):
        show(sender.frame(9, 5))
    assert node.counters[RESTART] == 1 and node.machine.collecting.count == 0


def test_a_dead_run_does_not_return_by_frames_older_than_its_last():
    _, node, show = alone()
    sender = Forger()
    show(sender.frame(9, 20, flags=ASKING))
    show(sender.frame(10, 1, flags=ASKING))
    for sequence in range(1, 21):
        show(sender.frame(9, sequence))
    assert node.counters[RESTART] == 1 and node.counters[STALE] == 20 and node.machine.collecting.count == 0


def test_a_restart_takes_back_an_earlier_claim():
    _, node, show = alone()
    show(Forger().frame(9, 1))
    assert node.machine.collecting.has(1)
    show(Forger().frame(10, 1, flags=ASKING))
    assert not node.machine.collecting.has(1) and node.machine.pinging.has(1)
    show(Forger().frame(10, 2))
    assert node.machine.collecting.has(1)


def test_a_sequence_that_damage_put_far_ahead_does_not_shut_a_member_out():
    cluster = Cluster(2)
    cluster.run(200)
    frame = Speaker(1, (0, 1), nonce=cluster.nodes[1].nonce).frame(sequence=0x3FFFFFFF)
    cluster.air.ports[0].put(frame, len(frame))
    cluster.run(100)
    cluster.complete()
    cluster.run(40 * INTERVAL_MS, cluster.bootstrapped)
    assert cluster.bootstrapped() and cluster.nodes[0].counters[STALE] >= 6


def test_it_is_believed_again_where_each_frame_comes_twice():
    """As on two bridged airs: the copy of a frame in doubt does not begin the count anew."""
    _, node, show = alone()
    sender = Forger()
    show(sender.frame(9, 0x3FFFFFFF, flags=ASKING))
    for sequence in range(1, 7):
        show(sender.frame(9, sequence))
        show(sender.frame(9, sequence))
    assert received(node) == {BEACON: 1, STALE: 12} and not node.machine.collecting.has(1)
    show(sender.frame(9, 7))
    assert node.machine.collecting.has(1)


def test_one_frame_that_comes_again_and_again_is_not_believed():
    _, node, show = alone()
    sender = Forger()
    show(sender.frame(9, 100, flags=ASKING))
    for sequence in (50, 51):
        for _ in range(20):
            show(sender.frame(9, sequence))
    assert received(node) == {BEACON: 1, STALE: 40} and not node.machine.collecting.has(1)
