"""The machine that answers one question: is the cluster ready to proceed?

Theory of operation

 1. This is a Mealy machine: ``result = machine.process(command, peer_id)``. It does no I/O. It has no clock, no
    randomness and no threads. The same commands always give the same results.
 2. It keeps two sets of peers. *pinging* holds the members whose participation was observed. *collecting* holds the
    members whose readiness was observed. A member leaves both sets only by a withdrawal, or at ``reset``.
 3. A command about a peer puts this peer into one of the sets. If that is not possible, the command is rejected and
    changes nothing. The reason is NON_MEMBER for a peer that is not in the roster, and DUPLICATE for a member that is
    in the set already.
 4. LOCAL_PARTICIPATION_COMPLETED says that our own part is done. Our own id joins *collecting*. BROADCAST_READY in the
    result asks the caller to announce this now.
 5. The quorum is checked in two places only: at LOCAL_PARTICIPATION_COMPLETED, and at each new READY_OBSERVED in
    COLLECTING. Our own part is done in both. So no machine is bootstrapped before its own part is done.
 6. BOOTSTRAPPED and TIMED_OUT are final. They accept no command but PROBE.
 7. TABLE decides every (state, command) cell: the result, the next state, and whether the quorum is checked.
    ``process`` obeys the table. The documentation, the diagram and the tests read it.
 8. The constructors take all the memory. If a docstring says "allocates nothing", this is true for every argument. So
    the call works with the heap locked, and an interrupt handler may make it. ``process`` is not re-entrant: only one
    context at a time may drive a machine.
 9. ``process`` begins with a short way, the express lane. It serves the signals that only have to be counted, and it
    rejects duplicates and peers that are not members. All other commands take the general way, ``_step``. The general
    way can do everything. With an observer all commands take it.
10. WITHDRAWAL_OBSERVED says that what was observed of a peer is no longer true. The peer leaves both sets. The state stays
    as it is. Our own id never leaves.

This file imports ``array`` only. So you can copy this one file to a board. MicroPython 1.9 on a micro:bit runs it, so
it uses no property, no memoryview and no f-strings.
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

# States:
INITIAL = const(0)  # nothing was observed yet
PINGING = const(1)  # something was observed; our own part is not done
COLLECTING = const(2)  # our own part is done, and the quorum is not there yet
BOOTSTRAPPED = const(3)  # our own part is done, and the quorum is ready; final
TIMED_OUT = const(4)  # the deadline came first; final

# Commands. The first two and the last take a peer id:
PARTICIPATION_OBSERVED = const(0)  # a peer takes part
READY_OBSERVED = const(1)  # a peer is ready: its own part is done
LOCAL_PARTICIPATION_COMPLETED = const(2)  # our own part is done
DEADLINE_EXPIRED = const(3)  # we wait no longer
PROBE = const(4)  # changes nothing; an observer is told
WITHDRAWAL_OBSERVED = const(5)  # what was observed of a peer is no longer true

# Flags of a result. Each result has exactly one of the first three:
ACCEPTED = const(0x0001)  # the command had an effect
REJECTED = const(0x0002)  # the command changed nothing
PROBED = const(0x0004)  # the command was PROBE
# These come with ACCEPTED. They say what happened:
PARTICIPATION_ACCEPTED = const(0x0008)  # the peer joined pinging
READY_ACCEPTED = const(0x0010)  # the peer joined collecting
LOCAL_COMPLETED = const(0x0020)  # our own id is in collecting
BROADCAST_READY = const(0x0040)  # announce now that our own part is done
CONCLUDED_BOOTSTRAPPED = const(0x0080)  # the state is BOOTSTRAPPED now
CONCLUDED_TIMED_OUT = const(0x0100)  # the state is TIMED_OUT now
WITHDRAWAL_ACCEPTED = const(0x8000)  # the peer left pinging and collecting
# Exactly one of these comes with REJECTED. It says why:
DUPLICATE = const(0x0200)  # the peer is in the set already
NON_MEMBER = const(0x0400)  # the peer is not in the roster
NOT_ADMISSIBLE = const(0x0800)  # not in this state
CONCLUDED = const(0x1000)  # the state is final
UNKNOWN_COMMAND = const(0x2000)  # there is no such command
NOTHING_OBSERVED = const(0x4000)  # the peer is in no set, so it cannot leave one

# No flag and no code:
NO_PEER = const(-1)  # the peer id for a command that takes none; it is never a member

# A cell of the table holds the result in its low bits. Above it are the next state and the order to check the quorum.
# Next state 0 means that the state stays as it is. It cannot mean INITIAL, as no command leads back there.
_RESULT = const(0xFFFF)
_NEXT = const(16)
_CHECK_QUORUM = const(0x80000)

_HEARD = const(ACCEPTED | PARTICIPATION_ACCEPTED)
_HEARD_FIRST = const(_HEARD | PINGING << _NEXT)
_READY = const(ACCEPTED | READY_ACCEPTED)
_READY_FIRST = const(_READY | PINGING << _NEXT)
_READY_CHECKED = const(_READY | _CHECK_QUORUM)
_LOCAL = const(ACCEPTED | LOCAL_COMPLETED | BROADCAST_READY | COLLECTING << _NEXT | _CHECK_QUORUM)
_DEADLINE = const(ACCEPTED | CONCLUDED_TIMED_OUT | TIMED_OUT << _NEXT)
_WITHDRAWN = const(ACCEPTED | WITHDRAWAL_ACCEPTED)
_REFUSED = const(REJECTED | NOT_ADMISSIBLE)
_CLOSED = const(REJECTED | CONCLUDED)

# fmt: off
# What each command does in each state. There is a row for each state and a column for each command. (A tuple that the
# compiler stores as a constant takes more of a file than a list of numbers and a call.)
TABLE = tuple([  # noqa: C409
    # PARTICIPATION_OBSERVED  READY_OBSERVED  LOCAL_PARTICIPATION_COMPLETED  DEADLINE_EXPIRED  PROBE   WITHDRAWAL_OBSERVED
    _HEARD_FIRST,             _READY_FIRST,   _LOCAL,                        _DEADLINE,        PROBED, _REFUSED,    # INITIAL
    _HEARD,                   _READY,         _LOCAL,                        _DEADLINE,        PROBED, _WITHDRAWN,  # PINGING
    _REFUSED,                 _READY_CHECKED, _REFUSED,                      _DEADLINE,        PROBED, _WITHDRAWN,  # COLLECTING
    _CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED, _CLOSED,     # BOOTSTRAPPED
    _CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED, _CLOSED,     # TIMED_OUT
])
# fmt: on

_COMMANDS = const(6)  # a row of the table
_MAX_ID = const(0x3FFFFFFF)  # the greatest small int of a 32-bit port
_MANY = const(0xFFFFF)  # peers; any more of them take the general way


def majority(count: int) -> int:
    """Return the quorum for a strict majority of count peers: count // 2 + 1. Allocates nothing."""
    return count // 2 + 1


