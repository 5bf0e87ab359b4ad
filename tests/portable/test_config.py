"""Config: what it accepts, what it refuses and with which words; its order, its index, its quorum rules; the codes."""

import sys

import faction
from faction import NO_PEER, Config, byzantine, everyone, majority
from helpers import HOSTILE, MAX_ID, Chance, contiguous, message_of, rosters, shuffled, sparse, strangers
from run import Skip

NOT_ON = ("micropython",)  # see tests/README.md

CODES = (
    ("INITIAL", 0),
    ("PINGING", 1),
    ("COLLECTING", 2),
    ("BOOTSTRAPPED", 3),
    ("TIMED_OUT", 4),
    ("PARTICIPATION_OBSERVED", 0),
    ("READY_OBSERVED", 1),
    ("LOCAL_PARTICIPATION_COMPLETED", 2),
    ("DEADLINE_EXPIRED", 3),
    ("PROBE", 4),
    ("WITHDRAWAL_OBSERVED", 5),
    ("ACCEPTED", 0x0001),
    ("REJECTED", 0x0002),
    ("PROBED", 0x0004),
    ("PARTICIPATION_ACCEPTED", 0x0008),
    ("READY_ACCEPTED", 0x0010),
    ("LOCAL_COMPLETED", 0x0020),
    ("BROADCAST_READY", 0x0040),
    ("CONCLUDED_BOOTSTRAPPED", 0x0080),
    ("CONCLUDED_TIMED_OUT", 0x0100),
    ("DUPLICATE", 0x0200),
    ("NON_MEMBER", 0x0400),
    ("NOT_ADMISSIBLE", 0x0800),
    ("CONCLUDED", 0x1000),
    ("UNKNOWN_COMMAND", 0x2000),
    ("NOTHING_OBSERVED", 0x4000),
    ("WITHDRAWAL_ACCEPTED", 0x8000),
    ("NO_PEER", -1),
)
OTHER_EXPORTS = ("Config", "Faction", "PeerSet", "TABLE", "byzantine", "everyone", "majority")


def test_codes_have_the_values_of_the_specification():
    for name, value in CODES:
        assert getattr(faction, name) == value, name


def test_the_package_exports_this_and_nothing_else():
    module = type(sys)  # submodules that someone imported show up as attributes
    exported = [name for name in dir(faction) if name[0] != "_" and type(getattr(faction, name)) is not module]
    assert sorted(exported) == sorted([name for name, value in CODES] + list(OTHER_EXPORTS)), exported


def test_a_machine_holds_what_the_specification_names():
    machine = faction.Faction(Config(4, [9, 4], 2))
    assert machine.config.peer_id == 4
    assert tuple(machine.config.peers) == (4, 9)
    assert machine.config.quorum == 2
    assert machine.observer is None
    assert type(machine.pinging) is type(machine.collecting) is faction.PeerSet


_ID = "peer_id %s: must be an int, 0 to 1073741823"
REFUSED = (
    # our id, peers, quorum, the message
    (0, (), 1, "peer_id 0: 0 times in peers, must be once"),
    (5, (0, 1), 1, "peer_id 5: 0 times in peers, must be once"),
    (0, (0, 3, 1, 3), 1, "peer_id 3: 2 times in peers, must be once"),
    (0, (0, 1, 0, 0), 1, "peer_id 0: 3 times in peers, must be once"),
    (0, (0, -1), 1, _ID % "-1"),
    (-1, (0, 1), 1, _ID % "-1"),
    (-1, (-1,), 1, _ID % "-1"),
    (0, (0, True), 1, _ID % "True"),
    (True, (0, 1), 1, _ID % "True"),
    (0, (0, 1.5), 1, _ID % "1.5"),
    (1.0, (0, 1), 1, _ID % "1.0"),
    (0, (0, "1"), 1, _ID % "'1'"),
    ("0", (0, 1), 1, _ID % "'0'"),
    (0, (0, None), 1, _ID % "None"),
    (None, (0, 1), 1, _ID % "None"),
    (0, (0, (1,)), 1, _ID % "(1,)"),
    (0, "01", 1, _ID % "'0'"),
    (0, (0, 1, 2), 0, "quorum 0: must be an int, 1 to 3"),
    (0, (0, 1, 2), -1, "quorum -1: must be an int, 1 to 3"),
    (0, (0, 1, 2), 4, "quorum 4: must be an int, 1 to 3"),
    (0, (0,), True, "quorum True: must be an int, 1 to 1"),
    (0, (0, 1), 1.0, "quorum 1.0: must be an int, 1 to 2"),
    (0, (0, 1), "1", "quorum '1': must be an int, 1 to 2"),
    (0, (0, 1), None, "quorum None: must be an int, 1 to 2"),
    (0, (0, 1), lambda count: count + 1, "quorum 3: must be an int, 1 to 2"),
    (0, (0, 1), lambda count: 0, "quorum 0: must be an int, 1 to 2"),
    (0, (0, 1), lambda count: None, "quorum None: must be an int, 1 to 2"),
)


