"""What this board does: from the common start on it blinks its LED, in step with all other boards.

Boards start within about 10 ms of each other, and each counts its seconds from there. So nothing adds up but the error of
their crystals: two of 20 ppm are up to 0.14 s apart after an hour.
"""

import time

import board
import digitalio
from member import Hooks, say


class Application(Hooks):
    """An example: replace it by your own. The other hooks are in member.py."""

    def __init__(self):
        self.led = None
        if hasattr(board, "LED"):  # many boards have none, or a coloured one with another name
            try:
                self.led = digitalio.DigitalInOut(board.LED)
                self.led.switch_to_output(False)
            except ValueError:  # it is the status LED already
                self.led = None
        self.start_ns = 0
        self.half = -1  # how many half seconds have begun since then

    def on_bootstrapped(self, node):
        """Remember when the cluster started: now, or before, if this board is late."""
        self.start_ns = time.monotonic_ns() - node.started_late_ms * 1000000
        super().on_bootstrapped(node)

    def step(self, node):
        """Switch the LED on in the first half of each second since the start. Without an LED say so, once a second."""
        half = (time.monotonic_ns() - self.start_ns) // 500000000
        if half == self.half:
            return
        self.half = half
        if self.led is not None:
            self.led.value = half % 2 == 0
        elif half % 2 == 0:
            say("second", half // 2)
