"""Ask boards how they are, each over its serial line: its console, or where it sits at its REPL, that."""

from __future__ import annotations

import errno
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.names import state_name

COMMANDS = ("probe", "peers", "missing", "config", "stats")
BAUDRATE = 115200
TRIES = 3  # what a program prints in the middle of an answer damages it
CONFLICTS = ("clone", "roster", "cluster")  # the kinds of Finding that end in an exit code of 2

ALL_BOOTSTRAPPED, NOT_YET, BAD, NO_ANSWER = range(4)  # exit codes

# At a REPL: what the console of the interrupted program knew is asked first, then a global "node". Without faction.console
# there may be the machine of boards/microbit/glue.py, and little memory: hence the small pieces.
_HAS_CONSOLE = "import gc\ntry: import faction.console as c\nexcept ImportError: c = None\nprint(c)"
_COLLECT = "gc.collect()"
_ASK_CONSOLE = "c.probe(None if c.served else node, %r)"
_ASK_MACHINE = (
    "k=m.config\nprint(k.peer_id,m.state,int(m.is_pinging_completed),k.quorum)\n"
    "for i in k.peers:print(i,int(m.pinging.has(i)),int(m.collecting.has(i)))"
)
_PROMPTS = (b">>> ", b"raw REPL; CTRL-B to exit\r\n>")


class ProbeError(RuntimeError):
    """Why a port gives no answer: one line, with what to do."""


def call(peer_id: int, name: str | None) -> str:
    """Return what a board is called: its id, and its name if it has one."""
    return str(peer_id) if name is None else f"{peer_id} ({name})"


@dataclass
class Report:
    """What one board has said."""

    port: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_at_repl: bool = False
    taken: float = 0.0  # when the last answer came, in seconds since 1970
    fault: str = ""

    @property
    def peer_id(self) -> int:
        """Return the id that the board says it has."""
        return int(self.answers["probe"]["id"])

    @property
    def name(self) -> str:
        """Return its id, and its name if it has one."""
        return call(self.peer_id, self.answers["probe"].get("name"))

    @property
    def state(self) -> int:
        """Return its state code."""
        return int(self.answers["probe"]["state"])

    @property
    def peers(self) -> dict[int, list[Any]]:
        """Return the rows [id, name, heard, ready, age_cs, restarts] by id; see faction.console."""
        return {row[0]: row for row in self.answers["peers"]["peers"]}

    def hears(self, peer_id: int) -> bool:
        """Tell whether it has heard a peer in this run."""
        return bool(self.peers[peer_id][2])


@dataclass(frozen=True)
class Finding:
    """Something on which boards disagree. ``kind``: one of CONFLICTS, one_way, readiness, verdict, version."""

    kind: str
    text: str


class Paced:
    """A serial port whose writes go out in small pieces: a board's UART has no flow control."""

    PIECE = 24  # bytes

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def write(self, data: bytes) -> int:
        for start in range(0, len(data), self.PIECE):
            self._port.write(data[start : start + self.PIECE])
            time.sleep(0.002)
        return len(data)

    def __getattr__(self, name: str) -> Any:  # for the rest it is that port
        return getattr(self._port, name)


