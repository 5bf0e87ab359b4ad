"""Nothing that is called allocation-free allocates. The witnesses see it: see witness.py."""

import gc

from faction import (
    BOOTSTRAPPED,
    COLLECTING,
    DEADLINE_EXPIRED,
    INITIAL,
    LOCAL_PARTICIPATION_COMPLETED,
    NO_PEER,
    PARTICIPATION_OBSERVED,
    PINGING,
    PROBE,
    READY_OBSERVED,
    TIMED_OUT,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
    byzantine,
    everyone,
    majority,
)
from faction.journal import Journal
from faction.observer import Observer, Observers
from helpers import HOSTILE, MAX_ID, Counter, contiguous, shuffled, snapshot, sparse
from witness import HAS_COUNT, left_behind, locked, need_count, need_gauge, need_lock, spent

NOT_ON = ("micropython",)  # see tests/README.md

COMMANDS = tuple(range(-1, WITHDRAWAL_OBSERVED + 2)) + HOSTILE
STATES = (INITIAL, PINGING, COLLECTING, BOOTSTRAPPED, TIMED_OUT)


# What follows runs with the heap locked, or counted: no *args, no bound methods, no frame of more than eleven slots.


def enter(machine, state):
    """Bring a machine with a quorum of three into a state; peers[1] is not us and joins both sets on the way."""
    machine.reset()
    if state == INITIAL:
        return
    machine.process(PARTICIPATION_OBSERVED, machine.config.peers[1])
    machine.process(READY_OBSERVED, machine.config.peers[1])
    if state > PINGING:
        machine.process(LOCAL_PARTICIPATION_COMPLETED)
    if state == BOOTSTRAPPED:
        machine.process(READY_OBSERVED, machine.config.peers[2])
    elif state == TIMED_OUT:
        machine.process(DEADLINE_EXPIRED)


def read(machine, command, peer_id):
    """Call every reader."""
    machine.admits(command, peer_id)
    machine.admits(command)
    machine.admissible()
    machine.config.index(peer_id)
    machine.pinging.has(peer_id)
    machine.collecting.has(peer_id)
    return machine.pinging.count + machine.collecting.count


def step(machine, command, peer_id):
    """Read, process, and read again."""
    read(machine, command, peer_id)
    machine.process(command, peer_id)
    read(machine, command, peer_id)


def enter_and_step(machine, state, pair):
    """Do one command, with its peer, in that state."""
    enter(machine, state)
    step(machine, pair[0], pair[1])


def sweep(machine, state, peer_ids):
    """Do every command with every one of the peers, each in that state."""
    for command in COMMANDS:
        for peer_id in peer_ids:
            enter(machine, state)
            step(machine, command, peer_id)


def hear(machine, command):
    """Do a command with every peer, and again."""
    for peer_id in machine.config.peers:
        machine.process(command, peer_id)
        machine.process(command, peer_id)


def run(machine, _state, _peer_id):
    """Hear that everybody takes part, complete our own part, and hear that everybody is ready."""
    machine.reset()
    hear(machine, PARTICIPATION_OBSERVED)
    machine.process(LOCAL_PARTICIPATION_COMPLETED)
    hear(machine, READY_OBSERVED)
    machine.process(PROBE)
    machine.process(DEADLINE_EXPIRED)


def rules(count, _state, _peer_id):
    """Apply the quorum rules."""
    return majority(count) + byzantine(count) + everyone(count)


# End of what runs with the heap locked.


def rosters_of(count):
    """Return the rosters of so many peers: contiguous from 0, contiguous up to the greatest id, and sparse."""
    return contiguous(count), contiguous(count, MAX_ID - count + 1), shuffled(sparse(count))


def machines(peers, observer):
    """Return two machines over the peers: of a quorum of three for enter, and of all peers for run."""
    ids = sorted(peers)
    return Faction(Config(ids[0], peers, 3), observer), Faction(Config(ids[-1], peers, len(ids)), observer)


