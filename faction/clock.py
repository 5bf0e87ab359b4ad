"""The clock of a node: a counter of milliseconds that may wrap."""

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Callable

_LAST_TICK = const(0x1FFFFFFF)  # of CircuitPython


class Clock:
    """A counter of ticks, and when it wraps. ``now`` is the function that reads it. Compare readings with ``diff`` only."""

    def __init__(self, now: "Callable[[], int]", last: int = 0) -> None:
        """now: a function that returns ticks in ms. last: the last tick before 0 comes again, 2**n - 1; 0: it never wraps.

        Allocates.
        """
        self.now = now
        self._mask = last  # of the bits of a tick; 0: ticks never wrap

    def diff(self, later: int, earlier: int) -> int:
        """Return the ms between two readings; it is negative if later is the earlier one.

        The result is right if the readings are less than half a period apart. Allocates nothing; interrupt handlers may call it.
        """
        ms = later - earlier
        mask = self._mask
        if mask:
            ms &= mask
            if ms > mask >> 1:
                ms = ms - mask - 1  # in two steps, as the period itself may be too large for a small int
        return ms


def system_clock() -> Clock:
    """Return the clock of the interpreter that runs this program. Raises ImportError if it has none. Allocates."""
    try:
        from time import ticks_add, ticks_ms  # type: ignore[attr-defined]  # MicroPython

        return Clock(ticks_ms, ticks_add(0, -1))  # the period differs from port to port; this is its last tick
    except ImportError:
        pass
    try:
        from supervisor import ticks_ms  # CircuitPython

        return Clock(ticks_ms, _LAST_TICK)
    except ImportError:
        pass
    import time  # CPython; not MicroPython for QEMU before 1.27: there a node must be given a clock

    return Clock(lambda: int(time.monotonic() * 1000))
