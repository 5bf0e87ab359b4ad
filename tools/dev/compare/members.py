"""The members of a comparison: processes that are told when they are ready, and say when they go on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from asyncio.subprocess import Process
from collections.abc import Callable


class Member:
    """One process. ``said``: {its words: when it said them first}, times of time.monotonic()."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        """Nothing runs yet."""
        self.said: dict[str, float] = {}
        self._command = command
        self._environment = {**os.environ, **environment}
        self._process: Process | None = None
        self._stopped: list[Process] = []
        self._reader: asyncio.Task[None] | None = None

    async def launch(self) -> None:
        """Start the process, the first one or another."""
        self.said = {}
        pipe = subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=self._environment
        )
        self._reader = asyncio.create_task(self._follow(self._process, self.said))

    async def _follow(self, process: Process, said: dict[str, float]) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said.setdefault(line.decode().strip(), time.monotonic())

    def complete(self) -> float:
        """Tell it that its own part is done. Return when."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(b"ready\n")
        return time.monotonic()

    def cut_power(self) -> None:
        """Stop the process for good. It says no good-bye: its connections stay open, as those of a board without power do."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self._stopped.append(self._process)

    async def end(self) -> None:
        """End all its processes."""
        for process in [*self._stopped, self._process]:
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
        if self._reader is not None:
            await self._reader

    @property
    def on(self) -> float | None:
        """Return when it went on; None: it has not."""
        return self.said.get("on")

    @property
    def gave_up(self) -> str | None:
        """Return what it said when it gave up; None: it has not."""
        return next((words for words in self.said if words.startswith("timed out")), None)


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition: so many seconds at most. Return whether it holds."""
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:
        await asyncio.sleep(0.01)
    return condition()
