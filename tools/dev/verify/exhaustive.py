"""Every state that a small cluster can be in: shipped nodes, a time that goes on, and an air that loses frames.

What is checked

 1. A member is a shipped node. member.py makes its steps, and has the rules that each of them must keep. What the machine alone can
    do, and what each of its states answers to everything, is in machine_states.py.
 2. The graph says who hears whom. A member may speak at any time, and any neighbour may hear the frame or not: so any frame may
    be lost. What a frame says of others goes on with the frames of those who heard it.
 3. With late_ms the air may keep one frame at a time for so long. Meanwhile neighbours may hear it, again and again.
 4. A member may complete, miss its deadline or begin another run at any moment. The time may go on by 1 ms at any moment.
 5. Liveness, while no deadline has passed: from every state a path leads to all bootstrapped, by steps in which nothing more
    goes wrong.

What is left out, and why nothing is lost

 6. A frame reaches one neighbour in a step. Two who hear the same frame hear it in two steps within the same ms.
 7. Times are ages. An age matters only by comparison with another one, and by gaps that the code knows: two units, what
    rounding can add on the way, the ms by which a frame may be late, presence_ms. A gap that is larger than all these may be
    cut down, so there is an end to the states.
 8. A statement that is older than all runs, by more than such a gap, can count for nobody, and all that will be said is later. It
    is as good as none. So is "not ready" where no readiness is as old as that, and none may be said now: it takes nothing back.
 9. Statements about different peers are never compared. So the ages of those about one peer are looked at apart from the rest,
    together with the beginnings of the runs. A beginning matters only by what was said before it and what after it. And two
    units matter only between a readiness and what may take it back.
10. Who takes part decides nothing (machine_states.py checks that), so ``pinging`` is left out. So is what a machine that
    has concluded never looks at.
11. Members that are placed alike in the graph may change places.

The tests compare what the members show with a search in which 8 to 11 do not hold (reduced=False). What loses something is ``coarse``:
there nobody speaks both before and after a change of its own within the same ms.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, TIMED_OUT, Config

from .machine_states import check_machine
from .member import NONE, SHIPPED, Bench, Frame, Head, Member, Parts, Statement
from .rules import Broken, Violation

COMPLETES, HEARS, HEARS_LATE, PASSES = "completes", "hears", "hears late", "1 ms passes"
MISSES, RESTARTS, REBOOTS, KEEPS = "misses its deadline", "restarts", "reboots", "keeps the frame of"
CALM = (COMPLETES, HEARS, PASSES)  # what goes on when nothing more goes wrong
AIR = -1  # not a member, but somebody who does something

Edges = tuple[tuple[int, int], ...]
Ages = tuple[int, ...]
LINE: Edges = ((0, 1), (1, 2))
TRIANGLE: Edges = ((0, 1), (1, 2), (0, 2))
PAIR: Edges = ((0, 1),)


@dataclass(frozen=True)
class CheckedCluster:
    """What is to be checked: so many members, of whom quorum must be ready, and who hears whom.

    restarts: so many in all. staggered: members may also restart, as often as they like, before they complete: so they begin at
    different times. deadlines: they may pass. unit: of the ages, as an exponent of 2. late_ms: a frame may be kept for so long.
    presence_ms: after so much time without a word a member counts no longer; 0: never. coarse: who completes, or begins a run, has
    not spoken within the same ms. reduced: see the top.
    """

    count: int
    quorum: int
    edges: Edges = ()
    restarts: int = 0
    staggered: bool = False
    deadlines: bool = False
    unit: int = 0
    late_ms: int = 0
    presence_ms: int = 0
    coarse: bool = False
    reduced: bool = True

    def __str__(self) -> str:
        options = {
            f"restarts {self.restarts}": self.restarts > 0,
            "staggered": self.staggered,
            "deadlines": self.deadlines,
            f"units of {1 << self.unit}": self.unit > 0,
            f"late by {self.late_ms}": self.late_ms > 0,
            f"presence {self.presence_ms}": self.presence_ms > 0,
            "coarse": self.coarse,
            "whole": not self.reduced,
        }
        edges = " ".join(f"{a}-{b}" for a, b in self.edges)
        return ", ".join(
            [f"{self.quorum} of {self.count}", *([edges] if edges else []), *(option for option, chosen in options.items() if chosen)]
        )

    @property
    def gap(self) -> int:
        """Return the least number of ms between two times that makes no difference to a greater one."""
        gap = (2 << self.unit) + self.slack + 1
        if self.presence_ms:
            gap = max(gap, self.presence_ms + self.slack + 2)
        return -(-gap >> self.unit) << self.unit

    @property
    def slack(self) -> int:
        """Return by how much a statement may still look older than now."""
        return (self.count - 1) * ((1 << self.unit) - 1) + self.late_ms


@dataclass(frozen=True)
class Coverage:
    """What was checked: all that a cluster can do, in so many states and transitions from one of them to another."""

    cluster: CheckedCluster
    states: int
    transitions: int
    seconds: float


class Step(NamedTuple):
    """What a member does, and whose frame it is about."""

    member: int
    does: str
    sender: int = AIR

    def __str__(self) -> str:
        who = "the air" if self.member == AIR and self.does == KEEPS else "" if self.member == AIR else str(self.member)
        return " ".join([*([who] if who else []), self.does, *([] if self.sender == AIR else [str(self.sender)])])


class State(NamedTuple):
    """The restarts used, the frame that the air keeps, as its sender was then, and the members, each by its number."""

    used: int
    kept_ms: int
    sender: int
    kept: int
    members: tuple[int, ...]


class Composition:
    """The members and their air. Each member that was met has a number."""

    def __init__(self, cluster: CheckedCluster, parts: Parts) -> None:
        self._cluster = cluster
        self._range = range(cluster.count)
        self._near = [[a + b - i for a, b in cluster.edges if i in (a, b)] for i in self._range]
        self._benches = [
            Bench(Config(i, self._range, cluster.quorum), parts, cluster.unit, cluster.presence_ms, cluster.late_ms > 0)
            for i in self._range
        ]
        self._members: list[Member] = []
        self._numbers: dict[Member, int] = {}
        # Of each member, by its number: its start, the oldest of its statements, all of its ages, and the numbers of what it was told
        # of each peer. Small ints are hashed much faster than what they stand for.
        self._starts: list[int] = []
        self._oldest: list[int] = []
        self._ages: list[frozenset[int]] = []
        self._told: list[tuple[int, ...]] = []
        self._telling: list[tuple[Statement | None, int]] = []
        self._tellings: dict[tuple[Statement | None, int], int] = {}
        self._heads: dict[Head, int] = {}
        self._frames: dict[tuple[int, int, int], Frame] = {}
        self._done: dict[tuple[int, int, str, int, int], int] = {}
        self._settled: dict[State, int] = {}
        self._keys: dict[tuple[object, ...], int] = {}
        self._chains: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._turned: dict[tuple[int, int], int] = {}
        self._symmetries = self._find_symmetries() if cluster.reduced else [tuple(self._range)]
        self._states: list[State] = []
        self._parents: list[tuple[int, Step]] = []
        self.transitions = 0

    def _find_symmetries(self) -> list[tuple[int, ...]]:
        """Return all ways to number the members that leave the graph as it is, the plain one first."""
        edges = {frozenset(edge) for edge in self._cluster.edges}
        return [way for way in permutations(self._range) if {frozenset(way[i] for i in edge) for edge in edges} == edges]

    # The search

    def check(self) -> int:
        """Walk through all states; return how many there are. Raises Violation."""
        sources, targets = array("I"), array("I")
        self._settle(State(0, 0, AIR, AIR, tuple(self._number(bench.boot(0)) for bench in self._benches)), 0, Step(AIR, PASSES))
        at = 0
        while at < len(self._states):
            state = self._states[at]
            for step, following in self._following(at, state):
                number = self._settle(following, at, step)
                if number != at:
                    self.transitions += 1
                    if step.does in CALM:
                        sources.append(at)
                        targets.append(number)
            at += 1
        self._check_paths(sources, targets)
        return len(self._states)

    def _check_paths(self, sources: array[int], targets: array[int]) -> None:
        """Go backwards from the states with all bootstrapped; every state without a timeout must be met."""
        count = len(self._states)
        before: list[list[int]] = [[] for _ in range(count)]
        for source, target in zip(sources, targets):
            before[target].append(source)
        verdicts = [{self._members[member].head.state for member in state.members} for state in self._states]
        order = [number for number in range(count) if verdicts[number] == {BOOTSTRAPPED}]
        reaching = set(order)
        for number in order:
            more = [each for each in before[number] if each not in reaching]
            reaching.update(more)
            order += more
        for number in range(count):
            if number not in reaching and TIMED_OUT not in verdicts[number]:
                raise Violation("a path leads to all bootstrapped: none from here", self._trace(number))

    def _trace(self, number: int) -> list[str]:
        """Return the shortest way to a state."""
        steps: list[str] = []
        while number:
            number, step = self._parents[number]
            steps.append(str(step))
        return steps[::-1]

    def _following(self, at: int, state: State) -> Iterator[tuple[Step, State]]:
        """Iterate over what may happen in a state, and the state after it."""
        for step in self._steps(state):
            try:
                following = self._take(state, step)
            except Broken as broken:
                raise Violation(str(broken), [*self._trace(at), str(step)]) from None
            if following != state:
                yield step, following

    def _steps(self, state: State) -> Iterator[Step]:
        cluster = self._cluster
        yield Step(AIR, PASSES)
        for i in self._range:
            head = self._members[state.members[i]].head
            for j in self._near[i]:
                yield Step(i, HEARS, j)
            if head.state < COLLECTING:
                yield Step(i, COMPLETES)
            if cluster.deadlines and head.state < BOOTSTRAPPED:
                yield Step(i, MISSES)
            if state.used < cluster.restarts or (cluster.staggered and head.state < COLLECTING):
                yield Step(i, RESTARTS)
                if cluster.late_ms:
                    yield Step(i, REBOOTS)
            if state.kept != AIR and state.sender in self._near[i]:
                yield Step(i, HEARS_LATE, state.sender)
            if cluster.late_ms:
                yield Step(AIR, KEEPS, i)

    def _take(self, state: State, step: Step) -> State:
        """Return what becomes of a state."""
        i, does, sender = step
        if does == PASSES:
            return self._pass(state)
        if does == KEEPS:
            return self._keep(state, sender)
        if self._cluster.coarse and does != HEARS:
            state = self._pass(state)
        member, used = state.members[i], state.used
        if does == HEARS:
            after = self._do(i, member, does, sender, state.members[sender])
        elif does == HEARS_LATE:
            after = self._do(i, member, does, sender, state.kept)
        else:
            after = self._do(i, member, does, AIR, AIR)
            if does in (RESTARTS, REBOOTS) and not (self._cluster.staggered and self._members[member].head.state < COLLECTING):
                used += 1
        members = (*state.members[:i], after, *state.members[i + 1 :])
        return State(used, state.kept_ms, state.sender, state.kept, members)

    def _do(self, i: int, member: int, does: str, sender: int, other: int) -> int:
        """Return the number of what becomes of member i that does something."""
        deed = i, member, does, sender, other
        if deed not in self._done:
            bench, before = self._benches[i], self._members[member]
            if does == HEARS or does == HEARS_LATE:
                after = bench.hear(before, self._frame(sender, other, 2 if does == HEARS else 1))
            elif does == COMPLETES:
                after = bench.complete(before)
            elif does == MISSES:
                after = bench.cancel(before)
            elif does == RESTARTS:
                after = bench.restart(before)
            else:
                after = bench.boot(before.head.run + 1)
            self._done[deed] = self._number(after)
        return self._done[deed]

    def _frame(self, sender: int, member: int, sequence: int) -> Frame:
        key = sender, member, sequence
        if key not in self._frames:
            self._frames[key] = self._benches[sender].write(self._members[member], sequence)
        return self._frames[key]

    def _pass(self, state: State) -> State:
        used, kept_ms, sender, kept, numbers = state
        kept_ms += kept != AIR
        if kept_ms > self._cluster.late_ms:
            kept_ms, sender, kept = 0, AIR, AIR
        return State(used, kept_ms, sender, kept, tuple([self._aged(i, number) for i, number in enumerate(numbers)]))

    def _aged(self, i: int, number: int) -> int:
        """Return the number of what becomes of a member within 1 ms. It notices at once of whom it has not heard for too long."""
        deed = i, number, PASSES, AIR, AIR
        if deed not in self._done:
            head, start, said = self._members[number]
            after = Member(head, start + 1, tuple(age if age == NONE else age + 1 for age in said))
            if self._cluster.presence_ms:
                after = self._benches[i].expire(after)
            self._done[deed] = self._number(after)
        return self._done[deed]

    def _keep(self, state: State, sender: int) -> State:
        """Let the air keep a frame that has just been sent. All frames of the sender heard so far come before it."""
        head, _, said = self._members[state.members[sender]]
        is_ready = head.finished and head.state != TIMED_OUT
        kept = Member(Head(head.run, is_ready, INITIAL, False, 0, 0, is_ready, head.statements, ()), 0, said)
        return self._settle_runs(state._replace(kept_ms=0, sender=sender, kept=self._number(kept)), True)

    # Which states are the same

    def _number(self, member: Member) -> int:
        number = self._numbers.get(member)
        if number is None:
            if self._cluster.reduced and member.head.pinging:
                number = self._number(member._replace(head=member.head._replace(pinging=0)))
            else:
                number = len(self._members)
                self._members.append(member)
                self._note(member)
            self._numbers[member] = number
        return number

    def _note(self, member: Member) -> None:
        """Note what is often asked of a new member."""
        head, start, said = member
        self._starts.append(start)
        self._oldest.append(max(said))
        self._ages.append(frozenset((start, *said)))
        told = []
        for telling in zip(head.statements, said):
            if telling not in self._tellings:
                self._tellings[telling] = len(self._telling)
                self._telling.append(telling)
            told.append(self._tellings[telling])
        self._told.append(tuple(told))

    def _settle(self, state: State, parent: int, step: Step) -> int:
        """Return the number of a state, or of one that is the same; a new one came from its parent by a step."""
        number = self._settled.get(state)
        if number is None:
            whole = self._settle_times(self._settle_runs(state, False) if self._cluster.late_ms else state)
            key = self._key(whole) if self._cluster.reduced else whole
            number = self._keys.get(key)
            if number is None:
                number = self._keys[key] = len(self._states)
                self._states.append(whole)
                self._parents.append((parent, step))
            self._settled[state] = number
        return number

    def _settle_runs(self, state: State, is_new: bool) -> State:
        """Replace sequences by 1 where the frame that the air keeps comes too late for them, and by 0 elsewhere."""
        nonce = AIR if state.kept == AIR else self._members[state.kept].head.run + 1
        members = []
        for number in state.members:
            member = self._members[number]
            runs = list(member.head.runs)
            for j, each in enumerate(runs):
                is_late = j == state.sender and not is_new
                doubted_run = each.nonce if each.doubt & 0x10 else each.other
                sequence = min(each.sequence, 1) if is_late and each.nonce == nonce else 0
                doubted = min(each.doubted, 1) if is_late and doubted_run == nonce else 0
                runs[j] = each._replace(sequence=sequence, doubted=doubted)
            members.append(self._number(member._replace(head=member.head._replace(runs=tuple(runs)))))
        return state._replace(members=tuple(members))

    def _settle_times(self, state: State) -> State:
        """Forget what can count for nobody, and cut gaps that are larger than any that makes a difference."""
        numbers = before = state.members if state.kept == AIR else (*state.members, state.kept)
        gap = self._cluster.gap
        if self._cluster.reduced:
            oldest = max([self._starts[number] for number in state.members]) + gap
            if max([self._oldest[number] for number in numbers]) > oldest:
                numbers = tuple([self._without(number, oldest) for number in numbers])
        places = {NONE: NONE}
        last = place = 0
        for age in sorted(frozenset().union(*[self._ages[number] for number in numbers])):
            if age >= 0:
                step = age - last
                place += step if step <= gap else gap + (step - gap & (1 << self._cluster.unit) - 1)
                last = age
                places[age] = place
        if last != place:
            numbers = tuple([self._placed(number, places) for number in numbers])
        if numbers == before:
            return state
        if state.kept == AIR:
            return state._replace(members=numbers)
        return state._replace(members=numbers[:-1], kept=numbers[-1])

    def _placed(self, number: int, places: dict[int, int]) -> int:
        """Return the number of a member with other ages."""
        head, start, said = self._members[number]
        return self._number(Member(head, places[start], tuple([places[age] for age in said])))

    def _without(self, number: int, oldest: int) -> int:
        """Return the number of a member without what is older and counts for nobody."""
        head, start, said = self._members[number]
        gone = [age > oldest and not head.collecting >> i & 1 for i, age in enumerate(said)]
        if not any(gone):
            return number
        statements = tuple(None if gone[i] else statement for i, statement in enumerate(head.statements))
        ages = tuple(NONE if gone[i] else age for i, age in enumerate(said))
        return self._number(Member(head._replace(statements=statements), start, ages))

    def _key(self, state: State) -> tuple[object, ...]:
        """Return what tells states apart: the least of what is seen from members that are placed alike."""
        told = self._told
        numbers = state.members if state.kept == AIR else (*state.members, state.kept)
        starts = [self._starts[number] for number in state.members]
        chains = [self._chain(i, state, (*starts, *[told[number][i] for number in numbers])) for i in self._range]
        return min([self._turn(state, chains, way) for way in range(len(self._symmetries))])

    def _turn(self, state: State, chains: list[tuple[int, ...]], way: int) -> tuple[int, ...]:
        """Return the key with the members in another order: first the one that the way names first."""
        order = self._symmetries[way]
        key = [state.used, state.kept_ms]
        for i in order:
            key.append(self._turn_head(state.members[i], way))
            chain = chains[i]
            for j in order:
                key += chain[4 * j : 4 * j + 4]
        if state.kept != AIR:
            key += (order.index(state.sender), self._turn_head(state.kept, way))
            for i in order:
                key += chains[i][4 * len(order) :]
        return tuple(key)

    def _turn_head(self, number: int, way: int) -> int:
        """Return a number for all of a member's head but its statements, which are in the chains."""
        key = number, way
        if key not in self._turned:
            head, order = self._members[number].head, self._symmetries[way]
            turned = head._replace(
                statements=(),
                collecting=sum((head.collecting >> i & 1) << at for at, i in enumerate(order)),
                runs=tuple(head.runs[i] for i in order) if head.runs else (),
            )
            self._turned[key] = self._heads.setdefault(turned, len(self._heads))
        return self._turned[key]

    def _chain(self, subject: int, state: State, known: tuple[int, ...]) -> tuple[int, ...]:
        """Return what matters of the statements about a peer. known: the starts of all members, and the numbers of what each was told.

        For each member, and for the frame that the air keeps: what its statement says, its age, its surplus, and the age of the
        run, each with the gaps cut.
        """
        may_say = self._may_say(state, subject)
        key = subject, may_say, *known
        chain = self._chains.get(key)
        if chain is None:
            count = self._cluster.count
            told = tuple(self._telling[number] for number in known[count:])
            chain = self._chains[key] = self._make_chain(subject, may_say, known[:count], told)
        return chain

    def _make_chain(self, subject: int, may_say: int, starts: Ages, told: tuple[tuple[Statement | None, int], ...]) -> tuple[int, ...]:
        slack = self._cluster.slack
        points = [(1 + statement.ready, age, statement.surplus) if statement else (0, NONE, 0) for statement, age in told]
        # Who says "not ready", and said it before all readiness that is known or may be said now, says nothing.
        oldest_ready = max(
            (age for says, age, _ in points if says == 2), default=0 if may_say & 2 and not self._cluster.coarse else -1 - slack
        )
        points = [point if point[0] == 2 or oldest_ready + slack >= point[1] else (0, NONE, 0) for point in points]
        ages = sorted({0, *(age for _, age, _ in points if age != NONE)})
        labels = [sum({says for says, at, _ in points if at == age}) | (0 if age else may_say) for age in ages]
        places = self._places(ages, labels, [start for i, start in enumerate(starts) if i != subject])
        ready = [age for age, label in zip(ages, labels) if label & 2 or not age]
        chain: list[int] = []
        for i, (says, age, surplus) in enumerate(points):
            start = 0
            if i != subject and i < len(starts):
                after = max(each for each in ready if each <= starts[i])
                start = places[after] + min(starts[i] - after, slack)
            chain += (says, NONE if age == NONE else places[age], surplus, start)
        return tuple(chain)

    def _may_say(self, state: State, subject: int) -> int:
        """Return what a member may say now or later: 2: that it is ready, 1: that it is not."""
        cluster, head = self._cluster, self._members[state.members[subject]].head
        is_ready = head.finished and head.state != TIMED_OUT
        may_restart = state.used < cluster.restarts
        may_expire = cluster.deadlines and head.state < BOOTSTRAPPED
        return 2 * (is_ready or may_restart or head.state < COLLECTING) | (not is_ready or may_restart or may_expire)

    def _places(self, ages: list[int], labels: list[int], starts: list[int]) -> dict[int, int]:
        """Return new ages for the ages of what is said of a peer, with the gaps cut. labels: what is said at each."""
        cluster = self._cluster
        gap, slack, mask = cluster.gap, cluster.slack, (1 << cluster.unit) - 1
        places = {0: 0}
        place = newer = 0
        older = [0] * len(ages)  # what is said at each age, and before it
        for at in range(len(ages) - 1, 0, -1):
            older[at - 1] = older[at] | labels[at]
        for at in range(1, len(ages)):
            newer |= labels[at - 1]
            step = ages[at] - ages[at - 1]
            if newer & 1 and older[at - 1] & 2 or cluster.presence_ms:
                limit = gap
            elif slack == 0 and labels[at] == labels[at - 1] != 3 and not any(ages[at - 1] <= start < ages[at] for start in starts):
                limit = 0
            else:
                limit = -(-(slack + 1) & ~mask)
            place += step if step <= limit else limit + (step - limit & mask)
            places[ages[at]] = place
        return places

    def shown(self) -> set[tuple[tuple[object, ...], ...]]:
        """Return what the machines show in each of the states, and what is true of them; to compare two searches."""
        return {self._shown(state, way) for state in self._states for way in self._symmetries}

    def _shown(self, state: State, order: tuple[int, ...]) -> tuple[tuple[object, ...], ...]:
        heads = [self._members[state.members[i]].head for i in order]
        collecting = [sum((head.collecting >> i & 1) << at for at, i in enumerate(order)) for head in heads]
        return tuple((head.finished, head.state, head.completed, counted) for head, counted in zip(heads, collecting))


