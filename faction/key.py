"""The seal against strangers and replays: a key that all members share.

Theory of operation

 1. A frame carries an HMAC-SHA256, cut to 8 bytes (RFC 2104, section 5), over everything in it. So nobody without the key can
    make or change one. But an intruder can record frames and play them back. So a run of a member counts only after it has
    proved that it is alive now.
 2. A node shows a *challenge* in each frame: a random number, apart from the nonce of its run. A frame of another member proves
    itself by a *quote*: the digest of our id, our nonce and our challenge. Only who has heard us in this run can know it.
 3. Whoever has proved a run has used the challenge up. So the next frame shows a new one, and a recorded frame proves nothing
    twice. Frames may be under way: so the last four challenges of a run are good for a proof. But a member whose run has been
    accepted needs one that was made after that. So no frame of an earlier run of this member can take its place again.
 4. A frame of the run that is proved counts if its sequence is higher than the latest one. That is all it needs.
 5. A node that has not concluded owes a quote to everybody whom it hears. Who has concluded owes one to who asks. Each frame
    pays some of these debts, and repeats older ones if there is room: the frame before may be lost.
 6. There are two debts to each member: one to its proved run, and one to a run that is not proved. Of several frames of such
    runs, each is kept with the same chance. So no recorded frame is sure to push a living run out.
 7. A frame that asks and is not proved gets an answer, or its sender could never quote us. It may be a recorded one. So each
    member gets at most one such answer in eight intervals. All members together get four at once, and then one in twelve
    intervals. An answer quotes others, too. A node that waits, and has not heard anybody yet, answers once an interval.

Words of proof in a frame, of 4 bytes each: the challenge of the sender; then two words for each quote, the first 8 bytes of
the HMAC over asker's id, nonce and challenge, without the two highest bits of each word; 0 in a place that is not used.

Each frame sent or heard allocates, most of it inside the firmware's hashlib: for the tag, and for each quote that is sent,
two hash objects and two digests of 32 bytes.
"""

import hashlib
from array import array

from .peers import Peers
from .wire import get, mix, put

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

    from .machine import Faction
    from .wire import Wire

# Constants of other files, repeated: see peers.py
_BEACON = const(0)  # of wire.py
_ASKING = const(0x01)
_STATEMENTS = const(36)
_LACKS = const(0x02)  # of peers.py
_NEVER = const(-0x20000000)
_SAME_ID = const(6)  # of node.py
_STALE = const(8)
_UNPROVEN = const(10)

_BLOCK = const(64)  # bytes, of SHA-256
_TAG = const(8)
_LEAST = const(16)  # bytes of a key
_LEAST_QUOTES = const(4)
_MOST_QUOTES = const(24)  # so there is room for statements in a frame of 250 bytes
_KEPT = const(4)  # challenges of ours that are good for a proof
_PAUSE = const(9)  # intervals between two answers to one member that is not proved: an answer may come an interval late
_SHARE = const(12)  # intervals, of which each earns one such answer to anybody
_AT_ONCE = const(4)  # so many of them may have been saved

# Debts to a member
_TO_PROVED = const(0x80)  # a flag: to its proved run
_PAID = const(0x40)  # a flag: the frame that is written quotes it
_RUNS = const(0x3F)  # the other bits count the runs that are not proved, and were heard since one of them was quoted

if hasattr(hashlib, "sha256"):
    _sha256 = hashlib.sha256
else:  # CircuitPython

    def _sha256(data: bytes) -> "hashlib._Hash":  # type: ignore[misc]
        return hashlib.new("sha256", data)


