"""Everyone gets in, whatever the air does to the frames."""

from airs import INTERVAL_MS, STEP_MS, Chance, Cluster
from faction import BOOTSTRAPPED, COLLECTING, TIMED_OUT
from faction.node import RESTART, SAME_ID, SENT, STALE
from faction.wire import ASKING
from run import Skip


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
        assert all(node.counters[STALE] for node in cluster.nodes), seed  # there were doubles, and frames out of order


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


def test_a_cut_between_two_is_bridged_by_nobody_and_healed_by_asking():
    cluster = Cluster(3)
    cluster.air.cut = {(0, 1), (1, 0)}
    cluster.run(500)
    cluster.complete()
    cluster.run(4 * INTERVAL_MS)
    assert [node.machine.state for node in cluster.nodes] == [COLLECTING, COLLECTING, BOOTSTRAPPED]
    assert cluster.nodes[0].missing() == ([1], []) and cluster.nodes[1].missing() == ([0], [])
    cluster.air.cut.clear()
    cluster.run(2 * INTERVAL_MS)
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


def test_two_farewells_and_no_more():
    cluster = Cluster(1)
    cluster.run(4 * INTERVAL_MS)
    before = cluster.sent()[0]
    cluster.complete()
    cluster.run(20 * INTERVAL_MS)
    assert cluster.sent() == [before + 1 + 2]  # the announcement, and the farewells


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


def test_an_answer_that_was_due_is_forgotten_by_a_restart():
    cluster = Cluster(3)
    cluster.off.add(2)
    cluster.run(500)
    cluster.complete(0)
    cluster.run(STEP_MS)
    cluster.complete(1)  # which asks at once, and node 0 owes it an answer in an interval
    cluster.run(STEP_MS)
    cluster.nodes[0].restart()
    cluster.nodes[0].cancel()
    before = cluster.nodes[0].counters[SENT]
    cluster.run(2 * INTERVAL_MS)
    assert cluster.nodes[0].counters[SENT] == before


def test_a_node_that_has_not_completed_answers_nobody_after_its_end():
    cluster = Cluster(2, deadline_ms=1000)
    cluster.off.add(1)
    cluster.run(1500)
    assert cluster.nodes[0].machine.state == TIMED_OUT
    before = cluster.nodes[0].counters[SENT]
    cluster.reboot(1)
    cluster.run(800)
    assert cluster.nodes[0].counters[SENT] == before
