"""The frame: bytes that must never change, and what is not a frame."""

from faction import Config
from faction import wire as module
from faction.wire import (
    ASKING,
    BEACON,
    CORRUPT,
    MALFORMED,
    OTHER_CLUSTER,
    OTHER_EXPECTATIONS,
    OTHER_VERSION,
    READY,
    Checksum,
    Wire,
    compute_crc,
    digest,
    get,
    mix,
    put,
    stir,
)
from firmware import need_key
from frames import MAX_LENGTH, NO_AGE, READY_BIT, START_ZERO, STATEMENTS, Speaker, decode, sealed
from helpers import Chance, message_of
from run import Skip

# By hand, from the layout at the top of faction/wire.py
GOLDEN = (
    b"\xfa\xc7"  # magic
    b"\x02"  # version
    b"\x03"  # flags: ASKING, READY
    b"\x19\x0a\xdd\xe0"  # cluster: greenhouse
    b"\x09\x73\x8b\x43"  # expectations: the members 0, 1 and 2, and a quorum of 2
    b"\0\0\0\x02"  # peer id
    b"\x12\x34\x56\x78"  # nonce
    b"\0\0\x01\0"  # sequence: 256
    b"\x20\0\x01\xf4"  # start: in 500 ms
    b"\0\x32\x7f\xff"  # the run is 100 units old, and no question is carried on
    b"\0\0\0\x33"  # three statements from position 0, in units of 8 ms
    b"\x80\x01"  # member 0: READY, 1 unit old
    b"\0\x05"  # member 1: not ready, 5 units old
    b"\x80\0"  # member 2, the sender: READY, now
    b"\x03\xcd\x64\xef"  # CRC-32, its lowest byte first
)
SEAL = 4  # bytes of a checksum
FIELDS = ("flags", "nonce", "sequence", "start", "run_age", "question_age")


def wire(peer_id=0, peers=(0, 1, 2), quorum=2, cluster="greenhouse", seal=None, max_length=MAX_LENGTH):
    return Wire(Config(peer_id, peers, quorum), cluster, seal or Checksum(), max_length)


def frame(peers=(0, 1, 2), quorum=2, cluster="greenhouse", **fields):
    """Return a frame of a member; without arguments, the golden one."""
    speaker = Speaker(peers[-1], peers, quorum, cluster, nonce=0x12345678)
    given = {"sequence": 256, "start_ms": 500, "run_age": 100, "statements": {0: (1, True), 1: (5, False)}}
    given.update(fields)
    return speaker.frame(ASKING | READY, **given)


def with_number(at, value):
    """Return the golden frame with another number of 4 bytes, and sealed again. value: 4 bytes."""
    buffer = bytearray(GOLDEN)
    for i in range(4):
        buffer[at + i] = value[i]
    return sealed(buffer)


def with_byte(at, value):
    buffer = bytearray(GOLDEN)
    buffer[at] = value
    return sealed(buffer)


# The bytes


def test_the_codes_are_stable():
    assert (BEACON, MALFORMED, CORRUPT, OTHER_VERSION, OTHER_CLUSTER, OTHER_EXPECTATIONS) == (0, 1, 2, 3, 4, 5)
    assert (ASKING, READY) == (1, 2) and MAX_LENGTH == 250
    assert (NO_AGE, READY_BIT, STATEMENTS, START_ZERO) == (0x7FFF, 0x8000, 36, 1 << 29)


def test_the_bytes_of_a_frame():
    assert bytes(frame()) == GOLDEN


def test_the_fields_of_a_frame():
    receiver = wire()
    assert decode(receiver, GOLDEN) == BEACON
    assert (receiver.flags, receiver.peer_id, receiver.nonce, receiver.sequence) == (ASKING | READY, 2, 0x12345678, 256)
    assert (receiver.start, receiver.run_age, receiver.question_age) == (START_ZERO + 500, 100, NO_AGE)
    assert (receiver.first, receiver.count, receiver.unit) == (0, 3, 3)
    assert bytes(receiver.inbox[STATEMENTS : STATEMENTS + 6]) == b"\x80\x01\0\x05\x80\0"


