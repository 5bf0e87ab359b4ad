"""Transports: they send the frames of a node and receive those of the others.

A transport is any object with two methods:

``send(buffer, length)``     sends the first length bytes of buffer to all other nodes. It must not block for long.
``receive(buffer)``          copies one waiting frame into buffer and returns its length, or -1 if no frame waits.

It may have a third method, for consoles: ``counts()`` returns (name, number) pairs of what went wrong. And it may have an
attribute ``max_length``: the bytes of the longest frame that it takes. Without one a node writes up to 250 bytes.

A transport may lose frames, double them, delay them, and change their order. It may raise OSError: the node counts this
and goes on.
"""

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Protocol

    class Transport(Protocol):
        """What a node asks of a transport."""

        def send(self, buffer: bytearray, length: int) -> object:
            """Send the first length bytes of buffer to all other nodes, without a long wait. Raises OSError."""

        def receive(self, buffer: bytearray) -> int:
            """Copy one waiting frame into buffer. Return its length, or -1 if no frame waits. Raises OSError."""
