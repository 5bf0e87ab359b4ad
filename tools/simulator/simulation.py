"""A cluster on the desk: the shipped Node under a virtual clock, on a simulated medium. One seed is one history.

    from faction_tools.simulate import Simulation
    run = Simulation("greenhouse", seed=1).run()

Theory of operation

 1. Time is a whole number of microseconds. The events of a heap are taken in order of time, then of their making; so a
    history depends on the scenario and the seed alone. All chance comes from one random.Random(seed).random.
 2. A board polls its node on a grid of its own, every poll_ms, as the programs in boards/ do. Polls in which nothing can
    happen are left out: Node.idle_ms says how long that is.
 3. A frame that is sent goes on the air at once (access "free"), or when its sender finds the channel idle ("listen"), or
    over whatever else is on it ("blind"). Frames that overlap at a receiver destroy each other there.
 4. What arrives waits in the receiver's inbox until its next poll.
"""

from __future__ import annotations

import binascii
import gc
import random
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from heapq import heappop, heappush
from typing import Any

from faction import BOOTSTRAPPED, TIMED_OUT, Config, Faction
from faction.clock import Clock
from faction.journal import Journal
from faction.key import Key
from faction.node import Node
from faction.observer import Observer, Observers
from faction.wire import ASKING, READY, Checksum, Wire

from . import scenario as scenarios
from .scenario import US, Distribution, Event, Scenario

CLUSTER = "simulated"
SECRET = b"the secret of the simulated cluster"
BACKOFF_SLOTS = 16  # of a sender that found the channel busy
INTRUDER = -1  # as the sender of a frame
_NEVER = 1 << 62


class FastChecksum(Checksum):
    """The same checksum, by the standard library's CRC."""

    def sign(self, buffer: bytearray, end: int) -> None:
        crc = binascii.crc_hqx(memoryview(buffer)[:end], 0xFFFF) ^ 0xFFFF
        buffer[end] = crc >> 8
        buffer[end + 1] = crc & 0xFF

    def verify(self, buffer: bytes | bytearray, end: int) -> bool:
        return binascii.crc_hqx(memoryview(buffer)[:end], 0xFFFF) ^ 0xFFFF == buffer[end] << 8 | buffer[end + 1]


class FastConfig(Config):
    """The same configuration, with a dictionary for its index."""

    def __init__(self, peer_id: int, peers: Iterable[int], quorum: int) -> None:
        super().__init__(peer_id, peers, quorum)
        self._indexes = {peer_id: index for index, peer_id in enumerate(self.peers)}

    def index(self, peer_id: int) -> int:
        return self._indexes.get(peer_id, -1)

    def of(self, peer_id: int, quorum: int) -> FastConfig:
        """Return that of another member: checking n peers takes n * n comparisons, and need not be done n times."""
        other = copy(self)
        other.peer_id, other.quorum = peer_id, quorum
        return other


