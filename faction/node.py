"""A node: one machine, one transport, one clock. It brings its board into the cluster.

Theory of operation

 1. ``poll`` does everything. It takes what has come from the transport, lets time pass, and sends at most one frame. It
    never blocks.
 2. A frame says who we are, in which run, and what we know of all other members: see faction.wire and faction.peers. A
    run begins with the node and with every restart. It has a nonce of its own. A node that has not concluded asks with
    each of its frames for what it lacks.
 3. A node that has not concluded speaks by a Trickle timer (RFC 6206). A turn of this timer is one to eight intervals
    long. In each turn the node speaks once, at a random time in the second half. It stays silent in a turn if it has
    heard two frames that taught nothing and lacked nothing, and has spoken in the last eight intervals. Each turn is
    twice as long as the one before. A frame that teaches or lacks something begins a turn of one interval. So news goes
    fast, and a cluster that waits is nearly silent.
 4. ``complete`` says that our own part is complete. It sends a frame at once, and another within an eighth of an interval.
 5. A node answers a frame that asks, if it knows a readiness that the asker lacks. It answers within a quarter of an
    interval, at most once an interval. A concluded node that knows nothing recent of a member that the asker lacks carries
    the question on. Other concluded nodes carry it on, too, for twelve intervals. A node that hears nobody else do so does
    it once more. The age of a question shows who has it from whom. A node that hears it from farther away says all that it
    knows again. So the answers come back, however many boards and lost frames are between.
 6. A node that concludes says so. It says so again, up to five times, while a member that it heard asking has not shown
    that it knows. After that it is silent until somebody asks.
 7. The first node that is Bootstrapped sets the common start. Each frame says how long it is until the start. All nodes
    take the earliest start that they hear of. So they go on together. Perhaps nobody has heard a node since its verdict. So
    each node speaks once more, two intervals before the start.
 8. Under a key (faction.key) a sender counts only after it has proved that its run is alive now: one of its frames has quoted
    a challenge of our run. So every frame shows a challenge of its sender, and quotes those of others.
 9. Time is added up from differences of the clock. So the ticks of the clock may wrap at any value, if two polls are less
    than half of the period apart.

After the constructor nothing here allocates, whatever comes in. Transports and seals say what they allocate.
"""

from array import array

# ruff: isort: off
from .peers import Peers  # in this order they take 450 bytes less of a 32-bit heap: make size
from .machine import Faction, _check
from .wire import Checksum, Wire, digest, mix, stir
from .clock import system_clock

# ruff: isort: on

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypedDict

    from .clock import Clock
    from .machine import Config
    from .observer import Observer
    from .transports import Transport
    from .wire import Seal

    class _Pace(TypedDict):
        interval_ms: int
        frames_per_minute: int
        is_line_shared: bool


# Codes of counters. Each frame received counts once: under one of the verdicts of faction.wire, 0 to 5, or one of these:
SAME_ID = const(6)  # another board has our peer id
STRANGER = const(7)  # our cluster and roster, but an id that is not in it
STALE = const(8)  # a frame that comes after a later one, or from an earlier run
ECHO = const(9)  # our own frame came back
UNPROVEN = const(10)  # the seal quotes, and this sender has not yet quoted us
# These count other things:
RESTART = const(11)  # a member began another run
SENT = const(12)  # frames given to the transport
SEND_FAILED = const(13)  # the transport raised OSError
RECEIVE_FAILED = const(14)  # the transport raised OSError

# For LoRa and shared RS-485: Node(..., **SLOW)
SLOW: "_Pace" = {"interval_ms": 10000, "frames_per_minute": 12, "is_line_shared": True}

# Constants of other files, repeated: see peers.py
_BOOTSTRAPPED = const(3)  # of machine.py
_LOCAL_PARTICIPATION_COMPLETED = const(2)
_DEADLINE_EXPIRED = const(3)
_ACCEPTED = const(0x0001)
_BEACON = const(0)  # of wire.py
_OTHER_VERSION = const(3)
_ASKING = const(0x01)
_READY = const(0x02)
_MAX_LENGTH = const(250)
_NO_AGE = const(0x7FFF)
_START_ZERO = const(0x20000000)
_ASKS = const(0x04)  # of peers.py
_NEWS = const(0x01)
_LACKS = const(0x02)
_SEEKS = const(0x04)
_CLONED = const(0x08)
_BEGAN = const(0x10)
_NEVER = const(-0x20000000)
_FAR = const(0x3FFFFFFF)

