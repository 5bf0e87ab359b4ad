"""A MicroPython board at the end of a serial line, as the target of a deployment."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from threading import Event
from typing import Any

from ..serial.port import LineError, Stopped
from ..serial.repl import ProgramError, Repl
from .found import CONFIGURATION, HIDES, NEW, OWN, WRITTEN, DeployError, Found, digest
from .plan import Plan
from .words import FirstWords

LOOK_S = 0.02  # between two looks at what the board says
_PAIR = 2  # fields of an answer: a path, and what is said of it

# These programs run on the board, in little memory: each prints a line for each thing that it finds, and all end with _END.
_END = "\nprint('end')"
_IDENTITY = """
import sys, os, gc
gc.collect()
about = sys.implementation
kind = getattr(about, '_machine', '')
if not kind:
    try:
        kind = os.uname().machine
    except AttributeError:
        pass
def chip():
    try:
        from machine import unique_id
    except ImportError:
        try:
            from microcontroller import cpu
        except ImportError:
            return b''
        return cpu.uid
    return unique_id()
number = ''.join(['%%02x' %% byte for byte in chip()]) or None
version = '.'.join([str(part) for part in about[1][:3]])
print(repr((sys.platform, about[0], kind, number, version)))
for path in %r:
    try:
        with open(path, 'rb') as file:
            while True:
                block = file.read(128)
                if not block:
                    break
                print(repr((path, block)))
    except OSError:
        pass
"""
# How the makers of a firmware write its name.
FIRMWARES = {"micropython": "MicroPython", "circuitpython": "CircuitPython"}
_HASHED = """
import os, hashlib, gc
gc.collect()
def hashed(path):
    digest = hashlib.sha256()
    try:
        with open(path, 'rb') as file:
            while True:
                block = file.read(256)
                if not block:
                    break
                digest.update(block)
    except OSError:
        return 'unreadable'
    return ''.join(['%02x' % byte for byte in digest.digest()])
"""
_LOOK = """
def walk(folder, deep):
    try:
        entries = list(os.ilistdir(folder))
    except OSError:
        return
    for entry in entries:
        path = (folder + '/' if folder else '') + entry[0]
        if entry[0] in ('.', '..'):
            continue
        if entry[1] & 0x4000:
            print(repr((path, None)))
            if deep:
                walk(path, deep)
        elif path in wanted or folder.startswith(%r):
            print(repr((path, hashed(path))))
        else:
            print(repr((path, '')))
wanted = set(%r)
for folder, deep in %r:
    walk(folder, deep)
"""
_FOLDERS = """
import os
for folder in %r:
    try:
        os.mkdir(folder)
    except OSError:
        pass
