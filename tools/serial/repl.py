"""The raw REPL of a MicroPython board: a host runs programs there.

mpremote speaks with it. Here are limits for everything that it waits for, an end of it from outside, and clear words for
what a board may do instead of answering.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from threading import Event

from mpremote.transport import TransportExecError

from ..errors import CommandError
from .line import without_answer
from .port import DAMAGED, LineError, Stopped, Transport, interrupt, words

TRIES = 3  # to get into the REPL: a program may be busy
ENTER_S = 3.0  # how long one try takes
LIMIT_S = 30.0  # how long one program may take, even if the board prints all the time
CHUNK = 256  # bytes that one program writes: it has to fit into the memory of the board
PROMPT_S = 3.0  # how long the prompt of the friendly REPL may take

_ENTERED = b"raw REPL; CTRL-B to exit\r\n"
_PROMPT = b">>> "
_NO_BOARD = "no MicroPython answers"
_REMEDY = "press the board's reset button and run this again, or flash MicroPython"


class ProgramError(CommandError):
    """A program of ours has failed on the board. ``reason``: the last line of its traceback."""

    def __init__(self, port: str, reason: str) -> None:
        super().__init__(f"{port}: the board says {reason}; reset it and run this again")
        self.reason = reason


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
        self._transport = Transport(port)
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
                raise LineError(f"{self.port}: lost the board ({words(error)}); plug it in and run this again") from error
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
            if self.run(f"print('{word}')", seconds=ENTER_S).strip() == word:
                return None
        except CommandError as error:  # ProgramError: a ctrl-C came late
            return error
        return LineError(f"{self.port}: the answer of the board is damaged; run this again")

    def run(self, program: str, is_whole: bool = False, seconds: float | None = None) -> str:
        """Run a program on the board; return what it prints. Raises CommandError, Stopped.

        is_whole: nobody may stop it half-way. seconds: how long all of it may take; None: LIMIT_S.
        """
        self._transport.serial.stop = None if is_whole else self.stop
        self._transport.serial.limit = time.monotonic() + (LIMIT_S if seconds is None else seconds)
        try:
            said: bytes = self._transport.exec(program)
        except TransportExecError as error:
            raise ProgramError(self.port, (error.error_output.strip().splitlines() or ["an error without a name"])[-1][:100]) from error
        except (*DAMAGED, OSError) as error:
            raise self._lost(error) from error
        finally:
            self._transport.serial.limit = math.inf
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
            return LineError(f"{self.port}: lost the board ({words(error)}); plug it in and run this again")
        said = without_answer(self._transport.heard, "lost the board in the middle of the work", "plug it in again and run this again")
        return LineError(f"{self.port}: {said}")
