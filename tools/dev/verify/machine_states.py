"""Every state of one machine: the shipped class, and what it answers to all that can be asked of it.

A machine is driven by commands from a fresh one to each state that there is, and asked there for every command about every peer,
strangers and unknown commands too. The rules are in Behaviour, where they are checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    COLLECTING,
    DEADLINE_EXPIRED,
    NO_PEER,
    PINGING,
    PROBED,
    READY_OBSERVED,
    REJECTED,
    TIMED_OUT,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
)
from faction.names import command_name, state_name

from .rules import Broken, Violation

RESET = -2  # not a command, but recorded among them

MachineFactory = Callable[[Config], Faction]


class View(NamedTuple):
    """What a machine shows; the sets are bits, by position in the roster."""

    state: int
    completed: bool
    pinging: int
    collecting: int


class Behaviour:
    """What the machine of one member does, asked of the real class once for each of its states and commands.

    A state is known by everything that the object holds, so that whatever process may depend on tells states apart, and
    numbered in the order of discovery; 0 is that of a fresh machine. ``views`` has what each state shows.
    """

    def __init__(self, config: Config, make: MachineFactory) -> None:
        self.config = config
        self.views: list[View] = []
        self._make = make
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._paths: list[tuple[tuple[int, int], ...]] = []
        self._cells: dict[tuple[int, int, int], tuple[int, int]] = {}
        try:
            self._number(make(config), ())
        except Broken as broken:
            raise Violation(str(broken), []) from None

    def check(self) -> tuple[int, int]:
        """Discover all states, and ask each for everything. Return how many there are, and how many questions. Raises Violation."""
        state = 0
        while state < len(self.views):
            self._probe(state)
            state += 1
        self._check_pinging()
        return state, len(self._cells)

    def _check_pinging(self) -> None:
        """Check that states which differ in who takes part go on alike: so a search of clusters may leave it out."""
        alike: dict[tuple[View, int, int], View] = {}
        for (state, command, peer_id), (_, following) in self._cells.items():
            before, after = (self.views[number]._replace(pinging=0) for number in (state, following))
            if alike.setdefault((before, command, peer_id), after) != after:
                raise Violation(f"who takes part decides nothing: {name(command)} {peer_id}", self._trace(self._paths[state]))

    @staticmethod
    def _trace(path: tuple[tuple[int, int], ...]) -> list[str]:
        return [f"{name(command)} {peer_id}" for command, peer_id in path]

    def step(self, state: int, command: int, peer_id: int = NO_PEER) -> tuple[int, int]:
        """Return the result of a command and the state that follows."""
        cell = state, command, peer_id
        if cell not in self._cells:
            self._cells[cell] = self._ask(*cell)
        return self._cells[cell]

    def _ask(self, state: int, command: int, peer_id: int) -> tuple[int, int]:
        path = (*self._paths[state], (command, peer_id))
        try:
            machine = self._at(state)
            if command == RESET:
                machine.reset()
                return ACCEPTED, self._reset(machine)
            admits = machine.admits(command, peer_id)
            result = machine.process(command, peer_id)
            following = self._number(machine, path)
            self._check_result(state, command, peer_id, admits, result, following)
        except Broken as broken:
            raise Violation(str(broken), self._trace(path)) from None
        return result, following

    def _at(self, state: int) -> Faction:
        """Return a machine that was driven to a state."""
        machine = self._make(self.config)
        for command, peer_id in self._paths[state]:
            machine.process(command, peer_id)
        return machine

    def _reset(self, machine: Faction) -> int:
        if self._numbers.get(contents(machine)) != 0:
            raise Broken("a machine that was reset is as a new one: something is left over")
        return 0

    def _number(self, machine: Faction, path: tuple[tuple[int, int], ...]) -> int:
        """Return the number of the state that a machine is in. A new one is checked, with all that can be asked of it."""
        held = contents(machine)
        if held not in self._numbers:
            self._numbers[held] = len(self.views)
            self._paths.append(path)
            self.views.append(self._view(machine))
            self._check_view(machine, self.views[-1])
        return self._numbers[held]

    def _view(self, machine: Faction) -> View:
        pinging, collecting = (
            sum(1 << i for i, peer_id in enumerate(self.config.peers) if peers.has(peer_id))
            for peers in (machine.pinging, machine.collecting)
        )
        return View(machine.state, machine.is_pinging_completed, pinging, collecting)

    def _check_view(self, machine: Faction, view: View) -> None:
        for peers, bits in ((machine.pinging, view.pinging), (machine.collecting, view.collecting)):
            if peers.count != bin(bits).count("1"):
                raise Broken(f"a set counts each member once: {peers.count} for {bin(bits).count('1')}")
        if view.state == BOOTSTRAPPED and not view.completed:
            raise Broken("nobody is bootstrapped before its own participation is complete")
        if view.state == BOOTSTRAPPED and machine.collecting.count < self.config.quorum:
            raise Broken(f"bootstrapped is who counts a quorum: {machine.collecting.count} of {self.config.quorum}")

    def _probe(self, state: int) -> None:
        """Check what a state answers to everything that can be asked of it, strangers and unknown commands too."""
        peer_ids = [*self.config.peers, NO_PEER, self.config.peers[-1] + 1, 1 << 40]
        self.step(state, RESET)
        for command in range(-1, WITHDRAWAL_OBSERVED + 2):
            for peer_id in peer_ids:
                self.step(state, command, peer_id)

    def _check_result(self, state: int, command: int, peer_id: int, admits: bool, result: int, following: int) -> None:
        asked = f"{name(command)} {peer_id} in {state_name(self.views[state].state)}"
        if admits == bool(result & REJECTED):
            raise Broken(f"admits agrees with process: {asked}")
        if result & (REJECTED | PROBED) and following != state:
            raise Broken(f"what is not accepted changes nothing: {asked}")
        if self.views[state].state in (BOOTSTRAPPED, TIMED_OUT) and following != state:
            raise Broken(f"a conclusion never changes within a run: {asked}")
        if command <= READY_OBSERVED and result & ACCEPTED and self.config.index(peer_id) < 0:
            raise Broken(f"a stranger is not accepted: {asked}")
        if command == DEADLINE_EXPIRED and self.views[following].state not in (BOOTSTRAPPED, TIMED_OUT):
            raise Broken(f"the deadline concludes: {asked}")
        if command == WITHDRAWAL_OBSERVED:
            self._check_withdrawal(peer_id, result, self.views[state], self.views[following], asked)
        elif any(known & ~kept for known, kept in zip(self.views[state][2:], self.views[following][2:])):
            raise Broken(f"nothing but a withdrawal takes a member out of a set: {asked}")

    def _check_withdrawal(self, peer_id: int, result: int, before: View, after: View, asked: str) -> None:
        bit = 0 if self.config.index(peer_id) < 0 else 1 << self.config.index(peer_id)
        is_open = before.state in (PINGING, COLLECTING) and peer_id != self.config.peer_id
        is_due = is_open and (before.pinging | before.collecting) & bit != 0
        left = before._replace(pinging=before.pinging & ~bit, collecting=before.collecting & ~bit)
        if is_due != bool(result & ACCEPTED) or after != (left if is_due else before):
            raise Broken(f"a withdrawal takes back what was observed of another member, and nothing else: {asked}")


def name(command: int) -> str:
    """Return the name of a command, of RESET too."""
    return "RESET" if command == RESET else command_name(command)


def contents(held: Any) -> tuple[Any, ...]:
    """Return all that a machine holds and may change, with what is in its sets."""
    fields = []
    for field, value in sorted(vars(held).items()):
        if field not in ("config", "observer"):
            fields.append(contents(value) if hasattr(value, "__dict__") else bytes(value) if isinstance(value, bytearray) else value)
    return tuple(fields)


def check_machine(config: Config, machine: MachineFactory = Faction) -> tuple[int, int]:
    """Check the machine that machine(config) makes; return how many states it has, and how many questions were asked.

    Raises Violation.
    """
    return Behaviour(config, machine).check()
