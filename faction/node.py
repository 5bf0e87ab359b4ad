"""A node: one machine, one transport, one clock. It gets its board into the cluster.

Theory of operation

 1. ``poll`` does everything. It takes in all frames that wait, it lets time pass, and it sends at most one frame. It
    never blocks.
 2. A beacon is a frame that tells all others who we are and in which run. A run begins with the node and with every
    restart. Each run has its own nonce. Until our machine has concluded, we send one beacon in each interval, with
    jitter. These beacons ask the others to answer.
 3. Once our own part is complete we answer everybody who asks, also after we have concluded. One frame answers all
    askers, at most once in an interval. So a lost frame leaves nobody behind. After we are bootstrapped we send two more
    beacons. Most peers that missed our readiness hear it there, and need not ask. Once all have concluded, the air is
    silent.
 4. ``complete`` says that our own part is complete. If the machine wants this broadcast, it goes out at once.
 5. Some frames never reach the machine, they are only counted: damaged frames, old frames, frames of a run that is over,
    our own frames, and frames of non-members. Nonces have no order. So under a checksum a late frame of a run that we
    never heard before looks like a new run, and what it claims counts. A key prevents this: see 7.
 6. As long as a node has heard nobody in its run, it sends less and less often, down to one beacon in eight intervals.
    The first beacon of a member ends that. A budget may limit the frames of each minute.
 7. Under a seal that quotes (faction.key) a sender must first prove that its run is alive now: it sends a frame that
    quotes the nonce of our run. Only then it counts. So every frame quotes the peers that its sender has heard asking.
 8. Time is added up from differences of the clock. So its ticks may wrap at any time, as long as two polls are less than
    half a period apart.

In steady state nothing here allocates, whatever comes in. Transports and seals say what they allocate.
"""

import os
from array import array

from .clock import Clock, system_clock
from .machine import (
    ACCEPTED,
    BROADCAST_READY,
    DEADLINE_EXPIRED,
    LOCAL_PARTICIPATION_COMPLETED,
    PARTICIPATION_OBSERVED,
    READY_OBSERVED,
    TIMED_OUT,
    Config,
    Faction,
    _check,
)
from .wire import ASKING, BEACON, MAX_LENGTH, OTHER_CLUSTER, READY, Checksum, Seal, Wire

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypedDict

    from .observer import Observer
    from .transports import Transport

    class _Pace(TypedDict):
        interval_ms: int
        frames_per_minute: int


# Codes of counters. The verdicts of wire.decode are the first six. Each frame received counts once, under one of the
# first eleven codes.
SAME_ID = const(6)  # another board has our peer id
STRANGER = const(7)  # our cluster and roster, but an id that is not in it
STALE = const(8)  # a frame that comes after a later one, or from an earlier run
ECHO = const(9)  # our own frame came back
UNPROVEN = const(10)  # the seal quotes, and this sender has not yet quoted us
RESTART = const(11)  # a member began another run
SENT = const(12)  # frames given to the transport
SEND_FAILED = const(13)  # the transport raised OSError
RECEIVE_FAILED = const(14)  # the transport raised OSError

SLOW: "_Pace" = {"interval_ms": 10000, "frames_per_minute": 12}  # for LoRa and shared RS-485: Node(..., **SLOW)

_COUNTERS = const(15)
_DRAIN = const(64)  # frames that one poll takes at most, so that a flood cannot hold it
_MAX_MS = const(0x3FFFFFFF)
_MAX_CS = const(0x1FFFFFFF)  # one bit less than a small int has, so that sums stay small ints
_MAX_INTERVAL_MS = const(3600000)
_MINUTE_MS = const(60000)
_PATIENCE = const(8)  # beacons of a lone node before its interval grows

# Marks of a peer
_HEARD = const(0x01)
_OWED = const(0x02)  # asked, and is to be quoted
_REPORTED = const(0x04)  # shifted by conflict - OTHER_CLUSTER: 0x04, 0x08, 0x10
_RETURN = const(0x20)  # one step of a count, up to 7, of frames of the run before the current one
_FAREWELLS = const(2)  # beacons after we are bootstrapped
_MARKS = const(0x1F)  # all but that count
_OFFENDERS = const(8)  # reported non-members remembered, for each kind of conflict