# Flags of a node
_ALONE = const(0x01)  # nobody has been heard in this run
_CLOSED = const(0x02)  # the machine has concluded, and what follows from that is planned
_CARRYING = const(0x04)  # the next frame carries a question on
_HURRIED = const(0x08)  # somebody who has concluded was heard in this turn

_COUNTERS = const(15)
_RAISED = const(-16)  # a length that no transport returns: it raised OSError
_DRAIN = const(64)  # frames that one poll takes at most, so that a flood cannot hold it
_BACKLOG = const(1024)  # the same of the first poll behind a restart: all that have waited since before it
_MAX_MS = const(0x3FFFFFFF)
_MAX_CS = const(0x1FFFFFFF)  # one bit less than a small int has, so that sums stay small ints
_MAX_STEP_MS = const(0x0FFFFFFF)  # the longest time between two polls that counts: three days
_LONGEST_MS = const(0x08000000)  # 37 hours: the longest presence_ms and start_after_ms
_MAX_INTERVAL_MS = const(3600000)
_MINUTE_MS = const(60000)
_SLOWEST = const(3)  # doublings of a turn: eight intervals
_ENOUGH = const(2)  # consistent frames in a turn: after them we need not speak
_FAREWELLS = const(6)  # frames after the verdict
_QUESTION_LIVES = const(12)  # intervals
# By so many units a question is older than ours if somebody has carried it on who heard it from where we did, or from us:
_BESIDE = const(4)
_FARTHER = const(9)
_PER_HOP = const(8)  # units by which it gets older each time it is carried on
_START_AFTER = const(4)  # intervals
_OFFENDERS = const(8)  # of each kind of conflict: the observer is told of so many
_OTHERS = const(-2)  # the last one of a kind stands for all others
_FREE = const(-3)  # a free place among them
_CONFLICTS = const(4)

# The times of a node. These are planned:
_SPEAK = const(0)  # in this turn
_TURN = const(1)  # the end of this turn
_ANSWER = const(2)
_AGAIN = const(3)  # our completion or our verdict is to be said again
_EXPIRE = const(4)  # a member has not been heard of for too long
_START = const(5)  # the common start
_PLANNED = const(6)  # how many these are
# These are past:
_SENT = const(6)
_ANSWERED = const(7)
_ASKED = const(8)  # the youngest question that we know of
_CARRIED = const(9)  # the question that we carried on last
_CREDITED = const(10)
_TIMES = const(11)


