"""Deliberate bugs: each is put into a copy of the package, and at least one check must catch it.

python -m faction_tools.dev.verify.mutants [NAME ...]
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..interpreters import PACKAGE, ROOT

PORTABLE = ROOT / "tests" / "portable"
PATIENCE_S = 20  # for a check of a bug: one that hangs has caught it, too
ENOUGH_S = 300  # for a check without a bug, on a busy computer


@dataclass(frozen=True)
class Mutant:
    """A bug: a text of a file of the package, and what stands there instead."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "quorum is one too low",
        "machine.py",
        "self.collecting.count >= self.config.quorum:",
        "self.collecting.count >= self.config.quorum - 1:",
    ),
    Mutant(
        "quorum is one too high",
        "machine.py",
        "self.collecting.count >= self.config.quorum:",
        "self.collecting.count > self.config.quorum:",
    ),
    Mutant(
        "readiness bootstraps before the own part is complete",
        "machine.py",
        "    _HEARD,                   _READY,         _LOCAL,",
        "    _HEARD,                   _READY_CHECKED, _LOCAL,",
    ),
    Mutant(
        "bootstrapped is left at the deadline",
        "machine.py",
        "_CLOSED,                       _CLOSED,          PROBED,  # BOOTSTRAPPED",
        "_CLOSED,                       _DEADLINE,        PROBED,  # BOOTSTRAPPED",
    ),
    Mutant(
        "timed out is left by a readiness",
        "machine.py",
        "    _CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED,  # TIMED_OUT",
        "    _CLOSED,                  _READY_CHECKED, _CLOSED,                       _CLOSED,          PROBED,  # TIMED_OUT",
    ),
    Mutant(
        "a deadline is refused while nobody was heard",
        "machine.py",
        "_LOCAL,                        _DEADLINE,        PROBED,  # INITIAL",
        "_LOCAL,                        _REFUSED,         PROBED,  # INITIAL",
    ),
    Mutant(
        "a duplicate counts",
        "machine.py",
        "            return REJECTED | DUPLICATE\n        if add:\n",
        "            self.count += add\n            return 0\n        if add:\n",
    ),
    Mutant(
        "a duplicate counts in the express lane",
        "machine.py",
        "            return REJECTED | DUPLICATE\n        peers._bits",
        "            pass\n        peers._bits",
    ),
    Mutant(
        "a stranger counts", "machine.py", "            return REJECTED | NON_MEMBER\n        mask", "            index = 0\n        mask"
    ),
    Mutant(
        "a stranger counts in the express lane",
        "machine.py",
        "                return REJECTED | NON_MEMBER\n        else",
        "                index = 0\n        else",
    ),
    Mutant("the own readiness does not count", "machine.py", "                self.collecting._join(self.config.peer_id, True)\n", ""),
    Mutant("the own part is not remembered", "machine.py", "                self.is_pinging_completed = True\n", ""),
    Mutant("reset forgets to clear the sets", "machine.py", "self.pinging.count = self.collecting.count = 0", "self.pinging.count = 0"),
    Mutant("the express lane never closes", "machine.py", "        self.pinging._limit = self.collecting._limit = 0\n", ""),
    Mutant("the nonce of a run is ignored", "node.py", "        if wire.nonce == self._nonces[index]:\n", "        if True:\n"),
    Mutant("old frames are heard", "node.py", "return BEACON if wire.sequence > self._sequences[index] else STALE", "return BEACON"),
    Mutant(
        "frames of an earlier run are heard",
        "node.py",
        "        elif wire.nonce == self._second_nonces[index] and not self._returns(index):\n            return STALE\n",
        "",
    ),
    Mutant("every beacon counts as ready", "node.py", "        if wire.flags & READY:\n", "        if True:\n"),
    Mutant("readiness is never taken in", "node.py", "        if wire.flags & READY:\n", "        if False:\n"),
    Mutant(
        "readiness is claimed too early", "node.py", "if self.machine.is_pinging_completed and self.machine.state != TIMED_OUT:", "if True:"
    ),
    Mutant("a node that timed out claims readiness", "node.py", " and self.machine.state != TIMED_OUT:", ":"),
    Mutant(
        "no answer after the verdict",
        "node.py",
        "self.machine.is_pinging_completed and not self._answer_due:",
        "self.machine.is_pinging_completed and not self.machine.is_concluded and not self._answer_due:",
    ),
    Mutant("concluded nodes ask for ever", "node.py", "flags = 0 if self.machine.is_concluded else ASKING", "flags = ASKING"),
    Mutant(
        "the deadline never comes",
        "node.py",
        "            if self.remaining_ms <= 0:\n",
        "            if self.remaining_ms < -(1 << 40):\n",
    ),
    Mutant(
        "a restart keeps its nonce",
        "node.py",
        "        self.nonce = self._draw(_MAX_MS) + 1\n",
        "        self.nonce = self.nonce or self._draw(_MAX_MS) + 1\n",
    ),
    Mutant(
        "only one beacon is ever sent",
        "node.py",
        "            self._beacon_in = interval_ms + (self._draw(interval_ms) >> 2)\n",
        "            self._beacon_in = _MAX_MS\n",
    ),
    Mutant(
        "a clone is not told from ourselves",
        "node.py",
        "            return STALE if wire.nonce == self._previous_nonce else SAME_ID\n",
        "            return STALE\n",
    ),
    Mutant("what is proved once is proved for ever", "node.py", "                self._nonces[i] = 0  #", "                pass  #"),
    Mutant(
        "an unproven sender counts",
        "node.py",
        "            if not wire.is_quoted(self._inbox, self.nonce):\n                return UNPROVEN\n",
        "            pass\n",
    ),
    Mutant(
        "the seal is not verified",
        "wire.py",
        "        if end < _QUOTES or end & 3 or not self._seal.verify(buffer, end):\n",
        "        if end < _QUOTES or end & 3:\n",
    ),
    Mutant("another quorum is no matter", "wire.py", "digest(list(config.peers) + [config.quorum])", "digest(config.peers)"),
    Mutant(
        "another cluster is no matter",
        "wire.py",
        "put(self._our_head, _CLUSTER, digest(cluster.encode()))",
        "put(self._our_head, _CLUSTER, 7)",
    ),
    Mutant("ticks that wrap are not seen", "clock.py", "            ms &= mask\n", "            pass\n"),
    Mutant("a journal forgets the peer", "journal.py", "records[at + 1] = index & 0xFF", "records[at + 1] = 0"),
)