class Node:
    """One member of the cluster at work. Attributes, only to be read:

    ``machine``       its Faction
    ``wire``          its Wire, which encodes and decodes the frames
    ``remaining_ms``  until the deadline
    ``uptime_cs``     hundredths of a second since the first poll; from 2**29 - 1 (62 days) it wraps to 0
    ``nonce``         of this run
    ``counters``      an array of counts, by the codes BEACON ... OTHER_EXPECTATIONS of faction.wire, and
                      SAME_ID ... RECEIVE_FAILED of this module
    ``offenders``     the latest offender of each kind of conflict, at conflict - OTHER_CLUSTER; -1: none

    and the arguments of its constructor: ``config``, ``cluster``, ``transport``, ``interval_ms``, ``deadline_ms``.
    """

    def __init__(
        self,
        config: Config,
        transport: "Transport",
        cluster: str,
        deadline_ms: int,
        interval_ms: int = 500,
        frames_per_minute: int = 0,
        deadline_from_contact: bool = False,
        seal: "Seal | None" = None,
        clock: "Clock | None" = None,
        seed: "int | None" = None,
        observer: "Observer | None" = None,
    ) -> None:
        """Make a node. Its time begins with the first poll. Allocates all that it will ever need.

        config: of the machine. transport: see faction.transports. cluster: a name that all members share.
        deadline_ms: when to give up, from 1 ms to 12 days after the first poll; with deadline_from_contact, after the
        first beacon of another member. interval_ms: the time between two beacons, up to one hour; the jitter adds up to
        a quarter. frames_per_minute: the most frames that are sent in a minute, 2 to 10,000; 0: no limit but one beacon
        and one answer in an interval. seal: protects the frames, a Checksum or a faction.key.Key. clock: see
        faction.clock. seed: of nonces and jitter, 1 to 2**30 - 1, for repeatable runs; never set it on a board, as
        the nonces of two boots must differ. observer: of machine and node, see faction.observer.
        Raises ValueError, with the wrong value.
        """
        _check("deadline_ms", deadline_ms, 1, _MAX_MS)
        _check("interval_ms", interval_ms, 1, _MAX_INTERVAL_MS)
        if frames_per_minute:
            _check("frames_per_minute", frames_per_minute, 2, 10000)
        if seed is None:
            seed = _entropy()
        _check("seed", seed, 1, _MAX_MS)
        self.config = config
        self.cluster = cluster
        self.machine = Faction(config, observer)
        self.transport = transport
        self.wire = Wire(config, cluster, seal or Checksum())
        self._proof = len(self.wire.quotes) > 0  # whether a sender must quote our nonce before it counts
        self._clock = clock or system_clock()
        self._observer = observer  # is told of conflicts; the machine tells it of commands
        self._random = seed  # the state of the generator behind _draw
        for _ in range(8):  # so that neighbouring seeds lead far apart
            self._draw(1)
        self.deadline_ms = deadline_ms
        self._from_contact = deadline_from_contact  # whether the deadline waits for the first beacon of another
        self.interval_ms = interval_ms
        # The budget is a bucket of credit: a quarter of frames_per_minute fits, and the rest fills it within a minute. So no
        # minute sees more than the budget.
        self._cost = _MINUTE_MS if frames_per_minute else 0  # credit that a frame takes
        self._bucket = (frames_per_minute + 3) // 4 * _MINUTE_MS  # credit that fits
        self._refill = frames_per_minute - (frames_per_minute + 3) // 4  # credit that comes each ms
        self._credit = self._bucket  # what is there now
        self._inbox = bytearray(MAX_LENGTH + 6)  # the frame received last
        self._outbox = bytearray(self.wire.length)  # the frame sent last
        count = len(config.peers)
        self._own_index = config.index(config.peer_id)  # our position in peers
        # By the position of a peer:
        self._marks = bytearray(count)  # its marks, see above
        self._nonces = array("I", bytes(4 * count))  # of its current run
        self._sequences = array("I", bytes(4 * count))  # the highest heard in that run
        # Under a checksum, nonce and highest sequence of its run before; under a seal that quotes, the nonce to quote.
        self._second_nonces = array("I", bytes(4 * count))
        self._second_sequences = array("I", bytes(4 * count))
        self._heard_cs = array("I", bytes(4 * count))  # uptime at its last frame
        self._restarts = bytearray(count)  # how often it began another run
        self.uptime_cs = 0
        self._rest_ms = 0  # time that makes no whole hundredth yet
        self.counters = array("I", bytes(4 * _COUNTERS))
        self.offenders = array("i", [-1] * 3)
        # Non-members that were reported, -1 for none: _OFFENDERS of them for each kind of conflict, the latest first.
        self._outsiders = array("i", [-1] * (3 * _OFFENDERS))
        self.nonce = 0
        self._last_tick: int | None = None  # the clock when it was read last
        self._last_quoted = 0  # the position of the peer that was quoted last
        self.restart()

    def poll(self) -> int:
        """Do what is due and return the state of the machine. Call it often, at least a few times in an interval.

        It does not block if the transport does not. Every frame is counted. The first time that another node shows a
        wrong configuration (OTHER_CLUSTER, OTHER_EXPECTATIONS, SAME_ID) it calls
        ``observe_conflict(node, conflict, peer_id)`` of the observer. Not for interrupt handlers: see
        faction.transports.ring.
        """
        now = self._clock.now()
        elapsed_ms = 0 if self._last_tick is None else max(0, self._clock.diff(now, self._last_tick))
        self._last_tick = now
        self._age(elapsed_ms)
        counted_ms = 0 if self._alone and self._from_contact else elapsed_ms
        self._advance(counted_ms, elapsed_ms)
        return self.machine.state

    def _age(self, elapsed_ms: int) -> None:
        self._rest_ms += elapsed_ms
        self.uptime_cs = self.uptime_cs + self._rest_ms // 10 & _MAX_CS
        self._rest_ms %= 10

    def _advance(self, counted_ms: int, elapsed_ms: int) -> None:
        """Receive, and let time pass even if an observer raises."""
        try:
            self._receive()
        finally:
            self._expire(counted_ms)
            self._transmit(elapsed_ms)

    def complete(self) -> int:
        """Say that our own part is complete, and announce it. Return the result of the machine. Allocates as the transport does."""
        result = self.machine.process(LOCAL_PARTICIPATION_COMPLETED)
        if result & BROADCAST_READY:
            self._announce()
        return result

    def cancel(self) -> int:
        """End the wait now, as the deadline would. Return the result of the machine. Allocates nothing."""
        result = self.machine.process(DEADLINE_EXPIRED)
        if result & ACCEPTED:
            self.remaining_ms = self._farewells = 0
        return result

    def restart(self) -> None:
        """Begin a new run: forget all that was observed, and begin the time again. ``complete`` is due again.

        The counters keep their values. Allocates nothing.
        """
        self.machine.reset()
        self.remaining_ms = self.deadline_ms
        self._previous_nonce = self.nonce  # of our run before: its frames may come back
        self.nonce = self._draw(_MAX_MS) + 1
        self._sequence = 0  # of the frame sent last
        self._last_tick = None
        self._answer_due = False  # whether a peer asks, and nothing was sent since
        self._answer_in = 0  # ms until an answer may go out
        self._unheard = 0  # beacons sent while nobody was heard
        self._alone = True  # whether nobody has been heard in this run
        self._farewells = _FAREWELLS  # beacons that are left to send after the verdict
        # ms until the next beacon; the first comes at random, as boards that are switched on together would collide
        self._beacon_in = self._draw(self.interval_ms) >> 3
        for i in range(len(self._marks)):
            self._marks[i] &= _MARKS ^ _HEARD ^ _OWED
            if self._proof:
                self._nonces[i] = 0  # what was proved to the last run is not proved to this one

    def age_cs(self, peer_id: int) -> int:
        """Return the hundredths of a second since the last frame of a peer in this run, up to 62 days; -1: no frame came.

        peer_id: any int. Allocates nothing; interrupt handlers may call it.
        """
        index = self.config.index(peer_id)
        if index < 0 or not self._marks[index] & _HEARD:
            return -1
        return self.uptime_cs - self._heard_cs[index] & _MAX_CS

    def restarts(self, peer_id: int) -> int:
        """Return how often a peer began another run, up to 255.

        peer_id: any int. Allocates nothing; interrupt handlers may call it.
        """
        index = self.config.index(peer_id)
        return 0 if index < 0 else self._restarts[index]

    def idle_ms(self) -> int:
        """Return the ms until a poll has something to do, up to 2**30 - 1. A board may sleep until then, or until a frame comes.

        It is 0 if something is due, or waits for the budget of frames. Allocates nothing; interrupt handlers may call it.
        """
        idle_ms = _MAX_MS
        if not self.machine.is_concluded:
            idle_ms = self._beacon_in if self._alone and self._from_contact else min(self._beacon_in, self.remaining_ms)
        elif self._farewells:
            idle_ms = self._beacon_in
        return min(idle_ms, self._answer_in) if self._answer_due else idle_ms

    def each_missing(self, callback: "Callable[[int, bool], object]") -> None:
        """Call callback(peer_id, heard) for each peer not known to be ready, ascending. Allocates nothing itself.

        Our own id is among them, as heard, until our participation is complete.
        """
        for i in range(len(self._marks)):
            peer_id = self.config.peers[i]
            if not self.machine.collecting.has(peer_id):
                callback(peer_id, bool(self._marks[i] & _HEARD) or i == self._own_index)

    def missing(self) -> "tuple[list[int], list[int]]":
        """Return (ids never heard in this run, ids heard but not ready). Allocates.

        A machine that has concluded learns nothing more. So a peer that becomes ready after the verdict stays in the
        second list.
        """
        lists: tuple[list[int], list[int]] = ([], [])
        self.each_missing(lambda peer_id, heard: lists[heard].append(peer_id))
        return lists

    def wait(self, pause_ms: int = 10) -> "Coroutine[Any, Any, int]":
        """Poll until the machine has concluded. Use it as ``await node.wait()``; it returns BOOTSTRAPPED or TIMED_OUT.

        pause_ms: the time between two polls. Go on with polls after it: others may still ask. Allocates, as asyncio does.
        """
        from .wait import wait  # "async def" is a syntax error on the smallest ports

        return wait(self, pause_ms)

    def _receive(self) -> None:
        for _ in range(_DRAIN):
            length = self._receive_one()
            if length < 0:
                return
            self._judge(length)

    def _receive_one(self) -> int:
        try:
            return self.transport.receive(self._inbox)
        except OSError:
            self.counters[RECEIVE_FAILED] += 1
            return -1

    def _judge(self, length: int) -> None:
        verdict = self.wire.decode(self._inbox, length)
        if verdict == BEACON:
            verdict = self._hear()
        elif verdict >= OTHER_CLUSTER:
            self._report(verdict)
        self.counters[verdict] += 1

    def _hear(self) -> int:
        """Take in the frame just decoded, and return its verdict."""
        wire = self.wire
        index = self.config.index(wire.peer_id)
        if index < 0:
            return STRANGER
        if index == self._own_index and wire.nonce == self.nonce:
            return ECHO
        verdict = self._judge_run(index)
        if wire.flags & ASKING and verdict != STALE:
            self._note_asker(index)
        if verdict == SAME_ID:
            self._report(verdict)
        elif verdict == BEACON:
            self._tell_machine(index)
        return verdict

    def _judge_run(self, index: int) -> int:
        """Judge the run and the sequence of a frame of the peer at index."""
        wire = self.wire
        if wire.nonce == self._nonces[index]:
            return BEACON if wire.sequence > self._sequences[index] else STALE
        if self._proof:
            if not wire.is_quoted(self._inbox, self.nonce):
                return UNPROVEN
        elif wire.nonce == self._second_nonces[index] and not self._returns(index):
            return STALE
        if index == self._own_index:
            return STALE if wire.nonce == self._previous_nonce else SAME_ID
        self._begin_run(index)
        return BEACON

    def _returns(self, index: int) -> bool:
        """Tell whether the earlier run of a peer is the living one after all.

        A late frame of a dead run that we never heard looks like a new run. The living run then counts as the earlier one.
        But only the living run sends new frames. After seven of them in a row it is the current run again.
        """
        sequence = self.wire.sequence
        if sequence <= self._second_sequences[index]:
            return False
        self._second_sequences[index] = sequence
        self._marks[index] += _RETURN
        return self._marks[index] >= 7 * _RETURN

    def _begin_run(self, index: int) -> None:
        if self._nonces[index]:
            self.counters[RESTART] += 1
            self._restarts[index] = min(self._restarts[index] + 1, 255)
            if not self._proof:
                self._second_nonces[index] = self._nonces[index]
                self._second_sequences[index] = self._sequences[index]
        self._nonces[index] = self.wire.nonce

    def _note_asker(self, index: int) -> None:
        if self._proof:
            self._second_nonces[index] = self.wire.nonce
            self._marks[index] |= _OWED
        if index != self._own_index and self.machine.is_pinging_completed and not self._answer_due:
            self._answer_due = True
            # All who are asked must not answer in the same instant.
            self._answer_in = max(self._answer_in, self._draw(self.interval_ms) >> 2)

    def _tell_machine(self, index: int) -> None:
        """Give a beacon of the peer at index to the machine."""
        wire = self.wire
        self._sequences[index] = wire.sequence
        self._heard_cs[index] = self.uptime_cs
        self._marks[index] = self._marks[index] & _MARKS | _HEARD
        if self._alone:
            self._alone = False
            self._beacon_in = min(self._beacon_in, self.interval_ms + (self._draw(self.interval_ms) >> 2))
        self.machine.process(PARTICIPATION_OBSERVED, wire.peer_id)
        if wire.flags & READY:
            self.machine.process(READY_OBSERVED, wire.peer_id)

    def _report(self, conflict: int) -> None:
        """Tell the observer of a node with a wrong configuration, unless it knows."""
        peer_id = self.wire.peer_id
        self.offenders[conflict - OTHER_CLUSTER] = peer_id
        index = self.config.index(peer_id)
        if index >= 0:
            mark = _REPORTED << conflict - OTHER_CLUSTER
            known = self._marks[index] & mark
            self._marks[index] |= mark
        else:
            known = self._remember((conflict - OTHER_CLUSTER) * _OFFENDERS, peer_id)
        if not known and self._observer is not None:
            self._observer.observe_conflict(self, conflict, peer_id)

    def _remember(self, start: int, peer_id: int) -> int:
        """Put a non-member into the part of the list for its kind of conflict. Return whether it was there."""
        outsiders = self._outsiders
        for i in range(start, start + _OFFENDERS):
            if outsiders[i] == peer_id:
                return 1
        for i in range(start + _OFFENDERS - 1, start, -1):
            outsiders[i] = outsiders[i - 1]
        outsiders[start] = peer_id
        return 0

    def _expire(self, elapsed_ms: int) -> None:
        if not self.machine.is_concluded:
            self.remaining_ms -= elapsed_ms
            if self.remaining_ms <= 0:
                self.cancel()

    def _transmit(self, elapsed_ms: int) -> None:
        self._credit = min(self._bucket, self._credit + min(elapsed_ms, _MINUTE_MS) * self._refill)
        self._beacon_in = max(0, self._beacon_in - elapsed_ms)
        self._answer_in = max(0, self._answer_in - elapsed_ms)
        if self._beacon_in == 0 and (self._farewells or not self.machine.is_concluded):
            if self._announce() and self.machine.is_concluded:
                self._farewells -= 1
        elif self._answer_due and self._answer_in == 0:
            self._send()

    def _announce(self) -> bool:
        """Send a beacon and set the time of the next one. Without credit it stays due."""
        self._beacon_in = 0
        sent = self._send()
        if sent:
            interval_ms = self.interval_ms
            if self._alone:
                interval_ms <<= max(0, min(self._unheard - _PATIENCE, 3))
                self._unheard += 1
            self._beacon_in = interval_ms + (self._draw(interval_ms) >> 2)
        return sent

    def _send(self) -> bool:
        if self._credit < self._cost:
            return False
        self._credit -= self._cost
        self._answer_due = False
        self._answer_in = self.interval_ms
        self._sequence += 1
        flags = 0 if self.machine.is_concluded else ASKING
        if self.machine.is_pinging_completed and self.machine.state != TIMED_OUT:
            flags |= READY
        self._quote()
        self.wire.encode(self._outbox, flags, self.nonce, self._sequence)
        self._send_outbox()
        return True

    def _send_outbox(self) -> None:
        try:
            self.transport.send(self._outbox, len(self._outbox))
            self.counters[SENT] += 1
        except OSError:
            self.counters[SEND_FAILED] += 1

    def _quote(self) -> None:
        """Quote the peers that have asked since we quoted them last. Those that do not fit come next time."""
        slot = 0
        quotes = self.wire.quotes
        for _ in range(len(self._marks)):
            if slot == len(quotes):
                return
            self._last_quoted = (self._last_quoted + 1) % len(self._marks)
            if self._marks[self._last_quoted] & _OWED:
                self._marks[self._last_quoted] ^= _OWED
                quotes[slot] = self._second_nonces[self._last_quoted]
                slot += 1
        for i in range(slot, len(quotes)):
            quotes[i] = 0

    def _draw(self, limit: int) -> int:
        """Return a pseudo-random number from 0 to limit - 1, by xorshift with 30 bits and the full period."""
        x = self._random
        x ^= (x & 0x7FFFFF) << 7
        x ^= x >> 9
        x ^= (x & 0xFFFFF) << 10
        self._random = x
        return x % limit


def _entropy() -> int:
    if not hasattr(os, "urandom"):
        raise ValueError("seed None: this port has no os.urandom; give a seed that differs from boot to boot")
    return int.from_bytes(os.urandom(4), "big") >> 2 or 1
