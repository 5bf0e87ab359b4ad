"""The journal: what it keeps, what it drops, and the way back from it to the machine."""

import gc

from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    DEADLINE_EXPIRED,
    LOCAL_PARTICIPATION_COMPLETED,
    NO_PEER,
    PARTICIPATION_OBSERVED,
    PROBE,
    READY_OBSERVED,
    REJECTED,
    TIMED_OUT,
    UNKNOWN_COMMAND,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
)
from faction.clock import Clock
from faction.journal import Journal, replay
from faction.node import Node
from faction.transports.loopback import Hub
from helpers import (
    AGAIN,
    CLOSED,
    HEARD,
    HOSTILE,
    LAST_READY,
    LATE,
    LOCAL,
    READY,
    STRANGER,
    WITHDRAWN,
    Chance,
    message_of,
    rosters,
    snapshot,
    strangers,
)

NOT_ON = ("micropython",)  # see tests/README.md


def _recorded(config, commands, rejections=0):
    """Return a machine to which the commands have happened, and its journal."""
    journal = Journal(config, rejections)
    machine = Faction(config, journal)
    for command, peer_id in commands:
        machine.process(command, peer_id)
    return machine, journal


# A run of peer 30 among 10, 20, 30 and 40, with a quorum of three.
COMMANDS = (
    (PROBE, NO_PEER),
    (PARTICIPATION_OBSERVED, 40),
    (PARTICIPATION_OBSERVED, 40),
    (PARTICIPATION_OBSERVED, 5),
    (READY_OBSERVED, 10),
    (READY_OBSERVED, HOSTILE[-1]),
    (LOCAL_PARTICIPATION_COMPLETED, 10),
    (HOSTILE[0], HOSTILE[1]),
    (READY_OBSERVED, 20),
    (DEADLINE_EXPIRED, NO_PEER),
)
RECORDS = [
    (PARTICIPATION_OBSERVED, 40, HEARD),
    (READY_OBSERVED, 10, READY),
    (LOCAL_PARTICIPATION_COMPLETED, NO_PEER, LOCAL),
    (READY_OBSERVED, 20, LAST_READY),
]
REJECTIONS = [
    (1, PARTICIPATION_OBSERVED, 40, AGAIN),
    (1, PARTICIPATION_OBSERVED, 5, STRANGER),
    (2, READY_OBSERVED, HOSTILE[-1], STRANGER),
    (3, HOSTILE[0], HOSTILE[1], REJECTED | UNKNOWN_COMMAND),
    (4, DEADLINE_EXPIRED, NO_PEER, CLOSED),
]


def _config(quorum=3):
    return Config(30, (10, 20, 30, 40), quorum)


def test_the_accepted_commands_are_kept_in_order():
    machine, journal = _recorded(_config(), COMMANDS)
    assert list(journal) == RECORDS
    assert (len(journal), journal.lost, journal.dropped) == (4, 0, 5)
    assert list(journal.rejections()) == []
    assert machine.state == BOOTSTRAPPED


def test_the_latest_rejections_are_kept_in_order():
    for room in range(1, 8):
        _, journal = _recorded(_config(), COMMANDS, room)
        assert list(journal.rejections()) == REJECTIONS[-room:], room
        assert journal.dropped == max(0, len(REJECTIONS) - room)
        assert list(journal) == RECORDS


def test_a_long_stream_of_rejections_goes_round_the_ring():
    _, journal = _recorded(_config(), [(i + 6, -i) for i in range(100)], 7)
    assert list(journal.rejections()) == [(0, i + 6, -i, REJECTED | UNKNOWN_COMMAND) for i in range(93, 100)]
    assert journal.dropped == 93


def test_a_new_journal_is_empty():
    for rejections in (0, 3):
        journal = Journal(_config(), rejections)
        assert (len(journal), journal.lost, journal.dropped) == (0, 0, 0)
        assert list(journal) == [] and list(journal.rejections()) == []
        assert snapshot(replay(_config(), journal)) == snapshot(Faction(_config()))


