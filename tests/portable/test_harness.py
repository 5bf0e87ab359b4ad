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
