"""The hardware behind a configuration, on CircuitPython: which radio or UART, and which stream for the console."""

import sys

import board
import supervisor
from member import addresses, connect, say, speak_on

_SMALL = 16  # bytes of one write: they take 1.4 ms at 115,200 baud


def transport(settings, watchdog_s=None):
    """Return the transport of this board: see member.connect. The network of UDP may come later: see uplink.py.

    watchdog_s: a try to join takes a third of this time at most.
    """
    channels = [each["channel"] for each in settings if each["kind"] == "espnow"]
    networks = [each for each in settings if each.get("ssid") is not None]  # they are one: the first of these transports joins it

    def udp(each):
        return _udp(each, channels[0] if channels else None, watchdog_s, networks[:1] == [each])

    return connect(settings, {"espnow": _espnow, "udp": udp, "uart": _uart})


def _espnow(settings):
    import wifi
    from station import tune

    from faction.transports.espnow import ESPNow

    if not wifi.radio.connected:  # otherwise the access point has given the channel
        tune(settings["channel"])
    return ESPNow()


def _udp(settings, channel, watchdog_s, is_joining):
    import socketpool
    import wifi
    from uplink import Uplink

    from faction.transports.udp import UDP

    port, to, bind = settings["port"], addresses(settings), settings["bind"]  # what is missing there is told now

    def open_socket():
        return UDP(port, to, bind, socketpool.SocketPool(wifi.radio))

    station = None
    if is_joining:
        from station import Station

        station = Station(settings, channel, watchdog_s)
    return Uplink(open_socket, station)


def _uart(settings):
    import busio

    from faction.transports.uart import UART

    tx, rx = _pin(settings["tx"] or "TX"), _pin(settings["rx"] or "RX")
    port = busio.UART(tx, rx, baudrate=settings["baudrate"], timeout=0, receiver_buffer_size=512)
    return UART(port, _direction(settings["direction"]), settings["baudrate"])


def _pin(name):
    """Return a pin of the board by its name. A number N means the pin GPN, or ION: 4 is the GP4 of a Pico, the IO4 of an ESP32-S3."""
    if isinstance(name, str):
        return getattr(board, name)
    return getattr(board, "GP%d" % name, None) or getattr(board, "IO%d" % name)


def _direction(name):
    return None if name is None else _output(_pin(name), False)


def _output(name, value):
    import digitalio

    pin = digitalio.DigitalInOut(name)
    pin.switch_to_output(value)
    return pin


def status_led(settings, node):
    """Return the status LED of this board, or None: it has none, or the configuration names none."""
    which = settings.get("led")
    if which is None:
        return None
    from status_led import StatusLed

    is_inverted = bool(settings.get("led_inverted"))
    try:
        pin = _output(_pin("LED" if which == "board" else which), is_inverted)
    except (ValueError, TypeError, AttributeError) as error:
        say("led: %s: not on this board (%s); give the number of a pin" % (which, error))
        return None

    def switch(is_on):
        pin.value = is_on != is_inverted

    return StatusLed(node, switch)


def watchdog(settings, errors):
    """Start the hardware watchdog, and return it; None: the configuration asks for none, or this board has none."""
    seconds = settings.get("watchdog_s")
    if not seconds:
        return None
    try:
        from guard import Watchdog

        return Watchdog(seconds, errors)
    except (ImportError, ValueError, NotImplementedError, RuntimeError) as error:
        say("watchdog: not started (%s)" % error)
        return None


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
