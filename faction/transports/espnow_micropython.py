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
    """The transport for the radio of MicroPython.

    ``receive`` allocates nothing itself. The firmware allocates for the first message of each device, which it remembers
    for ever, for each message that it refuses, and for each message once the board has been up for 12 days.

    ``radio``  the firmware's object; only to wait with select.poll until a frame is there
    """

    def __init__(self, radio: "espnow.ESPNow", buffer_size: int) -> None:
        """radio: it is switched off and on again here. buffer_size: bytes of frames that it keeps between two polls.

        Raises OSError, for example if no network.WLAN is active. Allocates.
        """
        super().__init__()
        radio.active(False)  # it may be on since before a soft reset, and only while it is off its buffer can be set
        radio.config(rxbuf=buffer_size)
        radio.active(True)
        try:
            radio.add_peer(EVERYBODY)
        except OSError as error:
            if error.args[0] != _EXISTS:  # not added before a soft reset
                raise error  # mpy-cross cannot make native code of a bare raise
        self.radio = self._radio = radio
        # The sender and the message. An ESP32 puts its own object in the place of the sender. Before MicroPython 1.29 the
        # message must have exactly 250 bytes.
        self._data = [bytearray(6), bytearray(LIMIT)]

    @property
    def dropped(self) -> int:
        """Return how many frames found no room in the receive buffer of the firmware. Allocates."""
        return int(self._radio.stats()[4])

    def _broadcast(self, data: "Any") -> None:
        self._radio.send(EVERYBODY, data, False)

    def _read_message(self, buffer: bytearray) -> int:
        length = int(self._radio.recvinto(self._data, 0))
        return copy(self._data[1], length, buffer) if length else NOTHING
