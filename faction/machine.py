"""The machine that answers one question: is the cluster ready to proceed?

Theory of operation

 1. A Mealy machine: ``result = machine.process(command, peer_id)``. No I/O, no clock, no randomness,
    no threads. The same commands give the same results, always.
 2. It keeps two sets of peers. *pinging*: members whose participation was observed; *collecting*:
    members whose readiness was. Both only grow, until ``reset``.
 3. A command that carries a peer feeds one of the sets. What cannot feed it is rejected and changes
    nothing: a stranger (NON_MEMBER), a member that is in the set already (DUPLICATE).
 4. LOCAL_PARTICIPATION_COMPLETED says that our own part is done: our id joins *collecting*, and
    BROADCAST_READY in the result asks the caller to announce it now.
 5. The quorum is checked in two places only, neither of them before our own part is done: at LOCAL, and
    at each new READY in COLLECTING. So nobody is bootstrapped before it has finished its own part.
 6. BOOTSTRAPPED and TIMED_OUT are final: they accept nothing but PROBE.
 7. TABLE decides every (state, command) cell: the result, the state that follows, and whether the quorum
    is checked. Documentation, diagram and tests read it; ``process`` obeys it.
 8. All memory is taken by the constructors. Where a docstring says "allocates nothing", that holds for
    every argument, so the call works with the heap locked and may be made by an interrupt handler. One
    context at a time drives a machine: ``process`` is not re-entrant.
 9. ``process`` is an express lane in front of ``_step``. The lane serves the signals that only have to be
    counted; whatever moves the state, is rejected for another reason than DUPLICATE, or is watched by an
    observer takes ``_step``, which is complete by itself.

This file imports ``array`` alone, so it can be copied to a board by itself. MicroPython 1.9 on a micro:bit
runs it, so it does without property, memoryview and f-strings.
"""

from array import array as _array

# MicroPython's compiler replaces const(...) by its value, whatever the name const stands for; CPython calls int. Without
# const this file takes 195 bytes of code and 336 bytes of a 32-bit heap more. "from micropython import const", with a
# fallback for CPython, takes 31 bytes of code more in each file.
const = int
# A condition that the compiler knows to be false, so it leaves the block out. "TYPE_CHECKING = False" would keep it in:
# 117 bytes of code and 256 bytes of heap, for imports that no board runs.
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Callable, Iterable, Iterator

    from .observer import Observer

# States
INITIAL = const(0)
PINGING = const(1)
COLLECTING = const(2)
BOOTSTRAPPED = const(3)
TIMED_OUT = const(4)

# Commands; the first two take a peer id
PARTICIPATION_OBSERVED = const(0)
READY_OBSERVED = const(1)
LOCAL_PARTICIPATION_COMPLETED = const(2)
DEADLINE_EXPIRED = const(3)
PROBE = const(4)

# Results: exactly one kind ...
ACCEPTED = const(0x0001)
REJECTED = const(0x0002)
PROBED = const(0x0004)
# ... with ACCEPTED, what came of it ...
PARTICIPATION_ACCEPTED = const(0x0008)
READY_ACCEPTED = const(0x0010)
LOCAL_COMPLETED = const(0x0020)
BROADCAST_READY = const(0x0040)
CONCLUDED_BOOTSTRAPPED = const(0x0080)
CONCLUDED_TIMED_OUT = const(0x0100)
# ... with REJECTED, why.
DUPLICATE = const(0x0200)
NON_MEMBER = const(0x0400)
NOT_ADMISSIBLE = const(0x0800)
CONCLUDED = const(0x1000)
UNKNOWN_COMMAND = const(0x2000)

NO_PEER = const(-1)  # the peer id of a command that takes none; never a member

# A cell of the table is a result and, in the bits above it, the state that follows (0: it stays as it is;
# nothing leads back to INITIAL) and the order to check the quorum.
_RESULT = const(0x3FFF)
_NEXT = const(14)
_CHECK_QUORUM = const(0x20000)

