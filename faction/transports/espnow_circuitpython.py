"""ESP-NOW with CircuitPython's module: see espnow.py."""

from .espnow import TRIES
from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    import espnow


class CircuitPythonESPNow:
    """The radio of CircuitPython. Every frame received allocates a packet, in the firmware.

    ``oversized`` counts reads that the firmware refused: see espnow.TRIES.
    """

    def __init__(self, radio: "espnow.ESPNow", everybody: "espnow.Peer") -> None:
        """radio: switched on by its own constructor. everybody: the peer of the broadcast address. Allocates."""
        self._radio = radio
        self._everybody = everybody
        self._radio.peers.append(self._everybody)
        self.oversized = 0

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for. Allocates nothing."""
        return int(self._radio.read_failure)

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return what there is to count: see faction.transports. Allocates."""
        return (("dropped", self.dropped), ("oversized", self.oversized))

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer; allocates a view if it is longer, as a node's is not.

        Waits while the firmware's queue is full, up to 2 s, and then raises OSError (espidf.IDFError).
        """
        data = buffer if len(buffer) == length else memoryview(buffer)[:length]
        self._radio.send(data, self._everybody)

    def receive(self, buffer: bytearray) -> int:
        """Move one frame into buffer, cut to its size; return its length, or NOTHING (-1)."""
        for _ in range(TRIES):
            length = self._read(buffer)
            if length:
                return length
        return NOTHING

    def _read(self, buffer: bytearray) -> int:
        """Move a message into buffer; return its length, NOTHING, or 0 if the firmware refused one."""
        try:
            return _copy(self._radio.read(), buffer)
        except ValueError:
            self.oversized += 1
            return 0

    def close(self) -> None:
        """Give the radio back: a second transport cannot be made before."""
        self._radio.deinit()


def _copy(packet: "espnow.ESPNowPacket | None", buffer: bytearray) -> int:
    if packet is None:
        return NOTHING
    message = packet.msg
    length = min(len(message), len(buffer))
    for i in range(length):
        buffer[i] = message[i]
    return length


del const
