"""Storms: clusters of the shipped node with every fault at once, watched at every poll.

    python -m faction_tools.dev.verify.storms [--runs 20000] [--seed 1]

What must hold, whatever happens:

- Nobody is Bootstrapped before its own part is complete, nor with fewer ready members than its quorum.
- Nobody counts a readiness that its owner did not claim in the very run that the frame was of.
- Within a run the sets only grow, and a conclusion never changes. A rejection changes nothing.
- Each frame received is counted exactly once.
- A node with a deadline has a verdict in the end.
- In every fourth storm nothing is out of order for good, and the deadline is far: there all are Bootstrapped in the end.

A run in which something does not hold is shrunk to a scenario that is as small as it can be, and written to a file that
tests/host/test_storms.py will run for ever.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from rich.console import Console

from faction import BOOTSTRAPPED, COLLECTING, READY_OBSERVED, Config, Faction
from faction.node import SENT
from faction.observer import Observer

from ...simulator.board import SimulatedBoard
from ...simulator.campaign import local_executor
from ...simulator.scenario import Scenario
from ...simulator.simulation import Simulation
from ..interpreters import ROOT

REGRESSIONS = ROOT / "tests" / "host" / "regressions"
CHUNK = 250
CALM = "storm that calms down"  # the title of those whose end must be good
VERDICTS_OF_A_FRAME = 11  # the counters of faction.node of which each frame received adds to one


class Broken(AssertionError):
    """A rule that did not hold, and when."""


def storm(seed: int) -> Scenario:
    """Return a scenario with every fault that the simulator knows, small and short; no two seeds are alike."""
    chance = random.Random(f"storm {seed}")
    count = chance.randint(2, 5)
    has_key = chance.random() < 0.15
    interval_ms = chance.choice((40, 100, 200))
    span_ms = chance.choice((4, 8, 14)) * interval_ms
    data: dict[str, Any] = {
        "title": f"storm {seed}",
        "cluster": {
            "nodes": count,
            "quorum": chance.randint(1, count),
            "interval_ms": interval_ms,
            "deadline_ms": span_ms,
            "deadline_from_contact": chance.random() < 0.2,
            "frames_per_minute": chance.choice((0, 0, 600)),
            "retries": chance.choice((0, 1, 2)),
            "key": has_key,
            "power_on_ms": {"uniform": [0.0, chance.choice((0.2, 1.0)) * span_ms]},
            "start_up_ms": {"uniform": [0.0, chance.choice((0.2, 0.6, 1.1)) * span_ms]},
            "drift_ppm": chance.choice((0.0, 100.0, 20000.0)),
            "poll_ms": chance.choice((5, 20)),
            "tick_bits": chance.choice((16, 29, 30)),
            "ticks_before_wrap_ms": chance.uniform(0, span_ms),
        },
        "medium": {
            "loss": chance.choice((0.0, 0.1, 0.4)),
            "duplication": chance.choice((0.0, 0.2)),
            "corruption": chance.choice((0.0, 0.1)),
            "delay_ms": chance.choice((0.5, {"exponential": [0.1, 0.3 * interval_ms]}, {"exponential": [0.1, 5.0 * interval_ms]})),
            "access": chance.choice(("free", "free", "listen", "blind")),
            "bitrate": 250_000,
            "topology": chance.choice(("all", "all", "all", "ring", "line")),
            "links": [{"sources": [chance.randrange(count)], "targets": [chance.randrange(count)], "loss": 1.0}]
            if chance.random() < 0.3
            else [],
        },
        "nodes": list(_oddities(chance, count)),
        "events": [_mishap(chance, count, span_ms) for _ in range(chance.randint(0, 4))],
        "limit_ms": 12.0 * span_ms,
    }
    if chance.random() < 0.5:
        data["intruder"] = {"every_ms": float(interval_ms), "replays": True, "forges": has_key}
    return Scenario.model_validate(_calmed(data) if seed % 4 == 0 else data)


def _calmed(data: dict[str, Any]) -> dict[str, Any]:
    """Leave those faults alone that end, or that repetition overcomes."""
    far_ms = 2000 * data["cluster"]["interval_ms"]
    cluster = {**data["cluster"], "deadline_ms": far_ms, "deadline_from_contact": False, "retries": 0}
    medium = {**data["medium"], "links": [], "topology": "all"}
    events = [event for event in data["events"] if event["kind"] in ("restart", "brownout")]
    calmed = {"title": CALM, "cluster": cluster, "medium": medium, "events": events, "nodes": [], "limit_ms": 2.0 * far_ms}
    return {**data, **calmed, "intruder": None}


def _oddities(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Iterate nodes that are not as they should be: another quorum, somebody else's id."""
    if chance.random() < 0.2:
        yield {"id": chance.randrange(count), "quorum": chance.randint(1, count)}
    if chance.random() < 0.2:
        yield {"id": chance.randrange(count), "clone_of": chance.randrange(count)}


