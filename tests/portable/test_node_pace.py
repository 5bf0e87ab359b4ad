"""When a node speaks: rules 6 to 10 of the protocol."""

from airs import INTERVAL_MS, STEP_MS, Chance, Cluster, Lone
from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import SENT
from faction.wire import ASKING, READY
from frames import NO_AGE

NOT_ON = ("micropython", "micropython-32bit")  # see tests/README.md

EIGHTH_MS = INTERVAL_MS // 8 + 1
QUARTER_MS = INTERVAL_MS // 4
LONGEST_MS = 8 * INTERVAL_MS
UNIT_MS = 8
CARRY_MS = 8 * UNIT_MS  # by which each that carries a question on makes it older: more than frames are on their way


def seeds(count=8):
    """Return the frames of a boot that differ in their seeds, as seed= of Lone."""
    return range(1, 1 + count)


def lone(seed, count=3, quorum=None, **options):
    """Return a lone node with a seed."""
    return Lone(count, quorum, seed=seed, **options)


def times(frames):
    return [each.ms for each in frames]


def quiet(seed, **options):
    """Return a node that nobody has heard for so long that its turns are the longest, a ms after one has begun."""
    each = lone(seed, **options)
    each.run(7500 + 1)
    return each


# Rule 6: Trickle


def test_turns_double_to_eight_intervals_and_in_each_it_speaks_in_the_second_half():
    for seed in seeds():
        node = lone(seed)
        said = times(node.run(19600))
        windows = ((0, EIGHTH_MS), (1000, 1500), (2500, 3500), (5500, 7500), (9500, 11500), (13500, 15500), (17500, 19500))
        assert len(said) == len(windows), (seed, said)
        for ms, window in zip(said, windows):
            assert window[0] <= ms <= window[1] + 1, (seed, said)


def test_it_speaks_at_random():
    firsts, seconds = set(), set()
    for seed in seeds(16):
        said = times(lone(seed).run(1600))
        firsts.add(said[0])
        seconds.add(said[1])
    assert len(firsts) > 8 and len(seconds) > 8


def consistent(node, peer_id):
    """Let a node hear a frame that teaches nothing and lacks nothing."""
    return node.show(peer_id)


def acquainted(seed, **options):
    """Return a node that has heard both of its peers, and whose turns are the longest, at the begin of one."""
    node = lone(seed, **options)
    node.run(100)
    node.show(1)
    node.show(2)
    node.run(7500 - node.ms + 1)
    return node


def test_two_consistent_frames_silence_a_turn():
    silent = 0
    for seed in seeds():
        node = acquainted(seed)
        last = node.said[-1].ms
        consistent(node, 1)
        consistent(node, 2)
        said = node.run(LONGEST_MS - 4)
        if said:
            assert said[0].ms - last >= LONGEST_MS and len(said) == 1, (seed, last, times(said))
        else:
            silent += 1
    assert silent >= 2, silent


def test_one_consistent_frame_does_not():
    for seed in seeds():
        node = acquainted(seed)
        consistent(node, 1)
        assert [ms for ms in times(node.run(LONGEST_MS - 2)) if ms >= 9500], seed


def test_frames_of_a_turn_do_not_silence_the_next():
    for seed in seeds():
        node = acquainted(seed)
        node.run(LONGEST_MS - 10)
        consistent(node, 1)
        consistent(node, 2)
        node.run(10)
        assert len(node.run(LONGEST_MS)) == 1, seed


def test_silence_is_never_longer_than_the_longest_turn_and_what_it_takes_to_its_next():
    for seed in seeds(4):
        node = acquainted(seed)
        for _ in range(30):
            consistent(node, 1)
            consistent(node, 2)
            node.run(998)
        said = times(node.said)
        gaps = [later - earlier for earlier, later in zip(said, said[1:])]
        assert max(gaps) > 6000 and max(gaps) <= LONGEST_MS + 6000, gaps
        assert min(gaps[4:]) >= LONGEST_MS


