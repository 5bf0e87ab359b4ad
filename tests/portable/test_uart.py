"""Frames over a line that loses, doubles and invents bytes."""

from airs import Chance
from faction import Config
from faction.node import Node
from faction.transports.ring import NOTHING
from faction.transports.uart import UART, Framer
from helpers import message_of

PAYLOADS = (
    b"",
    b"\0",
    b"\0\0\0",
    b"a",
    b"hello",
    b"\0hello\0",
    b"he\0llo",
    b"\xff" * 30,
    bytes(range(250)),
    bytes([i % 255 + 1 for i in range(250)]),
    b"x" * 248 + b"\0\0",
)
# What COBS makes of a frame and its CRC-16: zero, code, data ..., zero.
GOLDEN = (
    (b"", b"\0\x01\x01\x01\0"),
    (b"\0", b"\0\x01\x03\x1e\x0f\0"),
    (b"123456789", b"\0\x0c123456789\xd6\x4e\0"),
)


def encoded(payload, limit=250):
    framer = Framer(limit)
    length = framer.encode(payload, len(payload))
    return bytes(framer.encoded[:length])


def fed(framer, data):
    """Return the frames that come out of the bytes."""
    frames = []
    for byte in data:
        length = framer.feed(byte)
        if length != NOTHING:
            frames.append(bytes(framer.frame[:length]))
    return frames


def test_the_bytes_on_the_line():
    for payload, line in GOLDEN:
        assert encoded(payload) == line, payload


def test_there_are_no_zeros_within():
    for payload in PAYLOADS:
        line = encoded(payload)
        assert line[0] == 0 and line[-1] == 0 and 0 not in line[1:-1] and len(line) <= len(payload) + 7, payload


def test_every_payload_comes_back():
    framer = Framer()
    for payload in PAYLOADS:
        assert fed(framer, encoded(payload)) == [payload]
    assert fed(framer, b"".join([encoded(payload) for payload in PAYLOADS])) == list(PAYLOADS)
    assert framer.corrupt == framer.oversized == 0


def test_every_length_up_to_the_limit():
    framer = Framer(600)
    for length in list(range(0, 20)) + [252, 253, 254, 255, 256, 507, 508, 509, 510, 598, 599, 600]:
        for fill in (b"\x01", b"\0"):
            payload = fill * length
            assert fed(framer, encoded(payload, 600)) == [payload], (length, fill)


def test_a_frame_cut_anywhere_is_dropped_and_the_next_one_comes_through():
    line = encoded(b"\0hello\0world")
    for cut in range(1, len(line) - 1):
        framer = Framer()
        assert fed(framer, line[:cut] + encoded(b"next")) == [b"next"], cut
        framer = Framer()
        assert fed(framer, line[cut:] + encoded(b"next")) in ([b"next"], [b"\0hello\0world", b"next"]), cut


def test_a_lost_byte_anywhere_costs_one_frame_at_most():
    line = encoded(b"first") + encoded(b"second") + encoded(b"third")
    for lost in range(len(line)):
        frames = fed(Framer(), line[:lost] + line[lost + 1 :])
        assert len(frames) >= 2 and set(frames) <= {b"first", b"second", b"third"}, lost


def test_a_flipped_bit_anywhere_costs_two_frames_at_most():
    line = encoded(b"first") + encoded(b"second") + encoded(b"third")
    for bit in range(8 * len(line)):
        data = bytearray(line)
        data[bit >> 3] ^= 1 << (bit & 7)
        frames = fed(Framer(), data)
        assert set(frames) <= {b"first", b"second", b"third"} and len(frames) >= 2, bit


def test_noise_before_and_between_is_dropped():
    chance = Chance(3)
    framer = Framer()
    for _ in range(40):
        noise = bytes([chance(255) + 1 for _ in range(chance(40))])
        assert fed(framer, noise + encoded(b"frame")) == [b"frame"]
    assert framer.corrupt > 20


def test_trailing_bytes_wait_for_their_end():
    framer = Framer()
    assert fed(framer, encoded(b"one") + b"\x05ab") == [b"one"]
    assert fed(framer, b"\0" + encoded(b"two")) == [b"two"] and framer.corrupt == 1


