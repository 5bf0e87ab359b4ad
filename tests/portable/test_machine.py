"""Every cell of the machine, for every kind of peer, against a table written out here."""

import gc

from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    COLLECTING,
    DEADLINE_EXPIRED,
    INITIAL,
    LOCAL_PARTICIPATION_COMPLETED,
    NO_PEER,
    PARTICIPATION_OBSERVED,
    PINGING,
    PROBE,
    PROBED,
    READY_OBSERVED,
    TIMED_OUT,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
)
from faction.machine import TABLE
from faction.observer import Observer
from helpers import (
    AGAIN,
    CLOSED,
    HEARD,
    HOSTILE,
    LAST_LOCAL,
    LAST_READY,
    LATE,
    LOCAL,
    NOTHING,
    READY,
    REFUSED,
    STRANGER,
    UNKNOWN,
    WITHDRAWN,
    Chance,
    own_ids,
    rosters,
    snapshot,
    strangers,
)

# A standing is a state and how many readinesses the quorum lacks, our own counted as if it were there.
# One row each: the answers to the six commands, and the state that follows them if it is another.
# An answer to a command about a peer is one to a member that has not been heard of, with WITHDRAWAL_OBSERVED to one
# that has; ANSWERS_TO_OTHERS has the rest.
EXPIRED = (LATE, TIMED_OUT)
# fmt: off
CELLS = (
    # standing           PARTICIPATION     READY                       LOCAL                       DEADLINE   PROBE      WITHDRAWAL
    ((INITIAL, 0),      ((HEARD, PINGING), (READY, PINGING),           (LAST_LOCAL, BOOTSTRAPPED), EXPIRED,   (PROBED,), (REFUSED,))),
    ((INITIAL, 1),      ((HEARD, PINGING), (READY, PINGING),           (LOCAL, COLLECTING),        EXPIRED,   (PROBED,), (REFUSED,))),
    ((PINGING, 0),      ((HEARD,),         (READY,),                   (LAST_LOCAL, BOOTSTRAPPED), EXPIRED,   (PROBED,), (WITHDRAWN,))),
    ((PINGING, 1),      ((HEARD,),         (READY,),                   (LOCAL, COLLECTING),        EXPIRED,   (PROBED,), (WITHDRAWN,))),
    ((COLLECTING, 2),   ((REFUSED,),       (READY,),                   (REFUSED,),                 EXPIRED,   (PROBED,), (WITHDRAWN,))),
    ((COLLECTING, 1),   ((REFUSED,),       (LAST_READY, BOOTSTRAPPED), (REFUSED,),                 EXPIRED,   (PROBED,), (WITHDRAWN,))),
    ((BOOTSTRAPPED, 0), ((CLOSED,),        (CLOSED,),                  (CLOSED,),                  (CLOSED,), (PROBED,), (CLOSED,))),
    ((TIMED_OUT, 0),    ((CLOSED,),        (CLOSED,),                  (CLOSED,),                  (CLOSED,), (PROBED,), (CLOSED,))),
    ((TIMED_OUT, 1),    ((CLOSED,),        (CLOSED,),                  (CLOSED,),                  (CLOSED,), (PROBED,), (CLOSED,))),
)

ANSWERS_TO_OTHERS = (
    # state          PARTICIPATION_OBSERVED of    READY_OBSERVED of            WITHDRAWAL_OBSERVED of
    #                a member again, a stranger   a member again, a stranger   a member that is in no set, ourselves, a stranger
    (INITIAL,        AGAIN,          STRANGER,    AGAIN,          STRANGER,    REFUSED,                    REFUSED,   REFUSED),
    (PINGING,        AGAIN,          STRANGER,    AGAIN,          STRANGER,    NOTHING,                    REFUSED,   STRANGER),
    (COLLECTING,     REFUSED,        REFUSED,     AGAIN,          STRANGER,    NOTHING,                    REFUSED,   STRANGER),
    (BOOTSTRAPPED,   CLOSED,         CLOSED,      CLOSED,         CLOSED,      CLOSED,                     CLOSED,    CLOSED),
    (TIMED_OUT,      CLOSED,         CLOSED,      CLOSED,         CLOSED,      CLOSED,                     CLOSED,    CLOSED),
)
# fmt: on

