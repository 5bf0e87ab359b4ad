"""The program of a CircuitPython board: it reads faction.json, makes the node, and runs it with the hooks of application.py."""

from application import Application
from member import load, run, serve
from microcontroller import cpu
from wiring import terminal, transport


def main():
    settings = load()
    node, console = serve(settings, transport(settings["transports"]), terminal(settings), cpu.uid)
    run(node, Application(), console)


main()
