"""What this board does: once the cluster is there, the LEDs of all boards blink in step."""

import time

from machine import Pin

LED_PIN = 2  # of many ESP32 boards
PERIOD_MS = 1000


class Application:
    """The hooks of member.run: replace them by your own."""

    def __init__(self):
        self.led = Pin(LED_PIN, Pin.OUT, value=0)
        self.start_ms = time.ticks_ms()

    def start_up(self, node):
        """Do our own part of the start, a little at a time; return True when it is done."""
        return True

    def on_bootstrapped(self, node):
        """Start: all boards come here within a beacon's flight of each other."""
        print("bootstrapped, with", list(node.machine.collecting))
        self.start_ms = time.ticks_ms()

    def on_timed_out(self, node):
        """Say who is missing, and try again: the others may yet come."""
        silent, unready = node.missing()
        print("timed out; never heard", silent, "not ready", unready)
        node.restart()

    def step(self, node):
        """Blink for the first half of each second since the start."""
        self.led(time.ticks_diff(time.ticks_ms(), self.start_ms) % PERIOD_MS < PERIOD_MS // 2)
