"""The check of the framing of a serial line, and that of the beacon within it: what one misses the other must find.

Both checks are linear. So whether a damage passes one depends on its pattern of bits alone. A pattern passes the framing's check
if it is a multiple of its generator polynomial. The beacon's check must let it pass no more often than chance, 1 in 2**32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from faction import Config
from faction.transports.uart import crc16
from faction.wire import Checksum, Wire

GENERATOR = 0x11021  # x**16 + x**12 + x**5 + 1
PEERS = range(12)


class Twice(Checksum):
    """What must not be: the check of the framing once more."""

    size = 2

    def sign(self, buffer: bytearray, end: int, view: memoryview) -> None:
        buffer[end:] = crc16(buffer, end).to_bytes(2, "big")

    def verify(self, buffer: bytearray, end: int, view: memoryview | None = None) -> bool:
        return buffer[end:] == crc16(buffer, end).to_bytes(2, "big")


def beacon(seal: Checksum) -> bytearray:
    """Return a frame as it goes out."""
    wire = Wire(Config(3, PEERS, 7), "greenhouse", seal)
    wire.flags, wire.nonce, wire.sequence, wire.run_age = 3, 0x2345678, 77, 1000
    for i in range(2 * wire.room):
        wire.outbox[36 + i] = 37 * i & 0xFF
    wire.encode()
    return wire.outbox


class Line:
    """A frame that patterns of damage are put on; ``passes`` counts those that its two checks do not find."""

    def __init__(self, seal: Checksum) -> None:
        self.frame = beacon(seal)
        self.check = crc16(self.frame, len(self.frame))
        self._view = memoryview(self.frame)
        self._seal = seal
        self.damaged = self.passed = 0

    def damage(self, at: int, pattern: int, is_checked: bool = False) -> None:
        """Exchange the bits of a pattern, whose last bit is the last one of the byte before at; count; exchange them back."""
        end = len(self.frame) - self._seal.size
        length = (pattern.bit_length() + 7) // 8
        before = bytes(self.frame[at - length : at])
        self.frame[at - length : at] = (int.from_bytes(before, "big") ^ pattern).to_bytes(length, "big")
        found = self._seal.verify(self.frame, end, self._view)
        if is_checked:
            assert crc16(self.frame, len(self.frame)) == self.check, f"the framing finds {pattern:x}"
            assert self._seal.verify(self.frame, end) == found, f"two ways to compute one check differ: {pattern:x}"
        self.damaged += 1
        self.passed += found
        self.frame[at - length : at] = before


def multiples(bits: int) -> Iterator[int]:
    """Iterate the multiples of the generator that have so many bits more than it, and end with a one, at each offset in a byte."""
    for factor in range(1, 1 << (bits + 1), 2):
        product = 0
        for i in range(bits + 1):
            if factor >> i & 1:
                product ^= GENERATOR << i
        for offset in range(8):
            yield product << offset


def test_both_checks_find_what_they_should():
    line = Line(Checksum())
    line.damage(30, 0)
    assert (line.damaged, line.passed) == (1, 1), "a frame without damage passes"
    line.damage(30, 1)
    assert line.passed == 1


def test_the_same_check_twice_protects_as_one():
    line = Line(Twice())
    for pattern in multiples(7):
        line.damage(30, pattern)
    assert line.damaged == line.passed == 1024


def test_bursts_that_pass_the_framing_do_not_pass_the_beacon():
    line = Line(Checksum())
    for i, pattern in enumerate(multiples(16)):
        line.damage(30, pattern, i % 512 == 0)
        if i % 8 == 0:
            for at in (len(line.frame), len(line.frame) - 2, 5):
                line.damage(at, pattern)
    assert line.damaged > 700_000 and line.passed == 0, line.passed


def test_four_bits_that_pass_the_framing_do_not_pass_the_beacon():
    line = Line(Checksum())
    end = len(line.frame)
    bits = 8 * end
    zeros = crc16(bytes(end), end)
    syndromes = [crc16((1 << bit).to_bytes(end, "big"), end) ^ zeros for bit in range(bits)]
    pairs = defaultdict(list)
    for first, second in combinations(range(bits), 2):
        pairs[syndromes[first] ^ syndromes[second]].append((first, second))
    for i, alike in enumerate(pairs.values()):
        for (a, b), (c, d) in combinations(alike, 2):
            if len({a, b, c, d}) == 4 and a < c:
                line.damage(end, 1 << a | 1 << b | 1 << c | 1 << d, i % 256 == 0)
    assert line.damaged > 50_000 and line.passed == 0, line.passed
