"""The node gets everybody in, ends every run, and is mannerly on the air."""

from airs import INTERVAL_MS, STEP_MS, Chance, Cluster, Watcher
from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    BROADCAST_READY,
    COLLECTING,
    CONCLUDED_BOOTSTRAPPED,
    CONCLUDED_TIMED_OUT,
    INITIAL,
    PINGING,
    REJECTED,
    TIMED_OUT,
    Config,
)
from faction.clock import Clock, system_clock
from faction.node import ECHO, RECEIVE_FAILED, SEND_FAILED, SENT, SLOW, Node
from faction.transports.loopback import Hub
from faction.wire import ASKING, READY
from helpers import message_of

# 1. Everyone gets in


def test_all_bootstrap_within_one_delivery_of_the_last_completion():
    for count in (1, 2, 5):
        cluster = Cluster(count)
        cluster.run(1000)
        cluster.complete()
        assert cluster.run(2 * STEP_MS, cluster.bootstrapped) <= STEP_MS and cluster.bootstrapped(), count


def test_twenty_nodes_bootstrap_at_forty_per_cent_loss():
    cluster = Cluster(20)
    chance = Chance(1)
    cluster.air.loses = lambda sender, receiver, buffer: chance(10) < 4
    cluster.run(500)
    cluster.complete()
    cluster.run(20 * INTERVAL_MS, cluster.concluded)
    assert cluster.bootstrapped()


def test_everyone_gets_in_when_the_last_ready_is_lost_at_two_of_two():
    cluster = Cluster(2)
    cluster.run(1000)
    cluster.complete(0)
    cluster.run(100)
    cluster.air.cut.add((1, 0))  # node 1 concludes at its completion, and nobody hears of it
    cluster.complete(1)
    cluster.run(4 * INTERVAL_MS)
    assert [node.machine.state for node in cluster.nodes] == [COLLECTING, BOOTSTRAPPED]
    cluster.air.cut.clear()
    cluster.run(2 * INTERVAL_MS)
    assert cluster.bootstrapped()


def test_a_straggler_gets_in_after_all_others_concluded():
    cluster = Cluster(5, 4)
    cluster.off.add(4)
    cluster.run(500)
    cluster.complete(0, 1, 2, 3)
    cluster.run(10 * INTERVAL_MS)
    assert cluster.bootstrapped()
    straggler = cluster.reboot(4)
    straggler.complete()
    cluster.run(2 * INTERVAL_MS)
    assert straggler.machine.state == BOOTSTRAPPED


def test_a_member_that_restarts_before_conclusion_gets_in():
    cluster = Cluster(3)
    cluster.run(1000)
    cluster.complete(0, 1)
    cluster.run(100)
    cluster.reboot(1)
    cluster.run(1000)
    cluster.complete(1, 2)
    cluster.run(2 * INTERVAL_MS)
    assert cluster.bootstrapped()


def test_a_member_that_restarts_after_conclusion_is_back_within_two_intervals():
    cluster = Cluster(5)
    cluster.run(500)
    cluster.complete()
    cluster.run(10 * INTERVAL_MS)
    again = cluster.reboot(2)
    again.complete()
    cluster.run(2 * INTERVAL_MS)
    assert again.machine.state == BOOTSTRAPPED and cluster.bootstrapped()


def test_an_answer_goes_out_before_conclusion_too():
    cluster = Cluster(3)
    cluster.off.add(1)
    cluster.off.add(2)
    cluster.complete(0)
    cluster.run(60 * INTERVAL_MS)  # alone for so long that its beacons are rare
    late = cluster.reboot(1)
    cluster.run(INTERVAL_MS)
    assert late.machine.collecting.has(0)


def test_the_air_is_silent_once_all_have_concluded():
    cluster = Cluster(5)
    cluster.run(500)
    cluster.complete()
    cluster.run(4 * INTERVAL_MS)  # answers that are due, and farewells
    assert cluster.bootstrapped()
    before = cluster.sent()
    cluster.run(100 * INTERVAL_MS)
    assert cluster.sent() == before


