"""Attacks on a cluster with a key, by somebody who does not know it: python -m faction_tools.dev.verify.attacks [--runs 5].

The attacker hears every frame, and plays frames back when it wants. Where it stands between two boards, it withholds them, too.
Each attack was found on a version of the package that it broke, and says what it reached there. What no key can prevent is not
among them: jamming, and a frame that is withheld and played back before the next one of its sender arrives.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from faction import BOOTSTRAPPED
from faction.wire import _STATEMENTS, ASKING, BEACON, READY, get

from ...simulator.intruder import FLAGS, ID, NONCE
from ...simulator.scenario import Scenario
from ...simulator.simulation import Simulation
from ...simulator.timeline import US

INTERVAL_MS = 100
PROOF = _STATEMENTS + 2 * 5  # its place in a frame of five members
QUESTIONS = 121


def cluster(count: int, of_cluster: dict[str, Any] | None = None, **others: Any) -> Scenario:
    """Return boards with a key and a quorum of all, on air that loses nothing. others: of the scenario."""
    own = {
        "nodes": count,
        "interval_ms": INTERVAL_MS,
        "deadline_ms": 600 * INTERVAL_MS,
        "key": True,
        "power_on_ms": 0.0,
        "start_up_ms": 0.0,
        **(of_cluster or {}),
    }
    return Scenario.model_validate({"title": "attack", "cluster": own, "medium": {"delay_ms": 0.1, **others.pop("medium", {})}, **others})


class Attacker:
    """An attacker, and the cluster under attack. ``frames`` is what it has recorded."""

    def __init__(self, scenario: Scenario, seed: int, hear: Callable[[Attacker, bytes], None] | None = None) -> None:
        """hear: what it does when it has heard a frame."""
        self.simulation = Simulation(scenario, seed)
        self.medium = self.simulation.media[0]
        self.frames: list[bytes] = []
        self._react = hear
        self.medium.taps.append(self._hear)

    def _hear(self, frame: bytes) -> None:
        self.frames.append(frame)
        if self._react is not None:
            self._react(self, frame)

    def run_until(self, ms: float) -> None:
        """Let time pass."""
        self.simulation.limit_us = int(ms * US)
        self.simulation.run()

    def play(self, frame: bytes, in_ms: float = 0.0) -> None:
        """Play a frame back to all boards, in so many ms."""
        self.simulation.timeline.at(self.simulation.now + int(in_ms * US), self.medium.inject, frame)

    def play_all(self, frames: Sequence[bytes], begin_ms: float, every_ms: float) -> None:
        """Play frames back, one by one."""
        for i, frame in enumerate(frames):
            self.simulation.timeline.at(int((begin_ms + i * every_ms) * US), self.medium.inject, frame)

    def of_runs(self, peer_id: int) -> list[list[bytes]]:
        """Return the frames of a member, those of each run together."""
        runs: dict[int, list[bytes]] = {}
        for frame in self.frames:
            if get(frame, ID) == peer_id:
                runs.setdefault(get(frame, NONCE), []).append(frame)
        return list(runs.values())


def readiness_of_a_dead_run(seed: int) -> int:
    """Tell whether node 0 starts because node 1 was READY in a run that is over, and that node 0 knows to be over.

    The attacker stands between node 1 and node 0. It withholds the frames in which the first run of node 1 is READY. The second
    run is not ready, and node 0 hears that. Then the attacker lets the withheld frames through.
    """

    def pass_on(attacker: Attacker, frame: bytes) -> None:
        if get(frame, ID) == 1 and not frame[FLAGS] & READY:
            attacker.play(frame)

    wall = {"links": [{"sources": [1], "targets": [0], "loss": 1.0}]}
    brownout = {"at_ms": 1500.0 + 7 * seed % 100, "kind": "brownout", "nodes": [1], "for_ms": 500.0}
    late = {"id": 1, "start_up_ms": 1000.0 + 11 * seed % 100}
    attacker = Attacker(cluster(2, medium=wall, nodes=[late], events=[brownout]), seed, pass_on)
    attacker.run_until(2900)
    node = attacker.simulation.boards[0].node
    assert node is not None and node.peers.restarts[1] == 1, "the second run has not been heard"
    withheld = [frame for frame in attacker.of_runs(1)[0] if frame[FLAGS] & READY]
    assert withheld, "the first run was never ready"
    for frame in withheld:
        attacker.play(frame)
    attacker.run_until(2950)
    return int(node.machine.state == BOOTSTRAPPED)


def replays_of_two_runs(seed: int) -> int:
    """Return how many of 600 replays count: two frames, of two runs of a member that is gone now, by turns."""
    waits = {"start_up_ms": 1e6, "deadline_ms": 2000 * INTERVAL_MS}
    events = [{"at_ms": 1000.0, "kind": "restart", "nodes": [1]}, {"at_ms": 2000.0, "kind": "crash", "nodes": [1]}]
    attacker = Attacker(cluster(2, waits, events=events), seed)
    attacker.run_until(2100)
    counters = attacker.simulation.boards[0].node.counters  # type: ignore[union-attr]
    before = counters[BEACON]
    first, second = (frames[-1] for frames in attacker.of_runs(1))
    attacker.play_all([first, second] * 300, 2100, 10)
    attacker.run_until(9000)
    return counters[BEACON] - before


def questions_behind_each_frame(nodes: int, seed: int) -> int:
    """Return how many boards do not start where an old question of its sender follows each frame after 1 ms."""

    def follow(attacker: Attacker, frame: bytes) -> None:
        if attacker.simulation.now > 1000 * US:
            first = attacker.of_runs(get(frame, ID))[0]
            attacker.play(next(each for each in first if each[FLAGS] & ASKING), 1.0)

    again = {"at_ms": 1000.0, "kind": "restart", "nodes": list(range(nodes))}
    attacker = Attacker(cluster(nodes, {"start_up_ms": {"uniform": [0.0, 300.0]}}, events=[again]), seed, follow)
    attacker.run_until(1000 + 40 * INTERVAL_MS)
    return sum(board.state != BOOTSTRAPPED for board in attacker.simulation.boards)


def questions_after_the_start(askers: int, seed: int) -> int:
    """Return how many frames 20 boards that have concluded send for 121 old questions, one in each interval, of so many members."""
    again = {"at_ms": 1000.0, "kind": "restart", "nodes": list(range(20))}
    attacker = Attacker(cluster(20, events=[again]), seed)
    attacker.run_until(1000 + 60 * INTERVAL_MS)
    boards = attacker.simulation.boards
    assert all(board.state == BOOTSTRAPPED for board in boards), "not all have started"
    before = sum(board.sent for board in boards)
    old = [next(each for each in attacker.of_runs(peer_id)[0] if each[FLAGS] & ASKING) for peer_id in range(askers)]
    begin_ms = attacker.simulation.limit_us / US
    attacker.play_all([old[i % askers] for i in range(QUESTIONS)], begin_ms, INTERVAL_MS)
    attacker.run_until(begin_ms + (QUESTIONS + 40) * INTERVAL_MS)
    return sum(board.sent for board in boards) - before


def quotes_of_another(seed: int) -> int:
    """Return how many frames of members 1 to 3 that quote member 4 prove themselves to node 0, which meets its nonces and challenges."""
    crash = {"at_ms": 2000.0, "kind": "crash", "nodes": [1, 2, 3, 4]}
    attacker = Attacker(cluster(5, {"deadline_ms": 10**6}, events=[crash]), seed)
    attacker.run_until(2100)
    frames = [frame for peer_id in (1, 2, 3) for run in attacker.of_runs(peer_id) for frame in run]
    shown = {(get(frame, NONCE), get(frame, PROOF)) for run in attacker.of_runs(4) for frame in run}
    node: Any = attacker.simulation.boards[0].node
    assert any(_proven(node, 4, *each, frames) for each in shown), "no frame quotes member 4"
    return sum(_proven(node, 0, *each, frames) for each in shown)


def _proven(node: Any, asker: int, nonce: int, challenge: int, frames: Sequence[bytes]) -> int:
    """Return how many of these frames count for a node that has shown this challenge in this run, if quotes are of this asker."""
    node.restart()
    peers = node.peers
    node.nonce = peers.nonce = nonce
    digest = peers._digest(asker, nonce, challenge)
    peers._quotes[0], peers._quotes[1] = (int.from_bytes(digest[at : at + 4], "big") & 0x3FFFFFFF for at in (0, 4))
    counted = 0
    for frame in frames:
        node.wire.inbox[: len(frame)] = frame
        counted += node.wire.decode(len(frame)) == BEACON == peers.judge(len(frame))
    return counted


@dataclass(frozen=True)
class Attack:
    """An attack. reach: what it reaches with a seed; of: how much that can be; reached: what it reached once; budget: the most it may."""

    name: str
    of: str
    reach: Callable[[int], int]
    reached: int
    budget: int


def _three(seed: int) -> int:
    return sum(questions_behind_each_frame(nodes, seed) for nodes in (2, 5, 12))


def _one_asker(seed: int) -> int:
    return questions_after_the_start(1, seed)


def _all_askers(seed: int) -> int:
    return questions_after_the_start(20, seed)


ATTACKS = (
    Attack("a dead run's readiness is let through: starts", "1", readiness_of_a_dead_run, 1, 0),
    Attack("frames of two dead runs by turns: counted", "600", replays_of_two_runs, 599, 0),
    Attack("frames that quote another member: counted", "", quotes_of_another, 3, 0),
    Attack("an old question behind each frame: not started", "19", _three, 19, 0),
    Attack("121 old questions of one of 20 members: frames", "", _one_asker, 2280, 300),
    Attack("121 old questions of all 20 members: frames", "", _all_askers, 2280, 300),
)


def most(attack: Attack, seeds: Sequence[int]) -> int:
    """Return the most that an attack reaches with one of these seeds."""
    return max(map(attack.reach, seeds))


def report(title: str, attacks: Sequence[Attack], arguments: list[str] | None) -> int:
    """Try attacks, print what each reached, and return 1 if one reached more than it may. arguments: of the command."""
    parser = argparse.ArgumentParser(description=f"{title}.")
    parser.add_argument("--runs", type=int, default=5, help="seeds of each (5)")
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    table = Table("attack", "of", "once", "now", "budget", title=title, title_justify="left")
    is_good = True
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(most, attacks, [range(1, options.runs + 1)] * len(attacks)))
    for attack, reached in zip(attacks, found):
        style = "" if reached <= attack.budget else "bold red"
        is_good = is_good and not style
        table.add_row(attack.name, attack.of, *map(str, (attack.reached, reached, attack.budget)), style=style)
    console = Console()
    console.print(table)
    console.print(f"attacks: {len(attacks)}, each {options.runs} times; {time.monotonic() - begin:.0f} s", highlight=False)
    return 0 if is_good else 1


def main(arguments: list[str] | None = None) -> int:
    """Try all attacks; return 1 if one reaches more than it may."""
    return report("Attacks on a cluster with a key, by somebody who does not know it", ATTACKS, arguments)


if __name__ == "__main__":
    sys.exit(main())
