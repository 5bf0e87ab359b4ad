"""What is known of peers, and what counts: rules 1 to 5, and parts of 12 and 13, of the protocol."""

from faction import (
    COLLECTING,
    DEADLINE_EXPIRED,
    LOCAL_PARTICIPATION_COMPLETED,
    PARTICIPATION_OBSERVED,
    READY_OBSERVED,
    Config,
    Faction,
)
from faction.node import ECHO, SAME_ID, STALE, STRANGER
from faction.peers import Peers
from faction.wire import ASKING, BEACON, CORRUPT, OTHER_CLUSTER, OTHER_EXPECTATIONS, OTHER_VERSION, READY, Checksum, Wire
from frames import MAX_LENGTH, NO_AGE, STATEMENTS, UNIT, Speaker, decode, sealed
from helpers import Chance

# What a frame has brought
NEWS = 0x01
LACKS = 0x02
SEEKS = 0x04
CLONED = 0x08
BEGAN = 0x10

ASKS = 0x04  # a mark

ROSTER = (0, 1, 2, 3)
RECENT_MS = 1000
UNIT_MS = 1 << UNIT
NEVER = -0x20000000
FAR = 0x3FFFFFFF


class Member:
    """What a node knows, without the node: it hears frames, and makes them. Its time is peers.now."""

    def __init__(self, peer_id=0, roster=ROSTER, presence_ms=0, max_length=MAX_LENGTH, now=100000, unit=UNIT):
        self.machine = Faction(Config(peer_id, roster, len(roster)))
        self.wire = Wire(self.machine.config, "greenhouse", Checksum(), max_length)
        self.peers = Peers(self.machine, self.wire, presence_ms, RECENT_MS)
        self.unit = unit
        self.sequence = 0
        self.peers.now = now
        self.begin(70 + peer_id)

    def begin(self, nonce):
        self.machine.reset()
        self.peers.begin(nonce, 1)

    def complete(self):
        self.machine.process(LOCAL_PARTICIPATION_COMPLETED)
        self.peers.marks[self.peers.own] = READY

    def wait(self, ms):
        self.peers.now += ms

    def judge(self, frame):
        """Return the verdict on a frame, which is taken in if it counts."""
        verdict = decode(self.wire, frame)
        if verdict == BEACON:
            verdict = self.peers.judge(len(frame))
        if verdict == BEACON:
            self.peers.take()
            if self.peers.found & NEWS:
                self.peers.observe()
        return verdict

    def hear(self, frame):
        """Take in a frame that counts; return what it has brought."""
        assert self.judge(frame) == BEACON
        return self.peers.found

    def frame(self):
        """Return a frame with all that is known."""
        wire = self.wire
        self.sequence += 1
        wire.flags = self.peers.marks[self.peers.own] & READY
        wire.nonce, wire.sequence, wire.unit = self.peers.nonce, self.sequence, self.unit
        wire.run_age = min(self.peers.now - self.peers.start >> self.unit, NO_AGE)
        wire.question_age = NO_AGE
        self.peers.write()
        wire.encode()
        return bytearray(wire.outbox)

    def says(self, peer_id):
        """Return (READY or not, ms of age) of what is known of a peer; None: nothing."""
        index = self.machine.config.index(peer_id)
        said = self.peers.said[index]
        return None if said == NEVER else (bool(self.peers.marks[index] & READY), self.peers.now - said)

    def counts(self, peer_id):
        return self.machine.collecting.has(peer_id)

    def known(self):
        peers = self.peers
        marks = [mark & (READY | ASKS) for mark in peers.marks]  # the others count frames in doubt
        return marks, tuple(peers.said), tuple(peers.heard), tuple(self.machine.pinging), tuple(self.machine.collecting)


def speaker(peer_id=1, **others):
    return Speaker(peer_id, ROSTER, **others)


# Rule 1: one statement about each member, the one with the latest origin


def test_at_first_nothing_is_known():
    member = Member()
    assert [member.says(peer_id) for peer_id in ROSTER[1:]] == [None] * 3
    assert list(member.peers.heard) == [NEVER] * 4


def test_a_frame_is_a_statement_about_its_sender_that_is_new():
    member = Member()
    assert member.hear(speaker().frame(ASKING | READY)) & NEWS
    assert member.says(1) == (True, 0) and member.peers.heard[1] == member.peers.now
    member.wait(500)
    assert member.says(1) == (True, 500)


def test_what_a_sender_says_of_itself_stands_in_the_flags():
    """Its own statement in the window is not read: a frame may have no room for it."""
    for first, statements in ((0, {1: (50, True)}), (2, {})):
        member = Member()
        sender = Speaker(1, ROSTER)
        frame = sender.frame(ASKING, statements) if first == 0 else windowed(sender, first, statements)
        member.hear(frame)
        assert member.says(1) == (False, 0) and not member.counts(1)


