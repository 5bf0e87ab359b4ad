"""What this board does: when the cluster is ready, it blinks its LED in step with all other boards."""

import time

from machine import Pin
from member import Hooks

LED_PIN = 2  # the LED of many ESP32 boards
PERIOD_MS = 1000


class Application(Hooks):
    """An example: replace it by your own. The other hooks are in member.py."""

    def __init__(self):
        self.led = Pin(LED_PIN, Pin.OUT, value=0)
        self.start_ms = time.ticks_ms()

    def on_bootstrapped(self, node):
        """Remember when the cluster started."""
        super().on_bootstrapped(node)
        self.start_ms = time.ticks_ms()

    def step(self, node):
        """Switch the LED on in the first half of each second since the start."""
        self.led(time.ticks_diff(time.ticks_ms(), self.start_ms) % PERIOD_MS < PERIOD_MS // 2)