def is_at_full_pace(node, begin):
    """Tell whether a turn of one interval has begun, and after it one of two."""
    node.run(begin + 3 * INTERVAL_MS - node.ms + 1)
    said = [ms - begin for ms in times(node.said) if ms > begin]
    return len(said) == 2 and 250 <= said[0] <= 501 and 1000 <= said[1] <= 1501


def test_news_brings_it_back_to_full_pace():
    for seed in seeds(4):
        node = quiet(seed)
        node.show(1)  # somebody is there
        assert is_at_full_pace(node, node.ms), seed
        node = acquainted(seed)
        node.show(1, ASKING | READY, run_age=0)
        assert is_at_full_pace(node, node.ms), seed
        node = acquainted(seed)
        node.show(1, ASKING, {2: (3, True)}, run_age=0)
        assert is_at_full_pace(node, node.ms), seed
        node = acquainted(seed)
        node.show(1, ASKING, nonce=99)  # it has restarted
        assert is_at_full_pace(node, node.ms), seed


def test_nothing_new_does_not():
    for seed in seeds(4):
        node = acquainted(seed)
        node.show(1, ASKING, {2: (3, False)})
        assert len(node.run(2000 - 10)) == 0


def test_an_asker_brings_it_back_to_full_pace():
    for seed in seeds(4):
        node = acquainted(seed)
        node.show(2, ASKING | READY)
        node.run(12000)
        node.show(1, ASKING, {2: (NO_AGE, False)})
        begin = node.ms
        said = [ms - begin for ms in times(node.run(1501))]
        assert len(said) == 3 and said[0] <= QUARTER_MS + 1 and 250 <= said[1] <= 501 and said[2] >= 1000, said


def test_who_has_concluded_and_lacks_a_readiness_brings_it_back_to_full_pace():
    for seed in seeds(4):
        node = acquainted(seed)
        for peer_id in (1, 2):
            node.show(peer_id, ASKING | READY)
        node.run(12000)
        node.show(1, READY, {2: (NO_AGE, False)})
        begin = node.ms
        said = [ms - begin for ms in times(node.run(INTERVAL_MS + 1))]
        assert len(said) == 1 and 250 <= said[0] <= 501, (seed, said)


def test_frames_that_teach_do_not_silence_a_turn():
    """A turn of one interval is not begun again by news, but it is no turn of silence."""
    for seed in seeds():
        for flags, statements in ((ASKING, {}), (0, {})):
            node = lone(seed)
            node.run(7600)
            node.show(1, flags, statements, nonce=90)  # a turn of one interval begins
            begin = node.ms
            node.show(1, flags, statements, nonce=91)
            node.show(2, flags, statements, nonce=92)
            said = node.run(INTERVAL_MS - 2)
            assert len(said) == 1 and said[0].ms - begin >= 250, (seed, times(said))


def test_frames_that_lack_something_do_not_silence_a_turn():
    for seed in seeds():
        node = ready(seed)
        node.show(1)  # a turn of one interval begins
        begin = node.ms
        node.show(1)
        node.show(2)
        said = [ms - begin for ms in times(node.run(INTERVAL_MS - 2))]
        assert said[0] <= QUARTER_MS and said[1] >= 250 and len(said) == 2, (seed, said)


def test_who_knows_a_readiness_that_it_cannot_count_yet_does_not_slow_down():
    for seed in seeds(4):
        node = lone(seed)
        node.run(100)
        node.show(1, ASKING, {2: (100, True)})  # 800 ms: it is older than our run
        assert not node.node.machine.collecting.has(2)
        assert len(node.run(20 * INTERVAL_MS)) >= 19


def test_who_hears_from_somebody_that_has_concluded_does_not_slow_down():
    for seed in seeds(4):
        node = lone(seed)
        node.run(100)
        for _ in range(20):
            node.show(1, 0)
            node.run(INTERVAL_MS - 1)
        assert len(node.said) >= 18
        node.run(10000)  # and does, when they fall silent
        before = len(node.said)
        node.run(LONGEST_MS)
        assert len(node.said) - before <= 2


