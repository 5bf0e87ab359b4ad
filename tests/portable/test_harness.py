"""What the other portable tests take for granted, on the runtime they run on."""

import sys

import run


def test_source_order_is_kept():
    names = run.test_names(sys.modules[__name__])
    if names == sorted(names):
        raise run.Skip("the source of the tests cannot be read here")
    assert names == [
        "test_source_order_is_kept",
        "test_asserts_are_live",
        "test_a_lock_left_behind_is_undone",
        "test_a_report_is_a_verdict",
        "test_a_test_that_fills_a_small_heap_is_skipped",
        "test_a_module_may_skip_all_of_its_tests_and_is_forgotten",
    ]


def test_asserts_are_live():
    try:
        assert not run
    except AssertionError:
        return
    raise RuntimeError("asserts are compiled away: no test can fail")


def test_a_lock_left_behind_is_undone():
    if not hasattr(run.micropython, "heap_lock"):
        raise run.Skip("no heap lock here")
    run.micropython.heap_lock()
    run.micropython.heap_lock()
    was_locked = run.unlock_heap()
    assert was_locked is True
    assert run.unlock_heap() is False
    assert len([0] * 100) == 100  # would raise MemoryError


class Quiet(run.Run):
    """A Run that keeps its lines to itself."""

    def __init__(self):
        super().__init__("")
        self.lines = []

    def _print(self, outcome, text):
        self.lines.append(outcome + " " + text)


def test_a_report_is_a_verdict():
    quiet = Quiet()
    for answer in (None, "skip: no radio", True, False, 0):
        quiet._test("t", lambda: answer)
    for error in (run.Skip("no\nradio"), ValueError("no radio")):
        quiet._test("t", lambda: fail(error))
    assert (quiet.passed, quiet.skipped, quiet.failed) == (1, 1, 5)
    assert quiet.lines == ["passed t"] + ["failed t"] * 4 + ["skipped t: no radio", "failed t"]


def fail(error):
    raise error


def test_a_test_that_fills_a_small_heap_is_skipped():
    full, is_locked = "memory allocation failed, allocating 9 bytes", "memory allocation failed, heap is locked"
    quiet = Quiet()
    size = run.heap_size
    try:
        for bytes_of_heap in (100000, run.ROOMY, 0):
            run.heap_size = lambda bytes_of_heap=bytes_of_heap: bytes_of_heap
            for text in (full, is_locked, ""):
                quiet._test("t", lambda: fail(MemoryError(text)))
    finally:
        run.heap_size = size
    skips = 1 if hasattr(run.micropython, "heap_lock") else 3  # where there is no lock, a heap that is full may have no words
    assert quiet.lines[0] == "skipped t: a heap of 100000 bytes is too small (%s)" % full
    assert quiet.lines[skips:] == ["failed t"] * (9 - skips) and (quiet.skipped, quiet.failed) == (skips, 9 - skips)


class Module:
    """A module of tests. skips: it raises Skip when it is imported."""

    def __init__(self, skips):
        self.test_one = lambda: None
        self.skips = skips


def test_a_module_may_skip_all_of_its_tests_and_is_forgotten():
    quiet = Quiet()
    names = run.test_names
    run.test_names = lambda module: fail(run.Skip("no radio")) if module.skips else ["test_one"]
    try:
        for skips in (True, False):
            sys.modules["test_of_the_harness"] = Module(skips)
            for _ in quiet.module("test_of_the_harness"):
                pass
    finally:
        run.test_names = names
    assert quiet.lines == ["skipped test_of_the_harness: no radio", "passed test_of_the_harness.test_one"]
    assert "test_of_the_harness" not in sys.modules
