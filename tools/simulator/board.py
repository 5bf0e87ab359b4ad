"""One simulated board: its power, its clock, its radio and its node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.node import Node

from .distributions import Distribution, draw
from .scenario import ClusterSettings, NodeSettings
from .timeline import NEVER, US, Timeline

_TICK = US * 1_000_000  # of a clock: see SimulatedBoard.ticks
LONGEST_IDLE_MS = 1 << 29  # of Node.idle_ms: nothing to do until a frame arrives


class Radio:
    """A board's place on one medium: the transport of its node, or one of those that its node bridges.

    ``inbox``    what has arrived or is about to: (microseconds, order, frame), the earliest first
    ``free_at``  when its transmitter has sent the latest frame, in microseconds
    ``max_length``  bytes of the longest frame
    """

    __slots__ = ("board", "inbox", "free_at", "max_length", "_timeline", "_transmit")

    def __init__(self, board: SimulatedBoard, timeline: Timeline, transmit: Callable[[Radio, bytes], None]) -> None:
        """transmit: brings a frame onto the medium."""
        self.board = board
        self.inbox: list[tuple[int, int, bytes]] = []
        self.free_at = 0
        self.max_length = 250
        self._timeline = timeline
        self._transmit = transmit
        board.radios.append(self)

    def send(self, buffer: bytearray, length: int) -> None:
        """Send a frame, for the node."""
        self.board.sent += 1
        self._transmit(self, bytes(buffer[:length]))

    def receive(self, buffer: bytearray) -> int:
        """Take a frame that has arrived, for the node. Return its length, or -1 if there is none."""
        inbox = self.inbox
        if not inbox or inbox[0][0] > self._timeline.now:
            return -1
        board = self.board
        frame = board.latest = heappop(inbox)[2]
        board.received += 1
        length = len(frame)
        if length > len(buffer):
            length = len(buffer)
            frame = frame[:length]
        buffer[:length] = frame
        return length


class SimulatedBoard:
    """One simulated board.

    ``index``     its number in the scenario
    ``peer_id``   the id of its node: the index, except for a clone
    ``node``      its Node, or None without power
    ``radios``    its places on the media
    ``latest``    the frame that it has received last
    ``changes``   (microseconds, state code, or None without power) of each change
    ``boots``     how often it was powered on; ``retries``: attempts since then that followed a timeout
    ``sent``      frames since the start, on each medium; ``received``: since the power came on
    ``lost``, ``collided``  frames that should have reached it and did not
    ``booted_at``, ``completed_at``, ``concluded_at``  microseconds, each the latest
    ``longest_wait``  from a power-on to a verdict, or until the power went off, in microseconds of its own clock
    ``started_at``  when it went on together with the others, in microseconds; None: it has not
    ``wake``      when it polls next, in microseconds
    """

    def __init__(
        self,
        index: int,
        cluster: ClusterSettings,
        own: Iterable[NodeSettings],
        timeline: Timeline,
        random: Callable[[], float],
        check: Callable[[SimulatedBoard], None] | None = None,
    ) -> None:
        """own: what the scenario says of this board alone. check: is called after each poll."""
        self.index = index
        self.node: Node | None = None
        self.radios: list[Radio] = []
        self.latest = b""
        self.changes: list[tuple[int, int | None]] = []
        self.boots = self.retries = self.sent = self.received = self.lost = self.collided = 0
        self.booted_at = self.completed_at = self.concluded_at = self.longest_wait = 0
        self.started_at: int | None = None
        self.wake = self.completes_at = NEVER
        self._planned: set[int] = set()  # the times of all polls on the timeline: of those that are needless by now, too
        self._timeline = timeline
        self._check = check
        self._most_retries = cluster.retries
        self._poll_us = cluster.poll_ms * US
        self.last_tick = (1 << cluster.tick_bits) - 1
        self._longest_sleep_ms = self.last_tick >> 2  # a clock has to be read within half its period
        self.phase = int(random() * self._poll_us)
        self.drift_ppm = (2 * random() - 1) * draw(cluster.drift_ppm, random)
        before_wrap = cluster.ticks_before_wrap_ms
        self._first_tick = int(random() * self.last_tick) if before_wrap is None else self.last_tick + 1 - int(before_wrap)
        self.peer_id, self.quorum = index, cluster.quorum_count()
        self.power_on_ms: Distribution = cluster.power_on_ms
        self.start_up_ms: Distribution = cluster.start_up_ms
        for settings in own:
            self._differ(settings)
        self._rate = 1_000_000 + self.drift_ppm  # what its clock counts while a second passes, in microseconds

    def _differ(self, settings: NodeSettings) -> None:
        """Take over what is different about this board."""
        if settings.clone_of is not None:
            self.peer_id = settings.clone_of
        for name in ("quorum", "drift_ppm", "power_on_ms", "start_up_ms"):
            value = getattr(settings, name)
            if value is not None:
                setattr(self, name, value)

    @property
    def state(self) -> int | None:
        """Return the state of its machine, or None without power."""
        return None if self.node is None else self.node.machine.state

    @property
    def is_concluded(self) -> bool:
        """Tell whether its machine has a verdict."""
        return self.node is not None and self.node.machine.is_concluded

    def ticks(self) -> int:
        """Return what its clock shows now, in its own milliseconds. They drift, and they wrap."""
        return (self._first_tick + int(self._timeline.now * self._rate) // _TICK) & self.last_tick

    def power_on(self, node: Node, start_up_us: int) -> None:
        """Begin to run a node, whose own part takes so many microseconds."""
        self.node = node
        self.boots += 1
        self.retries = self.received = 0
        self.booted_at = self._timeline.now
        self.started_at = None
        self.completes_at = self.booted_at + start_up_us
        self._note()
        self.poll_by(self.booted_at)

    def power_off(self) -> None:
        """Stop at once. Nothing is left of what the board knew."""
        if not self.is_concluded:
            self._end_wait()
        self.node = None
        self.wake = self.completes_at = NEVER
        for radio in self.radios:
            radio.inbox.clear()
        self._note()

    def poll_by(self, when: int) -> None:
        """Poll at the first point of the board's grid from a time on, in microseconds, but not now, if it would not poll earlier."""
        if when <= self._timeline.now:
            when = self._timeline.now + 1
        wake = when + (self.phase - when) % self._poll_us
        if wake < self.wake:
            self.wake = wake
            if wake not in self._planned:  # a frame has moved the poll forward, and it is moved back to where it was
                self._planned.add(wake)
                self._timeline.at(wake, SimulatedBoard._poll, self)

    def _poll(self) -> None:
        node = self.node
        now = self._timeline.now
        self._planned.discard(now)
        if node is None or self.wake != now:  # an earlier poll has made this one needless
            return
        self.wake = NEVER
        before = node.machine.state
        state = node.poll()
        if now >= self.completes_at:
            self.completes_at = NEVER
            node.complete()
            self.completed_at = now
            state = node.machine.state
        if state != before:
            self._note()
        if node.has_started and self.started_at is None:
            self.started_at = now
        if self._check is not None:
            self._check(self)
        if state == TIMED_OUT and self.retries < self._most_retries:
            self._retry(node)
        self._plan(node)

    def _retry(self, node: Node) -> None:
        """Begin a new attempt in the same memory, as the programs in boards/ do."""
        self.retries += 1
        node.restart()
        self.started_at = None
        self.completes_at = self._timeline.now + self._poll_us
        self._note()

    def _plan(self, node: Node) -> None:
        """Find the next moment at which a poll has something to do. The polls until then are left out."""
        due = self.completes_at
        idle_ms = node.idle_ms()
        if idle_ms < LONGEST_IDLE_MS:
            if idle_ms > self._longest_sleep_ms:
                idle_ms = self._longest_sleep_ms
            idle_until = self._timeline.now + int(idle_ms * _TICK / self._rate)
            if idle_until < due:
                due = idle_until
        for radio in self.radios:
            if radio.inbox and radio.inbox[0][0] < due:
                due = radio.inbox[0][0]
        if due < NEVER:
            self.poll_by(due)

    def _note(self) -> None:
        """Note a change of the state."""
        state = self.state
        self.changes.append((self._timeline.now, state))
        if state in (BOOTSTRAPPED, TIMED_OUT):
            self.concluded_at = self._timeline.now
            self._end_wait()

    def _end_wait(self) -> None:
        """Note how long the board has waited since its power-on, if it was never longer."""
        waited = int((self._timeline.now - self.booted_at) * self._rate) // 1_000_000
        self.longest_wait = max(self.longest_wait, waited)