UNKNOWN_COMMANDS = (-1, -2, -5, -6, -30, 6, 7, 8, 25, 30, 0x4000, 0x20000, 0x3FFFFFFF) + HOSTILE


class Stand:
    """A machine that stands in a given way, and what it then has to show.

    Every other member of the roster, from the first, has been heard and is ready, except in INITIAL.
    """

    def __init__(self, peer_id, peers, state, lacking):
        ids = sorted(peers)
        self.known = ids[::2] if state != INITIAL else []
        self.state = state
        self.is_local_done = state in (COLLECTING, BOOTSTRAPPED) or (state == TIMED_OUT and lacking > 0)
        self.quorum = len(set(self.known + [peer_id])) + lacking
        self.peer_id = peer_id
        self.pinging = set(self.known)
        self.collecting = set(self.known + [peer_id] if self.is_local_done else self.known)
        self.machine = None
        if self.quorum <= len(ids):
            self.machine = Faction(Config(peer_id, peers, self.quorum))
            self.restore()
            assert snapshot(self.machine) == self.shown()

    def restore(self):
        """Bring the machine back from wherever it is."""
        machine = self.machine
        machine.reset()
        for peer_id in self.known:
            machine.process(PARTICIPATION_OBSERVED, peer_id)
            machine.process(READY_OBSERVED, peer_id)
        if self.is_local_done:
            machine.process(LOCAL_PARTICIPATION_COMPLETED)
        if self.state == TIMED_OUT:
            machine.process(DEADLINE_EXPIRED)

    def shown(self):
        """Return the snapshot that the machine has to give here."""
        return _shown(self.state, self.is_local_done, self.pinging, self.collecting)

    def shown_after(self, command, peer_id, state):
        """Return the snapshot that the machine has to give when it has accepted the command."""
        pinging, collecting = set(self.pinging), set(self.collecting)
        is_local = command == LOCAL_PARTICIPATION_COMPLETED
        if command == PARTICIPATION_OBSERVED:
            pinging.add(peer_id)
        elif command == READY_OBSERVED or is_local:
            collecting.add(self.peer_id if is_local else peer_id)
        elif command == WITHDRAWAL_OBSERVED:
            pinging.discard(peer_id)
            collecting.discard(peer_id)
        return _shown(state, self.is_local_done or is_local, pinging, collecting)


def _shown(state, is_local_done, pinging, collecting):
    is_concluded = state == BOOTSTRAPPED or state == TIMED_OUT
    pinging, collecting = tuple(sorted(pinging)), tuple(sorted(collecting))
    return state, is_concluded, is_local_done, len(pinging), pinging, len(collecting), collecting


def _check_standings(some_rosters, newcomers):
    """Check every cell for each of the rosters, with so many of the members that are new to a set."""
    for peers in some_rosters:
        outsiders = strangers(peers)
        for peer_id in own_ids(peers):
            for (state, lacking), answers in CELLS:
                gc.collect()
                stand = Stand(peer_id, peers, state, lacking)
                if stand.machine:
                    _check_answers(stand, answers, newcomers)
                    _check_refusals(stand, outsiders)


def _check_answers(stand, answers, newcomers):
    for command, answer in enumerate(answers):
        takes_peer = command <= READY_OBSERVED or command == WITHDRAWAL_OBSERVED
        peer_ids = _some(_telling(stand, command), newcomers) if takes_peer else (NO_PEER, stand.peer_id, HOSTILE[0])
        for peer_id in peer_ids:
            _check_answer(stand, command, peer_id, answer[0], answer[-1] if len(answer) > 1 else stand.state)


def _telling(stand, command):
    """Return the members that are new to the set of a command, or the others that may leave both."""
    if command == WITHDRAWAL_OBSERVED:
        return [i for i in stand.known if i != stand.peer_id]
    known = stand.collecting if command == READY_OBSERVED else stand.pinging
    return [i for i in stand.machine.config.peers if i not in known]


