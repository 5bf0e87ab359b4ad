"""A cluster on the desk: MicroPython processes, on compiled files only, that find each other over UDP and boot."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from faction import BOOTSTRAPPED, INITIAL
from faction.names import state_name

from ..shown.palette import BARS, STYLES
from ..wording import counted
from .cluster import BoardProcess, ProcessCluster, local
from .interpreters import NO_MICROPYTHON, micropython

INTERVAL_MS = 300
DEADLINE_MS = 20_000
PATIENCE_S = 30  # with processes that say nothing, not even that their deadline has passed
START_UP_MS = (300, 1_200)  # of all but one
LATE_MS = 1_500  # by how much the last one is later than the slowest other
START = "▶"  # in a timeline: the common start
TABLE_WIDTH = 56  # of the last table without its timeline, in characters


def marks(member: BoardProcess, peers: list[int]) -> Text:
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
        self.cluster = ProcessCluster([BoardProcess(each) for each in settings], self._show)
        self.members = self.cluster.members
        self.peers = [member.peer_id for member in self.members]
        self.shown = [(INITIAL, False)] * options.nodes
        self.live: Live | None = None

    async def run(self) -> int:
        """Run to the end, and return the exit code."""
        async with self.cluster:
            if self.console.is_terminal:
                with Live(self._table(), console=self.console, refresh_per_second=20) as self.live:
                    await self.cluster.until_started(PATIENCE_S)
                    self.live.update(self._table())
                self.live = None
            else:
                await self.cluster.until_started(PATIENCE_S)
        self._conclude()
        return 0 if all(member.state == BOOTSTRAPPED for member in self.members) else 1

    def _show(self, member: BoardProcess) -> None:
        if self.live is not None:
            self.live.update(self._table())
        elif (member.state, member.started) != self.shown[member.peer_id]:
            is_new_state = member.state != self.shown[member.peer_id][0]
            self.shown[member.peer_id] = (member.state, member.started)
            self.console.print(
                f"{self.cluster.seconds:6.2f} s  node {member.peer_id}: {standing(member) if is_new_state else 'started'}; "
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
                Text(standing(member), STYLES[member.state]),
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
        starts = [member.went_on for member in self.members if member.went_on is not None]
        end = max([seconds for member in self.members for seconds, _ in member.changes] + starts) * 1.1 or 1
        width = max(16, min(60, self.console.width - TABLE_WIDTH))
        marks = [f"{BARS[state]} {state_name(state)}" for state in BARS] + [f"{START} common start"]
        table = Table(box=None, title="  ".join(marks))
        table.add_column("node", justify="right")
        table.add_column(f"0 {end:{width - 4}.1f} s", no_wrap=True)
        for name in ("complete", "verdict", "at", "sent", "dropped"):
            table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
        for member in self.members:
            seconds, state = member.changes[-1]
            table.add_row(
                str(member.peer_id),
                bar(member.changes, member.went_on, end, width),
                f"{member.settings['start_up_ms'] / 1000:.1f} s",
                Text(state_name(state) if member.is_concluded else "no verdict", STYLES[state]),
                f"{seconds:.2f} s",
                str(member.sent),
                str(member.dropped),
            )
        self.console.print(Text(), table, *together(self.members), sep="\n")


def standing(member: BoardProcess) -> str:
    """Return the state of a member in words, and whether it has gone on."""
    late = f" {member.started_late_ms / 1000:.2f} s late" if member.started_late_ms else ""
    return state_name(member.state) + (f", started{late}" if member.started else "")


def together(members: list[BoardProcess]) -> Iterator[str]:
    """Say how far apart the verdicts came, and how far apart the members went on."""
    punctual = [member for member in members if member.started and not member.started_late_ms]
    if punctual:
        verdicts = [member.changes[-1][0] for member in punctual]
        starts = [member.went_on for member in punctual if member.went_on is not None]
        yield f"{counted(len(punctual), 'node')}: verdicts {spread(verdicts)} apart, common start {spread(starts)} apart"
    for member in members:
        if member.started_late_ms:
            yield f"node {member.peer_id}: {standing(member)}"


def spread(times: list[float]) -> str:
    """Return how far apart times are, in ms."""
    return f"{1000 * (max(times) - min(times)):.0f} ms"


def bar(changes: list[tuple[float, int]], went_on: float | None, end: float, width: int) -> Text:
    """Draw the states over time, one character for each of width equal parts of it, and the moment when a member went on."""
    text = Text()
    for column in range(width):
        begin, seconds = column * end / width, (column + 1) * end / width
        state = [state for at, state in changes if at <= seconds][-1]
        is_start = went_on is not None and begin < went_on <= seconds
        text.append(START if is_start else BARS[state], STYLES[state])
    return text


def ids(peers: list[int]) -> str:
    """Write a list of ids, shortened to what fits."""
    shown = " ".join(str(peer) for peer in peers[:8])
    return (shown + (" …" if len(peers) > 8 else "")) or "none"


def whole(name: str, least: int, most: int) -> Callable[[str], int]:
    """Return the type of an option: a whole number from least to most."""

    def convert(text: str) -> int:
        if not (text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{name}={text}: not a whole number from {least} to {most}")
        return int(text)

    return convert


def share(text: str) -> float:
    """Return the share of lost frames that a text stands for: the type of an option."""
    with suppress(ValueError):
        if 0 <= float(text) <= 0.9:
            return float(text)
    raise argparse.ArgumentTypeError(f"LOSS={text}: not a number from 0 to 0.9")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options, checked. Raises ArgumentError, whose message names the variable of make and its value."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__, exit_on_error=False)
    parser.add_argument("--nodes", type=whole("NODES", 1, 64), default=5, help="how many processes, 1 to 64 (5)")
    quorum = parser.add_argument("--quorum", type=whole("QUORUM", 1, 64), help="how many must be ready, 1 to NODES (all)")
    parser.add_argument("--loss", type=share, default=0.2, help="share of the frames dropped at each receiver, 0 to 0.9 (0.2)")
    parser.add_argument("--seed", type=whole("SEED", 1, 1_000_000), default=1, help="of start-up times and losses, 1 to 1,000,000 (1)")
    options = parser.parse_args(arguments)
    if options.quorum is None:
        options.quorum = options.nodes
    if options.quorum > options.nodes:
        raise argparse.ArgumentError(quorum, f"QUORUM={options.quorum}: not a whole number from 1 to {options.nodes}")
    return options


def main() -> int:
    """Run the demo; return 0 if every node is Bootstrapped, 1 if not, 2 if it cannot run."""
    try:
        options = parse(sys.argv[1:])
        if micropython() is None:
            raise FileNotFoundError(NO_MICROPYTHON)
        return asyncio.run(Demo(options, Console()).run())
    except argparse.ArgumentError as error:
        print(f"demo: {error.message}", file=sys.stderr)
    except FileNotFoundError as error:
        print(f"demo: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())
