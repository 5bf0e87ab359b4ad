"""The ledger of a storm: what each node has said and heard, and so what it may know. It holds every node to protocol.md.

How it works

 1. An account stands between a node and its transport. It reads each frame that the node sends or takes in, by itself.
 2. Of each member an account keeps two times, in ms of its own node: the latest one at which the member can have said that it
    is READY, and the latest one at which it can have said that it is not. A frame of the member itself is of the moment in which it
    is taken in. What it says of others is as old as it was for its sender. Nobody knows how long a frame was on its way, so that
    time counts as none. Nothing else is left out, so these bounds are exact, however long frames take: a statement may look older than its
    bound, as ages are rounded, but never younger.
 3. So a node that counts a member has a way back, frame by frame, to a frame that the member sent itself, READY, after the
    node's present run began, up to the flights of these frames. A frame that a later one overtook, or one of the run before the
    last, does not count, but for seven rising ones in a row. A delayed frame of any other dead run may: nonces have no order.
 4. The node's own ms are compared with the simulated time at each poll.
 5. Under a key the ledger asks for more (rules 14 to 16). A frame of another run than the current one of its sender counts only if it
    quotes a challenge that the node has first sent after it last accepted another run of this sender. Only somebody who hears that
    challenge can quote it. So the frame was sent after that, too, and no run counts again when a later one is known. A quote is a
    digest of what the node has heard. No frame counts out of order. A node that has concluded answers each member that asks and is
    not proven at most once in eight intervals, and all of them together four times, and then once in twelve intervals.
 6. The ledger holds a node to all of it, also where an intruder plays frames back. How long a frame was withheld is as unknown to a node
    as how long it was under way, so that time counts as none, too: rule 17 says so. Without a key nobody can tell a replay from a
    run that goes on; there the shapes of drawing.py have no intruder, as nothing is certain about their end.
"""

from __future__ import annotations

import hmac
import struct
from typing import Any, NoReturn

from faction import BOOTSTRAPPED, COLLECTING, READY_OBSERVED, TIMED_OUT, Config, Faction
from faction.node import ECHO, SENT, STALE, UNPROVEN, Node
from faction.observer import Observer
from faction.wire import _NO_AGE as NO_AGE
from faction.wire import _READY_BIT as READY_BIT
from faction.wire import _START_ZERO as START_ZERO
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import ASKING, BEACON, READY

from ...simulator.board import SimulatedBoard
from ...simulator.distributions import Exponential
from ...simulator.scenario import Scenario
from ...simulator.simulation import SECRET, Simulation
from ...simulator.timeline import US
from .drawing import CALM, DEPARTURE, TOGETHER

VERDICTS_OF_A_FRAME = 11  # the counters of faction.node of which each frame received adds to one
HEAD = struct.Struct(">2xBB8I")
TAG = 8  # bytes, of a frame under a key
NEVER = -(1 << 50)
QUESTION_LIVES = 12  # intervals
SLOWEST = 8  # intervals
START_AFTER = 4  # intervals
AT_ONCE = 4  # answers to members that are not proven, and then
SHARE = 12  # intervals for each
ROW = 7  # rising frames that count again, but under a key
WORD = 0x3FFFFFFF
QUIET_FRAMES = 12  # of each node, once nobody asks, where frames arrive within a fifth of an interval


class Broken(AssertionError):
    """A rule that did not hold, and when."""


def quote_of(peer_id: int, nonce: int, challenge: int) -> tuple[int, ...]:
    """Return what somebody quotes who has heard this challenge of this run."""
    digest = hmac.digest(SECRET, struct.pack(">3I", peer_id, nonce, challenge), "sha256")
    return tuple(word & WORD for word in struct.unpack_from(">2I", digest))


