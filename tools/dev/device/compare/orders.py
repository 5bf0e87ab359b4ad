"""What each process of a comparison does with its standard input and output, on MicroPython.

A line "ready" comes in when the own part of this member is done. "up" goes out when it takes part, "on" when it goes on. The
process ends when its input ends.
"""

import select
import sys


class Orders:
    """``is_over``: the input has ended."""

    def __init__(self):
        self.is_over = False
        self._poller = select.poll()
        self._poller.register(sys.stdin, select.POLLIN)

    def is_ready(self):
        """Tell whether the own part of this member is done now. Does not block."""
        for _ in self._poller.ipoll(0):
            line = sys.stdin.readline()
            self.is_over = not line
            return line.strip() == "ready"
        return False
