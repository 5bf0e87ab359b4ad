"""The imports point down, in one order for the whole repository, and never in a circle but for the two that the design allows.

The graph is computed from the sources. What stands under _FOR_TYPE_CHECKERS or TYPE_CHECKING is never imported when a
program runs. In the package it may point up where TYPES_UP allows it; so the only circles are of types.
"""

import ast
import functools
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"faction": "faction", "boards": "boards", "tools": "faction_tools"}
# The layers of the package, from the bottom. Modules of one layer do not import each other, but for WITHIN.
LAYERS = (
    {"faction.machine"},
    {"faction", "faction.names", "faction.view", "faction.observer", "faction.journal", "faction.clock"},
    {"faction.wire", "faction.key", "faction.peers", "faction.transports"},
    {"faction.node", "faction.wait"},
    {"faction.console"},
)
WITHIN = {
    ("faction.view", "faction.names"),
    ("faction.journal", "faction.names"),
    ("faction.journal", "faction.observer"),  # a journal is an observer
    ("faction.key", "faction.wire"),  # a key is a seal of the wire
    ("faction.key", "faction.peers"),  # under a key, peers must prove that they are alive
    ("faction.peers", "faction.wire"),  # what a frame says of its sender
    ("faction.node", "faction.wait"),  # an async def needs a file of its own
}
# What may point up, because it is for type checkers alone.
TYPES_UP = {
    ("faction.machine", "faction.observer"),
    ("faction.observer", "faction.node"),
    ("faction.journal", "faction.node"),
    ("faction.wait", "faction.node"),
    ("faction.peers", "faction.node"),
}
# The rooms of the tools, and what each may import of the others.
ROOMS = {
    "errors": set(),
    "files": {"errors"},
    "interrupts": set(),
    "wording": set(),
    "toml": {"errors", "files"},
    "serial": {"errors", "wording"},
    "fleet": {"errors", "files", "wording", "toml", "serial"},
    "journals": {"errors", "files"},
    "simulator": {"errors", "interrupts", "toml", "fleet", "journals"},
    "shown": {"errors", "wording", "fleet", "serial", "journals", "simulator"},
    "commands": {"errors", "files", "interrupts", "wording", "toml", "fleet", "serial", "journals", "simulator", "shown"},
    "cli": {"errors", "interrupts", "commands"},
}
TYPE_GUARDS = ("_FOR_TYPE_CHECKERS", "TYPE_CHECKING")


def modules(root):
    """Return {name of a module: its path} of faction, boards and tools."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root / folder).with_suffix("").parts
            if "device" not in parts:  # scripts for MicroPython, copied to where they run
                found[".".join([package, *parts]).removesuffix(".__init__")] = path
    return found


def imports(name, path, known):
    """Yield (module that is imported, whether for type checkers alone) for each import in a source."""
    for target, is_type in named(path.read_text(), name, path.name == "__init__.py"):
        while target and target not in known:
            target = target.rpartition(".")[0]  # a name of the module, not a module
        if target and target != name:
            yield target, is_type


@functools.cache
def named(source, name, is_package):
    """Return (the full name, whether for type checkers alone) of each import in the source of a module."""
    guarded, found = set(), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id in TYPE_GUARDS:
            guarded |= {id(inner) for statement in node.body for inner in ast.walk(statement)}
        found += [(target, id(node) in guarded) for target in targets(node, name, is_package)]
    return found


def targets(node, name, is_package):
    """Yield the full names that a statement imports; from x import y may mean the module x.y."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = name.split(".")
            parent = parts[: len(parts) - node.level + is_package]
            base = ".".join([*parent, base] if base else parent)
        yield from (f"{base}.{alias.name}" for alias in node.names)


def graph(root=ROOT):
    """Return {(module, module that it imports): whether for type checkers alone}."""
    known = modules(root)
    edges = {}
    for name, path in known.items():
        for target, is_type in imports(name, path, known):
            edges[name, target] = edges.get((name, target), True) and is_type
    return edges


