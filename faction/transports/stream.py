"""Bytes from any stream, one by one, without waiting: UART, USB CDC, a console, a pseudo terminal."""

from .ring import NOTHING

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
        self._receive_buffer = receive_buffer
        self._has_readinto = hasattr(stream, "readinto")
        self._has_any = hasattr(stream, "any")
        self._polled: Any = None if self._has_any or hasattr(stream, "in_waiting") else _poller(stream)
        # A file's readinto may wait for a whole buffer: MicroPython's does.
        self._chunk = bytearray(1 if self._polled else size)
        self._at = self._end = 0

    def next(self) -> int:
        """Return the next byte, or NOTHING (-1). Allocates what the stream's readinto does, nothing on MicroPython, or its read."""
        if self._at == self._end:
            self._fill()
            if self._end == 0:
                return NOTHING
        self._at += 1
        return self._chunk[self._at - 1]

    def _fill(self) -> None:
        """Fill the chunk with what waits, and let _end say how much that was."""
        self._at = self._end = 0
        waiting = self._waiting()
        if waiting:
            if self._receive_buffer and waiting >= self._receive_buffer:
                self.overruns += 1
            self._end = (self._stream.readinto(self._chunk) if self._has_readinto else self._read()) or 0

    def _read(self) -> int:
        data = self._stream.read(len(self._chunk)) or b""
        for i in range(len(data)):
            self._chunk[i] = data[i]
        return len(data)

    def _waiting(self) -> int:
        """Return how many bytes wait, as far as the stream can tell."""
        if self._polled is not None:
            return _is_ready(self._polled)
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


del const
