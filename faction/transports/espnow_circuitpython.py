"""ESP-NOW with CircuitPython's module: see espnow.py."""

from .espnow_driver import Driver
from .ring import NOTHING, copy

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    import espnow


class CircuitPythonESPNow(Driver):
    """The transport for the radio of CircuitPython, ``radio``. The firmware allocates a packet for each frame that it receives."""

    def __init__(self, radio: "espnow.ESPNow", everybody: "espnow.Peer") -> None:
        """radio: its constructor has switched it on. everybody: the peer with the broadcast address. Allocates."""
        super().__init__()
        self.radio = self._radio = radio
        self._everybody = everybody  # the peer that a broadcast goes to
        radio.peers.append(everybody)

    @property
    def dropped(self) -> int:
        """Return how many frames found no room in the receive buffer of the firmware. Allocates nothing."""
        return int(self._radio.read_failure)

    def _broadcast(self, data: "bytearray | memoryview") -> None:
        self._radio.send(data, self._everybody)

    def _read_message(self, buffer: bytearray) -> int:
        packet = self._radio.read()
        return NOTHING if packet is None else copy(packet.msg, len(packet.msg), buffer)

    def close(self) -> None:
        """Switch the radio off. Before that you cannot make a second transport. Allocates nothing itself."""
        self._radio.deinit()