class Board:
    """One simulated board: power, clock, inbox and node; it is the transport of its node.

    ``index``    which of the scenario's nodes it is; ``peer_id`` differs for a clone
    ``node``     its Node, or None while it has no power
    ``changes``  (microseconds, state code or None without power), as they were
    """

    def __init__(self, simulation: Simulation, index: int) -> None:
        self._simulation = simulation
        self.index = index
        self.node: Node | None = None
        self.changes: list[tuple[int, int | None]] = []
        self.retries = 0
        self.boots = self.sent = self.received = self.lost = self.collided = 0
        self.booted_at = self.completed_at = self.concluded_at = 0
        self.inbox: list[tuple[int, int, bytes]] = []
        self.wake = _NEVER
        self.completes_at = _NEVER
        self.air_free_at = 0  # of its own transmitter
        self.peer_id = index
        self.quorum = simulation.scenario.cluster.quorum_count()
        self.options: dict[str, Any] = {}
        self.journals: list[Journal] = []  # of each boot, if they are recorded
        self.phase = 0
        self.drift_ppm = 0.0
        self.first_tick = 0

    def ticks(self) -> int:
        """Return what the board's clock shows now: its own ticks, drifting, and wrapping."""
        now = self._simulation.now
        return (self.first_tick + int(now * (1_000_000 + self.drift_ppm)) // (US * 1_000_000)) & self._simulation.last_tick

    def send(self, buffer: bytearray, length: int) -> None:
        """Put a frame on the air, for the node."""
        self.sent += 1
        self._simulation.transmit(self, bytes(buffer[:length]))

    def receive(self, buffer: bytearray) -> int:
        """Take a frame that has arrived, for the node."""
        inbox = self.inbox
        if not inbox or inbox[0][0] > self._simulation.now:
            return -1
        frame = heappop(inbox)[2]
        length = min(len(frame), len(buffer))
        buffer[:length] = frame[:length]
        self.received += 1
        return length

    @property
    def state(self) -> int | None:
        """Return the state of its machine, or None without power."""
        return None if self.node is None else self.node.machine.state


class Learning(Observer):
    """Notes what a machine accepts."""

    def __init__(self, simulation: Simulation, index: int) -> None:
        self._simulation = simulation
        self._index = index

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        self._simulation.learned.append((self._simulation.now, self._index, command, peer_id))


class Transmission:
    """A frame on the air."""

    __slots__ = ("sender", "frame", "start", "end", "overlaps")

    def __init__(self, sender: Board, frame: bytes, start: int, end: int) -> None:
        self.sender = sender
        self.frame = frame
        self.start = start
        self.end = end
        self.overlaps: list[Board] = []  # the senders of others at the same time


class Simulation:
    """A scenario with a seed. Attributes, to be read only:

    ``now``     microseconds since the start
    ``boards``  in the order of the scenario's nodes

    and, if they are recorded,

    ``frames``   (microseconds, index of the sender, flags) of each frame sent
    ``learned``  (microseconds, index, command, peer id) of each command that a machine has accepted
    ``heard``    heard[i][j]: how many frames of j have reached i
    """

    def __init__(
        self,
        scenario: Scenario | str,
        seed: int = 1,
        record: bool = False,
        observe: Callable[[Board, Config], Observer | None] | None = None,
        check: Callable[[Board], None] | None = None,
    ) -> None:
        """scenario: a name, a .toml file, or the thing itself. observe: makes the observer of a board's node at each boot. check:
        is called after each poll. Raises ScenarioError.
        """
        self.scenario = scenario if isinstance(scenario, Scenario) else scenarios.load(scenario)
        self.seed = seed
        self.random = random.Random(seed).random
        self.now = 0
        self.order = 0
        self.deliveries = self.air_us = 0
        self._observe = observe
        self._check = check
        self._record = record
        self.frames: list[tuple[int, int, int]] = []
        self.learned: list[tuple[int, int, int, int]] = []
        self._heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._on_air: list[Transmission] = []
        self._recorded: list[bytes] = []  # by the intruder
        cluster, medium = self.scenario.cluster, self.scenario.medium
        self._config = FastConfig(0, range(cluster.nodes), 1)
        self.last_tick = (1 << cluster.tick_bits) - 1
        self._poll_us = cluster.poll_ms * US
        self._loss, self._duplication, self._corruption = medium.loss, medium.duplication, medium.corruption
        is_clean = not (medium.loss or medium.duplication or medium.corruption or medium.links)
        self._is_plain = is_clean and isinstance(medium.delay_ms, float) and not record
        self._delay = medium.delay_ms
        self._groups: dict[int, int] = {}  # of a partition, by index
        self._link_loss = {(a, b): link.loss for link in medium.links for a in link.sources for b in link.targets}
        self.boards = [self._make(index) for index in range(cluster.nodes)]
        self.heard = [[0] * cluster.nodes for _ in self.boards] if record else []
        self._neighbours = [[self.boards[j] for j in self._reach(board.index)] for board in self.boards]
        for board in self.boards:
            self._at(self._us(board.options["power_on_ms"]), self._boot, board)
        for event in self.scenario.events:
            self._at(int(event.at_ms * US), self._befall, event)
        if self.scenario.intruder:
            self._at(int(self.scenario.intruder.every_ms * US), self._intrude, None)

    def _make(self, index: int) -> Board:
        cluster = self.scenario.cluster
        board = Board(self, index)
        board.options = {"power_on_ms": cluster.power_on_ms, "start_up_ms": cluster.start_up_ms}
        board.phase = int(self.random() * self._poll_us)
        board.drift_ppm = (2 * self.random() - 1) * scenarios.draw(cluster.drift_ppm, self.random)
        before_wrap = cluster.ticks_before_wrap_ms
        board.first_tick = int(self.random() * self.last_tick) if before_wrap is None else self.last_tick + 1 - int(before_wrap)
        for member in self.scenario.nodes:
            if member.id == index:
                board.peer_id = index if member.clone_of is None else member.clone_of
                board.quorum = member.quorum or board.quorum
                board.drift_ppm = board.drift_ppm if member.drift_ppm is None else member.drift_ppm
                for name in ("power_on_ms", "start_up_ms"):
                    if getattr(member, name) is not None:
                        board.options[name] = getattr(member, name)
        return board

    def _us(self, milliseconds: Distribution) -> int:
        return int(scenarios.draw(milliseconds, self.random) * US)

    def _reach(self, index: int) -> Sequence[int]:
        """Return whom a board reaches, by the topology."""
        count, topology = self.scenario.cluster.nodes, self.scenario.medium.topology
        if topology == "all":
            return [each for each in range(count) if each != index]
        if topology == "grid":
            side = max(1, round(count**0.5))
            beside = [index + step for step in (-1, 1) if (index + step) // side == index // side]
            return [each for each in (*beside, index - side, index + side) if 0 <= each < count]
        near = {(index - 1) % count, (index + 1) % count} if topology == "ring" else {index - 1, index + 1}
        return sorted(near & set(range(count)) - {index})

    # Time

    def _at(self, when: int, do: Callable[[Any], None], what: Any) -> None:
        self.order += 1
        heappush(self._heap, (when, self.order, do, what))

    def run(self) -> Simulation:
        """Run until nothing more can happen, or the limit of the scenario; return self."""
        limit = int(self.scenario.limit_ms * US)
        collects = gc.isenabled()
        gc.disable()  # nothing here goes round in circles, and looking for it takes a tenth of the time
        try:
            while self.step(limit):
                pass
        finally:
            if collects:
                gc.enable()
        return self

    def step(self, limit: int = _NEVER) -> bool:
        """Let one event happen; return False if there is none before the limit, or nothing left but an intruder."""
        if not self._heap or self._heap[0][0] > limit or self.is_over():
            return False
        when, _, do, what = heappop(self._heap)
        self.now = when
        do(what)
        return True

    def is_over(self) -> bool:
        """Tell whether all that is to come is the intruder."""
        return self.scenario.intruder is not None and len(self._heap) == 1 and bool(self.boards[0].boots)

    def _sleep(self, board: Board, until: int) -> None:
        """Let a board poll at its first grid point from a time on, if it would not do so earlier."""
        wake = until + (board.phase - until) % self._poll_us
        if wake < board.wake:
            board.wake = wake
            self.order += 1
            heappush(self._heap, (wake, self.order, self._poll, board))

    def _poll(self, board: Board) -> None:
        node = board.node
        if node is None or board.wake != self.now:  # an earlier poll has made this one needless
            return
        board.wake = _NEVER
        before = node.machine.state
        node.poll()
        if self.now >= board.completes_at:
            board.completes_at = _NEVER
            node.complete()
            board.completed_at = self.now
        if node.machine.state != before:
            self._note(board)
        if self._check is not None:
            self._check(board)
        if node.machine.state == TIMED_OUT and board.retries < self.scenario.cluster.retries:
            self._retry(board, node)
        self._plan(board, node)

    def _retry(self, board: Board, node: Node) -> None:
        """Begin a new attempt in the same memory, as the programs in boards/ do."""
        board.retries += 1
        node.restart()
        board.completes_at = self.now + self._poll_us
        self._note(board)

    def _plan(self, board: Board, node: Node) -> None:
        """Find the next moment at which a poll does something."""
        idle_ms = node.idle_ms()
        due = board.completes_at
        if idle_ms < 1 << 29:
            idle_ms = min(idle_ms, self.last_tick >> 2)  # a clock has to be read within half its period
            due = min(due, self.now + max(1, int(idle_ms * US * 1_000_000 / (1_000_000 + board.drift_ppm))))
        if board.inbox:
            due = min(due, max(board.inbox[0][0], self.now + 1))
        if due < _NEVER:
            self._sleep(board, due)

    def _note(self, board: Board) -> None:
        state = board.state
        board.changes.append((self.now, state))
        if state in (BOOTSTRAPPED, TIMED_OUT):
            board.concluded_at = self.now

    # Power and events

    def _boot(self, board: Board) -> None:
        if board.node is not None:
            return
        cluster = self.scenario.cluster
        config = self._config.of(board.peer_id, board.quorum)
        observer = self._observe(board, config) if self._observe else None
        if self._record:
            board.journals.append(Journal(config))
            observer = Observers(board.journals[-1], Learning(self, board.index))
        board.node = Node(
            config,
            board,
            CLUSTER,
            cluster.deadline_ms,
            cluster.interval_ms,
            cluster.frames_per_minute,
            cluster.deadline_from_contact,
            Key(SECRET) if cluster.key else FastChecksum(),
            Clock(board.ticks, self.last_tick),
            1 + int(self.random() * (2**30 - 2)),
            observer,
        )
        if self._record:
            board.journals[-1].follow(board.node)
        board.boots += 1
        board.retries = board.received = 0
        board.booted_at = self.now
        board.completes_at = self.now + self._us(board.options["start_up_ms"])
        self._note(board)
        self._sleep(board, self.now + 1)

    def _cut(self, board: Board) -> None:
        """Take the power away: nothing is left of what the board knew."""
        board.node = None
        board.wake = board.completes_at = _NEVER
        board.inbox.clear()
        self._note(board)

    def _befall(self, event: Event) -> None:
        if event.kind == "partition":
            self._groups = {each: number for number, group in enumerate(event.groups) for each in group}
        elif event.kind == "heal":
            self._groups = {}
        for index in event.nodes:
            board = self.boards[index]
            if board.node is not None:
                self._cut(board)
            if event.kind == "restart":
                self._boot(board)
            elif event.kind == "brownout":
                self._at(self.now + self._us(event.for_ms), self._boot, board)

    def _intrude(self, _: None) -> None:
        """Play back a frame, or make one."""
        intruder = self.scenario.intruder
        assert intruder is not None
        if intruder.replays and self._recorded:
            self._put_on_air(INTRUDER, self._recorded[int(self.random() * len(self._recorded))])
        if intruder.forges:
            self._put_on_air(INTRUDER, self._forged())
        self._at(self.now + int(intruder.every_ms * US), self._intrude, None)

    def _forged(self) -> bytes:
        """Return a frame that says what the intruder likes; without the secret its tag is worth nothing."""
        count = self.scenario.cluster.nodes
        config = Config(int(self.random() * count), range(count), self.scenario.cluster.quorum_count())
        wire = Wire(config, CLUSTER, Key(b"a secret of the intruder") if self.scenario.cluster.key else FastChecksum())
        frame = bytearray(wire.length)
        wire.encode(frame, ASKING | READY, 1 + int(self.random() * 2**29), 1 + int(self.random() * 100))
        return bytes(frame)

    # The air

    def transmit(self, board: Board, frame: bytes) -> None:
        """Bring a frame of a board onto the air, now or when its turn comes."""
        if self._record:
            self.frames.append((self.now, board.index, frame[3]))
        if self.scenario.intruder and len(self._recorded) < 10_000:
            self._recorded.append(frame)
        if self.scenario.medium.access == "free":
            self._put_on_air(board.index, frame)
        else:
            self._try(Transmission(board, frame, 0, 0))

    def _try(self, transmission: Transmission) -> None:
        """Begin a transmission if the sender may; try again later if not."""
        sender, medium = transmission.sender, self.scenario.medium
        self._on_air = [each for each in self._on_air if each.end > self.now]
        busy_until = sender.air_free_at
        if medium.access == "listen":  # one that began within a slot is not heard yet
            audible = [each.end for each in self._on_air if each.start + medium.slot_us <= self.now and self._hears(sender, each.sender)]
            busy_until = max([busy_until, *audible])
        if busy_until > self.now:
            slots = 1 + int(self.random() * BACKOFF_SLOTS)
            self._at(busy_until + slots * medium.slot_us, self._try, transmission)
            return
        transmission.start = self.now
        transmission.end = sender.air_free_at = self.now + self.air_time(len(transmission.frame))
        self.air_us += transmission.end - transmission.start
        for each in self._on_air:
            each.overlaps.append(sender)
            transmission.overlaps.append(each.sender)
        self._on_air.append(transmission)
        self._at(transmission.end, self._arrive, transmission)

    def air_time(self, length: int) -> int:
        """Return the microseconds that a frame of so many bytes is on the air."""
        return self.scenario.medium.overhead_us + length * 8 * 1_000_000 // self.scenario.medium.bitrate

    def _hears(self, receiver: Board, sender: Board) -> bool:
        return receiver in self._neighbours[sender.index]

    def _arrive(self, transmission: Transmission) -> None:
        if not transmission.overlaps:
            self._put_on_air(transmission.sender.index, transmission.frame)
            return
        reached = [
            receiver
            for receiver in self._neighbours[transmission.sender.index]
            if not any(receiver is other or self._hears(receiver, other) for other in transmission.overlaps)
        ]
        for receiver in self._neighbours[transmission.sender.index]:
            receiver.collided += receiver not in reached
        self._deliver_all(transmission.sender.index, transmission.frame, reached)

    def _put_on_air(self, sender: int, frame: bytes) -> None:
        self._deliver_all(sender, frame, self.boards if sender == INTRUDER else self._neighbours[sender])

    def _deliver_all(self, sender: int, frame: bytes, receivers: Sequence[Board]) -> None:
        """Deliver a frame to boards, with what the medium does to it on the way."""
        groups = self._groups
        if groups and sender >= 0:
            receivers = [board for board in receivers if groups.get(sender) == groups.get(board.index)]
        if self._is_plain:
            self._deliver_plain(frame, receivers)
            return
        for board in receivers:
            if board.node is not None:
                self._deliver_worse(sender, board, frame)

    def _deliver_plain(self, frame: bytes, receivers: Sequence[Board]) -> None:
        """Deliver a frame whole, once, and to all at the same time: the fast lane of _deliver_worse."""
        self.order += 1
        arrival = self.now + int(scenarios.draw(self._delay, self.random) * US)
        arrived = (arrival, self.order, frame)
        for board in receivers:
            if board.node is not None:
                heappush(board.inbox, arrived)
                self.deliveries += 1
                if arrival < board.wake:
                    self._sleep(board, max(arrival, self.now + 1))

    def _deliver_worse(self, sender: int, board: Board, frame: bytes) -> None:
        draw = self.random
        loss = self._link_loss.get((sender, board.index), self._loss) if self._link_loss else self._loss
        if draw() < loss:
            board.lost += 1
            return
        if self._corruption and draw() < self._corruption:
            damaged = bytearray(frame)
            damaged[int(draw() * len(frame))] ^= 1 << int(draw() * 8)
            frame = bytes(damaged)
        self._deliver(sender, board, frame)
        if self._duplication and draw() < self._duplication:
            self._deliver(sender, board, frame)

    def _deliver(self, sender: int, board: Board, frame: bytes) -> None:
        delay = self._delay
        arrival = self.now + (int(delay * US) if type(delay) is float else self._us(delay))
        self.deliveries += 1
        self.order += 1
        heappush(board.inbox, (arrival, self.order, frame))
        if arrival < board.wake:
            self._sleep(board, max(arrival, self.now + 1))
        if self._record and sender >= 0:
            self.heard[board.index][sender] += 1


def outcome(simulation: Simulation) -> dict[str, Any]:
    """Return what became of a run, in numbers: times in ms, None where there is none."""
    boards = simulation.boards
    states = [board.state for board in boards]
    powered = [state for state in states if state is not None]
    bootstrapped = states.count(BOOTSTRAPPED)
    waits = [(board.concluded_at - board.booted_at) / US for board in boards if board.state == BOOTSTRAPPED]
    is_all = bool(powered) and bootstrapped == len(powered)
    concluded = max((board.concluded_at for board in boards if board.state == BOOTSTRAPPED), default=0)
    return {
        "seed": simulation.seed,
        "bootstrapped": bootstrapped,
        "timed_out": states.count(TIMED_OUT),
        "off": states.count(None),
        "verdict": "all" if is_all else "some" if bootstrapped else "none",
        "ready_ms": concluded / US if is_all else None,
        "longest_wait_ms": max(waits) if is_all else None,
        "convergence_ms": max(0, concluded - max(board.completed_at for board in boards)) / US if is_all else None,
        "frames": sum(board.sent for board in boards),
        "frames_of_a_node": max(board.sent for board in boards),
        "deliveries": simulation.deliveries,
        "lost": sum(board.lost + board.collided for board in boards),
        "air_ms": simulation.air_us / US,
        "ended_ms": simulation.now / US,
    }
