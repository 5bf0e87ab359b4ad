"""A serial port of a computer as a transport of a process: a cable that may come later, or be pulled and come back.

Until the port is there the process hears nothing, and send raises OSError, which the node counts. It tries to open the port again and
again, soon at first, then every ten seconds. The port is raw, so every byte goes through, and nothing here waits for the other end.
"""

import select
import sys
import termios
import time

from member import say
from retry import Retry

from faction.clock import system_clock
from faction.transports.uart import UART

_FIRST_MS = 250
_LONGEST_MS = 10000
_EIO = 5  # what a write says after the port has hung up
_GONE = "the other end is gone"
_PATIENCE_MS = 20  # with a frame that is on its way, and has no room
# Rates that termios of MicroPython does not name: (rate, code). These codes are the same on every Linux; elsewhere a rate is its own code.
_CODES = {300: 7, 600: 8, 1200: 9, 1800: 10, 2400: 11, 4800: 12, 19200: 14, 38400: 15}


def speed_of(baudrate):
    """Return what termios calls a baud rate. Raises ValueError if it does not know it."""
    code = getattr(termios, "B%d" % baudrate, None)
    if code is None:
        code = _CODES.get(baudrate) if sys.platform == "linux" else baudrate
    if code is None:
        raise ValueError("faction.json: transports: baudrate %d: a process cannot set it; take 9600 or 115200, for example" % baudrate)
    return code


def open_raw(path, speed):
    """Return a serial port as a file that gives each byte as it came, and whose read does not wait. Raises OSError."""
    file = open(path, "r+b")
    try:
        number = file.fileno()
        termios.setraw(number)  # 8 bits, no parity, no echo
        mode = termios.tcgetattr(number)
        mode[0] = mode[1] = 0  # nor is a byte changed on its way in or out, as setraw leaves some of that on
        mode[4] = mode[5] = speed
        mode[6] = [0 if isinstance(each, int) else each for each in mode[6]]  # VMIN and VTIME: read returns at once
        termios.tcsetattr(number, termios.TCSANOW, mode)
    except OSError as error:
        file.close()
        raise OSError("no serial port: %s" % error) from None
    return file


class Port:
    """The stream of a UART: a serial port that is opened when it is there. ``lost`` counts how often it went."""

    def __init__(self, path, baudrate, rest, clock=None):
        """rest: what comes in wakes it, see Loop of member.py. clock: see faction.clock. Raises ValueError for a wrong baud rate."""
        self._path = path
        self._speed = speed_of(baudrate)
        self._rest = rest
        self._retry = Retry(clock or system_clock(), _FIRST_MS, _LONGEST_MS)
        self._file = None
        self._input = None  # these two tell of bytes that wait, and of room for some
        self._room = None
        self._is_hung_up = False
        self._told = ""  # the reason that was printed last
        self._byte = bytearray(1)
        self.lost = 0

    def is_open(self):
        """Tell whether the port is there."""
        return self._file is not None

    def any(self):
        """Return 1 if something waits to be read, otherwise 0. Open the port if it is time for that. Allocates nothing while it is open."""
        if self._file is None:
            if self._retry.is_due():
                self._open()
            return 0
        for _, event in self._input.ipoll(0):
            self._is_hung_up = event & ~select.POLLIN != 0
            return 1
        return 0

    def readinto(self, buffer):
        """Read what waits, and return how many bytes that were; 0 if the cable is out."""
        count = 0
        try:
            count = self._file.readinto(buffer)
            if count:
                self._retry.succeed()  # not before: a port that opens need not work
            elif self._is_hung_up:
                self._lose(_GONE)
        except OSError as error:
            self._lose(error)
        return count

    def write(self, buffer):
        """Write a frame, and return how many bytes of it the port took: none at once if it has no room.

        It asks before each byte: a pseudo terminal with room for one need not have room for two, and then a write waits for its
        reader. Raises OSError if the port is not there.
        """
        if self._file is None:
            raise OSError("%s: not open" % self._path)
        count = 0
        waits = _PATIENCE_MS
        try:
            for byte in buffer:
                while not self._has_room():
                    if not count or not waits:
                        return count
                    waits -= 1
                    time.sleep_ms(1)
                self._byte[0] = byte
                self._file.write(self._byte)
                count += 1
        except OSError as error:
            self._lose(error)
            raise
        return count

    def _has_room(self):
        for _ in self._room.ipoll(0):  # also if the cable is out: then the write says so
            return True
        return False

    def _open(self):
        try:
            self._file = open_raw(self._path, self._speed)
        except OSError as error:
            self._fail(error)
            return
        self._input = select.poll()
        self._input.register(self._file, select.POLLIN)
        self._room = select.poll()
        self._room.register(self._file, select.POLLOUT)
        self._rest.wake_on(self._file)
        self._tell("open")

    def _lose(self, reason):
        if isinstance(reason, OSError) and reason.args[0] == _EIO:
            reason = _GONE
        self._rest.forget(self._file)
        file, self._file = self._file, None
        file.close()
        self.lost += 1
        self._fail(reason)

    def _fail(self, reason):
        self._retry.fail()
        self._tell("not open (%s)" % reason)

    def _tell(self, text):
        """Print a text, but only once while it stays the same."""
        if text != self._told:
            self._told = text
            say("line: %s: %s" % (self._path, text))


class Line(UART):
    """A UART transport over a Port."""

    def __init__(self, port):
        """port: a Port."""
        super().__init__(port)
        self._port = port

    def counts(self):
        """Return (name, number) pairs; "line" is 1 while the port is open."""
        return super().counts() + (("line", int(self._port.is_open())), ("line lost", self._port.lost))
