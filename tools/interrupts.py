"""Ctrl-C, and what does the same: kill, and the end of the terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def raised() -> Iterator[None]:
    """Let kill, and the end of the terminal, do what ctrl-C does: they would leave half of the work, and boards without a program."""
    with _handled(signal.SIG_DFL, signal.default_int_handler):  # nohup has set another
        yield


@contextmanager
def noted(note: Callable[[], object]) -> Iterator[None]:
    """Call note at the first of them, where KeyboardInterrupt would come between any two instructions. The second raises it."""

    def first(number: int, frame: object) -> None:
        for each in ENDING:
            if signal.getsignal(each) is first:
                signal.signal(each, signal.default_int_handler)
        note()

    with _handled(signal.default_int_handler, first):
        yield


@contextmanager
def _handled(before: Any, handler: Any) -> Iterator[None]:
    """Set the handler of those that have this one now. Only the main thread may; in another nothing changes."""
    is_main = threading.current_thread() is threading.main_thread()
    ours = [number for number in ENDING if is_main and signal.getsignal(number) is before]
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before)
