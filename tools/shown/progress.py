"""What is shown of work that takes seconds. It goes to standard error, and only to a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from .terminal import terminal

PAUSE_SECONDS = 0.1  # between two looks at something that changes all the time


class Bar:
    """A bar that is being shown."""

    def __init__(self, progress: Progress, what: str, total: int) -> None:
        self._progress = progress
        self._due = 0.0
        self._done = 0
        self._total = total
        self._task = progress.add_task(what, total=total, count=f"0/{total}")

    def advance(self, count: int) -> None:
        """Show that so many more are done."""
        self._done += count
        self._progress.update(self._task, completed=self._done, count=f"{self._done}/{self._total}")

    @property
    def is_due(self) -> bool:
        """Tell whether somebody sees the bar, and it was not shown just now."""
        return not self._progress.disable and time.monotonic() >= self._due

    def show(self, done: int, what: str, share: float | None = None) -> None:
        """Show how many are done, and other words before them.

        share: how far the work is, for the bar and the time that is left; None: as far as what is done.
        """
        self._due = time.monotonic() + PAUSE_SECONDS
        far = done if share is None else share * self._total
        self._progress.update(self._task, completed=far, description=what, count=f"{done}/{self._total}")


def _console() -> Console:
    """Return the console for progress. Its lines leave room for the ^C that a terminal echoes: on the next line it would stay for ever."""
    console = terminal(stderr=True)
    console.width = max(20, console.width - len("^C^C"))
    return console


@contextmanager
def bar(what: str, total: int) -> Iterator[Bar]:
    """Show how many of a total are done, until the context ends. what: the words before the bar."""
    console = _console()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        yield Bar(progress, what, total)


class Row:
    """The line of one of several things that are done at the same time."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task("waiting", total=None, name=name)

    def show(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show what is being done, and how many of a total of parts are done; 0: it has no parts to count."""
        self._progress.update(self._task, description=what, completed=done, total=total or None)

    def remove(self) -> None:
        """Show it no longer: it is done."""
        self._progress.remove_task(self._task)


@contextmanager
def rows() -> Iterator[Callable[[str], Row]]:
    """Give a function that makes a line for each name, until the context ends. What is printed meanwhile stands above the lines."""
    console = _console()
    columns = (
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(20),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True, expand=True) as progress:
        yield lambda name: Row(progress, name)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something is being done which has no parts to count, until the context ends."""
    console = _console()
    with console.status(what) if console.is_terminal else nullcontext():
        yield