def test_wrong_values_are_refused_by_name():
    for peer_id, peers, quorum, message in REFUSED:
        assert message_of(ValueError, lambda: Config(peer_id, peers, quorum)) == message


def test_ids_beyond_a_small_int_of_32_bits_are_refused():
    for value in HOSTILE:
        message = _ID % value
        assert message_of(ValueError, lambda: Config(0, (0, value), 1)) == message
        assert message_of(ValueError, lambda: Config(value, (0, 1), 1)) == message
        assert message_of(ValueError, lambda: Config(0, (0, 1), value)) == "quorum %d: must be an int, 1 to 2" % value
    assert Config(MAX_ID, (0, MAX_ID), 1).peer_id == MAX_ID


def test_any_iterable_of_peers_will_do():
    for peers in ([3, 1, 2], (2, 3, 1), {1, 2, 3}, range(1, 4), (i for i in (3, 1, 2)), bytes((2, 1, 3)), {3: 0, 2: 0, 1: 0}):
        config = Config(2, peers, 3)
        assert tuple(config.peers) == (1, 2, 3)
        assert [config.index(i) for i in range(5)] == [-1, 0, 1, 2, -1]


def test_a_config_keeps_nothing_of_the_list_it_was_given():
    for peers in ([4, 2, 3], [4, 2, 9]):
        config = Config(2, peers, 1)
        kept = tuple(config.peers)
        peers.append(5)
        assert kept == tuple(config.peers) == tuple(sorted(peers[:3]))


def test_contiguous_peers_cost_no_memory_per_id():
    for ids in (contiguous(1), contiguous(200), shuffled(contiguous(64, 9)), contiguous(5, MAX_ID - 4), (MAX_ID,)):
        assert isinstance(Config(ids[0], ids, 1).peers, range)
    for ids in (sparse(2), sparse(200), (0, 1, 2, 4), (0, 2)):
        assert not isinstance(Config(ids[0], ids, 1).peers, range)


def test_every_member_has_its_index_and_a_stranger_has_none():
    for count in (1, 2, 3, 4, 5, 31, 32, 33, 64, 199, 200):
        for ids in (contiguous(count), contiguous(count, MAX_ID - count + 1), sparse(count)):
            _check_index(Config(ids[-1], reversed(ids), 1), ids)


def _check_index(config, ids):
    for i in range(len(ids)):
        assert config.index(ids[i]) == i, ids[i]
    for stranger in strangers(ids):
        assert config.index(stranger) == -1, stranger
    for gap in [i + 1 for i in ids if i < 2000 and i + 1 not in ids]:
        assert config.index(gap) == -1, gap


