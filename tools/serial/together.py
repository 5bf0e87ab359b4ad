"""Work on many boards at the same time, which ctrl-C ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def together(work: Callable[[Item], Result], items: Sequence[Item], stop: Event, most: int | None = None) -> list[Result]:
    """Do the work for each item, in a thread of its own; return the results in the order of the items.

    most: how many at the same time; None: all. After ctrl-C stop is set. Then the work has to end soon. When all of it has ended,
    KeyboardInterrupt is raised. Otherwise what the work raises is raised here.
    """
    is_interrupted = False
    with ThreadPoolExecutor(max(1, min(len(items), most or len(items)))) as pool:
        futures = [pool.submit(work, item) for item in items]
        while True:
            try:
                wait(futures)
                break
            except KeyboardInterrupt:  # also a second one: a board must not be left in the middle of something
                is_interrupted = True
                stop.set()
    if is_interrupted:
        raise KeyboardInterrupt
    return [future.result() for future in futures]
