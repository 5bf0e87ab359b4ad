"""Frames of every kind into a node, on every interpreter: python -m faction_tools.dev.verify.fuzz [--frames N] [--seed N].

tests/host/device/fuzz.py is the program that runs there. It says what must not happen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .. import interpreters
from .promela import NOT_CHECKED

DEVICE = interpreters.ROOT / "tests" / "host" / "device"
_RUN_ON_NODE = interpreters.ROOT / "tests" / "runtimes" / "run.mjs"
_PIECE = 50_000  # frames of one process, at most
_TIMEOUT_S = 1800

# How a frame comes, its share of all frames, and the verdicts that cannot occur then.
MODES = (("", 0.5, ("UNPROVEN",)), ("key", 0.3, ()), ("line", 0.2, ("UNPROVEN", "ECHO")))
VERDICTS = (
    "BEACON",
    "MALFORMED",
    "CORRUPT",
    "OTHER_VERSION",
    "OTHER_CLUSTER",
    "OTHER_EXPECTATIONS",
    "SAME_ID",
    "STRANGER",
    "STALE",
    "ECHO",
    "UNPROVEN",
)
FRAMES = {"cpython": 1_000_000, "micropython": 300_000, "micropython-32bit": 300_000}


@dataclass
class Interpreter:
    """Where the program runs. ``command``: none if the interpreter is not installed."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def interpreters_with(folder: str | Path) -> Iterator[Interpreter]:
    """Compile the package into a folder, and iterate the interpreters."""
    micropython, node, script = interpreters.micropython(), interpreters.node(), str(DEVICE / "fuzz.py")
    if interpreters.mpy_cross():
        interpreters.compile_package(interpreters.PACKAGE, folder)
    else:
        micropython = node = None
    on_node = [str(node), str(_RUN_ON_NODE), f"/lib={folder}", f"/tests={DEVICE}", "fuzz", "--"]
    yield Interpreter("cpython", [sys.executable, script], {"PYTHONPATH": str(interpreters.PACKAGE.parent)})
    yield Interpreter("micropython", [micropython, script] if micropython else [], {"MICROPYPATH": f"{folder}:.frozen"})
    yield Interpreter("micropython-32bit", on_node if node and interpreters.WEBASSEMBLY else [])


class Failed(Exception):
    """A run found something. The text is what it said."""


def _run(interpreter: Interpreter, words: list[str]) -> list[int]:
    """Run the program once; return its counts by verdict."""
    done = subprocess.run(
        [*interpreter.command, *words],
        env={**os.environ, **interpreter.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise Failed(f"{interpreter.name}: fuzz.py {' '.join(words)}:\n{done.stdout}")
    return [int(count) for count in done.stdout.split()]


def fuzz(interpreter: Interpreter, frames: int, seed: int) -> dict[str, dict[str, int]]:
    """Run so many frames, in processes side by side; return the counts of verdicts of each mode. Raises Failed."""
    runs: list[tuple[str, list[str]]] = []
    for mode, share, _ in MODES:
        left = round(frames * share)
        while left:
            runs.append((mode, [str(seed + len(runs)), str(min(left, _PIECE)), *([mode] if mode else [])]))
            left -= min(left, _PIECE)
    counts = {mode: dict.fromkeys(VERDICTS, 0) for mode, *_ in MODES}
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        for (mode, _), found in zip(runs, executor.map(lambda each: _run(interpreter, each[1]), runs)):
            for verdict, count in zip(VERDICTS, found):
                counts[mode][verdict] += count
    return counts


def missing(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the verdicts that should have occurred, and did not: then the frames are too tame."""
    return [
        f"{verdict} {mode}".strip()
        for mode, _, impossible in MODES
        for verdict, count in counts[mode].items()
        if not count and verdict not in impossible
    ]


def check(interpreter: Interpreter, frames: int, seed: int) -> int:
    """Run so many frames on an interpreter, and say what came of it. Return 1 if something was found, or NOT_CHECKED."""
    if not interpreter.command:
        print(f"  {interpreter.name}: not checked; it is not installed")
        return NOT_CHECKED
    try:
        counts = fuzz(interpreter, frames, seed)
    except Failed as failed:
        print(f"  {failed}")
        return 1
    total = {verdict: sum(each[verdict] for each in counts.values()) for verdict in VERDICTS}
    print(f"  {interpreter.name}: {frames:,} frames: " + ", ".join(f"{count:,} {verdict}" for verdict, count in total.items()))
    absent = missing(counts)
    if absent:
        print(f"  {interpreter.name}: these verdicts did not occur: {', '.join(absent)}")
    return 1 if absent else 0


def main() -> int:
    """Run all; return 1 if something was found, or NOT_CHECKED if an interpreter is missing."""
    parser = argparse.ArgumentParser(prog="python -m faction_tools.dev.verify.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, metavar="N", help=f"on each interpreter ({', '.join(f'{n:,}' for n in FRAMES.values())})")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first process (1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        codes = {check(each, options.frames or FRAMES[each.name], options.seed) for each in interpreters_with(folder)}
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
