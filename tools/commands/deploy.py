"""faction deploy: bring a board's files and configuration onto it."""

from __future__ import annotations

import argparse
import math
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

from ..errors import CommandError
from ..fleet.words import WAIT_S
from . import ROSTER

if TYPE_CHECKING:
    from ..fleet.deploy import Order, Outcome
    from ..fleet.entries import BoardEntry
    from ..fleet.plan import Plan
    from ..fleet.roster import Roster
    from ..shown.progress import Bar


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from ..fleet.build import SLICES

    parser.add_argument("port", nargs="?", help="a serial port; for CircuitPython, the folder of its mounted drive, CIRCUITPY")
    parser.add_argument("board", nargs="?", help="the name or id of the board in the roster")
    parser.add_argument("--all", nargs="*", metavar="PORT", help="all boards that are plugged in, or those at these ports, in parallel")
    parser.add_argument("--roster", default=ROSTER, metavar="FILE", help=f"a TOML or JSON file (default: {ROSTER})")
    parser.add_argument("--slice", choices=SLICES, default="full", help="how much of the package (default: full)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--replace", action="store_true", help="go on if the board was another one of the roster, or of another cluster")
    parser.add_argument("--wait", metavar="SECONDS", help=f"how long to wait for the board's first words (default: {WAIT_S:g})")


def run(options: argparse.Namespace) -> int:
    """Copy what has changed, remove what is left over, and start the board."""
    from ..fleet import roster
    from ..fleet.deploy import Order

    if options.all is not None:
        return _run_all(options)
    if options.port is None or options.board is None:
        raise CommandError("deploy: needs a port and a board, such as /dev/ttyACM0 north; or write --all for all that are plugged in")
    checked = roster.load(options.roster)
    _refuse_other_order(options, checked)
    board = checked.board(options.board)
    seconds = _seconds(options, board)
    order = Order(checked, board, options.port, options.slice, options.dry_run, options.replace, seconds)
    with _Shown(board.name) as shown:
        outcome = _work(order, shown)
    _tell(order, outcome)
    return 0


def _run_all(options: argparse.Namespace) -> int:
    from .deploy_all import run_all

    if options.port is not None:
        words = " ".join(filter(None, [options.port, options.board]))
        raise CommandError(f"deploy {words} --all: --all finds out which board is where; leave out --all, or write --all {options.port}")
    _refuse_wait(options)
    return run_all(options, WAIT_S if options.wait is None else _number(options.wait))


def _work(order: Order, shown: _Shown) -> Outcome:
    """Deploy in a thread. Ctrl-C asks it to end: so it never cuts off what the board is doing."""
    from ..fleet.deploy import Stopped, deploy

    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(deploy, order, shown, stop)
        try:
            return _result(future, stop)
        except Stopped:
            raise KeyboardInterrupt from None


def _result(future: Future[Outcome], stop: Event) -> Outcome:
    while True:
        try:
            return future.result()
        except KeyboardInterrupt:
            if future.done():
                raise
            stop.set()


class _Shown:
    """Shows one deployment, as a context: its present stage on a terminal, and its notes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stage = ExitStack()
        self._bar: Bar | None = None

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *error: object) -> None:
        self._stage.close()

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show what is being done."""
        from ..shown.progress import bar, busy

        words = f"{self._name}: {what}"
        if total and self._bar is not None:
            self._bar.show(done, words)
            return
        self._stage.close()
        self._bar = None
        if total:
            self._bar = self._stage.enter_context(bar(words, total))
        else:
            self._stage.enter_context(busy(words))

    def note(self, text: str) -> None:
        """Print a note."""
        self._say(f"{self._name}: {text}")

    def copied(self, made: Plan) -> None:
        """Print what was copied."""
        from ..shown.deployed import summary

        self._say(summary(self._name, "copied", made))

    def _say(self, text: str) -> None:
        self._stage.close()
        self._bar = None
        print(text, flush=True)


def _seconds(options: argparse.Namespace, board: BoardEntry) -> float:
    """Return how long to wait for the first words. Raises CommandError if --wait is wrong, or nothing will be waited for."""
    if options.wait is None:
        return WAIT_S
    _refuse_wait(options)
    if board.kind == "circuitpython":
        raise CommandError(f"--wait {options.wait}: nobody waits for {board.name}: it restarts by itself; leave out --wait")
    return _number(options.wait)


def _refuse_other_order(options: argparse.Namespace, checked: Roster) -> None:
    """Refuse a board that stands before a port. Raises CommandError."""
    names = {name for board in checked.boards for name in (board.name, str(board.id))}
    if options.port in names and options.board not in names:
        order = f"{options.board} {options.port}"
        raise CommandError(f"deploy {options.port} {options.board}: the port comes first; write: faction deploy {order}")


def _refuse_wait(options: argparse.Namespace) -> None:
    """Refuse --wait where nothing will be waited for. Raises CommandError."""
    if options.wait is not None and options.dry_run:
        raise CommandError("--dry-run and --wait cannot work together: nothing is copied; leave out --wait")
    if options.wait is not None and options.slice == "core":
        raise CommandError("--slice core and --wait cannot work together: this slice has no program that says something; leave out --wait")


def _number(text: str) -> float:
    """Return the seconds of --wait. Raises CommandError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 3600:
        raise CommandError(f"--wait {text}: not a number of seconds above 0 and up to 3600; write, for example, --wait 30")
    return seconds


def _tell(order: Order, outcome: Outcome) -> None:
    """Print what was done."""
    from ..shown.deployed import told

    print(told(order, outcome))
    if order.is_dry:
        made = outcome.plan
        renamed = [f"  ~ {path} -> {new}" for path, new in made.kept.items()]
        print("\n".join(["  + " + path for path in made.copied] + renamed + ["  - " + path for path in made.removed]))
