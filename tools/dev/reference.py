"""The reference of the package, in faction/README.md. It is made of the signatures, docstrings and comments of the package.

python -m faction_tools.dev.reference writes it.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from .interpreters import PACKAGE

BEGIN = "<!-- Do not edit the rest by hand. It is made by: python -m faction_tools.dev.reference -->\n"
_ORDER = ("__init__", "machine", "names", "view", "observer", "journal", "wire", "peers", "key", "node", "clock", "wait", "console")
_WIDTH = 120
_ATTRIBUTE = re.compile(r"(``\w+``(?:, ``\w+``)*)\s{2,}(.*)", re.DOTALL)

Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def modules(package: Path = PACKAGE) -> list[Path]:
    """Return the files of the package in the order of the reference: the machine first, the transports last."""
    paths = [*package.glob("*.py"), *package.glob("transports/*.py")]
    ranks = {name: rank for rank, name in enumerate(_ORDER)}
    return sorted(paths, key=lambda path: (path.parent != package, ranks.get(path.stem, len(ranks)), path.stem))


def text(package: Path = PACKAGE) -> str:
    """Return the whole reference."""
    return "\n".join("\n".join(_module(path, package)) for path in modules(package))


def module_name(path: Path, package: Path = PACKAGE) -> str:
    """Return the name by which a file is imported."""
    return ".".join(part for part in path.relative_to(package.parent).with_suffix("").parts if part != "__init__")


def is_public(name: str) -> bool:
    """Tell whether a name is meant for users of the package."""
    return name == "__version__" or not name.startswith("_") and name != "const"


def _module(path: Path, package: Path) -> Iterator[str]:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    yield f"### `{module_name(path, package)}`\n"
    yield from _prose((ast.get_docstring(tree) or "").split("\n\n")[0], "")
    yield from _constants(tree, source.splitlines())
    for node in tree.body:
        for each in node.body if isinstance(node, ast.If) else [node]:  # classes for type checkers stand in an "if"
            if isinstance(each, Definition) and is_public(each.name):
                yield "\n".join([*_definition(each), ""])


def _constants(tree: ast.Module, lines: list[str]) -> Iterator[str]:
    """Yield a table for each group of constants. The comment above a group explains it."""
    rows: list[str] = []
    title = ""
    for node in tree.body:
        names = [name for name in _targets(node) if is_public(name)]
        if not names:
            continue
        above = _comment_above(lines, node.lineno)
        if rows and (above or not lines[node.lineno - 2]):
            yield _table(title, rows)
            rows, title = [], ""
        title = title or above
        rows += [f"| `{name}` | {_value(node, lines)} | {_comment_behind(lines, node)} |" for name in names]
    if rows:
        yield _table(title, rows)


def _targets(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _table(title: str, rows: list[str]) -> str:
    heading = [textwrap.fill(title, _WIDTH), ""] if title else []
    return "\n".join([*heading, "| name | value | meaning |", "|---|---|---|", *rows, ""])


def _value(node: ast.stmt, lines: list[str]) -> str:
    """Return the value of a constant as the source writes it, if it takes one line."""
    assert isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None
    value = node.value
    if isinstance(value, ast.Call):  # const(...)
        value = value.args[0]
    return f"`{ast.get_source_segment(chr(10).join(lines), value)}`" if value.lineno == value.end_lineno else ""


def _comment_above(lines: list[str], number: int) -> str:
    found: list[str] = []
    for line in reversed(lines[: number - 1]):
        if not line.startswith("# "):
            break
        found.insert(0, line[2:])
    return " ".join(line for line in found if not line.startswith("fmt:"))


def _comment_behind(lines: list[str], node: ast.stmt) -> str:
    return lines[node.lineno - 1].partition("  # ")[2]


def _definition(node: ast.stmt, indent: str = "") -> Iterator[str]:
    """Yield the lines about a function, a class or a method."""
    assert isinstance(node, Definition)
    members = node.body if isinstance(node, ast.ClassDef) else []
    start = next((each for each in members if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)
    docs = [ast.get_docstring(each) or "" for each in (node, start) if each is not None]
    if isinstance(node, ast.ClassDef) and node.bases:
        docs.append(f"It derives from {', '.join(f'``{ast.unparse(base)}``' for base in node.bases)}.")
    called = start if isinstance(node, ast.ClassDef) else node
    names = [argument.arg for argument in called.args.args] if called else []
    blocks = [block for doc in docs for block in _prose(doc, indent + "  ", names)]
    yield f"{indent}- `{_signature(node, start, bool(indent))}`:"
    yield from "\n".join(blocks).splitlines()
    for each in members:
        if isinstance(each, Definition) and is_public(each.name):
            yield from _definition(each, indent + "  ")


def _signature(node: ast.stmt, start: ast.FunctionDef | None, is_member: bool) -> str:
    assert isinstance(node, Definition)
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}({_arguments(start) if start else ''})"
    name = "." + node.name if is_member else node.name
    result = f" -> {_annotation(node.returns)}" if node.returns else ""
    if any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list):
        return f"{name}{result}"
    return f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}{name}({_arguments(node)}){result}"


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the arguments of a function with their types and defaults, without self."""
    found = []
    defaults = [None] * (len(node.args.args) - len(node.args.defaults)) + [ast.unparse(each) for each in node.args.defaults]
    for argument, default in zip(node.args.args, defaults):
        if argument.arg != "self":
            found.append(f"{argument.arg}: {_annotation(argument.annotation)}" + (f" = {default}" if default else ""))
    if node.args.vararg:
        found.append(f"*{node.args.vararg.arg}: {_annotation(node.args.vararg.annotation)}")
    return ", ".join(found)


