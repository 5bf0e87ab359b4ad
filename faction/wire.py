"""One beacon: the bytes that a node sends, and how to tell a beacon from noise.

A frame, all numbers with the most significant byte first:

    0  magic 0xFA 0xC7                  8  check of roster and quorum    20  sequence, rising by frame
    2  version 1                       12  peer id                       24  nonces quoted, 4 bytes each
    3  flags                           16  nonce of the sender's run     ..  seal: a checksum or a tag

All numbers are below 2**30, so they are small ints on every port. All frames of a sender have the same length: 26 bytes
under the Checksum, which quotes nothing. The buffers belong to the caller. Nothing here trusts a length or a byte from
the air. Decoding and encoding allocate nothing, except in a seal that says so.
"""

from array import array

from .machine import Config

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Iterable

# Flags of a frame:
ASKING = const(0x01)  # the sender has not concluded; it asks everybody to answer
READY = const(0x02)  # the sender's own part is complete, and its run has not timed out

# What decode returns:
BEACON = const(0)  # a good beacon of our cluster
MALFORMED = const(1)  # not a beacon at all
CORRUPT = const(2)  # a beacon whose length or seal is wrong
OTHER_VERSION = const(3)  # a beacon of another version of the protocol
OTHER_CLUSTER = const(4)  # a beacon of a cluster with another name
OTHER_EXPECTATIONS = const(5)  # our cluster, but another roster or quorum

MAX_LENGTH = const(250)  # bytes: the limit of ESP-NOW

_VERSION = const(2)  # offsets
_FLAGS = const(3)
_CLUSTER = const(4)
_EXPECTATIONS = const(8)
_PEER_ID = const(12)
_NONCE = const(16)
_SEQUENCE = const(20)
_QUOTES = const(24)


def crc16(buffer: "bytes | bytearray", end: int) -> int:
    """Return the CRC-16/GENIBUS of the first end bytes (polynomial 0x1021, inverted; "123456789" gives 0xD64E).

    It is inverted. Otherwise a frame and a zero byte, or a frame with its checksum and zeros, could look like another
    frame. It takes one byte at a time and needs no table. Allocates nothing; interrupt handlers may call it.
    """
    crc = 0xFFFF
    for i in range(end):
        x = crc >> 8 ^ buffer[i]
        x ^= x >> 4
        crc = (crc << 8 ^ x << 12 ^ x << 5 ^ x) & 0xFFFF
    return crc ^ 0xFFFF


def digest(values: "Iterable[int]") -> int:
    """Return a 30-bit check of ints from 0 to 2**30 - 1, the same on every port. It finds mistakes, not attacks.

    Allocates nothing itself; the iteration may.
    """
    low = high = 1
    for value in values:
        # Two remainders by primes below 2**15: no product leaves the small ints of a 32-bit port.
        low = (low * 31 + value % 32749) % 32749
        high = (high * 211 + value % 32719) % 32719
    return high << 15 | low


def put(buffer: bytearray, at: int, value: int) -> None:
    """Write value, from 0 to 2**30 - 1, into 4 bytes of buffer from position at. Allocates nothing."""
    buffer[at] = value >> 24
    buffer[at + 1] = value >> 16 & 0xFF
    buffer[at + 2] = value >> 8 & 0xFF
    buffer[at + 3] = value & 0xFF


def get(buffer: "bytes | bytearray", at: int) -> int:
    """Read 4 bytes of buffer from position at: an int from 0 to 2**30 - 1, or -1 for a greater one. Allocates nothing."""
    if buffer[at] > 0x3F:
        return -1
    return buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3]


class Seal:
    """The base of what protects a frame: see Checksum and faction.key.Key. ``size`` is the bytes that a seal takes."""

    size = 0

    def quotes_for(self, peers: int) -> int:
        """Return how many nonces a frame quotes in a cluster of so many peers: here none. Allocates nothing."""
        return 0

    def sign(self, buffer: bytearray, end: int) -> None:
        """Write the seal of the first end bytes behind them. Checksum allocates nothing, a Key two hashes."""
        raise NotImplementedError

    def verify(self, buffer: "bytes | bytearray", end: int) -> bool:
        """Tell whether the seal behind the first end bytes is theirs. Checksum allocates nothing, a Key two hashes."""
        raise NotImplementedError


