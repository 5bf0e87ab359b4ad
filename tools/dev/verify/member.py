"""One member of a small cluster: the shipped node, set to a state that is wanted, and led from there by one step.

What is shipped and what is not

 1. Each step is made by the shipped classes: ``Node`` with its ``Wire``, ``Peers`` and ``Faction``. A frame is the bytes that a
    node writes, and another node reads them, checksum and all.
 2. A node plans when to speak. That is left out: here a member may speak at any time. So what follows holds for every
    plan, also for a bad one.
 3. The time is in ms, as in the node. All times are kept as ages: how long ago something was.

Beside what the node holds, a Member keeps what is true and the node cannot know: whether its own part is really complete,
and how much older than they are its statements look. The rules are about this: see ``Bench.hear``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from faction import ACCEPTED, BOOTSTRAPPED, COLLECTING, TIMED_OUT, Config, Faction
from faction.clock import Clock
from faction.node import SAME_ID, Node
from faction.peers import Peers
from faction.wire import _NO_AGE as NO_AGE
from faction.wire import _READY_BIT as READY_BIT
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import ASKING, BEACON, READY

from .rules import Broken

NONE = -1  # the age of what is not known
_NOW = 1 << 20  # the node's time at each step
_DOUBT = 0xF0  # the marks of a peer that belong to a run in doubt
_DOUBT_CURRENT = 0x10


class Parts(NamedTuple):
    """What a member is made of."""

    node: type[Node] = Node
    peers: type[Peers] = Peers
    machine: Callable[[Config], Faction] = Faction


SHIPPED = Parts()


class Statement(NamedTuple):
    """What is known of a peer. surplus: how much older the statement looks than it is, in ms."""

    ready: bool
    surplus: int


class Runs(NamedTuple):
    """How a member tells the runs of a peer apart: two nonces, the last sequence of the first run, and the doubt."""

    nonce: int = 0
    other: int = 0
    sequence: int = 0
    doubted: int = 0
    doubt: int = 0


class Head(NamedTuple):
    """All of a member but its times. The sets are bits, by position in the roster. finished: in truth; own: as it says."""

    run: int
    finished: bool
    state: int
    completed: bool
    pinging: int
    collecting: int
    own: bool
    statements: tuple[Statement | None, ...]
    runs: tuple[Runs, ...]  # empty where no frame comes late


class Member(NamedTuple):
    """A member, and how old its run and its statement about each peer are; NONE: there is none."""

    head: Head
    start: int
    said: tuple[int, ...]


class Frame(NamedTuple):
    """What a member sends, and what of it is true: the age of each statement, its readiness and its surplus."""

    data: bytes
    sender: int
    ready: bool
    said: tuple[int, ...]
    statements: tuple[Statement | None, ...]


class _Hand:
    """A transport that leads nowhere: the search puts the frames into it, one at a time."""

    frame = b""

    def send(self, buffer: bytes | bytearray, length: int) -> None: ...

    def receive(self, buffer: bytearray) -> int:
        length = len(self.frame)
        buffer[:length] = self.frame
        self.frame = b""
        return length or -1


class Bench:
    """The node of one member, on which all its steps are made. unit: of its ages, as an exponent of 2.

    keeps_runs: frames may come late, so the runs of the peers matter; otherwise all frames are of living runs, in their order.
    """

    def __init__(self, config: Config, parts: Parts, unit: int, presence_ms: int, keeps_runs: bool) -> None:
        interval_ms = 64 << unit
        self._hand = _Hand()
        self.node = node = parts.node(
            config, self._hand, "x", 1 << 29, interval_ms, clock=Clock(lambda: 0), seed=1, presence_ms=presence_ms
        )
        node.machine = parts.machine(config)
        node.peers = parts.peers(node.machine, node.wire, presence_ms, 2 * interval_ms)
        node.restart()
        assert node.unit == unit and node.wire.room == len(config.peers)
        self.config = config
        self._own = node.peers.own
        self._unit = unit
        self._keeps_runs = keeps_runs
        self._times = list(node._times)
        for i in range(6):  # what a restart has planned
            self._times[i] = 0x3FFFFFFF

    def boot(self, run: int) -> Member:
        """Return a member that has just been switched on."""
        count = len(self.config.peers)
        runs = (Runs(),) * count if self._keeps_runs else ()
        head = Head(run if self._keeps_runs else 0, False, 0, False, 0, 0, False, (None,) * count, runs)
        return Member(head, 0, (NONE,) * count)

    # Steps

    def write(self, member: Member, sequence: int = 2) -> Frame:
        """Let the member write a frame."""
        node = self._set(member)
        node.sequence = sequence - 1
        node._write()
        head = member.head
        is_ready = head.finished and head.state != TIMED_OUT
        flags = READY * is_ready + ASKING * (head.state < BOOTSTRAPPED)
        data = bytes(node.wire.outbox)
        if data[3] != flags:
            raise Broken(f"a frame says what is true of its sender: {data[3]} for {flags}")
        said = (*member.said[: self._own], 0, *member.said[self._own + 1 :])
        statements = (*head.statements[: self._own], Statement(is_ready, 0), *head.statements[self._own + 1 :])
        return Frame(data, self._own, is_ready, said, statements)

    def hear(self, member: Member, frame: Frame) -> Member:
        """Let the member hear a frame."""
        node = self._set(member)
        counted = node.counters[BEACON], node.counters[SAME_ID]
        self._hand.frame = frame.data
        node._receive()
        node._act()
        if node.offenders[SAME_ID - 3] >= 0:
            raise Broken("nobody is taken for two")
        counts = node.counters[BEACON] > counted[0]
        after = self._get(member, node)
        statements = [self._trace(i, member, frame, after, counts) if i != self._own else None for i in range(len(after.said))]
        after = after._replace(head=after.head._replace(statements=tuple(statements)))
        self._check_heard(member, frame, after, counts)
        self._check_count(member, after)
        return self._forget(after)

    def complete(self, member: Member) -> Member:
        """Let the member complete its own participation."""
        node = self._set(member)
        is_new = node.complete() & ACCEPTED
        after = self._get(member, node)
        if is_new:
            after = after._replace(head=after.head._replace(finished=True))
        self._check_count(member, after)
        return self._forget(after)

    def cancel(self, member: Member) -> Member:
        """Let the deadline of the member pass."""
        node = self._set(member)
        node.cancel()
        node._act()
        after = self._get(member, node)
        if after.head.state < BOOTSTRAPPED:
            raise Broken("the deadline concludes")
        self._check_count(member, after)
        return self._forget(after)

    def restart(self, member: Member) -> Member:
        """Let the member begin a run, as restart() does."""
        node = self._set(member)
        node.restart()
        after = self._get(member, node)
        head = after.head._replace(run=member.head.run + self._keeps_runs, finished=False)
        after = after._replace(head=head)
        if after != self.boot(head.run)._replace(head=self.boot(head.run).head._replace(runs=head.runs)):
            raise Broken("a new run knows nothing of the one before")
        return after

    def expire(self, member: Member) -> Member:
        """Let the member notice of whom it has not heard for too long."""
        node = self._set(member)
        node.peers.expire()
        after = self._get(member, node)
        for i, age in enumerate(member.said):
            if (age > node.peers.presence_ms) != (after.said[i] != age) or (
                age != NONE and after.said[i] == NONE and after.head.collecting >> i & 1
            ):
                raise Broken("who is silent is forgotten when presence_ms have passed, and not before")
        self._check_count(member, after)
        return self._forget(after)

    # From a member to its node, and back

    def _set(self, member: Member) -> Node:
        """Bring the node to the state of a member."""
        node, (head, start, said) = self.node, member
        node.now = node.peers.now = _NOW
        node.peers.start = _NOW - start
        node.nonce = node.peers.nonce = head.run + 1
        node._flags = 2 if head.state >= BOOTSTRAPPED else 0  # _CLOSED
        node._turn_ms = node.interval_ms
        node._farewells = 0
        for i, time in enumerate(self._times):
            node._times[i] = time
        machine = node.machine
        machine.is_pinging_completed = head.completed
        for peers, bits in ((machine.pinging, head.pinging), (machine.collecting, head.collecting)):
            peers.count = bits.bit_count()
            peers._bits[0] = bits
        machine._enter(head.state)
        self._set_peers(node.peers, head, said)
        return node

    def _set_peers(self, peers: Peers, head: Head, said: tuple[int, ...]) -> None:
        for i, age in enumerate(said):
            statement = head.statements[i]
            peers.said[i] = -0x20000000 if age == NONE else _NOW - age
            peers.marks[i] = READY if statement and statement.ready else 0
            nonce, other, sequence, doubted, doubt = head.runs[i] if head.runs else Runs()
            peers._nonces[i] = nonce
            peers._others[i] = other
            peers._sequences[i] = sequence
            peers._doubted[i] = doubted
            peers.marks[i] |= doubt
        peers.marks[self._own] = READY * head.own

    def _get(self, before: Member, node: Node) -> Member:
        """Return the member that the node is now; its statements are not traced yet."""
        machine, peers = node.machine, node.peers
        if before.head.state >= BOOTSTRAPPED and machine.state != before.head.state and node.nonce == before.head.run + 1:
            raise Broken("a conclusion never changes")
        said = tuple(NONE if time == -0x20000000 else _NOW - time for time in peers.said)
        said = (*said[: self._own], NONE, *said[self._own + 1 :])  # it is set before each use, as what a node says of itself has age 0
        marks = peers.marks
        statements = tuple(
            (before.head.statements[i] if said[i] == before.said[i] else Statement(marks[i] & READY > 0, 0)) if said[i] != NONE else None
            for i in range(len(said))
        )
        if any(marks[i] & READY and said[i] == NONE for i in range(len(said)) if i != self._own):
            raise Broken("who is forgotten is not ready")
        runs: tuple[Runs, ...] = ()
        if self._keeps_runs:
            fields = zip(peers._nonces, peers._others, peers._sequences, peers._doubted, marks)
            runs = tuple(Runs(nonce, other, last, doubted, mark & _DOUBT) for nonce, other, last, doubted, mark in fields)
        head = Head(
            before.head.run,
            before.head.finished,
            machine.state,
            machine.is_pinging_completed,
            machine.pinging._bits[0],
            machine.collecting._bits[0],
            marks[self._own] & READY > 0,
            statements,
            runs,
        )
        return Member(head, _NOW - peers.start, said)

    def _forget(self, member: Member) -> Member:
        """Leave out what a machine that has concluded never looks at again."""
        head = member.head
        if head.state < BOOTSTRAPPED:
            return member
        return member._replace(head=head._replace(pinging=0, collecting=0, completed=head.state == BOOTSTRAPPED))

    # Rules

    def _trace(self, i: int, before: Member, frame: Frame, after: Member, counts: bool) -> Statement | None:
        """Return the statement about a peer after a frame; a new one must be in the frame, and must not look younger than it is."""
        age, known = after.said[i], before.head.statements[i]
        is_ready = self.node.peers.marks[i] & READY > 0
        if age == before.said[i] and (known is None or known.ready == is_ready):
            return known
        if not counts:
            raise Broken("a frame that does not count teaches nothing")
        told = frame.statements[i]
        if told is None or told.ready != is_ready:
            raise Broken(f"what is known of a peer was said by it: {frame.sender} does not say this of {i}")
        surplus = age - (frame.said[i] - told.surplus)
        if surplus < 0:
            raise Broken(f"what is relayed never gets younger: the statement about {i} looks {-surplus} ms too young")
        if age >= before.said[i] >= 0 and (i != frame.sender or age > 0):
            raise Broken(f"only a later statement replaces one: that about {i} is {age} ms old, not {before.said[i]}")
        return Statement(is_ready, surplus)

    def _check_heard(self, before: Member, frame: Frame, after: Member, counts: bool) -> None:
        """Check who has left the count."""
        if after.head.own != before.head.own and after.head.state != TIMED_OUT:
            raise Broken("nobody believes what is said about itself")
        if before.head.state >= BOOTSTRAPPED:
            return
        for i in range(len(before.said)):
            if i == self._own or not before.head.collecting >> i & 1:
                continue
            is_learned = counts and self._is_withdrawn(i, before, frame)
            counts_still = after.head.collecting >> i & 1
            if is_learned and counts_still:
                raise Broken(f"a readiness that its owner has taken back counts no longer: that of {i}")
            if not is_learned and not counts_still:
                raise Broken(f"only what was taken back is withdrawn: {i} is ready")
            if is_learned and i != frame.sender and self._age(i, frame) >= self._age(i, before):
                raise Broken(f"only a later statement takes a readiness back: that about {i} is older than what was counted")

    def _age(self, i: int, told: Member | Frame) -> int:
        """Return how old a statement is in truth."""
        statement = (told.head if isinstance(told, Member) else told).statements[i]
        return told.said[i] - statement.surplus if statement else 0

    def _is_withdrawn(self, i: int, before: Member, frame: Frame) -> bool:
        """Tell whether a frame takes the readiness of a peer back, as its bytes say it."""
        if i == frame.sender:
            return not frame.ready
        word = frame.data[STATEMENTS + 2 * i] << 8 | frame.data[STATEMENTS + 2 * i + 1]
        if word >= READY_BIT or word == NO_AGE:
            return False
        return (word << self._unit) + (2 << self._unit) <= before.said[i]

    def _check_count(self, before: Member, after: Member) -> None:
        """Check all that a member counts, until its verdict, and the verdict."""
        head, config = after.head, self.config
        if before.head.state >= BOOTSTRAPPED:
            return
        for i, statement in enumerate(head.statements):
            if not head.collecting >> i & 1:
                continue
            if i == self._own:
                if not head.finished:
                    raise Broken("nobody counts itself before its own part is complete")
            elif statement is None or not statement.ready:
                raise Broken(f"nobody counts a readiness that was never claimed, or was taken back: that of {i}")
            elif after.said[i] - statement.surplus > after.start:
                raise Broken(f"nobody counts what was said before its own run began: that {i} is ready")
        if head.state == BOOTSTRAPPED and head.collecting.bit_count() < config.quorum:
            raise Broken("who is bootstrapped counts a quorum")
        if head.state in (COLLECTING, BOOTSTRAPPED) and not (head.finished and head.completed):
            raise Broken("nobody is bootstrapped before its own part is complete")
