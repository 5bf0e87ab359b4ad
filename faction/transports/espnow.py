"""ESP-NOW broadcast, on MicroPython and on CircuitPython, which have different modules of the same name.

The radio is the application's business, before it makes a transport: an active station interface, all boards on one
channel, no power save. On MicroPython:

    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.config(channel=6, pm=station.PM_NONE)

An access point that a board joins decides its channel, and joining turns power save on. CircuitPython's radio is on when it
starts. Broadcasts cannot be encrypted by ESP-NOW: use faction.key.
"""

from .ring import NOTHING

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from typing import Any

_EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
_LIMIT = const(250)  # bytes of a frame
_OVERHEAD = const(17)  # bytes that the firmware's receive buffer holds beside each frame


def ESPNow(frames: int = 16) -> "MicroPythonESPNow | CircuitPythonESPNow":
    """Return the transport for the firmware that we run on. Allocates; raises ImportError where there is no ESP-NOW.

    frames: how many of the longest frames the firmware keeps between two polls; each takes 267 bytes.
    """
    import espnow  # type: ignore[import-not-found]

    if hasattr(espnow.ESPNow, "recvinto"):
        return MicroPythonESPNow(espnow.ESPNow(), frames)
    return CircuitPythonESPNow(espnow, frames)


class MicroPythonESPNow:
    """The radio of MicroPython. ``oversized`` counts messages of other devices that are longer than ours can be."""

    def __init__(self, radio: "Any", frames: int) -> None:
        """radio: an espnow.ESPNow, which is switched off and on again here."""
        radio.active(False)  # a soft reset leaves it on, and the buffer can be set only while it is off
        radio.config(rxbuf=frames * (_LIMIT + _OVERHEAD))
        radio.active(True)
        try:
            radio.add_peer(_EVERYBODY)
        except OSError:
            pass  # it is there since before a soft reset
        self._radio = radio
        self._data = [None, bytearray(_LIMIT)]  # the firmware puts its own object for the sender first
        self.oversized = 0

    @property
    def dropped(self) -> int:
        """Return how many frames the firmware's receive buffer had no room for. Allocates."""
        return int(self._radio.stats()[4])

    def send(self, buffer: bytearray, length: int) -> None:
        """Broadcast the first length bytes of buffer; allocates a view if it is longer, as a node's is not.

        Does not wait for the radio. Raises OSError when the firmware's queue is full.
        """
        data = buffer if len(buffer) == length else memoryview(buffer)[:length]
        self._radio.send(_EVERYBODY, data, False)

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


class CircuitPythonESPNow:
    """The radio of CircuitPython. Every frame received allocates a packet, in the firmware."""

    def __init__(self, module: "Any", frames: int) -> None:
        """module: the firmware's espnow. Raises RuntimeError if somebody else has the radio running."""
        self._radio = module.ESPNow(frames * (_LIMIT + _OVERHEAD))
        self._everybody = module.Peer(_EVERYBODY, lmk=None)
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
