"""What this board does: from the common start on it measures its temperature once a second, in step with all other boards.

Boards start within about 10 ms of each other, and each counts its seconds from there. So nothing adds up but the error of
their crystals: two of 20 ppm are up to 0.14 s apart after an hour.
"""

import time

from machine import ADC
from member import Hooks, say

SENSOR = getattr(ADC, "CORE_TEMP", 4)  # the channel of the temperature sensor in the chip: 8 on an RP2350B
PERIOD_MS = 1000


def open_sensor():
    """Return the sensor, or None: MicroPython 1.24 has none on an RP2350."""
    try:
        return ADC(SENSOR)
    except ValueError:
        return None


class Application(Hooks):
    """An example: replace it by your own. The other hooks are in member.py."""

    def __init__(self):
        self.sensor = open_sensor()
        self.next_ms = time.ticks_ms()

    def start_up(self, node):
        """Return True when the sensor gives a plausible value, or if there is none."""
        return self.sensor is None or 10000 < self.sensor.read_u16() < 20000

    def on_bootstrapped(self, node):
        """Measure for the first time now; or, if this board is late, when the others do so the next time."""
        self.next_ms = time.ticks_add(time.ticks_ms(), -node.started_late_ms % PERIOD_MS)
        super().on_bootstrapped(node)

    def step(self, node):
        """Measure when it is time."""
        if time.ticks_diff(time.ticks_ms(), self.next_ms) >= 0:
            self.next_ms = time.ticks_add(self.next_ms, PERIOD_MS)
            if self.sensor is None:
                say("no temperature: this firmware has no sensor")
                return
            millivolts = self.sensor.read_u16() * 3300 // 65535
            say("temperature", 27 - (millivolts - 706) * 1000 // 1721, "°C")  # RP2040 datasheet, section 4.9.5
