"""What is wrong with the fields of a file, in plain English: pydantic finds it, and here it is put into words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from .places import Steps

SECRETS = ("key", "password")  # the values of these fields are never shown
_LIKE_SECRETS = re.compile("key|pass|secret|psk|pwd", re.IGNORECASE)  # nor those of fields that do not exist, with such a name
LONGEST = 60  # characters of a value that are shown

# What pydantic calls a fault, and what we say. The names in braces are the limits of the field.
_WORDS = {
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "int_type": "must be a whole number",
    "less_than_equal": "must be {le} or less",
    "list_type": "must be a list, in [ ]",
    "literal_error": "must be {expected}",
    "model_attributes_type": "must be a table of fields",
    "model_type": "must be a table of fields",
    "string_unicode": "must be a text in UTF-8; write it again",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be a text, in quotes",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
}


class Fault(NamedTuple):
    """One fault.

    ``steps``  the way to the field: ("boards", 1, "id") is boards[1].id
    ``text``   what is wrong, and what to do
    ``value``  the value, as it is shown; None: it is not shown
    ``instead``  the field that was meant by one that does not exist, if there is one like it
    """

    steps: Steps
    text: str
    value: str | None = None
    instead: str = ""

    def __str__(self) -> str:
        field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps).lstrip(".")
        return ": ".join(part for part in (field, self.value, self.text) if part)


class Faults(ValueError):
    """Faults that only a whole model can find, such as two boards with one id. The way to each begins at that model."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def faults_of(invalid: ValidationError, data: Any, model: type[BaseModel]) -> Iterator[Fault]:
    """Iterate the faults that pydantic has found in the data of a model."""
    for error in invalid.errors():
        loc, kind = error["loc"], error["type"]
        steps, table = _way(loc, data)
        agreement = error.get("ctx", {}).get("error")
        if isinstance(agreement, Faults):
            yield from (each._replace(steps=steps + each.steps) for each in agreement.faults)
        elif kind == "missing":
            yield Fault(steps, "missing; add it")
        elif kind == "union_tag_not_found":
            yield Fault((*steps, "kind"), "missing; add it")
        elif kind == "union_tag_invalid":
            expected = " or ".join(error["ctx"]["expected_tags"].rsplit(", ", 1))
            yield _fault((*steps, "kind"), error["input"]["kind"], {"type": "literal_error", "ctx": {"expected": expected}})
        elif kind == "extra_forbidden":
            known = _fields(model, loc[:-1])
            meant = close(str(steps[-1]), known)
            is_safe = not may_be_secret(steps) or meant in SECRETS  # otherwise a secret could be shown as the value of another field
            inner = _table_with(str(steps[-1]), model) if len(steps) == 1 else ""
            if inner:
                yield Fault(steps, f"no such field here; did you mean {inner}.{steps[-1]}?")
            elif not meant and len(steps) > 1 and str(steps[-1]) in model.model_fields:
                yield Fault(steps, "is a field of the whole file; move it above the first table, which begins with [")
            else:
                yield Fault(steps, unknown(str(steps[-1]), known, table), instead=meant if is_safe else "")
        else:
            yield _fault(steps, error["input"], error)


def _way(loc: Sequence[str | int], data: Any) -> tuple[Steps, Any]:
    """Return the steps of loc that are in the file, and the table around the last one.

    pydantic puts the branch of a union into loc, too. Such a step is the kind of a table, or is not in the data.
    """
    steps: Steps = ()
    table, kind = data, None
    for i, step in enumerate(loc):
        if kind is not None and step == kind:
            kind = None  # only once: a uart has a field uart
            continue
        there = step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)
        if there or (isinstance(data, dict) and i == len(loc) - 1):
            table, data = data, data[step] if there else None
            kind = data.get("kind") if isinstance(data, dict) else None
            steps += (step,)
    return steps, table


def _fault(steps: Steps, value: Any, error: Any) -> Fault:
    """Return one fault with its value."""
    context = {name: _plain(limit) for name, limit in error.get("ctx", {}).items()}
    if error["type"] == "value_error":
        text = context["error"]
    elif error["type"] == "list_type" and isinstance(value, dict):
        text = f"must be a list of tables; write [[{steps[-1]}]]"
    elif context.get("min_length") == "1":
        text = "must not be empty"
    elif error["type"] in _WORDS:
        text = _WORDS[error["type"]].format(**context)
    else:
        text = error["msg"][:1].lower() + error["msg"][1:]
    if isinstance(value, str) and "did you mean" not in str(text):
        text = str(text) + _meant(value, re.findall("'(.*?)'", text))
    is_misplaced = isinstance(value, str) and text == _WORDS["model_type"]  # a word in the place of a table: nobody knows what it is
    return Fault(steps, text, None if is_misplaced else _shown(steps, value))


def _plain(limit: Any) -> str:
    """Return a limit as a person writes it: 1, not 1.0."""
    return str(int(limit)) if isinstance(limit, float) and limit.is_integer() else str(limit)


def _shown(steps: Steps, value: Any) -> str | None:
    """Return a value as it stands in the file, or None for a secret and for what has many fields, among them perhaps a secret."""
    text = as_written(value)
    if "{" in text and not isinstance(value, str) or may_be_secret(steps):
        return None
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def as_written(value: Any) -> str:
    """Return a value as it stands in a file; a character that a terminal does not show is written as its number."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def may_be_secret(steps: Steps) -> bool:
    """Tell whether a field, or a table around it, has the name of a secret, perhaps misspelt."""
    names = [step for step in steps if isinstance(step, str)]
    return any(_LIKE_SECRETS.search(name) or get_close_matches(name.lower(), SECRETS, 1, 0.65) for name in names)


def unknown(name: str, known: Sequence[str], table: Any) -> str:
    """Say that there is no such field, and which one may be meant, or which ones the table has not."""
    others = ", ".join(each for each in known if each not in table)
    return f"no such field{_meant(name, known) or (f'; delete it, or choose from {others}' if others else '; delete it')}"


def _meant(word: str, known: Sequence[str]) -> str:
    found = close(word, known)
    return f"; did you mean {found}?" if found else ""


def close(word: str, known: Sequence[str]) -> str:
    """Return the one of the known words that is most like a word; an empty text if none is like it."""
    return (get_close_matches(word, known, 1) or [""])[0]


def _table_with(name: str, model: type[BaseModel]) -> str:
    """Return the first table of a file that has a field of this name; an empty text if there is none."""
    return next((table for table in model.model_fields if name in _fields(model, [table])), "")


def _fields(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Return the names of the fields that may stand at loc."""
    models = [model]
    for step in loc:
        of_kind = [each for each in models if "kind" in each.model_fields and step in get_args(each.model_fields["kind"].annotation)]
        within = [inner for each in models if step in each.model_fields for inner in _models(each.model_fields[str(step)].annotation)]
        models = of_kind or within or models
    return sorted({name for each in models for name in each.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that are part of an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
