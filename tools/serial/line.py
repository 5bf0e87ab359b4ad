"""The serial line to one board: open it, ask the board something, and say why a port does not open.

A board answers at its console (faction.console). If its program was interrupted, it sits at its REPL, and is asked there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event
from typing import Any

from mpremote.transport import TransportExecError

from .port import DAMAGED, LineError, Stopped, Transport, words

TRIES = 3  # an answer is damaged if the board's program prints something in the middle of it
LONGEST_S = 30.0  # how long one answer may take, even if the board prints all the time

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


class BoardLine:
    """An open serial port with a board at its end, as a context.

    ``port``        its name
    ``is_at_repl``  whether the board was found at its REPL
    """

    def __init__(self, port: str, seconds: float, stop: Event) -> None:
        """seconds: how long an answer may take. stop: once it is set, nothing waits for an answer. Raises LineError."""
        self.port = port
        self.is_at_repl = False
        self._has_console = False  # only known at a REPL: whether faction.console is on the board
        self._seconds = seconds
        self._transport = Transport(port, is_paced=True)
        self._transport.serial.patience = seconds  # at a REPL, for each part of an answer
        self._transport.serial.stop = stop

    def __enter__(self) -> BoardLine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port, even if the board is gone. Leave a REPL as it was found."""
        with suppress(OSError):  # SerialException is one
            if self._transport.in_raw_repl:
                self._transport.exit_raw_repl()
        with suppress(OSError):
            self._transport.close()

    def ask(self, command: str) -> dict[str, Any]:
        """Return the answer to a command of the console, an object; {} if a REPL has no answer to it. Raises LineError."""
        self._transport.serial.limit = time.monotonic() + LONGEST_S
        try:
            answer = self._ask_repl(command) if self.is_at_repl else self._ask_console(command)
        except Stopped:
            raise LineError(f"{self.port}: stopped by ctrl-C") from None
        except (*DAMAGED, OSError) as error:
            reason = f"the board went away during its answer ({words(error)})"
            raise LineError(f"{self.port}: {reason}; plug it in and run this again") from error
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
            if time.monotonic() > self._transport.serial.limit:
                break
        raise LineError(f"{self.port}: {without_answer(heard)}")

    def _listen(self, command: str) -> tuple[dict[str, Any] | None, bytes]:
        """Return the answer, None if it does not come in time, and all that the board has sent. Notice a prompt of a REPL."""
        limit = time.monotonic() + self._seconds / TRIES
        heard = b""
        while time.monotonic() < min(limit, self._transport.serial.limit):
            said = self._transport.serial.come()
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

    def _ask_repl(self, command: str) -> dict[str, Any]:
        if not self._transport.in_raw_repl:
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
            with suppress(ValueError, RecursionError):
                yield json.loads(line[start:].decode())