def _mishap(chance: random.Random, count: int, span_ms: float) -> dict[str, Any]:
    kind = chance.choice(("crash", "restart", "restart", "brownout", "brownout", "partition", "heal"))
    event: dict[str, Any] = {"at_ms": chance.uniform(0, 1.5) * span_ms, "kind": kind}
    if kind == "partition":
        members = chance.sample(range(count), count)
        cut = chance.randint(1, count - 1)
        event["groups"] = [members[:cut], members[cut:]]
    elif kind != "heal":
        event["nodes"] = chance.sample(range(count), chance.randint(1, count))
        event["for_ms"] = {"uniform": [0.0, span_ms / 2]}
    return event


class Referee:
    """Checks the rules, at every poll; for every other seed with an observer in each machine, too."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.claims: set[tuple[int, int]] = set()  # (peer id, nonce of the run)
        self._seen: dict[int, tuple[Any, ...]] = {}
        observe = self._witness if seed % 2 else None
        self.simulation = Simulation(scenario, seed, observe=observe, check=self.check)

    def _witness(self, board: SimulatedBoard, config: Config) -> Observer:
        return Witness(self, board)

    def run(self) -> Simulation:
        """Run to the end; raise Broken."""
        self.simulation.run()
        for board in self.simulation.boards:
            self._check_end(board)
        return self.simulation

    def fail(self, board: SimulatedBoard, text: str) -> None:
        """Raise Broken."""
        raise Broken(f"at {self.simulation.now / 1000:.3f} ms, node {board.index} (id {board.peer_id}): {text}")

    def check(self, board: SimulatedBoard) -> None:
        """Check a board after its poll."""
        node = board.node
        assert node is not None
        machine = node.machine
        if machine.is_pinging_completed:
            self.claims.add((board.peer_id, node.nonce))
        now = (node.nonce, machine.state, machine.pinging.count, machine.collecting.count, machine.is_pinging_completed)
        before = self._seen.get(board.index)
        if now != before:
            self._check_change(board, machine, before, now)
            self._seen[board.index] = now
        if sum(node.counters[:VERDICTS_OF_A_FRAME]) != board.received:
            self.fail(board, f"{board.received} frames received, counted as {list(node.counters[:VERDICTS_OF_A_FRAME])}")
        if node.counters[SENT] > board.sent:
            self.fail(board, "more frames counted as sent than there were")

    def _check_change(self, board: SimulatedBoard, machine: Faction, before: tuple[Any, ...] | None, now: tuple[Any, ...]) -> None:
        if before is not None and before[0] == now[0]:  # the same run
            if machine.state < before[1] or (before[1] >= BOOTSTRAPPED and machine.state != before[1]):
                self.fail(board, f"state {before[1]} became {machine.state}")
            if now[2] < before[2] or now[3] < before[3] or now[4] < before[4]:
                self.fail(board, f"a set shrank: {before} became {now}")
        if machine.state == BOOTSTRAPPED and (not machine.is_pinging_completed or machine.collecting.count < board.quorum):
            self.fail(board, f"bootstrapped with {machine.collecting.count} of {board.quorum} ready, complete: {now[4]}")
        if machine.state == COLLECTING and not machine.is_pinging_completed:
            self.fail(board, "collecting, and its own part is not complete")
        owners = {peer_id for peer_id, _ in self.claims}
        for peer_id in machine.collecting:
            if peer_id not in owners:
                self.fail(board, f"counts {peer_id} as ready, which never claimed it")

    def _check_end(self, board: SimulatedBoard) -> None:
        node = board.node
        waits = self.simulation.scenario.cluster.deadline_from_contact
        if (
            node is not None
            and not waits
            and not node.machine.is_concluded
            and board.booted_at / 1000 < self.simulation.scenario.limit_ms / 2
        ):
            self.fail(board, "no verdict in the end")
        if self.simulation.scenario.title == CALM and board.state != BOOTSTRAPPED:
            self.fail(board, "not bootstrapped in the end, though nothing was out of order for good")


class Witness(Observer):
    """Checks what an observer is told: readiness against the run that claimed it, and that a rejection changes nothing."""

    def __init__(self, referee: Referee, board: SimulatedBoard) -> None:
        self._referee = referee
        self._board = board
        self._snapshot: tuple[Any, ...] = ()

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        node = self._board.node
        if command == READY_OBSERVED and node is not None and (peer_id, node.wire.nonce) not in self._referee.claims:
            self._referee.fail(self._board, f"counts {peer_id} as ready for a run, {node.wire.nonce}, in which it never claimed that")
        self._snapshot = self._look(machine)

    def observe_rejection(self, machine: Faction, command: int, peer_id: int, result: int) -> None:
        if self._snapshot and machine.state != 0 and self._look(machine) != self._snapshot:
            self._referee.fail(self._board, f"a rejection has changed {self._snapshot} into {self._look(machine)}")

    @staticmethod
    def _look(machine: Faction) -> tuple[Any, ...]:
        return machine.state, machine.pinging.count, machine.collecting.count, machine.is_pinging_completed


def fault(scenario: Scenario, seed: int) -> str:
    """Run a storm; return the rule that it broke, or ""."""
    try:
        Referee(scenario, seed).run()
    except Exception as error:  # whatever a node raises is a fault, too
        return f"{type(error).__name__}: {error}"
    return ""


def simpler(scenario: Scenario) -> Iterator[Scenario]:
    """Iterate scenarios with one thing less."""
    data = scenario.model_dump(exclude_unset=True)
    for name in ("events", "nodes"):
        for i in range(len(data[name])):
            yield Scenario.model_validate({**data, name: data[name][:i] + data[name][i + 1 :]})
    if data.get("intruder"):
        yield Scenario.model_validate({**data, "intruder": None})
    for table, name, value in (
        ("medium", "links", []),
        ("medium", "loss", 0.0),
        ("medium", "duplication", 0.0),
        ("medium", "corruption", 0.0),
        ("medium", "delay_ms", 0.5),
        ("medium", "access", "free"),
        ("medium", "topology", "all"),
        ("cluster", "drift_ppm", 0.0),
        ("cluster", "retries", 0),
        ("cluster", "frames_per_minute", 0),
        ("cluster", "tick_bits", 30),
        ("cluster", "deadline_from_contact", False),
        ("cluster", "power_on_ms", 0.0),
        ("cluster", "start_up_ms", 0.0),
        ("cluster", "quorum", max(1, scenario.cluster.quorum_count() - 1)),
        ("cluster", "nodes", data["cluster"]["nodes"] - 1),
    ):
        if data[table].get(name) != value:
            try:
                yield Scenario.model_validate({**data, table: {**data[table], name: value}})
            except ValueError:
                continue  # an event or a quorum needs the node


def shrink(scenario: Scenario, seed: int) -> tuple[Scenario, int]:
    """Return a scenario and a seed that break a rule as these do, and none of whose parts can be left out."""
    smaller = True
    while smaller:
        smaller = False
        for candidate in simpler(scenario):
            broken = next((other for other in range(seed, seed + 6) if fault(candidate, other)), None)
            if broken is not None:
                scenario, seed, smaller = candidate, broken, True
                break
    return scenario, seed


def keep(scenario: Scenario, seed: int, text: str, folder: Path = REGRESSIONS) -> Path:
    """Write a storm to the folder of those that are run for ever."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scenario.title.replace(' ', '_')}_{seed}.json"
    path.write_text(json.dumps({"seed": seed, "broke": text, "scenario": scenario.model_dump(exclude_unset=True)}, indent=1) + "\n")
    return path


