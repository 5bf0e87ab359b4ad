"""What goes onto a board: compiled or minified files, in slices, the same byte for byte every time."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from faction import __version__

from .compile import BOARDS, PACKAGE, compile_package

_NODE = ("__init__.py", "machine.py", "clock.py", "wire.py", "node.py", "wait.py", "key.py")
SLICES = {
    "core": ("__init__.py", "machine.py"),
    "node": _NODE,
    "console": (*_NODE, "names.py", "observer.py", "journal.py", "console.py"),
    "full": tuple(sorted(path.name for path in PACKAGE.glob("*.py"))),
}
_EVERYWHERE = ("__init__.py", "ring.py", "stream.py", "udp.py", "uart.py")
_COMMON = {"member.py": "common/member.py"}
_TERMINAL = {"terminal.py": "micropython/terminal.py"}
_MICROPYTHON = {**_COMMON, **_TERMINAL, "main.py": "micropython/main.py", "wiring.py": "micropython/wiring.py"}
# The programs of each kind of board: {name on the board: file in boards/}.
PROGRAMS = {
    "esp32": {**_MICROPYTHON, "application.py": "micropython/application_esp32.py"},
    "rp2040": {**_MICROPYTHON, "application.py": "micropython/application_rp2040.py"},
    "circuitpython": {**_COMMON, **{name: f"circuitpython/{name}" for name in ("code.py", "application.py", "wiring.py")}},
    "unix": {**_COMMON, **_TERMINAL, "main.py": "unix/main.py"},
}
# The transports that each kind of board can use.
TRANSPORTS = {
    "esp32": (*_EVERYWHERE, "espnow.py", "espnow_driver.py", "espnow_micropython.py"),
    "rp2040": _EVERYWHERE,
    "circuitpython": (*_EVERYWHERE, "espnow.py", "espnow_driver.py", "espnow_circuitpython.py"),
    "unix": _EVERYWHERE,
}
# For native code: what the boards' processors are called by mpy-cross.
ARCHITECTURES = {
    "armv6m": "RP2040",
    "armv7emsp": "RP2350",
    "xtensawin": "ESP32, ESP32-S3",
    "rv32imc": "ESP32-C3, ESP32-C6",
    "x64": "unix port, 64 bit",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of all entries of a zip file: its earliest, and always the same


def sources(kind: str, slice_name: str = "full") -> list[Path]:
    """Return the files of the package that a kind of board gets."""
    found = [PACKAGE / name for name in SLICES[slice_name]]
    if slice_name != "core":
        found += [PACKAGE / "transports" / name for name in TRANSPORTS[kind]]
    return found


def board(kind: str, slice_name: str = "full") -> dict[str, bytes]:
    """Return {path on the board: content} for a kind of board, without its configuration.

    lib/faction holds .mpy files, on CircuitPython, whose format differs, minified sources. Raises RuntimeError or
    FileNotFoundError as the compiler does.
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
    """Return a source without comments, docstrings and annotations, for boards that compile it themselves."""
    import python_minifier  # here, for it takes long to start

    text: str = python_minifier.minify(
        path.read_text(encoding="utf-8"),
        filename=path.name,
        remove_literal_statements=True,
        rename_locals=True,
        rename_globals=False,
        hoist_literals=False,
    )
    return text


def native(architecture: str, folder: Path) -> list[Path]:
    """Compile the package to native code in folder/faction, and return the paths of its .mpy files."""
    return compile_package(PACKAGE, folder, f"-march={architecture}", "-X", "emit=native")


def write(files: dict[str, bytes], folder: Path) -> None:
    """Write the files to folder, and remove what else is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def zip_files(files: dict[str, bytes], path: Path) -> None:
    """Write a zip file whose bytes depend on the files alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def mip_package(names: list[str]) -> str:
    """Return a package.json for mip that installs these files of the package from beside it."""
    urls = [[name, name] for name in sorted(names)]
    return json.dumps({"urls": urls, "deps": [], "version": __version__}, indent=1) + "\n"


def source_package() -> str:
    """Return the package.json of the repository, which installs the sources."""
    return mip_package([path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob("*.py")])


def release(folder: Path) -> list[Path]:
    """Fill folder with what a release has for boards: zip files, a tree for mip, checksums. Return the files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for kind in PROGRAMS:
        zip_files(board(kind), folder / f"faction-{__version__}-{kind}.zip")
    with TemporaryDirectory() as scratch:
        for architecture in ARCHITECTURES:
            out = Path(scratch) / architecture
            compiled = {path.relative_to(out).as_posix(): path.read_bytes() for path in native(architecture, out)}
            zip_files(compiled, folder / f"faction-{__version__}-native-{architecture}.zip")
        compiled_files = compile_package(PACKAGE, folder / "mip")
    names = [path.relative_to(folder / "mip").as_posix() for path in compiled_files]
    (folder / "mip" / "package.json").write_text(mip_package(names))
    made = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in made]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return [*made, folder / "SHA256SUMS"]
