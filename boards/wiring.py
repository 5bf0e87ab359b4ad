"""From the transport of a configuration to the hardware, on MicroPython."""

import time

from member import addresses
from terminal import Terminal

WIFI_TIMEOUT_MS = 30000


def transport(settings):
    """Return the transport that settings, the part of that name in faction.json, ask for; switches the radio on."""
    kind = settings["kind"]
    if kind == "espnow":
        return _espnow(settings)
    if kind == "udp":
        return _udp(settings)
    if kind == "uart":
        return _uart(settings)
    raise ValueError("faction.json: transport.kind: %s: not espnow, udp or uart" % kind)


def _espnow(settings):
    import network

    from faction.transports.espnow import ESPNow

    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.config(channel=settings["channel"], pm=station.PM_NONE)
    return ESPNow()


def _udp(settings):
    from faction.transports.udp import UDP

    if settings["ssid"] is not None:
        _join(settings["ssid"], settings["password"])
    return UDP(settings["port"], addresses(settings), settings["bind"])


def _join(ssid, password):
    """Join a network. Raises OSError if that takes too long."""
    import network

    station = network.WLAN(network.STA_IF)
    station.active(True)
    station.connect(ssid, password)
    start = time.ticks_ms()
    while not station.isconnected():
        if time.ticks_diff(time.ticks_ms(), start) > WIFI_TIMEOUT_MS:
            raise OSError("ssid %s: not joined within %d s" % (ssid, WIFI_TIMEOUT_MS // 1000))
        time.sleep_ms(50)
    station.config(pm=station.PM_NONE)  # joining has turned power save on, which loses broadcasts


def _uart(settings):
    from machine import UART as Port
    from machine import Pin

    from faction.transports.uart import UART

    if settings["tx"] is None:  # and rx, too: the port's own pins
        port = Port(settings["uart"], settings["baudrate"])
    else:
        port = Port(settings["uart"], settings["baudrate"], tx=Pin(settings["tx"]), rx=Pin(settings["rx"]))
    direction = None if settings["direction"] is None else Pin(settings["direction"], Pin.OUT, value=0)
    return UART(port, direction, settings["baudrate"])


def terminal(settings):
    """Return the stream of the console, or None if the configuration wants none."""
    return Terminal() if settings.get("console", "repl") == "repl" else None
