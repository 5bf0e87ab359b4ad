"""Writes hardware ids and a deadline into a roster of a person: comments and layout stay, and the file is never half written."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from ..errors import named
from ..files import replaced
from ..toml.strict import parse_toml
from .roster import RosterError

_MARK = b"\xef\xbb\xbf"  # some editors begin a file with it
_BY_HAND = "write it there by hand, and run this again"


def write_hardware_ids(path: Path, ids: Mapping[int, str]) -> None:
    """Write the hardware id of some boards, by their ids, into a roster that load has accepted. All of them or none are written.

    Raises RosterError if the file has changed so much that they do not fit, OSError if it cannot be written.
    """
    board, hardware_id = next(iter(ids.items()))
    _write(path, lambda roster: _put(roster, ids), f'hardware_id = "{hardware_id}" does not go into board {board} of this file')


def write_deadline(path: Path, deadline_ms: int) -> None:
    """Write deadline_ms into a roster that load has accepted. Raises RosterError and OSError, as write_hardware_ids does."""
    _write(path, lambda roster: roster.update(deadline_ms=deadline_ms), f"deadline_ms = {deadline_ms} does not go into this file")


def _write(path: Path, put: Callable[[Any], None], unfit: str) -> None:
    """Change a roster in its file. put changes its content; unfit: what is said if it does not fit. Raises as write_hardware_ids does."""
    with named(path):
        old = path.read_bytes()
        try:
            new = _changed(old.removeprefix(_MARK).decode(), put, path.suffix == ".json")
        except (TOMLKitError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RosterError(f"{path}: {unfit}; {_BY_HAND}") from error
    with replaced(path) as fresh:
        fresh.write_bytes((_MARK if old.startswith(_MARK) else b"") + new.encode())


def _changed(text: str, put: Callable[[Any], None], is_json: bool) -> str:
    """Return the text with a change. Raises ValueError if it would say anything else than before, but for that."""
    read = json.loads if is_json else parse_toml
    plain = text.replace("\r\n", "\n")
    wanted = copy.deepcopy(read(plain))
    put(wanted)
    if is_json:
        new = json.dumps(wanted, indent=_indent(plain), ensure_ascii=False) + plain[len(plain.rstrip()) :]
    else:
        document = tomlkit.parse(plain)
        put(document)
        new = tomlkit.dumps(document)
    if read(new) != wanted:
        raise ValueError("another content")
    return new.replace("\n", "\r\n") if "\r\n" in text else new


def _put(roster: Any, ids: Mapping[int, str]) -> None:
    left = dict(ids)
    for board in roster["boards"]:
        if board["id"] in left:
            with _end_before_comments(board):
                board["hardware_id"] = left.pop(board["id"])
    if left:
        raise KeyError(*left)


@contextmanager
def _end_before_comments(board: Any) -> Iterator[None]:
    """Let a table of TOML end with its last field meanwhile: the comments behind it belong to the next table, for people."""
    body = board.value.body if isinstance(board, Table) else []
    start = len(body)
    while start and body[start - 1][0] is None:
        start -= 1
    comments = body[start:]
    del body[start:]
    yield
    body.extend(comments)


def _indent(text: str) -> int | str | None:
    """Return how a JSON text is indented, as json.dumps takes it; None: it is on one line."""
    found = re.match(r"\{\n([ \t]+)", text)
    return found[1] if found else None