def test_a_node_asks_only_until_it_has_concluded():
    cluster = Cluster(3)
    cluster.run(1000)
    cluster.complete()
    cluster.run(10 * INTERVAL_MS)
    asked_last = max([ms for ms, _, flags in cluster.air.log if flags & ASKING])
    assert asked_last <= 1000 + STEP_MS and cluster.air.log[-1][0] > asked_last


def test_a_ready_peer_counts_as_participating():
    cluster = Cluster(2)
    cluster.complete(0)
    cluster.run(STEP_MS)
    assert cluster.nodes[1].machine.pinging.has(0) and cluster.nodes[1].machine.collecting.has(0)


def test_a_node_that_has_not_completed_answers_nobody_after_its_end():
    cluster = Cluster(2, deadline_ms=1000)
    cluster.off.add(1)
    cluster.run(1500)
    assert cluster.nodes[0].machine.state == TIMED_OUT
    before = cluster.nodes[0].counters[SENT]
    cluster.reboot(1)
    cluster.run(800)
    assert cluster.nodes[0].counters[SENT] == before


# 2. A deadline that always ends it


def test_the_deadline_counts_from_the_first_poll():
    cluster = Cluster(2, deadline_ms=3000)
    cluster.run(3000 - STEP_MS)
    assert [node.machine.state for node in cluster.nodes] == [PINGING, PINGING]
    assert cluster.nodes[0].remaining_ms == 2 * STEP_MS  # the first poll was one step late
    cluster.run(2 * STEP_MS)
    assert [node.machine.state for node in cluster.nodes] == [TIMED_OUT, TIMED_OUT]
    assert cluster.nodes[0].remaining_ms == 0


def test_the_deadline_counts_from_the_first_contact_if_wanted():
    cluster = Cluster(2, deadline_ms=1000, deadline_from_contact=True)
    cluster.off.add(1)
    cluster.run(50000)
    assert cluster.nodes[0].machine.state == INITIAL and cluster.nodes[0].remaining_ms == 1000
    cluster.reboot(1)
    took = cluster.run(5000, cluster.concluded)
    assert 1000 <= took <= 1000 + 2 * INTERVAL_MS and cluster.nodes[0].machine.state == TIMED_OUT


def test_a_node_that_heard_nobody_times_out():
    cluster = Cluster(2, deadline_ms=700)
    cluster.off.add(1)
    cluster.complete(0)
    cluster.run(750)
    assert cluster.nodes[0].machine.state == TIMED_OUT


def test_cancel_ends_it_now():
    node = Cluster(2).nodes[0]
    assert node.cancel() == ACCEPTED | CONCLUDED_TIMED_OUT
    assert node.machine.state == TIMED_OUT and node.remaining_ms == 0
    assert node.cancel() & REJECTED and node.complete() & REJECTED
    assert node.poll() == TIMED_OUT


def test_a_verdict_never_changes():
    cluster = Cluster(2)
    cluster.run(500)
    cluster.complete()
    cluster.run(INTERVAL_MS)
    assert cluster.nodes[0].cancel() & REJECTED
    cluster.run(200 * INTERVAL_MS)
    assert cluster.bootstrapped()


def test_a_node_that_timed_out_claims_no_readiness():
    cluster = Cluster(2, deadline_ms=2000)
    cluster.off.add(1)
    cluster.complete(0)
    cluster.run(2100)
    late = cluster.reboot(1)
    cluster.run(2 * INTERVAL_MS)
    assert not late.machine.collecting.has(0) and late.machine.pinging.has(0)
    assert (0, 0) in [(sender, flags) for _, sender, flags in cluster.air.log]


