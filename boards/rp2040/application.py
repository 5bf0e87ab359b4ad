"""What this board does: once the cluster is there, it samples its temperature sensor once a second, as all others do."""

import time

from machine import ADC

SENSOR = 4  # the channel of the chip's own temperature sensor
PERIOD_MS = 1000


class Application:
    """The hooks of member.run: replace them by your own."""

    def __init__(self):
        self.sensor = ADC(SENSOR)
        self.next_ms = time.ticks_ms()

    def start_up(self, node):
        """Do our own part of the start: the sensor must give a plausible value."""
        return 10000 < self.sensor.read_u16() < 20000

    def on_bootstrapped(self, node):
        """Start: all boards come here within a beacon's flight of each other."""
        print("bootstrapped, with", list(node.machine.collecting))
        self.next_ms = time.ticks_ms()

    def on_timed_out(self, node):
        """Say who is missing, and try again: the others may yet come."""
        silent, unready = node.missing()
        print("timed out; never heard", silent, "not ready", unready)
        node.restart()

    def step(self, node):
        """Sample, in step with the others."""
        if time.ticks_diff(time.ticks_ms(), self.next_ms) >= 0:
            self.next_ms = time.ticks_add(self.next_ms, PERIOD_MS)
            millivolts = self.sensor.read_u16() * 3300 // 65535
            print("temperature", 27 - (millivolts - 706) * 1000 // 1721, "°C")  # RP2040 datasheet, 4.9.5
