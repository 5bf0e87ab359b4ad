"""Frames over a line that loses, doubles and invents bytes."""

from airs import Chance, quick_clock, until_concluded
from faction import Config
from faction.node import Node
from faction.transports.ring import NOTHING
from faction.transports.uart import UART, Framer, crc16
from faction.wire import BEACON, CORRUPT, Checksum, Wire
from firmware import need_clock
from frames import Speaker, decode
from helpers import message_of
from witness import LOCKED_HEAP, need_lock

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


GENERATOR = 0x11021  # of the check of the framing: x**16 + x**12 + x**5 + 1


def test_damage_that_the_framing_misses_the_beacon_finds():
    good = Speaker(2, range(12)).frame(sequence=77)
    wire = Wire(Config(1, range(12), 12), "greenhouse", Checksum())
    assert decode(wire, good) == BEACON
    framer = Framer()
    for factor in range(1, 64, 2):
        pattern = 0
        for i in range(6):
            if factor >> i & 1:
                pattern ^= GENERATOR << i
        for offset in range(8):
            for at in (3, 20, len(good) - 4):
                damaged = bytearray(good)
                for i in range(4):
                    damaged[at + i] ^= pattern << offset >> (24 - 8 * i) & 0xFF
                assert crc16(damaged, len(damaged)) == crc16(good, len(good)), (factor, offset)
                assert fed(framer, encoded(damaged)) == [bytes(damaged)]
                assert decode(wire, damaged) == CORRUPT, (factor, offset, at)
    assert framer.corrupt == 0


def test_noise_before_and_between_is_dropped():
    chance = Chance(3)
    framer = Framer()
    for _ in range(40):
        noise = bytes([chance(255) + 1 for _ in range(chance(40))])
        assert fed(framer, noise + encoded(b"frame")) == [b"frame"]
    assert framer.corrupt > 20


def test_a_block_that_promises_more_than_came_is_no_frame():
    framer = Framer()
    data = bytearray(encoded(b"hello"))
    data[1] += 1
    assert fed(framer, data) == [] and framer.corrupt == 1
    assert fed(framer, encoded(b"hello")) == [b"hello"]


def test_trailing_bytes_wait_for_their_end():
    framer = Framer()
    assert fed(framer, encoded(b"one") + b"\x05ab") == [b"one"]
    assert fed(framer, b"\0" + encoded(b"two")) == [b"two"] and framer.corrupt == 1


def test_a_frame_over_the_limit_is_counted_and_takes_no_memory():
    framer = Framer(8)
    assert fed(framer, encoded(b"123456789") + encoded(b"ok")) == [b"ok"]
    assert (framer.oversized, framer.corrupt) == (1, 0)
    assert fed(framer, b"\x01" * 5000 + b"\0" + encoded(b"ok")) == [b"ok"] and framer.oversized == 2
    assert message_of(ValueError, lambda: framer.encode(bytes(9), 9)) == "frame of 9 bytes: must have at most 8"


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
        self.on_write = ignore

    def any(self):
        return len(self.waiting)

    def readinto(self, buffer):
        count = min(len(buffer), len(self.waiting))
        for i in range(count):
            buffer[i] = self.waiting[i]
        self.waiting = self.waiting[count:]
        return count or None

    def write(self, data):
        self.on_write("write")
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


def test_the_bus_is_let_go_before_anything_is_sent():
    first, _ = line()
    UART(first, first.drive)
    assert first.driven == [False]


def test_the_direction_pin_is_let_go_when_the_frame_has_left():
    first, second = line()
    first.on_write = first.driven.append
    UART(first, first.drive).send(b"x", 1)
    assert first.driven == [False, True, "write", "flush", False]
    assert UART(second).receive(bytearray(9)) == 1


def test_the_direction_pin_is_let_go_when_the_write_fails():
    first, _ = line()
    first.on_write = fail
    try:
        UART(first, first.drive).send(b"x", 1)
    except OSError:
        assert first.driven == [False, True, False]
    else:
        raise AssertionError("the error was swallowed")


def fail(what):
    raise OSError(what)


class DigitalInOut:
    """A pin of CircuitPython, which is assigned to."""

    def __init__(self):
        self.values = []

    def _assign(self, value):
        self.values.append(value)

    value = property(lambda self: self.values[-1] if self.values else False, _assign)


class Signal:
    """A pin whose value is a method."""

    def __init__(self):
        self.values = []

    def value(self, value):
        self.values.append(value)


def test_the_direction_pin_may_be_assigned_to_or_have_a_method():
    for pin in (DigitalInOut(), Signal()):
        first, second = line()
        UART(first, pin).send(b"x", 1)
        assert pin.values == [False, True, False] and UART(second).receive(bytearray(9)) == 1