def _annotation(node: ast.expr | None) -> str:
    """Return a type. Those that a board need not know stand in quotes in the source."""
    return str(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node) if node else ""


def _prose(docstring: str, indent: str, arguments: Sequence[str] = ()) -> Iterator[str]:
    """Yield the paragraphs of a docstring, wrapped. Attributes become a list, and so do two arguments or more."""
    for paragraph in filter(None, docstring.split("\n\n")):
        words = " ".join(paragraph.split())
        parts = re.split(rf"(?:^|(?<=\. ))({'|'.join(arguments)}): ", words) if arguments else [words]
        if len(parts) > 3 and not parts[0]:
            yield "\n".join(_described(parts, indent)) + "\n"
        elif _ATTRIBUTE.match(paragraph.lstrip()):
            yield "\n".join(_attributes(paragraph, indent)) + "\n"
        else:
            yield _wrapped(words, indent) + "\n"


def _described(parts: list[str], indent: str) -> Iterator[str]:
    """Yield a list of arguments, and behind it what the same paragraph says about the whole call."""
    last, sign, remark = parts[-1].partition(" Raises ")
    if not sign:
        last, sign, remark = parts[-1].partition(" Allocates")
    for name, what in zip(parts[1::2], [*parts[2:-1:2], last]):
        yield _wrapped(f"- `{name}`: {what.strip()}", indent, indent + "  ")
    if sign:
        yield "\n" + _wrapped(sign + remark, indent)


def _attributes(paragraph: str, indent: str) -> Iterator[str]:
    for item in re.split(r"\n(?=``)", textwrap.dedent(paragraph)):
        found = _ATTRIBUTE.match(item)
        assert found, item
        yield _wrapped(f"- {found[1]}: {found[2]}", indent, indent + "  ")


def _wrapped(paragraph: str, indent: str, following: str | None = None) -> str:
    words = " ".join(paragraph.split()).replace("``", "`")
    return textwrap.fill(
        words, _WIDTH, initial_indent=indent, subsequent_indent=indent if following is None else following, break_long_words=False
    )


def main() -> int:
    """Write the reference behind what people have written; return 0."""
    path = PACKAGE / "README.md"
    head = path.read_text(encoding="utf-8").partition(BEGIN)[0]
    path.write_text(f"{head}{BEGIN}\n{text()}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
