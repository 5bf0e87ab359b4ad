"""What went wrong is kept, whatever moment the power is cut at: boards/common/last_error.py."""

import os
import sys

from helpers import of_boards
from run import Skip

last_error = of_boards("last_error")
IS_MICROPYTHON = sys.implementation.name == "micropython"
sys.path.append("boards/micropython" if IS_MICROPYTHON else "boards/circuitpython")


class PowerCut(BaseException):
    pass


class Flash:
    """Stands between last_error and the files: it cuts the power before an operation of a number. ``count``: of operations."""

    def __init__(self, cut_at=-1, error=None):
        self.count = 0
        self.cut_at = cut_at
        self.error = error

    def tick(self):
        if self.error:
            raise self.error
        self.count += 1
        if self.count == self.cut_at:
            raise PowerCut

    def remove(self, path):
        self.tick()
        os.remove(path)

    def rename(self, old, new):
        self.tick()
        assert new not in os.listdir("."), "FAT renames to no name that is there"
        os.rename(old, new)

    def open(self, path, mode="r"):
        if mode != "w":
            return open(path, mode)
        self.tick()
        return Writer(self, open(path, mode))


class Writer:
    """A file of which each second character may be the last one that is written."""

    def __init__(self, flash, file):
        self._flash = flash
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, text):
        for i in range(0, len(text), 2):
            self._flash.tick()
            self._file.write(text[i : i + 2])


def need_files():
    if last_error is None:
        raise Skip("boards/common is not on this port")
    try:
        with open(last_error.FRESH, "w") as file:
            file.write("")
    except (OSError, NameError) as error:  # such as a CircuitPython board, whose files are the computer's
        raise Skip("no file can be written here (%s)" % error) from None
    forget()


def forget():
    for path in (last_error.LATEST, last_error.EARLIER, last_error.FRESH):
        if path in os.listdir("."):
            os.remove(path)


def use(flash):
    last_error.os = flash
    last_error.open = flash.open


def restore():
    last_error.os = os
    last_error.open = open
    forget()


def error_of(text, kind=ValueError):
    """Return an exception that was raised."""
    try:
        raise kind(text)
    except Exception as error:
        return error


def lines(errors):
    return [line.rstrip() for line in errors.texts()]


def test_the_latest_two_are_kept_and_outlive_a_reset():
    need_files()
    try:
        errors = last_error.Errors()
        assert errors.last() is None and lines(errors) == []
        for i in range(3):
            text = errors.keep("step", error_of("number %d" % i), 7)
            assert text.startswith("step: ValueError: number %d\nafter 7 s\nTraceback (most recent call last):\n" % i), text
        assert errors.last() == "step: ValueError: number 2"
        for kept in (errors, last_error.Errors()):
            found = lines(kept)
            assert found[0] == "step: ValueError: number 2" and found.count("step: ValueError: number 1") == 1, found
            assert "step: ValueError: number 0" not in found and "-- end" not in found
        assert last_error.Errors().last() == "before the latest reset: step: ValueError: number 2"
    finally:
        restore()


def test_a_line_is_one_line_and_short():
    need_files()
    try:
        errors = last_error.Errors()
        errors.keep("step", error_of("one\r\ntwo\x00\x7f" + 300 * "x"))
        assert errors.last().startswith("step: ValueError: one  two  xxx") and len(errors.last()) == 100
        assert len(last_error.Errors().last()) == 100

        class Evil(Exception):
            def __str__(self):
                raise RuntimeError

        errors.keep("start_up", error_of("", Evil))
        assert errors.last() == "start_up: Evil"
        errors.keep("start_up", error_of(10000 * "\u00e4"))
        assert os.stat(last_error.LATEST)[6] < 4000 and last_error.Errors().last() is not None
    finally:
        restore()


