"""Every run ends, the node is mannerly on the air, and its clock may wrap."""

from airs import INTERVAL_MS, STEP_MS, Cluster, Lone, Watcher
from faction import ACCEPTED, BOOTSTRAPPED, COLLECTING, CONCLUDED_TIMED_OUT, INITIAL, PINGING, REJECTED, TIMED_OUT
from faction.clock import Clock, system_clock
from faction.node import SENT, SLOW, STALE
from faction.transports.loopback import Hub
from faction.wire import ASKING, BEACON, MALFORMED, READY
from firmware import need_clock
from frames import Speaker
from run import Skip

NOT_ON = ("micropython",)  # see tests/README.md

# 2. A deadline that always ends it


def test_the_deadline_counts_from_the_first_poll():
    cluster = Cluster(2, deadline_ms=3000)
    cluster.run(STEP_MS)
    assert cluster.nodes[0].remaining_ms == 3000
    cluster.run(3000 - 2 * STEP_MS)
    assert [node.machine.state for node in cluster.nodes] == [PINGING, PINGING]
    assert cluster.nodes[0].remaining_ms == 2 * STEP_MS  # the first poll was one step late
    cluster.run(2 * STEP_MS)
    assert [node.machine.state for node in cluster.nodes] == [TIMED_OUT, TIMED_OUT]
    assert cluster.nodes[0].remaining_ms == 0


def test_the_deadline_of_a_restart_counts_from_its_first_poll():
    cluster = Cluster(2, deadline_ms=3000)
    cluster.run(1000)
    cluster.ms += 2500  # in which nobody polls
    cluster.nodes[0].restart()
    cluster.ms += 2500
    cluster.nodes[0].poll()
    assert cluster.nodes[0].machine.state == INITIAL and cluster.nodes[0].remaining_ms == 3000


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


class Upset(Watcher):
    """An observer that raises at all that it hears of peers."""

    def observe(self, machine, command, peer_id, previous_state, result):
        if peer_id >= 0:
            raise ValueError


def test_an_observer_that_raises_at_every_poll_stops_neither_the_deadline_nor_the_beacons():
    cluster = Cluster(2, deadline_ms=2000)
    node = cluster.nodes[0] = cluster.make(0, range(2), cluster.air.ports[0], observer=Upset())
    cluster.off.add(1)
    speaker = Speaker(1, (0, 1))
    upset = 0
    while cluster.ms < 2100:
        frame = speaker.frame(ASKING | READY if cluster.ms % (2 * STEP_MS) else ASKING)  # what it says at a poll it takes back at the next
        cluster.air.ports[0].put(frame, len(frame))
        try:
            cluster.run(STEP_MS)
        except ValueError:
            upset += 1
    assert upset > 150, upset
    assert node.machine.state == TIMED_OUT and node.counters[SENT] >= 3


class UpsetOnce(Watcher):
    """An observer that raises once, at the call of this number."""

    def __init__(self, number):
        super().__init__()
        self._left = number

    def observe(self, machine, command, peer_id, previous_state, result):
        self._left -= 1
        if self._left == 0:
            raise ValueError


def upset(call):
    """Make a call; tell whether the observer raised."""
    try:
        call()
    except ValueError:
        return True
    return False


def test_what_was_heard_counts_even_if_an_observer_raises_in_the_middle_of_it():
    for number in range(1, 6):
        cluster = Cluster(4, 3)
        node = cluster.nodes[0] = cluster.make(0, range(4), cluster.air.ports[0], observer=UpsetOnce(number))
        cluster.air.cut = {(1, 0), (2, 0)}
        cluster.run(STEP_MS)
        upset(node.complete)
        cluster.complete(1, 2)
        raised = 0
        begin = cluster.ms
        while not cluster.concluded() and cluster.ms - begin < 20 * INTERVAL_MS:
            raised += upset(lambda cluster=cluster: cluster.run(STEP_MS))
        assert node.machine.state == BOOTSTRAPPED, (number, list(node.machine.collecting))


