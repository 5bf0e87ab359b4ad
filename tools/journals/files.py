"""Files of records: read what boards recorded of their runs, and check it; write the heading that says whose record it is.

faction.journal.Journal describes the lines of a record. A file may hold several records, and other text around them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from shlex import quote

from faction import Config
from faction.journal import replay

from ..errors import CommandError, printable
from ..files import content

_NUMBER = r"(\d{1,10})"
_HEAD = re.compile(
    rf"journal 1 id={_NUMBER} quorum={_NUMBER} peers=([\d,]+) dropped={_NUMBER} lost={_NUMBER}"
    rf"(?: age_cs={_NUMBER})?(?: folded={_NUMBER})?$"
)
_ENTRY = re.compile(r"(command|rejection) (\d{1,10}) (-?\d{1,20}) (-?\d{1,20}) (\d{1,10})$")
_HEADING = re.compile(r"board (.*) at (\d{1,12}\.\d{1,9})$")
SAME_S = 1.0  # two records of one run tell when it began to some hundredths of a second
_ANSWER = '{"faction": "journal"'
LARGEST = 100_000_000  # bytes of a file
_SHORTER = "take the lines of the journals out of it: grep -E '^(board|journal|command|rejection|end) '"
_AGAIN = "take the journal from the board again"


class JournalError(CommandError):
    """What is wrong with a file of records: one line with the file, the line if there is one, and what to do."""


@dataclass
class RecordedRun:
    """The record of one board's run.

    ``place``       file and line, for messages
    ``name``        the id of the board, and its name if somebody wrote it down
    ``config``      the Config of the board's machine
    ``dropped``     how many rejections the board did not keep
    ``folded``      how many commands it did not keep: withdrawals, and what they took back
    ``start``       when the first command was, in seconds since 1970, or None if nobody noted it
    ``commands``    (hundredths of a second since the first, command, peer id, result) of each accepted command
    ``rejections``  (how many commands came before it, command, peer id, result) of each rejection that was kept
    """

    place: str
    name: str
    config: Config
    dropped: int
    folded: int
    start: float | None
    commands: list[tuple[int, int, int, int]] = field(default_factory=list)
    rejections: list[tuple[int, int, int, int]] = field(default_factory=list)


def heading(name: str, taken: float) -> str:
    """Return the line before a record in a file: the board's name, and when it gave the record, in seconds since 1970."""
    return f"board {name} at {taken:.3f}\n"


def load(paths: Iterable[str]) -> list[RecordedRun]:
    """Return the runs in files, each once. Each is replayed once, as a check. Raises JournalError, and OSError.

    A board may have been asked several times. Of two records of one run, in two files, the one that goes on for longer is returned.
    """
    runs: list[RecordedRun] = []
    for path in paths:
        in_file = list(parse(_read(path), path))
        if not in_file:
            raise JournalError(f"{path}: no journal in it; save one with faction probe --journal FILE, or copy one from a console")
        fresh = [run for run in in_file if not any(_is_told(run, other) for other in runs)]
        runs = [run for run in runs if not any(_is_told(run, other) for other in fresh)] + fresh
    return runs


def _is_told(run: RecordedRun, other: RecordedRun) -> bool:
    """Tell whether another record is of the same run of the same board, and has all that this one has."""
    ours, theirs = run.config, other.config
    if (run.name, ours.peer_id, ours.quorum, tuple(ours.peers)) != (other.name, theirs.peer_id, theirs.quorum, tuple(theirs.peers)):
        return False
    if run.start is None or other.start is None:  # only a record that nobody stamped with the time can be the same
        return run.start == other.start and (run.commands, run.rejections) == (other.commands, other.rejections)
    return abs(run.start - other.start) < SAME_S and run.commands == other.commands[: len(run.commands)]


def _read(path: str) -> str:
    try:
        found = content(path, LARGEST, _SHORTER)
    except FileNotFoundError as error:
        raise JournalError(f"{path}: does not exist; faction probe --journal {quote(path)} writes it") from error
    if not found:
        raise JournalError(f"{path}: empty; save a journal with faction probe --journal FILE")
    if b"\0" in found:
        line = found[: found.index(b"\0")].count(b"\n") + 1
        raise JournalError(f"{path}:{line}: a byte of 0: this is not a text file; name a file that faction probe --journal has written")
    return found.decode(errors="replace")


def parse(text: str, path: str) -> Iterator[RecordedRun]:
    """Iterate the runs in a text. Other lines are skipped: prompts, echoes, what an application prints. Raises JournalError."""
    lines = _lines(text)
    heading = None
    latest = ""
    for number, line in lines:
        latest = line or latest
        heading = _HEADING.search(line) or heading
        head = _HEAD.search(line)
        if head:
            run = _begin(head, heading, f"{path}:{number}")
            heading = None
            _fill(run, lines)
            _check(run)
            yield run
        elif heading and line and line[:7] == "journal"[: len(line)]:
            raise JournalError(f"{path}:{number}: the head of this journal is damaged, or of another version; {_AGAIN}")
    if latest.startswith("board ") and (heading or not text.endswith("\n")):
        raise JournalError(f"{path}: cut off: there is no journal behind {latest!r}; {_AGAIN}")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Iterate (number, line). A JSON answer is one line of the text, and gives each line of the record in it."""
    for number, line in enumerate(re.split("\r\n?|\n", text), 1):
        for each in _in_answer(line) or [line]:
            yield number, each.strip()


def _in_answer(line: str) -> list[str]:
    """Return the lines of the record in a JSON answer; none if this is not one."""
    start = line.find(_ANSWER)
    if start < 0:
        return []
    try:
        lines = json.loads(line[start:])["lines"]
    except (ValueError, KeyError, RecursionError):
        return []
    return [each for each in lines if isinstance(each, str)] if isinstance(lines, list) else []


def _begin(head: re.Match[str], heading: re.Match[str] | None, place: str) -> RecordedRun:
    peer_id, quorum, peers, dropped, lost, age_cs, folded = head.groups()
    if int(lost):
        remedy = "on the board, call Journal.follow(node), or Journal.clear() before each run"
        raise JournalError(f"{place}: lost={lost}: commands are missing, so it cannot be replayed; {remedy}")
    try:
        config = Config(int(peer_id), [int(each) for each in peers.split(",") if each], int(quorum))
    except ValueError as error:
        raise JournalError(f"{place}: {error}; {_AGAIN}") from error
    start = float(heading[2]) - int(age_cs) / 100 if heading and age_cs else None
    return RecordedRun(place, printable(heading[1]) if heading else peer_id, config, int(dropped), int(folded or 0), start)


def _fill(run: RecordedRun, lines: Iterator[tuple[int, str]]) -> None:
    """Read the entries of a record, up to the line that counts them. Raises JournalError."""
    for _, line in lines:
        entry = _ENTRY.search(line)
        if entry:
            entries = run.commands if entry[1] == "command" else run.rejections
            entries.append((int(entry[2]), int(entry[3]), int(entry[4]), int(entry[5])))
        elif line.startswith("end "):
            count = len(run.commands) + len(run.rejections)
            if line != f"end {count}":
                raise JournalError(f"{run.place}: {count} entries, but then {line!r}; {_AGAIN}")
            return
    raise JournalError(f"{run.place}: cut off: there is no end line; {_AGAIN}")


def _check(run: RecordedRun) -> None:
    try:
        replay(run.config, [command[1:] for command in run.commands])
    except ValueError as error:
        raise JournalError(f"{run.place}: {error}") from error
