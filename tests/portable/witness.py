"""Witnesses of allocation: they tell whether a call takes memory from the heap. Each runtime has none, some or all of them.

The heap lock refuses every allocation. micropython.mem_total counts them all. It also sees the frame of a function that is
too large for the stack: such a frame goes on the heap, but with the heap locked it goes back on the stack. gc.mem_alloc, the
only one that CircuitPython has, tells what is left behind while the collector is off, so it does not see such frames.
"""

import gc

from run import Skip

try:
    import micropython
except ImportError:
    micropython = None

HAS_LOCK = hasattr(micropython, "heap_lock")
HAS_COUNT = hasattr(micropython, "mem_total")
HAS_GAUGE = hasattr(gc, "mem_alloc")


def need_lock():
    """Skip the test where the heap cannot be locked."""
    if not HAS_LOCK:
        raise Skip("this runtime has no micropython.heap_lock")


def need_count():
    """Skip the test where allocations are not counted."""
    if not HAS_COUNT:
        raise Skip("this runtime has no micropython.mem_total")


def need_gauge():
    """Skip the test where the use of the heap cannot be read."""
    if not HAS_GAUGE:
        raise Skip("this runtime has no gc.mem_alloc")


def need_lock_or_count():
    """Skip the test where watched would see nothing."""
    if not HAS_LOCK and not HAS_COUNT:
        raise Skip("this runtime has no micropython.heap_lock and no micropython.mem_total")


class LockedHeap:
    """With LOCKED_HEAP: what is inside raises MemoryError if it allocates."""

    def __enter__(self):
        micropython.heap_lock()

    def __exit__(self, kind, error, traceback):
        micropython.heap_unlock()


LOCKED_HEAP = LockedHeap()


def locked(function, a, b, c):
    """Call the function with the heap locked."""
    with LOCKED_HEAP:
        return function(a, b, c)


def spent(function, a, b, c):
    """Return how many bytes a call takes from the heap, also those that it gives back."""
    before = micropython.mem_total()
    function(a, b, c)
    return micropython.mem_total() - before


def left_behind(function, a, b, c):
    """Return how many bytes a call takes from the heap and does not give back at once."""
    gc.collect()
    gc.disable()
    try:
        before = gc.mem_alloc()
        function(a, b, c)
        return gc.mem_alloc() - before
    finally:
        gc.enable()


def watched(call):
    """Call call, which must take no argument and make no tuple, and fail if it allocates."""
    if HAS_LOCK:
        call()  # the first call may grow what the interpreter itself keeps
        with LOCKED_HEAP:
            call()
    if HAS_COUNT:
        before = micropython.mem_total()
        between = micropython.mem_total()
        call()
        taken = micropython.mem_total() - between - (between - before)
        assert taken == 0, taken
