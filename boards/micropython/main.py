"""The program of a MicroPython board: it reads faction.json, makes the node, and runs it with the hooks of application.py."""

from application import Application
from machine import unique_id
from member import load, run, serve
from wiring import terminal, transport


def main():
    settings = load()
    node, console = serve(settings, transport(settings["transports"]), terminal(settings), unique_id())
    run(node, Application(), console)


main()
