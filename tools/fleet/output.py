"""Folders that a command fills. It removes and replaces only what it wrote itself, and what nobody has changed since.

What it wrote is in a record, in the folder that was named. A run that was cut short at any moment leaves a record that is true.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ..errors import CommandError
from ..files import replaced
from .found import digest

RECORD = ".faction-files.json"  # {path in the folder: [the SHA-256 of each content that may be there]}
_FRESH = ".faction-new-"  # how the name of the folder begins in which the new files are made
_REMEDY = "choose another folder or delete it"


def check_root(root: Path) -> None:
    """Refuse a folder that holds files, but none of an earlier run. Raises CommandError."""
    if root.is_dir() and not (root / RECORD).is_file():
        for path in sorted(root.iterdir()):
            if not path.is_dir() and not path.name.startswith(RECORD):
                raise CommandError(f"{root}: holds {path.name}, and nothing that faction has made; choose another folder")


@contextmanager
def filled(root: Path, part: str = "") -> Iterator[Path]:
    """Give an empty folder to write into. When the context ends, its files take the place of those of an earlier run.

    They go into the folder root, or into root/part. What an earlier run has written there, and this one does not, is removed;
    other files stay. Raises CommandError if a file would be lost, or nothing in the folder is of an earlier run; OSError with
    the name of the folder if it cannot be written. Then everything is as it was.
    """
    folder = root / part
    fresh = folder / f"{_FRESH}{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filling = _Filling(root, part)
        fresh.mkdir()
        yield fresh
        filling.finish(fresh)
    except OSError as error:
        if error.errno is not None:
            error.filename = os.fspath(folder)  # not the name of a file in a folder that nobody knows
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


class _Filling:
    """What is in a folder, and how the new files get there."""

    def __init__(self, root: Path, part: str) -> None:
        """Raises CommandError if the folder holds files, but none of an earlier run, or one that has been changed since."""
        self._root, self._part = root, part
        self._folder = root / part
        self._record = _load(root / RECORD)
        if not self._record:  # before all files of a whole disk are looked at
            self._refuse_others(next(_files(self._folder), None))
        names = sorted(_files(self._folder))
        self._ours = {name for name in names if self._key(name) in self._record}
        self._others = set(names) - self._ours
        if not self._ours:
            self._refuse_others(min(self._others, default=None))
        for name in sorted(self._ours):
            if _digest(self._folder / name) not in self._record[self._key(name)]:
                text = "has been changed since faction wrote it, and that would be lost; move it to another folder"
                raise CommandError(f"{self._folder / name}: {text}")

    def _key(self, name: str) -> str:
        return (PurePosixPath(self._part) / name).as_posix()

    def _refuse_others(self, name: str | None) -> None:
        if name is not None:
            raise CommandError(f"{self._folder}: holds {name}, which would be lost; {_REMEDY}")

    def finish(self, fresh: Path) -> None:
        """Move the new files to their places, and remove what an earlier run has left."""
        names = {path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if not path.is_dir()}
        self._refuse(names)
        new = {self._key(name): [_digest(fresh / name)] for name in names}
        before = {key: [*new.get(key, ()), *known] for key, known in self._record.items()}
        _save(self._root / RECORD, {**new, **before})  # whatever happens now, both the old files and the new ones are ours
        for name in sorted(names):
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(fresh / name, self._folder / name)
        for name in self._ours - names:
            self._remove(name)
        gone = {self._key(name) for name in self._ours - names}
        _save(self._root / RECORD, {**{key: known for key, known in self._record.items() if key not in gone}, **new})
        for stale in self._folder.glob(f"{_FRESH}*"):  # of a run that was cut short
            shutil.rmtree(stale, ignore_errors=True)
        for half in self._root.glob(f"{RECORD}.new*"):
            half.unlink()

    def _refuse(self, names: set[str]) -> None:
        """Raise CommandError if something is in the way that is not ours."""
        for name in sorted(names):
            if (self._folder / name).is_dir():
                raise CommandError(f"{self._folder / name}: is a folder where a file has to be; {_REMEDY}")
            if name in self._others:
                raise CommandError(f"{self._folder / name}: is not of faction, and would be lost; {_REMEDY}")
            for parent in list(PurePosixPath(name).parents)[:-1]:
                path = self._folder / parent
                if path.is_symlink() or (path.exists() and not path.is_dir()):
                    raise CommandError(f"{path}: has to be a folder; {_REMEDY}")

    def _remove(self, name: str) -> None:
        """Remove a file, and the folders that are empty then."""
        (self._folder / name).unlink(missing_ok=True)
        for parent in list(PurePosixPath(name).parents)[:-1]:
            with suppress(OSError):  # it holds files
                (self._folder / parent).rmdir()


def _files(folder: Path) -> Iterator[str]:
    """Iterate the names of what is in a folder and in those below it, but for folders and what is ours by its name."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if (path.is_symlink() or not path.is_dir()) and not name.startswith((_FRESH, RECORD)):
            yield name


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; empty for a link, which is never ours."""
    return "" if path.is_symlink() else digest(path.read_bytes())


def _load(path: Path) -> dict[str, list[str]]:
    """Return a record; {} if there is none. Raises CommandError if it is damaged."""
    try:
        record = json.loads(path.read_bytes())
        return {str(key): [str(each) for each in known] for key, known in record.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise CommandError(f"{path}: damaged, so nobody knows what faction wrote here; choose another folder, or empty this one") from None


def _save(path: Path, record: dict[str, list[str]]) -> None:
    """Write a record. The old one is there until the new one is whole."""
    with replaced(path) as fresh:
        fresh.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