def test_the_bytes_of_a_frame_under_a_key():
    speaker = Speaker(2, quorum=2, seal=need_key(), nonce=0x12345678)
    buffer = speaker.frame(ASKING | READY, {0: (1, True), 1: (5, False)}, 0x12345678, 256, (7, 0x3FFFFFFF, 1), 500, 100)
    assert bytes(buffer[:42]) == GOLDEN[:42]
    assert bytes(buffer[42:54]) == b"\0\0\0\x07\x3f\xff\xff\xff\0\0\0\x01"  # challenge, and the first quote
    assert bytes(buffer[54:70]) == bytes(16) and len(buffer) == 70 + 8


def test_every_field_at_its_limits_comes_back_as_it_went():
    receiver = wire()
    sender = wire(2)
    for flags, nonce, sequence, start, run_age, question_age in (
        (0, 1, 0, 0, 0, 0),
        (0xFF, 0x3FFFFFFF, 0x3FFFFFFF, 0x3FFFFFFF, 0x7FFF, 0x7FFF),
        (ASKING, 255, 256, START_ZERO, 1, 0x7FFE),
        (READY, 256, 255, START_ZERO - 1, 0x4000, 1),
        (0x80, 1 << 29, 65536, 1, 0xFF, 0x100),
    ):
        for unit in (0, 7, 15):
            values = (flags, nonce, sequence, start, run_age, question_age)
            for i in range(6):
                setattr(sender, FIELDS[i], values[i])
            sender.unit = unit
            sender.encode()
            assert decode(receiver, sender.outbox) == BEACON, values
            assert tuple([getattr(receiver, name) for name in FIELDS]) == values
            assert (receiver.peer_id, receiver.first, receiver.count, receiver.unit) == (2, 0, 3, unit)


def test_statements_at_their_limits_come_back_as_they_went():
    receiver = wire()
    for age, is_ready in (
        (0, False),
        (0, True),
        (1, True),
        (0xFF, False),
        (0x100, True),
        (NO_AGE - 1, True),
        (NO_AGE, False),
        (NO_AGE, True),
    ):
        assert decode(receiver, frame(statements={0: (age, is_ready)})) == BEACON
        word = receiver.inbox[STATEMENTS] << 8 | receiver.inbox[STATEMENTS + 1]
        assert word == age | (READY_BIT if is_ready else 0), (age, is_ready)


def test_encode_writes_around_the_statements():
    sender = wire()
    sender.nonce = 1
    for i in range(2 * sender.room):
        sender.outbox[STATEMENTS + i] = 0xA0 + i
    sender.encode()
    assert bytes(sender.outbox[STATEMENTS : STATEMENTS + 6]) == b"\xa0\xa1\xa2\xa3\xa4\xa5"
    assert decode(wire(), sender.outbox) == BEACON


# Cut, lengthened, damaged


def seals():
    """Return a checksum's seal, as None, and a key if this runtime has one."""
    try:
        return None, need_key()
    except Skip:
        return (None,)


def test_a_frame_cut_anywhere_is_no_frame():
    for seal in seals():
        whole = Speaker(2, quorum=2, seal=seal).frame()
        for length in range(len(whole)):
            expected = MALFORMED if length < 3 else CORRUPT
            receiver = wire(seal=seal)
            assert decode(receiver, whole, length) == expected, length  # the rest still stands behind it
            assert decode(wire(seal=seal), whole[:length]) == expected, length


def test_trailing_bytes_make_it_no_frame():
    for tail in (b"\0", b"\0\0", b"\0\0\0\0", GOLDEN, b"\xff" * 200):
        assert decode(wire(), GOLDEN + tail) == CORRUPT, tail


def test_a_frame_may_stand_in_a_longer_buffer():
    assert decode(wire(), GOLDEN + b"\xaa" * 20, len(GOLDEN)) == BEACON


def test_a_length_beyond_the_buffer_is_malformed():
    for length in (-1, 257, 1 << 20):
        receiver = wire()
        decode(receiver, GOLDEN)
        assert receiver.decode(length) == MALFORMED, length


def test_noise_is_no_frame():
    for noise in (b"", b"\xfa", b"\xfa\xc7", b"hello", b"\xc7\xfa" + GOLDEN[2:], b"\0" * 46, b"\xff" * 250):
        assert decode(wire(), noise) == MALFORMED, noise


def test_every_flipped_bit_is_noticed():
    for seal in seals():
        receiver = wire(seal=seal)
        buffer = Speaker(2, quorum=2, seal=seal).frame()
        for bit in range(8 * len(buffer)):
            buffer[bit >> 3] ^= 1 << (bit & 7)
            assert decode(receiver, buffer) == (MALFORMED if bit < 16 else CORRUPT), bit
            buffer[bit >> 3] ^= 1 << (bit & 7)
        assert decode(receiver, buffer) == BEACON