def test_nothing_of_a_frame_is_lost_if_an_observer_raises():
    """Its count, what it says of its sender and of others, its question, and the common start."""
    for number in range(1, 5):
        cluster = Cluster(4, 4, observer=UpsetOnce(number))
        cluster.off.update((1, 2, 3))
        node = cluster.nodes[0]
        cluster.run(STEP_MS)
        frame = Speaker(1, range(4)).frame(ASKING | READY, {2: (0, True)}, start_ms=4000)
        cluster.air.ports[0].put(frame, len(frame))
        assert upset(lambda cluster=cluster: cluster.run(STEP_MS)), number
        assert node.counters[BEACON] == 1 and 3900 < node.start_in_ms() <= 4000
        cluster.run(STEP_MS)
        assert list(node.machine.collecting) == list(node.machine.pinging) == [1, 2], number


def test_a_completion_goes_out_with_the_next_poll_if_an_observer_raises_at_it():
    cluster = Cluster(2, observer=UpsetOnce(1))
    said = []
    cluster.air.tap = lambda sender, buffer: said.append((sender, buffer[3]))
    assert upset(cluster.nodes[0].complete)
    cluster.nodes[0].poll()
    assert said == [(0, ASKING | READY)]


class Again(Watcher):
    """An observer that begins a new run when the deadline has passed."""

    def observe(self, machine, command, peer_id, previous_state, result):
        if machine.state == TIMED_OUT:
            self.node.restart()


def test_an_observer_may_begin_a_new_run_when_the_deadline_has_passed():
    observer = Again()
    cluster = Cluster(2, deadline_ms=1000, observer=observer)
    node = observer.node = cluster.nodes[0]
    cluster.off.add(1)
    nonces = set()
    for _ in range(5):
        cluster.run(1000 + STEP_MS)
        assert node.machine.state == INITIAL and 900 < node.remaining_ms <= 1000
        nonces.add(node.nonce)
    assert len(nonces) == 5
    node.cancel()
    assert node.machine.state == INITIAL and node.remaining_ms == 1000


def test_counters_stop_at_the_greatest_small_int_of_a_32_bit_port():
    cluster = Cluster(2)
    node = cluster.nodes[0]
    for counter in range(len(node.counters)):
        node.counters[counter] = 0x3FFFFFFE
    for _ in range(3):
        for noise in (b"", b"noise", bytes(frame_of(1)), bytes(frame_of(1))):
            cluster.air.ports[0].put(noise, len(noise))
        cluster.run(INTERVAL_MS)
    assert [node.counters[each] for each in (BEACON, MALFORMED, STALE, SENT)] == [0x3FFFFFFF] * 4


def frame_of(peer_id):
    return Speaker(peer_id, (0, 1)).frame(ASKING, sequence=1)


def test_our_completion_is_said_even_if_an_observer_raises_at_it():
    cluster = Cluster(2)
    node = cluster.nodes[0] = cluster.make(0, range(2), cluster.air.ports[0], observer=UpsetOnce(1))
    cluster.complete(1)
    cluster.drain(0)
    assert upset(node.complete) and node.machine.is_pinging_completed
    cluster.run(20 * INTERVAL_MS, cluster.concluded)
    assert cluster.bootstrapped()


def test_cancel_ends_it_now():
    node = Cluster(2).nodes[0]
    assert node.cancel() == ACCEPTED | CONCLUDED_TIMED_OUT
    assert node.machine.state == TIMED_OUT and node.remaining_ms == 0
    assert node.cancel() & REJECTED and node.complete() & REJECTED
    assert node.poll() == TIMED_OUT


def test_a_cancel_that_is_refused_changes_nothing():
    cluster = Cluster(1)
    node = cluster.nodes[0]
    cluster.run(1000)
    cluster.complete()
    before, remaining_ms = node.counters[SENT], node.remaining_ms
    assert node.cancel() & REJECTED and node.remaining_ms == remaining_ms
    cluster.run(10 * INTERVAL_MS)
    assert node.counters[SENT] == before + 2  # the farewell and the last word go out all the same


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
    assert not late.machine.collecting.has(0)
    assert (0, 0) in [(sender, flags) for _, sender, flags in cluster.air.log]


def test_a_readiness_is_withdrawn_when_its_owner_times_out():
    cluster = Cluster(4)
    cluster.air.cut = {(i, j) for i in range(4) for j in range(4) if abs(i - j) > 1}
    cluster.run(1000)
    cluster.complete(0, 1)
    cluster.run(4 * INTERVAL_MS)
    assert all(node.machine.collecting.has(0) for node in cluster.nodes)
    cluster.nodes[0].cancel()
    cluster.run(4 * INTERVAL_MS)
    assert not any(node.machine.collecting.has(0) for node in cluster.nodes[1:])
    cluster.complete(2, 3)
    cluster.run(8 * INTERVAL_MS)
    assert [node.machine.state for node in cluster.nodes] == [TIMED_OUT] + [COLLECTING] * 3


