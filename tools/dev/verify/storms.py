"""Storms: clusters of the shipped node with every fault at once, watched at every poll.

    python -m faction_tools.dev.verify.storms [--runs 20000] [--seed 1]

What must hold, whatever happens (ledger.py says how it is known):

- Nobody is Bootstrapped before its own part is complete, nor with fewer ready members than its quorum.
- A node that counts a member: the member said so itself, READY, in a frame sent after the node's present run began, up to the
  flights of the frames that brought it, and the node has not heard since that it is not ready, nor heard nothing for presence_ms.
- Within a run the sets only grow, but for a withdrawal that has its reason; a conclusion never changes; a rejection changes nothing.
- What a frame says is so: of its sender, and of others never younger than it was. All members have their turn in it.
- The common start is the earliest that a node knows of. It goes when that has come and it is Bootstrapped, and never before.
- A node that has concluded speaks for a reason: its farewells, a question. Once nobody asks, all fall silent, after twelve frames each
  at most: unless there is an intruder, or somebody waits for a first contact. Where frames are slow it may take more frames; where they
  take more than an interval, it may take too long to wait for.
- Under a key: another run of a member counts only if it answers what was sent since its last one; a frame quotes digests of what its
  sender has heard; a concluded node answers each member that is not proven at most once in eight intervals, and all of them together
  seldom. Also under attack.
- Each frame received is counted exactly once. A node with a deadline has a verdict in the end.

And where a storm has one of the shapes of drawing.py: all are Bootstrapped in the end; nobody is without a member that has left;
all who are Bootstrapped before the common start go at the same time, if no frame was lost since the first verdict. (Who has
concluded says so once and then is silent, unless it has heard somebody ask: if that frame is lost, nobody corrects a later start.)

A run in which something does not hold is shrunk to a scenario that is as small as it can be, and written to a file that
tests/host/test_storms.py will run for ever.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

from rich.console import Console

from faction import BOOTSTRAPPED, TIMED_OUT

from ...simulator.campaign import local_executor
from ...simulator.scenario import Scenario
from ..interpreters import ROOT
from .drawing import storm
from .ledger import Ledger

REGRESSIONS = ROOT / "tests" / "host" / "regressions"
CHUNK = 250


def fault(scenario: Scenario, seed: int) -> str:
    """Run a storm; return the rule that it broke, or ""."""
    try:
        Ledger(scenario, seed).run()
    except Exception as error:  # whatever a node raises is a fault, too
        return f"{type(error).__name__}: {error}"
    return ""


SIMPLER: tuple[tuple[str, str, Any], ...] = (
    ("medium", "links", []),
    ("medium", "loss", 0.0),
    ("medium", "duplication", 0.0),
    ("medium", "corruption", 0.0),
    ("medium", "delay_ms", 0.5),
    ("medium", "access", "free"),
    ("medium", "max_length", 250),
    ("medium", "topology", "all"),
    ("cluster", "key", False),
    ("cluster", "drift_ppm", 0.0),
    ("cluster", "retries", 0),
    ("cluster", "frames_per_minute", 0),
    ("cluster", "is_line_shared", False),
    ("cluster", "presence_ms", None),
    ("cluster", "start_after_ms", None),
    ("cluster", "tick_bits", 30),
    ("cluster", "deadline_from_contact", False),
    ("cluster", "power_on_ms", 0.0),
    ("cluster", "start_up_ms", 0.0),
)


def simpler(scenario: Scenario) -> Iterator[Scenario]:
    """Iterate scenarios with one thing less."""
    data = scenario.model_dump(exclude_unset=True)
    for candidate in _simpler(data):
        try:
            yield Scenario.model_validate(candidate)
        except ValueError:
            continue  # something else needs what was left out


def _simpler(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("events", "nodes"):
        for i in range(len(data[name])):
            yield {**data, name: data[name][:i] + data[name][i + 1 :]}
    for name, value in (("intruder", None), ("airs", [])):
        if data.get(name):
            yield {**data, name: value}
    for table, name, value in SIMPLER:
        if data[table].get(name, value) != value:
            yield {**data, table: {**data[table], name: value}}
    cluster = data["cluster"]
    if isinstance(cluster["quorum"], int) and cluster["quorum"] > 1:
        yield {**data, "cluster": {**cluster, "quorum": cluster["quorum"] - 1}}
    yield _without_the_last(data)


def _without_the_last(data: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario with one board less, and with what is said about it left out."""
    count = data["cluster"]["nodes"] - 1
    cluster = {**data["cluster"], "nodes": count}
    if isinstance(cluster["quorum"], int):
        cluster["quorum"] = min(cluster["quorum"], count)
    if cluster.get("places"):
        cluster["places"] = cluster["places"][:count]
    airs = [{**air, "nodes": [each for each in air["nodes"] if each < count]} for air in data.get("airs", [])]
    return {**data, "cluster": cluster, "airs": [air for air in airs if air["nodes"]]}