def byzantine(count: int) -> int:
    """Return the quorum for more than two thirds of count peers: 2 * count // 3 + 1. Allocates nothing."""
    return 2 * count // 3 + 1


def everyone(count: int) -> int:
    """Return the quorum for all peers: count itself. Allocates nothing."""
    return count


def _check(name: str, value: int, start: int, end: int) -> None:
    if type(value) is not int or value < start or value > end:
        raise ValueError("%s %r: must be an int, %d to %d" % (name, value, start, end))


class Config:
    """Our own id, the ids of all peers, and how many of them must be ready.

    Do not change it after its construction. Nothing guards it, as a guard would take memory on every board. Several
    machines may share it. Attributes, only to be read:

    ``peer_id``  our own id
    ``peers``    all ids in ascending order: a range if they have no gaps, otherwise an array with 4 bytes for each; at
                 most 4 bytes more for each let process find them in constant time
    ``quorum``   how many peers must be ready; we count as one of them
    """

    def __init__(self, peer_id: int, peers: "Iterable[int]", quorum: "int | Callable[[int], int]") -> None:
        """Check the values and keep them.

        peer_id: our id; it must be one of peers. peers: ids from 0 to 2**30 - 1, in any order. quorum: from 1 to the
        number of peers, or a function that takes this number and returns the quorum (majority, byzantine, everyone).
        Raises ValueError, with the wrong value and what it must be. Allocates; not for interrupt handlers.
        """
        # MicroPython's sort is a quicksort, and quadratic for many a list that is in order. So we shuffle the ids first.
        ids = list(peers) + [peer_id]
        count = -1
        chance = 1
        for i in ids:
            _check("peer_id", i, 0, _MAX_ID)
            count += 1
            chance = chance * 47 % 65537  # 47 is a primitive root: from 1 to 65536, each comes once
            other = chance % (count + 1)
            ids[count] = ids[other]
            ids[other] = i
        ids.remove(peer_id)
        ids.sort()
        other = NO_PEER  # the id before i
        for i in ids if peer_id in ids else [peer_id, peer_id]:
            if i == other:
                raise ValueError("peer_id %d: %d times in peers, must be once" % (i, ids.count(i)))
            other = i
        if callable(quorum):
            quorum = quorum(count)
        _check("quorum", quorum, 1, count)
        self.peer_id = peer_id
        self.quorum = quorum
        self.peers = range(ids[0], ids[0] + count)  # type: range | _array[int]
        # Where process looks first for an id with gaps around it: in _array, at id % _limit, is the position of some id that
        # belongs there. Sizes are tried until few ids share a place. Those that do are found by index. (Names that are new
        # take memory on a board, so these are not.)
        self._array = b"\0"  # type: bytes | _array[int]
        size = 1
        if self.peers[-1] != other:
            self.peers = _array("I", ids)
            few = count < 257
            size = shared = count << 1 + few  # shared: how many ids found their place taken
            while shared > count >> 2 + few and size > count:
                size -= 1
                places = self._array = _array("HB"[few], bytes(size << 1 - few))
                i = count
                shared = 0
                while i:
                    i -= 1
                    other = ids[i] % size
                    shared += places[other] > 0
                    places[other] = i & 0xFFFF
        self._limit = size

    def index(self, peer_id: int) -> int:
        """Return the position of peer_id in peers, or -1 if it is not a member.

        peer_id: any int. The time is constant for contiguous ids. With gaps it grows with the logarithm of their number.
        Allocates nothing; interrupt handlers may call it.
        """
        peers = self.peers
        low = peers[0]
        high = len(peers) - 1
        if peer_id < low or peer_id > peers[high]:
            return -1
        if peers[high] - low == high:
            return peer_id - low
        low = 0
        while low < high:
            middle = (low + high) >> 1
            if peers[middle] < peer_id:
                low = middle + 1
            else:
                high = middle
        return low if peers[low] == peer_id else -1