def test_a_member_without_power_is_waited_for_however_long_its_presence_is():
    cluster = Cluster(3, deadline_ms=10000000, presence_ms=600000)  # longer than the oldest age that a frame can tell
    cluster.run(2 * INTERVAL_MS)
    cluster.complete(2)
    cluster.run(2 * INTERVAL_MS)
    cluster.off.add(2)
    cluster.run(590000, step_ms=250)
    assert all(node.machine.collecting.has(2) for node in cluster.nodes[:2])
    cluster.run(40000, step_ms=250)
    assert not any(node.machine.collecting.has(2) for node in cluster.nodes[:2])
    cluster.complete(0, 1)
    assert not any(node.machine.is_concluded for node in cluster.nodes)


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


def test_what_waits_in_the_transport_at_a_restart_does_not_count():
    cluster = Cluster(2)
    node = cluster.nodes[0]
    cluster.run(INTERVAL_MS)
    cluster.complete(1)
    cluster.off.add(1)  # its readiness waits at the other one, and it loses its power
    cluster.ms += 3600000
    node.restart()
    node.complete()
    assert node.machine.state == COLLECTING and node.missing() == ([1], [])
    cluster.run(4 * INTERVAL_MS)
    assert node.machine.state == COLLECTING
    cluster.reboot(1)
    cluster.complete(1)
    cluster.run(INTERVAL_MS)
    assert cluster.bootstrapped()


def test_a_readiness_behind_a_hundred_waiting_frames_does_not_count_either():
    cluster = Cluster(2)
    port = Hub(128).join()
    node = cluster.nodes[0] = cluster.make(0, (0, 1), port)
    cluster.run(INTERVAL_MS)
    cluster.complete(1)
    for _ in range(100):
        port.put(b"noise", 5)
    frame = cluster.nodes[1].wire.outbox
    port.put(frame, len(frame))
    cluster.ms += 3600000
    node.restart()
    node.complete()
    cluster.run(INTERVAL_MS)
    assert node.counters[BEACON] == 1 and node.machine.state == COLLECTING and node.missing() == ([1], [])


def test_what_waits_in_the_transport_at_a_restart_is_no_contact():
    cluster = Cluster(3, quorum=2, deadline_ms=5000, deadline_from_contact=True)
    node = cluster.nodes[0]
    cluster.run(INTERVAL_MS)
    cluster.complete(1, 2)  # they are Bootstrapped, and one says so
    cluster.nodes[2].poll()
    cluster.off.update((1, 2))
    cluster.ms += 3600000
    node.restart()
    cluster.run(10000)
    assert node.remaining_ms == 5000 and node.counters[BEACON] > 0
    for index in (1, 2):
        cluster.reboot(index)
    cluster.run(INTERVAL_MS)
    assert node.remaining_ms < 5000


def test_what_comes_after_a_restart_counts():
    cluster = Cluster(2)
    cluster.run(INTERVAL_MS)
    for node in cluster.nodes:
        node.restart()
    cluster.run(STEP_MS)
    cluster.complete()
    cluster.run(STEP_MS)
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


def test_answers_have_jitter():
    cluster = Cluster(6)
    cluster.run(1000)
    cluster.complete()
    cluster.run(10 * INTERVAL_MS)
    cluster.reboot(5)
    cluster.run(INTERVAL_MS)
    times = [[ms for ms, sender, flags in cluster.air.log if sender == index and not flags & ASKING][-1] for index in range(5)]
    assert len(set(times)) >= 3 and max(times) - min(times) <= INTERVAL_MS // 4, times


def test_a_frame_budget_holds_in_every_minute():
    for budget in (2, 12, 60):
        node = Lone(3, interval_ms=100, frames_per_minute=budget, deadline_ms=600000)
        node.node.complete()
        while node.ms < 180000:  # somebody asks all the time, and others restart
            node.show(1)
            node.show(2, nonce=1 + node.ms)
            node.run(200, STEP_MS)
        times = [each.ms for each in node.said]
        assert len(times) >= budget * 9 // 4 - 1, (budget, times)  # a quarter is kept for bursts
        for at, ms in enumerate(times[budget:]):
            assert ms - times[at] >= 60000, (budget, times)


