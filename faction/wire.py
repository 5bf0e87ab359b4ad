"""One beacon: what a node says on the air, and how to tell a beacon from noise.

A frame. Each number of 4 bytes has its most significant byte first, and is below 2**30: a small int on every port.

    at  bytes
     0      2  magic: 0xFA 0xC7
     2      1  version: 2
     3      1  flags: ASKING, READY
     4      4  cluster: a check of its name
     8      4  expectations: a check of the roster and the quorum
    12      4  id of the sender
    16      4  nonce of the run of the sender, not 0
    20      4  sequence: rises with each frame of a run
    24      4  start: the ms until the common start, plus 2**29; 0: the sender knows of no start
    28      4  ages. Bits 15 to 29: the age of the run of the sender, in units, rounded down. Bits 0 to 14: the age of the
               youngest question that the sender carries on, in units, rounded up
    32      4  window. Bits 12 to 29: the position in the roster of the first statement. Bits 4 to 11: how many statements
               follow. Bits 0 to 3: k of the unit of age of the sender, 2**k ms
    36  2 * c  statements, one for each member, the most significant byte first. Bit 15: READY. Bits 0 to 14: the age of the
               statement in units, rounded up
     .  4 * w  words of proof, only under a key: see faction.key
     .      s  seal: a checksum of 4 bytes, or a tag of 8

An age of 0x7FFF means "none". As the age of a run it means "so old, or older". All frames of one sender have the same
length. Nothing here trusts a length or a byte from the air. Nothing that decodes or encodes allocates, except a seal that
says so.
"""

from array import array
from struct import pack_into
from sys import maxsize

try:
    from binascii import crc32
except ImportError:  # the smallest ports
    crc32 = None  # type: ignore[assignment]

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Iterable
    from typing import Protocol

    from .machine import Config

    class Seal(Protocol):
        """What protects a frame: see Checksum and faction.key.Key. It keeps nothing of a node, so several nodes may share one.

        ``size``  the bytes that it takes
        """

        size: int

        def words_for(self, peers: int) -> int:
            """Return how many words of proof, of 4 bytes, a frame has in a cluster of so many peers. Allocates nothing."""

        def sign(self, buffer: bytearray, end: int, view: memoryview) -> None:
            """Write the seal of the first end bytes of buffer behind them. view: of these bytes."""

        def verify(self, buffer: bytearray, end: int, view: "memoryview | None" = None) -> bool:
            """Tell whether the seal behind the first end bytes of buffer is theirs. view: of both, if there is one."""


# Flags
ASKING = const(0x01)  # the sender has not concluded, and wants to hear from everybody
READY = const(0x02)  # the sender's own participation is complete, and its run has not timed out

# What decode finds
BEACON = const(0)
MALFORMED = const(1)  # not a beacon at all
CORRUPT = const(2)  # a beacon with a wrong length, seal or number
OTHER_VERSION = const(3)
OTHER_CLUSTER = const(4)
OTHER_EXPECTATIONS = const(5)  # our cluster, but another roster or quorum

_MAX_LENGTH = const(250)  # bytes: the limit of ESP-NOW
_NO_AGE = const(0x7FFF)
_READY_BIT = const(0x8000)  # of a statement
_STATEMENTS = const(36)  # where the statements begin
_START_ZERO = const(0x20000000)  # the start field, if the start is now

_MAGIC = const(0xFAC7)
_OUR_VERSION = const(2)
_VERSION_1_LENGTH = const(26)  # of a frame of version 1, which had another checksum
_REMAINDER = const(0x2144DF1C)  # the CRC-32 of any bytes with their own CRC-32 behind them, its lowest byte first
_IS_WIDE = maxsize >> 31  # not 0 on a 64-bit port. On the others a CRC-32 of 2**30 or more is a big int, which takes heap.

_computed = bytearray(4)  # the latest CRC, its lowest byte first; only one context at a time polls a node
# The CRC-32 (polynomial 0xEDB88320, reflected) of each value of four bits, its highest byte first.
_TABLE = (
    b"\x00\x00\x00\x00\x1d\xb7\x10\x64\x3b\x6e\x20\xc8\x26\xd9\x30\xac\x76\xdc\x41\x90\x6b\x6b\x51\xf4\x4d\xb2\x61\x58\x50\x05\x71\x3c"
    b"\xed\xb8\x83\x20\xf0\x0f\x93\x44\xd6\xd6\xa3\xe8\xcb\x61\xb3\x8c\x9b\x64\xc2\xb0\x86\xd3\xd2\xd4\xa0\x0a\xe2\x78\xbd\xbd\xf2\x1c"
)


