"""Whether a place is the board that the roster means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .entries import BoardEntry
from .found import BOOT, CONFIGURATION, OWN, DeployError, Found, shown
from .roster import Roster

# sys.platform of each kind of board.
_PLATFORMS = {"esp32": ("esp32",), "rp2040": ("rp2",), "circuitpython": ("circuitpython",), "unix": ("linux", "darwin", "win32", "folder")}

# The oldest firmware that boards/README.md names, for boards. A process may have an older one.
_OLDEST = {"MicroPython": (1, 22), "CircuitPython": (10, 0)}


def age_of(board: BoardEntry, found: Found) -> str:
    """Say that the firmware of a board is older than what faction is made for; an empty text if it is not, or does not say."""
    name, _, version = found.firmware.partition(" ")
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if board.kind == "unix" or name not in _OLDEST or not numbers or tuple(map(int, numbers.groups())) >= _OLDEST[name]:
        return ""
    oldest = ".".join(map(str, _OLDEST[name]))
    return f"runs {found.firmware}, and faction is made for {name} {oldest} and later; if its program does not start, flash that"


def check_place(port: str, board: BoardEntry) -> None:
    """Refuse a port for a board that is a drive, and a folder for one that has a serial port. Raises DeployError."""
    folder = Path(port)
    if board.kind == "circuitpython" and not folder.is_dir():
        raise DeployError(f"{port}: is no folder, and {board.name} runs CircuitPython; name the folder of its drive, CIRCUITPY")
    if board.kind in ("esp32", "rp2040") and folder.is_dir():
        raise DeployError(f"{port}: is a folder, and {board.name} runs MicroPython; name its serial port")
    if board.kind == "circuitpython" and not (folder / BOOT).is_file():
        raise DeployError(f"{port}: has no {BOOT}, so it is not the drive of a CircuitPython board; name the folder CIRCUITPY")
    if board.kind == "unix" and not folder.exists() and not re.match(r"/dev/|COM\d", port):
        raise DeployError(f"{port}: no such folder, and no port; make the folder in which {board.name} is to run, or name a serial port")
    if board.kind == "unix" and folder.is_dir():
        _check_folder(folder)


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds files which no deployment has brought there."""
    try:
        if (folder / OWN).is_dir():
            return
        held = next((path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()), None)
    except OSError as error:
        raise DeployError(f"{folder}: cannot be read ({error.strerror}); name another folder") from error
    if held is not None:
        name = held.relative_to(folder).as_posix()
        raise DeployError(f"{folder}: holds {name}, and nothing that faction has deployed; name an empty folder")


def check(port: str, roster: Roster, board: BoardEntry, found: Found, replaces: bool) -> None:
    """Refuse a board that is not the one of the roster. replaces: it may have been another one so far. Raises DeployError."""
    _check_kind(port, board, found)
    if not _check_hardware(port, roster, board, found) and not replaces:
        _check_name(port, roster, board, found)


def _check_kind(port: str, board: BoardEntry, found: Found) -> None:
    if found.platform in _PLATFORMS[board.kind]:
        return
    if found.platform == "circuitpython":
        raise DeployError(f"{port}: runs CircuitPython, and {board.name} is of kind {board.kind}; flash MicroPython, or correct the kind")
    what = shown(found.platform if not found.machine else f"{found.machine} ({found.platform})")
    raise DeployError(f"{port}: is {what}, and {board.name} of the roster is of kind {board.kind}; name another port, or correct the kind")


def _check_hardware(port: str, roster: Roster, board: BoardEntry, found: Found) -> bool:
    """Tell whether the roster knows this very board as the one that is meant. Raises DeployError if it knows it as another."""
    if found.hardware_id is None:
        return False
    owner = next((each for each in roster.boards if each.hardware_id == found.hardware_id), None)
    if owner is not None and owner.id != board.id:
        raise DeployError(f"{port}: is {owner.name} by its hardware id {found.hardware_id}, not {board.name}; name the right board")
    if board.hardware_id not in (None, found.hardware_id):
        ids = f"its hardware id is {found.hardware_id}, and {board.name} has {board.hardware_id} in the roster"
        raise DeployError(f"{port}: {ids}; name another port, or correct hardware_id")
    return owner is not None


def _check_name(port: str, roster: Roster, board: BoardEntry, found: Found) -> None:
    """Refuse a board that was another one of this cluster, or one of another cluster."""
    was = found.table(CONFIGURATION)
    name, cluster = name_in(was), was.get("cluster")
    if name is None or (name in (board.name, board.id) and cluster in (None, roster.cluster)):
        return
    of = "" if cluster in (None, roster.cluster) else f" of the cluster {shown(cluster)}"
    raise DeployError(
        f"{port}: this board was {shown(name)}{of}, not {board.name}; name another port, or make it {board.name} with --replace"
    )


def kind_of(found: Found) -> str | None:
    """Return the kind that a board has in a roster; None: faction does not run on it."""
    return next((kind for kind, platforms in _PLATFORMS.items() if found.platform in platforms), None)


def name_in(was: dict[str, Any]) -> Any:
    """Return the name, or the id, of the board that a configuration is of; None if it says neither."""
    peers, names, peer_id = was.get("peers"), was.get("names"), was.get("peer_id")
    if isinstance(peers, list) and isinstance(names, list) and peer_id in peers and len(names) == len(peers):
        return names[peers.index(peer_id)]
    return peer_id
