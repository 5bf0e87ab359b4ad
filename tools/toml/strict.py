"""One way to read a file that a person has written: strictly, and with all its faults named at once.

A roster and a scenario are such files. ``load_as`` reads one into its model. Each fault is one line:

    faction.toml:12: boards[1].kind: "esp23": must be 'esp32', 'rp2040', 'circuitpython' or 'unix'; did you mean esp32?

These are file, line, field, value, what is wrong, and what to do. The value of a secret field is never shown. So no fault is
raised while another exception is handled: that one may know the whole file, and a traceback would show it, too.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import CommandError, explain
from ..files import content
from .faults import Fault, faults_of, may_be_secret
from .places import Steps, lines_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

parse_toml = tomllib.loads


class Strict(BaseModel):
    """The base of all models: no unknown field, no value of another type, and no change after it was made."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @classmethod
    def mended(cls, data: dict[str, Any], faults: Sequence[Fault]) -> dict[str, Any] | None:
        """Return data without these faults, so that the rest can be checked; None: it cannot be mended, so only these are told."""
        return None


class FileError(CommandError, ValueError):
    """What is wrong with a file: one line for each fault."""


Model = TypeVar("Model", bound=Strict)
LARGEST = 1_000_000  # bytes of a file: some thousand boards
DEEPEST = 50  # lists and tables within each other
_ROUNDS = 4  # a misspelt field may have a wrong value, and agree with nothing: three rounds of faults


def load_as(model: type[Model], path: Path, error: type[FileError], absent: str, changes: Sequence[str] = ()) -> Model:
    """Return the content of a TOML file, or of a .json file, as a model.

    changes, such as "medium.loss=0.2", are made before it is checked. Raises error with one line for each fault. absent says
    what to do about a file that does not exist.
    """
    text = _read(path, error, absent)
    data = _parse(path, text, error)
    return made_as(model, path, data, error, changes, {} if _is_json(path) else {(): 1, **lines_of(text)})


def made_as(
    model: type[Model],
    path: Path,
    data: dict[str, Any],
    error: type[FileError],
    changes: Sequence[str] = (),
    lines: Mapping[Steps, int] | None = None,
) -> Model:
    """Return data as a model: see load_as. path: of the file that it comes from. lines: of its fields there, if they are known."""
    changed = {_change(data, change, error): change for change in changes}
    made, found = _validated(model, data, path.parent)
    if made is not None:
        return made
    known = dict(lines or {})
    for each in found:
        if each.instead and each.steps in known:  # what is said of the field that was meant stands there, too
            known.setdefault((*each.steps[:-1], each.instead), known[each.steps])
    told = [_Told(path, known, changed, fault) for fault in found]
    raise error("\n".join(dict.fromkeys(str(each) for each in sorted(told, key=lambda each: each.line))))


def _validated(model: type[Model], data: dict[str, Any], folder: Path) -> tuple[Model | None, list[Fault]]:
    """Return data as a model, or None and all its faults.

    A field that is wrong alone must not hide that two others do not agree. So a model that can mend its fields is checked again.
    """
    faults: list[Fault] = []
    for _ in range(_ROUNDS):
        doubts = [each.steps for each in faults if not each.instead]
        try:
            made = model.model_validate(data, context={"folder": folder, "doubts": doubts})
        except ValidationError as invalid:
            new = [each for each in faults_of(invalid, data, model) if each not in faults and each.steps not in doubts]
            is_about_fields = all(each["loc"] for each in invalid.errors(include_url=False, include_input=False))
        else:
            return (None if faults else made), faults
        faults += new
        mended = model.mended(data, new) if is_about_fields and new else None
        if mended is None:
            break
        data = mended
    return None, faults


def _read(path: Path, error: type[FileError], absent: str) -> str:
    try:
        text = content(path, LARGEST, "give another file").decode(
            "utf-8-sig"
        )  # some editors begin a file with a mark, which TOML does not allow
        return "\n".join(re.split("\r\n?", text))  # as Python reads a text
    except FileNotFoundError as missing:
        raise error(f"{path}: does not exist; {absent}") from missing
    except OSError as unreadable:
        raise error(explain(unreadable)) from unreadable
    except UnicodeDecodeError:
        pass  # it knows the bytes of the file: see above
    raise error(f"{path}: is not a text in UTF-8; give another file, or save it as UTF-8")


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; raise ValueError if a field is there twice, of which JSON would take the last one."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"an object has the field {next(name for name in names if names.count(name) > 1)!r} twice")
    return made


