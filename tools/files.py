"""Files that a person names: read without waiting for ever, and replaced at once or not at all."""

from __future__ import annotations

import errno
import os
import select
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import CommandError, named

PIPE_S = 10.0  # how long a pipe or a device may give nothing


def content(path: str | os.PathLike[str], most: int, remedy: str) -> bytes:
    """Return what is in a file, or comes out of a pipe. Raises OSError; CommandError if that has no end, or never begins.

    most: how many bytes it may have. remedy: what to do if it has more.
    """
    name, found = os.fspath(path), bytearray()
    with open(name, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        while len(found) <= most:
            if not os.path.isfile(name) and not select.select([file], [], [], PIPE_S)[0]:
                raise CommandError(f"{name}: gives nothing; name a file")
            part = file.read(most + 1 - len(found))
            if not part:
                return bytes(found)
            found += part
    raise CommandError(f"{name}: has more than {most // 1_000_000} MB; {remedy}")


def check_no_folder(path: str | os.PathLike[str]) -> None:
    """Raise the OSError of a folder where a file is named: who makes a new file hears only that something is there."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))


class _Stopped(Exception):
    """Nothing was written."""


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise, before work that takes long, the OSError that replaced would raise after it: for a place that takes no files."""
    with suppress(_Stopped), replaced(path):
        raise _Stopped


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to. When the context ends, what is there takes the place of the file; an old one stays until then.

    If it fails, the old file stays, and nothing else is left. A link stays a link; a device or a pipe is written to as it is.
    Raises OSError, with the name of the file.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with named(path):
            yield Path(path)  # its suffix says what is to be drawn
        return
    fresh = target.with_name(f".{target.name.lstrip('.')}.new-{os.getpid()}{Path(path).suffix}")
    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        fresh.touch()  # so that a place that takes no files is told of before the work
        yield fresh
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, fresh)
        os.replace(fresh, target)
    except OSError as error:
        if error.errno is not None:
            error.filename = os.fspath(path)  # not that of a file of which nobody knows
        raise
    finally:
        fresh.unlink(missing_ok=True)
