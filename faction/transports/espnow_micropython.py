"""ESP-NOW with MicroPython's module: see espnow.py."""

from .espnow_driver import EVERYBODY, LIMIT, Driver
from .ring import NOTHING, copy

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

    import espnow

_EXISTS = const(-12395)  # ESP_ERR_ESPNOW_EXIST


class MicroPythonESPNow(Driver):
    """The radio of MicroPython.

    Receiving allocates nothing itself. The firmware does: for the first message of each device, which it remembers for good,
    for one that it refuses, and an int for each message once the board has been up for 12 days.
    """

    def __init__(self, radio: "espnow.ESPNow", buffer_size: int) -> None:
        """radio: is switched off and on again here. buffer_size: bytes that it keeps between two polls.

        Allocates; raises OSError, as without an active network.WLAN.
        """
        super().__init__()
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

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for. Allocates."""
        return int(self._radio.stats()[4])

    def _broadcast(self, data: "Any") -> None:
        self._radio.send(EVERYBODY, data, False)

    def _read_message(self, buffer: bytearray) -> int:
        length = int(self._radio.recvinto(self._data, 0))
        return copy(self._data[1], length, buffer) if length else NOTHING
