"""What goes wrong with a command through no fault of its own, and the one line that says so."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager


class CommandError(Exception):
    """A command cannot do what it was asked for. The text is what the user reads: what is wrong, the value, what to do."""

    def __str__(self) -> str:
        return printable(super().__str__(), "\n")  # it may quote a board, or a file


# What to do about an error of the system with a file or a folder, by its number.
_REMEDIES = {
    errno.EEXIST: "already exists; choose another name or delete it",
    errno.ENOENT: "does not exist; check the name, or make its folder first",
    errno.EISDIR: "is a folder; name a file",
    errno.ENOTDIR: "needs a folder where there is a file; choose another name or delete the file",
    errno.EACCES: "you may not read or write here; choose another place or change its permissions",
    errno.EPERM: "you may not read or write here; choose another place or change its permissions",
    errno.EROFS: "is on a read-only disk; choose another place",
    errno.ENOSPC: "no space left on the disk; free some space or choose another place",
}


def explain(error: OSError) -> str:
    """Return one line for an error of the system: the path, what is wrong, and what to do."""
    reason = error.strerror or str(error)
    if error.filename is None and error.errno is None:
        return reason  # raised by us or by a library, with a text of its own
    remedy = _REMEDIES.get(error.errno or 0, f"{reason[:1].lower()}{reason[1:]}; mend that, or choose another place")
    name = "standard output" if error.filename is None else os.fsdecode(error.filename)
    return f"{name}: {remedy}"


@contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of a file into an error of the system that has none, such as a full disk in the middle of writing."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        raise


def printable(text: str, *others: str) -> str:
    """Return a text without what would move the cursor of a terminal, or change its colours; others: characters that may stay."""
    return "".join([character if character.isprintable() or character in others else "?" for character in text])
