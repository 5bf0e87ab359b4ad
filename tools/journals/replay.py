"""What journals hold: a run as a timeline, the view at any of its commands, and several boards' runs as one picture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table
from rich.text import Text

from faction import (
    BROADCAST_READY,
    CONCLUDED_BOOTSTRAPPED,
    CONCLUDED_TIMED_OUT,
    INITIAL,
    LOCAL_COMPLETED,
    NO_PEER,
    READY_ACCEPTED,
    Config,
    Faction,
)
from faction.journal import replay
from faction.names import command_name, describe, state_name
from faction.view import ClusterView

from ..errors import CommandError
from ..shown.palette import STYLES

_HEAD = re.compile(r"journal 1 id=(\d+) quorum=(\d+) peers=([\d,]+) dropped=(\d+) lost=(\d+)(?: age_cs=(\d+))?$")
_ENTRY = re.compile(r"(command|rejection) (\d+) (-?\d+) (-?\d+) (\d+)$")
_HEADING = re.compile(r"board (.*) at (\d+\.\d+)$")


class ReplayError(CommandError):
    """What is wrong with a journal: file and line, and what to do."""


@dataclass
class Journal:
    """The record of one board's run.

    ``records``     (hundredths of a second since the first, command, peer id, result) of each accepted command
    ``rejections``  (how many commands came before it, command, peer id, result) of those that were kept
    ``start``       when the first command was, in seconds since 1970, or None if nobody noted it
    """

    place: str
    name: str
    config: Config
    dropped: int
    start: float | None
    records: list[tuple[int, int, int, int]] = field(default_factory=list)
    rejections: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """One accepted command, and the state behind it."""

    cs: int
    command: int
    peer_id: int
    result: int
    previous: int
    state: int
    ready: int

    @property
    def words(self) -> str:
        """Say what happened: "ready observed of 1"."""
        return in_words(self.command, self.peer_id)


def in_words(command: int, peer_id: int) -> str:
    """Return the words for a command and the peer that it is about, if any."""
    return command_name(command) + (f" of {peer_id}" if peer_id != NO_PEER else "")


def heading(name: str, taken: float) -> str:
    """Return the line that stands before a journal in a file: whose it is, and when it was taken, in seconds since 1970."""
    return f"board {name} at {taken:.3f}\n"


def load(paths: Iterable[str]) -> list[Journal]:
    """Return the journals in files, each replayed once; raise ReplayError."""
    journals = []
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise ReplayError(f"{path}: {error.strerror}; faction probe --journal {path} writes one") from error
        found = list(parse(text, path))
        if not found:
            raise ReplayError(f"{path}: no journal in it; faction probe --journal FILE saves one, or the command journal of a console")
        journals += found
    return journals


def parse(text: str, path: str) -> Iterator[Journal]:
    """Iterate the journals in a text, whatever else is in it: prompts, echoes, JSON answers."""
    lines = _lines(text)
    heading = None
    for number, line in lines:
        heading = _HEADING.search(line) or heading
        head = _HEAD.search(line)
        if head:
            journal = _begin(head, heading, f"{path}:{number}")
            heading = None
            _fill(journal, lines)
            _check(journal)
            yield journal


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Iterate (number, line), those within a JSON answer each as one of its own."""
    for number, line in enumerate(text.splitlines(), 1):
        at = line.find('{"faction": "journal"')
        within: list[str] = [line]
        if at >= 0:
            with suppress(ValueError):
                within = json.loads(line[at:])["lines"]
        for each in within:
            yield number, each.strip()


def _begin(head: re.Match[str], heading: re.Match[str] | None, place: str) -> Journal:
    peer_id, quorum, peers, dropped, lost, age_cs = head.groups()
    if int(lost):
        raise ReplayError(f"{place}: lost={lost}: it lacks commands, and cannot be replayed; let it follow the node, or clear it")
    try:
        config = Config(int(peer_id), [int(each) for each in peers.split(",") if each], int(quorum))
    except ValueError as error:
        raise ReplayError(f"{place}: {error}; take the journal again") from error
    start = float(heading[2]) - int(age_cs) / 100 if heading and age_cs else None
    return Journal(place, heading[1] if heading else peer_id, config, int(dropped), start)


def _fill(journal: Journal, lines: Iterator[tuple[int, str]]) -> None:
    """Take in the entries up to the line that counts them."""
    for _, line in lines:
        entry = _ENTRY.search(line)
        if entry:
            kind = journal.records if entry[1] == "command" else journal.rejections
            kind.append((int(entry[2]), int(entry[3]), int(entry[4]), int(entry[5])))
        elif line.startswith("end "):
            count = len(journal.records) + len(journal.rejections)
            if line != f"end {count}":
                raise ReplayError(f"{journal.place}: {count} entries, and {line!r} behind them; take the journal again")
            return
    raise ReplayError(f"{journal.place}: cut off: there is no end line; take the journal again")


def _check(journal: Journal) -> None:
    try:
        replay(journal.config, [record[1:] for record in journal.records])
    except ValueError as error:
        raise ReplayError(f"{journal.place}: {error}") from error


def steps(journal: Journal) -> Iterator[Step]:
    """Iterate the commands of a run, done again."""
    machine = Faction(journal.config)
    for cs, command, peer_id, result in journal.records:
        previous = machine.state
        machine.process(command, peer_id)
        yield Step(cs, command, peer_id, result, previous, machine.state, machine.collecting.count)