def test_an_announcement_waits_for_the_budget_but_is_not_lost():
    cluster = Cluster(2, frames_per_minute=2, deadline_ms=600000)
    cluster.run(5000)
    cluster.complete()
    cluster.run(200000, step_ms=5 * STEP_MS)
    assert cluster.bootstrapped()


def test_an_announcement_goes_out_as_soon_as_the_budget_allows():
    cluster = Cluster(2, frames_per_minute=2, interval_ms=200000, deadline_ms=600000)
    cluster.run(30000)
    cluster.complete(0)
    cluster.run(70000)
    times = [ms for ms, sender, _ in cluster.air.log if sender == 0]
    assert 60000 <= times[1] - times[0] <= 60000 + STEP_MS, times


def test_the_slow_preset_is_slow():
    cluster = Cluster(3, deadline_ms=600000, **SLOW)
    cluster.run(300000, step_ms=5 * STEP_MS)
    cluster.complete()
    cluster.run(100000, cluster.bootstrapped, step_ms=5 * STEP_MS)
    assert cluster.bootstrapped() and all(node.is_line_shared for node in cluster.nodes)
    assert max(cluster.sent()) <= 16 and min(cluster.sent()) >= 4, cluster.sent()


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


def test_a_node_that_waits_for_ten_days():
    """Its time is turned back every three days."""
    node = Lone(3, 3, deadline_ms=0x3FFFFFFF, presence_ms=0, interval_ms=60000)
    cluster = node.cluster
    node.run(100)
    node.show(1, ASKING | READY)
    node.node.complete()
    days = turns = 0
    now = node.node.now
    while days < 10:
        cluster.run(86400000, step_ms=200000)
        cluster.air.log.clear()
        days += 1
        turns += node.node.now < now
        now = node.node.now
        assert node.node.uptime_cs == (cluster.ms - 1) // 10 and node.node.remaining_ms == 0x3FFFFFFF - cluster.ms + 1
        assert node.node.machine.collecting.has(1)
        assert node.node.age_cs(1) == (8640000 * days if days < 8 else -1)
        assert len(node.said) >= 86400000 // 480000 // 2
        node.said.clear()  # a small heap does not hold the frames of ten days
    assert turns == 5
    node.show(2, READY, start_ms=5000)
    assert node.node.machine.state == BOOTSTRAPPED and node.node.start_in_ms() == 5000
    node.run(5000)
    assert node.node.has_started and node.node.started_late_ms == 0


def test_a_start_stays_where_it_is_when_the_time_is_turned_back():
    node = Lone(3, 1, start_after_ms=0x08000000, deadline_ms=0x3FFFFFFF)
    node.node.poll()
    node.cluster.run(172800000, step_ms=200000)  # two days
    node.node.complete()
    begin = node.ms
    while not node.node.has_started:
        node.cluster.run(100000, step_ms=100000)
        assert node.node.start_in_ms() == max(0, begin + 0x08000000 - node.ms)
    assert node.node.now < 0x0C000000 and node.ms > 0x10000000


def test_a_member_that_restarts_after_weeks_of_silence_gets_in():
    cluster = Cluster(2)
    cluster.complete()
    cluster.run(20 * INTERVAL_MS)
    assert cluster.bootstrapped()
    for _ in range(30):
        cluster.run(86400000, step_ms=86400000)
    sent = cluster.sent()
    cluster.run(20 * INTERVAL_MS)
    assert cluster.sent() == sent  # they are silent
    cluster.reboot(1)
    cluster.complete(1)
    cluster.run(10 * INTERVAL_MS, cluster.concluded)
    assert cluster.bootstrapped()


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
    clock = need_clock()
    start = clock.now()
    while clock.diff(clock.now(), start) < 3:
        pass
    assert clock.diff(start, clock.now()) < 0


def test_the_system_clock_knows_where_its_ticks_wrap():
    try:
        from time import ticks_add
    except ImportError:
        raise Skip("no ticks that wrap here") from None
    assert system_clock().diff(0, ticks_add(0, -1)) == 1
