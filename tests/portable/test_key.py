"""A key keeps strangers and recorded frames out, and boards that start get in as fast as without one: rules 14 to 16."""

from airs import INTERVAL_MS, STEP_MS, Cluster, Watcher
from faction import BOOTSTRAPPED, COLLECTING, INITIAL
from faction.node import RESTART, SAME_ID, SENT, STALE, UNPROVEN
from faction.wire import ASKING, BEACON, CORRUPT, OTHER_EXPECTATIONS, READY, Checksum, get, put
from firmware import need_key
from frames import STATEMENTS, Speaker
from helpers import message_of

Key = type(need_key())  # without it nothing here can run
NOT_ON = ("micropython",)  # see tests/README.md

SECRET = b"a secret that nobody else knows"
KEPT = 4  # challenges that are good for a proof
BOTH = ASKING | READY


def quote_of(peer_id, nonce, challenge):
    """Return the two words that quote a challenge, by the layout at the top of faction/key.py."""
    data = bytearray(12)
    put(data, 0, peer_id)
    put(data, 4, nonce)
    put(data, 8, challenge)
    digest = bytearray(Key(SECRET).digest(memoryview(data)))
    digest[0] &= 0x3F
    digest[4] &= 0x3F
    return get(digest, 0), get(digest, 4)


class Member:
    """A member that has the key, and says what the test wants. runs are its nonces."""

    def __init__(self, peer_id=1, peers=(0, 1, 2), **options):
        self._speaker = Speaker(peer_id, peers, seal=Key(SECRET), **options)
        self.peer_id = peer_id

    def frame(self, nonce, sequence, flags=BOTH, quotes=(), challenge=77, statements=None):
        proof = [challenge]
        for each in quotes:
            proof += each
        return self._speaker.frame(flags, statements, nonce=nonce, sequence=sequence, proof=proof)


