"""Frames over a stream of bytes: UART, RS-485, USB CDC, a pseudo terminal.

On the line, a zero byte begins a frame and a zero byte ends it. Between them are the frame and its CRC-16 in COBS
encoding (Cheshire and Baker, 1999), which contains no zero. So a receiver that has lost bytes finds the beginning of the
next frame, and noise between two frames damages neither. Damaged frames are counted and dropped. Several nodes may share
one half-duplex bus: a collision damages frames, and the node sends them again, with jitter.
"""

try:
    import time
except ImportError:  # MicroPython for QEMU before 1.27
    time = None  # type: ignore[assignment]

from .ring import NOTHING, copy, counted
from .stream import ByteReader

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .stream import Reader, Stream

    class Output(Protocol):
        """A pin of CircuitPython: digitalio.DigitalInOut."""

        value: bool


_CRC = const(2)  # bytes
_FULL_BLOCK = const(0xFF)  # the COBS code of a block of 254 bytes that no zero follows
_CHUNK = const(32)  # bytes read at once
_BOUND = const(512)  # bytes read at most for one frame, so that noise on the line cannot hold a poll
_BYTE = const(11000000)  # us at one baud, for 11 bits: start, 8 of data, parity or a second stop, stop

_sleep_us = getattr(time, "sleep_us", None)  # of MicroPython; time.sleep would take a float, which allocates there


def crc16(buffer: "bytes | bytearray", end: int) -> int:
    """Return the CRC-16/GENIBUS of the first end bytes (polynomial 0x1021, inverted; "123456789" gives 0xD64E).

    Inverted, as otherwise a frame with a zero byte behind it, or its own checksum and zeros, could pass for another.
    A beacon has a check of its own. It must be of another polynomial: see Checksum of ../wire.py. Two of the same protect as one.
    A byte at a time, without a table. Allocates nothing; interrupt handlers may call it.
    """
    crc = 0xFFFF
    for i in range(end):
        x = crc >> 8 ^ buffer[i]
        x ^= x >> 4
        crc = (crc << 8 ^ x << 12 ^ x << 5 ^ x) & 0xFFFF
    return crc ^ 0xFFFF


