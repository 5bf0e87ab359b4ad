"""Proceed together, the common start: rules 18 to 21 of the protocol."""

from airs import INTERVAL_MS, STEP_MS, Chance, Cluster, Lone
from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import RESTART
from faction.wire import ASKING, READY
from frames import START_ZERO

NOT_ON = ("micropython", "micropython-32bit")  # see tests/README.md

AFTER_MS = 4 * INTERVAL_MS
UNIT_MS = 8


def lone(**options):
    """Return a node of three that is not yet Bootstrapped."""
    node = Lone(3, 2, **options)
    node.run(100)
    return node


def bootstrapped(**options):
    """Return a node that has become Bootstrapped just now, and knew of no start."""
    node = lone(**options)
    node.node.complete()
    node.show(1, ASKING | READY, {0: (0, True)})
    assert node.node.machine.state == BOOTSTRAPPED
    return node


def started_at(node, ms):
    """Return when a node starts, within a time; None: it does not."""
    end = node.ms + ms
    while node.ms < end and not node.node.has_started:
        node.run(1)
    return node.ms if node.node.has_started else None


# 18. The first sets it


def test_who_is_bootstrapped_and_knows_of_no_start_sets_one():
    node = bootstrapped()
    begin = node.ms
    assert node.node.start_in_ms() == AFTER_MS and not node.node.has_started
    assert started_at(node, 10000) == begin + AFTER_MS
    assert node.node.start_in_ms() == 0 and node.node.started_late_ms == 0


def test_the_time_until_the_start_is_an_option():
    for after_ms in (1, 70, 2000, 60000):
        node = bootstrapped(start_after_ms=after_ms)
        begin = node.ms
        assert started_at(node, after_ms + 1) == begin + after_ms


def test_with_0_a_node_starts_at_once():
    node = bootstrapped(start_after_ms=0)
    assert node.node.has_started and node.node.start_in_ms() == 0 and node.node.started_late_ms == 0
    alone = Lone(1, 1, start_after_ms=0)
    alone.node.complete()
    assert alone.node.has_started  # without a poll


def test_before_a_verdict_there_is_no_start():
    node = lone()
    assert node.node.start_in_ms() == -1 and not node.node.has_started
    node.node.complete()
    node.run(10000)
    assert node.node.start_in_ms() == -1 and all(each.start_ms is None for each in node.said)


def test_each_frame_says_how_long_it_is_until_the_start():
    node = bootstrapped()
    begin, before = node.ms, len(node.said)
    for _ in range(8):
        node.run(500)
        node.show(1)
    node.run(500)
    told = node.said[before:]
    assert len(told) > 5 and told[0].start_ms > 1900 and told[-1].start_ms < 0
    for each in told:
        assert each.start_ms == begin + AFTER_MS - each.ms


# 19. The earliest is taken, and never a later one


def test_who_hears_of_a_start_takes_it():
    for flags in (ASKING, ASKING | READY, READY, 0):
        node = lone()
        node.show(1, flags, start_ms=700)
        assert node.node.start_in_ms() == 700 and not node.node.machine.is_concluded
        node.node.complete()
        node.show(2, READY, start_ms=None)
        assert node.node.machine.state == BOOTSTRAPPED
        assert node.node.start_in_ms() == 699


def test_it_tells_others_of_it_before_its_own_verdict():
    node = lone()
    node.run(7500)
    node.show(1, 0, start_ms=700)
    begin = node.ms
    said = node.run(INTERVAL_MS)
    assert said and said[0].is_asking and said[0].start_ms == begin + 700 - said[0].ms


def test_an_earlier_start_is_taken_and_a_later_one_is_not():
    node = bootstrapped()
    begin = node.ms
    for start_ms, left_ms in ((1500, 1500), (1499, 1499), (3000, 1498), (1497, 1497), (20000, 1496), (900, 900), (899, 899), (900, 898)):
        node.show(1, READY, start_ms=start_ms)
        assert node.node.start_in_ms() == left_ms, start_ms
    assert started_at(node, 10000) == begin + 6 + 900


def test_two_that_set_one_at_the_same_time_come_to_the_earlier():
    cluster = Cluster(2)
    cluster.air.loses = lambda sender, receiver, buffer: True
    first, second = cluster.nodes
    for node in cluster.nodes:
        node.complete()
        node.poll()
        for peer_id in (0, 1):
            node.machine.process(1, peer_id)
        cluster.run(30)
    cluster.air.loses = lambda sender, receiver, buffer: False
    assert second.start_in_ms() - first.start_in_ms() > 0
    cluster.run(INTERVAL_MS)
    assert abs(second.start_in_ms() - first.start_in_ms()) <= STEP_MS