class Slow:
    """A stream that cannot say when it is done, and notes when it is written to."""

    in_waiting = 0

    def __init__(self, clock=None):
        self.clock = clock

    def write(self, data):
        self.written = self.clock.now()
        return len(data)

    def readinto(self, buffer):
        return None


class Flushed(Slow):
    """A stream whose flush returns while the last byte is on its way."""

    def flush(self):
        pass


def driven_ms(stream, length, baudrate):
    """Return how long the bus stays driven after a frame was written."""
    released = []
    clock = stream.clock
    UART(stream, lambda on: released.append(None if on else clock.now()), baudrate).send(bytes(length), length)
    return clock.diff(released[-1], stream.written)


def test_without_flush_the_bus_stays_driven_for_the_time_of_the_frame():
    assert (
        message_of(ValueError, lambda: UART(Slow(), print))
        == "baudrate 0: this stream has no flush, so give its baudrate together with direction"
    )
    # Two zeros and one for each byte of the frame and its check: 26 bytes of 11 bits, and one to spare.
    assert 29 <= driven_ms(Slow(need_clock()), 21, 9600) < 300


def test_after_flush_the_bus_stays_driven_for_a_last_byte():
    assert 8 <= driven_ms(Flushed(need_clock()), 21, 1200) < 200


def test_a_stream_with_read_alone_will_do():
    first, second = line()
    UART(first).send(b"hello", 5)
    receiver = UART(Reader(second))
    buffer = bytearray(9)
    assert receiver.receive(buffer) == 5 and buffer[:5] == b"hello"
    second.waiting += b"\0"
    assert receiver.receive(buffer) == NOTHING
    silent = Reader(second)
    silent.any = lambda: 1  # says that a byte waits, and has none
    assert UART(silent).receive(buffer) == NOTHING


class Reader:
    """A line without readinto."""

    def __init__(self, line):
        self._line = line

    def any(self):
        return self._line.any()

    def write(self, data):
        return self._line.write(data)

    def read(self, size):
        buffer = bytearray(size)
        count = self._line.readinto(buffer)
        return bytes(buffer[:count]) if count else None


class Driver:
    """A stream that allocates nothing, as a firmware's: one frame comes in again and again."""

    def __init__(self, data):
        self._data = data
        self._at = 0
        self.written = 0

    def any(self):
        return len(self._data) - self._at

    def readinto(self, buffer):
        count = min(len(buffer), len(self._data) - self._at)
        for i in range(count):
            buffer[i] = self._data[self._at + i]
        self._at = (self._at + count) % len(self._data)
        return count

    def write(self, data):
        self.written += 1
        return len(data)

    def flush(self):
        pass


def ignore(on):
    pass


def test_sending_and_receiving_allocate_nothing():
    need_lock()
    need_clock()
    driver = Driver(encoded(b"\0hello") + b"noise" + encoded(b"\0world"))
    uart = UART(driver, ignore, 1000000)
    frame, buffer = bytearray(26), bytearray(26)
    uart.send(frame, 26)  # the first frame of a length makes its view
    with LOCKED_HEAP:
        uart.send(frame, 26)
        first = uart.receive(buffer)
        second = uart.receive(buffer)
    assert (first, second, driver.written, uart.framer.corrupt) == (6, 6, 2, 1) and buffer[:6] == b"\0world"


def test_the_first_frame_of_a_framer_allocates_nothing():
    need_lock()
    framer = Framer()
    with LOCKED_HEAP:
        encoded_length = framer.encode(b"\0hello", 6)
        length = NOTHING
        for i in range(encoded_length):
            length = framer.feed(framer.encoded[i])
    assert (encoded_length, length) == (11, 6) and framer.frame[:6] == b"\0hello"


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
    clock = quick_clock()
    nodes = [Node(Config(i, (0, 1), 2), UART((first, second)[i]), "x", 5000, 10, clock=clock, seed=i + 1) for i in range(2)]
    until_concluded(nodes)
    assert [node.machine.state for node in nodes] == [3, 3]


def test_noise_without_an_end_is_counted_once_and_its_length_stays_small():
    framer = Framer(8)
    for count in (0x3FFFFFFE, 0x3FFFFFFF):
        framer.oversized = count
        assert fed(framer, b"\xff" + b"x" * 2000 + b"\0") == [] and framer.oversized == 0x3FFFFFFF
    for _ in range(2000):
        framer.feed(0x55)
    assert framer._length == 8 + 2 + 1