_HEARD = const(ACCEPTED | PARTICIPATION_ACCEPTED)
_HEARD_FIRST = const(_HEARD | PINGING << _NEXT)
_READY = const(ACCEPTED | READY_ACCEPTED)
_READY_FIRST = const(_READY | PINGING << _NEXT)
_READY_CHECKED = const(_READY | _CHECK_QUORUM)
_LOCAL = const(ACCEPTED | LOCAL_COMPLETED | BROADCAST_READY | COLLECTING << _NEXT | _CHECK_QUORUM)
_DEADLINE = const(ACCEPTED | CONCLUDED_TIMED_OUT | TIMED_OUT << _NEXT)
_REFUSED = const(REJECTED | NOT_ADMISSIBLE)
_CLOSED = const(REJECTED | CONCLUDED)

# fmt: off
TABLE = (
    # PARTICIPATION_OBSERVED  READY_OBSERVED  LOCAL_PARTICIPATION_COMPLETED  DEADLINE_EXPIRED  PROBE
    _HEARD_FIRST,             _READY_FIRST,   _LOCAL,                        _DEADLINE,        PROBED,  # INITIAL
    _HEARD,                   _READY,         _LOCAL,                        _DEADLINE,        PROBED,  # PINGING
    _REFUSED,                 _READY_CHECKED, _REFUSED,                      _DEADLINE,        PROBED,  # COLLECTING
    _CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED,  # BOOTSTRAPPED
    _CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED,  # TIMED_OUT
)
# fmt: on

_COMMANDS = const(5)  # a row of the table
_MAX_ID = const(0x3FFFFFFF)  # the greatest small int of a 32-bit port


def majority(count: int) -> int:
    """Return the quorum of a strict majority of count peers. Allocates nothing."""
    return count // 2 + 1


def byzantine(count: int) -> int:
    """Return the quorum of more than two thirds of count peers. Allocates nothing."""
    return 2 * count // 3 + 1


def everyone(count: int) -> int:
    """Return count: all peers must be ready. Allocates nothing."""
    return count


def _check(name: str, value: int, start: int, end: int) -> None:
    if type(value) is not int or value < start or value > end:
        raise ValueError("%s %r: not an int from %d to %d" % (name, value, start, end))


class Config:
    """Who we are, who all peers are, and how many must be ready.

    Immutable by agreement (a guard would cost memory on every board): nothing here writes to it after its
    construction, and machines may share it. Attributes, to be read only:

    ``peer_id``  our own id
    ``peers``    all ids, ascending: a range when they are contiguous, otherwise an array of 4 bytes an id
    ``quorum``   how many peers, we among them, must be ready
    """

    def __init__(self, peer_id: int, peers: "Iterable[int]", quorum: "int | Callable[[int], int]") -> None:
        """Check and keep the values.

        peer_id: our id, one of peers. peers: ids from 0 to 2**30 - 1, in any order. quorum: from 1 to the
        number of peers, or a rule that is called with that number (majority, byzantine, everyone).
        Raises ValueError, naming the value and the remedy. Allocates; not for interrupt handlers.
        """
        ids = list(peers)
        count = len(ids)
        for i in ids + [peer_id]:
            _check("peer_id", i, 0, _MAX_ID)
            if ids.count(i) != 1:
                raise ValueError("peer_id %d: %dx in peers, not 1" % (i, ids.count(i)))
        if callable(quorum):
            quorum = quorum(count)
        _check("quorum", quorum, 1, count)
        ids.sort()
        self.peer_id = peer_id
        self.quorum = quorum
        self.peers = range(ids[0], ids[0] + count) if ids[-1] - ids[0] < count else _array("I", ids)

    def index(self, peer_id: int) -> int:
        """Return the position of peer_id in peers, or -1 if it is not a member.

        Takes any int. Logarithmic time. Allocates nothing; interrupt handlers may call it.
        """
        peers = self.peers
        low = 0
        high = len(peers) - 1
        while low < high:
            middle = (low + high) >> 1
            if peers[middle] < peer_id:
                low = middle + 1
            else:
                high = middle
        return low if peers[low] == peer_id else -1