def windowed(sender, first, statements, flags=ASKING):
    """Return a frame of the two statements from position first on."""
    sender.wire = Wire(sender.config, "greenhouse", Checksum(), STATEMENTS + 4 + 4)
    return sender.frame(flags, statements, first=first)


def test_the_statement_with_the_latest_origin_wins():
    member = Member()
    one, three = speaker(1), speaker(3)
    assert member.hear(one.frame(statements={2: (50, False)})) & NEWS
    assert member.says(2) == (False, 50 * UNIT_MS)
    assert member.hear(three.frame(statements={2: (60, True)})) & NEWS  # three itself
    assert member.says(2) == (False, 50 * UNIT_MS)  # older: nothing
    assert member.hear(one.frame(statements={2: (50, True)})) == 0  # no later
    assert member.says(2) == (False, 50 * UNIT_MS)
    assert member.hear(three.frame(statements={2: (49, True)})) == NEWS
    assert member.says(2) == (True, 49 * UNIT_MS)
    assert member.hear(one.frame(statements={2: (20, True)})) == 0  # younger, and says the same
    assert member.says(2) == (True, 20 * UNIT_MS)
    assert member.peers.heard[2] == NEVER  # heard of, not heard


def test_what_is_not_known_is_no_statement():
    member = Member()
    member.hear(speaker().frame(statements={2: (NO_AGE, True)}))
    assert member.says(2) is None and not member.counts(2)
    member.hear(speaker(2).frame(ASKING | READY))
    member.hear(speaker(nonce=6).frame(statements={2: (NO_AGE, False)}))
    assert member.says(2) == (True, 0) and member.counts(2)


def test_a_readiness_too_old_to_be_told_does_not_get_younger():
    members = [Member(0), Member(1)]
    for member in members:
        member.hear(speaker(2).frame(READY))
    for _ in range(10):
        for member in members:
            member.wait((NO_AGE >> 2) * UNIT_MS)
        members[0].hear(members[1].frame())
        members[1].hear(members[0].frame())
    for member in members:
        assert member.says(2) == (True, 10 * (NO_AGE >> 2) * UNIT_MS)


def test_a_member_s_own_word_replaces_all_that_was_said_of_it():
    member = Member()
    member.hear(speaker(1).frame(statements={2: (0, True)}))
    assert member.counts(2)
    member.hear(speaker(2).frame(ASKING))  # at the same time: its own word counts more
    assert member.says(2) == (False, 0) and not member.counts(2)


def test_a_restart_forgets_statements_and_what_is_owed():
    member = Member()
    member.hear(speaker(1).frame(ASKING | READY, {2: (1, True), 3: (2, False)}))
    member.peers.marks[1] |= ASKS
    assert member.peers.is_any(ASKING)
    member.begin(99)
    assert [member.says(peer_id) for peer_id in ROSTER[1:]] == [None] * 3
    assert list(member.peers.heard) == [NEVER] * 4 and not member.peers.is_any(ASKING) and not member.peers.is_any(READY)
    for peer_id in ROSTER[1:]:
        assert told_by(member)[peer_id] == (NO_AGE, False)
    assert member.machine.pinging.count == member.machine.collecting.count == 0


def test_a_restart_forgets_its_own_readiness():
    member = Member()
    member.complete()
    member.begin(99)
    assert told_by(member)[0] == (0, False)


# Rule 2: what is relayed never gets younger


def told_by(member):
    """Return {peer id: (age in units, READY or not)} of the statements in its next frame."""
    frame = member.frame()
    told = {}
    for i in range(member.wire.room):
        at = STATEMENTS + 2 * i
        peer_id = member.machine.config.peers[member.wire.first + i]
        told[peer_id] = ((frame[at] & 0x7F) << 8 | frame[at + 1], bool(frame[at] & 0x80))
    return told


def test_ages_are_rounded_up():
    for ms, age in ((0, 0), (1, 1), (7, 1), (8, 1), (9, 2), (800, 100), (801, 101)):
        member = Member()
        member.hear(speaker().frame(ASKING | READY))
        member.wait(ms)
        assert told_by(member)[1] == (age, True), ms


def test_an_age_that_does_not_fit_is_none():
    for ms, told in ((0x7FFE * UNIT_MS, (0x7FFE, True)), (0x7FFE * UNIT_MS + 1, (NO_AGE, True)), (0x10000000, (NO_AGE, True))):
        member = Member()
        member.hear(speaker().frame(ASKING | READY))
        member.wait(ms)
        assert told_by(member)[1] == told, ms


def test_of_itself_a_member_says_how_it_is_now():
    member = Member()
    member.wait(5000)
    assert told_by(member)[0] == (0, False)
    member.complete()
    member.wait(5000)
    assert told_by(member)[0] == (0, True)


