"""An ESP32 as a member: reads faction.json, runs the node, and hands over to application.py."""

from application import Application
from machine import unique_id
from member import load, make, run
from wiring import transport


def main():
    settings = load()
    run(make(settings, transport(settings["transport"]), unique_id()), Application())


main()