class PeerSet:
    """A set of the members of a Config, one bit a peer; a live view into the machine that owns it.

    ``count`` is its size. ``len()`` and ``in`` work as ``count`` and ``has``, and iteration goes by ascending
    id; they may allocate, while ``count`` and ``has`` never do.
    """

    def __init__(self, config: Config) -> None:
        """Make an empty set. Allocates all that the set will ever use."""
        self.config = config
        self._bits = bytearray((len(config.peers) + 7) >> 3)
        self._limit = self.count = 0  # below this count a new member has only to be counted: see Faction.process

    def has(self, peer_id: int) -> bool:
        """Tell whether peer_id, any int, is in the set. Allocates nothing; interrupt handlers may call it."""
        return self._join(peer_id, False) == REJECTED | DUPLICATE

    __contains__ = has

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> "Iterator[int]":
        for peer_id in self.config.peers:
            if self.has(peer_id):
                yield peer_id

    def _join(self, peer_id: int, add: bool) -> int:
        """Return why peer_id cannot join, NON_MEMBER or DUPLICATE; if it can, return 0, and let it when add."""
        index = self.config.index(peer_id)
        if index < 0:
            return REJECTED | NON_MEMBER
        mask = 1 << (index & 7)
        index >>= 3
        if self._bits[index] & mask:
            return REJECTED | DUPLICATE
        if add:
            self._bits[index] |= mask
            self.count += 1
        return 0


