"""From the transport of a configuration to the hardware, on CircuitPython."""

import sys

import board
import supervisor
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


class Terminal:
    """The line of the REPL as a stream, on boards without usb_cdc."""

    def any(self):
        """Return how many bytes wait."""
        return supervisor.runtime.serial_bytes_available

    def read(self, size):
        """Read so many bytes."""
        return sys.stdin.read(size).encode()

    def write(self, buffer):
        """Write all of a buffer."""
        sys.stdout.write(bytes(buffer).decode())
        return len(buffer)


def terminal(settings):
    """Return the stream of the console: the REPL's, or the second USB port that boot.py has enabled; None if none is wanted.

    Raises ValueError if that port is not enabled.
    """
    kind = settings.get("console", "repl")
    if kind == "off":
        return None
    try:
        import usb_cdc
    except ImportError:
        return Terminal()
    stream = usb_cdc.data if kind == "data" else usb_cdc.console
    if stream is None:
        raise ValueError("faction.json: console: %s: not enabled; call usb_cdc.enable in boot.py" % kind)
    stream.timeout = 0
    stream.write_timeout = 0
    return stream
