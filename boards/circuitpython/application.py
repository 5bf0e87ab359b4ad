"""What this board does: once the cluster is there, the LEDs of all boards blink in step."""

import time

import board
import digitalio


class Application:
    """The hooks of member.run: replace them by your own."""

    def __init__(self):
        self.led = digitalio.DigitalInOut(board.LED)
        self.led.switch_to_output(False)
        self.start_ns = 0

    def start_up(self, node):
        """Do our own part of the start, a little at a time; return True when it is done."""
        return True

    def on_bootstrapped(self, node):
        """Start: all boards come here within a beacon's flight of each other."""
        print("bootstrapped, with", list(node.machine.collecting))
        self.start_ns = time.monotonic_ns()

    def on_timed_out(self, node):
        """Say who is missing, and try again: the others may yet come."""
        silent, unready = node.missing()
        print("timed out; never heard", silent, "not ready", unready)
        node.restart()

    def step(self, node):
        """Blink for the first half of each second since the start."""
        self.led.value = (time.monotonic_ns() - self.start_ns) // 500000000 % 2 == 0
