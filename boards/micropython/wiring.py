"""The hardware behind a configuration, on MicroPython: which radio or UART, and which stream for the console."""

import sys

from member import addresses, connect, say, speak_on
from rest import Rest
from terminal import Terminal

REST = Rest()  # what wakes the board between two turns of its loop


def transport(settings):
    """Return the transport of this board: see member.connect. The network of UDP may come later: see uplink.py."""
    channels = [each["channel"] for each in settings if each["kind"] == "espnow"]
    networks = [each for each in settings if each.get("ssid") is not None]  # they are one: the first of these transports joins it

    def udp(each):
        return _udp(each, channels[0] if channels else None, networks[:1] == [each])

    return connect(settings, {"espnow": _espnow, "udp": udp, "uart": _uart})


def _espnow(settings):
    import network

    from faction.transports.espnow import ESPNow

    station = network.WLAN(network.STA_IF)
    station.active(True)
    if not station.isconnected():  # it is since before a soft reset: the access point has given the channel
        station.config(channel=settings["channel"])
    station.config(pm=station.PM_NONE)
    made = ESPNow()
    REST.wake_on(made.radio)
    return made


def _udp(settings, channel, is_joining):
    from uplink import Uplink

    from faction.transports.udp import UDP

    port, to, bind = settings["port"], addresses(settings), settings["bind"]  # what is missing there is told now

    def open_socket():
        return UDP(port, to, bind)

    station = None
    if is_joining:
        from station import Station

        station = Station(settings, channel)
    return Uplink(open_socket, station, REST)


def _uart(settings):
    from machine import UART as Port
    from machine import Pin

    from faction.transports.uart import UART

    if settings["tx"] is None:  # then rx is None, too: the port has pins of its own
        port = Port(settings["uart"], settings["baudrate"])
    else:
        port = Port(settings["uart"], settings["baudrate"], tx=Pin(settings["tx"]), rx=Pin(settings["rx"]))
    direction = None if settings["direction"] is None else Pin(settings["direction"], Pin.OUT, value=0)
    REST.wake_on(port)
    return UART(port, direction, settings["baudrate"])


def terminal(settings):
    """Return the stream of the console, or None if the configuration says that there is no console. say writes there, too."""
    line = Terminal()
    speak_on(line)
    if settings.get("console", "repl") != "repl":
        return None
    REST.wake_on(sys.stdin)
    return line


def status_led(settings, node):
    """Return the status LED of this board, or None: it has none, or the configuration names none."""
    which = settings.get("led")
    if which is None:
        return None
    from machine import Pin
    from status_led import StatusLed

    try:
        pin = Pin("LED" if which == "board" else which, Pin.OUT)
    except (ValueError, TypeError, OSError) as error:
        say("led: %s: not on this board (%s); give the number of a pin" % (which, error))
        return None
    return StatusLed(node, (lambda is_on: pin(not is_on)) if settings.get("led_inverted") else pin)


def watchdog(settings, errors):
    """Start the hardware watchdog, and return it; None: the configuration asks for none, or this board has none."""
    seconds = settings.get("watchdog_s")
    if not seconds:
        return None
    try:
        from guard import Watchdog

        return Watchdog(seconds, errors)
    except (AttributeError, ValueError, OSError) as error:
        say("watchdog: not started (%s)" % error)
        return None
