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
        self._room = select.poll()
        self._room.register(sys.stdout, select.POLLOUT)
        self._byte = bytearray(1)

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
        """Write what the line takes at once, and return how many bytes that were; 0 if nobody reads.

        It asks before each byte: a line that has room for one need not have room for two, and a write that does not fit
        waits for a reader: half a second on an open USB port, for ever in a process.
        """
        count = 0
        for byte in buffer:
            if not self._has_room():
                break
            self._byte[0] = byte
            sys.stdout.buffer.write(self._byte)
            count += 1
        return count

    def _has_room(self):
        for _ in self._room.ipoll(0):
            return True
        return False
