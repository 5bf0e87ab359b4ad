"""What this board does: when the cluster is ready, it blinks its LED in step with all other boards."""

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
        """Remember when the cluster started."""
        super().on_bootstrapped(node)
        self.start_ns = time.monotonic_ns()

    def step(self, node):
        """Switch the LED on in the first half of each second since the start."""
        self.led.value = (time.monotonic_ns() - self.start_ns) // 500000000 % 2 == 0