def test_rosters_of_every_size_have_ends():
    for count in range(1, 201):
        for ids in (range(count), range(7, 7 + 3 * count, 3)):
            config = Config(ids[0], ids, count)
            found = [config.index(i) for i in (ids[0] - 1, ids[0], ids[count // 2], ids[-1], ids[-1] + 1, NO_PEER)]
            assert found == [-1, 0, count // 2, count - 1, -1, -1], count


def test_unsorted_rosters_become_ascending():
    for ids in rosters(31):
        config = Config(ids[3], ids, 1)
        assert list(config.peers) == sorted(ids)
        assert config.peer_id == ids[3]


FEW = 1000
MANY = 4 * FEW


def orders(ids):
    """Yield (name, the ids in an order that some way of sorting dislikes)."""
    count = len(ids)
    half = count // 2
    chance = Chance(1)
    yield "ascending", ids
    yield "descending", ids[::-1]
    yield "all but the last", ids[1:] + ids[:1]
    yield "the last two exchanged", ids[:-2] + ids[:-3:-1]
    yield "two halves", ids[half:] + ids[:half]
    yield "organ pipe", ids[::2] + ids[::-2]
    yield "valley", ids[::-2] + ids[::2]
    yield "ends first", [ids[i // 2 if i % 2 else count - 1 - i // 2] for i in range(count)]
    yield "middle first", [ids[half + (i // 2 if i % 2 else -1 - i // 2)] for i in range(count)]
    yield "sawtooth", [ids[i] for start in range(20) for i in range(start, count, 20)]
    yield "falling sawtooth", [ids[i] for start in range(19, -1, -1) for i in range(start, count, 20)]
    yield "stride", [ids[i * 617 % count] for i in range(count)]
    yield "shuffled", [ids[i] for i in _shuffle(list(range(count)), chance)]


def _shuffle(values, chance):
    for i in range(len(values)):
        j = chance.below(i + 1)
        values[i], values[j] = values[j], values[i]
    return values


def test_a_roster_in_any_order_becomes_ascending():
    for step in (1, 7):
        ids = [3 + step * i for i in range(60)]
        for name, peers in orders(ids):
            assert sorted(peers) == ids, name
            for own in (ids[0], ids[31], ids[-1]):
                assert list(Config(own, peers, 1).peers) == ids, name


def test_a_wrong_value_is_found_anywhere_in_any_order():
    ids = [3 + 7 * i for i in range(60)]
    for name, peers in orders(ids):
        for at in (0, 1, 30, 58, 59):
            twice = list(peers)
            twice[at] = peers[at - 7]
            message = "peer_id %d: 2 times in peers, must be once" % twice[at]
            assert message_of(ValueError, lambda: Config(peers[at - 7], twice, 1)) == message, name
            assert message_of(ValueError, lambda: Config(peers[at - 8], twice, 1)) == message, name
        assert message_of(ValueError, lambda: Config(4, peers, 1)) == "peer_id 4: 0 times in peers, must be once", name


def microseconds(call, least):
    """Return how long a call takes, by as many as take so long together."""
    now, since = stopwatch()
    calls = took = 0
    start = now()
    while took < least:
        call()
        calls += 1
        took = since(now(), start)
    return took // calls


def stopwatch():
    """Return a function that gives the time in us, and one that gives the difference of two times."""
    try:
        import time
    except ImportError:
        raise Skip("this runtime has no time") from None
    if hasattr(time, "ticks_us"):
        return time.ticks_us, time.ticks_diff
    if hasattr(time, "process_time"):
        return lambda: int(time.process_time() * 1000000), lambda later, earlier: later - earlier
    return lambda: time.monotonic_ns() // 1000, lambda later, earlier: later - earlier  # CircuitPython


def is_in_proportion(few, many):
    """Tell whether many, four times as much work, takes less than nine times as long as few.

    In proportion to n * log(n) it takes five times as long, in proportion to n * n sixteen times. What else the computer does
    only adds to a time. So the shortest one of several counts.
    """
    shortest = [1 << 29, 1 << 29]
    for _ in range(100):
        of_many = microseconds(many, 2000)  # some clocks tick once in a ms
        shortest = [min(shortest[0], microseconds(few, max(2000, of_many))), min(shortest[1], of_many)]  # both are interrupted as often
        if shortest[1] < 9 * shortest[0]:
            return True
    return False


def refused(peer_id, peers):
    """Return a call that makes a Config with a wrong value."""
    return lambda: message_of(ValueError, lambda: Config(peer_id, peers, 1))


def test_the_time_grows_with_the_number_of_peers_whatever_their_order():
    for step in (1, 7, 65537):
        few = dict(orders([step * i for i in range(FEW)]))
        for name, peers in orders([step * i for i in range(MANY)]):
            others = few[name]
            assert is_in_proportion(lambda: Config(0, others, 1), lambda: Config(0, peers, 1)), (name, step)


def test_ids_that_share_many_a_divisor_take_little_longer():
    """What finds an id quickly takes its remainder: 255,255 is 3 * 5 * 7 * 11 * 13 * 17."""
    for count in (250, FEW):
        plain, unlucky = [[step * i for i in range(count)] for step in (7, 255255)]
        assert is_in_proportion(lambda: Config(0, plain, 1), lambda: Config(0, unlucky, 1)), count


def test_the_time_to_find_a_wrong_value_grows_with_the_number_of_peers():
    few = dict(orders([7 * i for i in range(FEW)]))
    for name, peers in orders([7 * i for i in range(MANY)]):
        others = few[name]
        assert is_in_proportion(refused(3, others), refused(3, peers)), name
        twice = [each[:-1] + [each[len(each) // 2]] for each in (others, peers)]
        assert is_in_proportion(refused(7, twice[0]), refused(7, twice[1])), name
    assert is_in_proportion(refused(5, [5] * FEW), refused(5, [5] * MANY))


RULES = (
    # peers, majority, byzantine, everyone
    (1, 1, 1, 1),
    (2, 2, 2, 2),
    (3, 2, 3, 3),
    (4, 3, 3, 4),
    (5, 3, 4, 5),
    (6, 4, 5, 6),
    (7, 4, 5, 7),
    (10, 6, 7, 10),
    (64, 33, 43, 64),
    (200, 101, 134, 200),
)


def test_quorum_rules():
    for count, most, two_thirds, all_of_them in RULES:
        for rule, quorum in ((majority, most), (byzantine, two_thirds), (everyone, all_of_them)):
            assert rule(count) == quorum
            assert Config(0, range(count), rule).quorum == quorum
    assert Config(0, range(9), lambda count: count - 2).quorum == 7


def test_quorum_rules_are_the_least_that_hold():
    for count in range(1, 1001):
        assert 2 * majority(count) > count >= 2 * (majority(count) - 1)
        assert 3 * byzantine(count) > 2 * count >= 3 * (byzantine(count) - 1)
