"""What a deployment finds where it wants to go: which board that is, and its files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import CommandError

CONFIGURATION = "faction.json"  # the file on a board that says which board it is
APPLICATION = "application.py"  # the user's program on a board
HIDES = "application"  # a folder or a .mpy file of this name would hide it
BOOT = "boot_out.txt"  # CircuitPython writes it at every start: what the board is
OWN = "lib/faction"  # faction's own folder: what a deployment does not bring is removed there, but for sources and data of the user
WRITTEN = f"{OWN}/written.json"  # what we wrote outside of it: {path: [the SHA-256 of each content that may be there]}
NEW = ".new"  # the end of the name of a new file, until it takes the place of the old one


class DeployError(CommandError):
    """Why files did not get onto a board: one line, with what to do."""


@dataclass
class Found:
    """What is there.

    ``platform``     sys.platform of the board; "circuitpython" for its drive, "folder" where a process is to run
    ``machine``      what kind of board it says it is; may be empty
    ``hardware_id``  in hexadecimal; None if it has none
    ``firmware``     its name and version; empty where nobody says it
    ``files``        {path: SHA-256} of the files that were asked for and are there; "" for other files in the same folders
    ``folders``      the folders among them
    ``texts``        the contents of CONFIGURATION and WRITTEN, as far as they are there
    """

    platform: str
    machine: str = ""
    hardware_id: str | None = None
    firmware: str = ""
    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    texts: dict[str, bytes] = field(default_factory=dict)

    def table(self, path: str) -> dict[str, Any]:
        """Return the JSON object in one of the texts; {} if it is damaged or not there."""
        for name in (path, path + NEW):  # a swap that was cut short has removed the old one
            try:
                table = json.loads(self.texts[name])
            except (KeyError, ValueError, RecursionError):
                continue
            if isinstance(table, dict):
                return table
        return {}

    @property
    def written(self) -> dict[str, list[str]]:
        """Return what an earlier deployment wrote: {path: [the start of the SHA-256 of each content that may be there]}."""
        return _records(self.table(WRITTEN))

    @property
    def named(self) -> set[str]:
        """Return the paths that an earlier deployment wrote, or was about to write when it was cut short."""
        return {*self.written, *_records(self.table(WRITTEN + NEW))}


def _records(table: dict[str, Any]) -> dict[str, list[str]]:
    """Return the good entries of a record. A board is not trusted: no path may lead out of it."""
    return {path: list(map(str, digests)) for path, digests in table.items() if isinstance(digests, list) and is_inside(path)}


def is_inside(path: str) -> bool:
    """Tell whether a path stays below the folder that it starts from, on every system."""
    return not re.search(r"[\\:\0]", path) and all(part not in ("", ".", "..") for part in path.split("/"))


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def shown(value: object) -> str:
    """Return what a board says of itself, or the name of a file, as a short text that a terminal can show."""
    return ascii(str(value)[-60:])[1:-1]