def test_what_is_relayed_never_gets_younger_nor_older_than_a_unit_a_hop():
    chance = Chance(11)
    for _ in range(60):
        line = [Member(i, range(6), now=chance.below(60000) * 40, unit=chance.below(8)) for i in range(6)]
        for each in line:
            each.begin(70 + each.peers.own)
        line[0].complete()
        line[1].hear(line[0].frame())
        passed = allowed = 0
        for sender, receiver in zip(line[1:], line[2:]):
            ms = chance.below(5000)
            for each in line:
                each.wait(ms)
            passed += ms
            allowed += 1 << sender.unit
            receiver.hear(sender.frame())
            is_ready, age = receiver.says(0)
            assert is_ready and passed <= age < passed + allowed, (passed, age, allowed)


def test_statements_that_run_in_a_circle_grow_old():
    members = [Member(i) for i in range(4)]
    members[0].complete()
    members[1].hear(members[0].frame())
    for turn in range(1, 60):
        sender, receiver = members[1 + turn % 3], members[1 + (turn + 1) % 3]
        for each in members:
            each.wait(10)
        if sender.says(0):
            receiver.hear(sender.frame())
    for each in members[1:]:
        if each.says(0):
            assert each.says(0)[1] >= 10 * 59


def test_frames_say_how_old_the_run_is():
    member = Member()
    member.wait(15)
    member.frame()
    assert member.wire.run_age == 1  # rounded down
    member.wait(0x10000000)
    member.frame()
    assert member.wire.run_age == NO_AGE


def test_windows_take_turns_through_the_roster():
    for count, room, firsts in (
        (4, 4, [0, 0, 0]),
        (7, 3, [0, 3, 4, 0, 3, 4]),
        (6, 3, [0, 3, 0, 3]),
        (4, 3, [0, 1, 0, 1]),
        (4, 1, [0, 1, 2, 3, 0]),
    ):
        member = Member(0, range(count), max_length=STATEMENTS + 2 * room + 4)
        for first in firsts:
            member.frame()
            assert (member.wire.first, member.wire.room) == (first, room), (count, firsts)


def short(room, count=9):
    """Return a member whose frames hold so few statements, and the speakers of the others, whose frames hold all."""
    return Member(0, range(count), max_length=STATEMENTS + 2 * room + 4), [Speaker(i, range(count)) for i in range(count)]


def test_the_next_frame_begins_with_the_first_news():
    for sender, statements, first in (
        (5, {}, 5),  # the sender itself is news
        (5, {7: (1, True), 6: (1, False)}, 6),
        (5, {2: (1, False), 7: (1, True)}, 2),
        (8, {}, 7),
    ):
        member, speakers = short(2)
        member.hear(speakers[sender].frame(ASKING, statements))
        firsts = []
        for _ in range(6):
            member.frame()
            firsts.append(member.wire.first)
        assert firsts[:2] == [first, min(first + 2, 7) if first < 7 else 0], firsts
        assert set(range(9)) == {each + i for each in firsts for i in range(2)}  # and on through the roster


def test_the_next_frame_begins_with_what_an_asker_lacks():
    member, speakers = short(2)
    member.hear(speakers[6].frame(ASKING | READY))
    member.hear(speakers[4].frame(ASKING | READY, {6: (0, True)}))
    for _ in range(7):
        member.frame()
    member.hear(speakers[1].frame(ASKING))
    for lacks, known in ((4, {}), (6, {4: (0, True)})):
        member.hear(speakers[1].frame(ASKING, known))
        member.frame()
        assert member.wire.first == lacks


def test_what_teaches_and_lacks_nothing_leaves_the_turns_alone():
    member, speakers = short(2)
    for i in range(1, 9):
        member.hear(speakers[i].frame(ASKING))
    firsts = []
    for i in range(11):
        member.hear(speakers[1 + i % 8].frame(ASKING))
        member.frame()
        firsts.append(member.wire.first)
    assert firsts == [7, 0, 2, 4, 6, 7, 0, 2, 4, 6, 7], firsts


def test_two_hundred_members_are_told_of_in_three_frames_from_anywhere_on():
    member = Member(0, range(200))
    for peer_id in range(1, 200):
        member.hear(Speaker(peer_id, range(200), nonce=1 + peer_id).frame(ASKING | READY, first=peer_id % 96))
    told = told_by(member)
    for _ in range(2):
        told.update(told_by(member))
    assert told == {peer_id: (0, peer_id > 0) for peer_id in range(200)}


# Rule 3: the count


def test_a_member_is_counted_from_its_own_frame_and_from_what_is_said_of_it():
    for frame in (speaker(2).frame(ASKING | READY), speaker(1).frame(ASKING, {2: (10, True)})):
        member = Member()
        member.wait(1000)
        member.hear(frame)
        assert member.machine.pinging.has(2) and member.counts(2)
    for frame in (speaker(2).frame(ASKING), speaker(1).frame(ASKING, {2: (10, False)})):
        member = Member()
        member.wait(1000)
        member.hear(frame)
        assert member.machine.pinging.has(2) and not member.counts(2)