def test_a_frame_over_the_limit_is_counted_and_takes_no_memory():
    framer = Framer(8)
    assert fed(framer, encoded(b"123456789") + encoded(b"ok")) == [b"ok"]
    assert (framer.oversized, framer.corrupt) == (1, 0)
    assert fed(framer, b"\x01" * 5000 + b"\0" + encoded(b"ok")) == [b"ok"] and framer.oversized == 2
    assert message_of(ValueError, lambda: framer.encode(bytes(9), 9)) == "frame: 9 bytes, not at most 8"


def test_silence_is_no_frame():
    framer = Framer()
    assert fed(framer, b"\0" * 50) == [] and framer.corrupt == 0


class Line:
    """One end of a line: what is written to it comes out of its peer."""

    def __init__(self, room=1000):
        self.room = room
        self.waiting = bytearray()
        self.peer = self
        self.driven = []

    def any(self):
        return len(self.waiting)

    def readinto(self, buffer):
        count = min(len(buffer), len(self.waiting))
        for i in range(count):
            buffer[i] = self.waiting[i]
        self.waiting = self.waiting[count:]
        return count or None

    def write(self, data):
        taken = bytes(data)[: self.room]
        self.peer.waiting += taken
        return len(taken)

    def flush(self):
        self.driven.append("flush")

    def drive(self, on):
        self.driven.append(on)


def line():
    first, second = Line(), Line()
    first.peer, second.peer = second, first
    return first, second


def test_frames_cross_a_line():
    first, second = line()
    sender, receiver = UART(first), UART(second)
    buffer = bytearray(256)
    for payload in PAYLOADS:
        sender.send(payload, len(payload))
    for payload in PAYLOADS:
        assert receiver.receive(buffer) == len(payload) and bytes(buffer[: len(payload)]) == payload
    assert receiver.receive(buffer) == NOTHING


def test_a_frame_that_comes_byte_by_byte():
    first, second = line()
    receiver = UART(second)
    data = encoded(b"hello")
    for byte in data[:-1]:
        first.write(bytes([byte]))
        assert receiver.receive(bytearray(9)) == NOTHING
    first.write(data[-1:])
    assert receiver.receive(bytearray(9)) == 5


def test_a_noisy_line_does_not_hold_a_poll():
    first, second = line()
    receiver = UART(second)
    second.waiting += b"\x05" * 5000
    assert receiver.receive(bytearray(9)) == NOTHING
    assert 4000 <= second.any() < 5000


def test_the_direction_pin_is_let_go_when_the_frame_has_left():
    first, second = line()
    UART(first, first.drive).send(b"x", 1)
    assert first.driven == [True, "flush", False]


def test_the_direction_pin_is_let_go_when_the_write_fails():
    first = Line()
    first.write = None
    try:
        UART(first, first.drive).send(b"x", 1)
    except TypeError:
        pass
    assert first.driven == [True, False]


class NoFlush:
    """A stream that cannot say when it is done."""

    in_waiting = 0

    def write(self, data):
        return len(data)


def test_without_flush_the_time_on_the_line_is_computed():
    driven = []
    assert message_of(ValueError, lambda: UART(NoFlush(), driven.append)).startswith("baudrate 0: needed")
    UART(NoFlush(), driven.append, baudrate=115200).send(b"x", 1)
    assert driven == [True, False]


def test_overruns_and_short_writes_are_counted():
    first, second = line()
    receiver = UART(second, receive_buffer=64)
    second.waiting += bytes(64)
    receiver.receive(bytearray(9))
    assert receiver.overruns == 1
    first.room = 5
    sender = UART(first)
    sender.send(b"hello", 5)
    assert sender.failures == 1
    first.room = 1000
    sender.send(b"again", 5)
    assert receiver.receive(bytearray(9)) == 5


def test_nodes_bootstrap_over_a_noisy_line():
    first, second = line()
    chance = Chance(5)
    clean = Line.write

    def noisy(sender, data):
        damaged = bytearray(data)
        if chance(3) == 0:
            damaged[chance(len(damaged))] ^= 1 << chance(8)
        return clean(sender, damaged)

    first.write = lambda data: noisy(first, data)
    second.write = lambda data: noisy(second, data)
    nodes = [Node(Config(i, (0, 1), 2), UART((first, second)[i]), "x", 5000, 10, seed=i + 1) for i in range(2)]
    for node in nodes:
        node.complete()
    while not all(node.machine.is_concluded for node in nodes):
        for node in nodes:
            node.poll()
    assert [node.machine.state for node in nodes] == [3, 3]