# Rule 7: our own completion


def test_completion_is_said_at_once_and_again_within_an_eighth_of_an_interval():
    for seed in seeds():
        node = quiet(seed)
        before, begin = len(node.said), node.ms
        node.node.complete()
        assert times(node.said[before:]) == [begin]
        said = node.run(EIGHTH_MS)
        assert len(said) == 1 and 0 < said[0].ms - begin <= EIGHTH_MS
        for each in node.said[before:]:
            assert each.is_ready and each.is_asking and each.ages[0] == (0, True)
        said = times(node.run(3 * INTERVAL_MS + 1 - EIGHTH_MS))
        assert len(said) == 2 and begin + 250 <= said[0] <= begin + 501, said  # and at full pace from then on


# Rule 8: answers


def ready(seed, **options):
    """Return a node that has completed, and heard both peers, which know it: for long it has said nothing."""
    node = lone(seed, **options)
    node.run(100)
    node.node.complete()
    for peer_id in (1, 2):
        node.show(peer_id, ASKING, {0: (0, True)})
    node.run(20000)
    consistent_with_us(node, 1)
    consistent_with_us(node, 2)
    return node


def consistent_with_us(node, peer_id):
    return node.show(peer_id, ASKING, {0: (0, True)})


def answers(node, peer_id, flags=ASKING, statements=None, **fields):
    """Return the frames that a node sends within the time for an answer to a frame."""
    said = node.show(peer_id, flags, statements, **fields)
    return said + node.run(QUARTER_MS + 1)


def concluded(seed, **options):
    """Return a node that is Bootstrapped by itself, and silent."""
    options.setdefault("quorum", 1)
    node = lone(seed, **options)
    node.run(100)
    node.node.complete()
    node.run(40000)
    return node


def test_who_is_ready_answers_an_asker_that_does_not_know():
    for seed in seeds():
        said = answers(ready(seed), 1)
        assert len(said) == 1 and said[0].is_ready, (seed, times(said))
        assert answers(ready(seed), 1, statements={0: (0, True)}) == []


def test_what_the_asker_knows_from_before_its_run_it_does_not_know():
    for age, answered in ((100, False), (101, True)):
        assert len(answers(ready(3), 1, statements={0: (age, True)}, run_age=100)) == answered, age


def test_who_knows_a_readiness_that_the_asker_lacks_answers():
    for seed in seeds(4):
        node = acquainted(seed)
        node.show(2, ASKING | READY)
        node.run(12000)
        said = answers(node, 1)
        assert len(said) == 1 and said[0].ages[2][1] and not said[0].is_ready, times(said)


def test_a_readiness_that_the_asker_could_not_count_is_not_told():
    for run_age, answered in ((99, False), (126, True)):
        node = concluded(1)
        node.show(2, READY)
        node.run(900)
        assert len(answers(node, 1, statements={0: (0, True)}, run_age=run_age)) == answered, run_age


def test_a_frame_that_does_not_ask_gets_no_answer():
    node = concluded(1)
    assert answers(node, 1, 0) == [] and answers(node, 1, READY) == []


def test_who_has_concluded_answers_a_known_asker_nothing():
    node = concluded(1)
    assert answers(node, 1, statements={0: (3, True), 2: (5, True)}, run_age=50) == []


def test_who_has_concluded_carries_a_question_on():
    for seed in seeds(4):
        node = concluded(seed)
        begin = node.ms
        said = answers(node, 1, statements={0: (3, True)})  # of 2 it knows nothing
        assert len(said) == 1, seed
        age = said[0].question_age - CARRY_MS
        assert 0 <= age - (said[0].ms - begin - 1) < UNIT_MS, (age, said[0].ms - begin)


def test_the_question_is_not_carried_on_when_the_answer_is_known():
    node = concluded(1)
    node.show(2, 0)
    node.run(999)  # two intervals later
    said = answers(node, 1)
    assert len(said) == 1 and said[0].question_age is None


