"""The runner of the portable tests: on CPython, on every MicroPython, and by hand on a board.

    micropython tests/portable/run.py test_machine test_wire

with this folder and one that holds faction on the path; on a board without arguments, ``import run`` and
``run.main(["test_machine"])``. A test is a function ``test_*`` of a module; it passes by returning and fails by raising.
One that raises Skip counts as skipped, and so does a module that raises it when it is imported, or a test that fills a heap
of less than ROOMY bytes. There is one line for each test, after whatever it printed, then the totals. main returns, and the
process exits with, 1 if a test failed or there was none, otherwise 0.

--token=TOKEN puts TOKEN before each of these lines, so that a program can tell them from what the tests print.
--stop ends it behind the first test that failed.

Needs nothing but sys; uses gc, micropython and traceback where there are such modules.
"""

import sys

try:
    import gc
except ImportError:
    gc = None
try:
    import micropython
except ImportError:
    micropython = None


ROOMY = 256 * 1024  # bytes: in such a heap each module of tests has room


class Skip(Exception):
    """Raised by a test, or a module of tests, that cannot run here. The text says why."""


class Run:
    """The outcomes so far, printed as they come."""

    def __init__(self, prefix):
        self._prefix = prefix
        self.passed = self.failed = self.skipped = 0

    def module(self, name):
        """Run the tests of a module in the order of its source, one each turn. One that cannot be imported, or has no test, failed."""
        try:
            module = __import__(name)
            tests = test_names(module)
            if not tests:
                raise ValueError("no test_* function in %s" % name)
        except Exception as error:
            self._end(name, error)
            return
        for test in tests:
            self._test(name + "." + test, getattr(module, test))
            yield
        sys.modules.pop(name, None)  # the next module needs the memory

    def _test(self, name, test):
        try:
            answer = test()
        except Exception as error:
            unlock_heap()
            self._end(name, error)
        else:
            self._judge(name, answer)
        if gc:
            gc.collect()

    def _judge(self, name, answer):
        if unlock_heap():
            self._end(name, RuntimeError("the test left the heap locked"))
        elif answer is not None:
            self._end(name, TypeError("a test returns None, not %r; to skip it, raise run.Skip" % (answer,)))
        else:
            self.passed += 1
            self._print("passed", name)

    def _end(self, name, error):
        """Count a test, or a module, that raised an exception: skipped or failed."""
        if is_too_large(error):
            error = Skip("a heap of %d bytes is too small (%s)" % (heap_size(), error))
        if isinstance(error, Skip):
            self.skipped += 1
            self._print("skipped", name + ": " + str(error).replace("\n", " "))
        else:
            self._fail(name, error)

    def _fail(self, name, error):
        self.failed += 1
        print_exception(error)
        self._print("failed", name)

    def _print(self, outcome, text):
        print("%s%-7s %s" % (self._prefix, outcome, text))

    def finish(self):
        """Print the totals; return 1 if a test failed or there was none, otherwise 0."""
        totals = "%d passed, %d failed, %d skipped" % (self.passed, self.failed, self.skipped)
        print(self._prefix + totals)
        return 1 if self.failed or not self.passed + self.skipped else 0


def test_names(module):
    """Return the names of the test functions: in the order of the source where it can be read, else of the alphabet."""
    names = sorted(name for name in dir(module) if name.startswith("test_") and callable(getattr(module, name)))
    try:
        with open(module.__file__) as source:
            lines = [line for line in source if line.startswith("def test_")]
    except (AttributeError, OSError, ValueError, NameError):  # frozen, compiled, or a board without files
        return names
    written = [line[4 : line.find("(")] for line in lines]
    return [name for name in written if name in names]


def print_exception(error):
    """Print the traceback of an exception to stdout."""
    if hasattr(sys, "print_exception"):
        sys.print_exception(error)
        return
    try:
        import traceback
    except ImportError:  # the smallest boards
        print("%s: %s" % (type(error).__name__, error))
    else:
        traceback.print_exception(type(error), error, error.__traceback__, None, sys.stdout)


def heap_size():
    """Return the bytes of the heap; 0: unknown."""
    return gc.mem_alloc() + gc.mem_free() if hasattr(gc, "mem_alloc") else 0


def is_too_large(error):
    """Tell whether a test has filled a small heap. Whoever allocates with the heap locked gets a MemoryError, too, of other words.

    A heap that is quite full has no room for words: MicroPython has kept some aside, CircuitPython has not.
    """
    is_full = isinstance(error, MemoryError) and ("allocating" in str(error) or not hasattr(micropython, "heap_lock"))
    return is_full and 0 < heap_size() < ROOMY


def unlock_heap():
    """Undo every heap lock that a test has left behind; tell whether there was one."""
    if not hasattr(micropython, "heap_lock"):
        return False
    micropython.heap_lock()
    locked = depth = micropython.heap_unlock()  # the locks that remain; None on ports that do not count them
    while depth:
        depth = micropython.heap_unlock()
    return bool(locked)


def steps(arguments):
    """Run the modules named, one test each turn: yield None after each, and in the end the exit code.

    The WebAssembly port collects garbage only between two calls from JavaScript: there each turn is a call.
    """
    prefix = ""
    stops = False
    names = []
    for argument in arguments:
        if argument.startswith("--token="):
            prefix = argument[8:] + " "
        elif argument == "--stop":
            stops = True
        else:
            names.append(argument)
    run = Run(prefix)
    for name in names:
        for _ in run.module(name):
            if stops and run.failed:
                break
            yield None
    yield run.finish()


def main(arguments):
    """Run the modules named; return the exit code."""
    return list(steps(arguments))[-1]


if hasattr(micropython, "alloc_emergency_exception_buf"):
    micropython.alloc_emergency_exception_buf(256)  # a traceback even for what is raised with the heap locked

if __name__ == "__main__":
    import run  # once more, by the name under which the tests import Skip

    sys.exit(run.main(sys.argv[1:]))
