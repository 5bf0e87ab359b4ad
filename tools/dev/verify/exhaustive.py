"""Every state that a small cluster can be in: the shipped machine, on a network that loses, doubles and reorders frames.

What is checked

 1. A member is a machine and what a Node adds to it: a run, and a Memory of the runs of each peer. The shipped class
    does everything that a machine does here: a fresh machine gets commands until it is in the state, then the command.
 2. The network is the set of all beacons that were ever sent. Any member may hear any of them at any time, again and
    again, or never. So loss, duplication, delay and reordering are all included, and the set stays finite.
 3. A member may send, hear, complete, miss its deadline or begin another run at any moment.
 4. Safety holds in every state and at every step: see Behaviour and Composition, where the rules are.
 5. Liveness, while no deadline has passed and nobody restarts any more. From every state a path leads to all bootstrapped
    (backward reachability). And every path leads there if each frame is heard in the end: every such step adds to what
    some member knows, so no path is a circle, and only the state with all bootstrapped has no next step.

Two reductions leave fewer states, and so room for more members. Both lose nothing; the tests compare them with the whole.
prompt: each beacon is in the network as soon as it can be sent. It may still be heard late, so the members can do all that
they could do before. merged: two states of a machine count as one if they show the same, except for pinging, and if no
commands ever make them show something different. The machine itself is asked which states these are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    DEADLINE_EXPIRED,
    LOCAL_PARTICIPATION_COMPLETED,
    NO_PEER,
    PARTICIPATION_OBSERVED,
    PROBE,
    PROBED,
    READY_OBSERVED,
    REJECTED,
    TIMED_OUT,
    Config,
    Faction,
)
from faction.names import command_name, state_name

RESET = -2  # not a command, but recorded among them
SENDS, HEARS, COMPLETES = "sends", "hears", "completes"
MISSES, RESTARTS, REBOOTS = "misses its deadline", "restarts", "reboots"
CALM = (SENDS, HEARS, COMPLETES)  # what every member goes on doing when nothing more goes wrong

MachineFactory = Callable[[Config], Faction]
Known = tuple[int, ...]  # the runs of a peer that a receiver remembers; -1: none


def newest_run(known: Known, run: int, alive: bool) -> Known | None:
    """Let a frame count unless a later run was heard, as if every frame said how often its sender had restarted."""
    return (run,) if run >= known[0] else None


def last_two_runs(known: Known, run: int, alive: bool) -> Known | None:
    """Let a frame count as Node does under a checksum: nonces tell runs apart, but have no order.

    A frame of the run before the one heard last is refused, until seven such frames in a row show that this run is alive.
    """
    current, other = known
    if run == current:
        return known
    return (run, current) if run != other or alive else None


class Memory(NamedTuple):
    """How a receiver tells the runs of a sender apart.

    ``start``    what it knows before it has heard anything
    ``hear``     returns what it knows after a frame, or None if the frame does not count; alive: no later run of the
                 sender has sent anything yet
    ``ordered``  after a frame of one run, no frame of an earlier run may count
    """

    start: Known
    hear: Callable[[Known, int, bool], Known | None]
    ordered: bool


NEWEST = Memory((0,), newest_run, True)  # all begin with run 0, so nothing is lost if they are known to
LAST_TWO = Memory((-1, -1), last_two_runs, False)  # for one restart: two dead runs can replace each other without end


class Broken(Exception):
    """A rule does not hold; the text says which, and how it was broken.

    last: the step of a member that broke it, if one did. commands: what its machine was told, if that is known.
    """

    last: Step | None = None
    commands: tuple[tuple[int, int], ...] = ()


class Violation(Exception):
    """A rule does not hold: the rule, and the shortest way there."""

    def __init__(self, rule: str, trace: list[str]) -> None:
        steps = [f"{number:3} {step}" for number, step in enumerate(trace, 1)]
        super().__init__("\n".join([rule, *steps]))
        self.rule = rule
        self.trace = trace


@dataclass(frozen=True)
class CheckedCluster:
    """What is to be checked: so many members, a quorum, and so many restarts of all members together.

    deadlines: they may pass, at any time. prompt, merged: the reductions; see the top of this file.
    """

    count: int
    quorum: int
    restarts: int = 0
    deadlines: bool = True
    prompt: bool = False
    merged: bool = False
    memory: Memory = NEWEST

    def __str__(self) -> str:
        options = {
            f"restarts {self.restarts}": self.restarts > 0,
            "no deadlines": not self.deadlines,
            "last two runs": self.memory is LAST_TWO,
            "prompt": self.prompt,
            "merged": self.merged,
        }
        return ", ".join([f"{self.quorum} of {self.count}", *(option for option, chosen in options.items() if chosen)])


@dataclass(frozen=True)
class Coverage:
    """What was checked: all that a cluster can do, in so many states and transitions from one of them to another."""

    cluster: CheckedCluster
    states: int
    transitions: int
    seconds: float


class Step(NamedTuple):
    """What a member does next; with "hears", whose beacon it is, of which run, and whether it says ready."""

    member: int
    does: str
    sender: int = 0
    run: int = 0
    ready: bool = False

    def __str__(self) -> str:
        beacon = f": {'ready' if self.ready else 'participation'}, run {self.run}"
        of = {SENDS: beacon, HEARS: f" {self.sender}{beacon}"}
        return f"{self.member} {self.does}{of.get(self.does, '')}"


class CheckedMember(NamedTuple):
    """What a member knows: the state of its machine, its run, and what it remembers of the runs of each peer."""

    machine: int
    run: int
    known: tuple[Known, ...]


class ShownState(NamedTuple):
    """What a machine shows; the sets are bits, by position in the roster."""

    state: int
    completed: bool
    pinging: int
    collecting: int


class Behaviour:
    """What the machine of one member does, asked of the real class once for each of its states and commands.

    A state is known by everything that the object holds, so that whatever process may depend on tells states apart, and
    numbered in the order of discovery; 0 is that of a fresh machine. ``views`` has what each state shows. merged: let one
    state stand for all that nothing but pinging tells apart.
    """

    def __init__(self, config: Config, make: MachineFactory, merged: bool) -> None:
        self.config = config
        self.views: list[ShownState] = []
        self._make = make
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._paths: list[tuple[tuple[int, int], ...]] = []
        self._cells: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._stands_for: list[int] = []
        self._number(make(config), ())
        if merged:
            self._merge()

    def _merge(self) -> None:
        """Refine the partition of all states by what they show until no command tells the states of a class apart."""
        states = self._close()
        classes: list[Any] = [view._replace(pinging=0) for view in self.views]
        count = 0
        while len(set(classes)) > count:
            count = len(set(classes))
            numbers = {found: number for number, found in enumerate(dict.fromkeys(classes))}
            classes = [(numbers[classes[i]], *[numbers[classes[j]] for j in states[i]]) for i in range(len(states))]
        first = {found: number for number, found in reversed(list(enumerate(classes)))}
        self._stands_for = [first[found] for found in classes]
        self.views = [view._replace(pinging=0) for view in self.views]

    def _close(self) -> list[list[int]]:
        """Discover all states that the members can bring this one to; return the states that follow each."""
        commands = [(command, peer_id) for command in (PARTICIPATION_OBSERVED, READY_OBSERVED) for peer_id in self.config.peers]
        commands += [(command, NO_PEER) for command in (LOCAL_PARTICIPATION_COMPLETED, DEADLINE_EXPIRED, RESET)]
        following: list[list[int]] = []
        while len(following) < len(self.views):
            following.append([self.step(len(following), *command)[1] for command in commands])
        return following

    def step(self, state: int, command: int, peer_id: int = NO_PEER) -> tuple[int, int]:
        """Return the result of a command and the state that follows."""
        cell = state, command, peer_id
        if cell not in self._cells:
            self._cells[cell] = self._ask(*cell)
        result, following = self._cells[cell]
        return result, self._stands_for[following] if self._stands_for else following

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
            broken.commands = path
            raise
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

    def _view(self, machine: Faction) -> ShownState:
        pinging, collecting = (
            sum(1 << i for i, peer_id in enumerate(self.config.peers) if peers.has(peer_id))
            for peers in (machine.pinging, machine.collecting)
        )
        return ShownState(machine.state, machine.is_pinging_completed, pinging, collecting)

    def _check_view(self, machine: Faction, view: ShownState) -> None:
        for peers, bits in ((machine.pinging, view.pinging), (machine.collecting, view.collecting)):
            if peers.count != bin(bits).count("1"):
                raise Broken(f"a set counts each member once: {peers.count} for {bin(bits).count('1')}")
        if view.state == BOOTSTRAPPED and not view.completed:
            raise Broken("nobody is bootstrapped before its own participation is complete")
        if view.state == BOOTSTRAPPED and machine.collecting.count < self.config.quorum:
            raise Broken(f"bootstrapped is who counts a quorum: {machine.collecting.count} of {self.config.quorum}")

    def probe(self, state: int) -> None:
        """Check what a state answers to everything that can be asked of it, strangers and unknown commands too."""
        peer_ids = [*self.config.peers, NO_PEER, self.config.peers[-1] + 1, 1 << 40]
        self.step(state, RESET)
        for command in range(-1, PROBE + 2):
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


def reachable(place: int, edges: Iterable[tuple[int, int]]) -> set[int]:
    """Return the places that edges lead to from one."""
    found = {place}
    while more := {target for source, target in edges if source in found} - found:
        found |= more
    return found


class Composition:
    """The members and their network. A state is one int: the beacons sent, the restarts used, and where each member is.

    Members are numbered like their peer ids, and where one can be, like the states of its machine, as it is discovered.
    """

    def __init__(self, cluster: CheckedCluster, make: MachineFactory) -> None:
        count, restarts = cluster.count, cluster.restarts
        self._cluster = cluster
        self._restarts = restarts
        self._behaviours = [Behaviour(Config(i, range(count), cluster.quorum), make, cluster.merged) for i in range(count)]
        self._places: list[dict[CheckedMember, int]] = [{} for _ in range(count)]
        self._members: list[list[CheckedMember]] = [[] for _ in range(count)]
        self._used = 2 * count * (restarts + 1)  # the position of the restarts, one bit each, above the beacons
        self._width = max(12, (60 - self._used - restarts) // count)  # an int of more than 60 bits is larger
        self._network = (1 << self._used + restarts) - 1
        self._shifts = [self._used + restarts + i * self._width for i in range(count)]
        self._masks = [self._network | (1 << self._width) - 1 << shift for shift in self._shifts]
        # What each member can do, by its place and the network; see _enabled.
        self._moves: list[dict[int, tuple[list[int], list[int], int]]] = [{} for _ in range(count)]
        # The steps of each member from place to place that are calm, with the first state and step that did it.
        self._edges: list[dict[tuple[int, int], tuple[int, Step]]] = [{} for _ in range(count)]
        self._parents: dict[int, int] = {}
        self.transitions = 0

    def check(self) -> int:
        """Walk through all states; return how many there are. Raises Violation."""
        pending, reaching = self._explore()
        self._check_paths(pending, reaching)
        for edges in self._edges:
            self._check_progress(edges)
        return len(self._parents)

    def _start(self) -> int:
        state = 0
        for i, shift in enumerate(self._shifts):
            member = self._boot(0)
            state |= self._place(i, member) << shift
            if self._cluster.prompt:
                state |= self._beacon(i, member)
        return state

    def _boot(self, run: int) -> CheckedMember:
        return CheckedMember(0, run, (self._cluster.memory.start,) * len(self._shifts))

    def _explore(self) -> tuple[list[int], set[int]]:
        """Discover all states, breadth first. Return those without a timeout: not yet, and all, bootstrapped."""
        start = self._start()
        parents = self._parents = {start: start}
        order, pending, reaching = [start], [], set()
        for state in order:
            calm, wild, verdicts = self._expand(state)
            self.transitions += len(calm) + len(wild)
            for delta in calm + wild:
                if state + delta not in parents:
                    parents[state + delta] = state
                    order.append(state + delta)
            if verdicts == 1 << BOOTSTRAPPED:
                reaching.add(state)
            elif not verdicts >> TIMED_OUT:
                pending.append(state)
                if not calm:
                    raise Violation("who hears everything is bootstrapped at last: nothing more can happen", self._trace(state))
        return pending, reaching

    def _check_paths(self, pending: list[int], reaching: set[int]) -> None:
        """Go backwards from the states with all bootstrapped; every other state must be met."""
        found = True
        while found:
            rest = []
            for state in reversed(pending):
                if any(state + delta in reaching for delta in self._expand(state)[0]):
                    reaching.add(state)
                else:
                    rest.append(state)
            found = len(rest) < len(pending)
            pending = rest[::-1]
        if pending:
            raise Violation("a path leads to all bootstrapped: none from here", self._trace(pending[0]))

    def _check_progress(self, edges: dict[tuple[int, int], tuple[int, Step]]) -> None:
        """Peel off the places that nothing leads to, or on from; were a member to go round in circles, some would be left.

        The network only grows, so a circle of states would be one of the places of a member.
        """
        found = True
        while found:
            sources = {source for source, _ in edges}
            targets = {target for _, target in edges}
            rest = {edge: how for edge, how in edges.items() if edge[0] in targets and edge[1] in sources}
            found = len(rest) < len(edges)
            edges = rest
        if edges:
            state, step = next(how for edge, how in edges.items() if edge[0] in reachable(edge[1], edges))
            raise Violation("nothing goes round in circles: this leads back", [*self._trace(state), str(step)])

    def _expand(self, state: int) -> tuple[list[int], list[int], int]:
        """Return what may be added to a state, by calm steps and by others, and a bit for each state of a machine in it."""
        calm: list[int] = []
        wild: list[int] = []
        verdicts = 0
        for i, mask in enumerate(self._masks):
            more_calm, more_wild, verdict = self._moves[i].get(state & mask) or self._enabled(i, state)
            calm += more_calm
            wild += more_wild
            verdicts |= verdict
        return calm, wild, verdicts

    def _enabled(self, i: int, state: int) -> tuple[list[int], list[int], int]:
        """Find out what member i can do in a state, and keep it for all states that look the same to it."""
        try:
            enabled = self._find(i, state)
        except Broken as broken:
            last = [] if broken.last is None else [str(broken.last)]
            raise Violation(str(broken), self._trace(state) + last) from None
        self._moves[i][state & self._masks[i]] = enabled
        return enabled

    def _find(self, i: int, state: int) -> tuple[list[int], list[int], int]:
        member, network = self._member(i, state), state & self._network
        self._check_claims(i, member, network)
        calm: list[int] = []
        wild: list[int] = []
        for step in self._steps(i, member, network):
            delta = self._delta(state, step)
            kind = calm if step.does in CALM else wild
            if delta and delta not in kind:
                kind.append(delta)
                if kind is calm:
                    self._note_edge(i, state, state + delta, step)
        return calm, wild, 1 << self._view(i, member).state

    def _note_edge(self, i: int, before: int, after: int, step: Step) -> None:
        edge = self._places[i][self._member(i, before)], self._places[i][self._member(i, after)]
        if edge[0] != edge[1]:
            self._edges[i].setdefault(edge, (before, step))

    def _steps(self, i: int, member: CheckedMember, network: int) -> Iterator[Step]:
        """Iterate what member i may try."""
        if not self._cluster.prompt:
            yield Step(i, SENDS, i, member.run, self._is_ready(i, member))
        for bit in range(self._used):
            sender, run = divmod(bit >> 1, self._restarts + 1)
            if network >> bit & 1 and sender != i:
                yield Step(i, HEARS, sender, run, bool(bit & 1))
        yield Step(i, COMPLETES)
        if self._cluster.deadlines:
            yield Step(i, MISSES)
        if bin(network >> self._used).count("1") < self._restarts:
            yield Step(i, RESTARTS)
            yield Step(i, REBOOTS)

    def _delta(self, state: int, step: Step) -> int:
        """Return what a step adds to a state; 0 if it changes nothing."""
        i = step.member
        before = self._member(i, state)
        try:
            after = self._take(before, step, state & self._network)
            place = self._place(i, after)
        except Broken as broken:
            broken.last = step
            raise
        adds = self._beacon(i, after) if self._cluster.prompt or step.does == SENDS else 0
        if step.does in (RESTARTS, REBOOTS):
            used = state & self._network & -1 << self._used
            adds |= used + (1 << self._used) & ~used  # the lowest bit that is free
        return (place - self._places[i][before] << self._shifts[i]) + (adds & ~state)

    def _take(self, member: CheckedMember, step: Step, network: int) -> CheckedMember:
        """Return what becomes of the member that takes a step."""
        machine = self._behaviours[step.member].step
        if step.does == HEARS:
            return self._hear(member, step, self._is_alive(step, network))
        if step.does == COMPLETES:
            return member._replace(machine=machine(member.machine, LOCAL_PARTICIPATION_COMPLETED)[1])
        if step.does == MISSES:
            return member._replace(machine=machine(member.machine, DEADLINE_EXPIRED)[1])
        if step.does == RESTARTS:  # as Node.restart does: what it knows of the others' runs stays
            return member._replace(machine=machine(member.machine, RESET)[1], run=member.run + 1)
        if step.does == REBOOTS:
            return self._boot(member.run + 1)
        return member

    def _hear(self, member: CheckedMember, step: Step, alive: bool) -> CheckedMember:
        """Count a beacon as Node does: the participation first, then, if it says so, the readiness."""
        sender, before = step.sender, member.known[step.sender]
        after = self._cluster.memory.hear(before, step.run, alive)
        if after is None:
            return member
        behaviour = self._behaviours[step.member]
        state = behaviour.step(member.machine, PARTICIPATION_OBSERVED, sender)[1]
        if step.ready:
            state = behaviour.step(state, READY_OBSERVED, sender)[1]
        if self._cluster.memory.ordered and state != member.machine and step.run < max(before):
            raise Broken(f"no frame counts of an earlier run than the newest one heard: that was {max(before)}")
        return CheckedMember(state, member.run, (*member.known[:sender], after, *member.known[sender + 1 :]))

    def _is_alive(self, step: Step, network: int) -> bool:
        """Tell whether a sender has sent nothing in a later run than that of the beacon heard."""
        runs = network & (1 << 2 * (step.sender + 1) * (self._restarts + 1)) - 1
        return not runs >> 2 * (step.sender * (self._restarts + 1) + step.run + 1)

    def _check_claims(self, i: int, member: CheckedMember, network: int) -> None:
        view = self._view(i, member)
        for peer in range(len(self._shifts)):
            runs = network >> 2 * peer * (self._restarts + 1) & (1 << 2 * (self._restarts + 1)) - 1
            claimed = view.completed if peer == i else any(runs >> bit & 2 for bit in range(0, self._used, 2))
            if view.collecting >> peer & 1 and not claimed:
                raise Broken(f"nobody counts a readiness that was never claimed: {i} counts {peer}")

    def _view(self, i: int, member: CheckedMember) -> ShownState:
        return self._behaviours[i].views[member.machine]

    def _is_ready(self, i: int, member: CheckedMember) -> bool:
        """Tell whether the beacons of a member say ready."""
        view = self._view(i, member)
        return view.completed and view.state != TIMED_OUT

    def _beacon(self, i: int, member: CheckedMember) -> int:
        """Return the bit of the beacon that a member sends."""
        return 1 << 2 * (i * (self._restarts + 1) + member.run) + self._is_ready(i, member)

    def _member(self, i: int, state: int) -> CheckedMember:
        return self._members[i][state >> self._shifts[i] & (1 << self._width) - 1]

    def _place(self, i: int, member: CheckedMember) -> int:
        """Return the number of a member that is in some state; a new one is asked for everything."""
        places = self._places[i]
        if member not in places:
            if len(places) >> self._width:
                raise OverflowError(f"member {i} can be in more than {len(places)} states: too many to number")
            self._behaviours[i].probe(member.machine)
            places[member] = len(places)
            self._members[i].append(member)
        return places[member]

    def _trace(self, state: int) -> list[str]:
        """Return the shortest way to a state."""
        steps: list[str] = []
        while self._parents[state] != state:
            parent = self._parents[state]
            steps.append(self._step_between(parent, state))
            state = parent
        return steps[::-1]

    def shown(self) -> set[tuple[tuple[Any, ...], ...]]:
        """Return what the members show and remember, pinging apart, in each of the states; to compare two reductions."""
        return {tuple(self._shown(i, self._member(i, state)) for i in range(len(self._shifts))) for state in self._parents}

    def _shown(self, i: int, member: CheckedMember) -> tuple[Any, ...]:
        return (*self._view(i, member)._replace(pinging=0), member.run, member.known)

    def _step_between(self, before: int, after: int) -> str:
        steps = (step for i in range(len(self._shifts)) for step in self._steps(i, self._member(i, before), before & self._network))
        return str(next(step for step in steps if before + self._delta(before, step) == after))


def check_cluster(cluster: CheckedCluster, machine: MachineFactory = Faction) -> Coverage:
    """Check a cluster of machines that are made by machine(config). Raises Violation."""
    begin = time.perf_counter()
    try:
        composition = Composition(cluster, machine)
        states = composition.check()
    except Broken as broken:  # by one machine alone, before anybody took a step
        raise Violation(str(broken), [f"{name(command)} {peer_id}" for command, peer_id in broken.commands]) from None
    return Coverage(cluster, states, composition.transitions, time.perf_counter() - begin)


def check(
    count: int,
    quorum: int,
    restarts: int,
    deadlines: bool = True,
    prompt: bool = False,
    merged: bool = False,
    memory: Memory = NEWEST,
    machine: MachineFactory = Faction,
) -> Coverage:
    """Check a cluster; see CheckedCluster. Raises Violation."""
    return check_cluster(CheckedCluster(count, quorum, restarts, deadlines, prompt, merged, memory), machine)


USUAL = [
    CheckedCluster(1, 1, 2),
    CheckedCluster(2, 1, 2),
    CheckedCluster(2, 2, 2),
    CheckedCluster(2, 2, 1, memory=LAST_TWO),
    CheckedCluster(3, 2),
    CheckedCluster(3, 3),
    CheckedCluster(3, 2, 1, prompt=True),
    CheckedCluster(3, 3, 1, prompt=True),
    CheckedCluster(3, 2, 2, prompt=True, merged=True),
    CheckedCluster(3, 3, 2, prompt=True, merged=True),
    CheckedCluster(3, 3, 1, prompt=True, merged=True, memory=LAST_TWO),
    CheckedCluster(4, 2, prompt=True, merged=True),
    CheckedCluster(4, 3, prompt=True, merged=True),
    CheckedCluster(4, 4, prompt=True, merged=True),
    CheckedCluster(4, 3, 1, deadlines=False, prompt=True, merged=True),
]
QUICK = 6  # of the usual ones
FULL = [
    *USUAL,
    CheckedCluster(2, 2, 3),
    CheckedCluster(3, 2, 1),
    CheckedCluster(3, 3, 1, deadlines=False),
    CheckedCluster(3, 2, 1, prompt=True, memory=LAST_TWO),
    CheckedCluster(4, 4, merged=True),
    CheckedCluster(4, 3, 1, prompt=True, merged=True),
    CheckedCluster(4, 4, 1, prompt=True, merged=True),
]


def main(arguments: list[str] | None = None) -> int:
    """Check many clusters; return 1 if a rule does not hold in one."""
    parser = argparse.ArgumentParser(description="Walk through every state of small clusters, and check the rules in each.")
    parser.add_argument("--quick", action="store_true", help="the smallest: a second or two")
    parser.add_argument("--full", action="store_true", help="larger ones too: minutes, and 2 GB of memory")
    options = parser.parse_args(arguments)
    table = Table(box=SIMPLE)
    table.add_column("cluster")
    for heading in ("states", "transitions", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    console = Console()
    for cluster in FULL if options.full else USUAL[:QUICK] if options.quick else USUAL:
        try:
            found = check_cluster(cluster)
        except Violation as violation:
            console.print(f"{cluster}: {violation}", markup=False, highlight=False, soft_wrap=True)
            return 1
        table.add_row(str(cluster), f"{found.states:,}", f"{found.transitions:,}", f"{found.seconds:.1f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