class ProvenPeers(Peers):
    """Peers whose runs count only after they have proved that they are alive now. All, as ``found`` and ``index``, is as in Peers."""

    def __init__(self, machine: "Faction", wire: "Wire", presence_ms: "int | None", recent_ms: int) -> None:
        """See Peers. Allocates all that is needed."""
        Peers.__init__(self, machine, wire, presence_ms, recent_ms)
        count = len(self.marks)
        self._challenges = array("I", bytes(4 * count))  # of the proved run of each peer; 0: none was heard
        self._unproved = array("I", bytes(4 * count))  # the nonce of a run of each peer that is not proved; 0: none
        self._their_challenges = array("I", bytes(4 * count))  # of that run
        self._debts = bytearray(count)
        self._turn = 0  # the position of the peer that was quoted last
        self._slot = 0  # the free place in the proof of the next frame
        self._usable = bytearray(count)  # how many of our latest challenges are good for a proof of each peer
        self._quotes = array("I", bytes(8 * _KEPT))  # what proves a run: two words for each challenge of ours, the latest first
        self._challenge = 0  # ours; 0: this run has shown none yet
        self._is_used_up = True  # the next frame shows a new one
        self._greeted = array("i", [_NEVER] * count)  # when a run of each peer that is not proved was answered last
        self._spent = _NEVER  # up to this time all answers to such runs are spent
        self._chance = 1  # a generator
        self._key: Any = wire.seal
        self._data = bytearray(12)  # what a quote is the digest of
        self._view = memoryview(self._data)

    def begin(self, nonce: int, secret: int) -> None:
        """Forget all that was said, proved and owed. A new run of ours begins now. Allocates nothing."""
        Peers.begin(self, nonce, secret)
        self._chance = secret or 1
        self._challenge = 0
        self._is_used_up = True
        for i in range(2 * _KEPT):
            self._quotes[i] = 0
        for i in range(len(self.marks)):
            self._nonces[i] = self._challenges[i] = self._unproved[i] = self._debts[i] = 0
            self._usable[i] = _KEPT
            self._greeted[i] = _NEVER

    def shift(self, ms: int) -> None:
        """Turn the time back, and all times with it. Allocates nothing."""
        Peers.shift(self, ms)
        self._spent = max(self._spent - ms, _NEVER)
        for i in range(len(self.marks)):
            self._greeted[i] = max(self._greeted[i] - ms, _NEVER)

    # What comes in

    def judge(self, length: int) -> int:
        """Return the verdict on the frame that wire has just decoded: BEACON if it counts. length: its bytes. Allocates nothing."""
        wire = self.wire
        self.found = 0
        index = self.index = self.config.index(wire.peer_id)
        if index < 0 or (index == self.own and wire.nonce == self.nonce):
            return Peers.judge(self, length)  # a stranger, or our own frame
        at = _STATEMENTS + 2 * wire.count
        if wire.nonce != self._nonces[index]:
            length -= _TAG
            verdict = self._judge_other_run(index, at, length)
            if verdict != _BEACON:
                return verdict
        elif wire.sequence <= self._sequences[index]:
            return _STALE
        self._challenges[index] = max(get(wire.inbox, at), 0)
        if wire.flags & _ASKING or not self.machine.is_concluded:
            self._debts[index] |= _TO_PROVED
        return _BEACON

    def _judge_other_run(self, index: int, at: int, end: int) -> int:
        """Return the verdict on a frame whose run is not the proved one. at, end: of its words of proof."""
        if self.wire.nonce == self._others[index]:
            return _STALE
        is_quoted = self._is_quoted(at + 4, end, self._usable[index])
        if index == self.own or not is_quoted:
            self._remember(index, get(self.wire.inbox, at))
            return _SAME_ID if is_quoted else _UNPROVEN
        self._is_used_up = True
        self._usable[index] = self._debts[index] = self._unproved[index] = 0
        if self.wire.flags & _ASKING:  # most likely it lacks our quote
            self.found = _LACKS
        return _BEACON

    def _is_quoted(self, at: int, end: int, usable: int) -> bool:
        """Tell whether the frame in the inbox quotes us. usable: how many of our latest challenges are good for it."""
        inbox = self.wire.inbox
        quotes = self._quotes
        while at < end:
            word = get(inbox, at)
            for i in range(0, 2 * usable, 2):
                if word > 0 and word == quotes[i] and get(inbox, at + 4) == quotes[i + 1]:
                    return True
            at += 8
        return False

    def _remember(self, index: int, challenge: int) -> None:
        """Note that a quote is owed to a run that is not proved. Of several runs, or challenges, each stays with the same chance."""
        wire = self.wire
        debts = self._debts[index]
        runs = debts & _RUNS
        is_known = wire.nonce == self._unproved[index] and challenge == self._their_challenges[index]
        if challenge <= 0 or (is_known and runs) or (not wire.flags & _ASKING and self.machine.is_concluded):
            return
        self._chance = mix(self._chance)
        if self._chance % (runs + 1) == 0:
            self._unproved[index] = wire.nonce
            self._their_challenges[index] = challenge
        self._debts[index] = debts & _TO_PROVED | min(runs + 1, _RUNS)

    def greets(self, is_alone: int) -> bool:
        """Tell whether to answer the frame that was judged last, which is not proved. Allocates nothing.

        is_alone: not 0 if nobody that counts was heard in our run.
        """
        if not self.wire.flags & _ASKING or (is_alone and not self.machine.is_concluded):
            return self.wire.flags & _ASKING > 0
        index = self.index
        interval_ms = self.recent_ms >> 1
        spent = max(self._spent, self.now - _AT_ONCE * _SHARE * interval_ms) + _SHARE * interval_ms
        if spent > self.now or self.now - self._greeted[index] < _PAUSE * interval_ms:
            return False
        self._spent = spent
        self._greeted[index] = self.now
        return True

    # What goes out

    def write(self) -> None:
        """Write the next statements and the next quotes. Allocates as digest does."""
        Peers.write(self)
        if self._is_used_up:
            self._renew()
        proof = self.wire.proof
        for i in range(len(proof)):
            proof[i] = 0
        proof[0] = self._challenge
        self._slot = 1
        first = _RUNS if self.wire.sequence & 1 else _TO_PROVED  # by turns, so that none of them displaces the other
        self._pay(first)
        self._pay((_RUNS | _TO_PROVED) ^ first)
        self._pay(0)  # quotes that were in earlier frames
        for i in range(len(self.marks)):
            self._debts[i] &= ~_PAID

    def _renew(self) -> None:
        """Make a new challenge. None comes again in a run."""
        self._challenge = mix(self._challenge) or _word(self._digest(self.own, self.nonce, self._chance), 0) or 1
        quotes = self._quotes
        for i in range(2 * _KEPT - 1, 1, -1):
            quotes[i] = quotes[i - 2]
        digest = self._digest(self.own, self.nonce, self._challenge)
        quotes[0] = _word(digest, 0)
        quotes[1] = _word(digest, 4)
        for i in range(len(self.marks)):
            self._usable[i] = min(self._usable[i] + 1, _KEPT)
        self._is_used_up = False  # only now, as a digest may raise MemoryError, and ctrl-C may come at any time

    def _pay(self, due: int) -> None:
        """Quote peers, in turn, as long as there is room. due: whom a quote is owed; 0: anybody who was heard."""
        for _ in range(len(self.marks)):
            if self._slot == len(self.wire.proof):
                return
            i = self._turn = (self._turn + 1) % len(self.marks)
            debts = self._debts[i]
            if debts & due & _TO_PROVED or (not due and not debts & _PAID and self._challenges[i]):
                self._quote(i, self._nonces[i], self._challenges[i])
                self._debts[i] = self._debts[i] & ~_TO_PROVED | _PAID
            if debts & due & _RUNS or (not due and not debts & _PAID and self._unproved[i]):
                if self._quote(i, self._unproved[i], self._their_challenges[i]):
                    self._debts[i] = self._debts[i] & ~_RUNS | _PAID

    def _quote(self, index: int, nonce: int, challenge: int) -> bool:
        """Quote the challenge of a run of a peer, if there is room. Tell whether there was."""
        proof = self.wire.proof
        if self._slot == len(proof):
            return False
        digest = self._digest(index, nonce, challenge)
        proof[self._slot] = _word(digest, 0)
        proof[self._slot + 1] = _word(digest, 4)
        self._slot += 2
        return True

    def _digest(self, index: int, nonce: int, challenge: int) -> bytes:
        put(self._data, 0, self.config.peers[index])
        put(self._data, 4, nonce)
        put(self._data, 8, challenge)
        return self._key.digest(self._view)  # type: ignore[no-any-return]


