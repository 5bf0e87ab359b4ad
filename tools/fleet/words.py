"""What a board says after a reset, and what that means."""

from __future__ import annotations

import re

WAIT_S = 15.0  # how long a board may take to greet, where nobody says how long
SETTLE_S = 0.5  # how long after the greeting a program may still fail at its start
_LONGEST = 65536  # characters that are kept

_GREETING = re.compile(r"faction: node \d+ of \d+, quorum \d+")
_ERROR = re.compile(r"^faction: (?!node \d)(.*)")
_TRACEBACK = "Traceback (most recent call last)"
_PLACE = re.compile(r'^\s+File "([^"]+)", line (\d+)')
_AGAIN = re.compile(r"; again in \d+ ms$")  # boards/common/calls.py: the program goes on, and the traceback follows
_PROMPT = ">>> "
_BANNER = re.compile(r"^(MPY: |MicroPython v|MicroPython [0-9a-f]+ on |Type \"help\(\)\"|Use Ctrl-D|>>> ?$|raw REPL)")


class FirstWords:
    """It hears what a board says, and judges it.

    ``greeting``  the first line of its program, once it has said that; otherwise empty
    ``fault``     why it does not run as it should; empty if nothing is known
    """

    def __init__(self, now: float, seconds: float) -> None:
        """seconds: how long the board may take to greet, from now on."""
        self.greeting = self.fault = ""
        self._seconds = seconds
        self._limit = now + seconds
        self._text = ""
        self._doubt = ""  # the fault, if its traceback does not come

    def hear(self, data: bytes, now: float) -> None:
        """Take in what has come."""
        if data:
            self._text = (self._text + data.decode(errors="replace"))[-_LONGEST:]
            self._judge(now)

    def are_over(self, now: float) -> bool:
        """Tell whether nothing more is to be waited for."""
        if now >= self._limit:
            self.fault = self.fault or self._doubt
        if now >= self._limit and not (self.greeting or self.fault):
            last = " / ".join(line for line in self._lines() if not _BANNER.match(line))[-200:]
            says = f"it says: {last or 'nothing'}"
            self.fault = f"but its program does not greet within {self._seconds:g} s; {says}; correct that, or wait longer with --wait"
        return bool(self.fault) or now >= self._limit

    def _lines(self) -> list[str]:
        return [line.strip() for line in self._text.splitlines() if line.strip()][-3:]

    def _judge(self, now: float) -> None:
        lines = self._text.replace("\r", "").split("\n")
        failure, is_whole = _failure(lines[:-1])
        greeting = _GREETING.search("\n".join(lines[:-1]))
        if greeting and not self.greeting:
            self.greeting = greeting[0]
            self._limit = now + SETTLE_S
        if failure:
            what = "but its program fails" if not self.greeting else "and its program greets, but then fails"
            fault = f"{what}: {failure}; correct that, and run this again"
            if is_whole:
                self.fault = fault
            else:
                self._doubt = fault
                self._limit = min(self._limit, now + SETTLE_S)
        elif lines[-1].startswith(_PROMPT) and self.greeting:
            self.fault = (
                "and its program greets, but then ends, as SystemExit in the application makes it; correct that, and run this again"
            )
        elif lines[-1].startswith(_PROMPT):
            last = next((line.strip() for line in reversed(lines[:-1]) if line.strip() and not _BANNER.match(line.strip())), "")
            self.fault = f"but its program ends at once, without a greeting; it says: {last[:200] or 'nothing'}; correct main.py there"


def _failure(lines: list[str]) -> tuple[str, bool]:
    """Return what a program has printed of its failure, with its place, and whether that is all of it; "" if it has not failed."""
    place, failure, is_inside = "", "", False
    for line in lines:
        if _TRACEBACK in line:
            place, is_inside = "", True
        elif is_inside and _PLACE.match(line):
            place = " ({}, line {})".format(*_PLACE.match(line).groups())  # type: ignore[union-attr]
        elif is_inside and line.strip() and not line.startswith(" "):
            is_inside = False
            if not line.startswith("KeyboardInterrupt"):  # the last words of the program that our ctrl-C has ended
                return (failure or line.strip()[:200]) + place, True
        elif _ERROR.match(line) and not failure:
            failure = re.sub(r"^(\d+)$", r"OSError: \1", _ERROR.sub(r"\1", line).strip()[:200])
            if not _AGAIN.search(failure):
                return failure, True
            failure = _AGAIN.sub("", failure)
    return failure, False