def test_a_late_arrival_gets_in_after_a_time_out_and_a_restart():
    cluster = Cluster(3, deadline_ms=2000)
    cluster.off.add(2)
    cluster.complete(0, 1)
    cluster.run(2500)
    assert [node.machine.state for node in cluster.nodes[:2]] == [TIMED_OUT, TIMED_OUT]
    cluster.reboot(2)
    cluster.run(INTERVAL_MS)
    for node in cluster.nodes:
        if node.machine.is_concluded:
            node.restart()
    cluster.complete()
    cluster.run(2 * INTERVAL_MS)
    assert cluster.bootstrapped()


def test_a_restart_forgets_the_run_but_not_the_counters():
    cluster = Cluster(2, deadline_ms=5000)
    node = cluster.nodes[0]
    cluster.run(500)
    cluster.complete()
    cluster.run(500)
    sent, nonce = node.counters[SENT], node.nonce
    node.restart()
    assert node.machine.state == INITIAL and node.missing() == ([1], [0])
    assert node.counters[SENT] == sent and node.nonce != nonce and node.remaining_ms == 5000


def test_when_too_few_are_reachable_nobody_bootstraps_and_nothing_false_is_claimed():
    cluster = Cluster(5, 4, deadline_ms=5000)
    cluster.off.add(3)
    cluster.off.add(4)
    cluster.complete(0, 1, 2)
    cluster.run(6000)
    for node in cluster.nodes[:3]:
        assert node.machine.state == TIMED_OUT
        assert node.missing() == ([3, 4], []) and list(node.machine.collecting) == [0, 1, 2]


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


# 7. Radio manners


def test_at_most_one_beacon_and_one_answer_an_interval():
    cluster = Cluster(5)
    cluster.complete(0, 1, 2, 3)
    cluster.run(40 * INTERVAL_MS)
    for index in range(5):
        times = [ms for ms, sender, _ in cluster.air.log if sender == index]
        answers = 0 if index == 4 else 1
        for start in range(0, 39 * INTERVAL_MS, INTERVAL_MS):
            frames = [ms for ms in times if start <= ms < start + INTERVAL_MS]
            assert len(frames) <= 1 + answers + (start == 0), (index, start, frames)


def test_beacons_have_jitter():
    cluster = Cluster(2)
    cluster.run(20 * INTERVAL_MS)
    times = [ms for ms, sender, _ in cluster.air.log if sender == 0]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert min(gaps) >= INTERVAL_MS and max(gaps) <= INTERVAL_MS * 5 // 4 + STEP_MS and len(set(gaps)) > 5


def test_a_lone_node_backs_off_and_comes_back():
    cluster = Cluster(2)
    cluster.off.add(1)
    cluster.run(100 * INTERVAL_MS)
    times = [ms for ms, _, _ in cluster.air.log]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert max(gaps[:8]) <= INTERVAL_MS * 5 // 4 + STEP_MS and min(gaps[-3:]) >= 8 * INTERVAL_MS
    cluster.reboot(1)
    cluster.run(2 * INTERVAL_MS)
    heard = cluster.ms
    cluster.run(10 * INTERVAL_MS)
    assert len([ms for ms, sender, _ in cluster.air.log if sender == 0 and ms > heard]) >= 8


def test_a_frame_budget_holds_in_every_minute():
    for budget in (2, 12, 60):
        cluster = Cluster(3, frames_per_minute=budget, deadline_ms=600000)
        cluster.complete(0, 1)
        cluster.run(180000)
        for index in range(3):
            times = [ms for ms, sender, _ in cluster.air.log if sender == index]
            assert len(times) >= budget * 9 // 4 - 1, (budget, times)  # a quarter is kept for bursts
            for at, ms in enumerate(times[budget:]):
                assert ms - times[at] >= 60000 - STEP_MS, (budget, index, times)


def test_an_announcement_waits_for_the_budget_but_is_not_lost():
    cluster = Cluster(2, frames_per_minute=2, deadline_ms=600000)
    cluster.run(5000)
    cluster.complete()
    cluster.run(200000)
    assert cluster.bootstrapped()