def test_what_was_known_two_intervals_ago_is_asked_again():
    node = concluded(1)
    node.show(2, 0)
    node.run(1001)
    said = answers(node, 1)
    assert len(said) == 1 and said[0].question_age is not None


def test_who_has_not_concluded_carries_nothing_on():
    node = ready(1)
    node.run(2000)
    said = answers(node, 1)
    assert said and all(each.question_age is None for each in said)


def test_who_timed_out_without_completing_answers_with_what_it_knows_alone():
    node = lone(1, deadline_ms=1000)
    node.run(100)
    node.show(2, ASKING | READY)
    node.run(12000)
    assert node.node.machine.state == TIMED_OUT
    said = answers(node, 1)
    assert len(said) == 1 and said[0].ages[2][1] and not said[0].is_ready and not said[0].is_asking
    node.run(1000)
    assert answers(node, 1, statements={2: (0, True)}) == []


def test_there_is_one_answer_an_interval_at_most():
    for is_line_shared in (False, True):
        node = concluded(1, is_line_shared=is_line_shared)
        before = len(node.said)
        for _ in range(200):
            node.show(1)
            node.show(2)
            node.run(48)
        said = times(node.said[before:])
        gaps = [later - earlier for earlier, later in zip(said, said[1:])]
        assert len(said) >= 10 and min(gaps) >= INTERVAL_MS, gaps


def test_answers_are_spread_over_a_quarter_of_an_interval_or_all_of_it():
    for is_line_shared, limit in ((False, QUARTER_MS), (True, INTERVAL_MS)):
        delays = []
        for seed in seeds(16):
            node = concluded(seed, is_line_shared=is_line_shared)
            begin = node.ms
            said = node.show(1) + node.run(INTERVAL_MS + 1)
            assert len(said) == 1
            delays.append(said[0].ms - begin - 1)
        assert max(delays) <= limit and max(delays) > limit * 3 // 4 and min(delays) < limit // 4, delays
        assert len(set(delays)) > 8


def test_a_restart_forgets_what_is_owed():
    for seed in seeds():
        node = ready(seed)
        node.show(1)  # an answer is planned
        node.node.restart()
        said = node.run(INTERVAL_MS)
        assert len(said) == 1 and not said[0].is_ready, (seed, times(said))  # the first of its turns
        node = lone(seed)
        node.run(INTERVAL_MS - 1)
        node.node.complete()  # it is to be said again
        node.node.restart()
        assert len(node.run(INTERVAL_MS)) == 1, seed
        node = concluded(seed)
        node.show(1, ASKING, {0: (0, True)})  # a question is to be carried on
        node.node.restart()
        node.node.cancel()
        said = node.run(60000)
        assert len(said) == 1 and said[0].question_age is None, (seed, times(said))
        node, _ = parting(seed)  # farewells are due
        node.node.restart()
        node.node.cancel()
        assert len(node.run(60000)) == 1, seed


# Rule 9: carried questions


def carried(node, peer_id, age, ms=1000):
    """Let a concluded node hear a carried question; return how often it carries it on, within a time."""
    said = node.show(peer_id, 0, question_age=age) + node.run(ms)
    assert all(each.question_age is not None for each in said)
    return len(said)


def test_a_carried_question_is_carried_on_for_twelve_intervals():
    for age, count in ((0, 2), (1, 2), (749, 2), (750, 0), (5000, 0)):  # 750 units are twelve intervals
        assert carried(concluded(1), 1, age) == count, age


