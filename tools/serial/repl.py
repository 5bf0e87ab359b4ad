"""The raw REPL of a MicroPython board: a host runs programs there.

mpremote speaks with it. Here are limits for everything that it waits for, an end of it from outside, and clear words for
what a board may do instead of answering.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import suppress
from threading import Event
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from ..errors import CommandError
from .line import BAUDRATE, LineError, explain, interrupt, without_answer

TRIES = 3  # to get into the REPL: a program may be busy
ENTER_S = 3.0  # how long one try takes
PATIENCE_S = 8.0  # how long a board may be silent while it writes to its flash; without a limit we would wait for ever
LIMIT_S = 60.0  # how long one program may take, even if the board prints all the time
CHUNK = 256  # bytes that one program writes: it has to fit into the memory of the board
PROMPT_S = 3.0  # how long the prompt of the friendly REPL may take
GLANCE_S = 0.05  # so long at most nobody looks whether the work is to end

_ENTERED = b"raw REPL; CTRL-B to exit\r\n"
_PROMPT = b">>> "
# What mpremote raises if an answer is not what it expects: struct.error for the head of a raw paste, UnicodeDecodeError.
_DAMAGED = (TransportError, ValueError, IndexError, struct.error)
_NO_BOARD = "no MicroPython answers"
_REMEDY = "press the board's reset button and run this again, or flash MicroPython"


class Stopped(Exception):
    """Somebody has ended the work on a board before it was done."""


class ProgramError(CommandError):
    """A program of ours has failed on the board. ``reason``: the last line of its traceback."""

    def __init__(self, port: str, reason: str) -> None:
        super().__init__(f"{port}: the board says {reason}; reset it and run this again")
        self.reason = reason


class _Port:
    """A serial port of which each wait ends: after a time, or at once if ``stop`` is set.

    It takes all that has come at a time. What is behind that for which somebody waits stays for the next read.
    """

    def __init__(self, port: serial.Serial) -> None:
        """port: it is open, and a read of it takes no longer than GLANCE_S."""
        self._port = port
        self._ahead = b""
        self.write = port.write
        self.stop: Event | None = None

    @property
    def in_waiting(self) -> int:
        """Return how many bytes can be read at once. Raises OSError."""
        waiting: int = self._port.in_waiting
        return len(self._ahead) + waiting

    def inWaiting(self) -> int:
        """Return the same: mpremote calls it by this name."""
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        """Return so many bytes, or fewer when the patience is over. Raises OSError, Stopped."""
        limit = time.monotonic() + PATIENCE_S
        heard = self._taken(size)
        while len(heard) < size and time.monotonic() <= limit:
            self._ahead = self._come()
            heard += self._taken(size - len(heard))
        return heard

    def read_until(self, ending: bytes, patience: float, longest: float) -> bytes:
        """Return what comes, up to the ending, or until nothing has come for a time, or until all of it takes too long."""
        heard = bytearray()
        now = time.monotonic()
        patient, limit = now + patience, now + longest
        while not heard.endswith(ending) and now <= patient and now < limit:
            data = self._taken(len(self._ahead)) or self._come()
            now = time.monotonic()
            patient = now + patience if data else patient
            start = max(0, len(heard) - len(ending) + 1)
            heard += data
            end = heard.find(ending, start) + len(ending)
            if end >= len(ending):
                self._ahead = bytes(heard[end:])
                del heard[end:]
        return bytes(heard)

    def _taken(self, size: int) -> bytes:
        """Take up to so many bytes of what came earlier."""
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        return taken

    def _come(self) -> bytes:
        """Return what comes, after a short wait if nothing has. Raises OSError, Stopped."""
        if self.stop is not None and self.stop.is_set():
            raise Stopped
        try:
            data: bytes = self._port.read(self._port.in_waiting or 1)
        except serial.SerialException:
            _ = self._port.in_waiting  # it raises what the system says
            raise
        return data


class _Transport(SerialTransport):  # type: ignore[misc]
    """mpremote's, with a port of which each wait ends. ``heard``: what came in the last wait."""

    heard = b""
    serial: Any

    def __init__(self, port: str) -> None:
        """Raises TransportError, OSError, ValueError."""
        super().__init__(port, baudrate=BAUDRATE, timeout=GLANCE_S)
        self._opened: serial.Serial = self.serial
        self.serial = _Port(self._opened)

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = None,
        data_consumer: object = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """Return what comes, up to the ending or until the time is over: timeout is mpremote's, and ours holds. Raises OSError, Stopped."""
        said: bytes = self.serial.read_until(ending, PATIENCE_S, timeout_overall or LIMIT_S)
        self.heard = said
        return said

    def close(self) -> None:
        """Close the port, of which mpremote sets attributes then. Raises OSError."""
        self.serial = self._opened
        super().close()


