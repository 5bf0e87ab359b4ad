"""Constants of other files that a file of the package repeats: each has the value that the file it names gives it.

On a board a constant of another module is looked up at run time, and its name takes memory. So some files repeat a few of
them, with a leading underscore, behind a comment that begins with "Constants of other files, repeated", or behind "of X.py".
"""

import ast
import re

import pytest

from faction_tools.dev.interpreters import PACKAGE

BEGINS = "Constants of other files, repeated"
# Which files repeat how many; a repetition that this test overlooks would change the number.
REPEATED = {"peers.py": 13, "node.py": 19, "key.py": 8}


def constants(source):
    """Return {name: value} of the constants of a file: NAME = const(...)."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "const":
            value = eval(compile(ast.Expression(node.value.args[0]), "a constant", "eval"), dict(found))
            found[node.targets[0].id] = value
    return found


def repeated(source):
    """Return [(name, the file that has it)] of the constants that a file says it repeats.

    Behind "# of X.py" all following lines name constants of X.py, until the next such comment or a line that is no constant.
    """
    found, origin, is_listed = [], None, False
    for line in source.splitlines():
        named = re.search(r"  # of (\w+\.py)", line)
        origin = named[1] if named and (is_listed or "repeated" in line) else origin
        constant = re.match(r"(_\w+) = const\(", line)
        if constant and origin:
            found.append((constant[1], origin))
        is_listed = line.startswith("# " + BEGINS) or is_listed and (line.startswith("#") or constant is not None)
        if not line.startswith("#") and not constant:
            origin = None
    return found


def faults(sources):
    """Return what differs, in words. sources: {name of a file: its text}."""
    values = {name: constants(source) for name, source in sources.items()}
    wrong = []
    for name, source in sources.items():
        for each, origin in repeated(source):
            there = values.get(origin, {})
            own = [there[key] for key in (each, each[1:]) if key in there]
            if own != [values[name][each]]:
                wrong.append(f"{name}: {each} is {values[name][each]}, in {origin} {own or 'nothing'}")
    return wrong


@pytest.fixture
def sources():
    return {path.name: path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py")}


def test_what_is_repeated_is_the_same(sources):
    assert faults(sources) == []


def test_every_repetition_is_found(sources):
    counts = {name: len(repeated(source)) for name, source in sources.items()}
    assert {name: count for name, count in counts.items() if count} == REPEATED
    assert {name for name, source in sources.items() if re.search(r"# .*\brepeated[:.]", source)} == set(REPEATED)


@pytest.mark.parametrize(
    ("file", "name", "old", "new", "said"),
    [
        ("peers.py", "_WITHDRAWAL_OBSERVED", "5", "6", "peers.py: _WITHDRAWAL_OBSERVED is 6, in machine.py [5]"),
        ("peers.py", "_STATEMENTS", "36", "32", "peers.py: _STATEMENTS is 32, in wire.py [36]"),
        ("machine.py", "PARTICIPATION_OBSERVED", "0", "7", "peers.py: _PARTICIPATION_OBSERVED is 0, in machine.py [7]"),
        ("node.py", "_MAX_LENGTH", "250", "251", "node.py: _MAX_LENGTH is 251, in wire.py [250]"),
        ("peers.py", "_FAR", "0x3FFFFFFF", "0x1FFFFFFF", "node.py: _FAR is 1073741823, in peers.py [536870911]"),
        ("node.py", "UNPROVEN", "10", "11", "key.py: _UNPROVEN is 10, in node.py [11]"),
    ],
)
def test_what_differs_is_found(sources, file, name, old, new, said):
    line = f"\n{name} = const("
    assert sources[file].count(line + old + ")") == 1
    sources[file] = sources[file].replace(line + old, line + new)
    assert faults(sources) == [said]


def test_what_is_missing_is_found(sources):
    sources["node.py"] = sources["node.py"].replace("\nUNPROVEN = ", "\nUNPROVED = ")
    assert faults(sources) == ["key.py: _UNPROVEN is 10, in node.py nothing"]
