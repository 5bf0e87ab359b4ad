"""The serial port to a board, as mpremote uses it: every wait of it ends; and why a port does not open."""

from __future__ import annotations

import errno
import math
import os
import re
import struct
import time
from threading import Event
from typing import Any

import serial
from mpremote import transport_serial
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from ..errors import CommandError

# mpremote prints what it does not understand. What we say of it goes where it belongs, so its module gets a print that is silent.
transport_serial.print = lambda *words, **options: None

BAUDRATE = 115200
PIECE = 24  # bytes of one write
PAUSE = 0.002  # seconds between two writes
INTERRUPTS = 3  # a member's program ends after so many ctrl-C within a second: one may be a disturbance on its line
BETWEEN = 0.05  # seconds from one to the next: several at once may come as one
GLANCE_S = 0.05  # so long at most nobody looks whether the work is to end
PATIENCE_S = 8.0  # how long a board may be silent while it writes to its flash; without a limit we would wait for ever
WRITE_S = 3.0  # how long a line may take nothing: a USB port whose board stands still takes no more after some bytes

# What mpremote raises if an answer is not what it expects: struct.error for the head of a raw paste, UnicodeDecodeError.
DAMAGED = (TransportError, ValueError, IndexError, struct.error)


class Stopped(Exception):
    """Somebody has ended the work on a board before it was done."""


class LineError(CommandError):
    """Why a port gives no answer: one line that says what is wrong, and what to do."""


def interrupt(port: serial.Serial) -> None:
    """End the program that a board runs. Raises OSError."""
    for _ in range(INTERRUPTS):
        port.write(b"\x03")
        time.sleep(BETWEEN)


class Paced:
    """A serial port that writes in small pieces. The UART of a board has no flow control, and loses bytes that come too fast."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def write(self, data: bytes) -> int:
        """Write all of the data; return its length. Raises OSError."""
        for start in range(0, len(data), PIECE):
            self._port.write(data[start : start + PIECE])
            time.sleep(PAUSE)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        """Return every other attribute of the port itself."""
        return getattr(self._port, name)


class Port:
    """A serial port of which each wait ends: after a time, or at once if ``stop`` is set.

    It takes all that has come at a time. What is behind that for which somebody waits stays for the next read.

    ``limit``     when all reads have to end, whatever comes, as time.monotonic tells it: a board may print all the time
    ``patience``  how many seconds a read waits for the next byte; None: PATIENCE_S
    """

    stop: Event | None = None
    limit = math.inf
    patience: float | None = None

    def __init__(self, port: serial.Serial | Paced) -> None:
        """port: it is open, and a read of it takes no longer than GLANCE_S."""
        self._port = port
        self._ahead = b""
        self.write = port.write

    @property
    def in_waiting(self) -> int:
        """Return how many bytes can be read at once. Raises OSError."""
        waiting: int = self._port.in_waiting
        return len(self._ahead) + waiting

    def inWaiting(self) -> int:
        """Return the same: mpremote calls it by this name."""
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        """Return so many bytes, or fewer when the patience is over. Raises OSError, Stopped; TransportError behind the limit."""
        limit = time.monotonic() + self._patience
        heard = self._taken(size)
        while len(heard) < size and time.monotonic() <= limit:
            self._ahead = self.come()
            heard += self._taken(size - len(heard))
        if time.monotonic() > self.limit:
            raise TransportError("it prints all the time")
        return heard

    def read_until(self, ending: bytes, longest: float) -> bytes:
        """Return what comes, up to the ending, or until the patience is over, or all of it takes too long. Raises OSError, Stopped."""
        heard = bytearray()
        now = time.monotonic()
        patient, limit = now + self._patience, min(now + longest, self.limit)
        while not heard.endswith(ending) and now <= patient and now < limit:
            data = self._taken(len(self._ahead)) or self.come()
            now = time.monotonic()
            patient = now + self._patience if data else patient
            start = max(0, len(heard) - len(ending) + 1)
            heard += data
            end = heard.find(ending, start) + len(ending)
            if end >= len(ending):
                self._ahead = bytes(heard[end:])
                del heard[end:]
        return bytes(heard)

    @property
    def _patience(self) -> float:
        return PATIENCE_S if self.patience is None else self.patience

    def _taken(self, size: int) -> bytes:
        """Take up to so many bytes of what came earlier."""
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    def come(self) -> bytes:
        """Return what comes, after a short wait if nothing has. Raises OSError, Stopped."""
        if self.stop is not None and self.stop.is_set():
            raise Stopped
        try:
            data: bytes = self._port.read(self._port.in_waiting or 1)
        except serial.SerialException:
            _ = self._port.in_waiting  # it raises what the system says
            raise
        return data


class Transport(SerialTransport):  # type: ignore[misc]
    """mpremote's, with a port of which each wait ends. ``heard``: what came in the last wait."""

    heard = b""
    serial: Any

    def __init__(self, port: str, is_paced: bool = False) -> None:
        """is_paced: write in small pieces. Raises LineError."""
        try:
            super().__init__(port, baudrate=BAUDRATE, timeout=GLANCE_S)
        except Exception:  # also an error of termios, if the cable is pulled now, and one of re, for "hwgrep://("
            raise LineError(explain(port)) from None
        self._opened: serial.Serial = self.serial
        self._opened.write_timeout = WRITE_S
        self.serial = Port(Paced(self._opened) if is_paced else self._opened)

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = None,
        data_consumer: object = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """Return what comes, up to the ending or until the time is over: timeout is mpremote's, and ours holds. Raises OSError, Stopped."""
        said: bytes = self.serial.read_until(ending, timeout_overall or math.inf)
        self.heard = said
        return said

    def close(self) -> None:
        """Close the port, of which mpremote sets attributes then. Raises OSError."""
        self.serial = self._opened
        super().close()


def words(error: Exception) -> str:
    """Return what went wrong with an open port, or with an answer that came there, without the name of the port."""
    if isinstance(error, serial.SerialTimeoutException):
        return "the line takes nothing any more"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) if isinstance(error, (OSError, TransportError)) else "its answer is damaged"


def explain(port: str) -> str:
    """Say why a port does not open, and what to do."""
    try:
        serial.Serial(port, BAUDRATE, exclusive=True).close()
    except Exception as error:
        return f"{port}: {_reason(error)}"
    return f"{port}: did not open, but opens now; run this again"


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENOTDIR):
        return f"no such port; plug the board in with a data cable, or name another port; {_choice()}"
    if number in (errno.EACCES, errno.EPERM):
        return "you may not open it; run sudo usermod -aG dialout $USER, and log in again"
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return "in use by another program; close its terminal or mpremote, and run this again"
    if number == errno.EISDIR or "Could not configure" in str(error):
        return f"not a serial port; name another one; {_choice()}"
    return f"does not open ({words(error)}); plug the board in again"


def _choice() -> str:
    return f"on USB there are: {', '.join(found()) or 'none'}"


def found() -> list[str]:
    """Return the serial ports of this computer that are on USB, those with numbers in their order."""
    return sorted(usb_numbers(), key=_in_order)


def usb_numbers() -> dict[str, str]:
    """Return the serial ports that are on USB, each with the serial number that its device tells there, in hexadecimal; "": none.

    A board with a USB port of its own tells the number of its chip; a converter chip on the board tells its own number.
    """
    ports = [port for port in list_ports.comports() if port.vid is not None]
    return {port.device: re.sub("[^0-9a-f]", "", (port.serial_number or "").lower()) for port in ports}


def _in_order(port: str) -> list[tuple[int, str]]:
    """Return a key by which ttyACM10 comes behind ttyACM2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", port)]