# What is tried: a name, the files whose bugs it may catch (none: all others), and the arguments of Python.
CHECKS = (
    ("machine tests", ("machine.py", "journal.py"), [str(PORTABLE / "run.py"), "test_machine", "test_admissible", "test_journal"]),
    ("exhaustive", ("machine.py",), ["-m", "faction_tools.dev.verify.exhaustive", "--quick"]),
    ("storms", (), ["-m", "faction_tools.dev.verify.storms", "--runs", "250", "--no-shrink"]),
    ("node tests", (), [str(PORTABLE / "run.py"), "test_node", "test_node_time", "test_node_everyone", "test_node_conflicts", "test_wire"]),
)


def check(mutant: Mutant, source: Path = PACKAGE) -> list[str]:
    """Return the names of the checks that catch a bug."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "faction"
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / mutant.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            raise ValueError(f"{mutant.name}: {mutant.file} has its text {text.count(mutant.old)} times, not once; adapt it")
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        fitting = [each for each in CHECKS if mutant.file in each[1]] or [each for each in CHECKS if not each[1]]
        return [name for name, _, arguments in fitting if not passes(arguments, folder)]


def passes(arguments: list[str], folder: str, seconds: float = PATIENCE_S) -> bool:
    """Tell whether a check passes on the package in a folder, in so many seconds at most."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([folder, str(PORTABLE)]), PYTHONDONTWRITEBYTECODE="1")
    quiet = subprocess.DEVNULL
    child = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        return child.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # and its workers
        child.wait()
        return False


def main(arguments: list[str] | None = None) -> int:
    """Try every bug; return 1 if no check catches one of them, or if a check fails without a bug."""
    parser = argparse.ArgumentParser(description="Deliberate bugs, each of which a check must catch.")
    parser.add_argument("names", nargs="*", help="try only the bugs whose names contain one of these")
    options = parser.parse_args(arguments)
    wanted = [mutant for mutant in MUTANTS if not options.names or any(name in mutant.name for name in options.names)]
    begin = time.monotonic()
    for name, _, command in CHECKS:
        if not passes(command, str(PACKAGE.parent), ENOUGH_S):
            print(f"{name}: fails without any bug", file=sys.stderr)
            return 1
    table = Table("bug", "caught by", title=f"{len(wanted)} deliberate bugs", title_justify="left")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        caught = list(pool.map(check, wanted))
    for mutant, names in zip(wanted, caught):
        table.add_row(mutant.name, ", ".join(names) or "[red]nothing")
    console = Console()
    console.print(table)
    lives = caught.count([])
    console.print(f"mutation: {len(wanted) - lives} of {len(wanted)} bugs caught; {time.monotonic() - begin:.0f} s", highlight=False)
    return 1 if lives else 0


if __name__ == "__main__":
    sys.exit(main())
