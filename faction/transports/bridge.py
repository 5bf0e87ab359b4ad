"""Several transports as one: a board that stands on two airs, such as ESP-NOW and an RS-485 line."""

from array import array

from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

    from . import Transport

_MAX_LENGTH = const(250)  # of a transport that does not say what it takes


class Bridge:
    """One transport over several. A frame goes out on all of them. Frames come in from each of them in turn.

    A node tells in each frame what it knows of the others. So nothing more is needed for two airs to become one cluster:
    there is no routing, and there are no addresses.

    ``max_length``  bytes of the longest frame that all of them take
    ``failures``    how often each of them raised OSError, an array in the order of the transports
    """

    def __init__(self, *transports: "Transport") -> None:
        """transports: two or more, as a rule. Allocates. Raises ValueError without any."""
        if not transports:
            raise ValueError("transports: none; give at least one")
        self.max_length = min([getattr(each, "max_length", _MAX_LENGTH) for each in transports])
        self.failures = array("I", bytes(4 * len(transports)))
        self._transports = transports
        self._latest = 0  # the transport that was asked last
        self._error: OSError | None = None  # of the transport that failed last in this call
        self._fault: Exception | None = None  # what is no OSError, and is raised when the others have sent

    def send(self, buffer: bytearray, length: int) -> None:
        """Send the first length bytes of buffer on every transport. Raises OSError only if all of them do.

        Another exception is a fault of a program: it is raised when all others have sent. Allocates what the transports do.
        """
        failed = 0
        for i in range(len(self._transports)):
            failed += self._send(i, buffer, length)
        fault = self._fault
        if fault is not None:
            self._fault = None
            raise fault
        if failed == len(self._transports) and self._error is not None:
            raise self._error

    def _send(self, i: int, buffer: bytearray, length: int) -> int:
        """Send on one transport; return 1 if it raises OSError, otherwise 0. Keep any other exception."""
        try:
            self._transports[i].send(buffer, length)
            return 0
        except OSError as error:
            self._fail(i, error)
            return 1
        except Exception as fault:
            self._fault = fault
            return 0

    def receive(self, buffer: bytearray) -> int:
        """Move the next frame of any transport into buffer; return its length, or NOTHING (-1).

        Raises OSError only if all of them do. Another exception reaches the caller, and the next call asks the next transport
        first. Allocates what the transports do.
        """
        failed = 0
        for _ in range(len(self._transports)):
            self._latest = (self._latest + 1) % len(self._transports)
            length = self._receive(buffer)
            if length >= 0:
                return length
            failed += length < NOTHING
        if failed == len(self._transports) and self._error is not None:
            raise self._error
        return NOTHING

    def _receive(self, buffer: bytearray) -> int:
        """Receive from one transport; return -2 if it raises OSError."""
        try:
            return self._transports[self._latest].receive(buffer)
        except OSError as error:
            self._fail(self._latest, error)
            return NOTHING - 1

    def _fail(self, i: int, error: OSError) -> None:
        self.failures[i] += 1
        self._error = error

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return what there is to count, of each transport with its number in front: see faction.transports. Allocates."""
        found = []
        for i in range(len(self._transports)):
            found.append(("%d failed" % (i + 1), self.failures[i]))
            if hasattr(self._transports[i], "counts"):
                counts: Any = self._transports[i]
                found += [("%d %s" % (i + 1, name), number) for name, number in counts.counts()]
        return tuple(found)