class Faction:
    """The machine. Attributes, to be read only:

    ``state``                 INITIAL, PINGING, COLLECTING, BOOTSTRAPPED or TIMED_OUT
    ``is_concluded``          True in BOOTSTRAPPED and TIMED_OUT
    ``is_pinging_completed``  True once LOCAL_PARTICIPATION_COMPLETED was accepted
    ``pinging``               PeerSet of members whose participation was observed
    ``collecting``            PeerSet of members whose readiness was observed
    ``config``                the Config it was made with
    ``observer``              the Observer it was made with, or None
    """

    def __init__(self, config: Config, observer: "Observer | None" = None) -> None:
        """Make a machine in INITIAL. observer is told of every call of process: see faction.observer.

        Allocates all that the machine will ever use.
        """
        self.config = config
        self.observer = observer
        self.pinging = PeerSet(config)
        self.collecting = PeerSet(config)
        # The ids from _low to _high are found by subtraction. All others are found by Config.index: with
        # gaps in the roster that is every id, as _high is -1 then.
        self._low = config.peers[0]
        self._high = config.peers[-1] if len(config.peers) > config.peers[-1] - config.peers[0] else -1
        self.reset()

    def reset(self) -> None:
        """Go back to INITIAL with nothing observed: a new attempt. Allocates nothing."""
        self.is_pinging_completed = False
        self.pinging.count = self.collecting.count = 0
        for i in range(len(self.pinging._bits)):
            self.pinging._bits[i] = self.collecting._bits[i] = 0
        self._enter(INITIAL)

    # No function on the way of a command may need more than eleven slots for its variables and its stack:
    # MicroPython puts a greater frame on the heap (VM_MAX_STATE_ON_STACK in its py/objfun.c), which is slow
    # and would make "allocates nothing" untrue. It shapes what follows, and a test measures it.

    def process(self, command: int, peer_id: int = NO_PEER) -> int:
        """Feed one command, with the peer it is about, and return the result: an int, a set of flags.

        Any ints are legal: an unknown command or peer is rejected, with the reason. The result has exactly
        one of ACCEPTED, REJECTED and PROBED; a rejection changes nothing. What an observer raises reaches
        the caller, after the transition. Allocates nothing; interrupt handlers may call it.
        """
        if command == READY_OBSERVED:
            peers = self.collecting
            result = _READY
        elif command == PARTICIPATION_OBSERVED:
            peers = self.pinging
            result = _HEARD
        else:
            return self._step(command, peer_id)
        if peers.count >= peers._limit:
            return self._step(command, peer_id)
        if peer_id < self._low or peer_id > self._high:
            index = self.config.index(peer_id)
            if index < 0:
                return REJECTED | NON_MEMBER
        else:
            index = peer_id - self._low
        mask = 1 << (index & 7)
        index >>= 3
        if peers._bits[index] & mask:
            return REJECTED | DUPLICATE
        peers._bits[index] |= mask
        peers.count += 1
        return result

    def admits(self, command: int, peer_id: int = NO_PEER) -> bool:
        """Tell whether process would accept this very command now; always True for PROBE.

        Takes any ints. Allocates nothing; interrupt handlers may call it.
        """
        return not self._decide(command, peer_id, False) & REJECTED

    def admissible(self) -> int:
        """Return bit ``1 << command`` for each command that some peer, or none, would make acceptable now.

        Allocates nothing; interrupt handlers may call it.
        """
        commands = 0
        for command in range(_COMMANDS):
            peers = self.collecting if command else self.pinging
            if command > READY_OBSERVED or peers.count < len(self.config.peers):
                if not TABLE[self.state * _COMMANDS + command] & REJECTED:
                    commands |= 1 << command
        return commands

    def admissible_commands(self) -> "Iterator[tuple[int, int]]":
        """Iterate the (command, peer_id) pairs that process would accept now; NO_PEER where none is taken.

        Live: a command processed between two steps shows in what follows. Allocates.
        """
        for command in range(_COMMANDS):
            for peer_id in self.config.peers if command <= READY_OBSERVED else (NO_PEER,):
                if self.admits(command, peer_id):
                    yield command, peer_id

    def _decide(self, command: int, peer_id: int, add: bool) -> int:
        """Return the cell that holds for this command and peer now; let the peer join its set when add."""
        if command < 0 or command > PROBE:
            return REJECTED | UNKNOWN_COMMAND
        cell = TABLE[self.state * _COMMANDS + command]
        if command <= READY_OBSERVED and cell & ACCEPTED:
            peers = self.collecting if command else self.pinging
            cell = peers._join(peer_id, add) or cell
        return cell

    def _step(self, command: int, peer_id: int) -> int:
        """Process a command the general way."""
        cell = self._decide(command, peer_id, True)
        if cell & ACCEPTED:
            command |= self.state << 3  # packed, since the call of observe takes seven of the eleven slots
            if cell & LOCAL_COMPLETED:
                self.is_pinging_completed = True
                self.collecting._join(self.config.peer_id, True)
            if cell & _CHECK_QUORUM and self.collecting.count >= self.config.quorum:
                cell = cell & _RESULT | CONCLUDED_BOOTSTRAPPED | BOOTSTRAPPED << _NEXT
            self._enter(cell >> _NEXT & 7 or self.state)
            cell &= _RESULT
        if self.observer is None:
            pass
        elif cell & ACCEPTED:
            self.observer.observe(self, command & 7, peer_id, command >> 3, cell)
        elif cell & PROBED:
            self.observer.observe_query(self)
        else:
            self.observer.observe_rejection(self, command, peer_id, cell)
        return cell

    def _enter(self, state: int) -> None:
        self.state = state
        self.is_concluded = state >= BOOTSTRAPPED
        # Close both express lanes. An observer must see every command, so only without one does each open again.
        self.pinging._limit = self.collecting._limit = 0
        if self.observer is None:
            if TABLE[state * _COMMANDS + PARTICIPATION_OBSERVED] == _HEARD:
                self.pinging._limit = _MAX_ID
            cell = TABLE[state * _COMMANDS + READY_OBSERVED]
            if cell == _READY_CHECKED:
                self.collecting._limit = self.config.quorum - 1  # the READY that meets the quorum moves the state
            elif cell == _READY:
                self.collecting._limit = _MAX_ID


del const  # __init__ does "from .machine import *", and const is no name of the package