class Node:
    """One member of the cluster at work. Attributes, only to be read:

    ``machine``          its Faction
    ``peers``            its faction.peers.Peers: what it knows of the other members
    ``wire``             its faction.wire.Wire, which encodes and decodes the frames
    ``remaining_ms``     until the deadline
    ``uptime_cs``        hundredths of a second since the first poll; from 2**29 - 1 (62 days) it wraps to 0
    ``has_started``      True when we are Bootstrapped and the common start has come: the time to begin the work
    ``started_late_ms``  how late we started, in ms, if we learned too late of the common start; otherwise 0
    ``nonce``            of this run
    ``sequence``         of the latest frame sent in this run
    ``counters``         an array of counts, by the codes BEACON ... OTHER_EXPECTATIONS of faction.wire, and
                         SAME_ID ... RECEIVE_FAILED of this module
    ``offenders``        the latest offender of each kind of conflict, at conflict - OTHER_VERSION; -1: none
    ``now``              the time of the node in ms; after three days it goes back by some days
    ``unit``             ages in frames are in units of 2**unit ms, near a 64th of an interval

    and the arguments of its constructor: ``config``, ``cluster``, ``transport``, ``deadline_ms``, ``interval_ms``,
    ``frames_per_minute``, ``deadline_from_contact``, ``clock``, ``start_after_ms``, ``is_line_shared``.
    """

    def __init__(
        self,
        config: "Config",
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
        start_after_ms: "int | None" = None,
        presence_ms: "int | None" = None,
        is_line_shared: bool = False,
    ) -> None:
        """Make a node. Its time begins with the first poll. Allocates all that it will ever need.

        config: of the machine. transport: see faction.transports. cluster: a name that all members share.
        deadline_ms: when to give up, from 1 ms to 12 days after the first poll; with deadline_from_contact, after the
        first frame of another member. interval_ms: the shortest time between two beacons, up to one hour.
        frames_per_minute: the most frames that are sent in a minute, 2 to 10,000; 0: no limit. seal: protects the frames,
        a Checksum or a faction.key.Key. clock: see faction.clock; None: that of the firmware, ImportError if it has none. seed:
        of nonces and jitter, 1 to 2**30 - 1, for repeatable runs; do not set it on a board that has random numbers, as the
        nonces of two boots must differ. observer: of machine and node, see faction.observer. start_after_ms: the time from the
        first verdict to the common start, 0 to 2**27; None: four intervals. presence_ms: a member no longer counts if nobody
        has heard of it for so long, 1 to 2**27; 0: it counts for ever; None: 32 intervals, times the number of frames that hold
        the whole roster. is_line_shared: for a line on which frames collide: answers are spread over a whole interval. Raises
        ValueError, with the wrong value.
        """
        _check("deadline_ms", deadline_ms, 1, _MAX_MS)
        _check("interval_ms", interval_ms, 1, _MAX_INTERVAL_MS)
        _check("frames_per_minute", frames_per_minute or 2, 2, 10000)
        secret = 0
        if seed is None:
            try:
                from os import urandom

                seed, secret = digest(urandom(8)) or 1, digest(urandom(8)) or 1
            except (ImportError, NotImplementedError, OSError):
                pass
            if seed is None:
                raise ValueError("seed None: no os.urandom; give a new one at each boot")
        _check("seed", seed, 1, _MAX_MS)
        if start_after_ms is None:
            start_after_ms = _START_AFTER * interval_ms
        _check("start_after_ms", start_after_ms, 0, _LONGEST_MS)
        _check("presence_ms", presence_ms or 0, 0, _LONGEST_MS)
        self.config = config
        self.cluster = cluster
        self.machine = Faction(config, observer)
        self.transport = transport
        self.wire = Wire(config, cluster, seal or Checksum(), getattr(transport, "max_length", _MAX_LENGTH))
        self.peers = getattr(seal, "peers", Peers)(self.machine, self.wire, presence_ms, 2 * interval_ms)
        self.deadline_ms = deadline_ms
        self.interval_ms = interval_ms
        self.clock = clock or system_clock()
        self.deadline_from_contact = deadline_from_contact
        self.start_after_ms = start_after_ms
        self.is_line_shared = is_line_shared
        self.frames_per_minute = frames_per_minute
        self.now = self.uptime_cs = self.unit = self._epoch_cs = 0  # the last one: the uptime at the time 0
        while 96 << self.unit <= interval_ms and self.unit < 14:
            self.unit += 1
        self._credit = frames_per_minute * _MINUTE_MS  # for frames of the budget; _send limits it
        self.counters = array("I", bytes(4 * _COUNTERS))
        self.offenders = [-1] * _CONFLICTS
        self._reported = [_FREE] * (_CONFLICTS * _OFFENDERS)  # the offenders that the observer was told of
        self._times = [0] * _TIMES  # what is planned, and what is past
        # Of two generators only jitter shows the one, and nothing the other: a nonce does not give the next one away.
        self._random = seed
        self._secret = secret or digest((seed,))
        for _ in range(8):  # so that neighbouring seeds lead far apart
            self._draw(1)
        self.restart()

    def restart(self) -> None:
        """Begin a new run. All that was observed is forgotten, and the time to the deadline begins again.

        Call ``complete`` again in the new run. The counters go on. A readiness in a frame that waits in the transport, or
        comes before the next poll, does not count. Allocates nothing.
        """
        self.machine.reset()
        self._secret = mix(self._secret)
        self.nonce = stir(stir(self._secret, self._draw(_MAX_MS)), self._secret) or 1
        self.peers.begin(self.nonce, stir(self.nonce, self._random))
        self.peers.now -= self.now > 0  # what waits in the transport was sent before this run, and must not count: see _act
        self.remaining_ms = self.deadline_ms
        self.has_started = False
        self.started_late_ms = 0
        self._ticks: int | None = None  # the clock when it was read last
        self.sequence = 0
        self._farewells = 0  # how many may still follow
        self._flags = _ALONE
        for i in range(_CREDITED):  # what the budget has counted goes on
            self._times[i] = _FAR if i < _PLANNED else _NEVER
        self._begin_turn(self.interval_ms)
        # Boards that are switched on together do not collide.
        self._times[_SPEAK] = self.now + (self._draw(self.interval_ms) >> (0 if self.is_line_shared else 3))
        self._due = self.now

    def poll(self) -> int:
        """Do what is due, and return the state of the machine. Call it a few times in each interval, or more often.

        It does not block if the transport does not. It counts what it finds on the air. A node may be misconfigured
        (OTHER_VERSION, OTHER_CLUSTER, OTHER_EXPECTATIONS, SAME_ID). Then the observer is told once, by
        ``observe_conflict(node, conflict, peer_id)``. After seven nodes of a kind peer_id is -2 once: there are more.
        Allocates nothing, but what the transport and the seal do. Not for interrupt handlers: see faction.transports.ring.
        """
        ticks = self.clock.now()
        ms = 0
        if ticks != self._ticks:  # many polls come within the same ms
            if self._ticks is not None:
                ms = self.clock.diff(ticks, self._ticks)
                if ms < 0:
                    ms = 0
                elif ms > _MAX_STEP_MS:
                    ms = _MAX_STEP_MS
                self.peers.now = self.now = self.now + ms
                self.uptime_cs = self._epoch_cs + self.now // 10 & _MAX_CS
                if self._flags & _ALONE and self.deadline_from_contact:
                    ms = 0
            self._ticks = ticks
        ticks = _DRAIN if self.peers.now == self.now else _BACKLOG
        try:
            while ticks and self._receive():
                ticks -= 1
        finally:  # time has passed, whatever a transport or an observer raises
            if ms and not self.machine.is_concluded:
                self.remaining_ms -= ms
                if self.remaining_ms <= 0:
                    self.cancel()
            if self.now >= self._due:
                self._act()
            if self.now > 2 * _LONGEST_MS:
                self._turn_back()
        return self.machine.state

    def _turn_back(self) -> None:
        """Turn the time back, so that it stays a small int."""
        ms = (self.now - _LONGEST_MS) // 10
        self._epoch_cs = self._epoch_cs + ms & _MAX_CS
        ms *= 10
        self.now -= ms
        self.peers.shift(ms)
        for i in range(_TIMES):
            if self._times[i] != _FAR:
                self._times[i] = max(_NEVER, self._times[i] - ms)
        self._due = self.now

    def complete(self) -> int:
        """Poll, say that our own part is complete, and announce it. Return the result of the machine. Allocates as ``poll`` does."""
        try:
            self.poll()  # what goes out tells ages, and maybe the common start: they must not be those of the last poll
        finally:
            if self.machine.admits(_LOCAL_PARTICIPATION_COMPLETED):
                self.peers.marks[self.peers.own] = _READY
                self._begin_turn(self.interval_ms)
                self._times[_AGAIN] = self.now + 1 + (self._draw(self.interval_ms) >> 3)
                self._times[_ANSWER] = self._due = self.now  # if an observer raises, the next poll says it
            result = self.machine.process(_LOCAL_PARTICIPATION_COMPLETED)
            self._act()
            if result & _ACCEPTED:
                self._times[_ANSWERED] = _NEVER  # that was no answer
        return result

    def cancel(self) -> int:
        """End the wait now, as if the deadline had passed. Return the result of the machine. Allocates nothing."""
        if not self.machine.is_concluded:
            self.remaining_ms = 0  # before an observer may call restart
            self._due = self.now
        return self.machine.process(_DEADLINE_EXPIRED)

    # What comes in

    def _receive(self) -> bool:
        """Take in one frame. Tell whether there was one."""
        try:
            found = self.transport.receive(self.wire.inbox)  # the length of a frame
        except OSError:
            found = _RAISED
        if found < 0:
            if found == _RAISED:
                _count(self.counters, RECEIVE_FAILED)
            return False
        found = self.wire.decode(found) or self.peers.judge(found)  # the verdict: with a third name the call would take heap
        _count(self.counters, found)
        if found == _BEACON:
            self.peers.take()
            if self.peers.found & _NEWS:
                self._learn()
            else:
                self._hear(self.peers.found)
        elif found == UNPROVEN:
            if self.peers.greets(self._flags & _ALONE):
                self._plan_answer(0)
        elif _OTHER_VERSION <= found <= SAME_ID:
            self._report(found, self.wire.peer_id)
        return True

    def _learn(self) -> None:
        """Let the machine observe the news of a frame. If an observer raises, nothing of the frame is lost."""
        self._times[_EXPIRE] = self._due = self.now  # so that the machine observes the rest soon
        try:
            self.peers.observe()
            if self._flags & _CLOSED:
                self._times[_EXPIRE] = _FAR
        finally:
            self._hear(self.peers.found)

    def _hear(self, flags: int) -> None:
        """Plan what follows from a frame. flags: what the frame has brought, see faction.peers."""
        wire = self.wire
        times = self._times
        interval_ms = self.interval_ms
        if self.peers.now == self.now:  # it did not wait since before our run: see restart
            self._flags &= ~_ALONE
        if flags & _BEGAN:
            _count(self.counters, RESTART)
        if flags & _CLONED:
            self._report(SAME_ID, self.config.peer_id)
        if wire.start and self._hear_start(self.now - _START_ZERO + wire.start):
            flags |= _NEWS
        if not flags & (_NEWS | _LACKS):
            self._consistent += 1
        elif self._turn_ms > interval_ms:
            self._due = self.now
            self._begin_turn(interval_ms)
        is_concluded = self.machine.is_concluded
        if wire.flags & _ASKING:
            times[_ASKED] = self.now
            if flags & _LACKS or not is_concluded:
                self.peers.marks[self.peers.index] |= _ASKS
            if flags & (_LACKS | _SEEKS if is_concluded else _LACKS):
                self._plan_answer(flags & _SEEKS)
        else:
            self._flags |= _HURRIED
            if wire.question_age != _NO_AGE:  # somebody else carries it on, and so may we
                at = self.now - (wire.question_age << wire.unit)
                if is_concluded and at > self.now - _QUESTION_LIVES * interval_ms:
                    times[_ASKED] = max(times[_ASKED], at)
                    at -= times[_CARRIED]
                    if at > interval_ms >> 1 or at < -_FARTHER << wire.unit:
                        self._plan_answer(1)
                    elif at < -_BESIDE << wire.unit and times[_ASKED] == times[_CARRIED] and self._flags & _CARRYING:
                        self._flags ^= _CARRYING
                        times[_ANSWER] = _FAR

    def _hear_start(self, at: int) -> bool:
        """Take a common start if it is earlier than ours. Tell whether it is news."""
        times = self._times
        known = times[_START]
        if at >= known:
            return False
        times[_START] = at
        now = self._due = self.now
        is_news = known > at + (1 << self.unit)
        if self._flags & _CLOSED:
            if is_news:  # nodes behind us may know the later start only
                times[_ANSWER] = min((self._draw(self.interval_ms) >> 3) + now, times[_ANSWER])
            if at < now and not self.has_started and self.machine.state == _BOOTSTRAPPED:
                self.started_late_ms = now - at
        return is_news

    def _report(self, conflict: int, peer_id: int) -> None:
        """Tell the observer of a misconfigured node, once."""
        conflict -= _OTHER_VERSION
        self.offenders[conflict] = peer_id
        reported = self._reported
        i = _OFFENDERS * conflict
        while reported[i] != _FREE:
            if reported[i] == peer_id or reported[i] == _OTHERS:
                return
            i += 1
        if i % _OFFENDERS == _OFFENDERS - 1:
            peer_id = _OTHERS
        reported[i] = peer_id
        if hasattr(self.machine.observer, "observe_conflict"):  # without it, it observes machines only
            self.machine.observer.observe_conflict(self, conflict + _OTHER_VERSION, peer_id)  # type: ignore[union-attr]

    # What goes out

    def _act(self) -> None:
        """Do what is due, send one frame at most, and plan what comes next."""
        times = self._times
        self.peers.now = now = self.now  # from the first poll of a run on
        if now >= times[_EXPIRE]:
            times[_EXPIRE] = self.peers.expire()
        if self.machine.is_concluded and not self._flags & _CLOSED:
            self._close()
        wants: int = now >= times[_ANSWER]
        if now >= times[_AGAIN]:
            wants = self._says_again() or wants
        if now >= times[_SPEAK]:
            times[_SPEAK] = _FAR
            wants = wants or self._flags & _CLOSED or self._consistent < _ENOUGH or now - times[_SENT] >= self.interval_ms << _SLOWEST
        if wants and not self._send():
            times[_ANSWER] = now  # there is no credit, so it stays due
        if now >= times[_TURN]:
            ms = min(self._turn_ms << 1, self.interval_ms << _SLOWEST)
            self._begin_turn(self.interval_ms if self._flags & _HURRIED or self.peers.is_any(_READY) else ms)
        if now >= times[_START] and self.machine.state == _BOOTSTRAPPED:
            self.has_started = True
        ms = _FAR  # until when nothing is due; with one name more, all of them would take heap
        for i in range(_START if self.has_started or self.machine.state != _BOOTSTRAPPED else _PLANNED):
            if times[i] < ms:
                ms = times[i]
        self._due = ms  # only now, as ctrl-C may come at any time

    def _says_again(self) -> bool:
        """Plan the next farewell, if there is one. Tell whether to speak now."""
        self._times[_AGAIN] = _FAR
        if self._flags & _CLOSED:
            if self._farewells < _FAREWELLS and not self.peers.is_any(_ASKING):
                return False
            self._farewells -= 1
            if self._farewells:
                gap_ms = self.interval_ms << _FAREWELLS - 1 - self._farewells >> 1
                self._times[_AGAIN] = self.now + gap_ms + 1 + (self._draw(gap_ms + 1) >> 2)
        return True  # before the verdict this is our own completion, said for the second time

    def _begin_turn(self, ms: int) -> None:
        """Begin a turn of the Trickle timer, of so many ms. After the verdict there are no turns."""
        if self._flags & _CLOSED:
            return
        times = self._times
        half_ms = ms >> 1
        self._turn_ms = ms
        times[_TURN] = self.now + ms
        times[_EXPIRE] = min(times[_EXPIRE], times[_TURN])  # then the machine observes what a ctrl-C has kept from it
        times[_SPEAK] = self.now + half_ms + self._draw(ms - half_ms)
        self._consistent = 0  # frames heard in this turn that taught nothing and lacked nothing
        self._flags &= ~_HURRIED

    def _plan_answer(self, flags: int) -> None:
        """Plan an answer. flags: if not 0, and we have concluded, the answer carries the question on."""
        times = self._times
        interval_ms = self.interval_ms
        if flags and self.machine.is_concluded:
            self._flags |= _CARRYING
        if self._flags & _ALONE and self._turn_ms > interval_ms:  # under a key who asks first has not proved itself
            self._begin_turn(interval_ms)
        if times[_ANSWER] == _FAR:  # not all nodes must answer at the same moment
            at = max(times[_ANSWERED] + interval_ms, self.now)
            times[_ANSWER] = at + (self._draw(interval_ms) >> (0 if self.is_line_shared else 2))
        self._due = self.now

    def _close(self) -> None:
        """Plan what follows from the verdict: the farewells and the common start."""
        times = self._times
        now = self.now
        interval_ms = self.interval_ms
        times[_SPEAK] = times[_TURN] = times[_EXPIRE] = _FAR
        times[_AGAIN] = now + (self._draw(interval_ms) >> 3)
        self._farewells = _FAREWELLS
        if self.machine.state != _BOOTSTRAPPED:
            self.peers.marks[self.peers.own] = 0
        else:
            if times[_START] == _FAR:
                times[_START] = now + self.start_after_ms
            elif times[_START] < now:
                self.started_late_ms = now - times[_START]
            # Perhaps nobody hears our farewell. So we tell the start once more, two intervals before it.
            times[_SPEAK] = times[_START] - 2 * interval_ms + (self._draw(interval_ms) >> 2)
        self._flags |= _CLOSED

    def _send(self) -> bool:
        """Send a frame with all that we know, if the budget allows it."""
        if self.frames_per_minute:
            # A bucket holds a quarter of the budget. The rest fills it. So no minute has more frames than the budget.
            i = (self.frames_per_minute + 3) // 4
            self._credit += min(self.now - self._times[_CREDITED], _MINUTE_MS) * (self.frames_per_minute - i)
            self._credit = min(self._credit, i * _MINUTE_MS)
            self._times[_CREDITED] = self.now
            if self._credit < _MINUTE_MS:
                return False
            self._credit -= _MINUTE_MS
        self._times[_SENT] = self.now
        if self._times[_ANSWER] != _FAR:
            self._times[_ANSWER] = _FAR
            self._times[_ANSWERED] = self.now
        self._write()
        i = SENT
        try:
            self.transport.send(self.wire.outbox, self.wire.length)
        except OSError:
            i = SEND_FAILED
        _count(self.counters, i)
        return True

    def _write(self) -> None:
        """Write a frame into the outbox."""
        wire = self.wire
        self.sequence += 1
        wire.sequence = self.sequence
        wire.nonce = self.nonce
        wire.flags = self.peers.marks[self.peers.own]  # READY, or 0
        if not self.machine.is_concluded:
            wire.flags |= _ASKING
        start = self._times[_START]
        wire.start = 0 if start == _FAR else max(1, min(start - self.now, _MAX_CS) + _START_ZERO)
        wire.unit = self.unit
        wire.run_age = min(self.now - self.peers.start >> self.unit, _NO_AGE)
        wire.question_age = _NO_AGE
        if self._flags & _CARRYING:
            self._flags ^= _CARRYING
            if self._times[_ASKED] - self._times[_CARRIED] > self.interval_ms >> 1:
                self._plan_answer(1)  # once more, if nobody is heard to carry it on
            self._times[_CARRIED] = self._times[_ASKED]
            # An eighth of an interval older than it is, or it would go round and round where frames take long: that makes it younger.
            wire.question_age = min(_PER_HOP - (self._times[_ASKED] - self.now >> self.unit), _NO_AGE)
        self.peers.write()
        wire.encode()

    def _draw(self, limit: int) -> int:
        """Return a pseudo-random number from 0 to limit - 1. It is a xorshift of 30 bits with the full period."""
        self._random = mix(self._random)
        return self._random % limit

    # Reading it

    def age_cs(self, peer_id: int, is_direct: bool = True) -> int:
        """Return how long ago a peer was heard in this run, in hundredths of a second; -1: it was not.

        is_direct: True: the time since its own latest frame. False: the time since the peer last said how it is, to us or
        to a node that told us. peer_id: any int; our own id gives -1. Allocates nothing; interrupt handlers may call it.
        """
        index = self.config.index(peer_id)
        peers = self.peers
        if index < 0 or index == peers.own:
            return -1
        at = peers.heard[index] if is_direct else peers.said[index]
        return (self.now - at) // 10 if at >= peers.start else -1

    def restarts(self, peer_id: int) -> int:
        """Return how often a peer was seen to begin another run, up to 255.

        peer_id: any int. Allocates nothing; interrupt handlers may call it.
        """
        index = self.config.index(peer_id)
        return 0 if index < 0 else self.peers.restarts[index]

    def start_in_ms(self) -> int:
        """Return the ms until the common start; 0: it has passed; -1: none is known.

        Allocates nothing; interrupt handlers may call it.
        """
        start = self._times[_START]
        return -1 if start == _FAR else max(0, start - self.now)

    def idle_ms(self) -> int:
        """Return the ms until a poll has something to do, up to 2**30 - 1. A board may sleep so long, or until a frame comes.

        0: something is due now, or waits for the budget of frames. Allocates nothing; interrupt handlers may call it.
        """
        ms = _FAR if self._due == _FAR else max(0, self._due - self.now)
        return ms if self.machine.is_concluded or self._flags & _ALONE and self.deadline_from_contact else min(ms, self.remaining_ms)

    def each_missing(self, callback: "Callable[[int, bool], object]") -> None:
        """Call callback(peer_id, is_known) for each peer that is not known to be ready, in ascending order.

        is_known: in this run the peer was heard, by us or by a node that told us. Our own id is known. A peer that has timed out
        is not ready. A machine that has concluded learns nothing more, so a peer that becomes ready after the verdict is still
        among them. Allocates nothing.
        """
        for i in range(len(self.config.peers)):
            peer_id = self.config.peers[i]
            if not self.machine.collecting.has(peer_id):
                is_known = self.age_cs(peer_id, False) >= 0 or i == self.peers.own
                callback(peer_id, is_known)

    def missing(self) -> "tuple[list[int], list[int]]":
        """Return two lists: the ids of which nobody has heard in this run, and the ids that are there but not ready. Allocates."""
        lists: tuple[list[int], list[int]] = ([], [])
        self.each_missing(lambda peer_id, is_known: lists[is_known].append(peer_id))
        return lists

    def wait(self, pause_ms: int = 10) -> "Coroutine[Any, Any, int]":
        """Return a coroutine that polls until the verdict. ``await`` it: it gives BOOTSTRAPPED or TIMED_OUT.

        pause_ms: the time between two polls. Go on polling after the verdict, as others may still ask. Allocates.
        """
        from .wait import wait  # "async def" is a syntax error on the smallest ports

        return wait(self, pause_ms)


def _count(counters: "array[int]", i: int) -> None:
    if counters[i] < _MAX_MS:  # a greater int would take heap on a 32-bit port
        counters[i] += 1
