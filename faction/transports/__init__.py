"""Transports: how frames leave a node and reach it.

A transport is any object with two methods:

``send(buffer, length)``     sends the first length bytes of buffer to all other nodes, and must not block for long.
``receive(buffer)``          copies one waiting frame into buffer and returns its length; -1 when none is waiting.

It may have a third, for consoles: ``counts()`` returns (name, number) pairs of what went wrong on the way.

A frame may be lost, doubled, delayed and overtaken. A transport may raise OSError: the node counts it and goes on.
"""

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Protocol

    class Transport(Protocol):
        """What a node asks of a transport."""

        def send(self, buffer: bytearray, length: int) -> object: ...

        def receive(self, buffer: bytearray) -> int: ...
