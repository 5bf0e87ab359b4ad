"""Deliberate bugs: each is put into a copy of the package, and a check must catch it. The cheap checks come first.

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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..interpreters import PACKAGE, ROOT

PORTABLE = ROOT / "tests" / "portable"
ENOUGH_S = 300  # for a check without a bug, on a busy computer
PATIENCE_S = 5  # for a check of a bug, and SLOWER times what it takes without a bug: one that hangs has caught it, too
SLOWER = 8


@dataclass(frozen=True)
class Mutant:
    """A bug: a text of a file of the package, and what stands there instead."""

    name: str
    file: str
    old: str
    new: str


_TOLD_TOO_EARLY = "            if marks[i] & _UNTOLD:\n                marks[i] ^= _UNTOLD\n"

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
        "_CLOSED,                       _CLOSED,          PROBED, _CLOSED,     # BOOTSTRAPPED",
        "_CLOSED,                       _DEADLINE,        PROBED, _CLOSED,     # BOOTSTRAPPED",
    ),
    Mutant(
        "timed out is left by a readiness",
        "machine.py",
        "    _CLOSED,                  _CLOSED,        _CLOSED,                       _CLOSED,          PROBED, _CLOSED,     # TIMED_OUT",
        "    _CLOSED,                  _READY_CHECKED, _CLOSED,                       _CLOSED,          PROBED, _CLOSED,     # TIMED_OUT",
    ),
    Mutant(
        "a deadline is refused while nobody was heard",
        "machine.py",
        "_LOCAL,                        _DEADLINE,        PROBED, _REFUSED,    # INITIAL",
        "_LOCAL,                        _REFUSED,         PROBED, _REFUSED,    # INITIAL",
    ),
    Mutant(
        "a duplicate counts",
        "machine.py",
        "        result = REJECTED | DUPLICATE if self._bits[index] & mask else 0\n        if step and (step > 0) == (result == 0):",
        "        result = REJECTED | DUPLICATE if self._bits[index] & mask and step <= 0 else 0\n        if step and (step > 0 or result):",
    ),
    Mutant(
        "a duplicate counts in the express lane",
        "machine.py",
        "            return REJECTED | DUPLICATE\n        bits",
        "            pass\n        bits",
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
    Mutant(
        "a stranger counts in the place of a member",
        "machine.py",
        "            if self.config.peers[index] != peer_id:\n",
        "            if index < 0:\n",
    ),
    Mutant("the own readiness does not count", "machine.py", "                self.collecting._join(self.config.peer_id, 1)\n", ""),
    Mutant("the own part is not remembered", "machine.py", "                self.is_pinging_completed = True\n", ""),
    Mutant(
        "a withdrawal leaves the readiness",
        "machine.py",
        "self.pinging._join(peer_id, -step) | self.collecting._join(peer_id, -step)",
        "self.pinging._join(peer_id, -step) | self.collecting._join(peer_id, 0)",
    ),
    Mutant(
        "a withdrawal leaves the participation",
        "machine.py",
        "self.pinging._join(peer_id, -step) | self.collecting._join(peer_id, -step)",
        "self.pinging._join(peer_id, 0) | self.collecting._join(peer_id, -step)",
    ),
    Mutant(
        "our own readiness can be withdrawn",
        "machine.py",
        "                if peer_id == self.config.peer_id:\n",
        "                if peer_id < 0:\n",
    ),
    Mutant(
        "a withdrawal undoes a verdict",
        "machine.py",
        "_CLOSED,          PROBED, _CLOSED,     # BOOTSTRAPPED",
        "_CLOSED,          PROBED, _WITHDRAWN,  # BOOTSTRAPPED",
    ),
    Mutant("reset forgets to clear the sets", "machine.py", "self.pinging.count = self.collecting.count = 0", "self.pinging.count = 0"),
    Mutant("the express lane never closes", "machine.py", "        self.pinging._limit = self.collecting._limit = 0\n", ""),
    Mutant(
        "the nonce of a run is ignored",
        "peers.py",
        "        if wire.nonce == self._nonces[index]:\n            return",
        "        if True:\n            return",
    ),
    Mutant(
        "old frames are heard",
        "peers.py",
        "return _BEACON if wire.sequence > self._sequences[index] or self._returns(index, _DOUBT_CURRENT) else _STALE",
        "return _BEACON",
    ),
    Mutant(
        "frames of an earlier run are heard",
        "peers.py",
        "return _STALE if wire.nonce == self._others[index] and not self._returns(index, 0) else _BEACON",
        "return _BEACON",
    ),
    Mutant("a copy of a frame in doubt ends the count", "peers.py", "(flags and sequence < doubted)", "(flags and sequence <= doubted)"),
    Mutant("a run that goes on is never heard again", "peers.py", "        return marks >= 7 * _DOUBT\n", "        return False\n"),
    Mutant("every beacon counts as ready", "peers.py", "self._learn(index, (wire.flags & _READY) << 14)", "self._learn(index, _READY_BIT)"),
    Mutant("readiness is never taken in", "peers.py", "self._learn(index, (wire.flags & _READY) << 14)", "self._learn(index, 0)"),
    Mutant(
        "a clone is not told from ourselves",
        "peers.py",
        "_STALE if wire.nonce == self._others[index] else _SAME_ID\n",
        "_STALE\n",
    ),
    Mutant("a clone beyond earshot is not reported", "peers.py", "            self.found |= _CLONED\n", "            pass\n"),
    Mutant(
        "one that timed out takes itself for a clone",
        "peers.py",
        "and not self.machine.is_pinging_completed:",
        "and not self.marks[index] & _READY:",
    ),
    Mutant(
        "one that timed out tells that it started late",
        "node.py",
        " and self.machine.state == _BOOTSTRAPPED:\n                self.started",
        ":\n                self.started",
    ),
    Mutant(
        "old news lasts too long",
        "node.py",
        "            if self._flags & _CLOSED:\n                self._times[_EXPIRE] = _FAR\n",
        "            self._times[_EXPIRE] = self.now + self.interval_ms\n",
    ),
    Mutant("an age rounded down", "peers.py", "late = self.now + (1 << unit) - 1", "late = self.now"),
    Mutant(
        "a relay that makes a statement younger",
        "peers.py",
        "at = self.said[index] = self.now - ((word & _NO_AGE) << self.wire.unit)",
        "at = self.said[index] = self.now - ((word & _NO_AGE) << self.wire.unit >> 1)",
    ),
    Mutant("a statement of before our run counted", "peers.py", "            if at >= self.start:\n", "            if True:\n"),
    Mutant("one that an observer interrupts is lost", "peers.py", "            if marks[i] & _UNTOLD:\n", _TOLD_TOO_EARLY),
    Mutant("a frame ends what its sender's last one began", "peers.py", "&= _READY | _TAKES_BACK | _UNTOLD\n", "&= _READY\n"),
    Mutant("restart that keeps what was not told", "peers.py", "| _TAKES_BACK | _UNTOLD)", "| _TAKES_BACK)"),
    Mutant("news that nobody acts on", "node.py", "self._times[_EXPIRE] = self._due = self.now", "self._times[_EXPIRE] = self.now"),
    Mutant(
        "a lack that nobody acts on",
        "node.py",
        "            self._due = self.now\n            self._begin_turn",
        "            self._begin_turn",
    ),
    Mutant(
        "a start that nobody waits for",
        "node.py",
        "        now = self._due = self.now\n        is_news",
        "        now = self.now\n        is_news",
    ),
    Mutant(
        "one that says the same later is left out",
        "peers.py",
        "        self.said[index] = now - (age << unit)\n",
        "        pass\n",
    ),
    Mutant("one that says another thing only renews", "peers.py", " and not (inbox[length] >> 6 ^ self.marks[index]) & _READY:", ":"),
    Mutant(
        "a frame of its own that says another thing only renews",
        "peers.py",
        "if (wire.flags ^ self.marks[index]) & _READY or said[index] < self.start:",
        "if said[index] < self.start:",
    ),
    Mutant("the first frame in our run only renews", "peers.py", " & _READY or said[index] < self.start:", " & _READY:"),
    Mutant("one of before our run that only renews", "peers.py", "if age >= 0 and self.said[index] >= self.start and", "if age >= 0 and"),
    Mutant(
        "one about ourselves believed",
        "peers.py",
        "        said[self.own] = now\n",
        "        pass\n",
    ),
    Mutant("a window that never turns", "peers.py", "        self._next = i % len(said)  #", "        pass  #"),
    Mutant(
        "a withdrawal that is never made",
        "peers.py",
        "            if not marks & _READY:\n                marks |= _TAKES_BACK\n",
        "",
    ),
    Mutant(
        "a withdrawal that is never made of those who fell silent",
        "peers.py",
        "                self.marks[i] = _TAKES_BACK\n",
        "                self.marks[i] = 0\n",
    ),
    Mutant("one made from an older statement", "peers.py", "or said >= known:", "or said:"),
    Mutant("an older statement replaces a later one", "peers.py", "if said > known and self.now", "if said != _NEVER and self.now"),
    Mutant("restart that counts what waits in the transport", "node.py", "        self.peers.now -= self.now > 0", "        pass"),
    Mutant("restart that takes what waits for a contact", "node.py", "        if self.peers.now == self.now:  #", "        if True:  #"),
    Mutant("a statement too old to be told gets younger", "peers.py", "if age >= run_age:  #", "if age > run_age:  #"),
    Mutant("restart that keeps statements", "peers.py", "            self.said[i] = self.heard[i] = _NEVER\n", "            pass\n"),
    Mutant(
        "what is proved once is proved for ever",
        "key.py",
        "self._nonces[i] = self._challenges[i]",
        "self._challenges[i]",
    ),
    Mutant(
        "restart that keeps what it owes",
        "key.py",
        "self._challenges[i] = self._unproved[i] = self._debts[i] = 0",
        "self._challenges[i] = 0",
    ),
    Mutant(
        "an unproven sender counts",
        "key.py",
        "return _SAME_ID if is_quoted else _UNPROVEN",
        "return _SAME_ID if index == self.own else _BEACON",
    ),
    Mutant(
        "a challenge that is never renewed",
        "key.py",
        "        self._is_used_up = True\n        self._usable[index] = ",
        "        ",
    ),
    Mutant(
        "a challenge that is shown before it is made",
        "key.py",
        "        self._challenge = mix(self._challenge) or",
        "        self._is_used_up = False\n        self._challenge = mix(self._challenge) or",
    ),
    Mutant("one word of a quote is compared", "key.py", " and get(inbox, at + 4) == quotes[i + 1]:", ":"),
    Mutant("a quote of before the acceptance is believed", "key.py", "self._usable[index] = self._debts[index]", "self._debts[index]"),
    Mutant("a quote of anybody is believed", "key.py", "put(self._data, 0, self.config.peers[index])", "put(self._data, 0, 0)"),
    Mutant("a later frame displaces what is owed", "key.py", "        if self._chance % (runs + 1) == 0:\n", "        if True:\n"),
    Mutant("no quote is repeated", "key.py", "        self._pay(0)  #", "        pass  #"),
    Mutant("a lone board answers an unproven asker seldom", "key.py", " or (is_alone and not self.machine.is_concluded):", ":"),
    Mutant("an unproven asker is always answered", "key.py", " or self.now - self._greeted[index] < _PAUSE * interval_ms:", ":"),
    Mutant("unproven askers by turns are always answered", "key.py", "if spent > self.now or self.now", "if self.now"),
    Mutant("who has proved itself waits for an answer", "key.py", "            self.found = _LACKS\n", "            pass\n"),
    Mutant(
        "seven frames in a row count under a key, too",
        "key.py",
        "        elif wire.sequence <= self._sequences[index]:\n",
        "        elif wire.sequence <= self._sequences[index] and not self._returns(index, 0x10):\n",
    ),
    Mutant("a tag is not verified", "key.py", "        return wrong == 0\n", "        return wrong >= 0\n"),
    Mutant("readiness is claimed too early", "node.py", "wire.flags = self.peers.marks[self.peers.own]", "wire.flags = _READY"),
    Mutant("a node that timed out claims readiness", "node.py", "            self.peers.marks[self.peers.own] = 0\n", "            pass\n"),
    Mutant(
        "no answer after the verdict",
        "node.py",
        "        if times[_ANSWER] == _FAR:  #",
        "        if times[_ANSWER] == _FAR and not self.machine.is_concluded:  #",
    ),
    Mutant(
        "concluded nodes ask for ever",
        "node.py",
        "        if not self.machine.is_concluded:\n            wire.flags",
        "        if True:\n            wire.flags",
    ),
    Mutant(
        "a question carried on for ever",
        "node.py",
        "if is_concluded and at > self.now - _QUESTION_LIVES * interval_ms:",
        "if is_concluded:",
    ),
    Mutant(
        "a question that is carried on once",
        "node.py",
        "                self._plan_answer(1)  # once more",
        "                pass  # once more",
    ),
    Mutant(
        "a question that is carried on twice whatever others do",
        "node.py",
        "elif at < -_BESIDE << wire.unit and times[_ASKED]",
        "elif at < -_BESIDE << wire.unit and False and times[_ASKED]",
    ),
    Mutant("answers that nobody brings back", "node.py", " or at < -_FARTHER << wire.unit:", ":"),
    Mutant(
        "an old question that keeps a circle going",
        "node.py",
        "if is_concluded and at > self.now - _QUESTION_LIVES * interval_ms:\n                    times[_ASKED] = max(times[_ASKED], at)\n",
        "times[_ASKED] = max(times[_ASKED], at)\n                if is_concluded and at > self.now - _QUESTION_LIVES * interval_ms:\n",
    ),
    Mutant("a question that goes round", "node.py", "min(_PER_HOP - (self", "min(-(self"),
    Mutant("farewells without an end", "node.py", "            self._farewells -= 1\n", ""),
    Mutant("a start that moves later", "node.py", "        if at >= known:\n", "        if at == known:\n"),
    Mutant(
        "a start before the verdict",
        "node.py",
        "if now >= times[_START] and self.machine.state == _BOOTSTRAPPED:",
        "if now >= times[_START]:",
    ),
    Mutant("a start that each finds for itself", "node.py", "        times[_START] = at\n", ""),
    Mutant(
        "a Trickle timer that never resets",
        "node.py",
        "        elif self._turn_ms > interval_ms:\n            self._due = self.now\n            self._begin_turn(interval_ms)\n",
        "",
    ),
    Mutant(
        "only one beacon is ever sent",
        "node.py",
        "        times[_SPEAK] = self.now + half_ms + self._draw(ms - half_ms)\n",
        "        times[_SPEAK] = _FAR\n",
    ),
    Mutant(
        "the deadline never comes",
        "node.py",
        "            if self.remaining_ms <= 0:\n",
        "            if self.remaining_ms < -(1 << 40):\n",
    ),
    Mutant(
        "a restart keeps its nonce",
        "node.py",
        "        self.nonce = stir(",
        '        self.nonce = getattr(self, "nonce", 0) or stir(',
    ),
    Mutant(
        "the seal is not verified",
        "wire.py",
        "        if end < _STATEMENTS or not self.seal.verify(inbox, end, self._whole if end == self._end else None):\n",
        "        if end < _STATEMENTS:\n",
    ),
    Mutant("another quorum is no matter", "wire.py", "digest(list(config.peers) + [config.quorum])", "digest(config.peers)"),
    Mutant("a count goes on beyond a small int", "node.py", "    if counters[i] < _MAX_MS:  #", "    if True:  #"),
    Mutant("each of many offenders is reported", "node.py", "        if i % _OFFENDERS == _OFFENDERS - 1:", "        if False:"),
    Mutant(
        "the time left is ended after the observer was told",
        "node.py",
        "            self.remaining_ms = 0  # before an observer may call restart\n            self._due = self.now\n        return",
        "            self._due = self.now\n            result = self.machine.process(_DEADLINE_EXPIRED)\n"
        "            self.remaining_ms = 0\n            return result\n        return",
    ),
    Mutant("a quote is of nobody", "key.py", "        put(self._data, 0, self.config.peers[index])\n", ""),
    Mutant("another cluster is no matter", "wire.py", "digest(cluster.encode())", "7"),
    Mutant("pairs of differences cancel out in every roster", "wire.py", "    for _ in range(2):  # two", "    for _ in range(1):  # two"),
    Mutant("ticks that wrap are not seen", "clock.py", "            ms &= mask\n", "            pass\n"),
    Mutant("a journal forgets the peer", "journal.py", "records[at + 1] = index & 0xFF", "records[at + 1] = 0"),
    Mutant("a full journal leaves out later records, too", "journal.py", "if at <= last and records", "if records"),
    Mutant("a full journal keeps what was taken back", "journal.py", "if at <= last and records", "if at == last and records"),
    Mutant(
        "a rejection does not move when records are left out",
        "journal.py",
        "            if kept[at] > number:\n",
        "            if False:\n",
    ),
    Mutant("a record leaves its time behind", "journal.py", "self._times_cs[to // _RECORD] = self._times_cs[at // _RECORD]", "pass"),
    Mutant("a flood holds a poll of the console", "console.py", "        for _ in range(_KEYS):\n", "        while True:\n"),
    Mutant("one ctrl-C is enough", "console.py", "        self.interrupts += 1\n", "        self.interrupts += 3\n"),
    Mutant(
        "noise is taken for ctrl-C", "console.py", "            self.interrupts = 0\n            self._typed", "            self._typed"
    ),
)

NODE_TESTS = (
    *("test_wire", "test_peers", "test_node", "test_node_conflicts", "test_node_pace"),
    *("test_node_start", "test_node_everyone", "test_node_time", "test_node_idle"),
)
NODE_FILES = ("clock.py", "key.py", "node.py", "peers.py", "wire.py")


@dataclass(frozen=True)
class Check:
    """What is tried: a name, the files whose bugs it may catch, and the arguments of Python."""

    name: str
    files: tuple[str, ...]
    arguments: tuple[str, ...]


def _tests(module: str, *files: str) -> Check:
    return Check(module, files, (str(PORTABLE / "run.py"), "--stop", module))


# The cheapest first, but that those of a file come before all others: see tried.
CHECKS = (
    _tests("test_machine", "machine.py"),
    _tests("test_admissible", "machine.py"),
    _tests("test_journal", "machine.py", "journal.py"),
    _tests("test_console", "console.py"),
    _tests("test_key", "key.py"),
    *(_tests(module, *NODE_FILES) for module in NODE_TESTS),
    Check("abuse", (*NODE_FILES, "console.py"), ("-m", "faction_tools.dev.verify.abuse", "--runs", "1")),
    Check("exhaustive", ("machine.py",), ("-m", "faction_tools.dev.verify.exhaustive", "--quick")),
    Check("storms", NODE_FILES, ("-m", "faction_tools.dev.verify.storms", "--runs", "250", "--stop")),
)

# The cheap checks catch the bugs before these have their turn. So each of these has to catch some without the others.
ALONE = {
    "exhaustive": ("quorum is one too low", "timed out is left by a readiness", "a withdrawal leaves the readiness"),
    "abuse": (
        *("a flood holds a poll of the console", "a count goes on beyond a small int"),
        "each of many offenders is reported",
    ),
    "storms": (
        *("a relay that makes a statement younger", "one about ourselves believed", "an unproven sender counts"),
        *("a start before the verdict", "concluded nodes ask for ever", "frames of an earlier run are heard"),
        "a withdrawal that is never made",
    ),
}


def alone(patience_s: Mapping[str, float]) -> Iterator[tuple[Mutant, Mapping[str, float], tuple[Check, ...]]]:
    """Iterate the arguments of check for each bug that a check has to catch without the others."""
    for each in CHECKS:
        for name in ALONE.get(each.name, ()):
            yield next(mutant for mutant in MUTANTS if mutant.name == name), patience_s, (each,)


def check(mutant: Mutant, patience_s: Mapping[str, float], checks: Sequence[Check] = CHECKS, source: Path = PACKAGE) -> str:
    """Return the name of the first check that catches a bug, or "". patience_s: for each check, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "faction"
        shutil.copytree(source, copy)  # with what is compiled already; Python compiles again what has changed
        path = copy / mutant.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutant.old) != 1:
            raise ValueError(f"{mutant.name}: {mutant.file} has its text {text.count(mutant.old)} times, not once; adapt it")
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        for compiled in copy.rglob(f"{path.stem}.*.pyc"):
            compiled.unlink()  # its text may be as long as before, and as old
        return next((each.name for each in tried(mutant.file, checks) if not passes(each, folder, patience_s[each.name])), "")


