"""What a node knows of its peers: which run of each is alive, what each said of itself, how long ago, and who asks.

Theory of operation

 1. For each member there is one *statement*, the latest: that it is READY, or that it is not, and when it said so. A frame
    of a member is a statement about itself, of age 0. A frame also has statements about the other members, with their
    ages. So no board has to know the time of another board. A member without a statement counts as unknown.
 2. Only a later statement takes the place of a statement. Ages are rounded up each time they are sent. So a relayed
    statement never looks younger than it is, except for the time that frames are under way. A relayed statement takes a
    READY back only if it is at least two units later.
 3. The machine observes a member only from a statement that is not older than our own run. So it observes what it would
    have observed if it had heard the member itself. A statement about ourselves is not believed. Nearly all statements say
    the same as before. So a mark stands at each member of whom the machine has to be told something. It goes when that is
    done: an observer may raise before.
 4. A readiness that is no longer true is withdrawn from the machine. This happens in three cases: the member itself says
    that it is not ready; somebody tells us that it said so later than it was ready; nobody has heard of it for presence_ms.
 5. A run has a nonce. Nonces have no order. So a frame of the run before the current one is stale, and so is a frame with
    a sequence below the latest one. But seven such frames in a row, with rising sequences, show that their run is alive.

``now`` is the time of the node in ms. It rises. From time to time the node turns it back, and all times here with it
(``shift``). So all numbers are small ints. Nothing here allocates after the constructor.
"""

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .machine import Faction
    from .wire import Wire

# Constants of other files, repeated. const() works within one file only. A name that is looked up at run time takes about
# 40 bytes of heap. tests/host/test_constants.py compares them with the others.
_PARTICIPATION_OBSERVED = const(0)  # of machine.py
_READY_OBSERVED = const(1)
_WITHDRAWAL_OBSERVED = const(5)
_BEACON = const(0)  # of wire.py
_ASKING = const(0x01)
_READY = const(0x02)
_NO_AGE = const(0x7FFF)
_READY_BIT = const(0x8000)
_STATEMENTS = const(36)
_SAME_ID = const(6)  # of node.py
_STRANGER = const(7)
_STALE = const(8)
_ECHO = const(9)

_NOTHING = const(0xFFFF)  # what _read makes of a statement that is none

# What a frame has brought: a set of flags
_NEWS = const(0x01)  # we have learned something
_LACKS = const(0x02)  # its sender does not count a readiness that we know and that it could count
_SEEKS = const(0x04)  # its sender lacks a member of whom we know nothing recent
_CLONED = const(0x08)  # somebody says that we are ready, and we are not
_BEGAN = const(0x10)  # its sender has begun another run

_PRESENCE = const(16)  # times recent_ms: 32 intervals
_LONGEST_MS = const(0x08000000)
_NEVER = const(-0x20000000)  # a time before all times
_FAR = const(0x3FFFFFFF)  # a time after all times

# Marks of a peer. _READY (0x02) is one more: its statement says that it is ready.
_TAKES_BACK = const(0x01)  # the machine is to withdraw it
_ASKS = const(0x04)  # its latest frame asked, and did not show that it knows what we know
_UNTOLD = const(0x08)  # the machine is to observe what its statement says
_DOUBT_CURRENT = const(0x10)  # the frames in doubt are of its current run, not of the run before
_DOUBT = const(0x20)  # one step of a count, up to 7: rising frames in doubt


