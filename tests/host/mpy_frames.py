"""How much of CircuitPython's stack for Python frames each function takes: see test_pystack.py.

The numbers come from files that mpy-cross compiles. Their layout: MicroPython's py/persistentcode.c, and MP_BC_PRELUDE_SIG in py/bc.h.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import CodeType

from faction_tools.dev import interpreters

WORD = 4  # bytes, of a 32-bit board
HEADER = 20  # bytes of mp_code_state_t before its slots
HANDLER = 12  # bytes of an exception handler
ALIGN = 8
_PLAIN_OBJECTS, _STRINGS, _TUPLE = range(5), (5, 6), 10


class Function:
    """A function, or a module, or the body of a class. ``size``: its frame; 0 for a generator, whose frame is on the heap."""

    def __init__(self, name: str, size: int, within: list[Function]) -> None:
        self.name = name
        self.size = size
        self.within = within


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 4  # behind the head

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def number(self) -> int:
        byte = self.byte()
        value = byte & 0x7F
        while byte & 0x80:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
        return value

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def name(self) -> str:
        """Return a name; "" for one that every firmware has, and that stands as a number."""
        head = self.number()
        return "" if head & 1 else self.take((head >> 1) + 1)[:-1].decode()

    def skip_object(self) -> None:
        kind = self.byte()
        if kind in _PLAIN_OBJECTS:
            return
        count = self.number()
        if kind == _TUPLE:
            for _ in range(count):
                self.skip_object()
        else:
            self.take(count + (kind in _STRINGS))

    def function(self, names: list[str]) -> Function:
        head = self.number()
        code = _Reader(b"head" + self.take(head >> 3))
        slots, handlers, is_generator = code.signature()
        code.number_of_sizes()
        name = names[code.number()]
        within = [self.function(names) for _ in range(self.number())] if head & 4 else []
        size = HEADER + WORD * slots + HANDLER * handlers
        return Function(name, 0 if is_generator else (size + ALIGN - 1) // ALIGN * ALIGN, within)

    def signature(self) -> tuple[int, int, bool]:
        """Return how many slots and exception handlers a frame has, and whether it is a generator's."""
        byte = self.byte()
        slots, handlers, flags, place = byte >> 3 & 0xF, byte >> 2 & 1, 0, 0
        while byte & 0x80:
            byte = self.byte()
            slots |= (byte & 0x30) << 2 * place
            handlers |= (byte & 2) << place
            flags |= (byte >> 6 & 1) << place
            place += 1
        return slots + 1, handlers, bool(flags & 1)

    def number_of_sizes(self) -> None:
        while self.byte() & 0x80:
            pass


def compiled(path: Path, folder: Path) -> Function:
    """Compile a file in a folder, and return its module."""
    target = folder / "compiled.mpy"
    subprocess.run([str(interpreters.mpy_cross()), "-o", str(target), str(path)], check=True)
    reader = _Reader(target.read_bytes())
    names, objects = reader.number(), reader.number()
    table = [reader.name() for _ in range(names)]
    for _ in range(objects):
        reader.skip_object()
    return reader.function(table)


def frames(path: Path, folder: Path) -> dict[str, int]:
    """Return {"line name": bytes} of the functions of a file, by their first line and name in CPython."""
    found: dict[str, int] = {}
    _pair(compile(path.read_text(), str(path), "exec"), compiled(path, folder), found)
    return found


def _pair(code: CodeType, function: Function, found: dict[str, int]) -> None:
    """Pair the functions that CPython and mpy-cross find in a text, in its order. The latter leaves out what only type checkers read."""
    found[f"{code.co_firstlineno} {code.co_name}"] = function.size
    rest = list(function.within)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            at = next((i for i, other in enumerate(rest) if other.name in ("", each.co_name)), None)
            if at is not None:
                _pair(each, rest[at], found)
                del rest[: at + 1]
