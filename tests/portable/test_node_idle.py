"""How long a node may sleep: Node.idle_ms, on which the simulator and battery-powered boards rely."""

from airs import INTERVAL_MS, Cluster
from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import SENT
from test_node_memory import node_in
from witness import need_lock_or_count, watched

FOREVER = 0x3FFFFFFF


def test_a_poll_at_the_end_of_the_idle_time_does_something_and_none_before():
    cluster = Cluster(1, 1, deadline_ms=3000)
    node = cluster.nodes[0]
    node.poll()
    events = 0
    while not node.machine.is_concluded:
        idle_ms = node.idle_ms()
        before = (node.counters[SENT], node.machine.state)
        if idle_ms > 1:
            cluster.ms += idle_ms - 1
            node.poll()
            assert (node.counters[SENT], node.machine.state) == before and node.idle_ms() == 1
        cluster.ms += min(idle_ms, 1)
        node.poll()
        assert (node.counters[SENT], node.machine.state) != before, idle_ms
        events += 1
    assert node.machine.state == TIMED_OUT and cluster.ms == 3000 and events > 5


def test_a_node_that_is_woken_as_seldom_as_it_allows_boots_as_fast():
    ends = []
    for step_ms in (1, None):
        cluster = Cluster(2)
        cluster.complete(0)
        while not cluster.bootstrapped():
            idle_ms = min(node.idle_ms() for node in cluster.nodes)
            cluster.ms += step_ms or max(1, idle_ms)
            for node in cluster.nodes:
                node.poll()
            if cluster.ms > 1300:
                cluster.complete(1)
        ends.append(cluster.ms)
    assert abs(ends[0] - ends[1]) <= INTERVAL_MS * 5 // 4, ends


def test_a_silent_node_may_sleep_for_ever_until_somebody_asks():
    cluster = Cluster(2)
    cluster.complete()
    cluster.run(5000)
    first, second = cluster.nodes
    assert first.machine.state == BOOTSTRAPPED and first.idle_ms() == second.idle_ms() == FOREVER
    rebooted = cluster.reboot(1)
    rebooted.poll()
    cluster.ms += 1000
    first.poll()
    rebooted.poll()  # asks
    first.poll()
    answer_ms = first.idle_ms()
    assert 0 < answer_ms <= INTERVAL_MS // 4
    sent = first.counters[SENT]
    cluster.ms += answer_ms
    first.poll()
    assert first.counters[SENT] == sent + 1 and first.idle_ms() == FOREVER


def test_a_deadline_from_contact_does_not_count_before():
    cluster = Cluster(1, 1, deadline_ms=40, deadline_from_contact=True)
    node = cluster.nodes[0]
    cluster.run(100)
    assert 40 < node.idle_ms() <= INTERVAL_MS * 5 // 4


def test_asking_how_long_allocates_nothing():
    need_lock_or_count()
    for state in ("initial", "pinging", "collecting", "bootstrapped", "timed out"):
        _, node = node_in(state)
        watched(node.idle_ms)
