"""The text of a traceback, cut to a size, on MicroPython. A deep recursion has one that would not fit into the memory."""

import io
import sys


def traceback_of(error, size):
    """Return the traceback of an exception, cut to so many bytes."""
    head = Head(size)
    sys.print_exception(error, head)
    return head.text()


class Head(io.IOBase):
    """A stream that keeps the first bytes of what is written to it."""

    def __init__(self, size):
        self._kept = bytearray()
        self._size = size

    def write(self, data):
        """Keep what there is room for. Return the length of all of it: nothing is written again."""
        room = self._size - len(self._kept)
        if room > 0:
            self._kept.extend(bytes(data)[:room])
        return len(data)

    def text(self):
        """Return what was kept, as lines; half a character at its end is left out."""
        while self._kept and self._kept[-1] & 0x80:
            self._kept = self._kept[:-1]
        return bytes(self._kept).decode().rstrip("\n") + "\n"
