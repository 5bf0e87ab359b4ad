"""ESP-NOW with MicroPython's module: see espnow.py."""

from .espnow import EVERYBODY, LIMIT, TRIES
from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

    import espnow

_EXISTS = const(-12395)  # ESP_ERR_ESPNOW_EXIST


class MicroPythonESPNow:
    """The radio of MicroPython. ``oversized`` counts reads that the firmware refused: see espnow.TRIES."""

    def __init__(self, radio: "espnow.ESPNow", buffer_size: int) -> None:
        """radio: is switched off and on again here. buffer_size: bytes that it keeps between two polls.

        Allocates; raises OSError, as without an active network.WLAN.
        """
        radio.active(False)  # a soft reset leaves it on, and the buffer can be set only while it is off
        radio.config(rxbuf=buffer_size)
        radio.active(True)
        try:
            radio.add_peer(EVERYBODY)
        except OSError as error:
            if error.args[0] != _EXISTS:  # there since before a soft reset
                raise error  # a bare raise has no native code
        self._radio = radio
        # The sender, for which an ESP32 puts an object of its own, and the message: 250 bytes exactly, before 1.29.
        self._data = [bytearray(6), bytearray(LIMIT)]
        self.oversized = 0

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for. Allocates."""
        return int(self._radio.stats()[4])

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return what there is to count: see faction.transports. Allocates."""
        return (("dropped", self.dropped), ("oversized", self.oversized))

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer; allocates a view if it is longer, as a node's is not.

        Waits while the firmware's queue is full, up to 2 s; then, or when the radio is off, raises OSError.
        """
        data: Any = buffer if len(buffer) == length else memoryview(buffer)[:length]
        self._radio.send(EVERYBODY, data, False)

    def receive(self, buffer: bytearray) -> int:
        """Move one frame into buffer, cut to its size; return its length, or NOTHING (-1).

        Allocates nothing itself. The firmware does: for the first message of each device, which it remembers for good, for
        one that it refuses, and an int for each message once the board has been up for 12 days.
        """
        for _ in range(TRIES):
            length = self._read()
            if length:
                return self._copy(buffer, length)
        return NOTHING

    def _read(self) -> int:
        """Return the length of a message, NOTHING, or 0 if the firmware refused one."""
        try:
            return int(self._radio.recvinto(self._data, 0)) or NOTHING
        except ValueError:
            self.oversized += 1
            return 0

    def _copy(self, buffer: bytearray, length: int) -> int:
        length = min(length, len(buffer))
        for i in range(length):
            buffer[i] = self._data[1][i]
        return length


del const
