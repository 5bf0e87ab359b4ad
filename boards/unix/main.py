"""The program of a process that is a board: it reads a configuration, runs a node, and prints what changes.

    micropython main.py [faction.json]

It greets. Then it prints a JSON object, on one line, whenever something has changed. Its console answers on the same line:
standard input and output. The process ends when its standard input ends, and after three ctrl-C within a second.
"""

import json
import sys
import time

from last_error import Errors
from member import FAULTS, Loop, NoConsole, addresses, connect, greet, load, reason, say, serve, speak_on
from rest import Rest
from terminal import Terminal

from faction.node import SENT
from faction.transports.udp import UDP


class Lossy:
    """A transport that drops a share of the frames that another one receives. ``dropped`` counts them."""

    def __init__(self, transport, loss, seed):
        """loss: the share, from 0 to 1. seed: one seed drops the same frames every time."""
        self._transport = transport
        self._threshold = int(loss * 10000)
        self._random = seed % 134456
        self.dropped = 0

    def send(self, buffer, length):
        """Send a frame, as the other transport does."""
        self._transport.send(buffer, length)

    def receive(self, buffer):
        """Receive the next frame that is not dropped; return its length, or -1."""
        length = self._transport.receive(buffer)
        while length >= 0 and self._draw() < self._threshold:
            self.dropped += 1
            length = self._transport.receive(buffer)
        return length

    def counts(self):
        """Return (name, number) pairs: those of the other transport, and the frames dropped."""
        return self._transport.counts() + (("lost", self.dropped),)

    def _draw(self):
        """Return a number from 0 to 9999, of a linear congruential generator (Numerical Recipes, section 7.1: im 134456)."""
        self._random = (self._random * 8121 + 28411) % 134456
        return self._random * 100 // 1345


def open_transport(settings, rest):
    """Return the transport of a process, which wakes rest.

    settings: the part "transports" of faction.json. Raises ValueError if it is wrong, OSError if a port cannot be had, ImportError if this
    build of MicroPython has no termios.
    """

    def udp(each):
        opened = UDP(each["port"], addresses(each), each["bind"])
        rest.wake_on(opened.socket)
        return opened

    def uart(each):
        from line import Line, Port

        if not each.get("device"):
            raise ValueError('faction.json: transports: device: missing; write the path of a serial port, such as "/dev/ttyUSB0"')
        return Line(Port(each["device"], each["baudrate"], rest))

    return connect(settings, {"udp": udp, "uart": uart})


def report(node, transport):
    """Return the JSON object about a node, as README.md describes it."""
    unheard, unready = node.missing()
    return json.dumps(
        {
            "state": node.machine.state,
            "complete": node.machine.is_pinging_completed,
            "started": node.has_started,
            "started_late_ms": node.started_late_ms,
            "ready": list(node.machine.collecting),
            "unheard": unheard,
            "unready": unready,
            "sent": node.counters[SENT],
            "dropped": transport.dropped,
        }
    )


def signature(node):
    """Return a number that changes when the state changes, when a peer becomes known or ready, and at the common start."""
    unheard, _ = node.missing()
    return node.machine.state + 8 * (node.has_started + 2 * (node.machine.collecting.count + 1024 * len(unheard)))


class Deaf(NoConsole):
    """Stands where there is no console. It reads what is typed, and forgets it: otherwise nobody would notice the end of the input."""

    def __init__(self, node, terminal):
        super().__init__(node)
        self._terminal = terminal
        self._byte = bytearray(1)

    def poll(self):
        """Forget a byte, if one waits."""
        if self._terminal.any():
            self._terminal.readinto(self._byte)


class Reporter:
    """What run does between two polls: it completes our own part in time, and prints what has changed."""

    def __init__(self, node, transport, terminal, start_up_ms):
        self._node = node
        self._transport = transport
        self._terminal = terminal
        self._start_up_ms = start_up_ms
        self._start = time.ticks_ms()
        self._shown = -1

    def step(self):
        """Return True when the standard input has ended."""
        node = self._node
        if not node.machine.is_pinging_completed and time.ticks_diff(time.ticks_ms(), self._start) >= self._start_up_ms:
            node.complete()
        now = signature(node)
        if self._shown != now:
            self.show()
            self._shown = now
        return self._terminal.is_over

    def show(self):
        """Print the report."""
        say(report(self._node, self._transport))


def run(node, transport, console, terminal, start_up_ms, rest):
    """Run a node until the standard input ends."""
    greet(node)
    console = Deaf(node, terminal) if console is None else console
    reporter = Reporter(node, transport, terminal, start_up_ms)
    Loop(node, console, reporter.step, rest).run()
    reporter.show()


def main(path="faction.json"):
    """Run the board that a configuration describes. Ends the process with the exit code 1 if that is wrong."""
    rest = Rest()
    try:
        settings = load(path)
        terminal = Terminal()
        speak_on(terminal)
        opened = open_transport(settings["transports"], rest)
        transport = Lossy(opened, settings.get("loss", 0), settings.get("seed", 1))
        rest.wake_on(sys.stdin)
        node, console = serve(settings, transport, None if settings.get("console") == "off" else terminal, errors=Errors())
    except FAULTS as error:
        print("faction: %s" % reason(error))
        sys.exit(1)
    run(node, transport, console, terminal, settings.get("start_up_ms", 0), rest)


if __name__ == "__main__":
    main(*sys.argv[1:2])
