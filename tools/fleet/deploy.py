"""Brings files onto a board.

A cable may be pulled at any moment. Then the board still works with its old files, or the next try repairs it.
"""

from __future__ import annotations

import ast
import hashlib
import io
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from ..errors import CommandError
from ..serial import line

PATIENCE_S = 8  # how long a board may be silent while it writes to its flash; without a limit we would wait for ever
NEW = ".new"  # the end of the name of a new file, until it takes the place of the old one
OWN = "lib/faction"  # a folder in which all files are ours; others are removed
HELLO = b"faction: node "  # what the program of a board says first, if it starts well


class DeployError(CommandError):
    """Why files did not get onto a board: one line, with what to do."""


@dataclass
class Plan:
    """What a deployment does: it copies files, removes files of an earlier one, and leaves the rest as it is."""

    copied: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


_RESET = b"\x03\r\x02\x04"  # ctrl-C ends what runs, ctrl-B leaves the raw REPL, ctrl-D is a soft reset, which runs main.py

# This program runs on the board. It prints the SHA-256 of files, so that only files that changed are copied. It reads them in
# small pieces, because memory is short.
_HASHES = """
import os, hashlib
def _walk(folder):
    try:
        entries = list(os.ilistdir(folder))
    except OSError:
        return
    for entry in entries:
        path = (folder + '/' if folder else '') + entry[0]
        if entry[1] & 0x4000:
            if entry[0] not in ('.', '..'):
                yield from _walk(path)
        else:
            yield path
def _hash(path):
    digest = hashlib.sha256()
    try:
        with open(path, 'rb') as file:
            while True:
                block = file.read(256)
                if not block:
                    break
                digest.update(block)
    except OSError:
        return ''
    return ''.join(['%%02x' %% byte for byte in digest.digest()])
print({path: _hash(path) for path in %r + (list(_walk(%r)) if %r else [])})
"""
# This program runs on the board. It puts new files in the place of old ones. It can be repeated from any point at which it ended.
_SWAP = """
import os
for path in %r:
    try:
        os.stat(path + '.new')
    except OSError:
        continue
    try:
        os.remove(path)
    except OSError:
        pass
    os.rename(path + '.new', path)
for path in %r:
    os.remove(path)
"""


def _hushed() -> AbstractContextManager[object]:
    """Return a context in which nothing is printed: mpremote prints what it does not understand."""
    return redirect_stdout(io.StringIO())


