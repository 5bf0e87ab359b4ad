"""The hardware behind a configuration, on MicroPython: which radio or UART, and which stream for the console."""

import time

from member import addresses, connect, speak_on
from terminal import Terminal

WIFI_TIMEOUT_MS = 30000


def transport(settings):
    """Return the transport of this board: see member.connect. Raises OSError if the network cannot be joined."""
    return connect(settings, {"espnow": _espnow, "udp": _udp, "uart": _uart})


def _espnow(settings):
    import network

    from faction.transports.espnow import ESPNow

    station = network.WLAN(network.STA_IF)
    station.active(True)
    if not station.isconnected():  # UDP stands before ESP-NOW: the access point has given the channel
        station.config(channel=settings["channel"])
    station.config(pm=station.PM_NONE)
    return ESPNow()


def _udp(settings):
    from faction.transports.udp import UDP

    if settings["ssid"] is not None:
        _join(settings["ssid"], settings["password"])
    return UDP(settings["port"], addresses(settings), settings["bind"])


def _join(ssid, password):
    """Join a Wi-Fi network. Raises OSError if that takes longer than WIFI_TIMEOUT_MS."""
    import network

    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.connect(ssid, password)
    start = time.ticks_ms()
    while not station.isconnected():
        if time.ticks_diff(time.ticks_ms(), start) > WIFI_TIMEOUT_MS:
            raise OSError("ssid %s: not joined within %d s" % (ssid, WIFI_TIMEOUT_MS // 1000))
        time.sleep_ms(50)
    station.config(pm=station.PM_NONE)  # joining has switched power save on, and a radio that sleeps misses broadcasts


def _uart(settings):
    from machine import UART as Port
    from machine import Pin

    from faction.transports.uart import UART

    if settings["tx"] is None:  # then rx is None, too: the port has pins of its own
        port = Port(settings["uart"], settings["baudrate"])
    else:
        port = Port(settings["uart"], settings["baudrate"], tx=Pin(settings["tx"]), rx=Pin(settings["rx"]))
    direction = None if settings["direction"] is None else Pin(settings["direction"], Pin.OUT, value=0)
    return UART(port, direction, settings["baudrate"])


def terminal(settings):
    """Return the stream of the console, or None if the configuration says that there is no console. say writes there, too."""
    line = Terminal()
    speak_on(line)
    return line if settings.get("console", "repl") == "repl" else None
