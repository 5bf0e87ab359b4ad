"""Files onto a board, so that a cable pulled at any moment leaves it working, or mended by the next try."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from ..errors import CommandError

PATIENCE_S = 3  # with a board that is busy with its flash; without a limit a silent line would be waited for without end
NEW = ".new"  # behind the name of a file that is not whole, or whose time has not come
OWN = "lib/faction"  # where nothing but our files may be
HELLO = b"faction: "  # what the program of a board says first


class DeployError(CommandError):
    """What went wrong on the way to a board, in one line, with what to do."""


@dataclass
class Plan:
    """What a deployment does: files to copy, and files of an earlier one to remove."""

    copied: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


# On the board. SHA-256 of what is there, so that only what changed is copied; read in small pieces.
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
# The swap: it goes from whole file to whole file, and can be repeated from any point of it.
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


class Board:
    """A MicroPython board at the end of a serial line."""

    def __init__(self, port: str) -> None:
        """Open the port and interrupt whatever runs; raise DeployError."""
        try:
            self._line = SerialTransport(port, baudrate=115200, timeout=PATIENCE_S)
            self._line.enter_raw_repl(soft_reset=False)
        except (TransportError, serial.SerialException, OSError) as error:
            raise DeployError(f"{port}: no MicroPython answers ({error}); is it the right port, free, and readable by you?") from error
        self.port = port

    def run(self, program: str) -> str:
        """Run a program on the board and return what it prints; raise DeployError."""
        try:
            said: bytes = self._line.exec(program)
        except TransportExecError as error:
            raise DeployError(f"{self.port}: the board says {error.error_output.strip().splitlines()[-1]}") from error
        except (TransportError, serial.SerialException, OSError) as error:
            raise DeployError(f"{self.port}: lost the board ({error}); plug it in and run this again") from error
        return said.decode()

    def hashes(self, paths: list[str], with_own: bool = False) -> dict[str, str]:
        """Return {path: SHA-256} of those of these paths that are there, and of all files in our folder if wanted."""
        found: dict[str, str] = eval(self.run(_HASHES % (paths, OWN, with_own)), {"__builtins__": {}})
        return {path: checksum for path, checksum in found.items() if checksum}

    def put(self, path: str, content: bytes) -> None:
        """Write a file and read it back; raise DeployError if it is not what was sent."""
        self._make_folders(path)
        try:
            self._line.fs_writefile(path, content)
        except (TransportError, serial.SerialException, OSError) as error:
            raise DeployError(f"{self.port}: {path}: not written ({error}); free some space, or run this again") from error
        if self.hashes([path]).get(path) != digest(content):
            raise DeployError(f"{self.port}: {path}: reads back differently; run this again, and doubt the flash if it stays")

    def _make_folders(self, path: str) -> None:
        folders = [str(folder) for folder in reversed(PurePosixPath(path).parents) if str(folder) != "."]
        self.run("import os\nfor folder in %r:\n    try:\n        os.mkdir(folder)\n    except OSError:\n        pass" % (folders,))

    def swap(self, plan: Plan) -> None:
        """Put the new files in the places of the old ones."""
        self.run(_SWAP % (plan.copied, plan.removed))

    def restart(self, seconds: float) -> str:
        """Reset the board and return the first line that its program says; raise DeployError if it says nothing."""
        try:
            return self._restart(seconds)
        except (serial.SerialException, OSError) as error:
            raise DeployError(f"{self.port}: copied, but lost the board ({error}); plug it in and run this again") from error

    def _restart(self, seconds: float) -> str:
        self._line.exit_raw_repl()
        stream = self._line.serial
        stream.write(b"\x04")  # ctrl-D: a soft reset, which runs main.py
        limit = time.monotonic() + seconds
        heard = b""
        while time.monotonic() < limit:
            heard += stream.read(stream.in_waiting) if stream.in_waiting else b""
            start = heard.find(HELLO)
            if start >= 0 and b"\n" in heard[start:]:
                return heard[start:].split(b"\n")[0].decode().strip()
            time.sleep(0.02)
        tail = heard.decode(errors="replace").strip().splitlines()[-3:]
        raise DeployError(f"{self.port}: copied, but its program says nothing within {seconds:.0f} s: {' / '.join(tail) or 'silence'}")

    def close(self) -> None:
        """Let go of the port, gone or not."""
        with suppress(OSError, serial.SerialException):
            self._line.close()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def plan(files: dict[str, bytes], there: dict[str, str]) -> Plan:
    """Compare the wanted files with the hashes of what is there."""
    made = Plan()
    for path, content in files.items():
        same = there.get(path) == digest(content)
        (made.unchanged if same else made.copied).append(path)
    # What an earlier try left is no leftover: it is about to be used.
    made.removed = sorted(
        path for path in there if path.startswith(OWN + "/") and path not in files and path.removesuffix(NEW) not in made.copied
    )
    return made


def to_board(board: Board, files: dict[str, bytes], advance: Callable[[str], None], dry_run: bool = False) -> Plan:
    """Bring the files onto a board; advance is called with each path that is done. Return what was done, or would be."""
    there = board.hashes([*files, *[path + NEW for path in files]], with_own=True)
    made = plan(files, there)
    if dry_run:
        return made
    for path in made.copied:  # first all of them beside the old ones, then the swap
        if there.get(path + NEW) != digest(files[path]):  # from an earlier try, perhaps
            board.put(path + NEW, files[path])
        advance(path)
    board.swap(made)
    after = board.hashes(list(files))
    wrong = plan(files, after).copied
    if wrong:
        raise DeployError(f"{board.port}: {wrong[0]}: not what was sent; run this again")
    return made


def to_drive(drive: Path, files: dict[str, bytes], advance: Callable[[str], None], dry_run: bool = False) -> Plan:
    """Bring the files onto a mounted CIRCUITPY drive, each whole before it takes the place of the old one."""
    if not drive.is_dir():
        raise DeployError(f"{drive}: no such drive; is the board mounted there?")
    own = [path.relative_to(drive).as_posix() for path in (drive / OWN).rglob("*") if path.is_file()]
    there = {path: digest((drive / path).read_bytes()) for path in {*files, *own} if (drive / path).is_file()}
    made = plan(files, there)
    if dry_run:
        return made
    try:
        for path in made.copied:
            target = drive / (path + NEW)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[path])
            advance(path)
        for path in made.copied:
            os.replace(drive / (path + NEW), drive / path)
        for path in made.removed:
            (drive / path).unlink(missing_ok=True)
    except OSError as error:
        raise DeployError(f"{drive}: {error}; is the drive read-only or full? then run this again") from error
    return made