def test_an_error_that_is_kept_is_not_written_again():
    need_files()
    flash = Flash()
    use(flash)
    try:
        errors = last_error.Errors()
        first, second = error_of("one"), error_of("two")
        assert errors.keep("step", first) and errors.keep("step", first) is None
        assert errors.keep("step", second)
        written = flash.count
        for _ in range(50):  # by turns
            assert errors.keep("step", first) and errors.keep("step", second)
        assert last_error.Errors().keep("step", second)  # after a reset
        assert flash.count == written
        for i in range(50):
            errors.keep("step", error_of("another %d" % i))
        assert lines(last_error.Errors())[0] == "step: ValueError: another %d" % (last_error.WRITES - 3)
        assert errors.last() == "step: ValueError: another 49" and lines(errors)[0] == errors.last()
    finally:
        restore()


def test_a_power_cut_at_any_moment_costs_neither_of_the_two():
    need_files()
    steps = 0
    cut_at = 0
    try:
        while True:
            cut_at += 1
            forget()
            last_error.os, last_error.open = os, open
            errors = last_error.Errors()
            errors.keep("step", error_of("one"))
            errors.keep("step", error_of("two"))
            use(Flash(cut_at))
            try:
                errors.keep("step", error_of("three"))
                break
            except PowerCut:
                steps += 1
            use(Flash(cut_at % 4))  # the power is cut again while the board settles
            try:
                last_error.Errors()
            except PowerCut:
                pass
            last_error.os, last_error.open = os, open
            kept = [line for line in lines(last_error.Errors()) if line.startswith("step: ")]
            assert kept in (["step: ValueError: two", "step: ValueError: one"], ["step: ValueError: three", "step: ValueError: two"]), (
                cut_at,
                kept,
            )
    finally:
        restore()
    assert steps > 50, steps


def test_without_a_flash_it_is_kept_in_memory():
    need_files()
    use(Flash(error=OSError(30)))
    try:
        errors = last_error.Errors()
        assert errors.keep("step", error_of("one")) and errors.last() == "step: ValueError: one"
        assert lines(errors)[:2] == ["step: ValueError: one", "after 0 s"]
    finally:
        restore()


def test_a_damaged_file_is_no_error():
    need_files()
    try:
        for damage in (b"", b"\xff\xfe\x00", b"step: V", b"step: ValueError: one\nafter 1 s\n"):
            for path in (last_error.LATEST, last_error.EARLIER, last_error.FRESH):
                with open(path, "wb") as file:
                    file.write(damage)
            errors = last_error.Errors()
            assert errors.last() is None and lines(errors) == []
            assert errors.keep("step", error_of("two"))
            assert lines(last_error.Errors())[0] == "step: ValueError: two"
    finally:
        restore()


def test_nothing_that_is_kept_commands_a_terminal():
    need_files()
    try:
        errors = last_error.Errors()
        evil = "a\x1b[2Jb\x07c\x7fd\x9be\rf\n\tg\u00e4"
        text = errors.keep("step", error_of(evil))
        assert "ValueError: a [2Jb c d e f" in text and "g\u00e4" in text
        assert harmless(text) and harmless(errors.last())
        assert all(harmless(line) and line.endswith("\n") for line in errors.texts())
        with open(last_error.LATEST, "w") as file:  # whatever has written this
            file.write(evil.replace("\n", "") + "\n\x1b[31m\n-- end\n")
        found = last_error.Errors()
        assert harmless(found.last()) and found.last().startswith("before the latest reset: a [2Jb"), found.last()
        assert all(harmless(line) and line.endswith("\n") for line in found.texts())
        with open(last_error.LATEST, "w") as file:
            file.write("\n-- end\n")
        assert last_error.Errors().last() is None
    finally:
        forget()


def harmless(text):
    return not [each for each in text if each < " " and each != "\n" or "\x7f" <= each <= "\x9f"]


def test_a_deep_recursion_has_a_short_text():
    need_files()

    def deep():
        return deep()

    try:
        errors = last_error.Errors()
        try:
            deep()
        except RuntimeError as error:  # CPython's RecursionError is one
            text = errors.keep("step", error)
        assert len(text) < 1200 and "deep" in text
    finally:
        restore()