class Lone:
    """Node 0, whose peers are the test. It says its challenge in each frame; ``show`` lets it speak first if it has not yet."""

    def __init__(self, count=3, **options):
        self.cluster = Cluster(count, seal=Key(SECRET), **options)
        for index in range(1, count):
            self.cluster.off.add(index)
        self.node = self.cluster.nodes[0]
        self.sent = []
        self.cluster.air.tap = lambda sender, buffer: self.sent.append(bytes(buffer))
        self.cluster.run(INTERVAL_MS // 2)

    def run(self, ms):
        """Let time pass; return the frames that the node sends in it."""
        before = len(self.sent)
        self.cluster.run(ms)
        return self.sent[before:]

    def show(self, frame, ms=10):
        """Let the node hear a frame; return what it sends until so many ms later."""
        self.cluster.air.ports[0].put(frame, len(frame))
        return self.run(ms)

    def challenge(self):
        return get(self.sent[-1], STATEMENTS + 2 * len(self.node.config.peers))

    def quote(self):
        """Return what a member quotes that has heard the latest frame of the node."""
        return quote_of(0, self.node.nonce, self.challenge())

    def speak(self):
        """Let the node send another frame, and return it."""
        before = len(self.sent)
        self.cluster.run(20 * INTERVAL_MS, lambda: len(self.sent) > before)
        return self.sent[-1]


def received(node):
    """Return how often each verdict was given; zeros left out."""
    return {verdict: count for verdict, count in enumerate(node.counters[:RESTART]) if count}


def quotes_in(frame, peers=3):
    """Return the pairs of words that a frame quotes."""
    at = STATEMENTS + 2 * peers + 4
    found = [(get(frame, i), get(frame, i + 4)) for i in range(at, len(frame) - 8, 8)]
    return [each for each in found if each != (0, 0)]


# The key


def test_tags_are_those_of_the_standard():
    # RFC 4231, test cases 1 and 2, the key filled up to the least length by the zeros that HMAC adds itself; the third
    # is for a key longer than a block, as CPython's hmac has it.
    for secret, data, tag in (
        (b"\x0b" * 20, b"Hi There", b"\xb0\x34\x4c\x61\xd8\xdb\x38\x53"),
        (b"Jefe" + bytes(12), b"what do ya want for nothing?", b"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e"),
        (b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key Fir", b"\x13\x9c\xf4\x2c\xd1\xd2\x11\x33"),
    ):
        end = len(data)
        buffer = bytearray(data) + bytearray(8)
        key = Key(secret)
        key.sign(buffer, end, memoryview(buffer)[:end])
        assert bytes(buffer[end:]) == tag and key.verify(buffer, end)
        for at in range(len(buffer)):
            buffer[at] ^= 0x10
            assert not key.verify(buffer, end), at
            buffer[at] ^= 0x10


def test_keys_and_quotes_that_make_no_sense():
    for secret, quotes, named in (
        (b"short", 8, "secret of 5 bytes: must have at least 16"),
        ("a text that is long enough", 8, "secret of type str: must be bytes"),
        (None, 8, "secret of type NoneType: must be bytes"),
        (SECRET, 3, "quotes 3: must be an int, 4 to 24"),
        (SECRET, 25, "quotes 25: must be an int, 4 to 24"),
    ):
        assert message_of(ValueError, lambda: Key(secret, quotes)) == named


def test_a_cluster_with_a_key_boots():
    for quotes in (24, 4):
        cluster = Cluster(12, seal=Key(SECRET, quotes))
        cluster.run(4 * INTERVAL_MS)
        cluster.complete()
        cluster.run(2 * INTERVAL_MS)
        assert cluster.bootstrapped(), quotes


class Poor(Key):
    """A key with no memory for the digest of a number: it raises MemoryError once."""

    lacking = 0

    def digest(self, view):
        self.lacking -= 1
        if self.lacking == 0:
            raise MemoryError
        return super().digest(view)


def test_a_digest_without_memory_shuts_nobody_out():
    for lacking in range(1, 16):
        cluster = Cluster(2, seal=Key(SECRET))
        seal = Poor(SECRET)
        seal.lacking = lacking
        node = cluster.nodes[0] = cluster.make(0, (0, 1), cluster.air.ports[0], seal=seal)
        for _ in range(12 * INTERVAL_MS // STEP_MS):
            try:
                cluster.run(STEP_MS)
                if cluster.ms > 2 * INTERVAL_MS:
                    node.complete()
                    cluster.complete(1)
            except MemoryError:
                pass
        assert cluster.bootstrapped() and seal.lacking < 0, lacking


def test_with_a_key_the_last_completion_reaches_all_in_one_delivery():
    cluster = Cluster(5, seal=Key(SECRET))
    cluster.run(3 * INTERVAL_MS)
    cluster.complete()
    cluster.run(10)
    assert cluster.bootstrapped()


def test_with_a_key_a_member_that_restarts_after_conclusion_is_back_within_an_interval():
    cluster = Cluster(5, seal=Key(SECRET))
    cluster.run(3 * INTERVAL_MS)
    cluster.complete()
    cluster.run(10 * INTERVAL_MS)
    again = cluster.reboot(2)
    again.complete()
    cluster.run(INTERVAL_MS)
    assert again.machine.state == BOOTSTRAPPED


def test_a_frame_under_another_key_or_none_does_not_count():
    for seal in (Key(b"another secret of the same length"), Checksum()):
        lone = Lone()
        lone.show(Speaker(1, seal=seal).frame(READY, nonce=9, sequence=1, proof=(7,) + lone.quote()))
        assert received(lone.node) == {CORRUPT: 1} and lone.node.machine.state == INITIAL


def test_a_frame_that_was_tampered_with_does_not_count():
    lone = Lone()
    frame = Member().frame(9, 1, quotes=[lone.quote()])
    for at in range(2, len(frame)):
        frame[at] ^= 0x40
        lone.show(frame)
        frame[at] ^= 0x40
    for length in range(3, len(frame), 5):
        lone.show(frame[:length])
    assert set(received(lone.node)) == {CORRUPT} and lone.node.machine.state == INITIAL
    lone.show(frame)
    assert lone.node.machine.collecting.has(1)


# What proves a run: rule 14


def test_a_run_counts_once_it_has_quoted_us_and_not_before():
    lone = Lone()
    member = Member()
    lone.show(member.frame(9, 1))
    assert received(lone.node) == {UNPROVEN: 1} and lone.node.machine.state == INITIAL
    lone.show(member.frame(9, 2, quotes=[(5, 6), lone.quote()]))
    assert received(lone.node) == {UNPROVEN: 1, BEACON: 1} and lone.node.machine.collecting.has(1)
    lone.show(member.frame(9, 3))  # from now on its frames count without a quote
    assert received(lone.node) == {UNPROVEN: 1, BEACON: 2}


def test_a_quote_is_of_this_id_this_run_this_challenge_and_of_both_words():
    lone = Lone()
    first, second = lone.quote()
    nonce, challenge = lone.node.nonce, lone.challenge()
    for quote in (
        (first, second ^ 1),
        (first ^ 1, second),
        (second, first),
        (0, 0),
        quote_of(2, nonce, challenge),
        quote_of(0, nonce ^ 1, challenge),
        quote_of(0, nonce, challenge ^ 1),
        (nonce, challenge),
    ):
        lone.show(Member().frame(9, 1, quotes=[quote]))
    assert received(lone.node) == {UNPROVEN: 8}
    lone.show(Member().frame(9, 1, quotes=[(first, second)]))
    assert lone.node.machine.collecting.has(1)


def test_a_recorded_frame_of_a_dead_run_does_not_make_it_current_again():
    """The first run of member 1 says READY, and we lose it. Its second run is proved, and not ready. Then the recording is played."""
    lone = Lone()
    member = Member()
    recorded = [member.frame(9, sequence, quotes=[lone.quote()]) for sequence in range(1, 20)]
    lone.show(member.frame(8, 1, ASKING, [lone.quote()]))
    assert lone.node.machine.pinging.has(1)
    for frame in recorded:
        lone.show(frame)
    assert received(lone.node) == {BEACON: 1, UNPROVEN: 19} and not lone.node.machine.collecting.has(1)
    for _ in range(3 * KEPT):  # nor when the challenge is long another one
        lone.speak()
        for frame in recorded:
            lone.show(frame)
    assert lone.node.counters[BEACON] == 1 and not lone.node.machine.collecting.has(1)


def test_a_frame_that_has_proved_one_run_proves_no_other_again():
    """Runs 8 and 9 of member 1 have both quoted us. Recorded frames of run 8 do not take the place of run 9, nor the other way round."""
    lone = Lone()
    member = Member()
    first = member.frame(8, 1, ASKING, [lone.quote()])
    lone.show(first)
    lone.speak()
    second = member.frame(9, 1, ASKING, [lone.quote()])
    lone.show(second)
    assert lone.node.counters[BEACON] == 2 and lone.node.restarts(1) == 1
    for _ in range(10):
        lone.speak()
        lone.show(first)
        lone.show(second)
    assert lone.node.counters[BEACON] == 2 and lone.node.restarts(1) == 1


def test_the_challenge_is_another_one_after_a_run_was_accepted_and_only_then():
    lone = Lone()
    before = lone.challenge()
    lone.show(Member().frame(9, 1))
    lone.speak()
    assert lone.challenge() == before
    seen = {before, lone.node.nonce}
    for nonce in range(9, 30):
        lone.show(Member().frame(nonce, 1, quotes=[lone.quote()]))
        lone.speak()
        assert lone.challenge() not in seen and 0 < lone.challenge() < 1 << 30
        seen.add(lone.challenge())
    lone.show(Member().frame(29, 2))
    before = lone.challenge()
    lone.speak()
    assert lone.challenge() == before and lone.node.restarts(1) == 20


def test_members_that_prove_themselves_at_the_same_time_do_not_hinder_each_other():
    lone = Lone(7)
    peers = range(7)
    quote = lone.quote()
    for peer_id in range(1, 4):  # they have all heard the same frame of ours
        lone.show(Member(peer_id, peers).frame(9, 1, ASKING, [quote]))
    assert received(lone.node) == {BEACON: 3}
    for peer_id in range(4, 7):  # and these hear nothing for some time
        lone.speak()
        lone.show(Member(peer_id, peers).frame(9, 1, ASKING, [quote]))
    assert received(lone.node) == {BEACON: 6}


def test_a_challenge_is_good_for_a_proof_until_there_are_four_later_ones():
    for later in range(KEPT + 1):
        lone = Lone(4)
        member = Member(1, range(4))
        quote = lone.quote()
        for nonce in range(9, 9 + later):
            lone.show(Member(2, range(4)).frame(nonce, 1, ASKING, [lone.quote()]))
            lone.speak()
        assert lone.node.counters[BEACON] == later
        lone.show(member.frame(9, 1, ASKING, [quote]))
        assert lone.node.counters[BEACON] == later + (later < KEPT), later


def test_what_was_proved_to_an_earlier_run_of_ours_is_not_proved_to_this_one():
    lone = Lone()
    frame = Member().frame(9, 1, quotes=[lone.quote()])
    later = Member().frame(9, 2, quotes=[lone.quote()])
    lone.show(frame)
    assert lone.node.machine.collecting.has(1)
    lone.node.restart()
    lone.show(later)
    assert lone.node.machine.state == INITIAL and lone.node.counters[UNPROVEN] == 1
    lone.speak()
    lone.show(Member().frame(9, 3, quotes=[lone.quote()]))
    assert lone.node.machine.collecting.has(1)


def test_frames_of_an_earlier_boot_of_the_cluster_prove_nothing():
    cluster = Cluster(3, seal=Key(SECRET))
    captured = []
    cluster.air.loses = lambda sender, receiver, buffer: captured.append((sender, bytearray(buffer))) and False
    cluster.run(3 * INTERVAL_MS)
    cluster.complete()
    cluster.run(4 * INTERVAL_MS)
    assert cluster.bootstrapped() and len(captured) > 20

    for index in (1, 2):
        cluster.off.add(index)
    node = cluster.reboot(0)
    node.complete()
    for sender, frame in captured[:]:
        if sender:
            cluster.air.ports[0].put(frame, len(frame))
            cluster.run(10)
    assert node.missing() == ([1, 2], []) and list(node.machine.collecting) == [0]
    assert node.counters[UNPROVEN] > 10 and node.counters[BEACON] == 0
    for index in (1, 2):  # and the living are not kept out by what was replayed
        cluster.reboot(index)
    cluster.run(3 * INTERVAL_MS)
    cluster.complete(1, 2)
    cluster.run(2 * INTERVAL_MS)
    assert cluster.bootstrapped()


def test_a_frame_does_not_count_twice_however_many_rise_in_a_row():
    """Without a key seven frames that rise are believed again. Under a key nothing damages a sequence, and recordings rise, too."""
    lone = Lone()
    member = Member()
    frames = [member.frame(9, sequence, READY, [lone.quote()]) for sequence in range(1, 30)]
    for frame in frames:
        lone.show(frame)
    lone.show(member.frame(9, 30, 0))  # it takes it back: its run has timed out
    assert not lone.node.machine.collecting.has(1)
    for frame in frames:
        lone.show(frame)
    assert received(lone.node) == {BEACON: 30, STALE: 29} and not lone.node.machine.collecting.has(1)


def test_a_reflected_frame_does_not_count():
    lone = Lone()
    lone.node.complete()
    lone.node.restart()
    lone.node.complete()
    for frame in lone.sent[:]:
        lone.show(frame)
    node = lone.node
    assert node.machine.state == COLLECTING and list(node.machine.collecting) == [0] and node.counters[SAME_ID] == 0


def test_with_a_key_two_boards_with_one_id_detect_each_other():
    cluster = Cluster(2, seal=Key(SECRET))
    cluster.nodes.append(cluster.make(1, range(2), cluster.air.join()))
    cluster.run(6 * INTERVAL_MS)
    assert cluster.nodes[1].counters[SAME_ID] and cluster.nodes[2].counters[SAME_ID]


def test_with_a_key_a_replayed_frame_of_our_own_earlier_boot_is_no_other_board():
    lone = Lone()
    lone.show(Member(0).frame(9, 1, quotes=[(8, 9)]))
    assert received(lone.node) == {UNPROVEN: 1} and lone.node.counters[SAME_ID] == 0


# What is owed: rule 15


def test_an_asker_is_quoted_by_the_next_frame():
    lone = Lone()
    lone.show(Member().frame(9, 1, ASKING, challenge=1234))
    assert quotes_in(lone.speak()) == [quote_of(1, 9, 1234)]


def test_a_quote_is_repeated_where_there_is_room_as_a_frame_may_be_lost():
    lone = Lone()
    lone.show(Member().frame(9, 1, ASKING, challenge=1234))
    lone.speak()
    assert quote_of(1, 9, 1234) in quotes_in(lone.speak())


def test_of_a_run_that_is_proved_the_latest_challenge_is_quoted():
    lone = Lone()
    member = Member()
    lone.show(member.frame(9, 1, ASKING, [lone.quote()], 1234))
    lone.show(member.frame(9, 3, ASKING, [], 1236))
    lone.show(member.frame(9, 2, ASKING, [], 1235))  # late
    assert quotes_in(lone.speak())[0] == quote_of(1, 9, 1236)


def test_a_run_that_is_proved_and_one_that_is_not_are_both_quoted():
    """The member has started again, or an intruder plays its past: nobody can know."""
    lone = Lone()
    lone.show(Member().frame(9, 1, ASKING, [lone.quote()], 1234))
    lone.show(Member().frame(8, 1, ASKING, [], 1235))
    found = quotes_in(lone.speak())
    assert quote_of(1, 9, 1234) in found and quote_of(1, 8, 1235) in found


def test_a_recorded_frame_behind_each_living_one_does_not_push_it_out():
    quoted = {8: 0, 9: 0}
    for seed in range(1, 61):
        lone = Lone(2, seed=seed)
        for nonce in (9, 8):
            lone.show(Member(1, (0, 1)).frame(nonce, 1, ASKING))
        quoted[8] += quote_of(1, 8, 77) in quotes_in(lone.sent[-1] if len(lone.sent) > 1 else lone.speak(), 2)
        quoted[9] += quote_of(1, 9, 77) in quotes_in(lone.sent[-1], 2)
    assert quoted[8] + quoted[9] == 60 and 15 < quoted[9] < 45, quoted


def test_clusters_start_though_an_old_asking_frame_follows_each_living_one():
    for count in (2, 5, 12):
        cluster = Cluster(count, seal=Key(SECRET), deadline_ms=120000)
        recorded = {}  # a frame of each member's first run
        cluster.air.tap = lambda sender, buffer: recorded.setdefault(sender, bytes(buffer))
        cluster.run(10 * INTERVAL_MS)
        for index in range(count):
            cluster.reboot(index)

        def follow(sender, buffer):
            for index, port in enumerate(cluster.air.ports):
                if index != sender:
                    cluster.air._late.append((cluster.ms + 1, port, recorded[sender]))

        cluster.air.tap = follow
        cluster.run(3 * INTERVAL_MS)
        cluster.complete()
        took_ms = cluster.run(20 * INTERVAL_MS, cluster.bootstrapped, step_ms=1)
        assert cluster.bootstrapped() and took_ms < 6 * INTERVAL_MS, (count, took_ms)


def test_quotes_take_turns():
    count = 24
    lone = Lone(count)
    for peer_id in range(1, count):
        lone.show(Member(peer_id, range(count)).frame(9, 1, ASKING))
    found = set()
    for _ in range(6):
        quotes = quotes_in(lone.speak(), count)
        assert len(quotes) == 4
        found.update(quotes)
    assert found == {quote_of(peer_id, 9, 77) for peer_id in range(1, count)}


def test_who_has_concluded_owes_a_quote_only_to_who_asks():
    lone = Lone(quorum=1)
    lone.node.complete()
    lone.run(40 * INTERVAL_MS)
    lone.show(Member(1, quorum=1).frame(9, 1, READY, challenge=1234))
    lone.show(Member(2, quorum=1).frame(9, 1, ASKING, challenge=1235), INTERVAL_MS)
    assert quotes_in(lone.sent[-1]) == [quote_of(2, 9, 1235)]


def test_a_restart_forgets_what_is_owed():
    lone = Lone()
    lone.show(Member().frame(9, 1, ASKING))
    lone.node.restart()
    assert quotes_in(lone.speak()) == []


# When to answer: rules 15 and 16


def meets_after(seed, **options):
    """Return after how many ms a lone board that has slowed down and another one that starts then have both heard each other."""
    cluster = Cluster(2, seed=seed, **options)
    cluster.off.add(1)
    cluster.run((20 + seed) * INTERVAL_MS)
    cluster.reboot(1)
    return cluster.run(40 * INTERVAL_MS, lambda: all(node.missing()[0] == [] for node in cluster.nodes), step_ms=5)


def test_two_lone_boards_meet_as_fast_as_without_a_key():
    keyed = sorted([meets_after(seed, seal=Key(SECRET)) for seed in range(1, 22)])
    plain = sorted([meets_after(seed) for seed in range(1, 22)])
    assert keyed[10] <= plain[10] and keyed[-1] <= 2 * INTERVAL_MS, (keyed, plain)


def test_a_lone_node_that_is_asked_answers_at_most_once_an_interval():
    lone = Lone()
    lone.run(30 * INTERVAL_MS)
    before, begin = len(lone.sent), lone.cluster.ms
    for _ in range(200):
        lone.show(Member().frame(9, 1, ASKING))
    assert len(lone.sent) - before <= 2 + 2 * (lone.cluster.ms - begin) // INTERVAL_MS


def test_a_lone_node_that_waits_answers_in_each_interval_as_answers_may_be_lost():
    lone = Lone()
    lone.run(30 * INTERVAL_MS)
    before = len(lone.sent)
    for sequence in range(8):
        lone.show(Member().frame(9, sequence, ASKING), INTERVAL_MS)
    assert len(lone.sent) - before >= 7


def test_who_is_not_proved_gets_one_answer_in_eight_intervals():
    lone = Lone(4, quorum=1)
    lone.show(Member(3, range(4), quorum=1).frame(9, 1, ASKING, [lone.quote()]))  # so it is not alone
    lone.node.complete()
    lone.run(60 * INTERVAL_MS)
    before = lone.node.counters[SENT]
    frames = [Member(peer_id, range(4), quorum=1).frame(8, 1, ASKING) for peer_id in (1, 2)]
    for _ in range(9):
        lone.show(frames[0], INTERVAL_MS)
    assert lone.node.counters[SENT] == before + 1
    lone.show(frames[0], INTERVAL_MS)
    assert lone.node.counters[SENT] == before + 2
    lone.show(frames[1], INTERVAL_MS)  # another member has a right of its own
    assert lone.node.counters[SENT] == before + 3


def test_a_board_that_has_just_booted_greets_at_once_too():
    lone = Lone(4)
    lone.show(Member(3, range(4)).frame(9, 1, ASKING, [lone.quote()]))  # so it is not alone
    lone.show(Member(1, range(4)).frame(9, 1, ASKING))
    assert lone.node.peers._greeted[1] == lone.node.now < INTERVAL_MS


def test_those_who_are_not_proved_do_not_displace_those_who_are():
    """Recordings of many members come again and again. A member that is proved, and lacks our quote, gets it all the same."""
    count = 20
    lone = Lone(count)
    for peer_id in range(2, count):
        lone.show(Member(peer_id, range(count)).frame(8, 1, ASKING), 0)
        lone.node.poll()
    lone.show(Member(1, range(count)).frame(9, 1, ASKING, [lone.quote()], 1234))
    before = len(lone.sent)
    while len(lone.sent) < before + 2:
        for peer_id in range(2, count):
            lone.show(Member(peer_id, range(count)).frame(8, 1, ASKING))
    assert any(quote_of(1, 9, 1234) in quotes_in(frame, count) for frame in lone.sent[before:])


def test_all_who_are_not_proved_get_four_answers_at_once_and_then_one_in_twelve_intervals():
    count = 40
    lone = Lone(count, quorum=1)
    lone.node.complete()
    lone.run(60 * INTERVAL_MS)
    before = lone.node.counters[SENT]
    for peer_id in range(1, 1 + 30):
        lone.show(Member(peer_id, range(count), quorum=1).frame(8, 1, ASKING), INTERVAL_MS)
    assert lone.node.counters[SENT] == before + 4 + 30 // 12
    lone.run(100 * INTERVAL_MS)
    for peer_id in range(31, 31 + 6):
        lone.show(Member(peer_id, range(count), quorum=1).frame(8, 1, ASKING), INTERVAL_MS)
    assert lone.node.counters[SENT] == before + 6 + 4


def test_an_old_asking_frame_does_not_keep_a_concluded_cluster_sending():
    cluster = Cluster(20, seal=Key(SECRET))
    recorded = []
    cluster.air.tap = lambda sender, buffer: recorded.append((sender, bytes(buffer)))
    cluster.run(3 * INTERVAL_MS)
    sender, frame = recorded[0]
    cluster.reboot(sender)
    cluster.run(2 * INTERVAL_MS)
    cluster.complete()
    cluster.run(60 * INTERVAL_MS, step_ms=5 * STEP_MS)
    before = sum(cluster.sent())
    for _ in range(121):
        for port in cluster.air.ports:
            port.put(frame, len(frame))
        cluster.run(INTERVAL_MS, step_ms=5 * STEP_MS)
    assert 0 < sum(cluster.sent()) - before <= 300


def test_who_has_just_proved_itself_and_asks_gets_an_answer_soon():
    """Most likely it lacks our quote."""
    lone = Lone()
    lone.run(30 * INTERVAL_MS)
    sent = lone.show(Member().frame(9, 1, ASKING, [lone.quote()], 1234), INTERVAL_MS // 4 + 20)
    assert len(sent) == 1 and quotes_in(sent[0])[0] == quote_of(1, 9, 1234)


# Beyond earshot


def test_where_boards_hear_only_their_neighbours_all_are_bootstrapped_and_start_together():
    cluster = Cluster(6, seal=Key(SECRET), start_after_ms=10 * INTERVAL_MS)
    for i in range(6):
        for j in range(6):
            if abs(i - j) > 1:
                cluster.air.cut.add((i, j))
    cluster.run(3 * INTERVAL_MS)
    cluster.complete()
    cluster.run(20 * INTERVAL_MS)
    assert cluster.bootstrapped() and all(node.has_started and node.started_late_ms == 0 for node in cluster.nodes)
    again = cluster.reboot(0)  # all others have concluded; five hops away is a readiness that it lacks
    again.complete()
    cluster.run(20 * INTERVAL_MS)
    assert again.machine.state == BOOTSTRAPPED


def test_a_frame_that_is_not_proved_carries_nothing():
    lone = Lone()
    lone.show(Member().frame(9, 1, statements={2: (0, True)}))
    assert lone.node.machine.state == INITIAL and lone.node.missing() == ([1, 2], [0])
    lone.show(Member().frame(9, 1, quotes=[lone.quote()], statements={2: (0, True)}))
    assert list(lone.node.machine.collecting) == [1, 2]


def test_another_roster_is_named_under_a_key_too():
    watcher = Watcher()
    lone = Lone(observer=watcher)
    for sequence in range(1, 9):  # it was right once, and asks
        lone.show(Member().frame(9, sequence, ASKING, [lone.quote()]))
    lone.show(Member(peers=(0, 1, 2, 3)).frame(10, 1))
    assert watcher.conflicts == [(OTHER_EXPECTATIONS, 1)]
