"""What the tests of the machine share: its results, rosters, ids that nobody expects, chance, and snapshots."""

import sys

from faction import (
    ACCEPTED,
    BROADCAST_READY,
    CONCLUDED,
    CONCLUDED_BOOTSTRAPPED,
    CONCLUDED_TIMED_OUT,
    DUPLICATE,
    LOCAL_COMPLETED,
    NO_PEER,
    NON_MEMBER,
    NOT_ADMISSIBLE,
    NOTHING_OBSERVED,
    PARTICIPATION_ACCEPTED,
    READY_ACCEPTED,
    REJECTED,
    UNKNOWN_COMMAND,
    WITHDRAWAL_ACCEPTED,
)

# The results that a machine gives: what was accepted, and what was rejected and why.
HEARD = ACCEPTED | PARTICIPATION_ACCEPTED
READY = ACCEPTED | READY_ACCEPTED
LAST_READY = READY | CONCLUDED_BOOTSTRAPPED
LOCAL = ACCEPTED | LOCAL_COMPLETED | BROADCAST_READY
LAST_LOCAL = LOCAL | CONCLUDED_BOOTSTRAPPED
LATE = ACCEPTED | CONCLUDED_TIMED_OUT
WITHDRAWN = ACCEPTED | WITHDRAWAL_ACCEPTED
AGAIN = REJECTED | DUPLICATE
STRANGER = REJECTED | NON_MEMBER
REFUSED = REJECTED | NOT_ADMISSIBLE
CLOSED = REJECTED | CONCLUDED
UNKNOWN = REJECTED | UNKNOWN_COMMAND
NOTHING = REJECTED | NOTHING_OBSERVED

MAX_ID = 0x3FFFFFFF  # the greatest legal id


def of_boards(name):
    """Return a module of boards/common; None where it is not. By hand it is found from the root of the checkout."""
    sys.path.append("boards/common")
    try:
        return __import__(name)
    except ImportError:
        return None


def contiguous(count, first=0):
    """Return count ids in a row."""
    return tuple(range(first, first + count))


def sparse(count):
    """Return count ids with gaps that grow; the last is the greatest legal one."""
    return tuple([i * (i + 3) + 1 for i in range(count - 1)] + [MAX_ID])


def shuffled(ids):
    """Return the ids in an order of no order; for any number of them that seven does not divide."""
    return [ids[i * 7 % len(ids)] for i in range(len(ids))]


def rosters(count):
    """Return rosters of count peers that differ in where they begin, in gaps and in order."""
    return [
        contiguous(count),
        shuffled(contiguous(count, 5)),
        contiguous(count, MAX_ID - count + 1),
        sparse(count),
        shuffled(sparse(count)),
    ]


def hostile_ints():
    """Return ints from both sides of the limits of machine words, as far as the port has them."""
    found = []
    for exponent in (30, 31, 64, 70):
        try:
            found += [1 << exponent, -(1 << exponent)]
        except OverflowError:  # a port without big ints
            break
    return tuple(found)


HOSTILE = hostile_ints()


def strangers(ids):
    """Return ids that are not in the roster: next to its ends, in its last gap, and hostile ones."""
    low, high = min(ids), max(ids)
    near = (NO_PEER, low - 1, high - 1, high + 1, low + len(ids))
    return tuple([i for i in near if i not in ids]) + HOSTILE


def own_ids(ids):
    """Return the first id, one in the middle, of odd position, and the last; each once."""
    ids = sorted(ids)
    return sorted({ids[0], ids[min(len(ids) // 2 | 1, len(ids) - 1)], ids[-1]})


def snapshot(machine):
    """Return all that a machine shows."""
    return (
        machine.state,
        machine.is_concluded,
        machine.is_pinging_completed,
        machine.pinging.count,
        tuple(machine.pinging),
        machine.collecting.count,
        tuple(machine.collecting),
    )


def message_of(kind, call):
    """Return the message of the exception that call must raise."""
    try:
        call()
    except kind as error:
        return str(error)
    raise AssertionError("%s was not raised" % kind.__name__)


class Chance:
    """The same random numbers on every port, made of small ints alone."""

    def __init__(self, seed):
        self._value = seed % 65536 + 1

    def below(self, limit):
        """Return a number from 0 to limit - 1; limit is far below 65536."""
        self._value = self._value * 75 % 65537
        return self._value % limit

    def one_of(self, values):
        """Return one of the values."""
        return values[self.below(len(values))]


class Counter:
    """A plain observer of machines, without observe_conflict: counts, and allocates nothing."""

    def __init__(self):
        self.accepted = self.probed = self.rejected = 0

    def observe(self, machine, command, peer_id, previous_state, result):
        self.accepted += 1

    def observe_query(self, machine):
        self.probed += 1

    def observe_rejection(self, machine, command, peer_id, result):
        self.rejected += 1
