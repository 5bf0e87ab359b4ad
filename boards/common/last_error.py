"""What went wrong on this board, kept in two small files: last_error.txt has the latest error, last_error.old.txt the one before.

A new text goes into a third file first. When that one is whole, the files are renamed. So a power cut at any moment costs
neither of the two. A board whose program fails again and again does not wear out its flash: an error that is in one of the
files already is not written again, and there are at most WRITES writes between two resets.
"""

import gc
import os

LATEST = "last_error.txt"
EARLIER = "last_error.old.txt"
FRESH = "last_error.new"
WRITES = 8
LINE = 100  # the most characters of the line that names an error
SIZE = 1000  # the most characters of a traceback
ENDS = (KeyboardInterrupt, SystemExit)  # what ends a call, or the program; nothing else that an application raises does
_END = "-- end\n"
_BEFORE = "before the latest reset: "


class Errors:
    """The errors of this board. The console shows them; see faction.console."""

    def __init__(self):
        self._line = None  # names the latest error of this run
        self._text = None  # all of it, if the flash did not take it
        self._writes = WRITES
        _attempt(_settle)

    def keep(self, where, error, after_s=0):
        """Keep an exception, and return its text; None if it is the same as the latest one.

        where: the name of what raised it. after_s: the time since the start of the program, in seconds. Raises nothing.
        """
        gc.collect()  # perhaps the memory was full
        line = _name(where, error)
        if line == self._line:
            return None
        self._line = line
        try:
            from traceback_text import traceback_of

            traceback = "\n".join([_plain(each) for each in traceback_of(error, SIZE).split("\n")])
            self._text = "%s\nafter %d s\n%s" % (line, after_s, traceback)
        except ENDS:
            raise
        except BaseException:  # too little memory for the traceback, for example
            self._text = line + "\n"
        text = self._text
        _attempt(self._save)
        return text

    def _save(self):
        """Write the text to the flash, unless it is there."""
        if self._line not in (_first_line(LATEST), _first_line(EARLIER)):
            if not self._writes:
                return
            self._writes -= 1
            _write(self._text)
        self._text = None

    def last(self):
        """Return the line that names the latest error, of at most LINE characters; None if there is none."""
        if self._line:
            return self._line
        line = _first_line(LATEST)
        return None if line is None else (_BEFORE + line)[:LINE]

    def texts(self):
        """Iterate over what is kept, in pieces of one line."""
        if self._text:
            yield from [line + "\n" for line in self._text.splitlines()]
        for path in (LATEST, EARLIER):
            if _first_line(path) is not None:
                with open(path) as file:
                    for line in file:
                        if line != _END:
                            yield _plain(line.rstrip()) + "\n"


def _name(where, error):
    """Return one line about an exception."""
    try:
        text = str(error)[:LINE]
    except ENDS:
        raise
    except BaseException:  # of its own __str__
        text = ""
    line = "%s: %s%s" % (where, type(error).__name__, ": " + text if text else "")
    return _plain(line[:LINE])


def _plain(text):
    """Return a text without control characters: it comes to a terminal, and may hold what came from the air."""
    return "".join([each if each >= " " and not "\x7f" <= each <= "\x9f" else " " for each in text])


def _first_line(path):
    """Return the first line of a file that is whole, otherwise None."""
    try:
        with open(path) as file:
            text = file.read(SIZE + 3 * LINE)
    except (OSError, ValueError):  # no such file; no UTF-8, as its block of the flash is damaged
        return None
    return (_plain(text.split("\n")[0]) or None) if text.endswith("\n" + _END) else None


def _write(text):
    """Make a text the latest. Whatever file is cut short, the two others are whole, or soon will be."""
    _settle()
    with open(FRESH, "w") as file:
        file.write(text if text.endswith("\n") else text + "\n")
        file.write(_END)
    if hasattr(os, "sync"):
        os.sync()
    _settle()


def _settle():
    """Let a new text that is whole take its place, also one that a power cut has kept from it."""
    if _first_line(FRESH) is None:
        return
    if _first_line(LATEST) is not None:
        _attempt(os.remove, EARLIER)  # FAT renames to no name that is there
        os.rename(LATEST, EARLIER)
    else:
        _attempt(os.remove, LATEST)
    os.rename(FRESH, LATEST)


def _attempt(call, *arguments):
    """Call something, and tell whether that worked: the flash may be full, or a computer's, or not there."""
    try:
        call(*arguments)
        return True
    except (OSError, AttributeError, NameError, MemoryError):
        return False