def compute_crc(buffer: "bytes | bytearray", end: int) -> None:
    """Write the CRC-32 of the first end bytes of buffer into _computed.

    Four bits at a time, in small ints. Allocates nothing; interrupt handlers may call it.
    """
    high = low = 0xFFFF  # 16 bits each, so that all are small ints
    i = 0
    while i < end << 1:
        if i & 1 == 0:
            low ^= buffer[i >> 1]
        x = (low & 15) << 2
        low = (low >> 4 | (high & 15) << 12) ^ _TABLE[x + 2] << 8 ^ _TABLE[x + 3]
        high = high >> 4 ^ _TABLE[x] << 8 ^ _TABLE[x + 1]
        i += 1
    low ^= 0xFFFF
    high ^= 0xFFFF
    pack_into("<H", _computed, 0, low)
    pack_into("<H", _computed, 2, high)


def mix(x: int) -> int:
    """Return the number that follows x, from 1 to 2**30 - 1, in an order without repetition: a xorshift of 30 bits.

    It takes small ints only. Allocates nothing; interrupt handlers may call it.
    """
    x ^= (x & 0x7FFFFF) << 7
    x ^= x >> 9
    return x ^ (x & 0xFFFFF) << 10


def stir(x: int, value: int) -> int:
    """Mix a value into x, both from 0 to 2**30 - 1. Another value always gives another result, and so does another x.

    Allocates nothing; interrupt handlers may call it.
    """
    x = mix(x ^ value)
    for _ in range(2):  # two rounds of a Feistel network: with fewer, some pairs of differences cancel out in every roster
        high = x >> 15
        x = ((x ^ high * high >> 7) & 0x7FFF) << 15 | high
    return x


def digest(values: "Iterable[int]") -> int:
    """Return a 30-bit check of ints from 0 to 2**30 - 1, the same on every port. Against mistakes, not attacks.

    Values that differ in one place never have the same check. Allocates what the iteration of values allocates.
    """
    check = 0x1B873593  # any number with many bits
    for value in values:
        check = stir(check, value)
    return check


def put(buffer: bytearray, at: int, value: int) -> None:
    """Write value, from 0 to 2**30 - 1, as 4 bytes. Allocates nothing."""
    pack_into(">I", buffer, at, value)


def get(buffer: "bytes | bytearray", at: int) -> int:
    """Read 4 bytes: an int from 0 to 2**30 - 1, or -1 for what is greater. Allocates nothing."""
    if buffer[at] > 0x3F:
        return -1
    return buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3]


class Checksum:
    """The seal against accidents: a CRC-32, by the firmware where it has one. It proves nothing about who sent a frame.

    ``size`` is 4: the bytes that it takes.
    """

    size = 4

    def words_for(self, peers: int) -> int:
        """Return how many words of proof a frame has in a cluster of so many peers: none. Allocates nothing."""
        return 0

    def sign(self, buffer: bytearray, end: int, view: memoryview) -> None:
        """Write the CRC of the first end bytes behind them. Allocates nothing."""
        if crc32 is not None and _IS_WIDE:
            pack_into("<I", buffer, end, crc32(view))
        else:
            compute_crc(buffer, end)
            for i in range(4):
                buffer[end + i] = _computed[i]

    def verify(self, buffer: bytearray, end: int, view: "memoryview | None" = None) -> bool:
        """Tell whether the CRC behind the first end bytes is the right one. Allocates nothing for a good frame.

        On a 32-bit port a damaged frame takes an int of 32 bytes from the heap. With the heap locked it takes nothing.
        """
        if view is not None and crc32 is not None:
            return _is_whole(view)
        compute_crc(buffer, end)
        for i in range(4):
            if buffer[end + i] != _computed[i]:
                return False
        return True


def _is_whole(view: memoryview) -> bool:
    try:
        return crc32(view) == _REMAINDER
    except MemoryError:  # a big int, and the heap is locked: so the frame is damaged
        return False


