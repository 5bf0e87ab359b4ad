"""ESP-NOW broadcast. MicroPython and CircuitPython have different modules for it, with the same name.

Before it makes a transport, the application must set up the radio: the station interface is active, all boards are on the
same channel, and power save is off. On MicroPython:

    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.config(channel=6, pm=station.PM_NONE)

If a board joins an access point, that decides the channel and turns power save on. On CircuitPython the radio is on from
the start. ESP-NOW cannot encrypt a broadcast: use faction.key against attackers.
"""

from .espnow_driver import EVERYBODY, LIMIT, OVERHEAD

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .espnow_circuitpython import CircuitPythonESPNow
    from .espnow_micropython import MicroPythonESPNow


def ESPNow(frames: int = 16) -> "MicroPythonESPNow | CircuitPythonESPNow":
    """Return the transport for the firmware that runs this program.

    frames: how many of the longest frames the firmware keeps between two polls; each takes 267 bytes. Raises ImportError
    if the firmware has no ESP-NOW, and on CircuitPython RuntimeError if ESP-NOW is running already. Allocates.
    """
    import espnow

    buffer_size = frames * (LIMIT + OVERHEAD)
    if hasattr(espnow.ESPNow, "recvinto"):
        from .espnow_micropython import MicroPythonESPNow

        return MicroPythonESPNow(espnow.ESPNow(), buffer_size)
    from .espnow_circuitpython import CircuitPythonESPNow

    return CircuitPythonESPNow(espnow.ESPNow(buffer_size), espnow.Peer(EVERYBODY, lmk=None))
