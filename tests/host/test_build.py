"""What is built for boards: whole, the same every time, and loadable; and what a release holds."""

import ast
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from needs import needs_micropython

import faction
from faction import Config
from faction.node import Node
from faction.transports.loopback import Hub
from faction_tools.dev import interpreters
from faction_tools.fleet import build, examples, roster

ROOT = Path(__file__).parents[2]
# In the head of a .mpy file: "M", version 6, then the architecture of native code in the upper six bits and the sub-version.
NATIVE_CODES = {"x64": 2, "armv6m": 4, "armv7emsp": 7, "xtensawin": 10, "rv32imc": 11}
OURS = {"faction", *(Path(name).stem for programs in build.PROGRAMS.values() for name in programs)}
IMPORT_ALL = "import faction, faction.node, faction.journal, faction.view, faction.key, faction.transports.uart"


def run_on_micropython(folder, program):
    environment = dict(os.environ, MICROPYPATH=f"{folder}:.frozen")
    return subprocess.run([interpreters.micropython(), "-c", program], env=environment, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    build.release(folder / "dist")
    return folder / "dist"


def test_a_release_is_the_same_byte_for_byte(release, tmp_path):
    build.release(tmp_path / "again")
    assert (tmp_path / "again/SHA256SUMS").read_bytes() == (release / "SHA256SUMS").read_bytes()


def test_the_checksums_are_those_of_the_files(release):
    lines = (release / "SHA256SUMS").read_text().splitlines()
    assert len(lines) > 25
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == checksum, name


@pytest.mark.parametrize("kind", build.PROGRAMS)
def test_a_board_gets_what_its_programs_import(kind, release):
    with zipfile.ZipFile(release / f"faction-{faction.__version__}-{kind}.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files == build.board(kind)
    modules = {Path(name).with_suffix("").as_posix().removeprefix("lib/") for name in files}
    for name in (name for name in files if name.endswith(".py")):
        for module in imported(files[name]):
            if module.partition(".")[0] in OURS:
                path = module.replace(".", "/")
                # wiring.py knows every transport; the roster lets no board ask for one that it has not.
                assert {path, f"{path}/__init__"} & modules or "espnow" in module, (name, module)


def test_a_board_between_two_airs_gets_the_modules_of_both(tmp_path):
    """The board "south" of the example is an ESP32 with ESP-NOW and a UART."""
    path = tmp_path / "faction.toml"
    path.write_text(examples.EXAMPLE)
    checked = roster.load(path)
    south = checked.board("south")
    assert south.kind == "esp32" and [each.kind for each in checked.transports_of(south)] == ["espnow", "uart"]
    command = [sys.executable, "-m", "faction_tools.cli", "build", str(path), "--out", str(tmp_path / "out")]
    for slice_name in ("node", "console", "full"):
        subprocess.run([*command, "--slice", slice_name], check=True, capture_output=True)
        files = {each.name for each in (tmp_path / "out/esp32/lib/faction/transports").iterdir()}
        assert files >= {"bridge.mpy", "espnow.mpy", "espnow_driver.mpy", "espnow_micropython.mpy", "uart.mpy", "stream.mpy", "ring.mpy"}


@pytest.mark.parametrize("kind", build.PROGRAMS)
def test_every_kind_of_board_gets_the_bridge(kind):
    assert any("transports/bridge." in name for name in build.board(kind, "node"))


@pytest.mark.parametrize("program", sorted({source for programs in build.PROGRAMS.values() for source in programs.values()}))
def test_what_a_program_asks_of_a_node_is_there(program):
    """The types of a hook's node are not checked, so that an application stays simple."""
    node = Node(Config(0, (0, 1), 1), Hub().join(), "x", 1000)
    nodes = ast.walk(ast.parse((ROOT / "boards" / program).read_text()))
    asked = {
        each.attr for each in nodes if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "node"
    }
    assert [name for name in asked if not hasattr(node, name)] == []
    assert asked or not program.endswith(("member.py", "application.py", "application_esp32.py", "application_rp2040.py"))


def imported(source):
    """Return the modules that a source imports, relative ones left out."""
    nodes = list(ast.walk(ast.parse(source)))
    found = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return found + [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]


@pytest.mark.parametrize("slice_name", build.SLICES)
@needs_micropython
def test_every_slice_imports(slice_name, tmp_path):
    build.write(build.board("unix", slice_name), tmp_path)
    imports = {
        "core": "import faction",
        "node": "import faction.node, faction.key",
        "console": "import faction.console, faction.journal",
        "full": IMPORT_ALL,
    }
    done = run_on_micropython(tmp_path / "lib", f"{imports[slice_name]}; print(faction.Config(1, (1, 2), 2).quorum)")
    assert done.stdout == "2\n", done.stderr


@needs_micropython
def test_native_code_of_this_machine_runs(tmp_path):
    build.native("x64", tmp_path)
    example = (ROOT / "tests/portable/test_crate_example.py").read_text()
    (tmp_path / "example.py").write_text(example)
    done = run_on_micropython(tmp_path, f"{IMPORT_ALL}; import example; example.test_crate_example(); print('done')")
    assert done.stdout == "done\n", done.stdout + done.stderr


@pytest.mark.parametrize("architecture", build.ARCHITECTURES)
def test_native_code_says_what_it_is_for(architecture, tmp_path):
    compiled = build.native(architecture, tmp_path / "native")
    plain = interpreters.compile_package(interpreters.PACKAGE, tmp_path / "plain")
    assert len(compiled) == len(plain) == len(list(interpreters.PACKAGE.rglob("*.py")))
    for path in compiled:
        head = path.read_bytes()[:3]
        assert head[:2] == b"M\x06" and head[2] >> 2 & 0x2F == NATIVE_CODES[architecture], path
    assert all(native.stat().st_size > bytecode.stat().st_size for native, bytecode in zip(compiled, plain))


@needs_micropython
def test_minified_sources_do_the_same(tmp_path):
    build.write(build.board("circuitpython"), tmp_path)
    size = sum(path.stat().st_size for path in (tmp_path / "lib").rglob("*.py"))
    assert size < sum(path.stat().st_size for path in build.sources("circuitpython")) / 2
    example = (ROOT / "tests/portable/test_crate_example.py").read_text()
    (tmp_path / "lib/example.py").write_text(example)
    program = "import example; example.test_crate_example(); import faction.node, faction.transports.uart; print('done')"
    assert run_on_micropython(tmp_path / "lib", program).stdout == "done\n"
    plain = subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "lib", capture_output=True, text=True)
    assert plain.stdout == "done\n", plain.stderr


def test_package_json_lists_every_source():
    sources = [path.relative_to(ROOT).as_posix() for path in (ROOT / "faction").rglob("*.py")]
    assert (ROOT / "package.json").read_text() == build.mip_package(sources)
    urls = json.loads((ROOT / "package.json").read_text())["urls"]
    assert all((ROOT / source).is_file() for _, source in urls)


def test_the_version_is_one():
    assert f'version="{faction.__version__}"' in (ROOT / "manifest.py").read_text()
    assert f"## {faction.__version__}" in (ROOT / "CHANGELOG.md").read_text()