def test_the_slow_preset_is_slow():
    cluster = Cluster(2, deadline_ms=600000, **SLOW)
    cluster.run(100000)
    assert 8 <= cluster.nodes[0].counters[SENT] <= 12


# 8. Time


def test_ticks_may_wrap_at_any_moment():
    for last in (0x1FFFFFFF, 0x3FFFFFFF):
        for before_wrap in range(0, 3000, 230):
            cluster = Cluster(2, last_tick=last, start=last - before_wrap, deadline_ms=5000)
            cluster.run(1000)
            assert [node.remaining_ms for node in cluster.nodes] == [4000 + STEP_MS] * 2, (last, before_wrap)
            cluster.complete()
            cluster.run(STEP_MS)
            assert cluster.bootstrapped(), (last, before_wrap)


def test_ticks_may_never_wrap():
    cluster = Cluster(2, last_tick=0, start=5, deadline_ms=2000)
    cluster.run(2100)
    assert cluster.nodes[0].machine.state == TIMED_OUT


def test_a_clock_that_is_set_back_stops_nothing():
    cluster = Cluster(2, deadline_ms=2000)
    cluster.run(1000)
    cluster.ms -= 900
    cluster.run(2000)
    assert cluster.nodes[0].machine.state == TIMED_OUT


def test_differences_of_ticks():
    for last, cases in (
        (0x3FFFFFFF, ((5, 3, 2), (3, 5, -2), (1, 0x3FFFFFFF, 2), (0x3FFFFFFF, 1, -2), (0, 0x20000001, 0x1FFFFFFF))),
        (0x1FFFFFFF, ((0, 0x1FFFFFFF, 1), (0x1FFFFFFF, 0, -1), (0x0FFFFFFF, 0, 0x0FFFFFFF))),
        (0, ((5, 3, 2), (3, 5, -2), (0x3FFFFFFF, 0, 0x3FFFFFFF))),
    ):
        clock = Clock(None, last)
        for later, earlier, ms in cases:
            assert clock.diff(later, earlier) == ms, (last, later, earlier)


def test_the_system_clock_goes_forward():
    clock = system_clock()
    start = clock.now()
    while clock.diff(clock.now(), start) < 3:
        pass
    assert clock.diff(start, clock.now()) < 0


# What the node does with what it is given


def test_complete_says_what_the_machine_says():
    assert Cluster(1).nodes[0].complete() & (BROADCAST_READY | CONCLUDED_BOOTSTRAPPED) == BROADCAST_READY | CONCLUDED_BOOTSTRAPPED
    node = Cluster(2).nodes[0]
    assert node.complete() & BROADCAST_READY
    assert node.complete() & REJECTED


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
    def send(self, buffer, length):
        raise OSError(5)

    def receive(self, buffer):
        raise OSError(5)


def test_errors_of_the_transport_are_counted():
    cluster = Cluster(2, deadline_ms=3000)
    node = cluster.make(0, range(2), Broken())
    node.complete()
    for _ in range(400):
        cluster.ms += STEP_MS
        node.poll()
    assert node.machine.state == TIMED_OUT
    assert node.counters[SEND_FAILED] >= 5 and node.counters[RECEIVE_FAILED] == 400 and node.counters[SENT] == 0


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
        ({"deadline_ms": 0}, "deadline_ms 0: not an int from 1 to 1073741823"),
        ({"deadline_ms": 2.5}, "deadline_ms 2.5: not an int from 1 to 1073741823"),
        ({"interval_ms": 0}, "interval_ms 0: not an int from 1 to 3600000"),
        ({"interval_ms": True}, "interval_ms True: not an int from 1 to 3600000"),
        ({"frames_per_minute": 1}, "frames_per_minute 1: not an int from 2 to 10000"),
        ({"frames_per_minute": -1}, "frames_per_minute -1: not an int from 2 to 10000"),
        ({"seed": 0}, "seed 0: not an int from 1 to 1073741823"),
        ({"seed": 1 << 30}, "seed 1073741824: not an int from 1 to 1073741823"),
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
