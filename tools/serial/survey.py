"""Ask several boards how they are, and find out on what they disagree."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations
from threading import Event
from typing import Any

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.names import state_name

from .answers import check
from .line import BoardLine, LineError

COMMANDS = ("probe", "peers", "missing", "config", "stats")
CONFLICTS = ("clone", "roster", "cluster", "other_version")  # the kinds of Finding that lead to an exit code of 2

ALL_BOOTSTRAPPED, NOT_YET, BAD, NO_ANSWER = range(4)  # exit codes

_EXPECTATIONS = (("cluster", "another cluster"), ("roster", "another roster or quorum"), ("version", "another version"))
# The beacons of another cluster on the same channel are not a fault, so "other_cluster" is not here.
_OFFENCES = {
    "same_id": ("clone", "hears another board with its own id"),
    "other_expectations": ("roster", "hears a board with another roster or quorum, id"),
    "other_version": ("other_version", "hears a board that speaks another version of the protocol; deploy to all boards. It has the id"),
}


def board_name(peer_id: int, name: str | None) -> str:
    """Return a board's id, and its name if it has one: "0 (north)"."""
    return str(peer_id) if name is None else f"{peer_id} ({name})"


@dataclass
class Report:
    """What one board has answered.

    ``answers``     the answer to each command, as faction.console gives it to programs
    ``is_at_repl``  whether its program was interrupted, so that it sits at its REPL
    ``taken``       when the last answer came, in seconds since 1970
    ``fault``       why there is no answer; empty if there is one
    """

    port: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_at_repl: bool = False
    taken: float = 0.0
    fault: str = ""

    @property
    def peer_id(self) -> int:
        """Return the id that the board says it has."""
        return int(self.answers["probe"]["id"])

    @property
    def name(self) -> str:
        """Return its id, and its name if it has one."""
        return board_name(self.peer_id, self.answers["probe"].get("name"))

    @property
    def state(self) -> int:
        """Return its state code."""
        return int(self.answers["probe"]["state"])

    @property
    def peers(self) -> dict[int, list[Any]]:
        """Return the rows [id, name, heard, ready, age_cs, restarts, said_cs] by id; see faction.console.

        A board of an earlier version gives no said_cs. It knows only what it hears itself, so said_cs is age_cs.
        """
        return {row[0]: [*row[:7], row[4]][:7] for row in self.answers["peers"]["peers"]}

    def hears(self, peer_id: int) -> bool:
        """Return whether a frame of this peer itself has come in this run."""
        return bool(self.peers[peer_id][2])

    def is_told_of(self, peer_id: int) -> bool:
        """Return whether it knows this peer through others alone."""
        *_, said_cs = self.peers[peer_id]
        return not self.hears(peer_id) and said_cs >= 0


@dataclass(frozen=True)
class Finding:
    """Something on which boards disagree. ``kind``: one of CONFLICTS, one_way, readiness, verdict, version."""

    kind: str
    text: str


class Survey:
    """The reports of several boards, and what follows from them.

    ``reports``   in the order of the ports
    ``boards``    the reports of the boards that answered, by peer id
    ``findings``  on what they disagree
    """

    def __init__(self, reports: Iterable[Report]) -> None:
        self.reports = list(reports)
        self.boards = sorted((report for report in self.reports if not report.fault), key=lambda report: report.peer_id)
        self.findings = list(_findings(self.boards))

    @property
    def exit_code(self) -> int:
        """Return the greatest code that applies: 0 all Bootstrapped, 1 not yet, 2 timed out or in conflict, 3 no answer."""
        if len(self.boards) < len(self.reports) or not self.boards:
            return NO_ANSWER
        states = {board.state for board in self.boards}
        if TIMED_OUT in states or any(finding.kind in CONFLICTS for finding in self.findings):
            return BAD
        return ALL_BOOTSTRAPPED if states == {BOOTSTRAPPED} else NOT_YET

    def as_json(self) -> dict[str, Any]:
        """Return all of it for programs; tools/README.md describes the keys."""
        return {
            "version": 1,
            "exit": self.exit_code,
            "boards": [_as_json(report) for report in self.reports],
            "findings": [{"kind": finding.kind, "text": finding.text} for finding in self.findings],
        }


def _as_json(report: Report) -> dict[str, Any]:
    if report.fault:
        return {"port": report.port, "fault": report.fault}
    return {"port": report.port, "state": state_name(report.state), "is_at_repl": report.is_at_repl, **report.answers}