class Sent:
    """A frame that a node has sent: what is in it, when it was sent, and what its sender could know then.

    ``statements``  (position in the roster, READY?, age in ms, unit in ms) of each statement with an age
    ``quote``       what proves that somebody has heard it; under a key only
    ``ages``        for each member, how long ago it can have said last that it is not READY; and that it is
    ``asked_ago``   how long ago the youngest question can have been asked that the sender knew of
    ``way_us``      how long the frames were on their way that brought it the common start, all added up
    """

    __slots__ = (
        *("peer_id", "nonce", "sequence", "is_ready", "is_asking", "start", "run_age_ms", "question_ms", "unit_ms"),
        *("covers", "statements", "challenge", "quotes", "quote", "at_us", "ages", "asked_ago", "way_us"),
    )

    def __init__(self, frame: bytes, has_key: bool) -> None:
        _, flags, _, _, self.peer_id, self.nonce, self.sequence, start, ages, window = HEAD.unpack_from(frame)
        self.is_ready = flags & READY > 0
        self.is_asking = flags & ASKING > 0
        self.start = start - START_ZERO if start else None
        self.unit_ms = 1 << (window & 15)
        self.run_age_ms = (ages >> 15) * self.unit_ms
        self.question_ms = None if ages & NO_AGE == NO_AGE else (ages & NO_AGE) * self.unit_ms
        first, count = window >> 12, window >> 4 & 0xFF
        self.covers = range(first, first + count)
        words = struct.unpack_from(f">{count}H", frame, STATEMENTS)
        self.statements = [
            (index, word >= READY_BIT, (word & NO_AGE) * self.unit_ms) for index, word in enumerate(words, first) if word & NO_AGE != NO_AGE
        ]
        self.challenge = 0
        self.quotes: set[tuple[int, ...]] = set()
        self.quote: tuple[int, ...] = ()
        if has_key:
            proof = frame[STATEMENTS + 2 * count : -TAG]
            words = struct.unpack(f">{len(proof) // 4}I", proof)
            self.challenge = words[0]
            self.quotes = {pair for pair in zip(words[1::2], words[2::2]) if any(pair)}
            self.quote = quote_of(self.peer_id, self.nonce, self.challenge)
        self.at_us = self.asked_ago = self.way_us = 0
        self.ages: tuple[list[int], list[int]] = ([], [])


