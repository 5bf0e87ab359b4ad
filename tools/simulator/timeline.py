"""Simulated time: what has to be done, and when. Nothing waits; the next event is done at once."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

US = 1000  # microseconds of a millisecond: the simulator counts in whole microseconds
NEVER = 1 << 62


class Timeline:
    """The events of one simulation, taken in order of time and then of their making.

    ``now``    microseconds since the start; the time of the event that is being done
    ``order``  the number of the latest event or arrival; two at the same time are told apart by it
    """

    __slots__ = ("now", "order", "_heap")

    def __init__(self) -> None:
        self.now = 0
        self.order = 0
        self._heap: list[tuple[int, int, Callable[[Any], None], Any]] = []

    def __len__(self) -> int:
        """Return how many events are still to come."""
        return len(self._heap)

    def at(self, when: int, do: Callable[[Any], None], what: Any = None) -> None:
        """Let do(what) be called at a time, in microseconds."""
        self.order += 1
        heappush(self._heap, (when, self.order, do, what))

    def run(self, count: int, limit: int, is_over: Callable[[], bool] = lambda: False) -> bool:
        """Do so many events. Return False if there are no more up to the limit, in microseconds.

        is_over: tells whether the last event that is left need not be done.
        """
        heap = self._heap
        for _ in range(count):
            if not heap or heap[0][0] > limit or (len(heap) == 1 and is_over()):
                return False
            self.now, _, do, what = heappop(heap)
            do(what)
        return True
