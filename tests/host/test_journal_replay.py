"""A journal recorded by the compiled package on MicroPython, replayed here: the same state, the same results."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from needs import require

from faction import ACCEPTED, NO_PEER, READY_OBSERVED, REJECTED, WITHDRAWAL_OBSERVED, Config, Faction
from faction.journal import replay
from faction_tools.dev.interpreters import micropython
from runtimes import RUNTIMES

RUNTIME = next(runtime for runtime in RUNTIMES if runtime.name == "micropython-mpy")
RUNS = 60
SIZES = (1, 2, 3, 5, 8, 31, 64, 200)

# Reads runs as lines of numbers: our id, the quorum, then peers; then one line of commands and peer ids in turn.
# Prints a line for each thing that there is to compare.
RECORDER = """
import sys

from faction import Config, Faction
from faction.journal import Journal


def show(word, numbers):
    print(" ".join([word] + [str(i) for i in numbers]))


def record(roster, commands):
    config = Config(roster[0], roster[2:], roster[1])
    journal = Journal(config, 4)
    machine = Faction(config, journal)
    show("results", [machine.process(commands[i], commands[i + 1]) for i in range(0, len(commands), 2)])
    for entry in journal:
        show("record", entry)
    for entry in journal.rejections():
        show("rejection", entry)
    show("pinging", machine.pinging)
    show("collecting", machine.collecting)
    show("state", (machine.state, machine.is_concluded, machine.is_pinging_completed, journal.lost, journal.dropped, journal.folded))


with open(sys.argv[1]) as runs:
    for line in runs:
        record([int(i) for i in line.split()], [int(i) for i in runs.readline().split()])
"""


@dataclass(frozen=True)
class Run:
    """A roster, and commands for it."""

    peer_id: int
    peers: list[int]
    quorum: int
    commands: list[tuple[int, int]]

    def config(self) -> Config:
        return Config(self.peer_id, self.peers, self.quorum)

    def lines(self) -> str:
        """Return the run as RECORDER reads it."""
        roster = [self.peer_id, self.quorum, *self.peers]
        numbers = [number for command in self.commands for number in command]
        return "%s\n%s\n" % (" ".join(map(str, roster)), " ".join(map(str, numbers)))


def random_run(chance: random.Random) -> Run:
    """Return a run over a roster of any size and kind that mostly gets somewhere."""
    count = chance.choice(SIZES)
    start = chance.randrange(2**30 - count)
    peers = chance.sample(chance.choice((range(start, start + count), range(2 * count), range(2**30))), count)
    odd_ids = (NO_PEER, 2**30, -(2**31), 2**64, min(peers) - 1, max(peers) + 1)
    kinds = [0] * 4 * count + [1] * 4 * count + [5] * 2 * count + [2, 2, 3, 4, 4, 6, -1, 2**31]
    commands = [
        (chance.choice(kinds), chance.choice(peers) if chance.random() < 0.9 else chance.choice(odd_ids))
        for _ in range(chance.randrange(12 * count + 4))
    ]
    return Run(chance.choice(peers), peers, chance.randint(1, count), commands)


def random_runs() -> list[Run]:
    """Return the runs; the same ones every time."""
    chance = random.Random(20)
    return [random_run(chance) for _ in range(RUNS)]


@dataclass
class Recording:
    """What MicroPython printed about one run, in the order of its lines."""

    results: list[int]
    records: list[tuple[int, ...]]
    rejections: list[tuple[int, ...]]
    pinging: list[int]
    collecting: list[int]
    state: tuple[str, ...]


def parse(output: str) -> list[Recording]:
    """Return the recordings in what RECORDER printed."""
    recordings: list[Recording] = []
    for line in output.splitlines():
        word, *values = line.split()
        if word == "state":
            recordings[-1].state = tuple(values)
            continue
        numbers = [int(value) for value in values]
        if word == "results":
            recordings.append(Recording(numbers, [], [], [], [], ()))
        elif word == "record":
            recordings[-1].records.append(tuple(numbers))
        elif word == "rejection":
            recordings[-1].rejections.append(tuple(numbers))
        else:
            setattr(recordings[-1], word, numbers)
    return recordings


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Run, Recording]]:
    """Return the runs, each with what a MicroPython process made of it that has nothing but compiled files."""
    require(RUNTIME.missing())
    runs = random_runs()
    return list(zip(runs, parse(_record(tmp_path_factory.mktemp("recorder"), runs))))


def _record(folder: Path, runs: list[Run]) -> str:
    (folder / "recorder.py").write_text(RECORDER)
    (folder / "runs").write_text("".join(run.lines() for run in runs))
    command = [str(micropython()), "recorder.py", "runs"]
    environment = {**os.environ, **RUNTIME.environment(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout


def test_every_run_was_recorded(recordings: list[tuple[Run, Recording]]) -> None:
    assert len(recordings) == RUNS
    assert {recording.state[0] for _, recording in recordings} == {"0", "1", "2", "3", "4"}


def test_the_journal_replays_to_the_same_state(recordings: list[tuple[Run, Recording]]) -> None:
    for run, recording in recordings:
        machine = replay(run.config(), recording.records)
        shown = (machine.state, machine.is_concluded, machine.is_pinging_completed)
        assert recording.state[:3] == tuple(map(str, shown))
        assert recording.state[3] == "0"
        assert list(machine.pinging) == recording.pinging
        assert list(machine.collecting) == recording.collecting


def test_the_same_commands_have_the_same_results(recordings: list[tuple[Run, Recording]]) -> None:
    for run, recording in recordings:
        machine = Faction(run.config())
        assert [machine.process(*command) for command in run.commands] == recording.results


def test_some_left_records_out(recordings: list[tuple[Run, Recording]]) -> None:
    assert 5 < sum(int(recording.state[5]) > 0 for _, recording in recordings) < RUNS - 5


def test_the_journal_holds_the_commands_with_their_results(recordings: list[tuple[Run, Recording]]) -> None:
    for run, recording in recordings:
        steps = [(command, peer_id, result) for (command, peer_id), result in zip(run.commands, recording.results)]
        accepted = [(c, p if c <= READY_OBSERVED or c == WITHDRAWAL_OBSERVED else NO_PEER, r) for c, p, r in steps if r & ACCEPTED]
        folded = int(recording.state[5])
        assert len(recording.records) + folded == len(accepted)
        assert folded == 0 or len(accepted) > 2 * len(run.peers) + 2
        if not folded:
            assert recording.records == accepted
        rejected = [step for step in steps if step[2] & REJECTED]
        assert [entry[1:] for entry in recording.rejections] == rejected[-4:]
        assert recording.state[4] == str(max(0, len(rejected) - 4))