def circles(edges):
    """Return the sets of modules each of which leads to itself."""
    following = {}
    for source, target in edges:
        following.setdefault(source, set()).add(target)

    def reached(start):
        found, waiting = set(), [start]
        while waiting:
            for each in following.get(waiting.pop(), set()) - found:
                found.add(each)
                waiting.append(each)
        return found

    reach = {source: reached(source) for source in following}
    return {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in reach if name in reach[name]}


def layer(name):
    """Return the number of the layer of a module of the package, or None."""
    name = "faction.transports" if name.startswith("faction.transports.") else name
    return next((number for number, names in enumerate(LAYERS) if name in names), None)


def room(name):
    return name.split(".")[1] if "." in name else ""


def upward(edges):
    """Return what points up, or to the side where it must not, in words."""
    wrong = []
    for (source, target), is_type in edges.items():
        places = source.partition(".")[0], target.partition(".")[0]
        if not is_allowed(source, target, places, is_type):
            wrong.append(f"{source} imports {target}")
    return sorted(wrong)


def is_allowed(source, target, places, is_type):
    if places == ("faction", "faction"):
        if is_type and (source, target) in TYPES_UP:
            return True
        if source.startswith("faction.transports."):
            return layer(target) <= layer(source)
        return layer(target) < layer(source) or (source, target) in WITHIN
    if places[1] == "faction":
        return True  # boards and tools stand on the package
    if places == ("faction_tools", "faction_tools"):
        return room(source) in ("dev", room(target)) or room(target) in ROOMS[room(source)]
    return places[0] == places[1]  # boards are no modules of the tools, and the package knows neither


def at_run_time(edges):
    return [edge for edge, is_type in edges.items() if not is_type]


def test_every_module_of_the_package_has_its_layer():
    assert [name for name in modules(ROOT) if name.startswith("faction.") and layer(name) is None] == []


def test_every_room_of_the_tools_has_its_rule():
    rooms = {room(name) for name in modules(ROOT) if name.startswith("faction_tools.")}
    assert rooms - {"dev"} <= set(ROOMS), rooms


def test_imports_point_down():
    edges = graph()
    assert len(edges) > 100
    assert upward(edges) == []


def test_the_machine_imports_nothing_of_the_package():
    assert [target for source, target in at_run_time(graph()) if source == "faction.machine"] == []


def test_nothing_imports_dev():
    assert [edge for edge in graph() if ".dev" in edge[1] and ".dev" not in edge[0]] == []


def test_there_is_no_circle_but_of_types():
    edges = graph()
    assert circles(at_run_time(edges)) == set()
    assert circles(set(edges) - TYPES_UP) == set()


PLANTED = [
    # The file, the line that goes to its top, and what the tests then say.
    ("faction/machine.py", "from .node import Node", "faction.machine imports faction.node"),
    ("faction/names.py", "import faction.console", "faction.names imports faction.console"),
    ("tools/fleet/roster.py", "from ..commands import ROSTER", "faction_tools.fleet.roster imports faction_tools.commands"),
    ("tools/shown/palette.py", "from ..cli import main", "faction_tools.shown.palette imports faction_tools.cli"),
    ("tools/commands/check.py", "from ..dev import demo", "faction_tools.commands.check imports faction_tools.dev.demo"),
]


@pytest.fixture
def copy(tmp_path):
    """Return a copy of all sources."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    return tmp_path


@pytest.mark.parametrize(("file", "line", "said"), PLANTED)
def test_what_points_up_is_found(copy, file, line, said):
    plant(copy / file, line)
    assert said in upward(graph(copy))


def plant(path, line):
    path.write_text(line + "\n" + path.read_text().replace("from __future__ import annotations", ""))


def test_a_circle_within_a_room_is_found(copy):
    plant(copy / "tools/journals/files.py", "def later():\n    from .steps import Step")
    plant(copy / "tools/journals/steps.py", "from . import files")
    assert circles(at_run_time(graph(copy))) == {frozenset({"faction_tools.journals.files", "faction_tools.journals.steps"})}