def test_every_pair_of_flipped_bits_is_noticed():
    """What a flip does to the checksum is the same in every frame, so two go unnoticed only if they do the same to it."""
    buffer = bytearray(42)
    clean = crc_of(buffer)
    changes = {bytes([0] * at + [1 << bit] + [0] * (3 - at)) for at in range(4) for bit in range(8)}  # flips in the checksum itself
    for bit in range(8 * len(buffer)):
        buffer[bit >> 3] ^= 1 << (bit & 7)
        changed = crc_of(buffer)
        changes.add(bytes([changed[i] ^ clean[i] for i in range(4)]))
        buffer[bit >> 3] ^= 1 << (bit & 7)
    assert len(changes) == 32 + 8 * 42 and bytes(4) not in changes


def test_every_burst_of_damage_is_noticed():
    receiver = wire()
    buffer = bytearray(GOLDEN)
    for at in range(2, len(buffer) - 3):
        for value in (0x55, 0xFF):
            for i in range(4):
                buffer[at + i] ^= value
            assert decode(receiver, buffer) == CORRUPT, at
            for i in range(4):
                buffer[at + i] ^= value


# Sealed well, and not for us


def test_what_is_sealed_well_but_not_ours():
    cases = (
        (with_byte(2, 3), OTHER_VERSION),
        (with_byte(2, 0), OTHER_VERSION),
        (with_byte(2, 1), OTHER_VERSION),
        (with_byte(2, 0xFF), OTHER_VERSION),
        (frame(cluster="greenhouses"), OTHER_CLUSTER),
        (frame(cluster=""), OTHER_CLUSTER),
        (frame(peers=(0, 1, 2, 3)), OTHER_EXPECTATIONS),
        (frame(peers=(1, 2, 3)), OTHER_EXPECTATIONS),
        (frame(quorum=3), OTHER_EXPECTATIONS),
        (frame(cluster="x", quorum=3), OTHER_CLUSTER),
    )
    for number, (buffer, expected) in enumerate(cases):
        receiver = wire()
        assert decode(receiver, buffer) == expected, number
        assert receiver.peer_id == get(buffer, 12)


def test_another_version_may_be_of_any_length():
    for length in (STATEMENTS, 45, 200, 246):
        buffer = bytearray(GOLDEN[:12] + b"\0\0\0\x07" + bytes(length - 16 + SEAL))
        buffer[2] = 3
        receiver = wire()
        assert decode(receiver, sealed(buffer)) == OTHER_VERSION, length
        assert receiver.peer_id == 7


def test_a_frame_of_version_1_is_known_by_its_length():
    """It had another checksum, and no statements."""
    old = b"\xfa\xc7\x01\x03\x23\xbe\xae\x91\x1c\x9b\x9d\x96\0\0\0\x02\x12\x34\x56\x78\0\0\x01\0\xfd\x5c"
    receiver = wire()
    assert decode(receiver, old) == OTHER_VERSION and receiver.peer_id == 2
    assert decode(receiver, old[:-1]) == CORRUPT and decode(receiver, old + b"\0") == CORRUPT


def test_numbers_that_nobody_sends_make_it_no_frame():
    for at in (16, 20, 24, 28, 32):  # from 2**30 up
        for first in (0x40, 0x80, 0xFF):
            assert decode(wire(), with_byte(at, first)) == CORRUPT, (at, first)
    assert decode(wire(), with_number(16, bytes(4))) == CORRUPT  # a nonce of 0
    assert decode(wire(), with_number(20, bytes(4))) == BEACON  # a sequence of 0


def test_windows_and_counts_beyond_the_roster_make_it_no_frame():
    for window in (
        b"\0\0\x10\x33",  # three from position 1
        b"\0\0\x30\x33",
        b"\x3f\xff\xf0\x33",  # from the last position that there is
        b"\0\0\0\x23",  # fewer statements than bytes
        b"\0\0\0\x43",  # more
        b"\0\0\x0f\xf3",
        b"\0\0\0\x03",
    ):
        assert decode(wire(), with_number(32, window)) == CORRUPT, window