def timeline(journal: Journal) -> Table:
    """Return a run in words."""
    peers, quorum = len(journal.config.peers), journal.config.quorum
    table = Table(title=f"{journal.name}: quorum {quorum} of {peers}, {len(journal.records)} commands", title_justify="left")
    for name in ("", "time", "command", "state", "ready", "consequence"):
        table.add_column(name, justify="right" if name in ("", "time") else "left")
    _add_rejections(table, journal, 0)
    for number, step in enumerate(steps(journal), 1):
        state = Text(state_name(step.state), STYLES[step.state])
        table.add_row(str(number), f"{step.cs / 100:.2f} s", step.words, state, f"{step.ready} of {quorum}", _consequence(step))
        _add_rejections(table, journal, number)
    if journal.dropped:
        table.caption = f"{journal.dropped} rejections are no longer kept"
    return table


def _add_rejections(table: Table, journal: Journal, number: int) -> None:
    for before, command, peer_id, result in journal.rejections:
        if before == number:
            table.add_row("", "", Text(in_words(command, peer_id), "dim"), "", "", Text(describe(result), "dim"))


def _consequence(step: Step) -> str:
    """Say what else an accepted command has done."""
    flags = (BROADCAST_READY, CONCLUDED_BOOTSTRAPPED, CONCLUDED_TIMED_OUT)
    return ", ".join(describe(flag) for flag in flags if step.result & flag)


def at(journals: Sequence[Journal], number: int) -> str:
    """Return the view of each machine after so many commands; raise ReplayError."""
    lines = []
    for journal in journals:
        if not 0 <= number <= len(journal.records):
            raise ReplayError(f"--at {number}: the journal of {journal.name} has {len(journal.records)} commands; 0 is before the first")
        view = ClusterView(replay(journal.config, [record[1:] for record in journal.records[:number]]))
        lines.append(
            f"{journal.name}, after {number} commands: {state_name(view.state)}, own part "
            f"{'complete' if view.is_pinging_completed else 'not complete'}\n"
            f"  heard: {_ids(view.pinging)}\n  ready: {_ids(view.collecting)}, {view.required} required"
        )
    return "\n".join(lines)


def _ids(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) or "nobody"


def everybody(journals: Sequence[Journal]) -> list[int]:
    """Return the ids of all peers of all boards."""
    return sorted({peer_id for journal in journals for peer_id in journal.config.peers})


def events(journals: Sequence[Journal]) -> list[tuple[float, Journal, Step]]:
    """Return the steps of all boards in order of time: seconds since the first of all.

    A board whose journal nobody stamped counts from its own first command.
    """
    starts = [journal.start for journal in journals if journal.start is not None]
    zero = min(starts, default=0.0)
    found = [
        ((zero if journal.start is None else journal.start) - zero + step.cs / 100, journal, step)
        for journal in journals
        for step in steps(journal)
    ]
    return sorted(found, key=lambda event: event[0])


def merged(journals: Sequence[Journal]) -> Table:
    """Return the runs of several boards as one timeline."""
    table = Table(title=f"{len(journals)} boards", title_justify="left")
    for name in ("time", "board", "command", "state", "ready"):
        table.add_column(name, justify="right" if name == "time" else "left")
    for seconds, journal, step in events(journals):
        state = Text(state_name(step.state), STYLES[step.state])
        table.add_row(f"{seconds:.2f} s", journal.name, step.words, state, f"{step.ready} of {journal.config.quorum}")
    unstamped = [journal.name for journal in journals if journal.start is None]
    if unstamped:
        table.caption = f"nobody noted when these were taken, so they count from their own first command: {', '.join(unstamped)}"
    return table


def learned(journals: Sequence[Journal]) -> Table:
    """Return when each board knew which peer to be ready."""
    peers = everybody(journals)
    table = Table(title="when a board counted a peer as ready, in seconds", title_justify="left", box=None)
    for name in ("board", *map(str, peers), "verdict"):
        table.add_column(name, justify="left" if name in ("board", "verdict") else "right")
    told = events(journals)
    for journal in journals:
        own = [(seconds, step) for seconds, owner, step in told if owner is journal]
        known = {journal.config.peer_id if step.peer_id == NO_PEER else step.peer_id: seconds for seconds, step in own if _is_ready(step)}
        seconds, last = own[-1] if own else (0.0, None)
        verdict = f"{state_name(last.state)} {seconds:.2f}" if last else state_name(INITIAL)
        table.add_row(journal.name, *[f"{known[peer_id]:.2f}" if peer_id in known else "" for peer_id in peers], verdict)
    return table


def _is_ready(step: Step) -> bool:
    return bool(step.result & (READY_ACCEPTED | LOCAL_COMPLETED))


def draw(journals: Sequence[Journal], path: Path) -> None:
    """Write the state diagram with the paths taken, and who told whom; raise ReplayError for a suffix that is none."""
    if path.suffix == ".md":
        from ..shown.sequence import markdown

        path.write_text(markdown(journals), encoding="utf-8")
    elif path.suffix in (".svg", ".png"):
        from ..shown.plots import draw_run

        draw_run(journals, path)
    else:
        raise ReplayError(f"--diagram {path}: unknown suffix {path.suffix!r}; take .svg, .png or .md")
