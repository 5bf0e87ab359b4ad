# The firmware's module supervisor, for a process that is a board. Its standard input reads no byte ahead, as on a board.
import os
import select
import sys
import time


class _Line:
    def read(self, size):
        return os.read(0, size).decode()


sys.stdin = _Line()


def ticks_ms():
    return int(time.monotonic() * 1000) & 0x1FFFFFFF


class _Runtime:
    @property
    def serial_bytes_available(self):
        return len(select.select([0], [], [], 0)[0])


runtime = _Runtime()
