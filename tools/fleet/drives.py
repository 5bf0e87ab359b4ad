"""Where the drives of CircuitPython boards are mounted on this computer."""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from .found import BOOT

_MOUNTS = Path("/proc/self/mounts")  # of Linux
_VOLUMES = Path("/Volumes")  # of macOS


def mounted() -> list[Path]:
    """Return the folders that are the drive of a CircuitPython board."""
    return sorted({place for place in _places() if _is_drive(place)})


def _places() -> Iterable[Path]:
    """Return where drives may be: on Windows under their letters, on macOS in one folder, on Linux where the system says."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase[2:]]  # A and B are floppy disks, which make a noise
    if sys.platform == "darwin":
        with suppress(OSError):
            return list(_VOLUMES.iterdir())
        return []
    return _of_linux()


def _of_linux() -> Iterator[Path]:
    with suppress(OSError):
        for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
            kind = line.split(" ")[2]
            if kind in ("vfat", "msdos", "exfat", "fuseblk", "tmpfs"):  # others may be far away, and take long to answer
                yield Path(os.fsdecode(line.split(" ")[1].encode("utf-8", "surrogateescape").decode("unicode_escape").encode("latin-1")))


def _is_drive(place: Path) -> bool:
    with suppress(OSError):
        return (place / BOOT).is_file() and "CircuitPython" in (place / BOOT).read_text(encoding="utf-8", errors="replace")
    return False
