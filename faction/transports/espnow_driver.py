"""What the ESP-NOW drivers for both firmwares share: see espnow.py."""

from .ring import NOTHING, counted

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

EVERYBODY = b"\xff\xff\xff\xff\xff\xff"  # the broadcast address
LIMIT = const(250)  # bytes of a frame
OVERHEAD = const(17)  # bytes that the firmware's receive buffer adds to each frame, at most
# Devices with ESP-NOW 2 send messages of up to 1,470 bytes. Firmware that keeps a length in 8 bits takes the rest of such a
# message for other messages. It refuses (ValueError) one read for every 7 bytes of the rest. So receive tries again, at
# most TRIES times.
TRIES = const(32)


class Driver:
    """What the drivers for both firmwares share. ``oversized`` counts reads that the firmware refused: see TRIES."""

    def __init__(self) -> None:
        """Set the count to 0. Allocates."""
        self.oversized = 0

    @property
    def dropped(self) -> int:
        """Return how many frames found no room in the receive buffer of the firmware. Allocates on MicroPython."""
        raise NotImplementedError

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return (name, number) pairs of what went wrong: see faction.transports. Allocates."""
        return (("dropped", self.dropped), ("oversized", self.oversized))

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer. Allocates a view if buffer is longer; that of a node is not.

        It waits up to 2 s while the queue of the firmware is full. Then, or if the radio is off, it raises OSError.
        """
        self._broadcast(buffer if len(buffer) == length else memoryview(buffer)[:length])

    def receive(self, buffer: bytearray) -> int:
        """Copy one frame into buffer, cut to its size. Return its length, or NOTHING (-1). Allocates as the firmware does."""
        for _ in range(TRIES):
            length = self._read(buffer)
            if length:
                return length
        return NOTHING

    def _read(self, buffer: bytearray) -> int:
        """Copy one message into buffer. Return its length, or NOTHING. If the firmware refuses it, count this and return 0."""
        try:
            return self._read_message(buffer)
        except ValueError:
            self.oversized = counted(self.oversized)
            return 0

    def _broadcast(self, data: "Any") -> None:
        raise NotImplementedError

    def _read_message(self, buffer: bytearray) -> int:
        raise NotImplementedError