def check_cluster(cluster: CheckedCluster, parts: Parts = SHIPPED) -> Coverage:
    """Check a cluster of members made of such parts. Raises Violation."""
    begin = time.perf_counter()
    composition = Composition(cluster, parts)
    collects = gc.isenabled()
    gc.disable()  # a search makes no garbage that needs the collector, which would look at millions of states again and again
    try:
        states = composition.check()
    finally:
        if collects:
            gc.enable()
    return Coverage(cluster, states, composition.transitions, time.perf_counter() - begin)


def renumbered(graph: Edges, count: int) -> set[frozenset[frozenset[int]]]:
    """Return a graph with its members numbered in all ways."""
    return {frozenset(frozenset(way[i] for i in edge) for edge in graph) for way in permutations(range(count))}


def connected_graphs(count: int) -> list[Edges]:
    """Return all connected graphs of so many members, one of each shape, those with the fewest edges first."""
    pairs = [(j, i) for i in range(count) for j in range(i)]
    graphs: list[Edges] = []
    known: set[frozenset[frozenset[int]]] = set()
    for size in range(count - 1, len(pairs) + 1):
        for graph in combinations(pairs, size):
            if frozenset(frozenset(edge) for edge in graph) not in known and _is_connected(graph, count):
                graphs.append(graph)
                known |= renumbered(graph, count)
    return graphs


