"""An RP2040 or RP2350 as a member: reads faction.json, runs the node, and hands over to application.py."""

from application import Application
from machine import unique_id
from member import load, run, serve
from wiring import terminal, transport


def main():
    settings = load()
    node, console = serve(settings, transport(settings["transport"]), terminal(settings), unique_id())
    run(node, Application(), console)


main()
