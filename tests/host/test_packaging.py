"""What is installed: a wheel with nothing missing and nothing too much, without dependencies, and typed."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import faction
from faction_tools.fleet import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the wheel and the source archive, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def names(built):
    """Return the names of the files in the wheel."""
    with zipfile.ZipFile(built[0]) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def fresh(built, tmp_path_factory):
    """Return the bin folder of an environment with the wheel and nothing else. No package index is asked."""
    folder = tmp_path_factory.mktemp("environment") / "fresh"
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", built[0]], check=True, timeout=300)
    return folder / "bin"


def run(folder, *command, **variables):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, cwd=folder, env={**inherited, **variables}, capture_output=True, text=True, timeout=120)


def test_the_wheel_has_every_file_that_is_used(names):
    def under(folder, *patterns):
        return {path.relative_to(ROOT).as_posix() for pattern in patterns for path in (ROOT / folder).rglob(pattern)}

    package = under("faction", "*.py", "py.typed")
    boards = under("boards", "*.py", "*.md", "*.json")
    tools = under("tools", "*.py", "py.typed", "*.toml", "*.html") - under("tools/dev", "*")
    wanted = package | {f"faction_{name}" if name.startswith("tools/") else f"faction_tools/{name}" for name in boards | tools}
    assert len(package) > 15 and len(boards) > 15 and len(tools) > 30
    assert wanted <= names, sorted(wanted - names)


def test_the_wheel_has_nothing_that_needs_the_checkout(names):
    assert all(name.startswith(("faction/", "faction_tools/")) for name in names), names
    assert not [name for name in names if "/dev/" in name or "test" in name]


def test_the_source_archive_builds_and_leaves_out_what_was_made(built):
    with tarfile.open(built[1]) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "faction/machine.py", "tools/cli.py"} <= inside
    assert not [name for name in inside if name.startswith((".venv", "build", "dist", "tests/runtimes/node_modules"))]


def test_only_extras_bring_dependencies(built):
    with zipfile.ZipFile(built[0]) as archive:
        metadata = message_from_bytes(archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))))
    required = metadata.get_all("Requires-Dist")
    assert sorted(metadata.get_all("Provides-Extra")) == ["dask", "tools"]
    assert required and all("extra ==" in each for each in required), required
    tools = {re.match(r"[\w-]+", each)[0] for each in required if 'extra == "tools"' in each}
    assert {"matplotlib", "mpremote", "pydantic", "pyserial", "python-minifier", "rich"} <= tools
    assert {"faction", "distributed"} == {re.match(r"[\w-]+", each)[0] for each in required if 'extra == "dask"' in each}


def test_the_machine_runs_where_nothing_else_is_installed(fresh, tmp_path):
    example = (ROOT / "tests/portable/test_crate_example.py").read_text() + "\ntest_crate_example()\nprint('done')\n"
    done = run(tmp_path, fresh / "python", "-c", example)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("words", [("check",), ("build",), ("deploy", "PORT", "0"), ("probe", "PORT"), ("simulate",)])
def test_the_command_says_what_it_lacks(fresh, tmp_path, words):
    done = run(tmp_path, fresh / "faction", *words)
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(r"\w+ is not installed; run: pip install 'faction\[tools\]'\n", done.stderr), done.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_writes_a_roster_and_helps_without_extras(fresh, tmp_path):
    assert run(tmp_path, fresh / "faction", "new").returncode == 0 and (tmp_path / "faction.toml").is_file()
    assert run(tmp_path, fresh / "faction", "--version").stdout == f"faction {faction.__version__}\n"
    assert "simulate" in run(tmp_path, fresh / "faction").stdout


def test_the_command_builds_from_what_is_installed(built, tmp_path):
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, built[0]]
    subprocess.run(install, check=True, timeout=300)
    where = run(tmp_path, sys.executable, "-c", "import faction_tools; print(faction_tools.__file__)", PYTHONPATH=str(target))
    assert str(target) in where.stdout
    done = run(tmp_path, target / "bin/faction", "build", PYTHONPATH=str(target))
    assert done.returncode == 0, done.stderr
    for kind in build.PROGRAMS:
        folder = tmp_path / "build" / kind
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert files == build.board(kind), kind
    listed = run(tmp_path, target / "bin/faction", "simulate", PYTHONPATH=str(target))
    assert listed.returncode == 0 and "greenhouse" in listed.stdout


TYPED = """
from faction import Config, Faction, majority
from faction.node import SLOW, Node
from faction.transports.udp import UDP
from faction_tools.errors import CommandError

node = Node(Config(0, range(5), majority), UDP(47000), "greenhouse", deadline_ms=30000, **SLOW)
machine: Faction = node.machine
silent: list[int] = node.missing()[0]
text: str = str(CommandError("a line"))
"""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [("", "", None), ("deadline_ms=30000", "deadline_ms='30'", "arg-type"), ("str = str", "int = str", "assignment")],
)
def test_a_program_that_uses_what_is_installed_is_checked_strictly(fresh, tmp_path, old, new, complaint):
    (tmp_path / "program.py").write_text(TYPED.replace(old, new) if old else TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", fresh / "python", "program.py"]
    command += ["--cache-dir", fresh.parent / "types"]
    done = run(tmp_path, *command)
    if complaint is None:
        assert done.returncode == 0 and "Success" in done.stdout, done.stdout + done.stderr
    else:
        assert done.returncode == 1 and f"[{complaint}]" in done.stdout, done.stdout + done.stderr