class PeerSet:
    """A set of members of a Config, with one bit for each. A machine owns it and changes it.

    ``count`` is the number of members in the set. ``len()`` gives the same, ``in`` the same as ``has``. Iteration
    gives the ids in ascending order. These three may allocate; ``count`` and ``has`` never do. ``config`` is the Config.
    """

    def __init__(self, config: Config) -> None:
        """Make an empty set. Allocates all that the set will ever need."""
        self.config = config
        # The bit of a member is at its position in the roster.
        self._bits = bytearray((len(config.peers) + 7) >> 3)
        self.count = 0
        self._limit = 0  # the express lane is open while count is below it: see Faction.process

    def has(self, peer_id: int) -> bool:
        """Tell whether peer_id is in the set. It may be any int. Allocates nothing; interrupt handlers may call it."""
        return self._join(peer_id, 0) == REJECTED | DUPLICATE

    __contains__ = has

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> "Iterator[int]":
        for peer_id in self.config.peers:
            if self.has(peer_id):
                yield peer_id

    def _join(self, peer_id: int, step: int) -> int:
        """Return a rejection with DUPLICATE if peer_id is in the set, with NON_MEMBER if it is no member, otherwise 0.

        With a step of 1 it joins now, with -1 it leaves. With 0 nothing changes.
        """
        index = self.config.index(peer_id)
        if index < 0:
            return REJECTED | NON_MEMBER
        mask = 1 << (index & 7)
        index >>= 3
        result = REJECTED | DUPLICATE if self._bits[index] & mask else 0
        if step and (step > 0) == (result == 0):
            self._bits[index] ^= mask
            self.count += step
        return result


