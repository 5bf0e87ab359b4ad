"""The unix port of MicroPython as a board: read a configuration, run a node, say what changes.

    micropython main.py node.json

Prints one JSON object a line, whenever something has changed, and ends when its standard input does.
"""

import json
import select
import sys
import time

from faction import Config
from faction.node import SENT, Node
from faction.transports.udp import UDP

_DEFAULTS = {
    "bind": "127.0.0.1",  # the local address
    "to": [],  # [address, port] of every other node; without any, a broadcast on the port
    "interval_ms": 500,
    "deadline_ms": 60000,
    "start_up_ms": 0,  # how long our own participation takes after the start
    "loss": 0,  # share of the frames received that are dropped, 0 to 1: the weather of a test ...
    "seed": 1,  # ... and where its chance begins
}
_REQUIRED = ("cluster", "peer_id", "peers", "quorum", "port")
_PAUSE_MS = 5


class Lossy:
    """A transport that loses some of what another one receives."""

    def __init__(self, transport, loss, seed):
        self._transport = transport
        self._threshold = int(loss * 10000)
        self._random = seed % 134456
        self.dropped = 0

    def send(self, buffer, length):
        self._transport.send(buffer, length)

    def receive(self, buffer):
        length = self._transport.receive(buffer)
        while length >= 0 and self._draw() < self._threshold:
            self.dropped += 1
            length = self._transport.receive(buffer)
        return length

    def _draw(self):
        self._random = (self._random * 8121 + 28411) % 134456
        return self._random * 100 // 1345


def load(path):
    """Return the configuration in the JSON file at path; exit with one line about what is wrong with it."""
    try:
        with open(path) as file:
            given = json.load(file)
    except OSError:
        sys.exit("%s: cannot be read" % path)
    except ValueError:
        sys.exit("%s: not JSON" % path)
    for key in _REQUIRED:
        if key not in given:
            sys.exit("%s: %s: missing" % (path, key))
    for key in given:
        if key not in _REQUIRED and key not in _DEFAULTS:
            sys.exit("%s: %s: unknown; known are %s" % (path, key, ", ".join(_REQUIRED + tuple(sorted(_DEFAULTS)))))
    settings = dict(_DEFAULTS)
    settings.update(given)
    return settings


def make(settings):
    """Return (node, transport) as the settings have it."""
    socket = UDP(settings["port"], [tuple(pair) for pair in settings["to"]], settings["bind"])
    transport = Lossy(socket, settings["loss"], settings["seed"])
    config = Config(settings["peer_id"], settings["peers"], settings["quorum"])
    node = Node(config, transport, settings["cluster"], settings["deadline_ms"], settings["interval_ms"])
    return node, transport


def report(node, transport):
    """Return what there is to say about a node, as a JSON line."""
    unheard, unready = node.missing()
    return json.dumps(
        {
            "state": node.machine.state,
            "complete": node.machine.is_pinging_completed,
            "ready": list(node.machine.collecting),
            "unheard": unheard,
            "unready": unready,
            "sent": node.counters[SENT],
            "dropped": transport.dropped,
        }
    )


def signature(node):
    """Return a number that changes when the state or a peer's standing does."""
    unheard, _ = node.missing()
    return node.machine.state + 8 * (node.machine.collecting.count + 1024 * len(unheard))


def is_over(stdin):
    """Tell whether our standard input has ended: whoever started us is gone, or wants us to go."""
    for _ in stdin.ipoll(0):
        return not sys.stdin.readline()
    return False


def run(node, transport, start_up_ms):
    """Run a node until the standard input ends."""
    stdin = select.poll()
    stdin.register(sys.stdin, select.POLLIN)
    start = time.ticks_ms()
    shown = -1
    while not is_over(stdin):
        node.poll()
        if not node.machine.is_pinging_completed and time.ticks_diff(time.ticks_ms(), start) >= start_up_ms:
            node.complete()
        if shown != signature(node):
            shown = signature(node)
            print(report(node, transport))
        time.sleep_ms(_PAUSE_MS)
    print(report(node, transport))


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: micropython main.py CONFIGURATION.json")
    settings = load(arguments[1])
    try:
        node, transport = make(settings)
    except (ValueError, OSError) as error:
        sys.exit("%s: %s" % (arguments[1], error))
    run(node, transport, settings["start_up_ms"])


if __name__ == "__main__":
    main(sys.argv)