class Wire:
    """Encodes the beacons of one node and decodes those it hears. Attributes:

    ``length``        bytes of every frame that encode writes, to be read only
    ``room``          how many statements fit in one, to be read only
    ``inbox``         a buffer for the frame that is to be decoded
    ``outbox``        the frame that encode has written; its statements are the caller's
    ``roster_check``  the check of roster and quorum that is in every frame, to be read only
    ``seal``          the Seal that it was made with
    ``proof``         the words of proof of the next frame: an array to be filled in

    and the fields of the frame that was decoded last, or is to be encoded

    ``flags``, ``nonce``, ``sequence``, ``start``, ``run_age``, ``question_age``, ``first``, ``unit``; decode alone sets
    ``peer_id`` and ``count``, the number of statements
    """

    def __init__(self, config: "Config", cluster: str, seal: "Seal", max_length: int = _MAX_LENGTH) -> None:
        """cluster: a name that sets this cluster apart from others on the same air. max_length: bytes of the longest frame
        that the transport takes. Allocates; the rest does not. Raises ValueError if a frame does not fit.
        """
        peers = len(config.peers)
        self.seal = seal
        self._peers = peers
        self.proof = array("I", bytes(4 * seal.words_for(peers)))
        length = _STATEMENTS + 4 * len(self.proof) + seal.size
        self.room = min(peers, (min(max_length, _MAX_LENGTH) - length) >> 1)
        if self.room < 1:
            raise ValueError("max_length %d: must be %d or more" % (max_length, length + 2))
        self.length = length = length + 2 * self.room
        self._end = length - seal.size
        inbox = self.inbox = bytearray(_MAX_LENGTH + 6)
        outbox = self.outbox = bytearray(length)
        self._whole = memoryview(inbox)[:length]  # of a frame as long as ours
        self._body = memoryview(outbox)[: self._end]
        self._theirs = memoryview(inbox)[4:12]  # of cluster and expectations
        self._ours = memoryview(outbox)[4:12]
        self.roster_check = digest(list(config.peers) + [config.quorum])
        pack_into(">HHIII", outbox, 0, _MAGIC, _OUR_VERSION << 8, digest(cluster.encode()), self.roster_check, config.peer_id)
        self.flags = self.peer_id = self.nonce = self.sequence = self.start = 0
        self.run_age = self.question_age = self.first = self.count = self.unit = 0

    def encode(self) -> None:
        """Write the fields, the proof and the seal into the outbox, around its statements. Allocates as the seal does."""
        self.outbox[3] = self.flags
        pack_into(">III", self.outbox, 16, self.nonce, self.sequence, self.start)
        ages = self.run_age << 15 | self.question_age
        at = self.first << 12 | self.room << 4 | self.unit
        pack_into(">III", self.outbox, 24, self.start, ages, at)
        at = _STATEMENTS + 2 * self.room
        for i in range(len(self.proof)):
            put(self.outbox, at + 4 * i, self.proof[i])
        self.seal.sign(self.outbox, self._end, self._body)

    def decode(self, length: int) -> int:
        """Judge the first length bytes of the inbox: return BEACON, or what is wrong with them.

        For BEACON and the codes from OTHER_VERSION up, peer_id is that of the frame, or -1 where it has an id that no member
        can have. For BEACON all fields are those of the frame. Allocates as the seal does.
        """
        inbox = self.inbox
        if length < 3 or length > _MAX_LENGTH + 6 or inbox[0] != 0xFA or inbox[1] != 0xC7:
            return MALFORMED
        end = length - self.seal.size
        if inbox[2] != 1 or length != _VERSION_1_LENGTH:
            if end < _STATEMENTS or not self.seal.verify(inbox, end, self._whole if end == self._end else None):
                return CORRUPT
        self.peer_id = get(inbox, 12)
        if inbox[2] != _OUR_VERSION:
            return OTHER_VERSION
        if self._theirs != self._ours:
            return OTHER_EXPECTATIONS if get(inbox, 4) == get(self.outbox, 4) else OTHER_CLUSTER
        if inbox[16] | inbox[20] | inbox[24] | inbox[28] | inbox[32] > 0x3F:
            return CORRUPT
        self.flags = inbox[3]
        self.nonce = inbox[16] << 24 | inbox[17] << 16 | inbox[18] << 8 | inbox[19]  # get takes twice as long
        self.sequence = inbox[20] << 24 | inbox[21] << 16 | inbox[22] << 8 | inbox[23]
        self.start = inbox[24] << 24 | inbox[25] << 16 | inbox[26] << 8 | inbox[27]
        self.run_age = inbox[28] << 9 | inbox[29] << 1 | inbox[30] >> 7
        self.question_age = (inbox[30] & 0x7F) << 8 | inbox[31]
        self.first = inbox[32] << 12 | inbox[33] << 4 | inbox[34] >> 4
        self.count = (inbox[34] & 15) << 4 | inbox[35] >> 4
        self.unit = inbox[35] & 15
        end -= _STATEMENTS + 2 * self.count  # the bytes of the proof
        # The fields must agree with each other and with the roster.
        if self.nonce and self.first + self.count <= self._peers and (not end or (end > 0 and end & 3 == 0 and len(self.proof))):
            return BEACON
        return CORRUPT
