"""What this board does: from the common start on it blinks its LED, in step with all other boards.

Boards start within about 10 ms of each other, and each counts its seconds from there. So nothing adds up but the error of
their crystals: two of 20 ppm are up to 0.14 s apart after an hour.
"""

import time

from machine import Pin
from member import Hooks

LED_PIN = 2  # the LED of many ESP32 boards
PERIOD_MS = 1000


class Application(Hooks):
    """An example: replace it by your own. The other hooks are in member.py."""

    def __init__(self):
        self.led = Pin(LED_PIN, Pin.OUT, value=0)
        self.second_ms = time.ticks_ms()  # when the present second began

    def on_bootstrapped(self, node):
        """Begin the first second now; or, if this board is late, the one that the others are in."""
        self.second_ms = time.ticks_add(time.ticks_ms(), -(node.started_late_ms % PERIOD_MS))
        super().on_bootstrapped(node)

    def step(self, node):
        """Switch the LED on in the first half of each second since the start."""
        if time.ticks_diff(time.ticks_ms(), self.second_ms) >= PERIOD_MS:
            self.second_ms = time.ticks_add(self.second_ms, PERIOD_MS)
        self.led(time.ticks_diff(time.ticks_ms(), self.second_ms) < PERIOD_MS // 2)
