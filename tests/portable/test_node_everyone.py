"""Everyone gets in, whatever the air does to the frames."""

from airs import INTERVAL_MS, STEP_MS, Chance, Cluster
from faction import BOOTSTRAPPED, COLLECTING, TIMED_OUT, Config
from faction.clock import Clock
from faction.node import RESTART, SAME_ID, SENT, STALE, Node
from faction.transports.ring import Ring
from faction.wire import ASKING
from run import Skip

NOT_ON = ("micropython", "micropython-32bit")  # see tests/README.md


def test_all_bootstrap_within_one_delivery_of_the_last_completion():
    for count in (1, 2, 5):
        cluster = Cluster(count)
        cluster.run(1000)
        cluster.complete()
        assert cluster.run(2 * STEP_MS, cluster.bootstrapped) <= STEP_MS and cluster.bootstrapped(), count


def test_twenty_nodes_bootstrap_at_forty_per_cent_loss():
    try:
        cluster = Cluster(20)
    except MemoryError:
        raise Skip("no room for twenty nodes here")
    chance = Chance(1)
    cluster.air.loses = lambda sender, receiver, buffer: chance(10) < 4
    cluster.run(500)
    cluster.complete()
    cluster.run(20 * INTERVAL_MS, cluster.concluded)
    assert cluster.bootstrapped()


def stormy(seed, count, quorum=None, **options):
    """Return a cluster on an air that loses every third frame, doubles every third, and delays all by up to three intervals."""
    chance = Chance(seed)
    cluster = Cluster(count, quorum, **options)
    cluster.air.delays = lambda: [chance(3 * INTERVAL_MS) for _ in range(chance(3))]
    return cluster


def test_lost_doubled_delayed_and_overtaken_frames_strand_nobody():
    for seed in range(1, 5):
        cluster = stormy(seed, 4)
        cluster.run(1000)
        cluster.complete()
        cluster.run(20 * INTERVAL_MS, cluster.concluded)
        assert cluster.bootstrapped(), seed
        assert sum([node.counters[STALE] for node in cluster.nodes]), seed  # there were doubles, or frames out of order


def test_frames_delayed_over_a_restart_strand_nobody():
    for seed in range(1, 5):
        cluster = stormy(seed, 3)
        cluster.run(6 * INTERVAL_MS)
        cluster.complete(0, 1)
        for index in (1, 2):
            cluster.reboot(index)
            cluster.run(INTERVAL_MS)
        cluster.complete(1, 2)
        cluster.run(40 * INTERVAL_MS, cluster.concluded)
        assert cluster.bootstrapped(), seed
        assert sum([node.counters[RESTART] for node in cluster.nodes]) and not any(node.counters[SAME_ID] for node in cluster.nodes)


def test_no_weather_makes_a_readiness_that_nobody_claimed():
    for seed in range(1, 5):
        cluster = stormy(seed, 4, 3, deadline_ms=20 * INTERVAL_MS)
        cluster.complete(0, 1)
        cluster.run(22 * INTERVAL_MS)
        assert [node.machine.state for node in cluster.nodes] == [TIMED_OUT] * 4, seed
        assert not any(node.machine.collecting.has(2) or node.machine.collecting.has(3) for node in cluster.nodes), seed


def test_a_cut_between_two_is_bridged_by_the_third():
    cluster = Cluster(3)
    cluster.air.cut = {(0, 1), (1, 0)}
    cluster.run(1000)
    cluster.complete()
    assert cluster.run(2 * INTERVAL_MS, cluster.bootstrapped) <= INTERVAL_MS and cluster.bootstrapped()
    assert cluster.nodes[0].age_cs(1) == -1  # it was never heard


def test_a_cut_that_nobody_bridges_is_healed_by_asking():
    cluster = Cluster(3)
    cluster.air.cut = {(0, 1), (1, 0), (0, 2), (2, 0)}
    cluster.run(500)
    cluster.complete()
    cluster.run(4 * INTERVAL_MS)
    assert [node.machine.state for node in cluster.nodes] == [COLLECTING] * 3
    assert cluster.nodes[0].missing() == ([1, 2], []) and cluster.nodes[1].missing() == ([0], [])
    cluster.air.cut.clear()
    cluster.run(8 * INTERVAL_MS)
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


class Row:
    """The transport of one of several boards in a row. It takes frames with a few statements only."""

    def __init__(self, rings, index, max_length):
        self.rings = rings
        self.index = index
        self.max_length = max_length

    def send(self, buffer, length):
        for index in (self.index - 1, self.index + 1):
            if 0 <= index < len(self.rings):
                self.rings[index].put(buffer, length)

    def receive(self, buffer):
        return self.rings[self.index].receive(buffer)


def test_a_row_of_boards_boots_with_a_part_of_the_roster_in_each_frame():
    """Two of seven statements in a frame: a member still counts for the default presence, as that is longer then."""
    count, time = 7, [0]
    rings = [Ring(16, 250) for _ in range(count)]
    nodes = [
        Node(Config(i, range(count), count), Row(rings, i, 44), "x", 600000, 500, clock=Clock(lambda: time[0]), seed=i + 1)
        for i in range(count)
    ]
    assert nodes[0].wire.room == 2 and nodes[0].peers.presence_ms == 4 * 32 * 500
    while time[0] < 60000 and not all(node.machine.state == BOOTSTRAPPED for node in nodes):
        time[0] += 10
        for i in range(count):
            nodes[i].poll()
            if time[0] == 1000 * (i * 3 % count + 1):
                nodes[i].complete()
    assert time[0] < 30000, time
