"""The user's own program: the files that it brings to a board."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import CommandError, explain
from .build import PROGRAMS
from .found import CONFIGURATION, NEW, OWN, shown

NAME = "application.py"
# Names that a board has for itself, whatever kind it is, in lower case: a drive knows no case.
_TAKEN = ({name for programs in PROGRAMS.values() for name in programs} | {CONFIGURATION, "boot_out.txt", "code.txt"}) - {NAME}


def files(path: Path, ours: dict[str, bytes]) -> dict[str, bytes]:
    """Return {path on the board: content} of an application: a file, or all files of a folder but hidden ones and __pycache__.

    ours: the other files of the board. Raises CommandError if it cannot be read, or a name is taken.
    """
    try:
        if not path.is_dir():
            return {NAME: path.read_bytes()}
        found = {name: (path / name).read_bytes() for name in sorted(_names(path))}
    except OSError as error:
        raise CommandError(explain(error)) from error
    if NAME not in found:
        raise CommandError(f"{path}: has no {NAME}, which the board starts; put one into this folder, or name another in the roster")
    for name in found:
        _refuse(path / name, name, {other.lower() for other in ours})
    return found


def _names(folder: Path) -> Iterator[str]:
    """Iterate the files of a folder, and of those in it, by their paths in it."""
    for where, folders, names in os.walk(folder, followlinks=False, onerror=_fail):
        for name in folders:
            if (Path(where) / name).is_symlink() and not _is_left_out(name):
                raise CommandError(f"{Path(where) / name}: is a link to a folder, which a board cannot have; copy the folder instead")
        folders[:] = [name for name in folders if not _is_left_out(name)]
        for name in names:
            if not _is_left_out(name):
                yield (Path(where) / name).relative_to(folder).as_posix()


def _fail(error: OSError) -> None:
    raise error


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__" or name.endswith(".pyc")


def _refuse(path: Path, name: str, ours: set[str]) -> None:
    """Refuse a file whose name faction needs on the board, or no board can have."""
    if not name.isprintable():  # nor is what is no UTF-8
        raise CommandError(f"{shown(path)}: has a character in its name that a board cannot have; rename it")
    low = name.lower()
    if low in _TAKEN | ours or low.startswith(OWN + "/") or low == OWN or low.endswith(NEW):
        raise CommandError(f"{path}: faction has a file of this name on the board; give yours another name")
    if low.startswith(NAME.removesuffix(".py") + "/"):
        raise CommandError(f"{path}: a folder of this name would hide {NAME} on the board; give it another name")
