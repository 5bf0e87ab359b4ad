"""Ask several boards how they are, and find out on what they disagree."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from threading import Event
from typing import Any

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.names import state_name

from .answers import check
from .findings import CONFLICTS, findings
from .line import BoardLine
from .port import LineError
from .report import Report
from .together import together

COMMANDS = ("probe", "peers", "missing", "config", "stats")
NEEDED = ("probe", "peers")  # every board that runs faction has an answer to these
STILL_SECONDS = 1.0  # a node whose time does not go on for so long is not polled

ALL_BOOTSTRAPPED, NOT_YET, BAD, NO_ANSWER = range(4)  # exit codes


class Survey:
    """The reports of several boards, and what follows from them.

    ``reports``   in the order of the ports
    ``boards``    the reports of the boards that answered, by peer id
    ``findings``  on what they disagree
    """

    def __init__(self, reports: Iterable[Report]) -> None:
        self.reports = list(reports)
        self.boards = sorted((report for report in self.reports if not report.fault), key=lambda report: report.peer_id)
        self.findings = list(findings(self.boards))

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
    state = {"state": state_name(report.state), "is_at_repl": report.is_at_repl, "stands_still": report.stands_still}
    return {"port": report.port, **state, **report.answers}


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
        return Survey(together(lambda port: self._report(port, commands), self._ports, self._stop))

    def _report(self, port: str, commands: Sequence[str]) -> Report:
        report = Report(port)
        try:
            if port not in self._lines:
                self._lines[port] = BoardLine(port, self._seconds, self._stop)
            line = self._lines[port]
            for command in commands:
                answer = line.ask(command)
                if answer or command in NEEDED:
                    check(command, answer, port)
                    report.answers[command] = answer
            report.taken = time.time()
            report.is_at_repl = line.is_at_repl
            report.stands_still = line.is_at_repl or self._stands_still(line, report.answers["probe"])
        except LineError as error:
            report.fault = str(error)
            asked = self._lines.get(port)
            if asked and (asked.is_at_repl or not self._stop.is_set()):  # at a REPL the rest of a stopped answer would still come
                self._drop(port)
        return report

    def _stands_still(self, line: BoardLine, probe: dict[str, Any]) -> bool:
        """Tell whether a node is not polled, although its board answers: ask until its time has gone on. Raises LineError."""
        limit = time.monotonic() + STILL_SECONDS
        while line.ask("probe").get("uptime_cs") == probe["uptime_cs"]:
            if time.monotonic() > limit or self._stop.wait(0.1):
                return not self._stop.is_set()
        return False

    def _drop(self, port: str) -> None:
        """Close a line that failed; the next survey opens it again."""
        line = self._lines.pop(port, None)
        if line is not None:
            line.close()
