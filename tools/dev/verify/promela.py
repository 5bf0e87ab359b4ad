"""The protocol of the node, searched to the end by spin: python -m faction_tools.dev.verify.promela prints what holds.

The model is node.pml, beside this file. It takes spin and gcc: apt-get install spin gcc.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

MODEL = Path(__file__).with_name("node.pml")
SAFETY = "safety"  # every assertion of the model
EVERYONE = "everyone"  # its ltl formulas
SILENCE = "silence"
NOT_CHECKED = 77  # exit code; automake uses the same one for a test that was skipped
WITNESS = "witness"  # something that must be possible: a model in which it is not says nothing about it

LIMIT_S = 300
_CLAIM = "assertion violated  !("  # how pan says that a formula, not an assertion of the model, is violated
_DEPTH = 1_000_000
_MEGABYTES = 2000
_SLOTS = 22
_SLOTS_OF_A_FEW = 18


@dataclass(frozen=True)
class Check:
    """One search: the property that is claimed, and the cluster that it is claimed of."""

    claim: str
    nodes: int
    quorum: int
    about: str
    defines: Mapping[str, object] = field(default_factory=dict)
    is_long: bool = False  # and so worth the seconds that an optimizing compiler takes

    @property
    def preamble(self) -> str:
        """Return what goes before the model."""
        values = {"N": self.nodes, "Q": self.quorum, "RESTARTS": 0, **self.defines}
        return "".join(f"#define {name} {value}\n" for name, value in values.items())


@dataclass(frozen=True)
class Result:
    """What a search found. violation: the first one, in the words of the checker; truncation: why it saw only a part."""

    check: Check
    errors: int
    states: int
    transitions: int
    seconds: float
    violation: str = ""
    truncation: str = ""

    @property
    def verdict(self) -> str:
        """Return what the search says of the claim: "holds" or "possible" if that is so, otherwise why not."""
        if self.truncation:
            return "truncated: " + self.truncation
        is_witness = self.check.claim == WITNESS
        if self.errors:
            return "possible" if is_witness and self.violation.startswith(_CLAIM) else "violated: " + self.violation
        return "never happens" if is_witness else "holds"

    @property
    def is_good(self) -> bool:
        """Tell whether the claim is so, and all was searched."""
        return self.verdict in ("holds", "possible")


def _safety(nodes: int, quorum: int, about: str, **defines: object) -> Check:
    return Check(SAFETY, nodes, quorum, about, defines)


def _fair(name: str, nodes: int, quorum: int, about: str, **defines: object) -> Check:
    return Check(name, nodes, quorum, about, {"FAIR": 1, "FAREWELLS": 2, **defines})


def _witness(nodes: int, about: str, expression: str, **defines: object) -> Check:
    return Check(WITNESS, nodes, nodes, about, {**defines, "WITNESS": expression})


_SPLIT = "state[0] == BOOTSTRAPPED && state[1] == TIMED_OUT"
_FAR_END = "state[0] == BOOTSTRAPPED && state[N - 1] == BOOTSTRAPPED"
_TOO_OLD = "says[AT(2, 0)] && age[AT(2, 0)] < MAX && age[AT(2, 0)] > run_age[2]"

_WITHHELD = "was_withheld && state[0] == BOOTSTRAPPED && !completed[1]"
_AGAIN = "state[0] == BOOTSTRAPPED && state[1] == BOOTSTRAPPED && current[AT(0, 1)] == 2 && current[AT(1, 0)] == 2"

# Those that take a second or two, and those that take longer.
QUICK = (
    _safety(2, 2, "2 restarts, deadlines", RESTARTS=2, DEADLINES=1),
    _safety(2, 1, "a restart, deadlines", RESTARTS=1, DEADLINES=1),
    _safety(3, 3, "a line", LINE=1),
    _safety(2, 2, "a key, an intruder, a restart", KEY=1, RESTARTS=1),
    _fair(EVERYONE, 2, 2, "loss, a restart", RESTARTS=1),
    _fair(EVERYONE, 3, 3, "a line", LINE=1, LOSSLESS=1),
    _fair(SILENCE, 2, 2, "loss, deadlines, a restart", RESTARTS=1, DEADLINES=1),
    _fair(SILENCE, 3, 3, "a line", LINE=1, LOSSLESS=1),
    _witness(2, "a verdict may be split", _SPLIT, DEADLINES=1),
    _witness(3, "the ends of a line learn of each other", _FAR_END, LINE=1),
    _witness(3, "a readiness may be too old to count", _TOO_OLD, LINE=1, RESTARTS=1),
    _witness(3, "a relayed statement withdraws", "was_relayed", LINE=1, RESTARTS=1),
    _witness(2, "boards with a key start, also in later runs", _AGAIN, KEY=1, RESTARTS=2),
    _witness(2, "a withheld readiness starts a board", _WITHHELD, KEY=1, RESTARTS=1),
)
_LONG = (
    _safety(3, 3, "a line, a restart", LINE=1, RESTARTS=1),
    _safety(2, 2, "a key, an intruder, 2 restarts", KEY=1, RESTARTS=2),
    _safety(2, 2, "a key, an intruder, a restart, deadlines", KEY=1, RESTARTS=1, DEADLINES=1),
    _fair(EVERYONE, 3, 3, "a line, a restart", LINE=1, LOSSLESS=1, RESTARTS=1, FAREWELLS=0),
    _fair(SILENCE, 3, 3, "a line, a restart", LINE=1, LOSSLESS=1, RESTARTS=1, FAREWELLS=0),
)
THOROUGH = tuple(replace(check, is_long=True) for check in _LONG)


def missing() -> str:
    """Return what is not installed, with the remedy, in one line; nothing if all is there."""
    names = [name for name in ("spin", "gcc") if shutil.which(name) is None]
    return f"{' and '.join(names)}: not found; apt-get install {' '.join(names)}" if names else ""


def search(check: Check, model: str | None = None) -> Result:
    """Search all that the model can do. model: its text, if not that of MODEL.

    Raises FileNotFoundError where spin or gcc is missing, RuntimeError with the message for a model that is no Promela.
    """
    if missing():
        raise FileNotFoundError(missing())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.pml").write_text(check.preamble + (MODEL.read_text() if model is None else model))
        _call(folder, "spin", "-a", "model.pml")
        _call(folder, "gcc", "-w", "-O2" if check.is_long else "-O0", *_options(check), "-o", "pan", "pan.c")
        return _search(check, folder)


def _options(check: Check) -> list[str]:
    # No reduction: there is little to save where each step touches what others read, and there is one thing less to trust.
    options = [f"-DMEMLIM={_MEGABYTES}", "-DNOREDUCE", "-DSAFETY" if check.claim == SAFETY else "-DNFAIR=4"]
    # The long searches of fair air go where the others have had each index checked.
    return options + (["-DNOBOUNDCHECK"] if check.is_long and "FAIR" in check.defines else [])


def _arguments(check: Check) -> list[str]:
    if check.claim == SAFETY:
        return []
    fairness = [] if check.claim == WITNESS else ["-f"]
    return ["-a", *fairness, "-N", check.claim]


def _call(folder: str, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stdout + done.stderr).strip()}")


def _search(check: Check, folder: str) -> Result:
    started = time.monotonic()
    slots = _SLOTS if check.is_long else _SLOTS_OF_A_FEW  # of the hash table, as an exponent of 2; more states only take longer
    command = ["./pan", "-n", f"-m{_DEPTH}", f"-w{slots}", *_arguments(check)]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return Result(check, 0, 0, 0, LIMIT_S, truncation=f"not done after {LIMIT_S} s")
    return read(check, done.stdout + done.stderr, time.monotonic() - started)


def read(check: Check, report: str, seconds: float) -> Result:
    """Read the report of a search. What does not say that it saw everything saw a part, unless that part was enough."""
    counts = [re.search(pattern, report) for pattern in (r"errors: (\d+)", r"(\S+) states, stored", r"(\S+) transitions \(=")]
    errors, states, transitions = (int(float(found[1])) if found else 0 for found in counts)
    violation = re.search(r"^pan:\d+: (.+?) \(at depth", report, re.MULTILINE)
    truncation = "" if errors and violation else _truncation(report, all(counts))
    return Result(check, errors, states, transitions, seconds, violation[1] if violation else "", truncation)


def _truncation(report: str, is_whole: bool) -> str:
    """Return why a search without a violation did not see everything, or nothing."""
    complaint = re.search(r"^(?:pan: )?(error: .+|reached .+|out of memory.*|Warning: Search not completed)", report, re.MULTILINE)
    if complaint:
        return complaint[1]
    if not is_whole or "Full statespace search" not in report or "errors: 0" not in report:
        return "no report of a full search"
    return ""


def show(results: Iterable[Result], console: Console) -> bool:
    """Print the table, row by row as it comes, and return whether all is good."""
    table = Table(title="The node's protocol, in every order of events", title_justify="left")
    for name in ("property", "with", "N", "Q", "states", "transitions", "s", "verdict"):
        table.add_column(name, justify="right" if name in ("N", "Q", "states", "transitions", "s") else "left")
    good = True
    with Live(table, console=console, auto_refresh=False) as live:
        for result in results:
            good = good and result.is_good
            table.add_row(*_row(result), style="" if result.is_good else "bold red")
            live.refresh()
    return good


def _row(result: Result) -> list[str]:
    check = result.check
    counts = [f"{count:,}" for count in (result.states, result.transitions)]
    return [check.claim, check.about, str(check.nodes), str(check.quorum), *counts, f"{result.seconds:.1f}", result.verdict]


def main() -> int:
    """Search them all; return 1 if something does not hold, or was not seen to the end, NOT_CHECKED without spin or gcc."""
    if missing():
        print(f"not checked: {missing()}")
        return NOT_CHECKED
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return 0 if show(pool.map(search, THOROUGH + QUICK), Console()) else 1  # those that take long begin first


if __name__ == "__main__":
    sys.exit(main())
