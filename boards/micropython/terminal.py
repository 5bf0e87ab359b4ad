"""The line of the REPL as a stream, while a program runs, on MicroPython."""

import select
import sys


class Terminal:
    """Standard input and output, as the stream of a faction.console.Console.

    ``is_over``  the input has ended; that happens to a process, never to a board
    """

    def __init__(self):
        self.is_over = False
        self._poller = select.poll()
        self._poller.register(sys.stdin, select.POLLIN)

    def any(self):
        """Return 1 if a byte waits or the input has ended, otherwise 0. A board cannot tell how many bytes wait."""
        for _ in self._poller.ipoll(0):
            return 1
        return 0

    def readinto(self, buffer):
        """Read into a buffer of one byte, and return how many bytes were read. A longer buffer would block until it is full."""
        length = sys.stdin.buffer.readinto(buffer)
        self.is_over = not length
        return length

    def write(self, buffer):
        """Write the whole buffer. If a USB port is open and nobody reads, this blocks for up to half a second."""
        return sys.stdout.buffer.write(buffer)