class SerialBoard:
    """A MicroPython board at the end of a serial line."""

    def __init__(self, port: str) -> None:
        """Open the port, and interrupt the program that runs. Raises DeployError."""
        self.port = port
        self._there: dict[str, str] = {}
        self._is_restarted = False
        try:
            self._line = SerialTransport(port, baudrate=line.BAUDRATE, timeout=PATIENCE_S)
        except (TransportError, OSError, ValueError) as error:  # ValueError: "xyz://" is an unknown protocol
            raise DeployError(line.explain(port)) from error
        try:
            line.interrupt(self._line.serial)
            with _hushed():
                self._line.enter_raw_repl(soft_reset=False)
        except (TransportError, OSError) as error:
            self.close()
            raise DeployError(
                f"{port}: no MicroPython answers; press the board's reset button and run this again, or flash MicroPython"
            ) from error

    def close(self) -> None:
        """Let go of the port, even if the board is gone. If restart was not called, the board starts its program again."""
        with suppress(OSError):  # SerialException is one
            if not self._is_restarted:
                self._line.serial.write(_RESET)
            self._line.close()

    def compare(self, files: dict[str, bytes]) -> Plan:
        """Return what there is to do for these files to be on the board. Raises DeployError."""
        self._there = self._hashes([*files, *[path + NEW for path in files]], with_own=True)
        return plan(files, self._there)

    def copy(self, made: Plan, files: dict[str, bytes], advance: Callable[[int, str], object]) -> None:
        """Do what compare has returned. advance is called before each file with the number of those done, and its path.

        First all new files are written beside the old ones, then they take their places. Raises DeployError.
        """
        for done, path in enumerate(made.copied):
            advance(done, path)
            if self._there.get(path + NEW) != digest(files[path]):  # an earlier try may have left it
                self._put(path + NEW, files[path])
        self._run(_SWAP % (made.copied, made.removed))
        wrong = plan(files, self._hashes(list(files))).copied
        if wrong:
            raise DeployError(f"{self.port}: {wrong[0]}: is not what was sent; run this again")

    def restart(self, seconds: float) -> str:
        """Reset the board, and return the first line that its program says. Raises DeployError if there is none in so many seconds."""
        try:
            return self._restart(seconds)
        except OSError as error:
            raise DeployError(f"{self.port}: copied, but then lost the board ({error}); plug it in and run this again") from error

    def _restart(self, seconds: float) -> str:
        stream = self._line.serial
        stream.write(_RESET)
        self._is_restarted = True
        limit = time.monotonic() + seconds
        heard = b""
        while time.monotonic() < limit:
            heard += stream.read(stream.in_waiting) if stream.in_waiting else b""
            start = heard.find(HELLO)
            if start >= 0 and b"\n" in heard[start:]:
                return heard[start:].split(b"\n")[0].decode(errors="replace").strip()
            time.sleep(0.02)
        last = " / ".join(heard.decode(errors="replace").strip().splitlines()[-3:])
        reason = f"but its program does not greet within {seconds:g} s; it says: {last or 'nothing'}"
        raise DeployError(f"{self.port}: copied, {reason}; correct that, or wait longer with --wait")

    def _run(self, program: str) -> str:
        """Run a program on the board, and return what it prints. Raises DeployError."""
        try:
            with _hushed():
                said: bytes = self._line.exec(program)
        except TransportExecError as error:
            reason = (error.error_output.strip().splitlines() or ["an error without a name"])[-1]
            raise DeployError(f"{self.port}: the board says {reason}; reset it and run this again") from error
        except (TransportError, OSError, UnicodeDecodeError) as error:
            raise DeployError(f"{self.port}: lost the board ({error}); plug it in and run this again") from error
        return said.decode(errors="replace")

    def _hashes(self, paths: list[str], with_own: bool = False) -> dict[str, str]:
        """Return {path: SHA-256} of those of these files that are on the board; with_own: also of all files in OWN."""
        said = self._run(_HASHES % (paths, OWN, with_own))
        try:
            found: Any = ast.literal_eval(said.strip())
            return {str(path): str(checksum) for path, checksum in found.items() if checksum}
        except (ValueError, SyntaxError, AttributeError) as error:
            raise DeployError(f"{self.port}: the answer is damaged; run this again") from error

    def _put(self, path: str, content: bytes) -> None:
        """Write a file, and compare what is there then. Raises DeployError."""
        self._make_folders(path)
        try:
            with _hushed():
                self._line.fs_writefile(path, content)
        except (TransportError, OSError) as error:
            raise DeployError(f"{self.port}: {path}: not written ({error}); free some space, or run this again") from error
        if self._hashes([path]).get(path) != digest(content):
            raise DeployError(f"{self.port}: {path}: reads back differently; run this again; if it stays so, the flash is broken")

    def _make_folders(self, path: str) -> None:
        folders = [str(folder) for folder in reversed(PurePosixPath(path).parents) if str(folder) != "."]
        self._run("import os\nfor folder in %r:\n    try:\n        os.mkdir(folder)\n    except OSError:\n        pass" % (folders,))


class Drive:
    """A board that is a folder: the mounted drive of a CircuitPython board, or where a process is to run."""

    def __init__(self, folder: Path, starts: str) -> None:
        """starts: how the program starts, for a person."""
        self.folder = folder
        self._starts = starts

    def close(self) -> None:
        """Nothing is open."""

    def compare(self, files: dict[str, bytes]) -> Plan:
        """Return what there is to do for these files to be on the drive. Raises DeployError."""
        try:
            own = [path.relative_to(self.folder).as_posix() for path in (self.folder / OWN).rglob("*") if path.is_file()]
            paths = [path for path in {*files, *own} if (self.folder / path).is_file()]
            return plan(files, {path: digest((self.folder / path).read_bytes()) for path in paths})
        except OSError as error:
            raise DeployError(f"{self.folder}: cannot be read ({error.strerror}); plug the board in again") from error

    def copy(self, made: Plan, files: dict[str, bytes], advance: Callable[[int, str], object]) -> None:
        """Do what compare has returned. Each file is whole before it takes the place of the old one. Raises DeployError."""
        try:
            for done, path in enumerate(made.copied):
                advance(done, path)
                target = self.folder / (path + NEW)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(files[path])
            for path in made.copied:
                os.replace(self.folder / (path + NEW), self.folder / path)
            for path in made.removed:
                (self.folder / path).unlink(missing_ok=True)
        except OSError as error:
            where, reason = error.filename or self.folder, error.strerror
            raise DeployError(f"{where}: not written ({reason}); free some space or make the drive writable, and run this again") from error

    def restart(self, seconds: float) -> str:
        """Say how the program starts. It is not started here."""
        return self._starts


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def plan(files: dict[str, bytes], there: dict[str, str]) -> Plan:
    """Compare the wanted files with {path: SHA-256} of those that are there."""
    made = Plan()
    for path, content in files.items():
        same = there.get(path) == digest(content)
        (made.unchanged if same else made.copied).append(path)
    # A new file of an earlier try stays if it is copied now: it is about to take its place.
    made.removed = sorted(
        path for path in there if path.startswith(OWN + "/") and path not in files and path.removesuffix(NEW) not in made.copied
    )
    return made