"""
# It can be repeated from any point at which it ended. What is kept is out of the way before anything is removed.
_SWAP = """
import os
def there(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True
for path, name in %r:
    if there(path):
        if there(name):
            raise OSError(17)
        os.rename(path, name)
for path in %r:
    if there(path + '.new'):
        if there(path):
            os.remove(path)
        os.rename(path + '.new', path)
"""
_REMOVE = """
import os
try:
    f.close()
except Exception:
    pass
for path in %r:
    try:
        os.remove(path)
    except OSError:
        pass
for folder in %r:
    try:
        os.rmdir(folder)
    except OSError:
        pass
"""
# What a board says by the number of an error, and what to do.
_REMEDIES = (
    (r"\b28\b|ENOSPC", "no space left on the board; delete files of yours there, or take a smaller --slice"),
    (r"\b30\b|EROFS", "its files can only be read; erase the flash and flash MicroPython again"),
    (r"\b17\b|EEXIST", "a file is there by now that was not there before; run this again"),
    (r"MemoryError", "its memory is full; press its reset button, and run this again at once"),
    (r"SyntaxError|IndentationError|NameError", "the line spoils what is sent; use a shorter cable, and run this again"),
    (r"ImportError|AttributeError", "its firmware lacks what faction needs; flash MicroPython 1.22 or later"),
)


class SerialBoard:
    """It is interrupted when it is made, and runs its program again when it is closed."""

    def __init__(self, port: str, stop: Event) -> None:
        """stop: once it is set, every wait ends with Stopped. Raises CommandError, Stopped."""
        self.port = port
        self._stop = stop
        self._is_started = False
        self._repl = Repl(port, stop)

    def close(self) -> None:
        """Let go of the port, even if the board is gone. If start was not called, the board starts its program again."""
        with suppress(OSError):
            if not self._is_started:
                self._repl.start()
        self._repl.close()

    def leave(self) -> None:
        """Leave the board at its REPL, and do not start its program: it was found like that. Raises OSError."""
        self._is_started = True
        self._repl.leave()

    def identify(self) -> Found:
        """Return what the board says about itself. Raises CommandError, Stopped."""
        names = [CONFIGURATION, CONFIGURATION + NEW, WRITTEN, WRITTEN + NEW]
        (platform, name, machine, number, *version), *parts = self._ask(_IDENTITY % (names,), 4)
        firmware = " ".join(map(str, [FIRMWARES.get(name, name), *version]))
        found = Found("circuitpython" if name == "circuitpython" else str(platform), str(machine), number, firmware)
        for path, part in parts:
            found.texts[path] = found.texts.get(path, b"") + part
        return found

    def look(self, found: Found, paths: list[str]) -> None:
        """Put into found which files are there. Raises CommandError, Stopped."""
        wanted = [path for path in paths if not path.startswith(OWN + "/")]  # there it says everything
        flat = sorted({_parent(path) for path in wanted if not path.startswith(HIDES + "/")} | {"", "lib"})
        folders = [(folder, False) for folder in flat] + [(folder, True) for folder in (OWN, HIDES)]
        found.files, found.folders = {}, set()
        for path, checksum in self._ask(_HASHED + _LOOK % (OWN, wanted, folders), _PAIR):
            if checksum is None:
                found.folders.add(path)
            else:
                found.files[path] = checksum

    def write(self, path: str, content: bytes) -> None:
        """Write a file, and compare what is there then. Raises CommandError, Stopped."""
        folders = [folder.as_posix() for folder in reversed(PurePosixPath(path).parents) if folder.as_posix() != "."]
        try:
            self._repl.run(_FOLDERS % (folders,))
            self._repl.write(path, content)
        except ProgramError as error:
            raise DeployError(f"{self.port}: {path}: not written ({error.reason}): {_remedy(error)}") from error
        there = list(self._ask(f"{_HASHED}print(repr(({path!r}, hashed({path!r}))))", _PAIR))
        if there != [(path, digest(content))]:
            raise DeployError(f"{self.port}: {path}: reads back differently; run this again; if it stays so, the flash is broken")

    def swap(self, made: Plan) -> None:
        """Put all new files in their places. Nobody can stop that half-way. Raises CommandError."""
        folders = sorted({_parent(path) for path in made.removed} - {"", "lib", OWN}, reverse=True)
        try:
            self._repl.run(_SWAP % (list(made.kept.items()), list(made.written)), is_whole=True)
            self._repl.run(_REMOVE % (made.removed, folders), is_whole=True)
        except ProgramError as error:
            raise DeployError(f"{self.port}: the board says {error.reason}: {_remedy(error)}") from error

    def discard(self, paths: list[str]) -> None:
        """Remove new files that do not take their places, as far as the board still answers."""
        with suppress(LineError, ProgramError, OSError, Stopped):
            self._repl.stop = Event()
            self._repl.enter()
            self._repl.run(_REMOVE % (paths, []), is_whole=True)

    def start(self, seconds: float) -> str:
        """Start the program, and return the first line that it says. Raises CommandError, Stopped."""
        try:
            self._is_started = True
            self._repl.start()
            return self._first_words(seconds)
        except OSError as error:
            raise DeployError(f"{self.port}: copied, but then lost the board ({error}); plug it in and run this again") from error

    def _first_words(self, seconds: float) -> str:
        words = FirstWords(time.monotonic(), seconds)
        while not words.are_over(time.monotonic()):
            if self._stop.is_set():
                raise Stopped
            words.hear(self._repl.listen(), time.monotonic())
            time.sleep(LOOK_S)
        if words.fault:
            raise DeployError(f"{self.port}: copied, {words.fault}")
        return words.greeting

    def _ask(self, program: str, fields: int) -> Iterator[tuple[Any, ...]]:
        """Run a program on the board, and iterate the tuples that it prints: pairs; or a first one with so many fields, or more."""
        try:
            lines = self._repl.run(program + _END).split("\n")
        except ProgramError as error:
            raise DeployError(f"{self.port}: the board says {error.reason}: {_remedy(error)}") from error
        try:
            answers = [ast.literal_eval(line.strip()) for line in lines[:-2]]
            is_good = lines[-2].strip() == "end" and _are_good(answers, fields)
        except (ValueError, SyntaxError, TypeError, IndexError, RecursionError, MemoryError):
            is_good = False
        if not is_good:
            raise DeployError(f"{self.port}: the answer of the board is damaged; run this again")
        yield from answers


def _are_good(answers: list[Any], fields: int) -> bool:
    """Tell whether answers are what a program prints: (path, checksum or None); or a head, and then (path, part of the file)."""
    has_head = fields > _PAIR
    if has_head and not (answers and isinstance(answers[0], tuple) and len(answers[0]) >= fields):
        return False
    kinds: tuple[type, ...] = (bytes,) if has_head else (str, type(None))
    return all(
        isinstance(each, tuple) and len(each) == _PAIR and isinstance(each[0], str) and isinstance(each[1], kinds)
        for each in answers[has_head:]
    )


def _parent(path: str) -> str:
    parent = PurePosixPath(path).parent.as_posix()
    return "" if parent == "." else parent


def _remedy(error: ProgramError) -> str:
    """Return what to do about what a board says."""
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, error.reason)), "reset it and run this again")