def _some(values, count):
    """Return the last of the values and others from all over them: count at most."""
    return values[:: -max(1, len(values) // count)][:count]


def _check_answer(stand, command, peer_id, answer, state):
    machine = stand.machine
    assert machine.process(command, peer_id) == answer, (stand.state, command, peer_id)
    if answer & ACCEPTED:
        assert snapshot(machine) == stand.shown_after(command, peer_id, state), (stand.state, command, peer_id)
        stand.restore()
    else:
        assert snapshot(machine) == stand.shown(), (stand.state, command, peer_id)


def _check_refusals(stand, outsiders):
    process = stand.machine.process
    _, heard_again, heard_stranger, ready_again, ready_stranger, unheard_gone, we_gone, stranger_gone = ANSWERS_TO_OTHERS[stand.state]
    for peer_id in stand.known:
        assert process(PARTICIPATION_OBSERVED, peer_id) == heard_again, peer_id
    for peer_id in stand.collecting:
        assert process(READY_OBSERVED, peer_id) == ready_again, peer_id
    for peer_id in outsiders:
        assert process(PARTICIPATION_OBSERVED, peer_id) == heard_stranger, peer_id
        assert process(READY_OBSERVED, peer_id) == ready_stranger, peer_id
        assert process(WITHDRAWAL_OBSERVED, peer_id) == stranger_gone, peer_id
    for peer_id in stand.machine.config.peers:
        if peer_id == stand.peer_id or peer_id not in stand.known:
            expected = we_gone if peer_id == stand.peer_id else unheard_gone
            assert process(WITHDRAWAL_OBSERVED, peer_id) == expected, peer_id
    assert snapshot(stand.machine) == stand.shown()
    for command in UNKNOWN_COMMANDS:
        assert process(command) == process(command, stand.peer_id) == process(command, outsiders[-1]) == UNKNOWN, command
    assert snapshot(stand.machine) == stand.shown()


def test_cells_of_1_peer():
    _check_standings(rosters(1), 1)


def test_cells_of_5_peers():
    _check_standings(rosters(5), 5)


def test_cells_of_31_peers():
    _check_standings(rosters(31), 3)


def test_cells_of_64_peers():
    _check_standings(rosters(64)[1::3], 3)  # contiguous and sparse, neither sorted


def test_cells_of_200_peers():
    _check_standings(rosters(200)[1::3], 2)  # contiguous and sparse, neither sorted


# The same 30 cells as machine.py has to write them: the answer to a member whom the command can move, the state
# that follows (0: none) and whether the quorum is checked.
TABLE_SPELLED_OUT = (
    (INITIAL, PARTICIPATION_OBSERVED, HEARD, PINGING, False),
    (INITIAL, READY_OBSERVED, READY, PINGING, False),
    (INITIAL, LOCAL_PARTICIPATION_COMPLETED, LOCAL, COLLECTING, True),
    (INITIAL, DEADLINE_EXPIRED, LATE, TIMED_OUT, False),
    (INITIAL, PROBE, PROBED, 0, False),
    (INITIAL, WITHDRAWAL_OBSERVED, REFUSED, 0, False),
    (PINGING, PARTICIPATION_OBSERVED, HEARD, 0, False),
    (PINGING, READY_OBSERVED, READY, 0, False),
    (PINGING, LOCAL_PARTICIPATION_COMPLETED, LOCAL, COLLECTING, True),
    (PINGING, DEADLINE_EXPIRED, LATE, TIMED_OUT, False),
    (PINGING, PROBE, PROBED, 0, False),
    (PINGING, WITHDRAWAL_OBSERVED, WITHDRAWN, 0, False),
    (COLLECTING, PARTICIPATION_OBSERVED, REFUSED, 0, False),
    (COLLECTING, READY_OBSERVED, READY, 0, True),
    (COLLECTING, LOCAL_PARTICIPATION_COMPLETED, REFUSED, 0, False),
    (COLLECTING, DEADLINE_EXPIRED, LATE, TIMED_OUT, False),
    (COLLECTING, PROBE, PROBED, 0, False),
    (COLLECTING, WITHDRAWAL_OBSERVED, WITHDRAWN, 0, False),
    (BOOTSTRAPPED, PARTICIPATION_OBSERVED, CLOSED, 0, False),
    (BOOTSTRAPPED, READY_OBSERVED, CLOSED, 0, False),
    (BOOTSTRAPPED, LOCAL_PARTICIPATION_COMPLETED, CLOSED, 0, False),
    (BOOTSTRAPPED, DEADLINE_EXPIRED, CLOSED, 0, False),
    (BOOTSTRAPPED, PROBE, PROBED, 0, False),
    (BOOTSTRAPPED, WITHDRAWAL_OBSERVED, CLOSED, 0, False),
    (TIMED_OUT, PARTICIPATION_OBSERVED, CLOSED, 0, False),
    (TIMED_OUT, READY_OBSERVED, CLOSED, 0, False),
    (TIMED_OUT, LOCAL_PARTICIPATION_COMPLETED, CLOSED, 0, False),
    (TIMED_OUT, DEADLINE_EXPIRED, CLOSED, 0, False),
    (TIMED_OUT, PROBE, PROBED, 0, False),
    (TIMED_OUT, WITHDRAWAL_OBSERVED, CLOSED, 0, False),
)


def test_the_table_of_the_machine_is_the_one_of_the_specification():
    assert len(TABLE) == len(TABLE_SPELLED_OUT) == 30
    for state, command, answer, following, checks_quorum in TABLE_SPELLED_OUT:
        assert TABLE[state * 6 + command] == answer | following << 16 | checks_quorum << 19, (state, command)


def test_readiness_before_our_own_never_concludes():
    for peers in rosters(31):
        for quorum in (1, 2, 31):
            machine = Faction(Config(peers[0], peers, quorum))
            for peer_id in peers:
                assert machine.process(READY_OBSERVED, peer_id) == READY
            assert (machine.state, machine.collecting.count) == (PINGING, 31)
            assert machine.process(LOCAL_PARTICIPATION_COMPLETED) == LAST_LOCAL
            assert (machine.state, machine.collecting.count) == (BOOTSTRAPPED, 31)


def test_every_quorum_is_reached_by_that_many_and_no_fewer():
    for peers in rosters(5) + rosters(31)[2:4]:
        others = [i for i in peers if i != peers[1]]
        for quorum in range(2, len(peers) + 1):
            machine = Faction(Config(peers[1], peers, quorum))
            answers = [machine.process(LOCAL_PARTICIPATION_COMPLETED)]
            answers += [machine.process(READY_OBSERVED, i) for i in others]
            late = len(peers) - quorum
            assert answers == [LOCAL] + [READY] * (quorum - 2) + [LAST_READY] + [CLOSED] * late, quorum


def test_a_readiness_that_was_withdrawn_counts_again_later():
    for peers in rosters(5) + rosters(31)[2:4]:
        others = [i for i in peers if i != peers[1]]
        machine = Faction(Config(peers[1], peers, len(peers)))
        for peer_id in others:
            assert machine.process(READY_OBSERVED, peer_id) == READY
        assert [machine.process(WITHDRAWAL_OBSERVED, i) for i in others[1:]] == [WITHDRAWN] * (len(others) - 1)
        assert (machine.state, machine.collecting.count) == (PINGING, 1)
        assert machine.process(LOCAL_PARTICIPATION_COMPLETED) == LOCAL
        for _ in range(3):
            assert [machine.process(READY_OBSERVED, i) for i in others[1:-1]] == [READY] * (len(others) - 2)
            assert [machine.process(WITHDRAWAL_OBSERVED, i) for i in others[1:-1]] == [WITHDRAWN] * (len(others) - 2)
            assert (machine.state, machine.collecting.count) == (COLLECTING, 2)
        assert [machine.process(READY_OBSERVED, i) for i in others[1:]] == [READY] * (len(others) - 2) + [LAST_READY]
        assert [machine.process(WITHDRAWAL_OBSERVED, i) for i in others] == [CLOSED] * len(others)
        assert (machine.state, machine.collecting.count) == (BOOTSTRAPPED, len(peers))


def test_a_machine_from_which_all_is_withdrawn_stays_pinging():
    machine = Faction(Config(0, (0, 1, 2), 2))
    machine.process(PARTICIPATION_OBSERVED, 1)
    assert machine.process(WITHDRAWAL_OBSERVED, 1) == WITHDRAWN
    assert snapshot(machine) == (PINGING, False, False, 0, (), 0, ())
    assert machine.process(LOCAL_PARTICIPATION_COMPLETED) == LOCAL


def test_reset_is_a_new_machine():
    for peers in rosters(64):
        config = Config(peers[9], peers, 64)
        fresh = snapshot(Faction(config))
        assert fresh == (INITIAL, False, False, 0, (), 0, ())
        machine = Faction(config)
        for _ in range(2):
            for peer_id in peers:
                assert machine.process(PARTICIPATION_OBSERVED, peer_id) == HEARD
                assert machine.process(READY_OBSERVED, peer_id) == READY
            assert machine.process(LOCAL_PARTICIPATION_COMPLETED) == LAST_LOCAL
            machine.reset()
            assert snapshot(machine) == fresh


def test_the_express_lane_answers_as_the_general_way_does():
    for count, runs, length in ((5, 40, 30), (64, 6, 300), (200, 3, 900)):
        for peers in (rosters(count)[1], rosters(count)[4]):
            gc.collect()
            for seed in range(runs):
                _compare_ways(peers, Chance(seed * 131 + count), length)


def _compare_ways(peers, chance, length):
    config = Config(chance.one_of(peers), peers, chance.one_of((1, 2, len(peers) // 2 + 1, len(peers))))
    express, general = Faction(config), Faction(config, Observer())  # an observer sends every command the general way
    outsiders = strangers(peers)
    for number in range(length):
        command = chance.one_of((0, 0, 1, 1, 5)) if chance.below(len(peers)) else chance.one_of((2, 2, 3, 4, 6, -1))
        peer_id = chance.one_of(peers if chance.below(8) else outsiders)
        assert express.process(command, peer_id) == general.process(command, peer_id), (number, command, peer_id)
        assert express.state == general.state, (number, command, peer_id)
        if number % 64 == 0:
            assert snapshot(express) == snapshot(general), number
    assert snapshot(express) == snapshot(general)


def test_every_id_of_any_roster_is_counted_once():
    """Ids at random, of which some share a remainder, and the sizes at which a position no longer fits in a byte."""
    for count in (2, 3, 5, 5, 5, 5, 20, 64, 255, 256, 257, 300):
        chance = Chance(count)
        peers = sorted({chance.below(16384) * 65535 + chance.below(16384) for _ in range(count)})
        gc.collect()
        machine = Faction(Config(peers[0], peers, len(peers)))
        machine.process(PARTICIPATION_OBSERVED, peers[0])
        outsiders = [i for each in peers for i in (each - 1, each + 1) if i not in peers] + list(HOSTILE)
        for again in (False, True):
            assert {machine.process(PARTICIPATION_OBSERVED, i) for i in peers[1:]} == {AGAIN if again else HEARD}, count
            assert {machine.process(READY_OBSERVED, i) for i in peers} == {AGAIN if again else READY}, count
            assert {machine.process(READY_OBSERVED, i) for i in outsiders} == {STRANGER}, count
        assert machine.collecting.count == machine.pinging.count == len(peers)


def test_a_machine_without_a_peer_given_takes_it_as_no_peer():
    machine = Faction(Config(0, (0, 1), 2))
    assert machine.process(PARTICIPATION_OBSERVED) == machine.process(READY_OBSERVED) == STRANGER
    assert not machine.admits(PARTICIPATION_OBSERVED)
    assert machine.process(PROBE) == PROBED


def test_sets_are_live_and_ascending():
    machine = Faction(Config(30, [30, 10, 20, 0], 4))
    pinging, collecting = machine.pinging, machine.collecting
    for peer_id in (20, 0, 30):
        machine.process(PARTICIPATION_OBSERVED, peer_id)
    machine.process(READY_OBSERVED, 10)
    assert list(pinging) == [0, 20, 30]
    assert (pinging.count, len(pinging), len(collecting)) == (3, 3, 1)
    assert [pinging.has(i) for i in (0, 10, 20, 30, 15, -1)] == [True, False, True, True, False, False]
    assert 10 in collecting and 20 not in collecting and HOSTILE[-1] not in collecting
    machine.reset()
    assert not list(pinging) and not collecting.count and 10 not in collecting