class Checksum(Seal):
    """The seal against accidents: a CRC-16. Its ``size`` is 2. It proves nothing, so a frame quotes nothing."""

    size = 2

    def sign(self, buffer: bytearray, end: int) -> None:
        """Write the seal of the first end bytes behind them. Allocates nothing."""
        crc = crc16(buffer, end)
        buffer[end] = crc >> 8
        buffer[end + 1] = crc & 0xFF

    def verify(self, buffer: "bytes | bytearray", end: int) -> bool:
        """Tell whether the seal behind the first end bytes is theirs. Allocates nothing."""
        return crc16(buffer, end) == buffer[end] << 8 | buffer[end + 1]


class Wire:
    """Encodes the beacons of one node, and decodes the frames that it hears.

    ``length``        bytes of every frame that encode writes
    ``roster_check``  the check of roster and quorum that is in them
    ``quotes``        the nonces that the next frame quotes, 0 where there is none; an array that the node fills in
    ``flags``, ``peer_id``, ``nonce``, ``sequence``  of the frame decoded last
    """

    def __init__(self, config: Config, cluster: str, seal: Seal) -> None:
        """cluster: the name of the cluster, to tell it from others on the same air. Allocates; the other methods do not."""
        self._seal = seal  # signs and verifies each frame
        self.quotes = array("I", bytes(4 * seal.quotes_for(len(config.peers))))
        self.length = _QUOTES + 4 * len(self.quotes) + seal.size
        self._our_head = bytearray(_NONCE)  # the first bytes of every frame of ours
        self._our_head[0] = 0xFA
        self._our_head[1] = 0xC7
        self._our_head[_VERSION] = 1
        put(self._our_head, _CLUSTER, digest(cluster.encode()))
        self.roster_check = digest(list(config.peers) + [config.quorum])
        put(self._our_head, _EXPECTATIONS, self.roster_check)
        put(self._our_head, _PEER_ID, config.peer_id)
        self.flags = self.peer_id = self.nonce = self.sequence = 0
        self._quotes_end = 0  # where the quotes of the frame decoded last end

    def encode(self, buffer: bytearray, flags: int, nonce: int, sequence: int) -> int:
        """Write a frame into buffer, which must have room for length bytes. Return this length. Allocates as the seal does."""
        for i in range(_NONCE):
            buffer[i] = self._our_head[i]
        buffer[_FLAGS] = flags
        put(buffer, _NONCE, nonce)
        put(buffer, _SEQUENCE, sequence)
        self._put_quotes(buffer)
        self._seal.sign(buffer, self.length - self._seal.size)
        return self.length

    def decode(self, buffer: "bytes | bytearray", length: int) -> int:
        """Judge the first length bytes of buffer. Return BEACON, or the code of what is wrong with them.

        For BEACON and for OTHER_VERSION and higher codes, flags, peer_id, nonce and sequence are those of the frame, as far
        as it can be read. peer_id is -1 if the frame has an id that no member can have. Allocates as the seal does.
        """
        if length < 2 or length > len(buffer) or not self._same(buffer, 0, 2):
            return MALFORMED
        end = length - self._seal.size
        if end < _QUOTES or end & 3 or not self._seal.verify(buffer, end):
            return CORRUPT
        if end > _QUOTES and not len(self.quotes):  # nobody quotes under a checksum
            return CORRUPT
        self.flags = buffer[_FLAGS]
        self.peer_id = get(buffer, _PEER_ID)
        self.nonce = get(buffer, _NONCE)
        self.sequence = get(buffer, _SEQUENCE)
        self._quotes_end = end
        if buffer[_VERSION] != self._our_head[_VERSION]:
            return OTHER_VERSION
        if not self._same(buffer, _CLUSTER, _PEER_ID):
            return OTHER_EXPECTATIONS if self._same(buffer, _CLUSTER, _EXPECTATIONS) else OTHER_CLUSTER
        return CORRUPT if self.nonce <= 0 or self.sequence < 0 else BEACON

    def is_quoted(self, buffer: "bytes | bytearray", nonce: int) -> bool:
        """Tell whether the frame decoded last, still in buffer, quotes nonce. Allocates nothing."""
        for at in range(_QUOTES, self._quotes_end, 4):
            if get(buffer, at) == nonce:
                return True
        return False

    def _put_quotes(self, buffer: bytearray) -> None:
        for i in range(len(self.quotes)):
            put(buffer, _QUOTES + 4 * i, self.quotes[i])

    def _same(self, buffer: "bytes | bytearray", start: int, end: int) -> bool:
        for i in range(start, end):
            if buffer[i] != self._our_head[i]:
                return False
        return True
