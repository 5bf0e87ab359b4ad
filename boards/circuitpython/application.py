"""What this board does: from the common start on it blinks its LED, in step with all other boards.

Boards start within about 10 ms of each other, and each counts its seconds from there. So nothing adds up but the error of
their crystals: two of 20 ppm are up to 0.14 s apart after an hour.
"""

import time

import board
import digitalio
from member import Hooks


class Application(Hooks):
    """An example: replace it by your own. The other hooks are in member.py."""

    def __init__(self):
        self.led = digitalio.DigitalInOut(board.LED)
        self.led.switch_to_output(False)
        self.start_ns = 0

    def on_bootstrapped(self, node):
        """Remember when the cluster started: now, or before, if this board is late."""
        self.start_ns = time.monotonic_ns() - node.started_late_ms * 1000000
        super().on_bootstrapped(node)

    def step(self, node):
        """Switch the LED on in the first half of each second since the start."""
        self.led.value = (time.monotonic_ns() - self.start_ns) // 500000000 % 2 == 0
