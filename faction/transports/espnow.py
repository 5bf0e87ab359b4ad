"""ESP-NOW broadcast, on MicroPython and on CircuitPython, which have different modules of the same name.

The radio is the application's business, before it makes a transport: an active station interface, all boards on one
channel, no power save. On MicroPython:

    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.config(channel=6, pm=station.PM_NONE)

An access point that a board joins decides its channel, and joining turns power save on. CircuitPython's radio is on when it
starts. Broadcasts cannot be encrypted by ESP-NOW: use faction.key.
"""

from .espnow_driver import EVERYBODY, LIMIT, OVERHEAD

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .espnow_circuitpython import CircuitPythonESPNow
    from .espnow_micropython import MicroPythonESPNow


def ESPNow(frames: int = 16) -> "MicroPythonESPNow | CircuitPythonESPNow":
    """Return the transport for the firmware that we run on. Allocates; raises ImportError where there is no ESP-NOW, and on
    CircuitPython RuntimeError where somebody has it running.

    frames: how many of the longest frames the firmware keeps between two polls; each takes 267 bytes.
    """
    import espnow

    buffer_size = frames * (LIMIT + OVERHEAD)
    if hasattr(espnow.ESPNow, "recvinto"):
        from .espnow_micropython import MicroPythonESPNow

        return MicroPythonESPNow(espnow.ESPNow(), buffer_size)
    from .espnow_circuitpython import CircuitPythonESPNow

    return CircuitPythonESPNow(espnow.ESPNow(buffer_size), espnow.Peer(EVERYBODY, lmk=None))