class Line:
    """An open serial port with a board at its end, as a context."""

    def __init__(self, port: str, seconds: float) -> None:
        """seconds: how long an answer may take. Raises ProbeError."""
        self.port = port
        self.is_at_repl = False
        self._has_console = False  # at a REPL
        self._seconds = seconds
        try:
            self._line = SerialTransport(port, baudrate=BAUDRATE, timeout=0.05)
        except (TransportError, OSError):
            raise ProbeError(explain(port)) from None
        self._port = self._line.serial
        self._line.serial = Paced(self._port)

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port, gone or not; a REPL is left as it was found."""
        with suppress(OSError, serial.SerialException):
            if self._line.in_raw_repl:
                self._line.exit_raw_repl()
            self._line.serial = self._port  # closing sets its lines
            self._line.close()

    def ask(self, command: str) -> dict[str, Any]:
        """Return the answer to a command of the console, an object; {} if a REPL has none. Raises ProbeError."""
        try:
            answer = self._ask_repl(command) if self.is_at_repl else self._ask_console(command)
        except (OSError, serial.SerialException, TransportError) as error:
            raise ProbeError(f"{self.port}: lost the board half-way ({error}); plug it in and run this again") from error
        if answer.get("faction") == "error":
            raise ProbeError(f"{self.port}: the board says {answer['text']}")
        return answer

    def _ask_console(self, command: str) -> dict[str, Any]:
        heard = b""
        for _ in range(TRIES):  # ctrl-B ends a raw REPL that somebody has left; a console does not mind it
            self._line.serial.write(b"\x02\r%s json\r" % command.encode())
            limit = time.monotonic() + self._seconds / TRIES
            heard = b""
            while time.monotonic() < limit:
                heard += self._read()
                for answer in objects(heard):
                    if answer["faction"] in (command, "error"):
                        return answer
                if heard.endswith(_PROMPTS):
                    self.is_at_repl = True
                    return self._ask_repl(command)
        raise ProbeError(f"{self.port}: {_silence(heard)}")

    def _read(self) -> bytes:
        """Read what there is, at least a byte; nothing if none comes for a moment."""
        data: bytes = self._line.serial.read(1)
        waiting = self._line.serial.in_waiting if data else 0
        return data + self._line.serial.read(waiting) if waiting else data

    def _ask_repl(self, command: str) -> dict[str, Any]:
        if not self._line.in_raw_repl:
            self._port.timeout = self._seconds  # the protocol of mpremote reads what must come
            self._line.enter_raw_repl(soft_reset=False)
            self._has_console = self._line.exec(_HAS_CONSOLE).strip() != b"None"
        try:
            self._line.exec(_COLLECT)
            said: bytes = self._line.exec(_ASK_CONSOLE % f"{command} json" if self._has_console else _ASK_MACHINE)
        except TransportExecError as error:
            reason = error.error_output.strip().splitlines()[-1]
            raise ProbeError(
                f"{self.port}: at its REPL, and without a node ({reason}); press its reset button, or install one: faction deploy"
            ) from error
        if self._has_console:
            return next((answer for answer in objects(said) if answer["faction"] in (command, "error")), {})
        return _of_machine(said.decode()).get(command, {})


def _of_machine(said: str) -> dict[str, dict[str, Any]]:
    """Return the answers of a board that has a machine and nothing else, from what _ASK_MACHINE prints."""
    (peer_id, state, completed, quorum), *peers = [list(map(int, line.split())) for line in said.split("\n") if line]
    heard = [bool(pinging or ready) and other != peer_id for other, pinging, ready in peers]
    probe = {"id": peer_id, "name": None, "state": state, "complete": bool(completed), "heard": sum(heard)}
    probe |= {"ready": sum(ready for *_, ready in peers), "required": quorum, "peers": len(peers), "remaining_ms": 0, "uptime_cs": 0}
    rows = [[other, None, int(was_heard), ready, -1, 0] for (other, _, ready), was_heard in zip(peers, heard)]
    return {"probe": {"faction": "probe", **probe}, "peers": {"faction": "peers", "peers": rows}}


def _silence(heard: bytes) -> str:
    """Say what it means that no answer came."""
    remedy = "is it a board of faction with its console on? Its program may be busy: press its reset button, or faction deploy"
    if not heard.strip():
        return f"no answer; {remedy}"
    tail = heard.decode(errors="replace").strip().splitlines()[-1][-60:]
    return f"no answer, but {tail!r}; {remedy}"


def objects(heard: bytes) -> Iterator[dict[str, Any]]:
    """Iterate the whole answers among what a board has said: JSON objects with "faction" in them, a line each."""
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
        if error.errno == errno.ENOENT:
            there = ", ".join(found()) or "none"
            return f"{port}: no such port; plug the board in with a data cable, or name another; there are: {there}"
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"{port}: not yours to open; sudo usermod -aG dialout $USER, and log in again"
        if error.errno in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
            return f"{port}: in use by another program; close its terminal or mpremote, and run this again"
        return f"{port}: does not open ({error}); plug it in again"
    return f"{port}: did not open, but does now; run this again"


def found() -> list[str]:
    """Return the serial ports of this computer that are on USB."""
    return sorted(port.device for port in list_ports.comports() if port.vid is not None)


class Survey:
    """The reports of several boards, and what follows from them.

    ``reports``   in the order of the ports
    ``boards``    those that answered, by peer id
    ``findings``  on what they disagree
    """

    def __init__(self, reports: Iterable[Report]) -> None:
        self.reports = list(reports)
        self.boards = sorted((report for report in self.reports if not report.fault), key=lambda report: report.peer_id)
        self.findings = list(_findings(self.boards))

    @property
    def exit_code(self) -> int:
        """Return the greatest code that holds: 0 all Bootstrapped, 1 not yet, 2 timed out or in conflict, 3 no answer."""
        if len(self.boards) < len(self.reports) or not self.boards:
            return NO_ANSWER
        states = {board.state for board in self.boards}
        if TIMED_OUT in states or any(finding.kind in CONFLICTS for finding in self.findings):
            return BAD
        return ALL_BOOTSTRAPPED if states == {BOOTSTRAPPED} else NOT_YET

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs: see README."""
        return {
            "version": 1,
            "exit": self.exit_code,
            "boards": [
                {"port": report.port, "fault": report.fault}
                if report.fault
                else {"port": report.port, "state": state_name(report.state), "is_at_repl": report.is_at_repl, **report.answers}
                for report in self.reports
            ],
            "findings": [{"kind": finding.kind, "text": finding.text} for finding in self.findings],
        }


