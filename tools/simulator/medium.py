"""One medium: who hears whom, when a frame may be sent, and what becomes of it on the way.

 1. A frame goes on the air at once (access "free"), or when its sender finds the channel idle ("listen"), or over
    whatever else is on it ("blind"). Frames that overlap at a receiver destroy each other there.
 2. From there it goes to each neighbour of the sender that has power and stands on the same side of a partition.
 3. On the way to each of them it may be lost, corrupted, delayed, or delivered twice.
 4. It waits in the inbox of the receiver's radio until the board polls.

A simulation may have several media, its airs. They share a timeline and know nothing of each other. A board that stands on two of
them has a radio on each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappush

from .board import Radio, SimulatedBoard
from .distributions import draw
from .scenario import AirSettings
from .timeline import US, Timeline

CALM_DELAY_MS = 0.5
BACKOFF_SLOTS = 16  # of a sender that found the channel busy
STRANGER = -1  # as the index of a sender that is no board


class Transmission:
    """A frame on the air: from start to end, in microseconds."""

    __slots__ = ("sender", "frame", "start", "end", "others")

    def __init__(self, sender: Radio, frame: bytes) -> None:
        self.sender = sender
        self.frame = frame
        self.start = self.end = 0
        self.others: list[Radio] = []  # the senders of frames that were on the air at the same time


class Medium:
    """The radios of some boards, and the air between them.

    ``radios``      one of each board of this air, in the order of its settings
    ``deliveries``  frames that were put into an inbox; ``air_us``: the time that all frames took, in microseconds
    ``listeners``   are called with (index of the sender, frame) for each frame that a board sends
    ``taps``        are called with each frame of a board that has ended, whole or not
    ``heard``       how many frames have reached a board from another, by (its index, that of the sender); empty unless it is recorded
    """

    def __init__(
        self,
        settings: AirSettings,
        boards: Sequence[SimulatedBoard],
        neighbours: Iterable[Sequence[int]],
        timeline: Timeline,
        random: Callable[[], float],
        is_recorded: bool = False,
    ) -> None:
        """boards: of this air. neighbours: of each of them, as positions among them."""
        self.settings = settings
        self.radios = [Radio(board, timeline, self.transmit) for board in boards]
        for radio in self.radios:
            radio.max_length = settings.max_length
        self.deliveries = self.air_us = 0
        self.listeners: list[Callable[[int, bytes], None]] = []
        self.taps: list[Callable[[bytes], None]] = []
        self.heard: Counter[tuple[int, int]] = Counter()
        self._timeline = timeline
        self._random = random
        self._is_recorded = is_recorded
        self._neighbours = {radio: [self.radios[each] for each in near] for radio, near in zip(self.radios, neighbours)}
        self._on_air: list[Transmission] = []
        self._sides: dict[int, int] = {}  # of a partition, by the index of a board
        self._link_loss = {(a, b): link.loss for link in settings.links for a in link.sources for b in link.targets}
        self._loss, self._duplication, self._corruption = settings.loss, settings.duplication, settings.corruption
        self._delay = settings.delay_ms
        is_clean = not (settings.loss or settings.duplication or settings.corruption or settings.links)
        self._is_plain = is_clean and isinstance(settings.delay_ms, float) and not is_recorded

    # Who hears whom

    def hears(self, receiver: Radio, sender: Radio) -> bool:
        """Tell whether a radio is a neighbour of another, on the same side of a partition."""
        return receiver in self._audience(sender)

    def _audience(self, sender: Radio) -> list[Radio]:
        """Return who hears a radio now."""
        sides = self._sides
        if not sides:
            return self._neighbours[sender]
        side = sides.get(sender.board.index)
        return [radio for radio in self._neighbours[sender] if sides.get(radio.board.index) == side]

    def links(self) -> Iterator[tuple[int, int]]:
        """Iterate (sender, receiver), by their indexes, of all between whom a frame can get through, but for a partition."""
        for sender, receivers in self._neighbours.items():
            for receiver in receivers:
                way = (sender.board.index, receiver.board.index)
                if self._link_loss.get(way, self._loss) < 1:
                    yield way

    def part(self, groups: Iterable[Iterable[int]]) -> None:
        """Let boards, by their indexes, hear only those of their own group. The boards that no group names are one more group."""
        self._sides = {index: side for side, group in enumerate(groups) for index in group}

    def heal(self) -> None:
        """End a partition."""
        self._sides = {}

    def calm(self) -> None:
        """From now on, let each frame arrive whole, once and soon."""
        self.settings = self.settings.model_copy(update={"access": "free"})
        self._link_loss = {}
        self._loss = self._duplication = self._corruption = 0.0
        self._delay = min(self._delay, CALM_DELAY_MS) if isinstance(self._delay, float) else CALM_DELAY_MS

    # On the air

    def transmit(self, sender: Radio, frame: bytes) -> None:
        """Bring a frame of a board onto the air, now or when its turn comes."""
        for listener in self.listeners:
            listener(sender.board.index, frame)
        if self.settings.access == "free":
            self._deliver_all(sender.board.index, frame, self._audience(sender))
        else:
            self._try(Transmission(sender, frame))

    def inject(self, frame: bytes) -> None:
        """Bring the frame of a stranger to all boards, whatever else is on the air."""
        self._deliver_all(STRANGER, frame, self.radios)

    def air_time(self, length: int) -> int:
        """Return the microseconds that a frame of so many bytes is on the air."""
        return self.settings.overhead_us + length * 8 * 1_000_000 // self.settings.bitrate

    def _try(self, transmission: Transmission) -> None:
        """Begin a transmission if the sender may. If not, try again later."""
        now = self._timeline.now
        self._on_air = [each for each in self._on_air if each.end > now]
        busy_until = self._busy_until(transmission.sender)
        if busy_until <= now:
            self._begin(transmission)
            return
        slots = 1 + int(self._random() * BACKOFF_SLOTS)
        self._timeline.at(busy_until + slots * self.settings.slot_us, self._try, transmission)

    def _busy_until(self, sender: Radio) -> int:
        """Return when the channel will be idle, as far as the sender knows, in microseconds."""
        if self.settings.access != "listen":
            return sender.free_at
        # Nobody can hear yet what began within a slot.
        began = self._timeline.now - self.settings.slot_us
        audible = [each.end for each in self._on_air if each.start <= began and self.hears(sender, each.sender)]
        return max([sender.free_at, *audible])

    def _begin(self, transmission: Transmission) -> None:
        now, sender = self._timeline.now, transmission.sender
        transmission.start = now
        transmission.end = sender.free_at = now + self.air_time(len(transmission.frame))
        self.air_us += transmission.end - now
        for each in self._on_air:
            each.others.append(sender)
            transmission.others.append(each.sender)
        self._on_air.append(transmission)
        self._timeline.at(transmission.end, self._end, transmission)

    def _end(self, transmission: Transmission) -> None:
        """Deliver a frame to those neighbours at which no other frame has destroyed it."""
        sender = transmission.sender
        receivers = self._audience(sender)
        if transmission.others:
            reached = [each for each in receivers if not self._is_disturbed(each, transmission)]
            for radio in receivers:
                radio.board.collided += radio not in reached
            receivers = reached
        self._deliver_all(sender.board.index, transmission.frame, receivers)

    def _is_disturbed(self, receiver: Radio, transmission: Transmission) -> bool:
        return any(receiver is other or self.hears(receiver, other) for other in transmission.others)

    # On the way

    def _deliver_all(self, sender: int, frame: bytes, receivers: Sequence[Radio]) -> None:
        """Deliver a frame to radios, with all that may happen to it on the way. sender: the index of a board, or STRANGER."""
        if sender != STRANGER:
            for tap in self.taps:
                tap(frame)
        if self._is_plain:
            self._deliver_plain(frame, receivers)
            return
        delay = self._delay
        if isinstance(delay, float) and not (self._link_loss or self._corruption or self._duplication or self._is_recorded):
            self._deliver_lossy(frame, receivers, int(delay * US))
            return
        for radio in receivers:
            if radio.board.node is not None:
                self._deliver_worse(sender, radio, frame)

    def _deliver_plain(self, frame: bytes, receivers: Sequence[Radio]) -> None:
        """Deliver a frame whole, once, and to all at the same time: the fast lane of _deliver_worse."""
        timeline = self._timeline
        timeline.order += 1
        arrival = timeline.now + int(draw(self._delay, self._random) * US)
        arrived = (arrival, timeline.order, frame)
        for radio in receivers:
            board = radio.board
            if board.node is not None:
                heappush(radio.inbox, arrived)
                self.deliveries += 1
                if arrival < board.wake:
                    board.poll_by(arrival)

    def _deliver_lossy(self, frame: bytes, receivers: Sequence[Radio], delay_us: int) -> None:
        """Deliver a frame whole, once, and to some, as loss has it: the other fast lane of _deliver_worse."""
        timeline, random, loss = self._timeline, self._random, self._loss
        arrival = timeline.now + delay_us
        for radio in receivers:
            board = radio.board
            if board.node is None:
                continue
            if random() < loss:
                board.lost += 1
                continue
            self.deliveries += 1
            timeline.order += 1
            heappush(radio.inbox, (arrival, timeline.order, frame))
            if arrival < board.wake:
                board.poll_by(arrival)

    def _deliver_worse(self, sender: int, radio: Radio, frame: bytes) -> None:
        random = self._random
        loss = self._link_loss.get((sender, radio.board.index), self._loss) if self._link_loss else self._loss
        if random() < loss:
            radio.board.lost += 1
            return
        if self._corruption and random() < self._corruption:
            damaged = bytearray(frame)
            damaged[int(random() * len(frame))] ^= 1 << int(random() * 8)
            frame = bytes(damaged)
        self._deliver(sender, radio, frame)
        if self._duplication and random() < self._duplication:
            self._deliver(sender, radio, frame)

    def _deliver(self, sender: int, radio: Radio, frame: bytes) -> None:
        """Put a frame into an inbox, as of the time of its arrival."""
        timeline, board, delay = self._timeline, radio.board, self._delay
        arrival = timeline.now + int((delay if type(delay) is float else draw(delay, self._random)) * US)
        self.deliveries += 1
        timeline.order += 1
        heappush(radio.inbox, (arrival, timeline.order, frame))
        if arrival < board.wake:
            board.poll_by(arrival)
        if self._is_recorded and sender != STRANGER:
            self.heard[board.index, sender] += 1
