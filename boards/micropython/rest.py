"""How a MicroPython board sleeps between two turns of its loop: until some time has passed, or a frame or a key wakes it.

The ports wait for an interrupt in poll, so the processor stands still meanwhile. machine.lightsleep would save more, but it
switches off what a member needs: the radio of an ESP32, and on an RP2040 the USB port, the UART and the radio of a Pico W.
"""

import select
import time

_FLOOR_MS = 1  # a stream that has ended, or a flood, would wake us without end


class Rest:
    """The sleep, and the streams that end it."""

    def __init__(self):
        self._poller = select.poll()

    def wake_on(self, stream):
        """Let a stream end the sleep when something waits to be read: a socket, a UART, a radio, standard input."""
        self._poller.register(stream, select.POLLIN)

    def forget(self, stream):
        """Do so no longer, for example as the socket is closed."""
        self._poller.unregister(stream)

    def sleep(self, ms):
        """Sleep for so many ms, at least one, or until something comes. Allocates nothing."""
        time.sleep_ms(_FLOOR_MS)
        for _ in self._poller.ipoll(max(0, ms - _FLOOR_MS)):
            return
