"""The text of a traceback, cut to a size, on CircuitPython, and on CPython."""

import traceback

_CALLS = 8  # a deep recursion has more than fit into the memory


def traceback_of(error, size):
    """Return the traceback of an exception, cut to so many characters."""
    lines = traceback.format_exception(type(error), error, error.__traceback__, _CALLS)
    return "".join(lines)[:size].rstrip("\n") + "\n"