def test_only_an_origin_that_is_not_before_our_run_counts():
    for age, counts in ((124, True), (125, True), (126, False), (5000, False)):  # 125 units are 1000 ms
        member = Member()
        member.wait(1000)
        member.hear(speaker().frame(ASKING, {2: (age, True)}))
        assert member.counts(2) == member.machine.pinging.has(2) == counts, age
        assert member.says(2) == (True, age * UNIT_MS)  # known, all the same
        assert member.peers.is_any(READY) == (not counts)


def test_what_is_too_old_to_count_does_as_soon_as_it_is_renewed():
    member = Member()
    member.wait(1000)
    member.hear(speaker().frame(ASKING, {2: (126, True)}))
    assert member.hear(speaker(nonce=6).frame(ASKING, {2: (125, True)})) & NEWS
    assert member.counts(2) and not member.peers.is_any(READY)


def test_our_run_begins_at_a_restart():
    member = Member()
    member.wait(1000)
    member.begin(99)
    member.wait(80)
    member.hear(speaker().frame(ASKING, {2: (11, True), 3: (10, True)}))
    assert not member.counts(2) and member.counts(3)


def test_nothing_is_believed_about_ourselves():
    member = Member()
    member.wait(100)
    for is_ready in (True, False):
        for age in (0, 1, 5000):
            member.hear(speaker(nonce=6 + age).frame(ASKING, {0: (age, is_ready)}))
            assert not member.counts(0) and not member.machine.pinging.has(0)
            assert told_by(member)[0] == (0, False)
    member.complete()
    member.wait(2000)
    member.hear(speaker().frame(ASKING, {0: (0, False)}))
    assert member.counts(0) and told_by(member)[0] == (0, True)


# Rule 4: the withdrawal


def counting(statement=None, **others):
    """Return a member that counts member 2: from its own frame, or from a statement of that age."""
    member = Member(**others)
    member.wait(10000)
    if statement is None:
        member.hear(speaker(2).frame(ASKING | READY))
    else:
        member.hear(speaker(3).frame(ASKING, {2: (statement, True)}))
    assert member.counts(2)
    return member


def test_a_member_that_says_from_a_later_run_that_it_is_not_ready_is_withdrawn():
    for is_local in (False, True):
        member = counting()
        if is_local:
            member.complete()
        assert member.hear(speaker(2, nonce=6).frame(ASKING)) & (NEWS | BEGAN) == NEWS | BEGAN
        assert not member.counts(2) and member.peers.restarts[2] == 1
        member.hear(speaker(2, nonce=6).frame(ASKING | READY, sequence=2))
        assert member.counts(2)  # a later READY counts again


def test_a_member_that_takes_it_back_in_the_same_run_is_withdrawn():
    member = Member()
    sender = speaker(2)
    member.hear(sender.frame(ASKING | READY))
    assert member.hear(sender.frame(0)) & NEWS  # it has timed out
    assert not member.counts(2)


def test_a_statement_two_units_later_withdraws_and_one_that_is_earlier_does_not():
    for age, counts in ((100, True), (99, True), (98, False), (97, False), (0, False), (101, True), (5000, True)):
        member = counting(statement=100)
        brought = member.hear(speaker(1).frame(ASKING, {2: (age, False)}))
        assert member.counts(2) == counts, age
        assert member.says(2) == ((True, 800) if counts else (False, 8 * age))
        assert brought & NEWS
        assert bool(member.peers.marks[2] & READY) == counts


def test_the_units_are_those_of_the_statement():
    """A coarser one may have been rounded by more."""
    for unit, age, counts in ((5, 31, True), (5, 30, True), (5, 29, False), (0, 999, True), (0, 998, False)):
        member = counting()
        member.wait(1000)
        teller = Member(1, unit=unit)
        frame = teller.frame()
        at = STATEMENTS + 4
        frame[at], frame[at + 1] = age >> 8, age & 0xFF
        member.hear(sealed(frame))
        assert member.counts(2) == counts, (unit, age)


def test_a_statement_that_it_is_ready_counts_again():
    member = counting(statement=100)
    member.hear(speaker(1).frame(ASKING, {2: (90, False)}))
    assert not member.counts(2)
    member.hear(speaker(3, nonce=6).frame(ASKING, {2: (90, True)}))
    assert not member.counts(2)  # no later
    member.hear(speaker(1, nonce=6).frame(ASKING, {2: (89, True)}))
    assert member.counts(2)


def test_what_a_frame_takes_back_makes_no_quorum_with_what_else_it_says():
    """The last readiness that the quorum lacks comes in the frame that takes that of 2 back."""
    for known, sender, statements in ((3, 1, {2: (0, False)}), (None, 3, {1: (0, True), 2: (0, False)}), (3, 2, {1: (0, True)})):
        member = counting()
        if known:
            member.hear(speaker(known).frame(ASKING | READY))
        member.complete()
        member.wait(100)
        flags = ASKING if sender == 2 else ASKING | READY
        member.hear(speaker(sender, nonce=8).frame(flags, statements))
        assert member.machine.state == COLLECTING and not member.counts(2), sender
        assert member.counts(1) and member.counts(3), sender