def _is_connected(graph: Edges, count: int) -> bool:
    met = {0}
    while more := {i for edge in graph for i in edge if met & set(edge)} - met:
        met |= more
    return len(met) == count


GRAPHS = connected_graphs(4)
GRAPHS_OF_FIVE = connected_graphs(5)
MACHINES = (2, 3, 4)
QUICK = [
    CheckedCluster(1, 1),
    CheckedCluster(2, 1, PAIR, restarts=2),
    CheckedCluster(2, 2, PAIR, restarts=1, deadlines=True),
    CheckedCluster(2, 2, PAIR, restarts=1, unit=1),
    CheckedCluster(2, 2, PAIR, restarts=1, presence_ms=3),
    CheckedCluster(3, 3, LINE, staggered=True, coarse=True),
    CheckedCluster(3, 2, TRIANGLE, staggered=True, coarse=True),
]
USUAL = [
    *QUICK,
    CheckedCluster(2, 2, PAIR, restarts=2, deadlines=True),
    CheckedCluster(3, 3, LINE, restarts=1),
    CheckedCluster(3, 3, LINE, unit=1, coarse=True),
    CheckedCluster(3, 3, LINE, restarts=1, presence_ms=2, coarse=True),
    CheckedCluster(3, 3, TRIANGLE, restarts=1, coarse=True),
    CheckedCluster(3, 2, TRIANGLE, restarts=1, coarse=True),
    *(CheckedCluster(4, 4, graph, coarse=True) for graph in GRAPHS),
]
FULL = [
    *USUAL,
    CheckedCluster(3, 2, LINE, restarts=1, deadlines=True, coarse=True),
    CheckedCluster(2, 2, PAIR, restarts=1, late_ms=1, coarse=True),
    CheckedCluster(2, 2, PAIR, restarts=1, late_ms=1),
    CheckedCluster(3, 3, LINE, restarts=1, unit=1, coarse=True),
    CheckedCluster(3, 3, LINE, restarts=1, staggered=True, coarse=True),
    CheckedCluster(3, 3, LINE, restarts=2, coarse=True),
    CheckedCluster(3, 3, LINE, late_ms=1, coarse=True),
    CheckedCluster(3, 3, TRIANGLE, restarts=1, deadlines=True),
    CheckedCluster(3, 2, TRIANGLE, restarts=1, deadlines=True),
    *(CheckedCluster(4, 4, graph, coarse=True, staggered=True) for graph in GRAPHS),
    *(CheckedCluster(4, 3, graph, coarse=True) for graph in GRAPHS),
    *(CheckedCluster(5, 5, graph, coarse=True) for graph in GRAPHS_OF_FIVE),
]


def main(arguments: list[str] | None = None) -> int:
    """Check many clusters; return 1 if a rule does not hold in one."""
    parser = argparse.ArgumentParser(description="Walk through every state of small clusters, and check the rules in each.")
    parser.add_argument("--quick", action="store_true", help="the smallest: a second or two")
    parser.add_argument("--full", action="store_true", help="larger ones too: many minutes, and 4 GB of memory; FULL=1 says the same")
    options = parser.parse_args(arguments)
    is_full = options.full or bool(os.environ.get("FULL"))
    table = Table(box=SIMPLE)
    table.add_column("what")
    for heading in ("states", "transitions", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    console = Console()
    try:
        for cluster in QUICK if options.quick else FULL if is_full else USUAL:
            what = str(cluster)
            found = check_cluster(cluster)
            table.add_row(what, f"{found.states:,}", f"{found.transitions:,}", f"{found.seconds:.1f}")
        for count in MACHINES:
            what = f"machine, 2 of {count}"
            states, questions = check_machine(Config(0, range(count), 2))
            table.add_row(what, f"{states:,}", f"{questions:,}", "")
    except Violation as violation:
        console.print(f"{what}: {violation}", markup=False, highlight=False, soft_wrap=True)
        return 1
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
