"""Ways to let processes go on together: faction, and what users would pick instead."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import CommandError
from ..interpreters import COMPILED, NO_MICROPYTHON, ROOT, compile_all, compile_package, micropython
from . import servers
from .members import Member

DEADLINE_MS = 15_000
_DEVICE = ROOT / "tools" / "dev" / "device" / "compare"
_ENVIRONMENT = ROOT / "build" / "compare"  # where make compare installs the others
_CLIENT = _ENVIRONMENT / "mpy"  # the MQTT client, compiled
_PATH = f"{COMPILED}:{_DEVICE}:{_CLIENT}"
_PORT = 47000


@dataclass(frozen=True)
class Contestant:
    """``name``; ``server``: makes its server, None: it needs none; ``command``: of member i of so many."""

    name: str
    server: servers.Maker | None
    command: Callable[[int, int], list[str]]

    def members(self, count: int) -> list[Member]:
        """Return so many members. None of them runs."""
        return [Member(self.command(i, count), {"MICROPYPATH": _PATH}) for i in range(count)]


def _script(name: str, *arguments: int) -> Callable[[int, int], list[str]]:
    """Return the command of a member on MicroPython, from its number and how many there are."""
    return lambda own, count: [str(micropython()), str(_DEVICE / name), *map(str, (own, count, *arguments))]


def faction(name: str, start_after_ms: int, port: int = _PORT) -> Contestant:
    """Return faction as a contestant. Its members have the ports from port on."""
    return Contestant(name, None, _script("faction_member.py", port, start_after_ms, DEADLINE_MS))


def others() -> list[Contestant]:
    """Return what users would pick instead. Raises CommandError if it is not installed."""
    if not (_ENVIRONMENT / "umqtt").is_dir():
        raise CommandError(f"{_ENVIRONMENT}: has no MQTT client; run make compare, which brings it")
    compile_package(_ENVIRONMENT / "umqtt", _CLIENT)
    python = [str(_ENVIRONMENT / "bin" / "python"), str(Path(__file__).with_name("zookeeper_member.py"))]
    return [
        Contestant("MQTT, obvious", servers.mosquitto, _script("mqtt_obvious.py", servers.MQTT_PORT)),
        Contestant("MQTT, careful", servers.mosquitto, _script("mqtt_careful.py", servers.MQTT_PORT, DEADLINE_MS)),
        Contestant("ZooKeeper", servers.zookeeper, lambda own, count: [*python, str(count), str(servers.ZOOKEEPER_PORT)]),
    ]


def all_of_them() -> list[Contestant]:
    """Return the contestants. Raises CommandError if one of them is not installed."""
    if micropython() is None:
        raise CommandError(NO_MICROPYTHON)
    compile_all()
    return [faction("faction, start at once", 0), faction("faction, common start", 2000), *others()]


def heap(module: str) -> int:
    """Return how many bytes of heap the import of a module takes, compiled, on MicroPython with 64 bits."""
    command = [str(micropython()), str(_DEVICE / "heap.py"), module]
    return int(subprocess.run(command, env={**os.environ, "MICROPYPATH": _PATH}, capture_output=True, text=True, check=True).stdout)
