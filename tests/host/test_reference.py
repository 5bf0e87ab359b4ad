"""The reference in faction/README.md has every public name of the package, as it is, and no other."""

import ast
import importlib
import inspect
import re
import shutil

import pytest

from faction_tools.dev import reference

README = (reference.PACKAGE / "README.md").read_text(encoding="utf-8")
REFERENCE = README.partition("\n## The reference\n")[2]
MODULES = {reference.module_name(path): path for path in reference.modules()}


def sections(text):
    """Return {module: its part of the reference}."""
    parts = re.split(r"^### `([\w.]+)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def constants_in(section):
    """Return {name: value as it is written} of the tables of a section."""
    return dict(re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? \|", section, flags=re.MULTILINE))


def signatures_in(section):
    """Return {name or Class.method: its signature as it is written} of a section."""
    found, owner = {}, ""
    for indent, signature in re.findall(r"^( *)- `(?:class |async )?((?:\.?\w+)(?:\(.*\))?(?: -> .*)?)`:$", section, flags=re.MULTILINE):
        name = re.match(r"\.?\w+", signature)[0]
        if not indent:
            owner = name
        found[owner + name if indent else name] = signature[len(name) :]
    return found


def is_own(module, value):
    return getattr(value, "__module__", None) == module.__name__ and (inspect.isfunction(value) or inspect.isclass(value))


def type_checkers_alone(name):
    """Return the classes of a module that exist only for type checkers, as trees."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    found = [each for node in tree.body if isinstance(node, ast.If) for each in node.body if isinstance(each, ast.ClassDef)]
    return [each for each in found if reference.is_public(each.name)]


def public_definitions(name):
    """Return {name or Class.method: the object} of a module, as the interpreter has them."""
    module = importlib.import_module(name)
    found = {}
    for key, value in vars(module).items():
        if not reference.is_public(key) or not is_own(module, value):
            continue
        found[key] = value
        if inspect.isclass(value):
            members = {f"{key}.{each}": member for each, member in vars(value).items() if reference.is_public(each)}
            found.update({each: member for each, member in members.items() if inspect.isfunction(member) or isinstance(member, property)})
    return found


def public_constants(name):
    """Return {name: value} of what a module defines beside functions and classes."""
    module = importlib.import_module(name)
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    values = {key: value for key, value in vars(module).items() if reference.is_public(key) and key not in imported}
    if name in ("faction", "faction.transports"):  # their submodules, and the names of the machine
        values = {key: value for key, value in values.items() if key == "__version__"}
    return {key: value for key, value in values.items() if not is_own(module, value)}


def parameters(signature):
    """Return the parameters of a written signature: (name, default as a value or None)."""
    arguments = ast.parse(f"def f{signature.partition(' -> ')[0]}: pass").body[0].args
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + [ast.unparse(each) for each in arguments.defaults]
    found = [(each.arg, default) for each, default in zip(arguments.args, defaults)]
    return found + ([(arguments.vararg.arg, None)] if arguments.vararg else [])


def real_parameters(value):
    """Return the same of an object."""
    if inspect.isclass(value) and "__init__" not in vars(value):
        return []
    signature = inspect.signature(value.__init__ if inspect.isclass(value) else value)
    found = [each for each in signature.parameters.values() if each.name != "self"]
    return [(each.name, None if each.default is each.empty else each.default) for each in found]


def same_parameters(name, written, value):
    real = real_parameters(value)
    names = vars(importlib.import_module(name))
    shown = [(parameter, None if default is None else eval(default, dict(names))) for parameter, default in written]
    return shown == real


def faults(text):
    """Return what is wrong with a reference: names that are missing, superfluous, or not as they are."""
    found = []
    parts = sections(text)
    found += [f"{name}: no such module" for name in parts.keys() - MODULES.keys()]
    for name in MODULES:
        section = parts.get(name, "")
        written, real = signatures_in(section), public_definitions(name)
        unreal = {each.name for each in type_checkers_alone(name)}
        found += [f"{name}.{each}: missing" for each in (real.keys() | unreal) - written.keys()]
        found += [f"{name}.{each}: no such name" for each in written.keys() - real.keys() if each.split(".")[0] not in unreal]
        for each in written.keys() & real.keys():
            value = real[each]
            if isinstance(value, property):
                found += [f"{name}.{each}: is a property"] if "(" in written[each] else []
            elif not same_parameters(name, parameters(written[each]), value):
                found.append(f"{name}.{each}: its signature differs")
        tables, values = constants_in(section), public_constants(name)
        found += [f"{name}.{each}: missing" for each in values.keys() - tables.keys()]
        found += [f"{name}.{each}: no such constant" for each in tables.keys() - values.keys()]
        wrong = [each for each in tables.keys() & values.keys() if tables[each] and ast.literal_eval(tables[each]) != values[each]]
        found += [f"{name}.{each}: its value differs" for each in wrong]
    return found


def test_it_has_every_public_name_as_it_is_and_no_other(monkeypatch):
    monkeypatch.setattr("faction.console.served", None)  # another test of this process may have made a console
    assert faults(REFERENCE) == []


@pytest.mark.parametrize(
    "old, new, fault",
    [
        ("- `majority(count: int) -> int`:", "", "faction.machine.majority: missing"),
        ("- `majority(count", "- `minority(count", "faction.machine.minority: no such name"),
        ("`majority(count: int)", "`majority(number: int)", "faction.machine.majority: its signature differs"),
        ("interval_ms: int = 500", "interval_ms: int = 501", "faction.node.Node: its signature differs"),
        ("  - `.index(peer_id: int) -> int`:", "", "faction.machine.Config.index: missing"),
        ("  - `.overruns -> int`:", "  - `.overruns() -> int`:", "faction.transports.uart.UART.overruns: is a property"),
        ("| `TIMED_OUT` | `4` |", "| `TIMED_OUT` | `5` |", "faction.machine.TIMED_OUT: its value differs"),
        ("| `NO_PEER` | `-1` |", "| `NOBODY` | `-1` |", "faction.machine.NO_PEER: missing"),
        ("- `class Stream()`:", "", "faction.transports.stream.Stream: missing"),
        ("### `faction.key`", "### `faction.lock`", "faction.key.Key: missing"),
    ],
)
def test_each_kind_of_fault_is_found(old, new, fault):
    assert REFERENCE.count(old) == 1
    assert fault in faults(REFERENCE.replace(old, new))


def test_it_is_made_of_the_package_as_it_is_now():
    made = README.partition(reference.BEGIN)[2]
    assert made.strip() == reference.text().strip(), "run: .venv/bin/python -m faction_tools.dev.reference"


def test_a_change_of_the_package_changes_it(tmp_path):
    copy = tmp_path / "faction"
    shutil.copytree(reference.PACKAGE, copy)
    assert reference.text(copy) == reference.text()
    with (copy / "clock.py").open("a") as file:
        file.write('def sundial(hours: "int | None" = None) -> int:\n    """Return the hour. Allocates nothing."""\n')
    assert "- `sundial(hours: int | None = None) -> int`:\n  Return the hour. Allocates nothing.\n" in reference.text(copy)


def classes():
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield name, node


def public_attributes(node):
    """Return the attributes that the methods of a class assign, and those of the class itself."""
    stored = [each for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)]
    own = {each.attr for each in stored if isinstance(each.value, ast.Name) and each.value.id == "self"}
    of_class = {target.id for each in node.body if isinstance(each, ast.Assign) for target in each.targets}
    return {each for each in own | of_class if reference.is_public(each) and not each.startswith("__")}


def test_every_public_attribute_is_described():
    parts = sections(REFERENCE)
    for name, node in classes():
        entry = parts[name].partition(f"- `class {node.name}(")[2].partition("\n- `")[0]
        assert {each for each in public_attributes(node) if f"`{each}`" not in entry} == set(), f"{name}.{node.name}"


def test_everything_that_can_be_called_says_whether_it_allocates():
    """It says so itself, or its class does, or its module says it of everything here."""
    silent = []
    for name in MODULES:
        module = importlib.import_module(name)
        for each, value in public_definitions(name).items():
            docs = [value.__doc__, getattr(module, each.split(".")[0]).__doc__]
            if inspect.isclass(value):
                docs.append(value.__init__.__doc__ if "__init__" in vars(value) else "allocates only itself")
            if not any("llocat" in (doc or "") for doc in docs) and "here allocate" not in (module.__doc__ or ""):
                silent.append(f"{name}.{each}")
    assert silent == []


def test_help_names_the_modules():
    text = importlib.import_module("faction").__doc__
    helpers = {"faction", "faction.wait"}  # wait belongs to node; the transports are named by their last part
    for name in MODULES.keys() - helpers:
        if not name.startswith("faction.transports."):
            assert name in text
    assert all(each in text for each in ("udp", "espnow", "uart", "ring", "loopback", "bridge"))
