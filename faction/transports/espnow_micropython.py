"""ESP-NOW with MicroPython's module: see espnow.py."""

from .espnow import EVERYBODY, LIMIT
from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

    import espnow


class MicroPythonESPNow:
    """The radio of MicroPython. ``oversized`` counts messages of other devices that are longer than ours can be."""

    def __init__(self, radio: "espnow.ESPNow", buffer_size: int) -> None:
        """radio: is switched off and on again here. buffer_size: bytes that it keeps between two polls. Allocates."""
        radio.active(False)  # a soft reset leaves it on, and the buffer can be set only while it is off
        radio.config(rxbuf=buffer_size)
        radio.active(True)
        try:
            radio.add_peer(EVERYBODY)
        except OSError:
            pass  # it is there since before a soft reset
        self._radio = radio
        self._data = [None, bytearray(LIMIT)]  # the firmware puts its own object for the sender first
        self.oversized = 0

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for. Allocates."""
        return int(self._radio.stats()[4])

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer; allocates a view if it is longer, as a node's is not.

        Does not wait for the radio. Raises OSError when the firmware's queue is full.
        """
        data: Any = buffer if len(buffer) == length else memoryview(buffer)[:length]
        self._radio.send(EVERYBODY, data, False)

    def receive(self, buffer: bytearray) -> int:
        """Move one frame into buffer, cut to its size; return its length, or NOTHING (-1). Allocates nothing on an ESP32,
        but when a message is too long: the firmware raises then.
        """
        length = self._read()
        message = self._data[1]
        for i in range(min(length, len(buffer))):
            buffer[i] = message[i]  # type: ignore[index]
        return length or NOTHING

    def _read(self) -> int:
        try:
            return int(self._radio.recvinto(self._data, 0))
        except ValueError:  # ESP-NOW 2 has messages of up to 1,470 bytes
            self.oversized += 1
            return 0


del const
