"""Bytes from any stream, one by one, without waiting: UART, USB CDC, a console, a pseudo terminal."""

from .ring import NOTHING, copy

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any, Protocol

    class Stream(Protocol):
        """What a stream must have; any() or in_waiting, and flush(), are used where they are."""

        def write(self, buffer: memoryview) -> "int | None": ...

        def readinto(self, buffer: bytearray) -> "int | None": ...

    class Reader(Protocol):
        """A stream without readinto will do, but allocates what it reads."""

        def write(self, buffer: memoryview) -> "int | None": ...

        def read(self, size: int) -> "bytes | None": ...


class ByteReader:
    """The bytes of a stream. ``overruns`` counts looks that found the driver's buffer full: bytes have probably been lost."""

    def __init__(self, stream: "Stream | Reader", size: int = 1, receive_buffer: int = 0) -> None:
        """stream: its readinto or read does not wait for more than there is, or has any() or in_waiting, or is known to
        select.poll. size: bytes read at a time. receive_buffer: bytes of the driver's buffer, to count overruns; 0: unknown.
        Allocates.
        """
        self.overruns = 0
        self._stream: Any = stream
        self._receive_buffer = receive_buffer  # bytes of the driver's buffer; 0: unknown
        self._has_readinto = hasattr(stream, "readinto")
        self._has_any = hasattr(stream, "any")
        # Tells whether a byte waits, for a stream that cannot tell it itself.
        self._poller: Any = None if self._has_any or hasattr(stream, "in_waiting") else _poller(stream)
        # The bytes read last. A file's readinto may wait for a whole buffer, and MicroPython's does: so one byte there.
        self._chunk = bytearray(1 if self._poller else size)
        self._next = 0  # the position in the chunk of the byte that is given out next
        self._filled = 0  # bytes in the chunk

    def next(self) -> int:
        """Return the next byte, or NOTHING (-1). Allocates what the stream's readinto does, nothing on MicroPython, or its read."""
        if self._next == self._filled:
            self._fill()
            if self._filled == 0:
                return NOTHING
        self._next += 1
        return self._chunk[self._next - 1]

    def _fill(self) -> None:
        """Fill the chunk with what waits, and let _filled say how much that was."""
        self._next = self._filled = 0
        waiting = self._waiting()
        if waiting:
            if self._receive_buffer and waiting >= self._receive_buffer:
                self.overruns += 1
            self._filled = (self._stream.readinto(self._chunk) if self._has_readinto else self._read()) or 0

    def _read(self) -> int:
        data = self._stream.read(len(self._chunk)) or b""
        return copy(data, len(data), self._chunk)

    def _waiting(self) -> int:
        """Return how many bytes wait, as far as the stream can tell."""
        if self._poller is not None:
            return _is_ready(self._poller)
        if self._has_any:
            return int(self._stream.any())
        return int(self._stream.in_waiting)


def _poller(stream: "Any") -> "Any":
    import select

    poller = select.poll()
    poller.register(stream, select.POLLIN)
    return poller


def _is_ready(poller: "Any") -> int:
    # MicroPython's ipoll allocates nothing; CPython has poll alone.
    for _ in poller.ipoll(0) if hasattr(poller, "ipoll") else poller.poll(0):
        return 1
    return 0