def test_one_that_is_too_old_keeps_none_alive():
    """Where frames take long, a question looks younger each time that it comes round."""
    node = concluded(1)
    assert carried(node, 1, 740, 400) == 1
    assert carried(node, 2, 740 + 401 // UNIT_MS - 33, 5000) == 1  # younger than the one carried on, but of 757 units


def test_it_grows_older_on_its_way():
    node = concluded(1)
    begin = node.ms
    node.show(1, 0, question_age=100)
    said = node.run(1000)
    assert 0 <= said[0].question_age - CARRY_MS - (said[0].ms - begin - 1) - 100 * UNIT_MS < UNIT_MS


def test_it_is_carried_on_again_after_an_interval_and_no_more():
    node = concluded(1)
    said = times(node.show(1, 0, question_age=100) + node.run(5000))
    assert len(said) == 2 and INTERVAL_MS <= said[1] - said[0] <= INTERVAL_MS + QUARTER_MS, said


def test_it_is_carried_on_for_each_question_and_not_when_it_comes_back():
    node = concluded(1)
    assert carried(node, 1, 100) == 2
    passed = 1001 // UNIT_MS
    assert carried(node, 2, 100 + passed) == 0  # the same comes back
    passed *= 2
    assert carried(node, 2, 100 + passed - 29) == 0  # 232 ms younger: less than half an interval
    passed = 3003 // UNIT_MS
    assert carried(node, 2, 100 + passed - 33) == 2


def test_it_is_not_carried_on_again_if_another_has_done_so():
    """Each node that carries a question on makes it eight units older. By this it is known who has it from whom."""
    for hops, count in ((0, 1), (1, 0), (2, 1)):  # from whom we have it; from who has it as we do; from who has it from us
        node = concluded(1)
        before = len(node.said)
        node.show(1, 0, question_age=100)
        begin = node.ms
        while len(node.said) == before:
            node.run(1)
        assert carried(node, 2, 100 + (node.ms - begin) // UNIT_MS + 8 * hops, 2000) == count, hops


def test_who_hears_it_from_farther_away_brings_the_answers_back():
    node = concluded(1)
    assert carried(node, 1, 100) == 2
    for hops, count in ((0, 0), (1, 0), (2, 1), (3, 1), (2, 1)):
        assert carried(node, 2, 100 + node.ms // UNIT_MS - (40100 + 1) // UNIT_MS + 8 * hops) == count, hops


def test_it_is_not_carried_on_by_who_has_taken_up_a_younger_one():
    node = concluded(1)
    node.show(1, 0, question_age=100)
    node.run(QUARTER_MS + 1)
    node.show(1, 0, question_age=10)  # planned for later, as it has just answered
    assert carried(node, 2, 100 + 16 + 5, 2000) == 2  # the other one of before cancels nothing


def end_of_a_row(count, seed):
    """Return how many intervals a board takes that restarts at the end of a row in which all others have concluded."""
    cluster = Cluster(count, deadline_ms=10000000, interval_ms=100)
    chance = Chance(seed)
    cluster.air.loses = lambda sender, receiver, buffer: chance(100) < 20
    cluster.air.cut = {(i, j) for i in range(count) for j in range(count) if abs(i - j) != 1}
    cluster.run(2000)
    cluster.complete()
    cluster.run(60000, cluster.bootstrapped)
    cluster.run(10000)
    cluster.reboot(count - 1).complete()
    return cluster.run(20000, cluster.bootstrapped) // 100


def test_a_board_that_restarts_at_the_end_of_a_row_gets_in():
    took = sorted(end_of_a_row(12, seed) for seed in range(1, 6))
    assert took[2] <= 30 and took[-1] < 60, took


def test_who_has_not_concluded_asks_by_itself():
    node = ready(1)
    before = len(node.said)
    node.show(1, 0, {0: (0, True)}, question_age=1)
    node.run(3000)
    assert all(each.question_age is None for each in node.said[before:])


def test_a_question_of_which_the_youngest_was_heard_is_told_with_that_age():
    node = concluded(1)
    node.show(1, ASKING, {0: (0, True)})
    begin = node.ms
    node.show(2, 0, question_age=50)
    said = node.run(QUARTER_MS + 1)
    assert len(said) == 1 and said[0].question_age - CARRY_MS - (said[0].ms - begin) < UNIT_MS


# Rule 10: the farewell


def parting(seed, **options):
    """Return (node, the ms of its verdict) of a node that has just concluded, and knows that member 1 asks."""
    node = lone(seed, 2, **options)
    node.run(100)
    node.show(1, ASKING)
    node.node.complete()
    node.run(2 * INTERVAL_MS)
    node.show(1, ASKING | READY, start_ms=-1)  # the start is over: there is no last word before it
    assert node.node.machine.state == BOOTSTRAPPED
    return node, node.ms


def test_a_farewell_and_up_to_five_more_further_and_further_apart():
    for seed in seeds():
        node, begin = parting(seed)
        said = node.run(60000)
        farewells = [ms - begin for ms in times(said)]
        assert farewells[0] <= EIGHTH_MS
        if farewells[1] <= EIGHTH_MS:  # the first is an answer
            farewells = farewells[1:]
        gaps = [later - earlier for earlier, later in zip(farewells, farewells[1:])]
        for gap, least in zip(gaps, (250, 500, 1000, 2000, 4000)):
            assert least < gap <= least * 5 // 4 + 2, gaps
        assert len(farewells) == 6
        for each in said:
            assert each.is_ready and not each.is_asking and each.start_ms is not None


def test_farewells_end_as_soon_as_all_that_asked_have_shown_that_they_know():
    for shown in range(1, 6):
        node, begin = parting(2)
        while len([ms for ms in times(node.said) if ms > begin]) < shown:
            node.run(1)
        node.show(1, READY)
        assert node.run(60000) == []


def test_an_asker_that_knows_what_we_know_needs_no_farewell():
    node, _ = parting(2)
    node.run(100)
    node.show(1, ASKING | READY, {0: (0, True)})
    assert node.run(60000) == []


def test_without_an_asker_there_is_one_farewell_and_a_last_word_before_our_own_start():
    for seed in seeds():
        node = lone(seed, quorum=1)
        node.run(100)
        node.node.complete()
        begin = len(node.said)
        said = node.run(60000)
        assert len(said) == 2 and said[0].ms <= 100 + EIGHTH_MS and begin
        assert said[1].start_ms <= 2 * INTERVAL_MS < said[1].start_ms + INTERVAL_MS // 4 + 2


def test_who_timed_out_says_so_too():
    node = lone(1, deadline_ms=1000)
    node.run(900)
    before = len(node.said)
    node.node.complete()
    said = node.run(60000)
    farewells = [each for each in said if not each.is_asking]
    assert len(farewells) == 1 and not farewells[0].is_ready and farewells[0].ages[0] == (0, False), len(node.said) - before


def test_then_it_is_silent_until_somebody_asks():
    node, _ = parting(1)
    node.run(20000)
    assert node.run(200000) == []
    assert len(answers(node, 1)) == 1
    assert node.run(200000) == []


# Rule 11: the budget, and presence at the node


def test_presence_withdraws_at_the_node_without_a_poll_more_than_it_asks_for():
    for presence_ms, limit in ((None, 32 * INTERVAL_MS), (3000, 3000)):
        node = lone(1, presence_ms=presence_ms)
        node.run(100)
        node.show(1, ASKING | READY)
        begin = node.ms
        node.run(limit)
        assert node.node.machine.collecting.has(1), node.ms - begin
        node.run(1)
        assert not node.node.machine.collecting.has(1) and node.node.missing() == ([1, 2], [0])
    node = lone(1, presence_ms=0, deadline_ms=1 << 29)
    node.show(1, ASKING | READY)
    node.cluster.run(10000000, step_ms=100000)
    assert node.node.machine.collecting.has(1)


def test_a_spent_budget_delays_what_is_due():
    node = lone(1, frames_per_minute=2)
    node.run(5000)
    assert node.node.counters[SENT] == 1
    node.node.complete()
    node.run(54000, STEP_MS)
    assert node.node.counters[SENT] == 1
    assert times(node.run(3000))[0] - node.said[0].ms == 60000
