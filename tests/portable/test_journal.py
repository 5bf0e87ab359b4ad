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
    Config,
    Faction,
)
from faction.journal import Journal, replay
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
    Chance,
    message_of,
    rosters,
    snapshot,
    strangers,
)


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
    _, journal = _recorded(_config(), [(i + 5, -i) for i in range(100)], 7)
    assert list(journal.rejections()) == [(0, i + 5, -i, REJECTED | UNKNOWN_COMMAND) for i in range(93, 100)]
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
        command = chance.below(2) if chance.below(len(peers)) else chance.one_of((2, 2, 2, 3, 4, 5))
        peer_id = chance.one_of(peers if chance.below(8) else outsiders)
        result = machine.process(command, peer_id)
        if result & ACCEPTED:
            accepted.append((command, peer_id if command <= READY_OBSERVED else NO_PEER, result))
        elif result & REJECTED:
            rejected = rejected[-4:] + [(len(accepted), command, peer_id, result)]
    assert list(journal) == accepted
    assert list(journal.rejections()) == rejected
    assert snapshot(replay(config, journal)) == snapshot(machine)
