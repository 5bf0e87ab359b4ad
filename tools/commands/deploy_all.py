"""What faction deploy --all does: it finds out which board is where, and deploys all of them at the same time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, TextIO

from ..errors import CommandError
from ..wording import counted
from . import FAILED
from .probe import NO_PORT

if TYPE_CHECKING:
    from ..fleet.deploy import Order
    from ..fleet.entries import BoardEntry
    from ..fleet.matching import Ask, Matching
    from ..fleet.plan import Plan
    from ..fleet.plugged import Plugged
    from ..fleet.roster import Roster
    from ..shown.progress import Row

MOST = 16  # boards that are deployed at the same time: on one USB bus more of them are not faster


def run_all(options: argparse.Namespace, seconds: float) -> int:
    """Deploy every board that has a place in the roster. Return the exit code: 0 only if all boards that are here are done."""
    from ..fleet import matching, plugged, roster
    from ..shown.progress import busy

    checked = roster.load(options.roster)
    places = options.all or plugged.places()
    if not places:
        raise CommandError(NO_PORT)
    with busy(f"asking {counted(len(places), 'board')} who they are"):
        found = plugged.look(places, checked, Event(), interrupts=True)
    matched = matching.match(checked, found, _ask())
    for line in matched.refused:
        print(line, file=sys.stderr)
    checked = _with_new_ids(options, checked, matched)
    fleet = _Fleet(_orders(options, checked, matched, seconds))
    try:
        fleet.deploy()
    finally:
        fleet.sum_up(checked, len(matched.refused))
    return FAILED if matched.refused or len(fleet.done) < len(fleet.orders) else 0


def _ask() -> Ask | None:
    """Return what asks a person at the terminal for the place of a board; None: there is nobody."""
    return _ask_person if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() else None


def _ask_person(board: Plugged, free: Sequence[BoardEntry]) -> BoardEntry | None:
    """Ask until the answer is a free place, or nothing."""
    from ..shown.plugged import describe

    names = ", ".join(f"{each.id} ({each.name})" for each in free)
    print(f"{describe(board)}\nWhich board of the roster is it? Free: {names}")
    while True:
        try:
            answer = input("Its name or id; Enter: none of them > ").strip()
        except EOFError:
            print()
            return None
        for each in free:
            if answer in (each.name, str(each.id)):
                return each
        if not answer:
            return None
        print(f"{answer}: is not free; write one of: {names}")


def _with_new_ids(options: argparse.Namespace, checked: Roster, matched: Matching) -> Roster:
    """Write into the roster what is new, and return it as it is then. Raises CommandError, OSError."""
    from ..fleet import roster
    from ..fleet.writing import write_hardware_ids

    new = matched.new_ids(checked)
    if not new:
        return checked
    names = ", ".join(board.name for board in checked.boards if board.id in new)
    if options.dry_run:
        print(f"{options.roster}: would get the hardware_id of {names}")
        return checked
    write_hardware_ids(Path(options.roster), new)
    print(f"{options.roster}: has the hardware_id of {names} now", flush=True)
    return roster.load(options.roster)


def _orders(options: argparse.Namespace, checked: Roster, matched: Matching, seconds: float) -> list[Order]:
    from ..fleet.deploy import Order

    here = [(board, matched.boards[board.id].place) for board in checked.boards if board.id in matched.boards]
    return [Order(checked, board, place, options.slice, options.dry_run, options.replace, seconds) for board, place in here]


class _Fleet:
    """Boards that are deployed at the same time. ``done``: the ids of those whose files are in their places and whose program runs."""

    def __init__(self, orders: list[Order]) -> None:
        self.orders = orders
        self.done: set[int] = set()
        self._failed: list[str] = []
        self._stop = Event()
        self._print = Lock()

    def deploy(self) -> None:
        """Deploy all of them. What fails is said, and the others go on. Raises KeyboardInterrupt after ctrl-C."""
        from ..serial.together import together
        from ..shown.progress import rows

        with rows() as make_row:
            together(lambda order: self._one(order, make_row), self.orders, self._stop, MOST)

    def _one(self, order: Order, make_row: Callable[[str], Row]) -> None:
        from ..fleet.deploy import Stopped, deploy
        from ..shown.deployed import told

        if self._stop.is_set():
            return
        name = order.board.name
        row = make_row(f"{name} on {order.port}")
        try:
            shown = _Shown(name, row, self._say)
            outcome = deploy(order, shown, self._stop)
        except CommandError as error:
            self._failed.append(name)
            self._say(f"{name}: {error}", sys.stderr)
        except Stopped:
            self._say(f"{name}: stopped by ctrl-C; it runs its old program again", sys.stderr)
        else:
            self.done.add(order.board.id)
            self._say(told(order, outcome))
        finally:
            row.remove()

    def _say(self, text: str, file: TextIO | None = None) -> None:
        with self._print:
            print(text, file=file, flush=True)

    def sum_up(self, roster: Roster, refused: int) -> None:
        """Print how many are done, and who is not."""
        is_dry = bool(self.orders) and self.orders[0].is_dry
        text = f"{len(self.done)} of {len(self.orders) + refused} boards {'looked at' if is_dry else 'deployed'}"
        stopped = [order.board.name for order in self.orders if order.board.id not in self.done and order.board.name not in self._failed]
        here = {order.board.id for order in self.orders}
        absent = [board.name for board in roster.boards if board.id not in here]
        for what, names in (("failed", sorted(self._failed)), ("stopped", stopped), ("not plugged in", absent)):
            text += f"; {what}: {', '.join(names)}" if names else ""
        text += f"; without a place: {refused}" if refused else ""
        print(text, flush=True)


class _Shown:
    """Shows the deployment of one board in its row."""

    def __init__(self, name: str, row: Row, say: Callable[[str], object]) -> None:
        self._name = name
        self._row = row
        self._say = say

    def stage(self, what: str, done: int = 0, total: int = 0) -> None:
        """Show what is being done."""
        self._row.show(what, done, total)

    def note(self, text: str) -> None:
        """Print a note."""
        self._say(f"{self._name}: {text}")

    def copied(self, made: Plan) -> None:
        """Print what was copied."""
        from ..shown.deployed import summary

        self._say(summary(self._name, "copied", made))
