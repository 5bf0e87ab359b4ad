"""The program of a CircuitPython board: it reads faction.json, makes the node, and runs it with the hooks of application.py."""

from last_error import Errors
from member import load, run, serve, start
from microcontroller import cpu
from wiring import status_led, terminal, transport, watchdog


def application():
    from application import Application  # not before the node runs: it may be broken

    return Application()


def main():
    settings = load()
    errors = Errors()
    line = terminal(settings)
    node, console = serve(settings, transport(settings["transports"], settings.get("watchdog_s")), line, cpu.uid, errors)
    led = status_led(settings, node)
    guard = watchdog(settings, errors)
    run(node, application, console, errors, None, [each for each in (led, guard) if each is not None], guard)


start(main)
