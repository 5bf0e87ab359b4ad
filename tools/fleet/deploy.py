"""Brings the files of one board onto it.

A cable may be pulled at any moment. Then the board still works with its old files, or the next try repairs it. Nothing here
prints: what happens goes to a Progress, and what is wrong is raised as one line. Several boards may be deployed at the same
time, each in a thread of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Lock
from typing import Protocol

from ..serial.port import Stopped
from . import application, build, identity
from .drive import Drive
from .entries import BoardEntry
from .found import APPLICATION, CONFIGURATION, NEW, DeployError, Found, digest
from .plan import Plan, asked, make
from .roster import Roster
from .serial_board import SerialBoard
from .words import WAIT_S

__all__ = ["Order", "Outcome", "Progress", "Stopped", "Target", "deploy"]

_BUILDING = Lock()


class Target(Protocol):
    """Where files go. Each method raises CommandError, with one line, and Stopped."""

    def close(self) -> None:
        """Let go of the place. What was interrupted there runs again. Nothing is raised."""

    def identify(self) -> Found:
        """Return which board it is."""

    def look(self, found: Found, paths: list[str]) -> None:
        """Put into found which files are there. paths: those whose checksums are wanted."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file."""

    def swap(self, made: Plan) -> None:
        """Put all new files in their places."""

    def discard(self, paths: list[str]) -> None:
        """Remove new files that do not take their places. Nothing is raised."""

    def start(self, seconds: float) -> str:
        """Start the program. Return its first words, for which it has so many seconds; empty: nobody waits for them."""


class Progress(Protocol):
    """Who wants to know how far a deployment is. The methods are called in the thread that deploys."""

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        """Something begins, or so many of a total of parts of it are done. total: 0 if it has no parts to count."""

    def note(self, text: str) -> None:
        """Something that a person should know, and that is no fault: one line."""

    def copied(self, made: Plan) -> None:
        """All files are in their places. What follows is the start of the program, which may fail."""


@dataclass(frozen=True)
class Order:
    """What is to be deployed, and where.

    ``port``        a serial port, or a folder
    ``slice_name``  how much of the package: see build.SLICES
    ``is_dry``      only say what would be done
    ``replaces``    go on where another board of a roster was
    ``wait_s``      how long the board may take to greet
    """

    roster: Roster
    board: BoardEntry
    port: str
    slice_name: str = "full"
    is_dry: bool = False
    replaces: bool = False
    wait_s: float = WAIT_S


@dataclass(frozen=True)
class Outcome:
    """What was done. ``greeting``: what the program of the board says; empty if nobody has started it."""

    plan: Plan
    greeting: str = ""


def deploy(order: Order, progress: Progress, stop: Event) -> Outcome:
    """Bring a board its files. Once stop is set, the work ends with Stopped, and the board runs its old program again.

    Raises CommandError: the board runs its old program again, if it still answers.
    """
    progress.stage("building its files")
    files, own = _files(order, progress)
    progress.stage("asking what is on the board")
    target = _target(order, stop)
    try:
        found = target.identify()
        identity.check(order.port, order.roster, order.board, found, order.replaces)
        target.look(found, asked(files, found))
        made = make(order.port, files, found, own)
        for note in filter(None, (identity.age_of(order.board, found), *made.notes)):
            progress.note(note)
        if order.is_dry:
            return Outcome(made)
        _copy(order.port, target, made, found, progress, stop)
        progress.copied(made)
        if not _starts(files):
            return Outcome(made)
        progress.stage(f"waiting for its first words, {order.wait_s:g} s at most")
        return Outcome(made, target.start(order.wait_s))
    finally:
        target.close()


def _files(order: Order, progress: Progress) -> tuple[dict[str, bytes], list[str] | None]:
    """Return all files of a board, and which of them are the user's; None in their place: the example is among the files."""
    board = order.board
    with _BUILDING:  # several boards at the same time would build the same
        files = dict(_built(board.kind, order.slice_name))
    configuration = order.roster.configuration(board)
    if "console.py" not in build.SLICES[order.slice_name]:
        configuration["console"] = "off"
    files[CONFIGURATION] = json.dumps(configuration, indent=1).encode()
    path = order.roster.application_of(board)
    if path is None:
        return files, None
    if APPLICATION not in files:
        progress.note(f"{path.name} stays here: {_without_application(order)}")
        return files, None
    return _with_application(files, path)


def _without_application(order: Order) -> str:
    if order.slice_name == "core":
        return "the slice core runs no application"
    return f"a {order.board.kind} board runs no application"


def _with_application(files: dict[str, bytes], path: Path) -> tuple[dict[str, bytes], list[str]]:
    """Put the user's files in the place of the example. Raises CommandError."""
    del files[APPLICATION]
    own = application.files(path, files)
    return {**files, **own}, list(own)


@lru_cache
def _built(kind: str, slice_name: str) -> dict[str, bytes]:
    """Build once for all boards of a kind."""
    return build.board(kind, slice_name)


def _target(order: Order, stop: Event) -> Target:
    """Return where the files go. Raises CommandError if the place does not fit the kind of board, or does not answer."""
    identity.check_place(order.port, order.board)
    return Drive(Path(order.port)) if Path(order.port).is_dir() else SerialBoard(order.port, stop)


def _starts(files: dict[str, bytes]) -> bool:
    """Tell whether there is a program among these files that a start runs."""
    return "main.py" in files or "code.py" in files


def _copy(where: str, target: Target, made: Plan, found: Found, progress: Progress, stop: Event) -> None:
    """Write all new files beside the old ones, then put them in their places. Until then, what is new goes if something fails."""
    written = made.written
    try:
        for done, (path, content) in enumerate(written.items()):
            progress.stage(f"copying {path}", done, len(written))
            if stop.is_set():
                raise Stopped
            if found.files.get(path + NEW) != digest(content):  # an earlier try may have left it
                target.write(path + NEW, content)
        progress.stage("putting the new files in their places", len(written), len(written))
    except BaseException:
        target.discard([path + NEW for path in written])
        raise
    if written or made.removed or made.kept:
        target.swap(made)
        _verify(where, target, made, found)


def _verify(where: str, target: Target, made: Plan, found: Found) -> None:
    """Compare what is there in the end. Raises DeployError."""
    target.look(found, sorted(made.contents))
    for path, content in made.contents.items():
        if found.files.get(path) != digest(content):
            raise DeployError(f"{where}: {path}: is not what was sent; run this again")