class Faulty:
    """An observer that raises at each command that had an effect. It keeps what it was told: (command, peer id)."""

    def __init__(self):
        self.told = []

    def observe(self, machine, command, peer_id, previous_state, result):
        self.told.append((command, peer_id))
        raise RuntimeError

    def observe_rejection(self, machine, command, peer_id, result):
        raise AssertionError("peers caused a rejection")


def interrupted(call):
    """Tell whether the observer raised in a call."""
    try:
        call()
    except RuntimeError:
        return True
    return False


def test_what_an_observer_interrupts_goes_on_with_the_next_call():
    member = Member()
    observer = member.machine.observer = Faulty()
    member.machine.reset()
    assert interrupted(lambda: member.hear(speaker(1).frame(ASKING | READY, {2: (0, True), 3: (0, False)})))
    while interrupted(member.peers.observe):
        pass
    told = [(PARTICIPATION_OBSERVED, 1), (READY_OBSERVED, 1), (PARTICIPATION_OBSERVED, 2), (READY_OBSERVED, 2), (PARTICIPATION_OBSERVED, 3)]
    assert observer.told == told
    assert not interrupted(member.peers.observe) and observer.told == told


def test_what_an_observer_interrupts_is_not_lost_with_the_next_frames():
    member = Member()
    for peer_id in (1, 2, 3):
        member.hear(speaker(peer_id).frame(ASKING | READY))
    member.machine.observer = Faulty()
    frames = [speaker(1, nonce=8).frame(ASKING, {2: (0, False), 3: (0, False)})]
    frames += [speaker(peer_id, nonce=8).frame(ASKING) for peer_id in (3, 2)]
    member.wait(100)
    assert [interrupted(lambda frame=frame: member.judge(frame)) for frame in frames] == [True] * 3
    while interrupted(member.peers.observe):
        pass
    assert member.machine.collecting.count == 0 and member.machine.pinging.count == 3


def test_a_restart_forgets_what_the_machine_was_not_told():
    member = Member()
    member.machine.observer = Faulty()
    member.machine.reset()
    assert interrupted(lambda: member.hear(speaker(1).frame(ASKING | READY, {2: (0, True)})))
    member.begin(99)
    assert not interrupted(member.peers.observe) and member.machine.pinging.count == member.machine.collecting.count == 0


def test_a_verdict_in_between_ends_what_the_machine_is_told():
    member = Member()
    observer = member.machine.observer = Faulty()
    member.machine.reset()
    assert interrupted(lambda: member.hear(speaker(1).frame(ASKING | READY, {2: (0, True)})))
    assert interrupted(lambda: member.machine.process(DEADLINE_EXPIRED))
    assert not interrupted(member.peers.observe) and len(observer.told) == 2


def test_after_our_own_completion_a_participation_is_not_observed():
    member = Member()
    observer = member.machine.observer = Faulty()
    member.machine.reset()
    assert interrupted(lambda: member.hear(speaker(1).frame(ASKING)))
    assert interrupted(member.complete) and member.machine.state == COLLECTING
    observer.told.clear()
    assert not interrupted(lambda: member.hear(speaker(2).frame(ASKING)))
    member.wait(100)
    assert interrupted(lambda: member.hear(speaker(3).frame(ASKING | READY, {2: (0, True)})))
    while interrupted(member.peers.observe):
        pass
    assert observer.told == [(READY_OBSERVED, 2), (READY_OBSERVED, 3)]


def test_a_statement_from_before_our_run_withdraws_nothing_that_counts():
    member = counting(statement=1250)
    member.hear(speaker(1).frame(ASKING, {2: (1251, False)}))
    assert member.counts(2)


def test_silence_withdraws_after_presence_ms_exactly():
    for statement in (None, 0):
        member = counting(statement=statement, presence_ms=3000)
        member.wait(3000)
        assert member.peers.expire() == member.peers.now + 1
        assert member.counts(2)
        member.wait(1)
        member.peers.expire()
        assert not member.counts(2) and not member.machine.pinging.has(2) and member.says(2) is None
        assert told_by(member)[2] == (NO_AGE, False)
        member.hear(speaker(2, nonce=6).frame(ASKING | READY))
        assert member.counts(2)


def test_what_is_said_of_a_member_keeps_it_present():
    member = counting(presence_ms=3000)
    teller = speaker(1)
    for _ in range(5):
        member.wait(2900)
        member.hear(teller.frame(ASKING, {2: (1, True)}))
        member.peers.expire()
        assert member.counts(2)


