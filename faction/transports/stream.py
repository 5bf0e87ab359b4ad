"""Bytes from any stream, one by one, without waiting. A stream is a UART, USB CDC, a console or a pseudo terminal."""

from .ring import NOTHING, copy, counted

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any, Protocol

    class Stream(Protocol):
        """What a stream must have. any() or in_waiting, and flush(), are used if it has them."""

        def write(self, buffer: memoryview) -> "int | None":
            """Write what it takes of buffer at once. Return how many bytes that were; None: none."""

        def readinto(self, buffer: bytearray) -> "int | None":
            """Read what waits into buffer, up to its size. Return how many bytes that were; None: none."""

    class Reader(Protocol):
        """A stream with read in place of readinto. It allocates what it reads."""

        def write(self, buffer: memoryview) -> "int | None":
            """Write as a Stream does."""

        def read(self, size: int) -> "bytes | None":
            """Return what waits, up to size bytes; None: nothing."""


class ByteReader:
    """Reads the bytes of a stream. ``overruns`` counts how often the buffer of the driver was full: bytes were probably lost."""

    def __init__(self, stream: "Stream | Reader", size: int = 1, receive_buffer: int = 0) -> None:
        """Make a reader of a stream.

        stream: it has any() or in_waiting, or select.poll knows it. size: how many bytes are read at once.
        receive_buffer: bytes of the buffer of the driver, to count overruns; 0: unknown, nothing is counted. Allocates.
        """
        self.overruns = 0
        self._stream: Any = stream
        self._receive_buffer = receive_buffer  # bytes of the buffer of the driver; 0: unknown
        self._has_readinto = hasattr(stream, "readinto")
        self._has_any = hasattr(stream, "any")
        # It tells whether a byte waits, for a stream that cannot tell this itself.
        self._poller: Any = None if self._has_any or hasattr(stream, "in_waiting") else _poller(stream)
        # The bytes read last. A file's readinto may wait for a whole buffer, and MicroPython's does: so one byte there.
        self._chunk = bytearray(1 if self._poller else size)
        self._next = 0  # the position in the chunk of the byte that is given out next
        self._filled = 0  # bytes in the chunk

    def next(self) -> int:
        """Return the next byte, 0 to 255, or NOTHING (-1). Allocates what readinto, nothing on MicroPython, or read allocates."""
        if self._next == self._filled:
            self._fill()
            if self._filled == 0:
                return NOTHING
        self._next += 1
        return self._chunk[self._next - 1]

    def _fill(self) -> None:
        """Read the bytes that wait into the chunk."""
        self._next = self._filled = 0
        waiting = self.waiting()
        if waiting:
            if self._receive_buffer and waiting >= self._receive_buffer:
                self.overruns = counted(self.overruns)
            self._filled = (self._stream.readinto(self._chunk) if self._has_readinto else self._read()) or 0

    def _read(self) -> int:
        data = self._stream.read(len(self._chunk)) or b""
        return copy(data, len(data), self._chunk)

    def waiting(self) -> int:
        """Return how many bytes of the stream wait, or 1 if it tells only that some do. Allocates nothing on MicroPython."""
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
    # ipoll of MicroPython allocates nothing. CPython has only poll.
    for _ in poller.ipoll(0) if hasattr(poller, "ipoll") else poller.poll(0):
        return 1
    return 0
