"""The figures: both commands measure what is there, and refuse what is over budget."""

import json
import platform
import shutil
import subprocess
import sys

import pytest
from needs import needs_32_bit, needs_micropython

from faction_tools.dev import convergence, interpreters
from faction_tools.dev.figures import NOISY, Figure, exit_code, from_rounds


def run(command, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"faction_tools.dev.{command}", "--json", *arguments], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def spoilt(tmp_path):
    """Return a function that copies the package with one text in machine.py replaced, and returns the folder."""

    def spoil(old, new):
        folder = tmp_path / "faction"
        shutil.copytree(interpreters.PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        path = folder / "machine.py"
        source = path.read_text()
        assert source.count(old) == 1
        path.write_text(source.replace(old, new))
        return str(folder)

    return spoil


def by_name(done):
    assert done.stdout, done.stderr
    return {row["name"]: row for row in json.loads(done.stdout)}


@needs_32_bit
def test_size_measures_code_and_heap():
    done = run("size")
    rows = by_name(done)
    assert done.returncode == 0
    assert 2000 < rows["machine.mpy"]["value"] <= 3296
    assert 3000 < rows["heap: import faction"]["value"] <= 5824
    contiguous, sparse = rows["heap: machine, 1,000 contiguous peers"], rows["heap: machine, 1,000 sparse peers"]
    assert 8000 <= sparse["value"] - contiguous["value"] <= 8064  # twice four bytes an id, and the head of an array
    assert all(row["verdict"] == "ok" for row in rows.values() if row["budget"] is not None)


@needs_32_bit
def test_size_refuses_code_over_budget(spoilt):
    done = run("size", "--source", spoilt("def majority(", f"PADDING = '{'x' * 400}'\n\n\ndef majority("))
    assert done.returncode == 1
    assert by_name(done)["machine.mpy"]["verdict"] == "over"


@needs_micropython
def test_bench_measures():
    done = run("bench", "--quick")
    rows = by_name(done)
    assert rows["allocated by any call of the machine"]["value"] == 0
    assert 1 < rows["process, a duplicate"]["value"] < rows["process, an accepted signal"]["value"]
    if platform.machine() == "x86_64":
        assert 1 < rows["native code: process, an accepted signal"]["value"] < rows["process, an accepted signal"]["value"]
    assert {name.split()[1] for name in rows if name.startswith("CPython")} == {"faction", "transitions", "python-statemachine", "Automat"}


@needs_micropython
def test_bench_refuses_an_allocation(spoilt):
    folder = spoilt("        peers.count += 1\n        return", "        peers.count += 1\n        [peers]\n        return")
    done = run("bench", "--quick", "--source", folder)
    assert done.returncode == 1
    row = by_name(done)["allocated by any call of the machine"]
    assert row["value"] > 0 and row["verdict"] == "over"


@pytest.mark.parametrize(
    ("value", "budget", "spread", "verdict"),
    [
        (5, None, 0, ""),
        (5, 5, 0, "ok"),
        (5.01, 5, 0, "over"),
        (5.01, 5, NOISY, "over"),
        (5.01, 5, NOISY + 0.01, "noisy"),
        (50, 5, 0.8, "over"),  # ten times the budget is no noise
        (4, 5, 9, "ok"),
        (1, 0, 0, "over"),
    ],
)
def test_verdicts(value, budget, spread, verdict):
    figure = Figure("x", value, "bytes", budget, None, spread)
    assert figure.verdict == verdict
    assert exit_code([figure]) == (verdict == "over")


def test_rounds_give_their_value_and_how_far_two_halves_differ():
    times, calls = [8, 6, 9, 7], [2, 2, 1, 2]
    figure = from_rounds("x", "calls", 7, 5, lambda half: min(times[half]) / min(calls[half]))
    assert figure == Figure("x", 6, "calls", 7, 5, abs(8 - 3) / 6)
    assert figure.verdict == "ok"


def test_the_simulator_is_timed_beside_an_empty_call_and_in_longer_runs():
    frame, calls, longer = convergence.speed(2)
    assert 20 < calls.value < 5000 and 0.3 < longer.value < 3
    assert frame.unit == "µs" and 0 < frame.value
