"""The serial line to one board: open it, ask the board something, and say why a port does not open.

A board answers at its console (faction.console). If its program was interrupted, it sits at its REPL, and is asked there.
"""

from __future__ import annotations

import errno
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event
from typing import Any

import serial
from mpremote import transport_serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from ..errors import CommandError

# mpremote prints what it does not understand. What we say of it goes where it belongs, so its module gets a print that is silent.
transport_serial.print = lambda *words, **options: None

BAUDRATE = 115200
TRIES = 3  # an answer is damaged if the board's program prints something in the middle of it
PIECE = 24  # bytes of one write
INTERRUPTS = 3  # a member's program ends after so many ctrl-C within a second: one may be a disturbance on its line
BETWEEN = 0.05  # seconds from one to the next: several at once may come as one
PAUSE = 0.002  # seconds between two writes

# These programs run at a REPL. A console of the interrupted program is asked first; otherwise a global named "node" is.
# A board without faction.console may have the machine of boards/microbit/glue.py, and little memory, so each is short.
_HAS_CONSOLE = "import gc\ntry: import faction.console as c\nexcept ImportError: c = None\nprint(c)"
_COLLECT = "gc.collect()"
_ASK_CONSOLE = "c.probe(None if c.served else node, %r)"
_ASK_MACHINE = (
    "k=m.config\nprint(k.peer_id,m.state,int(m.is_pinging_completed),k.quorum)\n"
    "for i in k.peers:print(i,int(m.pinging.has(i)),int(m.collecting.has(i)))"
)
_ANSWER = b'{"faction": "%s"'  # how an answer begins
_PROMPTS = (b">>> ", b"raw REPL; CTRL-B to exit\r\n>")
_REMEDY = "does it run faction, with its console on? Press its reset button, or run faction deploy"


def interrupt(port: serial.Serial) -> None:
    """End the program that a board runs. Raises OSError."""
    for _ in range(INTERRUPTS):
        port.write(b"\x03")
        time.sleep(BETWEEN)


class LineError(CommandError):
    """Why a port gives no answer: one line that says what is wrong, and what to do."""


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