def _parse(path: Path, text: str, error: type[FileError]) -> dict[str, Any]:
    """Return the content of a text; raise error with the line at which it ends to be TOML or JSON."""
    try:
        data = json.loads(text, object_pairs_hook=_once) if _is_json(path) else parse_toml(text)
        if _is_deep(data):
            raise RecursionError
        if isinstance(data, dict):
            return data
        told = ": must be an object, in { }; correct it"
    except json.JSONDecodeError as wrong:
        told = f":{wrong.lineno}: column {wrong.colno}: {_small(wrong.msg)}; correct the JSON there"
    except RecursionError:
        told = ": too many lists and tables within each other; give another file"
    except ValueError as wrong:
        told = _syntax(str(wrong), text)
    raise error(f"{path}{told}")


def _is_deep(data: Any) -> bool:
    """Tell whether there are so many lists and tables within each other that what looks at them would end."""
    level = [data]
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())]
    return bool(level)


# What to do about what tomllib finds wrong, by how its message begins, where "correct it" is too little.
_HEADERS = "write [name] above a table, and [[name]] above each table of a list"
_REMEDIES = {
    "Invalid value": 'write a text in quotes, "like this", and true and false in small letters',
    "Cannot overwrite a value": "the field is there twice: delete one",
    "Illegal character '\\n'": "close the text in this line with its quotes",
    "Expected '=' after a key": "write name = value",
    "Invalid statement": "write name = value",
    "Expected newline": "write one field in a line, and a text in quotes",
    "Invalid initial character for a key part": "write name = value between commas in { }, and no comma behind the last one",
    "Unclosed inline table": "write name = value between commas, and } behind the last one",
    "Unclosed array": "write ] behind the last value",
    "Unescaped '\\": "write / for each \\ of a path",
    "Invalid hex value": "write / for each \\ of a path",
    "Expected ']": _HEADERS,
}


def _syntax(message: str, text: str) -> str:
    """Bring a message of tomllib into our form: "Invalid value (at line 5, column 2)" becomes ":5: column 2: invalid value; ..."."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    if not found:
        return f": {_small(message.partition(':')[0])}; correct it"
    place = f"{found[2]}: column {found[3]}" if found[2] else f"{len(text.splitlines())}: at the end"
    if found[2] and text.splitlines()[int(found[2]) - 1].lstrip().startswith("["):
        return f":{place}: {_small(found[1])}; {_HEADERS}"
    remedy = next((remedy for begin, remedy in _REMEDIES.items() if found[1].startswith(begin)), "correct it")
    return f":{place}: {_small(found[1])}; {remedy}"


def _small(message: str) -> str:
    return message[:1].lower() + message[1:]


def _change(data: dict[str, Any], change: str, error: type[FileError]) -> Steps:
    """Set a field, as "medium.loss=0.2" says, and return the way to it."""
    name, equals, value = change.partition("=")
    steps = tuple(name.strip().split("."))
    if not equals or not all(steps):
        raise error(f"{change}: names no field and value; write it as medium.loss=0.2")
    change = _told_change(change, steps)
    table = data
    for i, step in enumerate(steps[:-1]):
        inner = table.setdefault(step, {})
        if not isinstance(inner, dict):
            raise error(f"{change}: {'.'.join(steps[: i + 1])} is no table with fields; change it in a file of your own")
        table = inner
    table[steps[-1]] = value_of(value)
    return steps


def _told_change(change: str, steps: Steps) -> str:
    """Return a change as it is told: without the value, if that may be a secret."""
    return change.partition("=")[0].strip() if may_be_secret(steps) else change


def value_of(text: str) -> Any:
    """Return what a text means as a value in TOML; if it means nothing, the text itself, as a word without quotes."""
    try:
        return parse_toml(f"x = {text}")["x"]
    except (ValueError, RecursionError):
        return text


class _Told(NamedTuple):
    """A fault, and where it stands: in the file, or in a change."""

    path: Path
    lines: Mapping[Steps, int]
    changes: Mapping[Steps, str]
    fault: Fault

    @property
    def line(self) -> int:
        """The line of the field, or of the nearest table around it; 0 if there is none."""
        steps = self.fault.steps
        return next((self.lines[steps[:length]] for length in range(len(steps), 0, -1) if steps[:length] in self.lines), 0)

    def __str__(self) -> str:
        steps = self.fault.steps
        for changed, change in self.changes.items():
            change = _told_change(change, changed)
            if steps[: len(changed)] == changed:
                return f"{change}: {self.fault.text}" if steps == changed else f"{change}: {self.fault}"
            if changed[: len(steps)] == steps not in self.lines:
                return f"{change}: {self.fault}"
        line = f":{self.line or 1}" if self.lines else ""
        return f"{self.path}{line}: {self.fault}"
