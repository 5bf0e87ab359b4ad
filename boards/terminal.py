"""The line of the REPL, while a program runs, on MicroPython."""

import select
import sys


class Terminal:
    """Standard input and output as a stream for faction.console. ``is_over``: the input has ended, as it does in a process."""

    def __init__(self):
        self.is_over = False
        self._poller = select.poll()
        self._poller.register(sys.stdin, select.POLLIN)

    def any(self):
        """Return 1 if a byte waits, or the end of the input; a board cannot tell how many."""
        for _ in self._poller.ipoll(0):
            return 1
        return 0

    def readinto(self, buffer):
        """Read into a buffer of one byte; a longer one would be waited for."""
        length = sys.stdin.buffer.readinto(buffer)
        self.is_over = not length
        return length

    def write(self, buffer):
        """Write all of a buffer. A USB port that is open and unread holds that up for half a second."""
        return sys.stdout.buffer.write(buffer)
