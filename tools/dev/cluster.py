"""A cluster of MicroPython processes on this machine: each runs boards/unix/main.py on compiled files only."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import count as numbers
from pathlib import Path
from typing import Any

from faction import BOOTSTRAPPED, INITIAL, TIMED_OUT

from . import interpreters

_FIRST, _LAST, _BLOCK = 10_000, 32_000, 200  # ports, and how many of them one process takes
_turns = numbers()


class BoardProcess:
    """One process, and what it has said of itself.

    ``settings``  its configuration, see boards/unix/README.md
    ``prefix``    a command that runs the process, such as ("ip", "netns", "exec", NAME)
    ``changes``   (seconds after the start of the cluster, state code), the first at 0.0
    ``went_on``   seconds after the start of the cluster when it went on, at the common start; None: it has not
    """

    def __init__(self, settings: dict[str, Any], prefix: Sequence[str] = ()) -> None:
        self.peer_id: int = settings["peer_id"]
        self.settings = settings
        self.prefix = prefix
        self.process: asyncio.subprocess.Process | None = None
        self.changes: list[tuple[float, int]] = []
        self.forget(0.0)

    def forget(self, seconds: float) -> None:
        """Forget what an earlier process said."""
        self.state = INITIAL
        self.changes.append((seconds, INITIAL))
        self.complete = self.started = False
        self.started_late_ms = 0
        self.went_on: float | None = None
        self.ready: list[int] = []
        self.unheard: list[int] = []
        self.unready: list[int] = []
        self.sent = self.dropped = 0

    @property
    def is_concluded(self) -> bool:
        """Tell whether it has said that it has a verdict."""
        return self.state in (BOOTSTRAPPED, TIMED_OUT)

    @property
    def missing(self) -> list[int]:
        """Return the ids of those that it does not count as ready."""
        return sorted(self.unheard + self.unready)

    def take(self, seconds: float, report: dict[str, Any]) -> None:
        """Take in a line of the process."""
        if report["state"] != self.state:
            self.changes.append((seconds, report["state"]))
        if report["started"] and not self.started:
            self.went_on = seconds
        for key, value in report.items():
            setattr(self, key, value)


class ProcessCluster:
    """Processes as an asynchronous context. When it ends, or our own process, they end."""

    def __init__(self, members: Sequence[BoardProcess], on_report: Callable[[BoardProcess], None] = lambda member: None) -> None:
        """on_report is called after every line that a member has printed."""
        self.members = list(members)
        self._on_report = on_report
        self._folder = tempfile.TemporaryDirectory()
        self._tasks: list[asyncio.Task[None]] = []
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the time since the start."""
        return time.monotonic() - self._start

    async def __aenter__(self) -> ProcessCluster:
        _compile()
        self._start = time.monotonic()
        for member in self.members:
            await self.launch(member)
        return self

    async def __aexit__(self, *error: object) -> None:
        processes = [member.process for member in self.members if member.process is not None]
        for process in processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in processes:
            try:
                await asyncio.wait_for(process.wait(), 2)
            except asyncio.TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.gather(*self._tasks)
        self._folder.cleanup()

    async def launch(self, member: BoardProcess) -> None:
        """Start the process of a member, the first one or another."""
        path = Path(self._folder.name) / f"{member.peer_id}.json"
        path.write_text(json.dumps(member.settings))
        member.process = await asyncio.create_subprocess_exec(
            *member.prefix,
            str(interpreters.micropython()),
            str(interpreters.BOARDS / "unix" / "main.py"),
            str(path),
            stdin=subprocess.PIPE,  # its end tells the process to end, even if we are killed
            stdout=subprocess.PIPE,
            env=dict(os.environ, MICROPYPATH=f"{interpreters.COMPILED}:{interpreters.BOARDS}/common:{interpreters.BOARDS}/micropython"),
            start_new_session=True,  # ctrl-C is ours alone
        )
        self._tasks.append(asyncio.create_task(self._follow(member, member.process)))

    async def kill(self, member: BoardProcess) -> None:
        """End the process of a member at once, as a power cut would."""
        assert member.process is not None
        process, member.process = member.process, None
        process.kill()
        await process.wait()
        member.forget(self.seconds)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition: so many seconds at most, or until all processes have ended. Return whether it holds."""
        limit = self.seconds + seconds
        while not condition() and self.seconds < limit and not all(task.done() for task in self._tasks):
            await asyncio.sleep(0.02)
        return condition()

    async def until_concluded(self, seconds: float) -> bool:
        """Wait until every member has its verdict."""
        return await self.until(lambda: all(member.is_concluded for member in self.members), seconds)

    async def until_started(self, seconds: float) -> bool:
        """Wait until every member has gone on, at the common start, or has timed out."""
        return await self.until(lambda: all(member.started or member.state == TIMED_OUT for member in self.members), seconds)

    async def _follow(self, member: BoardProcess, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            if process is member.process and line.startswith(b"{"):  # and this is not one that was killed
                member.take(self.seconds, json.loads(line))
                self._on_report(member)


@cache
def _compile() -> None:
    """Compile the package, once for all clusters of our process."""
    interpreters.compile_all()


def local(nodes: int, quorum: int, **others: Any) -> list[dict[str, Any]]:
    """Return settings for nodes on the loopback address, each with a port of its own; others go into each of them."""
    ports = free_ports(nodes)
    return [
        {
            "cluster": "local",
            "peer_id": i,
            "peers": list(range(nodes)),
            "quorum": quorum,
            "transport": udp(ports[i], [f"127.0.0.1:{port}" for port in ports if port != ports[i]], "127.0.0.1"),
            "seed": 7919 * (i + 1),
            **others,
        }
        for i in range(nodes)
    ]


def udp(port: int, to: list[str], bind: str) -> dict[str, Any]:
    """Return the settings of a UDP transport."""
    return {"kind": "udp", "port": port, "to": to, "bind": bind}


def free_ports(count: int) -> list[int]:
    """Return UDP ports of this machine that nobody uses now. No other process gets them from here while ours runs."""
    found: list[int] = []
    for _ in range(_BLOCK):
        port = _block() + next(_turns) % _BLOCK
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each, suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(errno.EADDRINUSE, "fewer than %d ports are free from %d on" % (count, _block()))


@cache
def _block() -> int:
    """Return the first port of a block that is ours until our process ends. They are below those that the system gives away."""
    folder = Path(tempfile.gettempdir(), "faction-ports-%d" % os.getuid())
    folder.mkdir(exist_ok=True)
    for first in range(_FIRST, _LAST, _BLOCK):
        lock = os.open(folder / str(first), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        return first
    raise OSError(errno.EADDRINUSE, "all ports from %d to %d are taken" % (_FIRST, _LAST))
