"""The steps of recorded runs: what each accepted command did, of one board or of several in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faction import NO_PEER, Faction
from faction.journal import replay
from faction.names import command_name
from faction.view import ClusterView

from .files import RecordedRun


@dataclass(frozen=True)
class Step:
    """One accepted command, and the state after it.

    ``cs``        when: hundredths of a second since the first command of the run
    ``previous``  the state before it
    ``state``     the state after it
    ``ready``     how many peers were ready after it
    """

    cs: int
    command: int
    peer_id: int
    result: int
    previous: int
    state: int
    ready: int

    @property
    def words(self) -> str:
        """Return what happened, in words: "ready observed of 1"."""
        return in_words(self.command, self.peer_id)


def in_words(command: int, peer_id: int) -> str:
    """Return the words for a command, and for the peer that it is about if there is one."""
    return command_name(command) + (f" of {peer_id}" if peer_id != NO_PEER else "")


def steps(run: RecordedRun) -> Iterator[Step]:
    """Iterate the commands of a run, which a machine processes again."""
    machine = Faction(run.config)
    for cs, command, peer_id, result in run.commands:
        previous = machine.state
        machine.process(command, peer_id)
        yield Step(cs, command, peer_id, result, previous, machine.state, machine.collecting.count)


def view_after(run: RecordedRun, number: int) -> ClusterView:
    """Return the view of a board's machine after so many of its commands."""
    return ClusterView(replay(run.config, [command[1:] for command in run.commands[:number]]))


def all_peers(runs: Sequence[RecordedRun]) -> list[int]:
    """Return the ids of all peers of all boards, in ascending order."""
    return sorted({peer_id for run in runs for peer_id in run.config.peers})


def events(runs: Sequence[RecordedRun]) -> list[tuple[float, RecordedRun, Step]]:
    """Return the steps of all boards in order of time, each with the seconds since the first of all.

    A run without a start counts from its own first command.
    """
    starts = [run.start for run in runs if run.start is not None]
    zero = min(starts, default=0.0)
    found = [((zero if run.start is None else run.start) - zero + step.cs / 100, run, step) for run in runs for step in steps(run)]
    return sorted(found, key=lambda event: event[0])
