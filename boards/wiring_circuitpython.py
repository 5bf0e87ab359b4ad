"""From the transport of a configuration to the hardware, on CircuitPython."""

import board
from member import addresses


def transport(settings):
    """Return the transport that settings, the part of that name in faction.json, ask for; switches the radio on."""
    kind = settings["kind"]
    if kind == "espnow":
        from faction.transports.espnow import ESPNow

        return ESPNow()
    if kind == "udp":
        return _udp(settings)
    if kind == "uart":
        return _uart(settings)
    raise ValueError("faction.json: transport.kind: %s: not espnow, udp or uart" % kind)


def _udp(settings):
    import socketpool
    import wifi

    from faction.transports.udp import UDP

    if settings["ssid"] is not None:
        wifi.radio.connect(settings["ssid"], settings["password"])
    return UDP(settings["port"], addresses(settings), settings["bind"], socketpool.SocketPool(wifi.radio))


def _uart(settings):
    import busio

    from faction.transports.uart import UART

    tx, rx = _pin(settings["tx"] or "TX"), _pin(settings["rx"] or "RX")
    port = busio.UART(tx, rx, baudrate=settings["baudrate"], timeout=0, receiver_buffer_size=512)
    return UART(port, _direction(settings["direction"]), settings["baudrate"])


def _pin(name):
    """Return a pin by its name on the board; GP4 is what the Pico calls 4."""
    return getattr(board, name if isinstance(name, str) else "GP%d" % name)


def _direction(name):
    if name is None:
        return None
    import digitalio

    pin = digitalio.DigitalInOut(_pin(name))
    pin.switch_to_output(False)
    return pin