class Peers:
    """The peers of one node, by their position in the roster. Attributes, only to be read, except for ``now``:

    ``now``          the time of the node in ms
    ``start``        when our run began
    ``nonce``        of our run
    ``own``          our own position
    ``machine``      the Faction that observes what counts
    ``wire``         the Wire with the frame that is taken in, or goes out
    ``config``       the Config of the machine
    ``presence_ms``  a member no longer counts if nobody has heard of it for so long
    ``recent_ms``    a statement that is younger needs no renewal
    ``marks``        flags of each peer; READY of faction.wire is one of them, and the node sets it for our own position
    ``said``         when the statement about each peer was made; -2**29: there is none
    ``heard``        when the latest frame of each peer came; -2**29: none in our run
    ``restarts``     how often each peer was seen to begin another run, up to 255
    ``found``        what the frame has brought that was judged last, as far as it is taken in: a set of flags
    ``index``        the position of the sender of the frame that was judged last; -1: a stranger
    """

    def __init__(self, machine: "Faction", wire: "Wire", presence_ms: "int | None", recent_ms: int) -> None:
        """Know nothing yet. presence_ms: 0: a member counts for ever; None: as Node has it. Allocates all that is needed."""
        count = len(machine.config.peers)
        self.machine = machine
        self.config = machine.config
        self.wire = wire
        if presence_ms is None:  # with a part of the roster in each frame, news of a member takes so many frames
            presence_ms = min(_PRESENCE * recent_ms * -(-count // wire.room), _LONGEST_MS)
        self.presence_ms = presence_ms or _FAR
        self.recent_ms = recent_ms
        self.now = self.start = self.nonce = 0
        self.own = machine.config.index(machine.config.peer_id)
        self.restarts = bytearray(count)
        self.marks = bytearray(count)
        # Lists: MicroPython reads and writes them faster than arrays. On a 32-bit port they are as small.
        self.said = [_NEVER] * count
        self.heard = [_NEVER] * count
        self._nonces = [0] * count  # of the current run of each peer
        self._sequences = [0] * count  # the latest one heard in this run
        self._others = [0] * count  # the nonce of the run before it; at our own position, of ours
        self._doubted = [0] * count  # the sequence of the latest frame in doubt
        self._next = 0  # the position of the first statement of the next frame
        self.found = self.index = 0

    if _FOR_TYPE_CHECKERS:

        def greets(self, is_alone: int) -> bool:  # of faction.key: without a key each run is proved
            raise NotImplementedError

    # Runs

    def begin(self, nonce: int, secret: int) -> None:
        """Forget all that was said and asked. A new run of ours begins now. Allocates nothing.

        nonce, secret: two random numbers, neither of which gives the other away. The secret is for faction.key.
        """
        self._others[self.own] = self.nonce
        self.nonce = nonce
        self.start = self.now
        for i in range(len(self.marks)):
            self.marks[i] &= ~(_READY | _ASKS | _TAKES_BACK | _UNTOLD)
            self.said[i] = self.heard[i] = _NEVER

    def judge(self, length: int) -> int:
        """Return the verdict on the frame that wire has just decoded: BEACON if it counts. length: its bytes. Allocates nothing."""
        wire = self.wire
        self.found = 0
        index = self.index = self.config.index(wire.peer_id)
        if index < 0:
            return _STRANGER
        if wire.nonce == self._nonces[index]:
            return _BEACON if wire.sequence > self._sequences[index] or self._returns(index, _DOUBT_CURRENT) else _STALE
        if index == self.own:
            return _ECHO if wire.nonce == self.nonce else _STALE if wire.nonce == self._others[index] else _SAME_ID
        return _STALE if wire.nonce == self._others[index] and not self._returns(index, 0) else _BEACON

    def _returns(self, index: int, flags: int) -> bool:
        """Tell whether, with this frame, the run of the frames in doubt has shown that it is alive.

        Two things can bring living frames in doubt. A frame of a dead run that we never heard comes late, and makes this run
        current. Or damage that no check has found puts a sequence far ahead. In both cases the living run goes on with new
        frames, and seven of them in a row decide. flags: _DOUBT_CURRENT, or 0.
        """
        marks = self.marks[index]
        sequence = self.wire.sequence
        doubted = self._doubted[index]
        if marks & _DOUBT_CURRENT != flags or (flags and sequence < doubted):
            marks = marks & ~(7 * _DOUBT | _DOUBT_CURRENT) | flags | _DOUBT
        elif sequence > doubted:
            marks += _DOUBT
        else:
            return False
        self.marks[index] = marks
        self._doubted[index] = sequence
        return marks >= 7 * _DOUBT

    # Statements

    def take(self) -> None:
        """Take in the frame that was judged last, which counts. Call observe then. Allocates nothing."""
        wire = self.wire
        now = self.now
        index = self.index
        said = self.said
        said[self.own] = now
        if wire.nonce != self._nonces[index]:
            self.found |= _NEWS
            if self._nonces[index]:
                self.found |= _BEGAN
                self.restarts[index] = min(self.restarts[index] + 1, 255)
                self._others[index] = self._nonces[index]
                self._doubted[index] = self._sequences[index]
            self._nonces[index] = wire.nonce
        self.marks[index] &= _READY | _TAKES_BACK | _UNTOLD
        self._sequences[index] = wire.sequence
        self.heard[index] = now
        if (wire.flags ^ self.marks[index]) & _READY or said[index] < self.start:
            self._learn(index, (wire.flags & _READY) << 14)
        else:
            said[index] = now
        index = wire.first + wire.count
        self._skim(index, 2 * wire.count + _STATEMENTS)
        if wire.first <= self.own and self.own < index and not self.marks[self.own] & _READY:
            self._read(self.own)

    def _skim(self, index: int, length: int) -> None:
        """Take in the statements, from the last to the first: see write. index: the position behind the last. length: of the
        frame up to there.

        Nearly all of them bring nothing. So this loop only finds those that may bring something. It compares ages, not times:
        for that it has the least to compute. More names, or a deeper expression, would put them all on the heap: MicroPython's
        stack has room for eleven.
        """
        inbox = self.wire.inbox
        unit = self.wire.unit
        run_age = self.wire.run_age
        now = self.now
        while length > _STATEMENTS:
            length -= 2
            age = inbox[length + 1] | (inbox[length] ^ 0x80) << 8  # without READY it is above all ages
            index -= 1
            if age >= run_age:  # the sender does not count this peer; or just so, which _read finds out
                if self.marks[index] & _READY:
                    age = -1
                else:
                    if now - self.said[index] > self.recent_ms:
                        self.found |= _SEEKS
                    if age == _NOTHING:
                        continue
                    age &= _NO_AGE
            if now - self.said[index] > age << unit:
                # Most of these say the same as before, only later. They need nothing else of what _read and _learn do.
                if age >= 0 and self.said[index] >= self.start and not (inbox[length] >> 6 ^ self.marks[index]) & _READY:
                    if age << unit <= self.presence_ms:
                        self.said[index] = now - (age << unit)
                else:
                    self._read(index)

    def _read(self, index: int) -> None:
        """Take in the statement about a peer."""
        wire = self.wire
        word = (index - wire.first << 1) + _STATEMENTS  # where it is
        word = wire.inbox[word] << 8 | wire.inbox[word + 1]
        said = _NEVER if word & _NO_AGE == _NO_AGE else self.now - ((word & _NO_AGE) << wire.unit)
        # The age of the run is rounded down. So the run looks younger than it is, and what it seems to count it does count.
        start = self.now - (wire.run_age << wire.unit)
        known = self.said[index]
        if not word >> 15 or said < start:  # the sender does not count this peer: can we help?
            if self.marks[index] & _READY and known >= start and self.now - known <= self.presence_ms:
                self.found |= _LACKS
                self._next = index
            elif self.now - known > self.recent_ms:
                self.found |= _SEEKS
        if said > known and self.now - said <= self.presence_ms:
            known += 2 << wire.unit  # a statement that takes a readiness back must be later by more than rounding can make it
            if word >> 15 or not self.marks[index] & _READY or said >= known:
                self._learn(index, word)
        elif index == self.own and word >> 15 and said >= self.start + self.recent_ms and not self.machine.is_pinging_completed:
            self.found |= _CLONED

    def _learn(self, index: int, word: int) -> None:
        """Keep a statement that is later than the one we know. word: its two bytes."""
        known = self.said[index]
        at = self.said[index] = self.now - ((word & _NO_AGE) << self.wire.unit)
        marks = self.marks[index]
        if (word >> 14 ^ marks) & _READY:
            marks ^= _READY
            known = _NEVER
            if not marks & _READY:
                marks |= _TAKES_BACK
        if known < self.start:
            if at >= self.start:
                marks |= _UNTOLD
            elif known != _NEVER:
                return
            self.found |= _NEWS
            self.marks[index] = marks
            self._next = index

    def observe(self) -> None:
        """Let the machine observe what the statements say, and it has not yet. Allocates nothing.

        If its observer raises, nothing is lost: the next call does the rest.
        """
        machine = self.machine
        marks = self.marks
        for i in range(len(marks)):  # first of all what is taken back: a quorum must not be made with it
            if marks[i] & _TAKES_BACK:
                marks[i] ^= _TAKES_BACK
                peer_id = self.config.peers[i]
                machine.process(_WITHDRAWAL_OBSERVED, peer_id)
        for i in range(len(marks)):
            if marks[i] & _UNTOLD:
                peer_id = self.config.peers[i]
                if machine.admits(_READY_OBSERVED, peer_id):
                    if machine.admits(_PARTICIPATION_OBSERVED, peer_id):
                        machine.process(_PARTICIPATION_OBSERVED, peer_id)
                    if marks[i] & _READY:
                        machine.process(_READY_OBSERVED, peer_id)
                marks[i] &= ~_UNTOLD  # only now, as an observer may raise

    def write(self) -> None:
        """Write the next statements: from the first news or lack of the frame heard last on, or in turn. Allocates nothing."""
        said = self.said
        said[self.own] = self.now
        at = self.wire.room
        i = len(said) - at
        if self._next < i:
            i = self._next
        self.wire.first = i
        i += at
        self._next = i % len(said)  # the next frame goes on where this one ends
        unit = self.wire.unit
        late = self.now + (1 << unit) - 1  # so that ages are rounded up
        outbox = self.wire.outbox
        at += at + _STATEMENTS
        while at > _STATEMENTS:
            i -= 1
            age = late - said[i] >> unit
            if age >> 15:  # NEVER gives it in units up to 2**14
                age = _NO_AGE
            at -= 1
            outbox[at] = age & 0xFF
            at -= 1
            outbox[at] = age >> 8 | (self.marks[i] & _READY) << 6

    def expire(self) -> int:
        """Withdraw the peers of which nobody has heard for presence_ms. Return when to look again, or 2**30 - 1 for never.

        Allocates nothing.
        """
        oldest = self.now
        for i in range(len(self.marks)):
            said = self.said[i]
            if said == _NEVER or i == self.own:
                continue
            if said < self.now - self.presence_ms:
                self.said[i] = _NEVER
                self.marks[i] = _TAKES_BACK
            elif said < oldest:
                oldest = said
        self.observe()
        return _FAR if self.presence_ms == _FAR else oldest + self.presence_ms + 1

    def is_any(self, flags: int) -> bool:
        """Tell whether there is such a peer. Allocates nothing.

        flags: ASKING: it was heard asking, and has not shown that it knows what we know. READY: its readiness is known, but is
        older than our run, so it cannot count yet.
        """
        for i in range(len(self.marks)):
            if self.marks[i] & _ASKS if flags == _ASKING else self.marks[i] & _READY and self.said[i] < self.start and i != self.own:
                return True
        return False

    def shift(self, ms: int) -> None:
        """Turn the time back, and all times with it. A statement that is older than six days is forgotten. Allocates nothing."""
        self.now -= ms
        self.start = max(self.start - ms, _NEVER + 1)
        for i in range(len(self.marks)):
            self.heard[i] = max(self.heard[i] - ms, _NEVER)
            at = self.said[i] = max(self.said[i] - ms, _NEVER)
            if at == _NEVER and i != self.own:
                self.marks[i] = 0
