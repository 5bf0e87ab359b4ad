"""admits, admissible and admissible_commands, against what process then does, in every state that three peers can reach."""

import gc

from faction import (
    ACCEPTED,
    DEADLINE_EXPIRED,
    INITIAL,
    LOCAL_PARTICIPATION_COMPLETED,
    NO_PEER,
    PARTICIPATION_OBSERVED,
    PROBE,
    PROBED,
    READY_OBSERVED,
    REJECTED,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
)
from helpers import HOSTILE, snapshot, strangers

CONTIGUOUS = (4, 5, 6)
SPARSE = (1, 8, 0x3FFFFFFF)

# How many states there are, by quorum. 1 INITIAL; 64 PINGING, the pairs of sets of three, both empty after a withdrawal;
# TIMED_OUT once for each state that a deadline can end. COLLECTING: 8 sets of pinging for each set of collecting that holds
# us and is below the quorum. BOOTSTRAPPED: 8 for each that holds us and is not.
REACHABLE = ((1, 1 + 64 + 0 + 64 + 8 * 4), (2, 1 + 64 + 8 + 72 + 8 * 3), (3, 1 + 64 + 8 * 3 + 88 + 8 * 1))


def test_every_state_of_three_contiguous_peers():
    _check_every_state(CONTIGUOUS)


def test_every_state_of_three_sparse_peers():
    _check_every_state(SPARSE)


def _check_every_state(ids):
    for peer_id in ids:
        for quorum, count in REACHABLE:
            gc.collect()
            walk = Walk(Config(peer_id, ids, quorum))
            walk.go()
            assert len(walk.ways) == count, (peer_id, quorum, len(walk.ways))


class Walk:
    """Visits every reachable state, nearest first, and checks in each what is said to be admissible."""

    def __init__(self, config):
        self.machine = Faction(config)
        self.ids = tuple(config.peers)
        self.outsiders = strangers(self.ids)
        self.unknown = (-1, 6, 8) + HOSTILE
        self.ways = {self._key(): None}  # the key of a state: the key, command and peer by which it was first reached

    def _key(self):
        """Return an int that stands for everything the machine shows."""
        machine = self.machine
        key = machine.state << 1 | machine.is_pinging_completed
        for peers in (machine.pinging, machine.collecting):
            for peer_id in self.ids:
                key = key << 1 | peers.has(peer_id)
        return key

    def _bring_to(self, key):
        """Take the machine along the way to a state."""
        steps = []
        while self.ways[key]:
            key, command, peer_id = self.ways[key]
            steps.append((command, peer_id))
        self.machine.reset()
        for command, peer_id in reversed(steps):
            self.machine.process(command, peer_id)

    def go(self):
        """Visit every state."""
        ahead = list(self.ways)
        for key in ahead:  # grows at its end while we go
            self._bring_to(key)
            expected = self._admitted_pairs()
            assert list(self.machine.admissible_commands()) == expected
            self._check_admissible(expected)
            self._check_rejections(expected)
            for command, peer_id in expected:
                self._bring_to(key)
                self._check_acceptance(command, peer_id)
                if self._key() not in self.ways:
                    self.ways[self._key()] = key, command, peer_id
                    ahead.append(self._key())

    def _admitted_pairs(self):
        before = snapshot(self.machine)
        pairs = [(c, i) for c in (PARTICIPATION_OBSERVED, READY_OBSERVED) for i in self.ids if self.machine.admits(c, i)]
        pairs += [(c, NO_PEER) for c in (LOCAL_PARTICIPATION_COMPLETED, DEADLINE_EXPIRED, PROBE) if self.machine.admits(c)]
        pairs += [(WITHDRAWAL_OBSERVED, i) for i in self.ids if self.machine.admits(WITHDRAWAL_OBSERVED, i)]
        assert snapshot(self.machine) == before
        return pairs

    def _check_admissible(self, pairs):
        commands = 0
        for command, _ in pairs:
            commands |= 1 << command
        assert self.machine.admissible() == commands
        assert commands & 1 << PROBE

    def _check_acceptance(self, command, peer_id):
        machine = self.machine
        assert machine.process(command, peer_id) & (REJECTED | ACCEPTED | PROBED) == (PROBED if command == PROBE else ACCEPTED)

    def _check_rejections(self, pairs):
        """Check that all but the pairs is refused, and that what takes no peer does not mind one."""
        machine = self.machine
        before = snapshot(machine)
        with_peer = (PARTICIPATION_OBSERVED, READY_OBSERVED, WITHDRAWAL_OBSERVED)
        refused = [(c, i) for c in with_peer for i in self.ids + self.outsiders + (NO_PEER,)]
        refused = [pair for pair in refused if pair not in pairs] + [(c, self.ids[0]) for c in self.unknown]
        for command, peer_id in refused:
            assert not machine.admits(command, peer_id), (command, peer_id)
            assert machine.process(command, peer_id) & (REJECTED | ACCEPTED | PROBED) == REJECTED
        for command in (LOCAL_PARTICIPATION_COMPLETED, DEADLINE_EXPIRED, PROBE):
            admitted = (command, NO_PEER) in pairs
            assert machine.admits(command, self.ids[1]) is machine.admits(command, HOSTILE[-1]) is admitted
            assert admitted or machine.process(command) & REJECTED
        assert snapshot(machine) == before


