"""What is compared: the time from the last readiness until all go on, and what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import CommandError
from . import air
from .contestants import DEADLINE_MS, Contestant
from .members import Member, until
from .servers import Server

UP_S = 120  # until all members take part: twenty CPython processes need a while
LIMIT_S = 60  # from the last readiness until all go on
WATCHED_S = 12  # how long a case is watched: less than the deadline
SPREAD_S = 0.5  # within which the members but the last become ready


class Crew:
    """Members that take part, with their server. ``server`` is None if they need none."""

    def __init__(self, members: list[Member], server: Server | None) -> None:
        self.members = members
        self.server = server

    def gone_on(self) -> list[int]:
        """Return the numbers of the members that have gone on."""
        return [i for i, member in enumerate(self.members) if member.on is not None]

    async def settle(self) -> None:
        """Wait for what a member has just said to reach the others."""
        await asyncio.sleep(2)


@asynccontextmanager
async def crew(contestant: Contestant, count: int, absent: int = 0) -> AsyncIterator[Crew]:
    """Start a server and members, and wait until all take part; the last ones, as many as are absent, never start."""
    with TemporaryDirectory() as folder:
        server = None if contestant.server is None else contestant.server(Path(folder))
        members = contestant.members(count)
        present = members[: count - absent]
        try:
            if server is not None:
                server.start()
            for member in present:
                await member.launch()
            if not await until(lambda: all("up" in member.said for member in present), UP_S):
                raise CommandError(
                    f"{contestant.name}: not all of {len(present)} members take part after {UP_S} s; run it on a quiet computer"
                )
            yield Crew(members, server)
        finally:
            await asyncio.gather(*(member.end() for member in members))
            if server is not None:
                server.kill()


async def times(contestant: Contestant, count: int, loss: float, chance: random.Random) -> tuple[float, float] | None:
    """Return the seconds from the last readiness until the last member goes on, and those from the first to the last; None: not all do.

    The network loses packets from the time on when all take part.
    """
    async with crew(contestant, count) as made:
        with air.lossy(loss):
            for member in chance.sample(made.members[:-1], count - 1):
                await asyncio.sleep(chance.random() * SPREAD_S / count)
                member.complete()
            await asyncio.sleep(SPREAD_S)
            last = made.members[-1].complete()
            if not await until(lambda: len(made.gone_on()) == count, LIMIT_S):
                return None
        moments = [member.on for member in made.members if member.on is not None]
        return max(moments) - last, max(moments) - min(moments)


async def restarted(contestant: Contestant) -> str:
    """A member loses its power after it was ready, and starts again. Before it is ready again, the last of the others is."""
    async with crew(contestant, 5) as made:
        for member in made.members[:4]:
            member.complete()
        await made.settle()
        made.members[1].cut_power()
        await made.members[1].launch()
        await until(lambda: "up" in made.members[1].said, UP_S)
        await made.settle()
        made.members[4].complete()
        await until(lambda: len(made.gone_on()) > 1, WATCHED_S / 2)
        if made.gone_on():
            return f"{len(made.gone_on())} of 5 go on, though it is not ready"
        made.members[1].complete()
        return await _ended(made, "all wait, and go on when it is ready again", "all wait, and do not go on when it is ready again")


async def without_server(contestant: Contestant) -> str:
    """The server dies when all but one are ready. Then the last one is ready, too, and five seconds later the server comes back.

    ZooKeeper has its data on a disk. mosquitto has nothing, as nobody configures it otherwise.
    """
    if contestant.server is None:
        return "there is none"
    async with crew(contestant, 5) as made:
        for member in made.members[:4]:
            member.complete()
        await made.settle()
        assert made.server is not None
        made.server.kill()
        made.members[4].complete()
        await until(lambda: len(made.gone_on()) == 5, 5)
        before = len(made.gone_on())
        made.server.start()
        return f"{before} of 5 go on; " + await _ended(made, "all do when it is back", "when it is back, {count} of 5 do")


async def one_missing(contestant: Contestant) -> str:
    """A member never starts."""
    async with crew(contestant, 5, absent=1) as made:
        start = time.monotonic()
        for member in made.members[:4]:
            member.complete()
        present = made.members[:4]
        await until(lambda: all(member.gave_up or member.on for member in present), DEADLINE_MS / 1000 + 10)
        words = {member.gave_up for member in present}
        if None in words:
            return f"{len(made.gone_on())} of 4 go on; the others wait on, after {time.monotonic() - start:.0f} s, and say nothing"
        return "; ".join(sorted(word for word in words if word))


async def _ended(made: Crew, good: str, bad: str) -> str:
    """Return good if all go on in time, otherwise bad."""
    is_good = await until(lambda: len(made.gone_on()) == len(made.members), WATCHED_S)
    return good if is_good else bad.format(count=len(made.gone_on()))