def test_a_statement_older_than_presence_ms_does_not_count():
    for age, counts in ((375, True), (376, False)):  # 375 units are 3000 ms
        member = Member(presence_ms=3000)
        member.wait(10000)
        member.hear(speaker(1).frame(ASKING, {2: (age, True)}))
        assert member.counts(2) == counts, age


def test_without_presence_ms_silence_withdraws_nobody():
    member = counting(presence_ms=0)
    member.wait(0x0FFFFFFF)
    assert member.peers.expire() == FAR and member.counts(2)


def test_the_next_time_to_look_is_that_of_the_oldest():
    member = Member(presence_ms=3000)
    member.hear(speaker(1).frame(ASKING))
    member.wait(700)
    member.hear(speaker(2).frame(ASKING))
    assert member.peers.expire() == member.peers.now + 3000 - 700 + 1
    member.wait(2301)
    assert member.peers.expire() == member.peers.now + 3000 - 2301 + 1  # 1 is forgotten
    assert member.says(1) is None and member.says(2) is not None


def test_a_verdict_is_final():
    member = counting()
    for peer_id in (1, 3):
        member.hear(speaker(peer_id, nonce=8).frame(ASKING | READY))
    member.complete()
    assert member.machine.is_concluded
    member.hear(speaker(2, nonce=6).frame(ASKING))
    assert member.counts(2) and told_by(member)[2] == (0, False)  # the machine keeps it; what is said is true


# Rule 5: only frames that count carry statements


def test_a_frame_that_does_not_count_carries_nothing():
    good = speaker(1)
    member = Member()
    member.wait(1000)
    member.hear(good.frame(ASKING, {2: (5, False)}, sequence=10))
    claims = {0: (1, True), 2: (0, True), 3: (0, True)}
    damaged = good.frame(ASKING | READY, claims, sequence=12)
    damaged[STATEMENTS + 2] ^= 1
    beyond = good.frame(ASKING | READY, claims, sequence=12)
    beyond[34] += 1 << 4
    other_version = good.frame(ASKING | READY, claims, sequence=12)
    other_version[2] = 3
    stranger = good.frame(ASKING | READY, claims, sequence=12)
    stranger[15] = 77
    before = member.known()
    for frame, verdict in (
        (good.frame(ASKING | READY, claims, sequence=10), STALE),
        (good.frame(ASKING | READY, claims, sequence=9), STALE),
        (damaged, CORRUPT),
        (sealed(beyond), CORRUPT),
        (sealed(other_version), OTHER_VERSION),
        (sealed(stranger), STRANGER),
        (Speaker(1, ROSTER, cluster="workshop").frame(ASKING | READY, claims), OTHER_CLUSTER),
        (Speaker(1, ROSTER, 2).frame(ASKING | READY, claims), OTHER_EXPECTATIONS),
        (Speaker(1, (0, 1, 2, 3, 4)).frame(ASKING | READY, claims), OTHER_EXPECTATIONS),
        (speaker(0, nonce=70).frame(ASKING | READY, claims), ECHO),
        (speaker(0, nonce=71).frame(ASKING | READY, claims), SAME_ID),
    ):
        assert member.judge(frame) == verdict
        assert member.known() == before, verdict


def test_a_frame_of_the_run_before_carries_nothing():
    member = Member()
    for nonce in (5, 6):
        member.hear(speaker(1, nonce=nonce).frame())
    before = member.known()
    assert member.judge(speaker(1, nonce=5).frame(ASKING | READY, {2: (0, True)}, sequence=2)) == STALE
    assert member.known() == before


# What a frame has brought: what its sender lacks


def test_a_sender_lacks_a_readiness_that_it_does_not_know_and_could_count():
    for run_age, lacks in ((126, True), (125, True), (124, False), (0, False)):  # of 8 ms
        member = Member()
        member.hear(speaker(2).frame(ASKING | READY))
        member.wait(1000)
        assert bool(member.hear(speaker(1).frame(ASKING, run_age=run_age)) & LACKS) == lacks, run_age


def test_a_sender_that_knows_lacks_nothing():
    for age, lacks in ((0, False), (100, False), (101, True)):
        member = Member()
        member.hear(speaker(2).frame(ASKING | READY))
        member.wait(10)
        brought = member.hear(speaker(1).frame(ASKING, {2: (age, True)}, run_age=100))
        assert bool(brought & LACKS) == lacks, age


def test_a_sender_whose_run_is_as_old_as_can_be_said_could_count_all_that_can_be_said():
    for age, brings in ((NO_AGE - 1, LACKS), (NO_AGE + 1, SEEKS)):
        for ready in (False, True):  # the sender may know of a readiness from before its run
            member = Member()
            member.hear(speaker(2).frame(ASKING | READY))
            member.wait(age * UNIT_MS)
            member.hear(speaker(3).frame(ASKING))
            statements = {0: (0, True), 2: (NO_AGE, ready), 3: (0, False)}
            assert member.hear(speaker(1).frame(ASKING, statements, run_age=NO_AGE)) & (LACKS | SEEKS) == brings, age


