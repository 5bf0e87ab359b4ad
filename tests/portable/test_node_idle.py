"""How long a node may sleep: Node.idle_ms, on which the simulator and battery-powered boards rely."""

from airs import INTERVAL_MS, Chance, Cluster, Lone
from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import SENT
from faction.wire import ASKING, READY
from test_node_memory import node_in
from witness import need_lock_or_count, watched

NOT_ON = ("micropython",)  # see tests/README.md

FOREVER = 0x3FFFFFFF


def test_a_node_that_sleeps_as_long_as_it_may_ends_in_time():
    cluster = Cluster(1, 1, deadline_ms=30000)
    node = cluster.nodes[0]
    node.poll()
    polls = 0
    while not node.machine.is_concluded:
        idle_ms = node.idle_ms()
        assert idle_ms > 0
        before = (node.counters[SENT], node.machine.state)
        if idle_ms > 1:
            cluster.ms += idle_ms - 1
            node.poll()
            assert (node.counters[SENT], node.machine.state) == before and node.idle_ms() == 1
        cluster.ms += 1
        node.poll()
        polls += 1
    assert node.machine.state == TIMED_OUT and cluster.ms == 30000 and node.counters[SENT] == 10 and polls <= 20


def history(seed, is_lazy, is_line):
    """Return all frames of a cluster of four that boots, loses a member and gets it back, and what each node then is.

    is_lazy: a node is polled only when it has asked for it, or a frame waits for it.
    """
    chance = Chance(seed)
    cluster = Cluster(4, 3, deadline_ms=20000, presence_ms=3000)
    if is_line:
        cluster.air.cut = {(i, j) for i in range(4) for j in range(4) if abs(i - j) > 1}
    cluster.air.loses = lambda sender, receiver, buffer: chance(10) < 3
    events = {700: lambda: cluster.complete(0), 1203: lambda: cluster.reboot(2), 2000: lambda: cluster.complete(2)}
    events[6500] = lambda: cluster.nodes[0].restart()
    events[7001] = lambda: cluster.complete(1)
    events[9000] = lambda: cluster.complete(0, 3)
    wakes = [0] * 4
    for ms in range(1, 25000):
        cluster.ms = ms
        if ms in events:
            events[ms]()
            wakes = [ms] * 4
        for index in range(4):
            sent = len(cluster.air.log)
            if not is_lazy or ms >= wakes[index]:
                cluster.nodes[index].poll()
                wakes[index] = ms + max(1, cluster.nodes[index].idle_ms())
            if len(cluster.air.log) > sent:
                for other in range(4):
                    wakes[other] = min(wakes[other], ms if other > index else ms + 1)
    for node in cluster.nodes:
        node.poll()
    ends = [(node.machine.state, list(node.counters), node.has_started, node.start_in_ms()) for node in cluster.nodes]
    return cluster.air.log, ends


def test_polls_at_the_end_of_the_idle_time_alone_give_the_same_history():
    for seed in (1, 2):
        for is_line in (False, True):
            eager = history(seed, False, is_line)
            assert history(seed, True, is_line) == eager and len(eager[0]) > 40, (seed, is_line)


def test_presence_is_looked_at_in_time():
    node = Lone(3, 3, presence_ms=1500)
    node.run(100)
    node.show(1, ASKING | READY)
    node.run(1500)
    assert node.node.machine.collecting.has(1) and node.node.idle_ms() == 1


def test_old_news_of_a_member_does_not_count_longer_than_its_presence():
    node = Lone(3, 3, presence_ms=1500)
    node.run(2000)
    node.show(1)  # what is new begins a turn of one interval
    node.show(1, ASKING | READY, {2: (180, True)})  # 1,440 ms old
    assert list(node.node.machine.collecting) == [1, 2]
    node.run(58)
    assert node.node.machine.collecting.has(2)
    node.run(4)
    assert list(node.node.machine.collecting) == [1]


def test_what_waits_for_the_budget_is_due():
    node = Lone(3, 3, frames_per_minute=2)
    node.run(100)
    node.node.complete()
    assert node.node.idle_ms() == 0


def test_the_start_is_looked_at_in_time():
    node = Lone(3, 1)
    node.run(100)
    node.node.complete()
    begin = node.ms
    while not node.node.has_started:
        assert node.node.idle_ms() <= begin + 4 * INTERVAL_MS - node.ms
        node.run(node.node.idle_ms())
    assert node.ms == begin + 4 * INTERVAL_MS and node.node.idle_ms() == FOREVER


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
