"""Folders that a command fills. Afterwards a folder is whole; if something fails, it is as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CommandError

_FRESH = ".new-"  # how the name of the folder begins in which the new files are made


@contextmanager
def filled(folder: Path, is_ours: Callable[[str], bool]) -> Iterator[Path]:
    """Give an empty folder to write into. When the context ends, its files take the place of those in folder.

    is_ours tells of a path within the folder whether an earlier run has made it. Raises CommandError if the folder holds
    another file, because it would be lost; OSError with the name of the folder if it cannot be written.
    """
    fresh = folder / f"{_FRESH}{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        old = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
        _refuse_strangers(folder, old, is_ours)
        fresh.mkdir()
        yield fresh
        _swap(fresh, folder, old)
    except OSError as error:
        if error.errno is not None:
            error.filename = os.fspath(folder)  # not the name of a file in a folder that nobody knows
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _refuse_strangers(folder: Path, names: set[str], is_ours: Callable[[str], bool]) -> None:
    for name in sorted(names):
        if not (is_ours(name) or name.startswith(_FRESH)):
            raise CommandError(f"{folder}: holds {name}, which would be lost; choose another folder or delete it")


def _swap(fresh: Path, folder: Path, old: set[str]) -> None:
    """Move the new files to their places, and remove what an earlier run has left."""
    names = [path.relative_to(fresh) for path in fresh.rglob("*") if not path.is_dir()]
    for name in names:
        if (folder / name).is_dir():
            raise CommandError(f"{folder / name}: is a folder where a file has to be; choose another folder or delete it")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, folder / name)
    for stale in old - {name.as_posix() for name in names}:
        (folder / stale).unlink(missing_ok=True)
    for path in sorted((path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()), reverse=True):
        with suppress(OSError):  # it holds files
            path.rmdir()
