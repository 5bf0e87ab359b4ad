"""ESP-NOW with CircuitPython's module: see espnow.py."""

from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    import espnow


class CircuitPythonESPNow:
    """The radio of CircuitPython. Every frame received allocates a packet, in the firmware."""

    def __init__(self, radio: "espnow.ESPNow", everybody: "espnow.Peer") -> None:
        """radio: switched on by its own constructor. everybody: the peer of the broadcast address. Allocates."""
        self._radio = radio
        self._everybody = everybody
        self._radio.peers.append(self._everybody)

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for. Allocates nothing."""
        return int(self._radio.read_failure)

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer. May wait, up to 2 s if the firmware's queue is full."""
        data = buffer if len(buffer) == length else memoryview(buffer)[:length]
        self._radio.send(data, self._everybody)

    def receive(self, buffer: bytearray) -> int:
        """Move one frame into buffer, cut to its size; return its length, or NOTHING (-1)."""
        packet = self._radio.read()
        if packet is None:
            return NOTHING
        message = packet.msg
        length = min(len(message), len(buffer))
        for i in range(length):
            buffer[i] = message[i]
        return length

    def close(self) -> None:
        """Give the radio back: a second transport cannot be made before."""
        self._radio.deinit()


del const