class Account:
    """What the ledger knows of a node since its power came on. It is the transport of the node."""

    def __init__(self, ledger: Ledger, board: SimulatedBoard, node: Node) -> None:
        self.ledger = ledger
        self.timeline = ledger.simulation.timeline
        self.board = board
        self.node = node
        self.own = board.peer_id
        self.transport = node.transport
        node.transport = self
        count = len(node.config.peers)
        self.heard = [(0, 0, 0)] * count  # of each member's frame that counted last: nonce, sequence, and the nonce of the run before
        self.discarded = [0] * count  # frames of each member since then
        self.frame: bytes | None = None  # in the node's hands
        self.before = node.counters[:VERDICTS_OF_A_FRAME]  # that frame was judged
        self.received = self.sent = 0  # frames, at the last look
        self.now = 0
        self.now_us = self.timeline.now
        self._begin()

    def _begin(self) -> None:
        """Forget all that the node is to forget: a new run of it began after the last look."""
        count = len(self.heard)
        self.nonce = self.node.nonce
        self.began, self.began_us = self.now, self.now_us
        self.zero_us: int | None = None  # the time of the first poll
        self.bounds = ([NEVER] * count, [NEVER] * count)  # when a member can have said at the latest that it is not READY; that it is
        self.known = [NEVER] * count  # when a member said something at the earliest
        self.needed = [self.began] * count  # a readiness counts if it was said then or later
        self.leaving: set[int] = set()  # members whose withdrawal has been heard since the last look
        self.quotable: set[tuple[int, ...]] = set()  # what it may quote
        self.challenges: list[int] = []  # those of this run, in the order in which they were first sent
        self.accepted = [(0, self.began_us)] * count  # when another run of a member was accepted last, and how many challenges there were
        self.is_spent = False  # another run of somebody was accepted since the present challenge was first sent
        self.strangers: list[tuple[int, int]] = []  # when a member that was not proven has asked, and which one
        self.consoled = [(NEVER, NEVER)] * AT_ONCE  # those of them that had an answer
        self.question = self.cause = NEVER  # the youngest question; the last frame that a concluded node answers
        self.told = self.carried = NEVER  # the youngest question by the ages told, and that of them that it carried on last
        self.common: int | None = None  # the common start
        self.last_word: int | None = None  # when a node tells the start once more, at the earliest
        self.way_us = 0  # how long the frames that brought it were on their way
        self.concluded_at: int | None = None
        self.presence_due = self.now  # when a member may have been silent for too long
        self.covered = [0] * count  # the last frame with a statement about each member
        self.sequence = self.jumped = 0  # of the last frame; of the last one before news, with which the next may begin
        self.state = 0
        self.pinging: set[int] = set()
        self.collecting: set[int] = set()
        self.bits = (b"", b"")  # of the machine, of which these two sets are made
        self.is_complete = self.is_new = False
        if self.ledger.has_key:
            self.heard = [(0, 0, 0)] * count

    def fail(self, text: str) -> NoReturn:
        """Raise Broken."""
        raise Broken(f"at {self.timeline.now / US:.3f} ms, node {self.board.index} (id {self.own}): {text}")

    # What comes in

    def receive(self, buffer: bytearray) -> int:
        """Take a frame from the transport, for the node."""
        if self.frame is not None:
            self.settle()
        node = self.node
        if node.nonce != self.nonce:
            self._begin()
        if self.zero_us is None:
            self.zero_us = self.timeline.now
            self.zero = node.now
        length = self.transport.receive(buffer)
        if length >= 0:
            latest = self.board.latest  # most likely the same bytes, and their hash is known already
            self.frame = latest if latest == buffer[:length] else bytes(buffer[:length])
            self.was_concluded = node.machine.is_concluded
            self.before = node.counters[:VERDICTS_OF_A_FRAME]
        return length

    def settle(self) -> None:
        """Enter the frame that the node has judged."""
        if self.frame is None:
            return
        sent = self.ledger.frames.get(self.frame)
        self.frame = None
        counters = self.node.counters
        if counters[BEACON] != self.before[BEACON]:
            if sent is None:
                self.fail("counts a frame that nobody has sent")
            self._check_order(sent)
            self._take(sent)
        elif sent is not None:
            self.discarded[sent.peer_id] += 1
            if counters[STALE] + counters[ECHO] != self.before[STALE] + self.before[ECHO]:
                return
            if sent.is_asking and counters[UNPROVEN] != self.before[UNPROVEN]:
                self.strangers.append((self.node.now, sent.peer_id))
        if sent is not None:
            self.quotable.add(sent.quote)

    def _check_order(self, sent: Sent) -> None:
        """Check that a frame that counts is not of a dead run, nor overtaken, as far as the node can know."""
        peer_id = sent.peer_id
        if peer_id == self.own:
            self.fail("counts a frame of its own id")
        nonce, sequence, before = self.heard[peer_id]
        has_key = self.ledger.has_key
        is_old = sent.sequence <= sequence if sent.nonce == nonce else sent.nonce == before and not has_key
        if is_old and (has_key or self.discarded[peer_id] < ROW - 1):
            self.fail(f"counts a frame of {peer_id} that is of a dead run, or that a later one overtook")
        if has_key and sent.nonce != nonce:
            self._check_proof(sent)
        self.heard[peer_id] = (sent.nonce, sent.sequence, nonce if sent.nonce != nonce else before)
        self.discarded[peer_id] = 0

    def _check_proof(self, sent: Sent) -> None:
        """Check that a frame of another run proves that this run is alive: it answers what we have sent since the last such frame."""
        count, at_us = self.accepted[sent.peer_id]
        if sent.at_us < at_us:
            self.fail(f"counts another run of {sent.peer_id}, with a frame that was sent {at_us - sent.at_us} us before the latest one")
        if not any(quote_of(self.own, self.nonce, each) in sent.quotes for each in self.challenges[count:]):
            self.fail(f"counts another run of {sent.peer_id}, with a frame that quotes nothing new")
        self.accepted[sent.peer_id] = len(self.challenges), self.timeline.now
        self.is_spent = True

    def _take(self, sent: Sent) -> None:
        """Enter what a frame that counts lets the node know."""
        now, sender = self.node.now, sent.peer_id
        self.is_new = True
        self.jumped = self.sequence
        for bounds, ages in zip(self.bounds, sent.ages):
            bounds[:] = [at if at > now - age else now - age for at, age in zip(bounds, ages)]
        self.bounds[sent.is_ready][sender] = self.known[sender] = now
        if not sent.is_ready:
            self.leaving.add(sender)
            if not self.was_concluded:
                self.needed[sender] = now
        for index, is_ready, age_ms in sent.statements:
            if index not in (sender, self.own):
                self._take_statement(index, is_ready, now - age_ms, 2 * sent.unit_ms)
        if sent.is_asking:
            self.question = self.told = self.cause = now
            self.ledger.quiet_frames = 0
        elif sent.question_ms is not None:
            self.question = max(self.question, now - sent.asked_ago)
            if sent.question_ms < QUESTION_LIVES * self.node.interval_ms:
                self.told = max(self.told, now - sent.question_ms)
                self.cause = now
        if sent.start is not None and (self.common is None or now + sent.start < self.common):
            self.common = now + sent.start
            self.way_us = sent.way_us + self.timeline.now - sent.at_us
            self.cause = now

    def _take_statement(self, index: int, is_ready: bool, at: int, rounding_ms: int) -> None:
        """Enter what a frame says of another member. rounding_ms: how much later a withdrawal has to be."""
        if not is_ready:
            if at >= self.known[index] + rounding_ms:
                self.leaving.add(index)
            if at >= self.began and self.node.now - at <= self.node.peers.presence_ms and not self.was_concluded:
                self.needed[index] = max(self.needed[index], at - rounding_ms + 1)
            at -= rounding_ms
        if self.node.now - at <= self.node.peers.presence_ms:
            self.known[index] = max(self.known[index], at)

    # What goes out

    def send(self, buffer: bytearray, length: int) -> None:
        """Enter a frame of the node, and let the transport send it."""
        frame = bytes(buffer[:length])
        sent = Sent(frame, self.ledger.has_key)
        self._note_verdict()
        self._check_claims(sent)
        self._check_statements(sent)
        self._check_silence(sent)
        if self.ledger.has_key:
            self._check_challenge(sent)
        self.sequence = sent.sequence
        now = self.node.now
        if sent.question_ms is not None:
            if self.told > self.carried + self.node.interval_ms // 2:
                self.cause = now  # to say it once more
            self.carried = self.told
        sent.at_us = self.timeline.now
        sent.ages = ([now - at for at in self.bounds[0]], [now - at for at in self.bounds[1]])
        sent.asked_ago = now - self.question
        sent.way_us = self.way_us
        self.ledger.frames[frame] = sent
        self.transport.send(buffer, length)

    def _check_claims(self, sent: Sent) -> None:
        """Check what a frame says of its sender."""
        machine, now = self.node.machine, self.node.now
        if (sent.peer_id, sent.nonce) != (self.own, self.nonce):
            self.fail(f"says that it is {sent.peer_id} in run {sent.nonce}")
        if sent.is_ready != (machine.is_pinging_completed and machine.state != TIMED_OUT):
            self.fail(f"says READY: {sent.is_ready}; complete: {machine.is_pinging_completed}, state {machine.state}")
        if sent.is_asking == machine.is_concluded:
            self.fail(f"asks: {sent.is_asking}; state {machine.state}")
        if sent.start != (None if self.common is None else self.common - now):
            self.fail(f"says that the start is in {sent.start} ms; it is at {self.common}, now is {now}")
        age_ms = now - self.began
        if not sent.run_age_ms <= age_ms < sent.run_age_ms + sent.unit_ms and sent.run_age_ms < NO_AGE * sent.unit_ms:
            self.fail(f"says that its run is {sent.run_age_ms} ms old; it is {age_ms}")
        if not self.quotable >= sent.quotes:
            self.fail("quotes what nobody has sent to it in this run")
        if sent.question_ms is not None and now - sent.question_ms > self.question:
            self.fail(f"carries a question of {sent.question_ms} ms on; the youngest is of {now - self.question}")

    def _check_statements(self, sent: Sent) -> None:
        """Check that a frame says of others what they said themselves, and not that it was later; and that all have their turn."""
        now = self.node.now
        for index, is_ready, age_ms in sent.statements:
            if index == self.own:
                if is_ready != sent.is_ready or age_ms:
                    self.fail(f"says of itself READY: {is_ready}, {age_ms} ms ago")
            elif now - age_ms > self.bounds[is_ready][index]:
                self.fail(f"says that {index} said READY: {is_ready}, {age_ms} ms ago; it was {now - self.bounds[is_ready][index]}")
        for index in sent.covers:
            self.covered[index] = sent.sequence
        rounds = 1 - len(self.covered) // -len(sent.covers)  # one more, as a run may begin in the midst of a round
        if sent.sequence - self.jumped >= rounds and min(self.covered) <= sent.sequence - rounds:
            self.fail(f"says nothing of some, frame after frame: {self.covered}")

    def _check_challenge(self, sent: Sent) -> None:
        """Check that a challenge is another one as soon as somebody has proved a run with it."""
        challenge = sent.challenge
        if not challenge or challenge == self.nonce:
            self.fail(f"its challenge is {challenge}, its nonce {self.nonce}")
        if challenge in self.challenges[: len(self.challenges) - (not self.is_spent)]:
            self.fail(f"its challenge is {challenge} again; since it first was, another run was accepted")
        if challenge not in self.challenges:
            self.challenges.append(challenge)
            self.is_spent = False

    def _check_silence(self, sent: Sent) -> None:
        """Check that a node that has concluded speaks for a reason."""
        self.ledger.quiet_frames = 0 if sent.is_asking else self.ledger.quiet_frames + 1
        if self.concluded_at is None:
            return
        now, ledger = self.node.now, self.ledger
        is_last_word = self.last_word is not None and now <= max(self.last_word, self.concluded_at) + ledger.last_word_ms
        is_due = now <= max(self.concluded_at + ledger.farewell_ms, self.cause + ledger.answer_ms)
        if not is_due and not is_last_word and not self._consoles():
            self.fail(f"speaks {now - self.concluded_at} ms after its verdict, {now - self.cause} ms after the last question")
        # It is carried on twice, the second time as late after the first one as that after the question.
        if sent.question_ms is not None and now - self.told > QUESTION_LIVES * self.node.interval_ms + 2 * ledger.answer_ms:
            self.fail(f"carries on a question that was told to be {now - self.told} ms old")

    def _consoles(self) -> bool:
        """Tell whether a frame may be the answer to a member that asks and is not proven.

        Which one it answers is certain only if no other has asked lately. So an answer counts for this one alone, or for all.
        """
        node, interval_ms = self.node, self.node.interval_ms
        self.strangers = [each for each in self.strangers if node.now - each[0] <= self.ledger.answer_ms]
        members = {peer_id for _, peer_id in self.strangers}
        if not members:
            return False
        member = members.pop() if len(members) == 1 else NEVER
        first, last = self.strangers[0][0], self.strangers[-1][0]
        latest = max([at for at, other in self.consoled if other == member != NEVER], default=NEVER)
        if last - latest < SLOWEST * interval_ms or last - self.consoled[-AT_ONCE][0] < SHARE * interval_ms - self.ledger.answer_ms:
            return False
        self.consoled.append((first, member))
        return True

    def _note_verdict(self) -> None:
        machine, now = self.node.machine, self.node.now
        if self.concluded_at is None and machine.is_concluded:
            self.concluded_at = now
            self.concluded_us = self.timeline.now
            self.ledger.quiet_frames = 0
            if machine.state == BOOTSTRAPPED:
                if self.common is None:
                    self.common = now + self.ledger.start_after_ms
                self.last_word = self.common - 2 * self.node.interval_ms
                self.ledger.check_departed(self)

    # After a poll

    def check(self) -> None:
        """Check all that must hold after a poll."""
        if self.frame is not None:
            self.settle()
        node, machine = self.node, self.node.machine
        if machine.is_concluded and self.concluded_at is None:
            self._note_verdict()
        changed = (machine.state, machine.is_pinging_completed, machine.pinging.count, machine.collecting.count)
        if self.is_new or changed != (self.state, self.is_complete, len(self.pinging), len(self.collecting)):
            self._check_machine()
            self.is_new = False
        elif node.now > self.presence_due and self.concluded_at is None:
            self._check_presence(self.collecting)
        self._check_start()
        if self.board.received != self.received or node.counters[SENT] != self.sent:
            self._check_counters()
        now_us = self.timeline.now
        self._check_clock(now_us)
        self.now, self.now_us = node.now, now_us

    def _check_clock(self, now_us: int) -> None:
        """Check the node's own time. A clock that was not read for half its period has lost count, and begins again."""
        node = self.node
        if now_us - self.now_us > self.board.last_tick * US // 2:
            self.zero, self.zero_us = node.now, now_us
        elapsed_us = now_us - (self.zero_us or 0)
        if abs(node.now - self.zero - elapsed_us * (1 + self.board.drift_ppm / 1e6) / US) > 1:
            self.fail(f"its time is {node.now} ms, {elapsed_us} us after {self.zero}")

    def _check_machine(self) -> None:
        machine = self.node.machine
        state, is_complete = machine.state, machine.is_pinging_completed
        pinging, collecting = self.pinging, self.collecting
        bits = bytes(machine.pinging._bits), bytes(machine.collecting._bits)
        if bits != self.bits:
            pinging, collecting, self.bits = set(machine.pinging), set(machine.collecting), bits
        if state < self.state or is_complete < self.is_complete or (self.state >= BOOTSTRAPPED and state != self.state):
            self.fail(f"state {self.state} became {state}; complete: {self.is_complete} became {is_complete}")
        if state == BOOTSTRAPPED and (not is_complete or len(collecting) < self.board.quorum):
            self.fail(f"bootstrapped with {len(collecting)} of {self.board.quorum} ready, complete: {is_complete}")
        if (state == COLLECTING and not is_complete) or is_complete != (self.own in collecting) or self.own in pinging:
            self.fail(f"state {state}, complete: {is_complete}, and the sets are {pinging} and {collecting}")
        for peer_id in (self.pinging - pinging) | (self.collecting - collecting):
            self._check_withdrawal(peer_id)
        self.leaving.clear()
        for peer_id in collecting - self.collecting if self.state >= BOOTSTRAPPED else collecting:
            self.check_readiness(peer_id)
        for peer_id in pinging - self.pinging:
            if max(self.bounds[0][peer_id], self.bounds[1][peer_id]) < self.began:
                self.fail(f"observes {peer_id}, which has said nothing in this run")
        if self.concluded_at is None:
            self._check_presence(collecting)
        self.state, self.is_complete, self.pinging, self.collecting = state, is_complete, pinging, collecting

    def check_readiness(self, peer_id: int) -> None:
        """Check that a member that counts as ready said so itself, in this run of ours, and has not been heard to take it back."""
        said = self.bounds[1][peer_id]
        if peer_id != self.own and said < self.needed[peer_id]:
            times = f"said at {said}, needed since {self.needed[peer_id]}, our run since {self.began}"
            self.fail(f"counts {peer_id} as ready, which never claimed it in this run, or took it back: {times}")

    def _check_withdrawal(self, peer_id: int) -> None:
        """Check that a member that no longer counts has taken it back, or was not heard of for too long."""
        silent_ms = self.node.now - self.known[peer_id]
        if peer_id not in self.leaving and silent_ms <= self.node.peers.presence_ms:
            self.fail(f"a set shrank: withdraws {peer_id}, of which it heard {silent_ms} ms ago, and not that it is not ready")

    def _check_presence(self, collecting: set[int]) -> None:
        """Check that nobody counts who has not been heard of for too long. It is looked at once a turn, at least."""
        longest_ms = self.node.peers.presence_ms + self.ledger.turn_ms
        oldest = self.node.now - longest_ms
        self.presence_due = min([self.bounds[1][each] for each in collecting if each != self.own], default=self.node.now) + longest_ms
        for peer_id in collecting:
            if self.bounds[1][peer_id] < oldest and peer_id != self.own:
                self.fail(f"counts {peer_id} as ready, of which it has not heard for {self.node.now - self.bounds[1][peer_id]} ms")

    def _check_start(self) -> None:
        """Check that the common start is the earliest that the node can know of, and that it goes then, and not before its verdict."""
        node, common = self.node, self.common
        left_ms = -1 if common is None else max(0, common - node.now)
        if node.start_in_ms() != left_ms:
            self.fail(f"the common start is in {node.start_in_ms()} ms, not in {left_ms}")
        if node.has_started != (left_ms == 0 and node.machine.state == BOOTSTRAPPED):
            self.fail(f"has started: {node.has_started}; state {node.machine.state}, the start is in {left_ms} ms")

    def _check_counters(self) -> None:
        counters, board = self.node.counters, self.board
        self.received, self.sent = board.received, counters[SENT]
        if sum(counters[:VERDICTS_OF_A_FRAME]) != board.received:
            self.fail(f"{board.received} frames received, counted as {list(counters[:VERDICTS_OF_A_FRAME])}")
        if counters[SENT] > board.sent:
            self.fail("more frames counted as sent than there were")