def shrink(scenario: Scenario, seed: int) -> tuple[Scenario, int]:
    """Return a scenario and a seed that break the same rule, and none of whose parts can be left out."""
    rule = _rule(fault(scenario, seed))
    smaller = True
    while smaller:
        smaller = False
        for candidate in simpler(scenario):
            broken = next((other for other in range(seed, seed + 6) if _rule(fault(candidate, other)) == rule), None)
            if broken is not None:
                scenario, seed, smaller = candidate, broken, True
                break
    return scenario, seed


def _rule(text: str) -> str:
    """Return the first words of what a storm broke, without its numbers: another rule may break for another reason."""
    return re.sub(r"\d+", "", text.partition("): ")[2] or text)[:24]


def keep(scenario: Scenario, seed: int, text: str, folder: Path = REGRESSIONS) -> Path:
    """Write a storm to the folder of those that are run for ever."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scenario.title.replace(' ', '_')}_{seed}.json"
    path.write_text(json.dumps({"seed": seed, "broke": text, "scenario": scenario.model_dump(exclude_unset=True)}, indent=1) + "\n")
    return path


def weather(seeds: Sequence[int], stops: bool = False) -> tuple[dict[str, int], list[tuple[int, str]]]:
    """Run storms; return what they covered, and (seed, broken rule) of those that broke one. stops: at the first of these."""
    covered = {"clusters": 0, "frames": 0, "deliveries": 0, "boots": 0, "bootstrapped": 0, "timed out": 0}
    broken = []
    gc.freeze()  # the modules stay: the collector need not look at them
    for seed in seeds:
        try:
            simulation = Ledger(storm(seed), seed).run()
        except Exception as error:
            broken.append((seed, f"{type(error).__name__}: {error}"))
            if stops:
                break
            continue
        states = [state for board in simulation.boards for _, state in board.changes]
        covered["clusters"] += 1
        covered["frames"] += sum(board.sent for board in simulation.boards)
        covered["deliveries"] += simulation.deliveries
        covered["boots"] += sum(board.boots for board in simulation.boards)
        covered["bootstrapped"] += states.count(BOOTSTRAPPED)
        covered["timed out"] += states.count(TIMED_OUT)
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
    parser.add_argument("--stop", action="store_true", help="stop at the first that breaks a rule, and neither shrink nor keep it")
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    if options.stop:
        covered, broken = weather(range(options.seed, options.seed + options.runs), stops=True)
    else:
        covered, broken = run(options.runs, options.seed)
    console = Console()
    text = ", ".join(f"{number:,} {name}" for name, number in covered.items())
    console.print(f"storms: {text}; {time.monotonic() - begin:.0f} s", highlight=False, soft_wrap=True)
    if not broken:
        return 0
    seed, rule = broken[0]
    console.print(f"{len(broken)} broke a rule; storm {seed}: {rule}", markup=False, highlight=False, soft_wrap=True)
    if options.stop:
        return 1
    scenario, seed = shrink(storm(seed), seed)
    path = keep(scenario, seed, fault(scenario, seed))
    console.print(
        f"{path.relative_to(ROOT)}: the smallest that does; the tests run it from now on", markup=False, highlight=False, soft_wrap=True
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
