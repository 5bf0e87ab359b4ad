"""A CircuitPython board as a member: reads faction.json, runs the node, and hands over to application.py."""

from application import Application
from member import load, make, run
from microcontroller import cpu
from wiring import transport


def main():
    settings = load()
    run(make(settings, transport(settings["transport"]), cpu.uid), Application())


main()