def telling_ids(peers):
    """Return ids to try: from all over the roster, and strangers of every size."""
    ids = sorted(peers)
    middle = ids[len(ids) // 2]
    return (ids[0], ids[1], middle, ids[-2], ids[-1], NO_PEER, ids[0] - 1, middle + 1, ids[-1] + 1) + HOSTILE


def _check_locked(count, make_observer):
    need_lock()
    for peers in rosters_of(count):
        gc.collect()
        small, full = machines(peers, make_observer())
        peer_ids = telling_ids(peers)
        for state in STATES:
            enter(small, state)
            assert small.state == state
            locked(sweep, small, state, peer_ids)
        locked(run, full, 0, 0)
        assert full.state == BOOTSTRAPPED
        assert snapshot(full)[3:] == (count, tuple(sorted(peers)), count, tuple(sorted(peers)))


def _check_counted(count, make_observer):
    need_count()
    assert spent(lambda a, b, c: [a, b, c], 0, 0, 0) > 0  # the count counts
    for peers in rosters_of(count):
        small, full = machines(peers, make_observer())
        for peer_id in telling_ids(peers):
            for command in COMMANDS:
                for state in STATES:
                    assert spent(enter_and_step, small, state, (command, peer_id)) == 0, (state, command, peer_id)
        assert spent(run, full, 0, 0) == 0


def _check_gauged(count, make_observer):
    need_gauge()
    assert left_behind(lambda a, b, c: [a, b, c], 0, 0, 0) > 0  # the gauge shows what is garbage already
    for peers in rosters_of(count):
        small, full = machines(peers, make_observer())
        peer_ids = telling_ids(peers)
        for state in STATES:
            assert left_behind(sweep, small, state, peer_ids) == 0, state
        assert left_behind(run, full, 0, 0) == 0


def test_the_lock_catches_an_allocation():
    need_lock()
    for allocate in (lambda a, b, c: [a, b, c], lambda a, b, c: a + b, lambda a, b, c: bytearray(c)):
        try:
            locked(allocate, HOSTILE[-1], 1, 8)
        except MemoryError:
            continue
        raise AssertionError("allocated with the heap locked")


def test_5_peers_locked():
    _check_locked(5, lambda: None)


def test_64_peers_locked():
    _check_locked(64, lambda: None)


def test_1000_peers_locked():
    _check_locked(1000, lambda: None)


def test_5_peers_observed_locked():
    _check_locked(5, Counter)


def test_64_peers_observed_locked():
    _check_locked(64, Counter)


def test_1000_peers_observed_locked():
    _check_locked(1000, Counter)


def test_5_peers_counted():
    _check_counted(5, lambda: None)


def test_1000_peers_counted():
    _check_counted(1000, lambda: None)


def test_5_peers_observed_counted():
    _check_counted(5, Counter)


def test_1000_peers_observed_counted():
    _check_counted(1000, Counter)


def test_5_peers_gauged():
    _check_gauged(5, lambda: None)


def test_64_peers_observed_gauged():
    _check_gauged(64, Counter)


def test_quorum_rules_allocate_nothing():
    need_lock()
    for count in (1, 5, 64, 1000):
        assert locked(rules, count, 0, 0) == majority(count) + byzantine(count) + everyone(count)
        if HAS_COUNT:
            assert spent(rules, count, 0, 0) == 0


def test_observers_add_no_allocation():
    need_lock()
    first, second = Counter(), Counter()
    small, full = machines(sparse(64), Observers(first, Observer(), second))
    for state in STATES:
        locked(sweep, small, state, telling_ids(sparse(64)))
    locked(run, full, 0, 0)
    assert (first.accepted, first.probed, first.rejected) == (second.accepted, second.probed, second.rejected)
    assert first.accepted and first.probed and first.rejected


def test_observers_leave_nothing_behind():
    _check_gauged(5, lambda: Observers(Counter(), Observer(), Counter()))


def journal_run(machine, journal, peer_id):
    """Record a whole run, then all over again."""
    run(machine, 0, 0)
    journal.clear()
    run(machine, 0, 0)
    machine.process(HOSTILE[0], peer_id)


def waver(machine, journal, peer_id):
    """Record a run in which some peers are ready and then are not, again and again, and others are refused."""
    machine.reset()
    journal.clear()
    for _ in range(4):
        hear(machine, PARTICIPATION_OBSERVED)
        hear(machine, WITHDRAWAL_OBSERVED)
        machine.process(HOSTILE[0], peer_id)
    machine.process(LOCAL_PARTICIPATION_COMPLETED)
    for _ in range(4):
        machine.process(READY_OBSERVED, machine.config.peers[1])
        machine.process(WITHDRAWAL_OBSERVED, machine.config.peers[1])


def test_a_journal_records_without_allocating():
    need_lock()
    for peers in rosters_of(5) + rosters_of(100):
        gc.collect()
        config = Config(peers[0], peers, len(peers))
        for rejections in (0, 1, 7):
            journal = Journal(config, rejections)
            machine = Faction(config, journal)
            locked(journal_run, machine, journal, HOSTILE[-1])
            assert len(journal) == 2 * len(peers)  # our own readiness comes with our completion
            assert list(journal.rejections())[-1:] == ([(len(journal), HOSTILE[0], HOSTILE[-1], 0x2002)] if rejections else [])
            locked(waver, machine, journal, HOSTILE[-1])
            assert journal.folded > 2 * len(peers) and journal.lost == 0


def test_a_journal_records_without_allocating_counted():
    need_count()
    for peers in rosters_of(5) + rosters_of(200):
        config = Config(peers[0], peers, len(peers))
        for rejections in (0, 7):
            journal = Journal(config, rejections)
            machine = Faction(config, journal)
            assert spent(journal_run, machine, journal, HOSTILE[-1]) == 0
            assert spent(waver, machine, journal, HOSTILE[-1]) == 0
            assert journal.folded