class Faction:
    """The machine. Attributes, only to be read:

    ``state``                 INITIAL, PINGING, COLLECTING, BOOTSTRAPPED or TIMED_OUT
    ``is_concluded``          True in BOOTSTRAPPED and TIMED_OUT
    ``is_pinging_completed``  True once LOCAL_PARTICIPATION_COMPLETED was accepted
    ``pinging``               PeerSet of members whose participation was observed
    ``collecting``            PeerSet of members whose readiness was observed
    ``config``                the Config it was made with
    ``observer``              the Observer it was made with, or None
    """

    def __init__(self, config: Config, observer: "Observer | None" = None) -> None:
        """Make a machine in INITIAL.

        observer: an object that the machine tells of every call of process: see faction.observer. Allocates all that
        the machine will ever need.
        """
        self.config = config
        self.observer = observer
        self.pinging = PeerSet(config)
        self.collecting = PeerSet(config)
        # The express lane finds the position of an id from _low to _high by subtraction. For other ids it looks into
        # the _array of the Config. In a roster with gaps these are all ids: _high is -1 there.
        self._low = config.peers[0]
        self._high = config.peers[-1] if type(config.peers) is range else -1
        self.reset()

    def reset(self) -> None:
        """Go back to INITIAL and forget all observations: a new attempt. Allocates nothing."""
        self.is_pinging_completed = False
        self.pinging.count = self.collecting.count = 0
        for i in range(len(self.pinging._bits)):
            self.pinging._bits[i] = self.collecting._bits[i] = 0
        self._enter(INITIAL)

    # MicroPython keeps the frame of a function on the C stack if its variables and its stack need at most eleven slots
    # (VM_MAX_STATE_ON_STACK in its py/objfun.c). A larger frame goes on the heap: that is slow, and "allocates nothing"
    # would be false. So no function that a command passes through needs more than eleven slots. A test measures this.

    def process(self, command: int, peer_id: int = NO_PEER) -> int:
        """Process one command about one peer and return the result: an int, a set of flags.

        command, peer_id: any ints. An unknown command or peer is rejected, with the reason. The result has exactly
        one of ACCEPTED, REJECTED and PROBED. A rejection changes nothing. An exception of the observer reaches the
        caller, and the state has changed by then. Allocates nothing; interrupt handlers may call it.
        """
        if command == READY_OBSERVED:
            peers = self.collecting
        elif command == PARTICIPATION_OBSERVED:
            peers = self.pinging
        else:
            return self._step(command, peer_id)
        if peers.count >= peers._limit:
            return self._step(command, peer_id)
        if peer_id < self._low or peer_id > self._high:
            index = 0
            if peer_id >= 0 and peer_id <= _MAX_ID:  # the remainder of a big int would be allocated
                index = self.config._array[peer_id % self.config._limit]
            if self.config.peers[index] != peer_id:
                index = self.config.index(peer_id)
                if index < 0:
                    return REJECTED | NON_MEMBER
        else:
            index = peer_id - self._low
        mask = 1 << (index & 7)
        index >>= 3
        bits = peers._bits
        if bits[index] & mask:
            return REJECTED | DUPLICATE
        bits[index] |= mask
        peers.count += 1
        return _READY if command else _HEARD

    def admits(self, command: int, peer_id: int = NO_PEER) -> bool:
        """Tell whether process would accept this command about this peer now. It is always True for PROBE.

        command, peer_id: any ints. Allocates nothing; interrupt handlers may call it.
        """
        return not self._decide(command, peer_id, 0) & REJECTED

    def admissible(self) -> int:
        """Return an int with bit ``1 << command`` set for each command that process would accept now.

        A command that takes a peer has its bit if it would be accepted for at least one peer. Allocates nothing;
        interrupt handlers may call it.
        """
        commands = 0
        peer_id = self.config.peer_id
        for command in range(_COMMANDS):
            peers = self.collecting if command else self.pinging
            if command == WITHDRAWAL_OBSERVED:  # of somebody else who is in a set
                is_due = peers.count > peers.has(peer_id) or self.pinging.count > self.pinging.has(peer_id)
            else:
                is_due = command > READY_OBSERVED or peers.count < len(self.config.peers)
            if is_due and not TABLE[self.state * _COMMANDS + command] & REJECTED:
                commands |= 1 << command
        return commands

    def admissible_commands(self) -> "Iterator[tuple[int, int]]":
        """Iterate over the (command, peer_id) pairs that process would accept now.

        peer_id is NO_PEER where the command takes no peer. Each step looks at the machine as it is then. Allocates.
        """
        for command in range(_COMMANDS):
            for peer_id in (NO_PEER,) if command > READY_OBSERVED and command < WITHDRAWAL_OBSERVED else self.config.peers:
                if self.admits(command, peer_id):
                    yield command, peer_id

    def _decide(self, command: int, peer_id: int, step: int) -> int:
        """Return the cell, or the rejection, for this command and peer now.

        With a step of 1 the peer joins its set, or leaves both. With 0 nothing changes.
        """
        if command < 0 or command >= _COMMANDS:
            return REJECTED | UNKNOWN_COMMAND
        cell = TABLE[self.state * _COMMANDS + command]
        if cell & ACCEPTED:
            if command <= READY_OBSERVED:
                peers = self.collecting if command else self.pinging
                cell = peers._join(peer_id, step) or cell
            elif command == WITHDRAWAL_OBSERVED:
                if peer_id == self.config.peer_id:
                    return _REFUSED
                command = self.pinging._join(peer_id, -step) | self.collecting._join(peer_id, -step)
                if command != REJECTED | DUPLICATE:
                    return command or REJECTED | NOTHING_OBSERVED
        return cell

    def _step(self, command: int, peer_id: int) -> int:
        """Process a command on the general way."""
        cell = self._decide(command, peer_id, 1)
        if cell & ACCEPTED:
            command |= self.state << 3  # in one int, as the call of observe takes seven of the eleven slots
            if cell & LOCAL_COMPLETED:
                self.is_pinging_completed = True
                self.collecting._join(self.config.peer_id, 1)
            if cell & _CHECK_QUORUM and self.collecting.count >= self.config.quorum:
                cell = cell & _RESULT | (CONCLUDED_BOOTSTRAPPED | BOOTSTRAPPED << _NEXT)
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
        """Make state the present one, and set up the express lanes for it."""
        self.state = state
        self.is_concluded = state >= BOOTSTRAPPED
        # Close both express lanes. Open each again where a signal only has to be counted. With an observer both stay
        # closed, as it must see every command.
        self.pinging._limit = self.collecting._limit = 0
        if self.observer is None:
            cell = TABLE[state * _COMMANDS + READY_OBSERVED]
            if cell == _READY_CHECKED:
                self.collecting._limit = self.config.quorum - 1  # the one after these meets the quorum: the general way
            elif cell == _READY:  # and the cell of PARTICIPATION_OBSERVED is _HEARD
                self.pinging._limit = self.collecting._limit = _MANY


del const  # __init__ does "from .machine import *", and const is not for its users