def test_a_frame_may_have_fewer_statements_than_ours():
    """Its sender has another transport."""
    for first in range(4):
        for count in range(4):
            buffer = bytearray(GOLDEN[:STATEMENTS] + b"\x80\x01" * count + bytes(SEAL))
            buffer[34] = first << 4
            buffer[35] = count << 4
            receiver = wire()
            assert decode(receiver, sealed(buffer)) == (BEACON if first + count <= 3 else CORRUPT), (first, count)
            assert (receiver.first, receiver.count, receiver.unit) == (first, count, 0)


def test_words_of_proof_under_a_checksum_make_it_no_frame():
    for words in (1, 2, 50):
        assert decode(wire(), sealed(bytearray(GOLDEN[:42]) + bytearray(4 * words + SEAL))) == CORRUPT, words


def test_an_id_that_no_member_can_have_is_none():
    receiver = wire()
    assert decode(receiver, with_byte(12, 0x40)) == BEACON
    assert receiver.peer_id == -1


def test_unknown_flags_are_let_pass():
    receiver = wire()
    assert decode(receiver, with_byte(3, 0xFF)) == BEACON
    assert receiver.flags & (ASKING | READY) == ASKING | READY


def test_rosters_in_another_order_are_the_same():
    assert decode(wire(peers=(1, 2, 0)), Speaker(2, (2, 0, 1), 2).frame()) == BEACON


# What fits


def test_rosters_that_are_longer_than_a_frame():
    peers = tuple(range(0, 400, 2))
    speaker = Speaker(398, peers, 200)
    assert speaker.wire.length <= MAX_LENGTH and speaker.wire.room == 105
    receiver = wire(0, peers, 200)
    for first in (0, 1, 50, 95):
        known = {peers[first]: (1, True), peers[first + 104]: (2, True)}
        assert decode(receiver, speaker.frame(statements=known, first=first)) == BEACON, first
        assert (receiver.first, receiver.count) == (first, 105)
        assert receiver.inbox[STATEMENTS] == receiver.inbox[STATEMENTS + 208] == 0x80
        assert (receiver.inbox[STATEMENTS + 1], receiver.inbox[STATEMENTS + 209]) == (1, 2)
    beyond = speaker.frame(first=95)
    beyond[33] += 1  # 16 positions further
    assert decode(receiver, sealed(beyond)) == CORRUPT


