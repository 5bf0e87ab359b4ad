"""What the ESP-NOW drivers for both firmwares share: see espnow.py."""

from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
LIMIT = const(250)  # bytes of a frame
OVERHEAD = const(17)  # bytes that the firmware's receive buffer holds beside each frame, at most
# Devices with ESP-NOW 2 send up to 1,470 bytes. Firmware that keeps a length in 8 bits then takes the rest of a message for
# others, and refuses (ValueError) one read for every 7 bytes of it. So a receive reads on, this often at most.
TRIES = const(32)


class Driver:
    """What the drivers for both firmwares share. ``oversized`` counts reads that the firmware refused: see TRIES."""

    def __init__(self) -> None:
        self.oversized = 0

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for."""
        raise NotImplementedError

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return what there is to count: see faction.transports. Allocates."""
        return (("dropped", self.dropped), ("oversized", self.oversized))

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer; allocates a view if it is longer, as a node's is not.

        Waits while the firmware's queue is full, up to 2 s; then, or when the radio is off, raises OSError.
        """
        self._broadcast(buffer if len(buffer) == length else memoryview(buffer)[:length])

    def receive(self, buffer: bytearray) -> int:
        """Move one frame into buffer, cut to its size; return its length, or NOTHING (-1). Allocates as the firmware does."""
        for _ in range(TRIES):
            length = self._read(buffer)
            if length:
                return length
        return NOTHING

    def _read(self, buffer: bytearray) -> int:
        """Move one message into buffer and return its length, or NOTHING. If the firmware refuses it, count it and return 0."""
        try:
            return self._read_message(buffer)
        except ValueError:
            self.oversized += 1
            return 0

    def _broadcast(self, data: "Any") -> None:
        raise NotImplementedError

    def _read_message(self, buffer: bytearray) -> int:
        raise NotImplementedError