class Witness(Observer):
    """Checks what an observer is told, at once: each readiness, and that a rejection changes nothing."""

    def __init__(self, ledger: Ledger, board: SimulatedBoard) -> None:
        self._ledger = ledger
        self._board = board
        self._snapshot: tuple[Any, ...] = ()

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        account = self._ledger.accounts[self._board.index]
        account.settle()
        if command == READY_OBSERVED:
            account.check_readiness(peer_id)
        self._snapshot = self._look(machine)

    def observe_rejection(self, machine: Faction, command: int, peer_id: int, result: int) -> None:
        if self._snapshot and machine.state != 0 and self._look(machine) != self._snapshot:
            self._ledger.accounts[self._board.index].fail(f"a rejection has changed {self._snapshot} into {self._look(machine)}")

    @staticmethod
    def _look(machine: Faction) -> tuple[Any, ...]:
        return machine.state, machine.pinging.count, machine.collecting.count, machine.is_pinging_completed


class _Watched(Simulation):
    """A simulation whose nodes have an account."""

    def __init__(self, ledger: Ledger, scenario: Scenario, seed: int) -> None:
        self._ledger = ledger
        observe = self._witness if seed % 2 else None  # the machine takes another way where nobody observes it
        Simulation.__init__(self, scenario, seed, observe=observe, check=ledger.check)

    def _make_node(self, board: SimulatedBoard) -> Node:
        node = Simulation._make_node(self, board)
        self._ledger.accounts[board.index] = Account(self._ledger, board, node)
        return node

    def _witness(self, board: SimulatedBoard, config: Config) -> Observer:
        return Witness(self._ledger, board)