def weather(seeds: Sequence[int]) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """Run storms; return what they covered, and (seed, broken rule) of those that broke one."""
    covered = {"clusters": 0, "frames": 0, "deliveries": 0, "boots": 0, "bootstrapped": 0, "timed out": 0}
    broken = []
    for seed in seeds:
        try:
            simulation = Referee(storm(seed), seed).run()
        except Exception as error:
            broken.append((seed, f"{type(error).__name__}: {error}"))
            continue
        states = [state for board in simulation.boards for _, state in board.changes]
        covered["clusters"] += 1
        covered["frames"] += sum(board.sent for board in simulation.boards)
        covered["deliveries"] += simulation.deliveries
        covered["boots"] += sum(board.boots for board in simulation.boards)
        covered["bootstrapped"] += states.count(BOOTSTRAPPED)
        covered["timed out"] += states.count(BOOTSTRAPPED + 1)
    return covered, broken


def run(runs: int, first: int = 1, jobs: int | None = None) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """Run so many storms on all cores; return as weather does."""
    total: dict[str, int] = {}
    broken: list[tuple[int, str]] = []
    with local_executor(jobs) as executor:
        seeds = range(first, first + runs)
        futures = [executor.submit(weather, seeds[start : start + CHUNK]) for start in range(0, runs, CHUNK)]
        for future in as_completed(futures):
            covered, bad = future.result()
            broken += bad
            total = {name: total.get(name, 0) + number for name, number in covered.items()}
    return total, sorted(broken)


def main(arguments: list[str] | None = None) -> int:
    """Run storms; shrink and keep the first that breaks a rule, and return 1."""
    parser = argparse.ArgumentParser(description="Clusters with every fault at once, watched at every poll.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--no-shrink", action="store_true", help="neither shrink nor keep one that breaks a rule")
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    covered, broken = run(options.runs, options.seed)
    console = Console()
    text = ", ".join(f"{number:,} {name}" for name, number in covered.items())
    console.print(f"storms: {text}; {time.monotonic() - begin:.0f} s", highlight=False, soft_wrap=True)
    if not broken:
        return 0
    seed, rule = broken[0]
    console.print(f"{len(broken)} broke a rule; storm {seed}: {rule}", markup=False, highlight=False, soft_wrap=True)
    if options.no_shrink:
        return 1
    scenario, seed = shrink(storm(seed), seed)
    path = keep(scenario, seed, fault(scenario, seed))
    console.print(
        f"{path.relative_to(ROOT)}: the smallest that does; the tests run it from now on", markup=False, highlight=False, soft_wrap=True
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
