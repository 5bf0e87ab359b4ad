"""The user's own program: the files that it brings to a board."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import CommandError, explain
from .build import PROGRAMS
from .found import APPLICATION, BOOT, CONFIGURATION, HIDES, NEW, OWN, is_inside, shown

# Names that a board has for itself, whatever kind it is, in lower case: a drive knows no case.
_TAKEN = ({name for programs in PROGRAMS.values() for name in programs} | {CONFIGURATION, BOOT, "code.txt"}) - {APPLICATION}


def files(path: Path, ours: dict[str, bytes]) -> dict[str, bytes]:
    """Return {path on the board: content} of an application: a file, or all files of a folder but hidden ones and __pycache__.

    ours: the other files of the board. Raises CommandError if it cannot be read, or a name is taken.
    """
    try:
        if not path.is_dir():
            return {APPLICATION: _program(path)}
        found = {name: (_program if name == APPLICATION else _read)(path / name) for name in sorted(_names(path))}
    except OSError as error:
        raise CommandError(explain(error)) from error
    if APPLICATION not in found:
        raise CommandError(f"{path}: has no {APPLICATION}, which the board starts; put one into this folder, or name another in the roster")
    alike: dict[str, str] = {}
    for name in found:
        _refuse(path / name, name, {other.lower() for other in ours})
        if alike.setdefault(name.lower(), name) != name:
            raise CommandError(f"{path / name}: {alike[name.lower()]} is the same name on a drive, which knows no case; rename one of them")
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


def _program(path: Path) -> bytes:
    """Return a program, which has to be a text."""
    content = _read(path)
    try:
        is_text = "\0" not in content.decode()
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        raise CommandError(f"{path}: is no Python program, as it is not a text in UTF-8; save it as UTF-8, or name another in the roster")
    return content


def _read(path: Path) -> bytes:
    """Return the content of a file, but never wait for something that has no end, such as a pipe or a device."""
    if path.exists() and not path.is_file():
        raise CommandError(f"{path}: is no file that a board can have; take it out of the application")
    return path.read_bytes()


def _fail(error: OSError) -> None:
    raise error


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__" or name.endswith(".pyc")


def _refuse(path: Path, name: str, ours: set[str]) -> None:
    """Refuse a file whose name faction needs on the board, or no board can have."""
    if not name.isprintable() or not is_inside(name):  # nor is what is no UTF-8 printable
        raise CommandError(f"{shown(path)}: has a character in its name that a board cannot have; rename it")
    low = name.lower()
    if low in _TAKEN | ours or low.startswith(OWN + "/") or low == OWN or low.endswith(NEW):
        raise CommandError(f"{path}: faction has a file of this name on the board; give yours another name")
    if low.startswith(HIDES + "/"):
        raise CommandError(f"{path}: a folder of this name would hide {APPLICATION} on the board; give it another name")