class Ledger:
    """The accounts of all nodes of a storm.

    ``frames``        every frame that was sent
    ``quiet_frames``  how many were sent since the last verdict and the last question
    """

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        cluster = scenario.cluster
        interval_ms = cluster.interval_ms
        self.interval_ms = interval_ms
        self.frames: dict[bytes, Sent] = {}
        self.accounts: dict[int, Account] = {}
        self.quiet_frames = 0
        self.has_key = cluster.key
        self.start_after_ms = START_AFTER * interval_ms if cluster.start_after_ms is None else cluster.start_after_ms
        self.turn_ms = SLOWEST * interval_ms + 2 * cluster.poll_ms
        # Within a minute a budget lets a quarter of the frames go at once, and the others one by one.
        budget_ms = 100_000 // cluster.frames_per_minute if cluster.frames_per_minute else 0
        late_ms = cluster.poll_ms + budget_ms + 2
        # One answer an interval, and then at a random time.
        self.answer_ms = interval_ms + (interval_ms if cluster.is_line_shared else interval_ms // 4) + 2 * late_ms
        self.last_word_ms = interval_ms // 4 + late_ms
        self.farewell_ms = (
            20 * interval_ms + 8 * late_ms
        )  # an eighth, and five gaps of half an interval to eight, each up to a quarter longer
        self.simulation = _Watched(self, scenario, seed)

    def run(self) -> Simulation:
        """Run to the end; raise Broken."""
        self.simulation.run()
        boards = self.simulation.boards
        for board in boards:
            if board.node is not None:
                self._check_end(self.accounts[board.index])
        if self.scenario.intruder is None and all(board.node is None or board.is_concluded for board in boards):
            self._check_quiet()
        if self.scenario.title == TOGETHER:
            self._check_together()
        return self.simulation

    def check(self, board: SimulatedBoard) -> None:
        """Check a board after its poll."""
        self.accounts[board.index].check()

    def check_departed(self, account: Account) -> None:
        """Check that nobody is Bootstrapped without a board that has left, where there was time to learn of it."""
        if self.scenario.title == DEPARTURE:
            for board in self.simulation.boards:
                if board.node is None or not board.node.machine.is_pinging_completed:
                    account.fail(f"bootstrapped without {board.index}, which is not ready any more")

    def _check_end(self, account: Account) -> None:
        """Check the verdict of a node: there is one if its deadline runs, and a good one in a storm that calms down."""
        scenario, machine = self.scenario, account.node.machine
        is_early = account.board.booted_at / US < scenario.limit_ms / 2
        if not machine.is_concluded and is_early and not scenario.cluster.deadline_from_contact:
            account.fail("no verdict in the end")
        if machine.state != BOOTSTRAPPED and scenario.title in (CALM, DEPARTURE, TOGETHER):
            account.fail("not bootstrapped in the end, though nothing was out of order for good")

    def _check_quiet(self) -> None:
        """Check that all are silent in the end. Questions live longer where frames are slow: their flights do not make them older."""
        accounts = [self.accounts[board.index] for board in self.simulation.boards if board.node is not None]
        latest_us = max((each.concluded_us for each in accounts), default=0)
        delay, interval_ms = self.scenario.medium.delay_ms, self.interval_ms
        mean_ms = delay.exponential[1] if isinstance(delay, Exponential) else 0
        is_over = mean_ms <= interval_ms and latest_us < self.simulation.limit_us - 60 * interval_ms * US
        if accounts and is_over and len(self.simulation.timeline):
            accounts[0].fail("somebody still has something to do, long after the last verdict")
        is_prompt = not mean_ms and 5 * self.scenario.cluster.poll_ms <= interval_ms
        if accounts and is_prompt and self.quiet_frames > QUIET_FRAMES * len(accounts):
            accounts[0].fail(f"{self.quiet_frames} frames after the last verdict and the last question")

    def _check_together(self) -> None:
        """Check that all who are Bootstrapped before the common start go at the same time."""
        cluster = self.scenario.cluster
        # A node tells the start for the last time up to 1.75 intervals before it. At each hop it waits up to an eighth
        # of an interval, and for two polls.
        hop_ms = self.interval_ms / 8 + 2 * cluster.poll_ms
        if cluster.frames_per_minute or cluster.nodes * hop_ms > 1.5 * self.interval_ms:
            return  # it does not reach all in time
        if cluster.key and cluster.quorum != cluster.nodes:
            return  # nodes that conclude before they have proved their runs to each other do not hear each other
        going = [(each.board.started_at, each) for each in self.accounts.values() if each.node.has_started]
        first_us = min(at for at, _ in going if at is not None)
        drift_us = 2 * int(self.start_after_ms * cluster.drift_ppm / US) if isinstance(cluster.drift_ppm, float) else 0
        for at, account in going:
            late_us = (at or 0) - first_us
            may_us = account.way_us + drift_us + (cluster.poll_ms + (2 + (1 << account.node.unit)) * cluster.nodes) * US
            if account.concluded_us <= first_us and late_us > may_us:
                account.fail(f"goes {late_us} us after the first, but may be late {may_us} us")
