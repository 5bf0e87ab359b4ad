"""The seal against attackers: a secret key that all members share.

Each frame carries an HMAC-SHA256 of all its bytes, cut to 8 bytes (RFC 2104, section 5). So nobody can make or change a
frame without the key. Each frame also quotes nonces of members. So a frame that was recorded in an earlier run proves
nothing in this run: see the theory of operation in faction.node.

For each frame sent or heard, hashlib of the firmware allocates two hash objects and two digests of 32 bytes. Nothing
else here allocates after the constructor.
"""

import hashlib

from .wire import Seal

const = int  # folded away on boards: see machine.py

_BLOCK = const(64)  # bytes, of SHA-256
_TAG = const(8)
_LEAST = const(16)  # bytes of a key
_MOST_QUOTES = const(54)  # that fit into a frame of wire.MAX_LENGTH


class Key(Seal):
    """A seal for Node. All members must have the same secret. Its ``size`` is 8."""

    size = _TAG

    def __init__(self, secret: bytes, quotes: int = 54) -> None:
        """Make a seal from a secret.

        secret: at least 16 bytes, best from a random source. quotes: how many nonces a frame may quote, 1 to 54. A frame
        has 32 bytes and 4 for each quote; it quotes every peer if they all fit. Fewer quotes make shorter frames, and the
        start takes more of them. Raises ValueError. Allocates.
        """
        if len(secret) < _LEAST:
            raise ValueError("secret of %d bytes: must have at least %d" % (len(secret), _LEAST))
        if type(quotes) is not int or not 1 <= quotes <= _MOST_QUOTES:
            raise ValueError("quotes %r: must be an int, 1 to %d" % (quotes, _MOST_QUOTES))
        if len(secret) > _BLOCK:
            secret = _sha256(secret).digest()
        secret = secret + bytes(_BLOCK - len(secret))
        self._most_quotes = quotes  # in a frame
        # The two keys of HMAC, each a block long.
        self._inner_key = bytes([byte ^ 0x36 for byte in secret])
        self._outer_key = bytes([byte ^ 0x5C for byte in secret])
        self._word = bytearray(4)  # of the frame, on its way into the hash

    def quotes_for(self, peers: int) -> int:
        """Return how many nonces a frame quotes in a cluster of so many peers. Allocates nothing."""
        return min(peers, self._most_quotes)

    def sign(self, buffer: bytearray, end: int) -> None:
        """Write the tag of the first end bytes, a multiple of 4, behind them."""
        tag = self._digest(buffer, end)
        for i in range(_TAG):
            buffer[end + i] = tag[i]

    def verify(self, buffer: "bytes | bytearray", end: int) -> bool:
        """Tell whether the tag behind the first end bytes, a multiple of 4, is theirs. It takes the same time for every tag."""
        return _differences(self._digest(buffer, end), buffer, end) == 0

    def _digest(self, buffer: "bytes | bytearray", end: int) -> bytes:
        outer = _sha256(self._outer_key)
        outer.update(self._inner_digest(buffer, end))
        return outer.digest()

    def _inner_digest(self, buffer: "bytes | bytearray", end: int) -> bytes:
        inner = _sha256(self._inner_key)
        for at in range(0, end, 4):
            self._load(buffer, at)
            inner.update(self._word)
        return inner.digest()

    def _load(self, buffer: "bytes | bytearray", at: int) -> None:
        # Word by word, as a slice of the buffer would allocate.
        for i in range(4):
            self._word[i] = buffer[at + i]


def _differences(tag: bytes, buffer: "bytes | bytearray", end: int) -> int:
    bits = 0
    for i in range(_TAG):
        bits |= tag[i] ^ buffer[end + i]
    return bits


def _sha256(data: bytes) -> "hashlib._Hash":
    if hasattr(hashlib, "sha256"):
        return hashlib.sha256(data)
    return hashlib.new("sha256", data)  # CircuitPython
