"""The seal against strangers and replays: a key that all members share.

A frame carries an HMAC-SHA256, cut to 8 bytes (RFC 2104, section 5), over everything in it, so nobody without the key
can make or change one. And it quotes the nonces of members, so that a frame recorded in an earlier run proves nothing
to this one: see the theory of operation of faction.node.

Each frame sent or heard allocates, inside the firmware's hashlib, two hash objects and two digests of 32 bytes;
nothing else does.
"""

import hashlib
from array import array

from .peers import Peers
from .wire import ASKING, BEACON, Seal, get

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .machine import Faction
    from .wire import Wire

# Constants of other files, repeated: see peers.py
_STATEMENTS = const(36)  # of wire.py
_SAME_ID = const(6)  # of node.py
_STALE = const(8)
_UNPROVEN = const(10)

_BLOCK = const(64)  # bytes, of SHA-256
_TAG = const(8)
_LEAST = const(16)  # bytes of a key
_MOST_QUOTES = const(50)  # so there is room for statements in a frame of 250 bytes


class ProvenPeers(Peers):
    """Peers whose runs count only after they have proved that they are alive now, by a frame that quotes the nonce of ours."""

    def __init__(self, machine: "Faction", wire: "Wire", presence_ms: "int | None", recent_ms: int) -> None:
        """See Peers. Allocates all that is needed."""
        Peers.__init__(self, machine, wire, presence_ms, recent_ms)
        self._owed = array("I", bytes(4 * len(self.marks)))  # the nonces of those that have asked, and are to be quoted; 0: none
        self._quoted = 0  # the position of the peer that was quoted last

    def begin(self, nonce: int) -> None:
        """Forget all that was said, proved and owed: a new run of ours begins now. Allocates nothing."""
        Peers.begin(self, nonce)
        for i in range(len(self.marks)):
            self._nonces[i] = self._owed[i] = 0

    def _judge_run(self, index: int, length: int) -> int:
        verdict = self._judge_proof(index, length)
        if self.wire.flags & ASKING and verdict != _STALE:
            self._owed[index] = self.wire.nonce
        return verdict

    def _judge_proof(self, index: int, length: int) -> int:
        wire = self.wire
        if wire.nonce == self._nonces[index]:
            return Peers._judge_run(self, index, length)
        if not self._is_quoted(length):
            return _UNPROVEN
        if index == self.own:
            return _STALE if wire.nonce == self._previous_nonce else _SAME_ID
        return BEACON

    def _is_quoted(self, length: int) -> bool:
        """Tell whether the frame in the inbox, of so many bytes, quotes the nonce of our run."""
        for at in range(_STATEMENTS + 2 * self.wire.count, length - _TAG, 4):
            if get(self.wire.inbox, at) == self.nonce:
                return True
        return False

    def write(self) -> None:
        """Write the next statements, and quote peers that have asked, as many as fit, and the others next time. Allocates nothing."""
        Peers.write(self)
        quotes = self.wire.quotes
        slot = 0
        for _ in range(len(self._owed)):
            if slot == len(quotes):
                return
            self._quoted = (self._quoted + 1) % len(self._owed)
            if self._owed[self._quoted]:
                quotes[slot] = self._owed[self._quoted]
                self._owed[self._quoted] = 0
                slot += 1
        for i in range(slot, len(quotes)):
            quotes[i] = 0


class Key(Seal):
    """A seal for Node: every member must have the same secret. ``size`` is 8. ``peers`` is what a node then keeps its peers in.

    sign and verify allocate inside the firmware's hashlib: two hash objects and two digests of 32 bytes.
    """

    size = _TAG
    peers = ProvenPeers

    def __init__(self, secret: bytes, quotes: int = 8) -> None:
        """secret: at least 16 bytes, best from a random source. quotes: the most nonces in a frame, 4 bytes each.

        Fewer save air and take more frames to start.
        Raises ValueError. Allocates.
        """
        if len(secret) < _LEAST:
            raise ValueError("secret of %d bytes: must have at least %d" % (len(secret), _LEAST))
        if type(quotes) is not int or not 1 <= quotes <= _MOST_QUOTES:
            raise ValueError("quotes %r: must be an int, 1 to %d" % (quotes, _MOST_QUOTES))
        if len(secret) > _BLOCK:
            secret = _sha256(secret).digest()
        secret = secret + bytes(_BLOCK - len(secret))
        self._most_quotes = quotes
        # The two keys of HMAC, each a block long.
        self._inner_key = bytes([byte ^ 0x36 for byte in secret])
        self._outer_key = bytes([byte ^ 0x5C for byte in secret])

    def quotes_for(self, peers: int) -> int:
        """Return how many nonces a frame quotes in a cluster of so many peers. Allocates nothing."""
        return min(peers, self._most_quotes)

    def sign(self, buffer: bytearray, end: int, view: memoryview) -> None:
        """Write the tag of the first end bytes behind them."""
        tag = self._digest(view)
        for i in range(_TAG):
            buffer[end + i] = tag[i]

    def verify(self, buffer: bytearray, end: int, view: "memoryview | None" = None) -> bool:
        """Tell whether the tag behind the first end bytes is theirs; takes the same time for any tag."""
        return _differences(self._digest(memoryview(buffer)[:end]), buffer, end) == 0

    def _digest(self, view: memoryview) -> bytes:
        inner = _sha256(self._inner_key)
        inner.update(view)
        outer = _sha256(self._outer_key)
        outer.update(inner.digest())
        return outer.digest()


def _differences(tag: bytes, buffer: "bytes | bytearray", end: int) -> int:
    bits = 0
    for i in range(_TAG):
        bits |= tag[i] ^ buffer[end + i]
    return bits


def _sha256(data: bytes) -> "hashlib._Hash":
    if hasattr(hashlib, "sha256"):
        return hashlib.sha256(data)
    return hashlib.new("sha256", data)  # CircuitPython


del const