class Repl:
    """The raw REPL of the board at a port.

    ``port``  its name
    ``stop``  once it is set, every wait ends with Stopped
    """

    def __init__(self, port: str, stop: Event) -> None:
        """Open the port, and end the program that runs. Raises LineError, Stopped: then it runs again, if the board answers."""
        self.port = port
        self.stop = stop
        self._is_in = False  # it was in the raw REPL: its program has ended
        try:
            self._transport = _Transport(port)
        except (TransportError, OSError, ValueError) as error:  # ValueError: "xyz://" is an unknown protocol
            raise LineError(explain(port)) from error
        try:
            self.enter()
        except BaseException as error:
            with suppress(OSError):
                if self._is_in or isinstance(error, Stopped):  # who is stopped does not know how far the board has come
                    self.start()
            self.close()
            raise

    def enter(self) -> None:
        """End the program that runs, and get into the raw REPL. Raises LineError, Stopped."""
        heard = b""
        fault = None
        for _ in range(TRIES):
            try:
                heard = self._begin() or heard
            except OSError as error:
                raise LineError(f"{self.port}: lost the board ({_words(error)}); plug it in and run this again") from error
            if heard.endswith(_ENTERED):
                self._is_in = True
                fault = self._out_of_step()
                if fault is None:
                    return
        raise fault or LineError(f"{self.port}: {without_answer(heard, _NO_BOARD, _REMEDY)}")

    def _begin(self) -> bytes:
        """End the program that runs, and ask for the raw REPL; return what the board says to that. Raises OSError, Stopped."""
        self._transport.serial.stop = self.stop
        self._transport.use_raw_paste = True  # what came late may have looked like a board without it
        interrupt(self._transport.serial)
        earlier = self.listen()
        self._transport.serial.write(b"\r\x01")
        return earlier + self._transport.read_until(1, _ENTERED, timeout_overall=ENTER_S)

    def _out_of_step(self) -> CommandError | None:
        """Tell what is wrong if the board does not answer just what it is asked. Raises Stopped.

        Who was here before may have been stopped before it had read everything. The rest may come now, and look like an answer.
        """
        word = os.urandom(4).hex()
        try:
            if self.run(f"print('{word}')").strip() == word:
                return None
        except CommandError as error:  # ProgramError: a ctrl-C came late
            return error
        return LineError(f"{self.port}: the answer of the board is damaged; run this again")

    def run(self, program: str, is_whole: bool = False) -> str:
        """Run a program on the board; return what it prints. is_whole: nobody may stop it half-way. Raises CommandError, Stopped."""
        self._transport.serial.stop = None if is_whole else self.stop
        try:
            said: bytes = self._transport.exec(program)
        except TransportExecError as error:
            raise ProgramError(self.port, (error.error_output.strip().splitlines() or ["an error without a name"])[-1][:100]) from error
        except (*_DAMAGED, OSError) as error:
            raise self._lost(error) from error
        return said.decode(errors="replace")

    def write(self, path: str, content: bytes) -> None:
        """Write a file on the board; its folder is there. Raises CommandError, Stopped."""
        self.run(f"f=open({path!r},'wb')\nw=f.write")
        for start in range(0, len(content), CHUNK):
            self.run(f"w({content[start : start + CHUNK]!r})")
        self.run("f.close()")

    def leave(self) -> None:
        """End what runs, and leave the board at its friendly REPL. Raises OSError."""
        self._transport.serial.stop = None
        self._transport.serial.write(b"\x03\r\x02")  # ctrl-C ends what runs, ctrl-B leaves the raw REPL
        self._transport.read_until(1, _PROMPT, timeout_overall=PROMPT_S)

    def start(self) -> None:
        """Start the program of the board, as after power-on. Raises OSError."""
        self.leave()
        self._transport.serial.write(b"\x04")  # a soft reset, which runs main.py

    def listen(self) -> bytes:
        """Return what the program has printed since the last call. Raises OSError."""
        said: bytes = self._transport.serial.read(self._transport.serial.in_waiting or 0)
        return said

    def close(self) -> None:
        """Let go of the port, even if the board is gone."""
        with suppress(OSError):  # SerialException is one
            self._transport.close()

    def _lost(self, error: Exception) -> LineError:
        """Say that the board gives no answer that we understand."""
        if isinstance(error, OSError):
            return LineError(f"{self.port}: lost the board ({_words(error)}); plug it in and run this again")
        words = without_answer(self._transport.heard, "lost the board in the middle of the work", "plug it in again and run this again")
        return LineError(f"{self.port}: {words}")


def _words(error: OSError) -> str:
    """Return what an error of the system says, without the port."""
    return os.strerror(error.errno) if error.errno else str(error)
