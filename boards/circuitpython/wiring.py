"""The hardware behind a configuration, on CircuitPython: which radio or UART, and which stream for the console."""

import sys

import board
import supervisor
from member import addresses, connect, speak_on

_SMALL = 16  # bytes of one write: they take 1.4 ms at 115,200 baud


def transport(settings):
    """Return the transport of this board: see member.connect. Raises ConnectionError if the network cannot be joined."""
    return connect(settings, {"espnow": _espnow, "udp": _udp, "uart": _uart})


def _espnow(settings):
    import wifi

    from faction.transports.espnow import ESPNow

    if not wifi.radio.connected:  # otherwise the access point has given the channel
        _tune(settings["channel"])
    return ESPNow()


def _tune(channel):
    """Move the radio to a channel. CircuitPython has no call for that, but an access point that opens takes its channel with it.

    It stays there when the access point is closed: https://github.com/adafruit/circuitpython/issues/9380. Nobody can join
    meanwhile, and it takes a few ms.
    """
    import wifi

    wifi.radio.start_ap(" ", channel=channel, max_connections=0)
    wifi.radio.stop_ap()


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
    """Return a pin of the board by its name. A number N means the pin GPN: 4 is the GP4 of a Pico."""
    return getattr(board, name if isinstance(name, str) else "GP%d" % name)


def _direction(name):
    if name is None:
        return None
    import digitalio

    pin = digitalio.DigitalInOut(_pin(name))
    pin.switch_to_output(False)
    return pin


class Terminal:
    """The line of the REPL as a stream, for boards that have no usb_cdc."""

    def any(self):
        """Return how many bytes wait to be read."""
        return supervisor.runtime.serial_bytes_available

    def read(self, size):
        """Return this many bytes; block until they are there."""
        return sys.stdin.read(size).encode()

    def write(self, buffer):
        """Write a small part of the buffer, and return its length. This line cannot tell whether it has room: a UART always has."""
        end = min(len(buffer), _SMALL)
        while end < len(buffer) and buffer[end] & 0xC0 == 0x80:  # in the middle of a character
            end += 1
        sys.stdout.write(bytes(buffer[:end]).decode())
        return end


def terminal(settings):
    """Return the stream of the console, or None if the configuration says that there is no console.

    It is the line of the REPL, or the second USB port if the configuration says "data". say writes to the line of the
    REPL. Raises ValueError if boot.py has not enabled that port.
    """
    kind = settings.get("console", "repl")
    try:
        import usb_cdc
    except ImportError:
        speak_on(Terminal())
        return None if kind == "off" else Terminal()
    repl = _patient(usb_cdc.console)
    speak_on(repl)
    if kind == "off":
        return None
    stream = _patient(usb_cdc.data) if kind == "data" else repl
    if stream is None:
        raise ValueError("faction.json: console: %s: this USB port is not enabled; call usb_cdc.enable in boot.py" % kind)
    return stream


def _patient(port):
    """Return a USB port that never waits, or None if it is not enabled."""
    if port is not None:
        port.timeout = 0
        port.write_timeout = 0
    return port