def test_a_sender_lacks_our_own_readiness():
    member = Member()
    assert not member.hear(speaker(1).frame(ASKING, run_age=0)) & LACKS
    member.complete()
    assert member.hear(speaker(2).frame(ASKING, run_age=0)) & LACKS
    assert not member.hear(speaker(3).frame(ASKING, {0: (0, True)}, run_age=0)) & LACKS


def test_a_sender_is_not_helped_with_what_silence_has_withdrawn():
    member = Member(presence_ms=500)
    member.hear(speaker(2).frame(ASKING | READY))
    member.wait(501)
    assert not member.hear(speaker(1).frame(ASKING)) & LACKS


def test_a_sender_seeks_a_member_of_whom_we_know_nothing_recent():
    for ms, seeks in ((0, False), (RECENT_MS, False), (RECENT_MS + 1, True)):
        member = Member()
        member.hear(speaker(2).frame(ASKING, {3: (0, False)}))
        member.wait(ms)
        assert bool(member.hear(speaker(1).frame(ASKING, {2: (500, False), 3: (500, False)})) & SEEKS) == seeks, ms
    assert Member().hear(speaker(1).frame(ASKING)) & SEEKS
    assert not Member().hear(speaker(1).frame(ASKING, {2: (5, True), 3: (9, True)}, run_age=50)) & SEEKS


# Rule 12, of cloned ids: somebody says that we are ready


def test_a_clone_beyond_earshot_is_noticed_two_intervals_into_our_run():
    for ms, age, is_cloned in (
        (RECENT_MS, 0, True),
        (RECENT_MS - 1, 0, False),
        (RECENT_MS + 8, 1, True),
        (RECENT_MS + 7, 1, False),
        (RECENT_MS + 4000, 500, True),
        (RECENT_MS + 4000, 501, False),
    ):
        member = Member()
        member.wait(ms)
        assert bool(member.hear(speaker().frame(ASKING, {0: (age, True)})) & CLONED) == is_cloned, (ms, age)
        assert not member.counts(0)


def test_no_clone_is_seen_in_what_is_true_or_harmless():
    member = Member()
    member.wait(5000)
    assert not member.hear(speaker(1).frame(ASKING, {0: (0, False)})) & CLONED
    assert not member.hear(speaker(2).frame(ASKING, {0: (NO_AGE, True)})) & CLONED
    member.complete()
    assert not member.hear(speaker(3).frame(ASKING, {0: (0, True)})) & CLONED


def test_what_our_earlier_run_said_is_no_clone():
    member = Member()
    member.complete()
    other = Member(1)
    other.hear(member.frame())
    member.begin(99)
    for _ in range(20):
        member.wait(500)
        other.wait(500)
        assert not member.hear(other.frame()) & CLONED


# Rule 13: no shutting out


def test_an_earlier_sequence_does_not_count():
    member = Member()
    sender = speaker()
    member.hear(sender.frame(sequence=5))
    for sequence in (5, 4, 1, 5):
        assert member.judge(sender.frame(sequence=sequence)) == STALE
    assert member.judge(sender.frame(sequence=6)) == BEACON


def test_seven_frames_that_rise_are_believed_again_after_undetected_damage():
    member = Member()
    sender = speaker()
    member.hear(sender.frame(sequence=10))
    member.hear(sender.frame(sequence=0x3FFFFFFF))  # by damage that no check saw
    assert [member.judge(sender.frame(sequence=sequence)) for sequence in range(11, 17)] == [STALE] * 6
    assert member.judge(sender.frame(ASKING | READY, sequence=17)) == BEACON
    assert member.counts(1) and member.peers.restarts[1] == 0
    assert member.judge(sender.frame(sequence=17)) == STALE and member.judge(sender.frame(sequence=18)) == BEACON


def test_they_must_rise_in_a_row():
    for between, first in (
        (lambda sender: sender.frame(sequence=10), 21),  # an older one: the count begins with it
        (lambda sender: sender.frame(sequence=15), 17),  # a copy of the last one, as of a doubled frame: no step of the count
    ):
        member = Member()
        sender = speaker()
        member.hear(sender.frame(sequence=1000))
        for sequence in range(11, 16):
            assert member.judge(sender.frame(sequence=sequence)) == STALE
        for _ in range(7):
            assert member.judge(between(sender)) == STALE
        for sequence in range(16, first + 1):
            verdict = member.judge(sender.frame(sequence=sequence))
            assert (verdict == STALE) == (sequence < first), sequence


def test_a_good_frame_between_them_ends_the_count():
    member = Member()
    sender = speaker()
    member.hear(sender.frame(sequence=1000))
    for sequence in range(11, 17):
        assert member.judge(sender.frame(sequence=sequence)) == STALE
    member.hear(sender.frame(sequence=1001))
    for sequence in range(17, 23):
        assert member.judge(sender.frame(sequence=sequence)) == STALE
    assert member.judge(sender.frame(sequence=23)) == BEACON