def test_all_members_send_frames_of_one_length():
    for count in (1, 2, 20, 104, 105, 106, 200):
        assert len({wire(peer_id, range(count), 1).length for peer_id in (0, count // 2, count - 1)}) == 1


def test_as_many_statements_as_fit():
    for count, quotes, max_length, room in (
        (1, 0, MAX_LENGTH, 1),
        (105, 0, MAX_LENGTH, 105),
        (106, 0, MAX_LENGTH, 105),
        (106, 0, 1470, 105),  # more than ESP-NOW takes, as ESP-NOW 2 does
        (106, 0, 60, 10),
        (106, 0, 61, 10),
        (3, 0, 42, 1),
        (20, 4, MAX_LENGTH, 20),
        (200, 24, MAX_LENGTH, 5),
        (200, 4, 100, 10),
    ):
        seal = need_key(quotes=quotes) if quotes else Checksum()
        sender = wire(0, range(count), 1, seal=seal, max_length=max_length)
        assert sender.room == room, (count, max_length)
        assert len(sender.outbox) == sender.length <= min(max_length, MAX_LENGTH)
        assert sender.length == STATEMENTS + 2 * room + 4 * len(sender.proof) + seal.size


def test_a_max_length_that_is_too_short():
    for max_length in (41, 40, 0, -5):
        message = message_of(ValueError, lambda: wire(max_length=max_length))
        assert message == "max_length %d: must be 42 or more" % max_length
    wire(max_length=42)
    key = need_key()
    keyed = message_of(ValueError, lambda: wire(seal=key, max_length=73))
    assert keyed == "max_length 73: must be 74 or more"
    wire(seal=key, max_length=74)


def test_frames_of_shorter_and_of_longer_transports_are_understood():
    short, long = wire(1, max_length=44), wire(2)
    short.nonce = long.nonce = 7
    short.first = 1
    short.encode()
    long.encode()
    assert decode(long, short.outbox) == BEACON and (long.first, long.count) == (1, 2)
    assert decode(short, long.outbox) == BEACON and (short.first, short.count) == (0, 3)


# The checks


def crc_of(data):
    """Return the CRC of all of data, by Python, its lowest byte first."""
    compute_crc(data, len(data))
    return bytes(module._computed)


def test_crc_is_the_one_of_the_catalogues():
    for data, crc in (
        (b"123456789", b"\x26\x39\xf4\xcb"),
        (b"", b"\0\0\0\0"),
        (b"\0\0\0\0", b"\x1c\xdf\x44\x21"),
        (b"\xff" * 32, b"\x0b\xab\x6c\xff"),
    ):
        assert crc_of(data) == crc, data


def test_the_firmware_and_our_own_crc_agree():
    chance = Chance(3)
    for length in list(range(8)) + [36, 42, 246]:
        for _ in range(20):
            buffer = bytearray([chance.below(256) for _ in range(length)]) + bytearray(SEAL)
            Checksum().sign(buffer, length, memoryview(buffer)[:length])
            assert bytes(buffer[length:]) == crc_of(buffer[:length])
            assert Checksum().verify(buffer, length, memoryview(buffer)) and Checksum().verify(buffer, length)
            buffer[chance.below(len(buffer))] ^= 1 << chance.below(8)
            assert not Checksum().verify(buffer, length, memoryview(buffer)) and not Checksum().verify(buffer, length)


def test_a_port_without_the_firmware_s_crc_makes_the_same_frames():
    firmware = module.crc32
    module.crc32 = None
    try:
        assert bytes(frame()) == GOLDEN and decode(wire(), GOLDEN) == BEACON
        assert decode(wire(), with_byte(40, 1)) == BEACON
        damaged = bytearray(GOLDEN)
        damaged[40] ^= 1
        assert decode(wire(), damaged) == CORRUPT
    finally:
        module.crc32 = firmware


def test_digest_is_the_same_on_every_port():
    assert digest(b"") == 0x1B873593
    assert digest(b"greenhouse") == 0x190ADDE0
    assert digest([0, 1, 2, 2]) == 0x09738B43
    assert digest([0x3FFFFFFF] * 300) == 0x1DBB99E6


def test_digests_of_similar_rosters_differ():
    rosters = [list(range(count)) for count in range(1, 40)]
    rosters += [[1, 0], [0, 2], [0, 1, 3], [0, 1, 2, 4], [0, 0x3FFFFFFF], [5], [5, 6]]
    assert len({digest(each + [1]) for each in rosters}) == len(rosters)


def test_no_distance_between_two_ids_gives_one_digest():
    """Rosters that differ in one id never have the same digest. With two remainders by primes they had, 1,071,514,531 apart."""
    for distance in (1, 32719, 32749, 1071514531, 0x3FFFFFFF - 7):
        for first in (0, 1, 5, 7):
            assert digest([first, first + 1, 2]) != digest([first, first + 1 + distance, 2]) or first + 1 + distance > 0x3FFFFFFF
            assert digest([first]) != digest([first + distance]), (first, distance)


def test_no_two_differences_cancel_out_in_every_roster():
    """Where a roster has one number less by 1, another one nearby would have to differ by the same number for each of them."""
    found = {}
    for first in range(0, 512, 2):
        difference = stir(1000, first) ^ stir(1000, first + 1)
        found[difference] = found.get(difference, 0) + 1
    assert max(found.values()) < 64, found


def test_pairs_of_differences_that_cancelled_out_in_every_roster():
    """With one round of squares these pairs gave one digest whatever the other ids were: 32,767 such pairs there were."""
    for first, second in ((57739, 30745), (90668, 29718), (99239, 3087), (157026, 27656), (165097, 5137)):
        same = 0
        for i in range(200):
            before = [7 * i, 1000 * i + 3]
            same += digest(before + [i, i + 1, 9]) == digest(before + [i ^ first, (i + 1) ^ second, 9])
        assert same == 0, (first, second, same)
    assert digest([0, 30745]) != digest([57739, 0])


def test_the_generator_does_not_come_back_soon():
    x = 1
    for _ in range(5000):
        x = mix(x)
        assert 1 < x <= 0x3FFFFFFF


def test_numbers_of_four_bytes():
    buffer = bytearray(6)
    for value in (0, 1, 255, 256, 65535, 65536, 0x12345678, 0x3FFFFFFF):
        put(buffer, 1, value)
        assert get(buffer, 1) == value and buffer[0] == 0 and buffer[5] == 0
    for first in (0x40, 0x80, 0xFF):
        buffer[1] = first
        assert get(buffer, 1) == -1


def test_a_checksum_proves_nothing():
    assert Checksum().words_for(200) == 0 and len(wire().proof) == 0