def _findings(boards: Sequence[Report]) -> Iterator[Finding]:
    yield from _clones(boards)
    yield from _other_expectations(boards)
    for board in boards:
        yield from _heard_of(board)
    for one, other in combinations(boards, 2):
        if one.peer_id != other.peer_id and other.peer_id in one.peers and one.peer_id in other.peers:
            yield from _between(one, other)
            yield from _between(other, one)
    yield from _split_verdict(boards)


def _clones(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards that have the same id."""
    for peer_id, count in Counter(board.peer_id for board in boards).items():
        if count > 1:
            ports = " and ".join(board.port for board in boards if board.peer_id == peer_id)
            yield Finding("clone", f"{ports} both have the id {peer_id}; deploy one of them again, with an id of its own")


def _other_expectations(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name the boards whose configuration differs from that of most boards."""
    asked = [board for board in boards if "config" in board.answers]
    for kind, difference in _EXPECTATIONS:
        values = Counter(board.answers["config"][kind] for board in asked).most_common()
        for value, _ in values[1:]:
            names = ", ".join(board.name for board in asked if board.answers["config"][kind] == value)
            yield Finding(kind, f"{names}: {difference}, {value} where the others have {values[0][0]}; deploy again")


def _heard_of(board: Report) -> Iterator[Finding]:
    """Name the boards with a wrong configuration that this board has heard. They need not be among the boards asked."""
    for offence, peer_id in board.answers.get("stats", {}).get("offenders", {}).items():
        if offence in _OFFENCES:
            kind, text = _OFFENCES[offence]
            yield Finding(kind, f"{board.name} {text} {peer_id}")


def _between(one: Report, other: Report) -> Iterator[Finding]:
    """Compare what one board knows of another with what the other says itself."""
    if one.hears(other.peer_id) and not other.hears(one.peer_id):
        text = f"{one.name} hears {other.name}, but not the other way round; check antennas, channel and transmit pins"
        if other.is_told_of(one.peer_id):
            text += f", unless frames are often lost; {other.name} knows {one.name} through others"
        yield Finding("one_way", text)
    if one.peers[other.peer_id][3] and not other.answers["probe"]["complete"]:
        yield Finding("readiness", _stale_readiness(one, other))


def _stale_readiness(one: Report, other: Report) -> str:
    """Say that a board counts another one which is not ready. Before its verdict a board takes that back by itself."""
    text = f"{other.name} has restarted since, and is not ready yet"
    if one.state in (BOOTSTRAPPED, TIMED_OUT):
        return f"{one.name} counted {other.name} as ready in its verdict, but {text}"
    return f"{one.name} counts {other.name} as ready, but {text}; {one.name} withdraws that when it hears of it"


def _split_verdict(boards: Sequence[Report]) -> Iterator[Finding]:
    """Name both sides if some boards are Bootstrapped and others timed out."""
    bootstrapped, timed_out = (", ".join(board.name for board in boards if board.state == state) for state in (BOOTSTRAPPED, TIMED_OUT))
    if bootstrapped and timed_out:
        yield Finding("verdict", f"bootstrapped: {bootstrapped}; timed out: {timed_out}; restart those that timed out")


class Watch:
    """The open lines to several boards, as a context. They stay open between surveys, as opening a port resets some boards."""

    def __init__(self, ports: Iterable[str], seconds: float) -> None:
        """seconds: how long an answer may take. A port that is named twice is asked once."""
        self._ports = list(dict.fromkeys(ports))
        self._seconds = seconds
        self._lines: dict[str, BoardLine] = {}
        self._stop = Event()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        for line in self._lines.values():
            line.close()

    def survey(self, commands: Sequence[str] = COMMANDS) -> Survey:
        """Ask all boards at the same time. A board that does not answer has a fault in its report. Ctrl-C ends it at once."""
        self._stop.clear()
        with ThreadPoolExecutor(max(1, len(self._ports))) as pool:
            try:
                return Survey(pool.map(lambda port: self._report(port, commands), self._ports))
            except KeyboardInterrupt:
                self._stop.set()  # otherwise the pool waits for every answer
                raise

    def _report(self, port: str, commands: Sequence[str]) -> Report:
        report = Report(port)
        try:
            if port not in self._lines:
                self._lines[port] = BoardLine(port, self._seconds, self._stop)
            line = self._lines[port]
            for command in commands:
                answer = line.ask(command)
                if answer:
                    check(command, answer, port)
                    report.answers[command] = answer
            report.taken = time.time()
            report.is_at_repl = line.is_at_repl
        except LineError as error:
            report.fault = str(error)
            if not self._stop.is_set():
                self._drop(port)
        return report

    def _drop(self, port: str) -> None:
        """Close a line that failed; the next survey opens it again."""
        line = self._lines.pop(port, None)
        if line is not None:
            line.close()