def _findings(boards: Sequence[Report]) -> Iterator[Finding]:
    for peer_id, count in Counter(board.peer_id for board in boards).items():
        if count > 1:
            ports = " and ".join(board.port for board in boards if board.peer_id == peer_id)
            yield Finding("clone", f"{ports} both have the id {peer_id}; deploy one of them anew with its own")
    yield from _other_expectations(boards)
    for board in boards:
        yield from _heard_of(board)
    for one, other in combinations(boards, 2):
        if other.peer_id in one.peers and one.peer_id in other.peers and one.peer_id != other.peer_id:
            yield from _between(one, other)
    concluded = {board.state for board in boards} & {BOOTSTRAPPED, TIMED_OUT}
    if len(concluded) == 2:
        names = [", ".join(board.name for board in boards if board.state == state) for state in (BOOTSTRAPPED, TIMED_OUT)]
        yield Finding("verdict", f"bootstrapped: {names[0]}; timed out: {names[1]}; restart those that timed out")


def _other_expectations(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards whose configuration is not that of the most."""
    for kind, remedy in (("cluster", "another cluster"), ("roster", "another roster or quorum"), ("version", "another version")):
        values = Counter(board.answers["config"][kind] for board in boards if "config" in board.answers)
        for value, _ in values.most_common()[1:]:
            names = ", ".join(board.name for board in boards if board.answers.get("config", {}).get(kind) == value)
            most = values.most_common()[0][0]
            yield Finding(kind, f"{names}: {remedy}, {value} where the others have {most}; deploy again")


def _heard_of(board: Report) -> Iterator[Finding]:
    """Say which misconfigured boards this one has heard, whether they are among the asked or not."""
    stats = board.answers.get("stats", {})
    texts = {  # another cluster on the same air is no fault of anybody
        "same_id": ("clone", "hears another board with its own id"),
        "other_expectations": ("roster", "hears a board with another roster or quorum, id"),
    }
    for name, peer_id in stats.get("offenders", {}).items():
        if name in texts:
            kind, text = texts[name]
            yield Finding(kind, f"{board.name} {text} {peer_id}")


def _between(one: Report, other: Report) -> Iterator[Finding]:
    for a, b in ((one, other), (other, one)):
        if a.hears(b.peer_id) and not b.hears(a.peer_id):
            yield Finding("one_way", f"{a.name} hears {b.name}, but not the other way round; check antennas, channel and transmit pins")
        if a.peers[b.peer_id][3] and not b.answers["probe"]["complete"]:
            yield Finding("readiness", f"{a.name} counts {b.name} as ready, which has begun anew since")


class Watch:
    """The lines to several boards, kept open: opening a port resets some of them. A context."""

    def __init__(self, ports: Sequence[str], seconds: float) -> None:
        """seconds: how long an answer may take."""
        self._ports = list(ports)
        self._seconds = seconds
        self._lines: dict[str, Line] = {}

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        for line in self._lines.values():
            line.close()

    def survey(self, commands: Sequence[str] = COMMANDS) -> Survey:
        """Ask all boards at the same time."""
        with ThreadPoolExecutor(max(1, len(self._ports))) as pool:
            return Survey(pool.map(lambda port: self._report(port, commands), self._ports))

    def _report(self, port: str, commands: Sequence[str]) -> Report:
        report = Report(port)
        try:
            if port not in self._lines:
                self._lines[port] = Line(port, self._seconds)
            line = self._lines[port]
            answers = {command: line.ask(command) for command in commands}
            report.answers = {command: answer for command, answer in answers.items() if answer}
            report.taken = time.time()
            report.is_at_repl = line.is_at_repl
        except ProbeError as error:
            report.fault = str(error)
            self._drop(port)
        return report

    def _drop(self, port: str) -> None:
        line = self._lines.pop(port, None)
        if line is not None:
            line.close()