class Key:
    """A seal for Node: every member must have the same secret.

    ``size`` is 8: the bytes that it takes. ``peers`` is what a node then keeps its peers in.
    """

    size = _TAG
    peers = ProvenPeers

    def __init__(self, secret: bytes, quotes: int = 4) -> None:
        """secret: at least 16 bytes, best from a random source. quotes: the most quotes in a frame, 4 to 24, with 8 bytes each.

        More of them help where many boards start at once and frames are rare. Raises ValueError. Allocates.
        """
        if not isinstance(secret, (bytes, bytearray)):  # the message must not show it
            raise ValueError("secret of type %s: must be bytes" % type(secret).__name__)
        if len(secret) < _LEAST:
            raise ValueError("secret of %d bytes: must have at least %d" % (len(secret), _LEAST))
        if type(quotes) is not int or not _LEAST_QUOTES <= quotes <= _MOST_QUOTES:
            raise ValueError("quotes %r: must be an int, %d to %d" % (quotes, _LEAST_QUOTES, _MOST_QUOTES))
        if len(secret) > _BLOCK:
            secret = _sha256(secret).digest()
        secret = secret + bytes(_BLOCK - len(secret))
        self._most_quotes = quotes
        # The two keys of HMAC, each a block long.
        self._inner_key = bytes([byte ^ 0x36 for byte in secret])
        self._outer_key = bytes([byte ^ 0x5C for byte in secret])

    def words_for(self, peers: int) -> int:
        """Return how many words of proof a frame has in a cluster of so many peers. Allocates nothing."""
        return 1 + 2 * min(peers, self._most_quotes)

    def sign(self, buffer: bytearray, end: int, view: memoryview) -> None:
        """Write the tag of the first end bytes behind them. view: of these bytes. Allocates as digest does."""
        tag = self.digest(view)
        for i in range(_TAG):
            buffer[end + i] = tag[i]

    def verify(self, buffer: bytearray, end: int, view: "memoryview | None" = None) -> bool:
        """Tell whether the tag behind the first end bytes is theirs. It takes the same time for any tag. Allocates as digest does."""
        view = memoryview(buffer)[:end]
        tag = self.digest(view)
        # All eight bytes, and no loop: it would take 6 empty calls more.
        wrong = buffer[end] ^ tag[0] | buffer[end + 1] ^ tag[1] | buffer[end + 2] ^ tag[2] | buffer[end + 3] ^ tag[3]
        wrong |= buffer[end + 4] ^ tag[4] | buffer[end + 5] ^ tag[5] | buffer[end + 6] ^ tag[6] | buffer[end + 7] ^ tag[7]
        return wrong == 0

    def digest(self, view: memoryview) -> bytes:
        """Return the HMAC-SHA256 of some bytes. Allocates two hash objects and two digests of 32 bytes."""
        inner = _sha256(self._inner_key)
        inner.update(view)  # all in one: byte by byte it would take fifteen times as long
        outer = _sha256(self._outer_key)
        outer.update(inner.digest())
        return outer.digest()


def _word(digest: bytes, at: int) -> int:
    """Return 30 bits of a digest: a small int on every port."""
    return (digest[at] & 0x3F) << 24 | digest[at + 1] << 16 | digest[at + 2] << 8 | digest[at + 3]


del const
