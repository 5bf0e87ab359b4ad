"""Writes hardware ids into a roster that a person has written: comments and layout stay, and the file is never half written."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from ..errors import named
from ..toml.strict import parse_toml
from .roster import RosterError

_MARK = b"\xef\xbb\xbf"  # some editors begin a file with it
_BY_HAND = "write it there by hand, and run this again"


def write_hardware_ids(path: Path, ids: Mapping[int, str]) -> None:
    """Write the hardware id of some boards, by their ids, into a roster that load has accepted. All of them or none are written.

    Raises RosterError if the file has changed so much that they do not fit, OSError if it cannot be written.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    with named(path):
        old = target.read_bytes()
        try:
            new = _with_ids(old.removeprefix(_MARK).decode(), ids, path.suffix == ".json")
        except (TOMLKitError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            board, hardware_id = next(iter(ids.items()))
            wanted = f'hardware_id = "{hardware_id}" does not go into board {board} of this file'
            raise RosterError(f"{path}: {wanted}; {_BY_HAND}") from error
        _replace(target, (_MARK if old.startswith(_MARK) else b"") + new.encode())


def _with_ids(text: str, ids: Mapping[int, str], is_json: bool) -> str:
    """Return the text with the ids. Raises ValueError if it would say anything else than before, but for them."""
    read = json.loads if is_json else parse_toml
    plain = text.replace("\r\n", "\n")
    wanted = copy.deepcopy(read(plain))
    _put(wanted, ids)
    if is_json:
        new = json.dumps(wanted, indent=_indent(plain), ensure_ascii=False) + plain[len(plain.rstrip()) :]
    else:
        document = tomlkit.parse(plain)
        _put(document, ids)
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


def _replace(target: Path, content: bytes) -> None:
    """Put a new content in the place of the old one, at once. Raises OSError."""
    fresh = target.with_name(f".{target.name}.new-{os.getpid()}")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, fresh)
        os.replace(fresh, target)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise
