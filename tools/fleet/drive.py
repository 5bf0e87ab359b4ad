"""A board that is a folder, as the target of a deployment: the drive of a CircuitPython board, or where a process is to run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import named
from .found import BOOT, CONFIGURATION, NEW, OWN, WRITTEN, DeployError, Found, digest
from .plan import Plan

_SKIPPED = {".Trashes", ".fseventsd", ".metadata_never_index", "System Volume Information"}


class Drive:
    """Nothing is open, and nothing is started here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def close(self) -> None:
        """Nothing is open."""

    def identify(self) -> Found:
        """Return what the drive says about its board. Raises DeployError."""
        with self._read():
            found = self._board()
            for name in (CONFIGURATION, CONFIGURATION + NEW, WRITTEN, WRITTEN + NEW):
                if (self.folder / name).is_file():
                    found.texts[name] = (self.folder / name).read_bytes()
            return found

    def _board(self) -> Found:
        if not (self.folder / BOOT).is_file():
            return Found("folder")
        text = (self.folder / BOOT).read_text(encoding="utf-8", errors="replace")
        number = re.search(r"^UID:([0-9A-Fa-f]+)\s*$", text, re.MULTILINE)
        machine = text.partition(";")[2].partition("\n")[0].strip()
        is_ours = "CircuitPython" in text or not text.strip()
        version = re.search(r"CircuitPython (\S+)", text)
        firmware = f"CircuitPython {version[1]}" if version else ""
        return Found("circuitpython" if is_ours else "folder", machine, number[1].lower() if number else None, firmware)

    def look(self, found: Found, paths: list[str]) -> None:
        """Put into found which files are there. Raises DeployError."""
        found.files, found.folders = {}, set()
        asked = set(paths)
        with self._read():
            for path in sorted(self._walk(self.folder)):
                name = path.relative_to(self.folder).as_posix()
                if path.is_dir() and not path.is_symlink():
                    found.folders.add(name)
                else:
                    is_asked = (name in asked or name.startswith(OWN + "/")) and path.is_file() and not path.is_symlink()
                    found.files[name] = digest(path.read_bytes()) if is_asked else ""

    def _walk(self, folder: Path) -> Iterator[Path]:
        for path in folder.iterdir():
            if folder == self.folder and path.name in _SKIPPED:
                continue
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from self._walk(path)

    def write(self, path: str, content: bytes) -> None:
        """Write a file. Raises DeployError."""
        target = self.folder / path
        with self._written(), named(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # a drive is often pulled before the system has written what it was given

    def swap(self, made: Plan) -> None:
        """Put all new files in their places. Raises DeployError."""
        with self._written():
            for path, name in made.kept.items():
                os.rename(self.folder / path, self.folder / name)
            for path in made.written:
                os.replace(self.folder / (path + NEW), self.folder / path)
            for path in made.removed:
                (self.folder / path).unlink(missing_ok=True)
                with suppress(OSError):  # it holds files
                    (self.folder / path).parent.rmdir()

    def discard(self, paths: list[str]) -> None:
        """Remove new files that do not take their places."""
        for path in paths:
            with suppress(OSError):
                (self.folder / path).unlink()

    def start(self, seconds: float) -> str:
        """Say nothing: the program is not started here."""
        return ""

    @contextmanager
    def _read(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeployError(f"{self.folder}: cannot be read ({error.strerror}); plug the board in again") from error

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where, reason = error.filename or self.folder, error.strerror
            raise DeployError(f"{where}: not written ({reason}); free some space or make the drive writable, and run this again") from error