# Beyond PROBE, which is always admissible: what is, in words that follow the specification. We are 3, the other is 7.
EXAMPLES = (
    # quorum, commands processed, then admissible signals, then what takes no peer, then whose withdrawal
    (2, (), ((0, 3), (0, 7), (1, 3), (1, 7)), (2, 3), ()),
    (2, ((0, 7),), ((0, 3), (1, 3), (1, 7)), (2, 3), (7,)),
    (2, ((0, 7), (0, 3), (1, 3)), ((1, 7),), (2, 3), (7,)),
    (2, ((0, 3), (1, 3)), ((0, 7), (1, 7)), (2, 3), ()),
    (2, ((1, 7), (1, 3)), ((0, 3), (0, 7)), (2, 3), (7,)),
    (2, ((0, 7), (1, 7), (5, 7)), ((0, 3), (0, 7), (1, 3), (1, 7)), (2, 3), ()),
    (2, ((2, -1),), ((1, 7),), (3,), ()),
    (2, ((0, 7), (2, -1)), ((1, 7),), (3,), (7,)),
    (2, ((0, 7), (2, -1), (5, 7)), ((1, 7),), (3,), ()),
    (2, ((2, -1), (1, 7)), (), (), ()),
    (2, ((0, 7), (3, -1)), (), (), ()),
    (1, ((2, -1),), (), (), ()),
)


def test_examples_written_out():
    for quorum, commands, signals, others, gone in EXAMPLES:
        machine = Faction(Config(3, (7, 3), quorum))
        for command, peer_id in commands:
            assert machine.process(command, peer_id) & ACCEPTED, (commands, command)
        expected = list(signals) + [(command, NO_PEER) for command in others + (PROBE,)]
        expected += [(WITHDRAWAL_OBSERVED, peer_id) for peer_id in gone]
        assert list(machine.admissible_commands()) == expected, commands
        assert machine.admissible() == sum({1 << command for command, _ in expected}), commands


def test_a_caller_may_process_while_it_iterates():
    machine = Faction(Config(0, range(5), 5))
    accepted = [pair for pair in machine.admissible_commands() if machine.process(*pair) & ACCEPTED]
    expected = [(c, i) for c in (0, 1) for i in range(5)] + [(LOCAL_PARTICIPATION_COMPLETED, NO_PEER)]
    assert accepted == expected and machine.is_concluded
    machine.reset()
    assert machine.state == INITIAL and machine.admissible() == 0b011111