def test_the_longest_run_fits_and_no_run_is_longer():
    for count in (1, 2, 5, 64, 200):
        for peers in rosters(count)[1:5:3]:
            gc.collect()
            config = Config(peers[0], peers, count)
            rest = [i for i in peers if i != peers[0]]
            commands = [(PARTICIPATION_OBSERVED, i) for i in peers] + [(READY_OBSERVED, i) for i in rest[1:]]
            commands += [(LOCAL_PARTICIPATION_COMPLETED, NO_PEER), (DEADLINE_EXPIRED, NO_PEER)]
            _, journal = _recorded(config, commands + commands)
            assert journal.lost == 0 and len(journal) <= 2 * count + 2
            assert [record[:2] for record in journal][:count] == commands[:count]
            assert snapshot(replay(config, journal)) == snapshot(_recorded(config, commands)[0])


def test_a_journal_has_room_for_exactly_two_commands_a_peer_and_two_more():
    for count in (1, 3, 20):
        config = Config(0, range(count), 1)
        journal = Journal(config)
        for _ in range(2 * count + 2):
            journal.observe(None, LOCAL_PARTICIPATION_COMPLETED, NO_PEER, 0, LOCAL)
        assert (len(journal), journal.lost) == (2 * count + 2, 0)
        journal.observe(None, DEADLINE_EXPIRED, NO_PEER, 0, LATE)
        journal.observe(None, DEADLINE_EXPIRED, NO_PEER, 0, LATE)
        assert (len(journal), journal.lost) == (2 * count + 2, 2)
        assert list(journal)[-1] == (LOCAL_PARTICIPATION_COMPLETED, NO_PEER, LOCAL)


def test_a_second_run_without_clear_is_counted_as_lost_and_not_replayed():
    machine, journal = _recorded(_config(), COMMANDS)
    kept = 2 * 4 + 2
    for _ in range(2):
        machine.reset()
        for command, peer_id in COMMANDS:
            machine.process(command, peer_id)
    assert (len(journal), journal.lost) == (kept, 3 * 4 - kept)
    message = message_of(ValueError, lambda: replay(_config(), journal))
    assert message == "journal: 2 accepted commands are lost; call clear() whenever you reset the machine"


def test_clear_and_reset_begin_a_second_run():
    machine, journal = _recorded(_config(), COMMANDS, 2)
    machine.reset()
    journal.clear()
    assert (len(journal), journal.lost, journal.dropped, list(journal.rejections())) == (0, 0, 0, [])
    assert machine.process(DEADLINE_EXPIRED) == LATE
    assert machine.process(READY_OBSERVED, 10) == CLOSED
    assert list(journal) == [(DEADLINE_EXPIRED, NO_PEER, LATE)]
    assert list(journal.rejections()) == [(1, READY_OBSERVED, 10, CLOSED)]
    assert snapshot(replay(_config(), journal)) == snapshot(machine)
    assert machine.state == TIMED_OUT


def test_clear_forgets_what_was_lost():
    journal = Journal(Config(0, (0,), 1))
    for _ in range(6):
        journal.observe(None, DEADLINE_EXPIRED, NO_PEER, 0, LATE)
    assert journal.lost == 2
    journal.clear()
    assert (journal.lost, len(journal)) == (0, 0)


def test_replay_takes_plain_records_of_any_kind():
    expected = snapshot(_recorded(_config(), COMMANDS)[0])
    for records in (RECORDS, tuple(RECORDS), (record for record in RECORDS), [list(record) for record in RECORDS]):
        assert snapshot(replay(_config(), records)) == expected
    rejected = replay(_config(), [(PROBE, NO_PEER, 4), (READY_OBSERVED, 5, STRANGER)])
    assert snapshot(rejected) == snapshot(Faction(_config()))


def test_a_replayed_machine_goes_on():
    machine = replay(_config(), RECORDS[:3])
    assert machine.observer is None
    assert machine.process(READY_OBSERVED, 10) == AGAIN
    assert machine.process(READY_OBSERVED, 40) == LAST_READY