def test_after_the_start_a_later_one_changes_nothing():
    node = bootstrapped(start_after_ms=0)
    node.show(1, READY, start_ms=500)
    assert node.node.has_started and node.node.start_in_ms() == 0


def test_news_of_an_earlier_start_goes_on_to_those_behind():
    node = bootstrapped()
    node.show(1, READY)
    node.run(300)
    before = len(node.said)
    node.show(1, READY, start_ms=400)  # 1300 ms earlier
    begin = node.ms
    node.run(INTERVAL_MS // 8 + 1)
    told = node.said[before:]
    assert len(told) == 1 and told[0].start_ms == begin + 400 - told[0].ms
    node.show(1, READY, start_ms=330)  # within what flights and units do: no news
    assert len(node.run(3000)) == 1  # the last word before our own start


def test_boards_that_heard_nobody_at_their_verdict_go_on_together_all_the_same():
    """Nobody hears a farewell. The air is calm from two intervals before the first start on."""
    for seed in range(1, 6):
        cluster = Cluster(3, 1)
        for index, node in enumerate(cluster.nodes):
            node._random = seed * 1000 + index
        cluster.air.loses = lambda sender, receiver, buffer: True
        for index in range(3):
            cluster.run(150)
            cluster.complete(index)
        cluster.run(700)
        assert cluster.nodes[2].start_in_ms() - cluster.nodes[0].start_in_ms() >= 250
        cluster.air.loses = lambda sender, receiver, buffer: False
        assert cluster.nodes[0].start_in_ms() >= 2 * INTERVAL_MS - 2 * STEP_MS
        started = [0, 0, 0]
        for _ in range(300):
            cluster.run(STEP_MS)
            for index in range(3):
                started[index] += cluster.nodes[index].has_started
        assert min(started) > 0 and max(started) - min(started) <= 1, started


# 20. When a node starts


def test_a_start_that_has_passed_before_the_verdict_is_at_once_and_late():
    node = lone()
    node.show(1, 0, start_ms=300)
    node.run(1000)
    assert not node.node.has_started and node.node.start_in_ms() == 0
    node.node.complete()
    assert not node.node.has_started
    node.show(2, READY)
    assert node.node.machine.state == BOOTSTRAPPED and node.node.has_started
    assert node.node.started_late_ms == 1000 - 300 + 1


def test_a_start_in_the_past_is_taken_with_its_age():
    for start_ms in (0, -1, -5, -70000, 1 - START_ZERO):
        node = lone()
        node.show(1, 0, start_ms=start_ms)
        node.node.complete()
        node.show(2, READY)
        assert node.node.has_started and node.node.started_late_ms == 1 - start_ms, start_ms


def test_a_start_that_has_passed_is_told_to_others():
    node = bootstrapped()
    begin = node.ms
    node.run(30000)
    node.show(1)
    said = node.run(INTERVAL_MS)
    assert said[0].start_ms == begin + AFTER_MS - said[0].ms < -28000


def test_the_farthest_start_that_a_frame_can_tell():
    node = lone()
    node.show(1, 0, start_ms=START_ZERO - 1)
    assert node.node.start_in_ms() == START_ZERO - 1
    node.node.complete()
    node.show(2, READY)
    assert not node.node.has_started and node.run(1000)[0].start_ms > START_ZERO - 2000


def test_a_node_that_timed_out_never_starts():
    node = lone(deadline_ms=1000)
    node.show(1, 0, start_ms=300)
    node.run(5000)
    assert node.node.machine.state == TIMED_OUT and not node.node.has_started and node.node.started_late_ms == 0
    assert node.node.start_in_ms() == 0
    node.show(2, 0, start_ms=-100000)
    node.run(5000)
    assert not node.node.has_started and node.node.started_late_ms == 0 and node.node.idle_ms() == 0x3FFFFFFF
    assert lone(deadline_ms=1000).node.start_in_ms() == -1


def test_a_node_that_timed_out_sets_no_start():
    node = lone(deadline_ms=1000)
    node.run(5000)
    assert node.node.machine.state == TIMED_OUT and node.node.start_in_ms() == -1
    assert all(each.start_ms is None for each in node.said)


# 21. A restart forgets it


def test_a_restart_forgets_the_start():
    for node in (bootstrapped(), bootstrapped(start_after_ms=0), lone()):
        node.show(1, 0, start_ms=-50)
        node.node.restart()
        assert node.node.start_in_ms() == -1 and not node.node.has_started and node.node.started_late_ms == 0
        before = len(node.said)
        node.run(5000)
        assert not node.node.has_started and all(each.start_ms is None for each in node.said[before:])


# Together


def starts_of(cluster, ms):
    """Let time pass, by the ms, until all have started; return {peer id: ms} of the verdicts, and of the starts."""
    verdicts, starts = {}, {}
    end = cluster.ms + ms
    while cluster.ms < end and len(starts) < len(cluster.nodes):
        cluster.run(1, step_ms=1)
        for node in cluster.nodes:
            if node.machine.state == BOOTSTRAPPED:
                verdicts.setdefault(node.config.peer_id, cluster.ms)
            if node.has_started:
                starts.setdefault(node.config.peer_id, cluster.ms)
    assert len(starts) == len(cluster.nodes), starts
    return verdicts, starts


def test_under_loss_all_start_within_a_poll_and_a_flight():
    for seed in range(1, 4):
        chance = Chance(seed)
        cluster = Cluster(6)
        cluster.air.loses = lambda sender, receiver, buffer: chance(10) < 4
        cluster.run(700, step_ms=1)
        cluster.complete()
        verdicts, starts = starts_of(cluster, 20000)
        assert max(verdicts.values()) - min(verdicts.values()) > 2, verdicts
        assert max(starts.values()) - min(starts.values()) <= 3, (verdicts, starts)
        assert min(starts.values()) - min(verdicts.values()) >= AFTER_MS - 1


def in_a_line(count, **options):
    """Return a cluster in which only neighbours hear each other."""
    cluster = Cluster(count, **options)
    cluster.air.cut = {(i, j) for i in range(count) for j in range(count) if abs(i - j) > 1}
    return cluster


def test_a_line_of_five_boots_and_starts_together():
    for seed, lost in ((1, 0), (3, 2), (5, 4)):
        chance = Chance(seed)
        cluster = in_a_line(5)
        cluster.air.loses = lambda sender, receiver, buffer: chance(10) < lost
        cluster.run(1000, step_ms=1)
        cluster.complete()
        verdicts, starts = starts_of(cluster, 60 * INTERVAL_MS)
        on_time = [starts[i] for i in range(5) if not cluster.nodes[i].started_late_ms]
        assert len(on_time) >= (2 if lost else 5) and max(on_time) - min(on_time) <= 4, (seed, starts)
        assert all(starts[i] == verdicts[i] for i in range(5) if cluster.nodes[i].started_late_ms), (verdicts, starts)


def test_a_member_that_restarts_after_its_ready_is_waited_for():
    for make in (Cluster, in_a_line):
        for victim in (0, 3):
            cluster = make(5)
            cluster.run(2000)
            cluster.complete(0, 1, 2, 3)
            cluster.run(4000)
            assert cluster.nodes[4].machine.collecting.count == 4
            cluster.reboot(victim)
            cluster.run(6000)
            assert not any(node.machine.collecting.has(victim) for node in cluster.nodes)
            assert sum([node.counters[RESTART] for node in cluster.nodes]) >= 1
            cluster.complete(4)
            cluster.run(12000)
            assert not any(node.machine.is_concluded or node.has_started for node in cluster.nodes), (make, victim)
            cluster.complete(victim)
            cluster.run(12000, cluster.bootstrapped)
            assert cluster.bootstrapped()
            cluster.run(AFTER_MS + STEP_MS)
            assert all(node.has_started for node in cluster.nodes)


def test_a_member_that_falls_silent_after_its_ready_is_waited_for():
    cluster = in_a_line(4)
    cluster.run(2000)
    cluster.complete(0, 1, 2)
    cluster.run(4000)
    assert cluster.nodes[3].machine.collecting.count == 3
    cluster.off.add(0)
    cluster.run(33 * INTERVAL_MS + 9 * INTERVAL_MS)
    cluster.complete(3)
    cluster.run(12000)
    assert not any(node.machine.is_concluded for node in cluster.nodes)
    cluster.reboot(0).complete()
    cluster.run(12000)
    assert cluster.bootstrapped()


def test_a_straggler_starts_late_and_says_so():
    cluster = in_a_line(5, quorum=4)
    cluster.off.add(4)
    cluster.run(1000)
    cluster.complete(0, 1, 2, 3)
    cluster.run(20000)
    assert cluster.bootstrapped() and all(node.has_started for node in cluster.nodes[:4])
    straggler = cluster.reboot(4)
    straggler.complete()
    cluster.run(10000, lambda: straggler.has_started)
    assert straggler.machine.state == BOOTSTRAPPED and 10000 < straggler.started_late_ms < cluster.ms