class Framer:
    """Makes bytes of a frame, and frames of bytes.

    ``frame``      a bytearray; its first bytes are the frame that ``feed`` completed last
    ``encoded``    a bytearray; its first bytes are what ``encode`` made last
    ``corrupt``    frames dropped because their checksum or their coding was wrong
    ``oversized``  frames dropped because they were longer than the limit
    """

    def __init__(self, limit: int = 250) -> None:
        """limit: bytes of the longest frame. Allocates all that it will ever need."""
        self.frame = bytearray(limit + _CRC)
        self.encoded = bytearray(limit + _CRC + (limit + _CRC) // 254 + 3)
        self.corrupt = self.oversized = 0
        # For feed:
        self._length = 0  # bytes of the frame so far
        self._code = 0  # the first byte of the block that we are in; 0: we are in no block
        self._left = 0  # bytes that the block still lacks
        # For encode; made here, as a new attribute would allocate there:
        self._position = 1  # where the next byte goes
        self._code_position = 1  # where the code of the block goes, once its length is known

    def encode(self, buffer: "bytes | bytearray", length: int) -> int:
        """Write into ``encoded`` what goes on the line for the first length bytes of buffer. Return how many bytes it is.

        Raises ValueError for a frame over the limit. Allocates nothing.
        """
        if length > len(self.frame) - _CRC:
            raise ValueError("frame of %d bytes: must have at most %d" % (length, len(self.frame) - _CRC))
        self._position = self._code_position = 1
        self.encoded[0] = 0
        self._open_block()
        for i in range(length):
            self._put(buffer[i])
        crc = crc16(buffer, length)
        self._put(crc >> 8)
        self._put(crc & 0xFF)
        self.encoded[self._code_position] = self._position - self._code_position
        self.encoded[self._position] = 0
        return self._position + 1

    def _open_block(self) -> None:
        self._code_position = self._position
        self._position += 1

    def _put(self, byte: int) -> None:
        if byte:
            self.encoded[self._position] = byte
            self._position += 1
        if not byte or self._position - self._code_position == _FULL_BLOCK:
            self.encoded[self._code_position] = self._position - self._code_position
            self._open_block()

    def feed(self, byte: int) -> int:
        """Take in one byte from the line. Return the length of the frame that it completes, or NOTHING (-1).

        Allocates nothing; an interrupt handler may call it.
        """
        if byte == 0:
            return self._end_frame()
        if self._left == 0:
            if self._code and self._code != _FULL_BLOCK:
                self._append(0)
            self._code = byte
            self._left = byte - 1
        else:
            self._left -= 1
            self._append(byte)
        return NOTHING

    def _append(self, byte: int) -> None:
        if self._length < len(self.frame):
            self.frame[self._length] = byte
        if self._length <= len(self.frame):  # one more than fits is enough to know
            self._length += 1

    def _end_frame(self) -> int:
        length = self._length
        left = self._left
        if self._code == 0:  # zeros in a row
            return NOTHING
        self._reset()
        if length > len(self.frame):
            self.oversized = counted(self.oversized)
            return NOTHING
        length -= _CRC
        if left or length < 0 or crc16(self.frame, length) != self.frame[length] << 8 | self.frame[length + 1]:
            self.corrupt = counted(self.corrupt)
            return NOTHING
        return length

    def _reset(self) -> None:
        self._length = self._left = self._code = 0


class UART:
    """Makes a transport of any stream.

    ``framer``      its Framer, which counts the frames that it dropped
    ``max_length``  bytes of the longest frame
    ``failures``    frames of which the stream took only a part
    """

    def __init__(
        self,
        stream: "Stream | Reader",
        direction: "Callable[[bool], object] | Output | None" = None,
        baudrate: int = 0,
        receive_buffer: int = 0,
        limit: int = 250,
    ) -> None:
        """Make a transport.

        stream: it has write, and readinto or read, and it does not block: machine.UART, busio.UART or serial.Serial with
        timeout=0, usb_cdc.data, or a file that select.poll knows. direction: the driver-enable pin of an RS-485
        transceiver, or a function; a pin is an output, a machine.Pin or a digitalio.DigitalInOut. It becomes False now,
        True before each frame, and False when the last bit of the frame has left. baudrate: give it with direction if the
        stream has no flush, or if its flush returns before the last byte has left (ESP8266, nRF, older RP2).
        receive_buffer: bytes of the buffer of the driver, to count overruns. limit: bytes of the longest frame.
        Raises ValueError. Allocates.
        """
        if direction is not None and not baudrate and not hasattr(stream, "flush"):
            raise ValueError("baudrate 0: this stream has no flush, so give its baudrate together with direction")
        self.framer = Framer(limit)
        self.max_length = limit
        self.failures = 0
        self._reader = ByteReader(stream, _CHUNK, receive_buffer)
        self._stream: Any = stream
        self._direction: Any = None if direction is None else _switch(direction)  # a function of True or False
        self._byte_us = (_BYTE + baudrate - 1) // baudrate if baudrate else 0  # the time of a byte on the line; 0: unknown
        self._has_flush = hasattr(stream, "flush")
        self._view = memoryview(self.framer.encoded)  # of what goes on the line; kept while the length stays the same
        if self._direction is not None:
            self._direction(False)  # a pin that begins high would hold the bus until our first frame

    @property
    def overruns(self) -> int:
        """Return how often the buffer of the driver was full: bytes were probably lost. Allocates nothing."""
        return self._reader.overruns

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return (name, number) pairs of what went wrong: see faction.transports. Allocates."""
        framer = self.framer
        return (
            ("corrupt", framer.corrupt),
            ("oversized", framer.oversized),
            ("overruns", self.overruns),
            ("failures", self.failures),
        )

    def send(self, buffer: "bytes | bytearray", length: int) -> None:
        """Send the first length bytes of buffer as a frame. With direction it waits until the last bit has left.

        Raises the exceptions of the stream. Allocates only if the length on the line differs from that of the last frame.
        """
        length = self.framer.encode(buffer, length)
        if len(self._view) != length:
            self._view = memoryview(self.framer.encoded)[:length]
        if self._direction is None:
            self._write()
        else:
            self._drive(length)

    def _drive(self, length: int) -> None:
        """Drive the bus, write, and release the bus in any case."""
        self._direction(True)
        try:
            self._write()
            self._drain(length)
        finally:
            self._direction(False)

    def _write(self) -> None:
        written = self._stream.write(self._view)
        if written != len(self._view):
            self.failures = counted(self.failures)  # the receivers drop the incomplete frame; the zero byte before our next frame ends it

    def _drain(self, length: int) -> None:
        """Wait until the last of length bytes has left, and the time of one byte more."""
        if self._has_flush:
            self._stream.flush()
            length = 0
        _sleep((length + 1) * self._byte_us)

    def receive(self, buffer: bytearray) -> int:
        """Copy the next complete frame into buffer, cut to its size. Return its length, or NOTHING (-1).

        Allocates what readinto of the stream, nothing on MicroPython, or read allocates.
        """
        for _ in range(_BOUND):
            byte = self._reader.next()
            if byte < 0:
                return NOTHING
            length = self.framer.feed(byte)
            if length >= 0:
                return copy(self.framer.frame, length, buffer)
        return NOTHING


def _switch(pin: "Any") -> "Any":
    """Return a function that sets a pin: the pin itself, its method value, or one that assigns to value."""
    if callable(pin):
        return pin
    if callable(pin.value):
        return pin.value

    def assign(on: bool) -> None:
        pin.value = on

    return assign


def _sleep(us: int) -> None:
    if _sleep_us:
        _sleep_us(us)
    elif us:
        time.sleep(us / 1000000)
