"""Makes the files that go onto a board. The same sources always give the same bytes."""

from __future__ import annotations

import functools
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from faction import __version__

from .compile import BOARDS, PACKAGE, compile_package
from .output import filled

# How much of the package: the names of its modules.
_NODE = ("__init__.py", "machine.py", "clock.py", "wire.py", "peers.py", "node.py", "wait.py", "key.py")
SLICES = {
    "core": ("__init__.py", "machine.py"),
    "node": _NODE,
    "console": (*_NODE, "names.py", "observer.py", "journal.py", "console.py"),
    "full": tuple(sorted(path.name for path in PACKAGE.glob("*.py"))),
}
_EVERYWHERE = ("__init__.py", "bridge.py", "ring.py", "stream.py", "udp.py", "uart.py")
_COMMON = {name: f"common/{name}" for name in ("member.py", "calls.py", "retry.py", "last_error.py")}
_PROCESS = {**_COMMON, **{name: f"micropython/{name}" for name in ("terminal.py", "rest.py", "traceback_text.py")}}
_BOARD = {name: f"common/{name}" for name in ("uplink.py", "status_led.py")}
_MICROPYTHON = {**_PROCESS, **_BOARD, **{name: f"micropython/{name}" for name in ("main.py", "wiring.py", "station.py", "guard.py")}}
_CIRCUITPYTHON = ("code.py", "application.py", "wiring.py", "station.py", "guard.py", "traceback_text.py")
# The programs of each kind of board: {name on the board: file in boards/}.
PROGRAMS = {
    "esp32": {**_MICROPYTHON, "application.py": "micropython/application_esp32.py"},
    "rp2040": {**_MICROPYTHON, "application.py": "micropython/application_rp2040.py"},
    "circuitpython": {**_COMMON, **_BOARD, **{name: f"circuitpython/{name}" for name in _CIRCUITPYTHON}},
    "unix": {**_PROCESS, "main.py": "unix/main.py", "line.py": "unix/line.py"},
}
# The transports that each kind of board can use.
TRANSPORTS = {
    "esp32": (*_EVERYWHERE, "espnow.py", "espnow_driver.py", "espnow_micropython.py"),
    "rp2040": _EVERYWHERE,
    "circuitpython": (*_EVERYWHERE, "espnow.py", "espnow_driver.py", "espnow_circuitpython.py"),
    "unix": _EVERYWHERE,
}
# The processors that native code can be made for: mpy-cross's name, and the boards that have it.
ARCHITECTURES = {
    "armv6m": "RP2040",
    "armv7emsp": "RP2350",
    "xtensawin": "ESP32, ESP32-S3",
    "rv32imc": "ESP32-C3, ESP32-C6",
    "x64": "unix port, 64 bit",
}
RELEASE_STEPS = len(PROGRAMS) + len(ARCHITECTURES) + 1
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of all files in a zip file: the earliest that is possible, so that it is always the same


def sources(kind: str, slice_name: str = "full") -> list[Path]:
    """Return the files of the package that a kind of board gets."""
    found = [PACKAGE / name for name in SLICES[slice_name]]
    if slice_name != "core":
        found += [PACKAGE / "transports" / name for name in TRANSPORTS[kind]]
    return found


def board(kind: str, slice_name: str = "full") -> dict[str, bytes]:
    """Return {path on the board: content} for a kind of board, without its configuration.

    lib/faction holds .mpy files. For CircuitPython it holds minified sources, because its .mpy files differ. Raises
    FileNotFoundError or CompileError, as compile_package does.
    """
    files: dict[str, bytes] = {}
    with TemporaryDirectory() as folder:
        if kind != "circuitpython":
            compile_package(PACKAGE, folder)
        for path in sources(kind, slice_name):
            name = path.relative_to(PACKAGE.parent)
            if kind == "circuitpython":
                files[f"lib/{name.as_posix()}"] = minified(path).encode()
            else:
                compiled = name.with_suffix(".mpy")
                files[f"lib/{compiled.as_posix()}"] = (Path(folder) / compiled).read_bytes()
    if slice_name != "core":
        files.update({name: (BOARDS / source).read_bytes() for name, source in PROGRAMS[kind].items()})
    return dict(sorted(files.items()))


def minified(path: Path) -> str:
    """Return a source without comments, docstrings and annotations, for a board that compiles it itself."""
    return _minified(path.read_text(encoding="utf-8"), path.name)


@functools.cache  # many boards of one kind get the same
def _minified(source: str, name: str) -> str:
    import python_minifier  # here, for it takes long to start

    text: str = python_minifier.minify(
        source,
        filename=name,
        remove_literal_statements=True,
        rename_locals=True,
        rename_globals=False,
        hoist_literals=False,
    )
    return text


def native(architecture: str, folder: str | Path, source: str | Path = PACKAGE) -> list[Path]:
    """Compile the package to native code in folder/faction, and return the paths of its .mpy files. Raises as compile_package does."""
    return compile_package(source, folder, f"-march={architecture}", "-X", "emit=native")


def write(files: dict[str, bytes], root: Path, part: str = "") -> None:
    """Write the files of a board to root/part, and remove those of an earlier build. Raises as output.filled does."""
    with filled(root, part) as fresh:
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def zip_files(files: dict[str, bytes], path: Path) -> None:
    """Write a zip file. Its bytes depend only on the files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def mip_package(names: list[str]) -> str:
    """Return a package.json for mip. It installs these files of the package, which are beside it."""
    urls = [[name, name] for name in sorted(names)]
    return json.dumps({"urls": urls, "deps": [], "version": __version__}, indent=1) + "\n"


def release(folder: Path, advance: Callable[[int], object] = lambda count: None) -> list[Path]:
    """Fill a folder with what a release has for boards: zip files, a tree for mip, checksums. Return the files.

    advance is called RELEASE_STEPS times, with 1. Raises as output.filled and compile_package do.
    """
    with filled(folder) as fresh:
        for kind in PROGRAMS:
            zip_files(board(kind), fresh / f"faction-{__version__}-{kind}.zip")
            advance(1)
        for architecture in ARCHITECTURES:
            _zip_native(architecture, fresh)
            advance(1)
        compiled = compile_package(PACKAGE, fresh / "mip")
        (fresh / "mip" / "package.json").write_text(mip_package([path.relative_to(fresh / "mip").as_posix() for path in compiled]))
        names = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
        lines = [f"{hashlib.sha256((fresh / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
        (fresh / "SHA256SUMS").write_text("".join(lines))
        advance(1)
    return [folder / name for name in [*names, "SHA256SUMS"]]


def _zip_native(architecture: str, folder: Path) -> None:
    """Make the zip file with the native code for an architecture."""
    with TemporaryDirectory() as scratch:
        compiled = native(architecture, Path(scratch))
        files = {path.relative_to(scratch).as_posix(): path.read_bytes() for path in compiled}
    zip_files(files, folder / f"faction-{__version__}-native-{architecture}.zip")