def test_replays_of_a_few_frames_are_not_believed():
    member = Member()
    sender = speaker()
    recorded = [sender.frame(ASKING | READY, sequence=sequence) for sequence in range(1, 7)]
    member.hear(sender.frame(sequence=100))
    for _ in range(30):
        for frame in recorded:
            assert member.judge(frame) == STALE
    assert not member.counts(1)


def test_a_run_that_a_late_frame_displaced_returns_with_its_seventh_frame():
    member = Member()
    for nonce in (5, 6, 4):  # 4 is dead: we never heard of it before
        member.hear(speaker(nonce=nonce).frame(sequence=7))
    living = speaker(nonce=6)
    assert [member.judge(living.frame(sequence=8 + i)) for i in range(7)] == [STALE] * 6 + [BEACON]


def test_frames_of_a_dead_run_do_not_help_those_in_doubt_of_the_current_one():
    member = Member()
    for nonce in (5, 6):
        member.hear(speaker(nonce=nonce).frame(sequence=100))
    dead, living = speaker(nonce=5), speaker(nonce=6)
    for i in range(20):
        assert member.judge(dead.frame(sequence=101 + i)) == STALE
        assert member.judge(living.frame(sequence=1 + i)) == STALE


def test_restarts_are_counted_up_to_a_limit():
    member = Member()
    for nonce in range(1, 300):
        assert bool(member.hear(speaker(nonce=nonce).frame(sequence=1)) & BEGAN) == (nonce > 1)
    assert member.peers.restarts[1] == 255


def test_runs_are_remembered_over_our_own_restart():
    member = Member()
    member.hear(speaker(nonce=5).frame(sequence=9))
    member.hear(speaker(nonce=6).frame(sequence=9))
    member.begin(99)
    assert member.judge(speaker(nonce=5).frame(sequence=10)) == STALE
    assert member.judge(speaker(nonce=6).frame(sequence=9)) == STALE
    assert member.judge(speaker(nonce=6).frame(sequence=10)) == BEACON and member.peers.found & NEWS and not member.peers.found & BEGAN


def test_our_own_run_before_is_no_clone_and_another_one_is():
    member = Member()
    member.begin(99)
    assert member.judge(speaker(0, nonce=99).frame()) == ECHO
    assert member.judge(speaker(0, nonce=70).frame()) == STALE
    assert member.judge(speaker(0, nonce=98).frame()) == SAME_ID


# Turning the time back


def test_turning_the_time_back_changes_no_age():
    for shift in (1, 1000, 0x08000000):
        member = counting(statement=100, now=0x08000000, presence_ms=60000)
        member.hear(speaker(1).frame(ASKING | READY, {3: (2000, True)}))
        before = [member.says(peer_id) for peer_id in ROSTER], told_by(member), member.peers.now - member.peers.start
        expires_in = member.peers.expire() - member.peers.now
        member.peers.shift(shift)
        assert member.peers.now == 0x08000000 + 10000 - shift
        assert before == ([member.says(peer_id) for peer_id in ROSTER], told_by(member), member.peers.now - member.peers.start)
        assert member.peers.expire() - member.peers.now == expires_in
        member.hear(speaker(3).frame(ASKING, {2: (99, True)}, sequence=2))
        assert member.counts(2) and member.says(2) == (True, 99 * UNIT_MS)


def test_times_that_are_turned_back_too_far_are_forgotten():
    member = counting(now=0)
    for _ in range(3):
        member.wait(0x08000000)
        member.peers.shift(0x08000000)
        assert member.says(2) is not None and member.peers.marks[2] & READY
    for _ in range(2):
        member.wait(0x08000000)
        member.peers.shift(0x08000000)
    assert member.says(2) is None and not member.peers.marks[2] & READY and member.peers.heard[2] == NEVER
    assert member.counts(2)  # without presence_ms it counts for ever
    assert member.peers.start == NEVER + 1
    assert told_by(member)[2] == (NO_AGE, False)


def test_what_never_was_stays_so_however_far_the_time_is_turned_back():
    member = Member()
    for _ in range(9):
        member.wait(0x08000000)
        member.peers.shift(0x08000000)
    assert list(member.peers.said)[1:] == [NEVER] * 3
    member.hear(speaker(1).frame(ASKING, {2: (0x7FFE, True)}))
    assert member.counts(2)  # our run is older than all that can be said


def test_a_member_in_every_state_withdraws_and_counts_again():
    for is_local in (False, True):
        member = Member()
        member.hear(speaker(1).frame(ASKING | READY))
        if is_local:
            member.complete()
            assert member.machine.state == COLLECTING
        for nonce in range(6, 26):
            flags = ASKING | (READY if nonce & 1 else 0)
            member.hear(speaker(1, nonce=nonce).frame(flags))
            assert member.counts(1) == (nonce & 1 == 1)