HINT = "; was it recorded with this configuration?"
DIFFERENT = (
    # our id, peers, quorum, then the message that replaying RECORDS has to end in
    (
        (30, (10, 20, 30), 3),
        "record 0, participation observed of peer 40: recorded as accepted: participation accepted, "
        "replayed as rejected: non-member" + HINT,
    ),
    (
        (30, (10, 20, 30, 40), 2),
        "record 2, local participation completed of peer -1: recorded as accepted: local completed, broadcast ready, "
        "replayed as accepted: local completed, broadcast ready, concluded bootstrapped" + HINT,
    ),
    (
        (30, (10, 20, 30, 40), 4),
        "record 3, ready observed of peer 20: recorded as accepted: ready accepted, concluded bootstrapped, "
        "replayed as accepted: ready accepted" + HINT,
    ),
    (
        (20, (10, 20, 30, 40), 3),
        "record 3, ready observed of peer 20: recorded as accepted: ready accepted, concluded bootstrapped, "
        "replayed as rejected: duplicate" + HINT,
    ),
)


def test_replay_with_another_configuration_says_where_it_differs():
    _, journal = _recorded(_config(), COMMANDS)
    for arguments, message in DIFFERENT:
        config = Config(arguments[0], arguments[1], arguments[2])
        assert message_of(ValueError, lambda: replay(config, journal)) == message


def test_random_runs_replay():
    for count, runs, length in ((3, 30, 40), (64, 4, 400), (200, 1, 1200)):
        for peers in rosters(count)[1:5:3]:
            gc.collect()
            for seed in range(runs):
                _check_random_run(peers, Chance(seed * 57 + count), length)


def _check_random_run(peers, chance, length):
    config = Config(chance.one_of(peers), peers, chance.below(len(peers)) + 1)
    outsiders = strangers(peers)
    journal = Journal(config, 5)
    machine = Faction(config, journal)
    accepted, rejected = [], []
    for _ in range(length):
        command = chance.below(2) if chance.below(len(peers)) else chance.one_of((2, 2, 2, 3, 4, 6))
        peer_id = chance.one_of(peers if chance.below(8) else outsiders)
        result = machine.process(command, peer_id)
        if result & ACCEPTED:
            accepted.append((command, peer_id if command <= READY_OBSERVED else NO_PEER, result))
        elif result & REJECTED:
            rejected = rejected[-4:] + [(len(accepted), command, peer_id, result)]
    assert list(journal) == accepted
    assert list(journal.rejections()) == rejected
    assert snapshot(replay(config, journal)) == snapshot(machine)


# A run of peer 1 among 1, 2 and 3, with a quorum of three, that fills the journal of 8 records.
WAVERING = (
    (WITHDRAWAL_OBSERVED, 2),
    (PARTICIPATION_OBSERVED, 2),
    (PARTICIPATION_OBSERVED, 1),
    (READY_OBSERVED, 2),
    (READY_OBSERVED, 2),
    (PARTICIPATION_OBSERVED, 3),
    (WITHDRAWAL_OBSERVED, 2),
    (WITHDRAWAL_OBSERVED, 2),
    (PARTICIPATION_OBSERVED, 2),
    (WITHDRAWAL_OBSERVED, 3),
    (READY_OBSERVED, 2),
    (WITHDRAWAL_OBSERVED, 1),
)
FULL = [(0, 2), (0, 1), (1, 2), (0, 3), (5, 2), (0, 2), (5, 3), (1, 2)]
FOLDED_ONCE = [(0, 1), (0, 3), (0, 2), (5, 3), (1, 2)]