def tried(file: str, checks: Sequence[Check]) -> list[Check]:
    """Return the checks that may catch a bug of a file: first those whose names say that they are about it."""
    return sorted((each for each in checks if file in each.files), key=lambda each: not each.name.startswith(f"test_{Path(file).stem}"))


def passes(check: Check, folder: str, seconds: float) -> bool:
    """Tell whether a check passes on the package in a folder, in so many seconds at most."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([folder, str(PORTABLE)]), PYTHONDONTWRITEBYTECODE="1")
    command = [sys.executable, *check.arguments]
    quiet = subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        return child.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # and its workers
        child.wait()
        return False


def patience(check: Check) -> float:
    """Return how long to wait for a check of a bug, by what it takes without one; 0 if it fails without any bug."""
    begin = time.monotonic()
    is_good = passes(check, str(PACKAGE.parent), ENOUGH_S)
    return PATIENCE_S + SLOWER * (time.monotonic() - begin) if is_good else 0


def main(arguments: list[str] | None = None) -> int:
    """Try every bug; return 1 if no check catches one of them, or if a check fails without a bug."""
    parser = argparse.ArgumentParser(description="Deliberate bugs, each of which a check must catch.")
    parser.add_argument("names", nargs="*", help="try only the bugs whose names contain one of these")
    options = parser.parse_args(arguments)
    begin = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        longest_first = CHECKS[::-1]
        patience_s = dict(zip((each.name for each in longest_first), pool.map(patience, longest_first)))
        broken = [name for name, seconds in patience_s.items() if not seconds]
        if broken:
            print(f"{', '.join(broken)}: fails without any bug", file=sys.stderr)
            return 1
        tries = [*((mutant, patience_s, CHECKS) for mutant in MUTANTS), *alone(patience_s)]
        tries = [each for each in tries if not options.names or any(name in each[0].name for name in options.names)]
        caught = list(pool.map(lambda each: check(*each), tries))
    return report([mutant.name + (f" [{only[0].name} alone]" if len(only) == 1 else "") for mutant, _, only in tries], caught, begin)


def report(names: Sequence[str], caught: Sequence[str], begin: float) -> int:
    """Print which check has caught each bug; return 1 if none has caught one of them."""
    table = Table("bug", "caught by", title=f"{len(names)} deliberate bugs", title_justify="left")
    for name, by in zip(names, caught):
        table.add_row(escape(name), by or "[red]nothing")
    console = Console()
    console.print(table)
    lives = caught.count("")
    console.print(f"mutation: {len(names) - lives} of {len(names)} bugs caught; {time.monotonic() - begin:.0f} s", highlight=False)
    return 1 if lives else 0


if __name__ == "__main__":
    sys.exit(main())