class BoardLine:
    """An open serial port with a board at its end, as a context.

    ``port``        its name
    ``is_at_repl``  whether the board was found at its REPL
    """

    def __init__(self, port: str, seconds: float, stop: Event) -> None:
        """seconds: how long an answer may take. stop: once it is set, nothing waits for an answer. Raises LineError."""
        self.port = port
        self._stop = stop
        self.is_at_repl = False
        self._has_console = False  # only known at a REPL: whether faction.console is on the board
        self._seconds = seconds
        try:
            self._transport = SerialTransport(port, baudrate=BAUDRATE, timeout=0.05)
        except (TransportError, OSError, ValueError):  # ValueError: mpremote takes "xyz://" for an unknown protocol
            raise LineError(explain(port)) from None
        self._serial = self._transport.serial
        self._transport.serial = Paced(self._serial)

    def __enter__(self) -> BoardLine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port, even if the board is gone. Leave a REPL as it was found."""
        with suppress(OSError, serial.SerialException):
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        with suppress(OSError, serial.SerialException):
            self._transport.serial = self._serial  # to close, mpremote sets attributes of the port itself
            self._transport.close()

    def ask(self, command: str) -> dict[str, Any]:
        """Return the answer to a command of the console, an object; {} if a REPL has no answer to it. Raises LineError."""
        try:
            answer = self._ask_repl(command) if self.is_at_repl else self._ask_console(command)
        except (OSError, serial.SerialException, TransportError) as error:
            raise LineError(f"{self.port}: the board went away during its answer ({error}); plug it in and run this again") from error
        if answer.get("faction") == "error":
            raise LineError(f"{self.port}: the board answers {answer.get('text')!r}")
        return answer

    def _ask_console(self, command: str) -> dict[str, Any]:
        heard = b""
        for _ in range(TRIES):
            # Ctrl-B ends a raw REPL that another program has left; a console ignores it.
            self._transport.serial.write(b"\x02\r%s json\r" % command.encode())
            answer, heard = self._listen(command)
            if answer is not None:
                return answer
            if self.is_at_repl:
                return self._ask_repl(command)
            if self._stop.is_set():
                break
        raise LineError(f"{self.port}: {without_answer(heard)}")

    def _listen(self, command: str) -> tuple[dict[str, Any] | None, bytes]:
        """Return the answer, None if it does not come in time, and all that the board has sent. Notice a prompt of a REPL."""
        limit = time.monotonic() + self._seconds / TRIES
        heard = b""
        while time.monotonic() < limit and not self._stop.is_set():
            said = self._read()
            heard += said
            if said and _ANSWER % command.encode() in heard[heard.rfind(b"\n") + 1 :]:  # a long answer takes longer
                limit = time.monotonic() + self._seconds / TRIES
            answer = _answer(heard, command)
            if answer is not None:
                return answer, heard
            if heard.endswith(_PROMPTS):
                self.is_at_repl = True
                break
        return None, heard

    def _read(self) -> bytes:
        """Return what the board has sent, after a short wait for its first byte."""
        data: bytes = self._transport.serial.read(1)
        waiting = self._transport.serial.in_waiting if data else 0
        return data + self._transport.serial.read(waiting) if waiting else data

    def _ask_repl(self, command: str) -> dict[str, Any]:
        if not self._transport.in_raw_repl:
            self._serial.timeout = self._seconds  # mpremote waits this long for each part of an answer
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=self._seconds)
            self._has_console = self._transport.exec(_HAS_CONSOLE).strip() != b"None"
        said = self._run(_ASK_CONSOLE % f"{command} json" if self._has_console else _ASK_MACHINE)
        if self._has_console:
            return _answer(said, command) or {}
        try:
            return _of_machine(said.decode()).get(command, {})
        except ValueError as error:
            raise LineError(f"{self.port}: its answer at the REPL is damaged; run this again") from error

    def _run(self, program: str) -> bytes:
        """Run a program at the REPL; return what it prints."""
        try:
            self._transport.exec(_COLLECT)
            said: bytes = self._transport.exec(program)
        except TransportExecError as error:
            reason = error.error_output.strip().splitlines()[-1]
            why = "" if reason.startswith("NameError") else f" ({reason})"  # a name of ours that is not there is what the words say
            raise LineError(
                f"{self.port}: at its REPL, and without a node{why}; press its reset button, or install a node with faction deploy"
            ) from error
        return said


def _of_machine(said: str) -> dict[str, dict[str, Any]]:
    """Return the answers of a board that has only a machine, from what _ASK_MACHINE prints. Raises ValueError."""
    (peer_id, state, completed, quorum), *peers = [list(map(int, line.split())) for line in said.split("\n") if line]
    heard = [bool(pinging or ready) and other != peer_id for other, pinging, ready in peers]
    probe = {"id": peer_id, "name": None, "state": state, "complete": bool(completed), "heard": sum(heard)}
    probe |= {"ready": sum(ready for *_, ready in peers), "required": quorum, "peers": len(peers), "remaining_ms": 0, "uptime_cs": 0}
    rows = [[other, None, int(was_heard), ready, -1, 0] for (other, _, ready), was_heard in zip(peers, heard)]
    return {"probe": {"faction": "probe", **probe}, "peers": {"faction": "peers", "peers": rows}}


def without_answer(heard: bytes, fault: str = "no answer", remedy: str = _REMEDY) -> str:
    """Say what it means that no answer came; heard: what came instead."""
    if not heard.strip():
        return f"{fault}; {remedy}"
    whole = heard[: heard.rfind(b"\n") + 1]  # the last line may still be coming
    last = (whole if whole.strip() else heard).decode(errors="replace").strip().splitlines()[-1][-60:]
    return f"{fault}, but it prints {last!r}; {remedy}"


def _answer(heard: bytes, command: str) -> dict[str, Any] | None:
    """Return the first answer to a command among what a board has sent: its object, or that of an error."""
    return next((answer for answer in objects(heard) if answer["faction"] in (command, "error")), None)


def objects(heard: bytes) -> Iterator[dict[str, Any]]:
    """Iterate the complete answers among what a board has sent: each is a JSON object on one line, with the key "faction"."""
    for line in heard.split(b"\n")[:-1]:
        start = line.find(b'{"faction"')
        if start >= 0:
            with suppress(ValueError):
                yield json.loads(line[start:].decode())


def explain(port: str) -> str:
    """Say why a port does not open, and what to do."""
    try:
        serial.Serial(port, BAUDRATE, exclusive=True).close()
    except OSError as error:  # SerialException is one
        return f"{port}: {_reason(error)}"
    return f"{port}: did not open, but opens now; run this again"


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"no such port; plug the board in with a data cable, or name another port; {_choice()}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "you may not open it; run sudo usermod -aG dialout $USER, and log in again"
    if error.errno in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return "in use by another program; close its terminal or mpremote, and run this again"
    if error.errno == errno.EISDIR or "Could not configure" in str(error):
        return f"not a serial port; name another one; {_choice()}"
    return f"does not open ({error}); plug the board in again"


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