def test_a_withdrawal_is_a_record_like_another():
    machine, journal = _recorded(Config(1, (1, 2, 3), 3), WAVERING, 4)
    assert [record[:2] for record in journal] == FULL and (journal.folded, journal.lost) == (0, 0)
    assert list(journal)[4] == (WITHDRAWAL_OBSERVED, 2, WITHDRAWN)
    assert [entry[0] for entry in journal.rejections()] == [0, 3, 5, 8]
    assert "folded" not in list(journal.lines())[0]
    assert snapshot(replay(machine.config, journal)) == snapshot(machine)


def test_a_full_journal_leaves_out_the_oldest_withdrawal_and_what_it_took_back():
    machine, journal = _recorded(Config(1, (1, 2, 3), 3), WAVERING, 4)
    machine.process(LOCAL_PARTICIPATION_COMPLETED)
    assert [record[:2] for record in journal] == FOLDED_ONCE + [(LOCAL_PARTICIPATION_COMPLETED, NO_PEER)]
    assert (journal.folded, journal.lost, len(journal)) == (3, 0, 6)
    assert [entry[0] for entry in journal.rejections()] == [0, 1, 2, 5]
    assert list(journal.lines())[0] == "journal 1 id=1 quorum=3 peers=1,2,3 dropped=0 lost=0 folded=3"
    assert snapshot(replay(machine.config, journal)) == snapshot(machine)
    machine.reset()
    journal.clear()
    assert journal.folded == 0


def test_the_time_of_a_record_stays_with_it():
    now = [0]
    journal = Journal(Config(1, (1, 2, 3), 3))
    node = Node(Config(1, (1, 2, 3), 3), Hub().join(), "x", 100000, clock=Clock(lambda: now[0], 0x3FFFFFFF), observer=journal, seed=1)
    journal.follow(node)
    for command, peer_id in WAVERING + ((LOCAL_PARTICIPATION_COMPLETED, NO_PEER),):
        node.poll()
        now[0] += 70
        node.machine.process(command, peer_id)
    commands = [line.split()[1:4] for line in journal.lines() if line.startswith("command")]
    # The first that is left is the third of the run. There are 70 ms between two.
    assert [(int(command), int(peer)) for _, command, peer in commands] == FOLDED_ONCE + [(2, -1)]
    assert [int(cs) for cs, _, _ in commands] == [7 * (i - 2) for i in (2, 5, 8, 9, 10, 12)]
    assert list(journal.lines())[0].endswith("lost=0 age_cs=70 folded=3")


def test_a_run_with_withdrawals_fits_however_long_it_is():
    for count, runs, length in ((1, 3, 60), (2, 20, 200), (3, 20, 300), (9, 8, 500), (64, 2, 1500), (200, 1, 2500)):
        for peers in rosters(count)[1:5:3]:
            gc.collect()
            for seed in range(runs):
                _check_wavering_run(peers, Chance(seed * 91 + count), length)


def _check_wavering_run(peers, chance, length):
    config = Config(chance.one_of(peers), peers, len(peers))
    journal = Journal(config, 3)
    machine = Faction(config, journal)
    accepted = 0
    for number in range(length):
        command = chance.one_of((0, 0, 1, 1, 5, 5, 5)) if chance.below(length) else LOCAL_PARTICIPATION_COMPLETED
        accepted += machine.process(command, chance.one_of(peers)) & ACCEPTED
        assert len(journal) + journal.folded == accepted and journal.lost == 0
        if number % 50 == 0:
            assert snapshot(replay(config, journal)) == snapshot(machine)
    assert len(journal) <= 2 * len(peers) + 2
    assert snapshot(replay(config, journal)) == snapshot(machine)


def test_counts_stop_where_four_times_as_much_is_a_small_int():
    _, journal = _recorded(_config(), [(i + 6, -i) for i in range(21)], 7)
    journal._rejected = 0x0FFFFFFF // 7 * 7  # three rounds of the ring are as many
    for i in range(100):
        journal.observe_rejection(Faction(_config()), i + 6, -i, REJECTED)
    assert [command for _, command, _, _ in journal.rejections()] == list(range(99, 106))
    assert 0x0FFFFFFF - 14 <= journal.dropped <= 0x0FFFFFFF
