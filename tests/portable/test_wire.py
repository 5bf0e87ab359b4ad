"""The frame: bytes that must never change, and what is not a frame."""

from faction import Config
from faction.wire import (
    ASKING,
    BEACON,
    CORRUPT,
    MALFORMED,
    MAX_LENGTH,
    OTHER_CLUSTER,
    OTHER_EXPECTATIONS,
    OTHER_VERSION,
    READY,
    Checksum,
    Wire,
    crc16,
    digest,
    get,
    put,
)

# magic, version, flags; cluster; roster and quorum; peer id; nonce; sequence; checksum
GOLDEN = b"\xfa\xc7\x01\x03\x23\xbe\xae\x91\x1c\x9b\x9d\x96\0\0\0\x02\x12\x34\x56\x78\0\0\x01\0\xfd\x5c"


def wire(peer_id=2, peers=(0, 1, 2), quorum=2, cluster="greenhouse"):
    return Wire(Config(peer_id, peers, quorum), cluster, Checksum())


def frame(flags=ASKING | READY, nonce=0x12345678, sequence=256, **others):
    """Return a frame that the node of these settings sends."""
    sender = wire(**others)
    buffer = bytearray(sender.length)
    assert sender.encode(buffer, flags, nonce, sequence) == len(buffer)
    return buffer


def sealed(buffer):
    """Return the frame with the checksum that its other bytes ask for."""
    Checksum().sign(buffer, len(buffer) - 2)
    return buffer


def with_byte(at, value):
    buffer = frame()
    buffer[at] = value
    return sealed(buffer)


def test_crc_is_the_one_of_the_catalogues():
    assert crc16(b"123456789", 9) == 0xD64E
    assert crc16(b"", 0) == 0
    assert crc16(b"\0\0", 2) == 0xE2F0


def test_digest_is_the_same_on_every_port():
    assert digest(b"") == 0x8001
    assert digest(b"greenhouse") == 0x23BEAE91
    assert digest([0, 1, 2, 2]) == 0x1C9B9D96
    assert digest([0x3FFFFFFF] * 300) == 0x056CB972


def test_digests_of_similar_rosters_differ():
    rosters = [list(range(count)) for count in range(1, 40)]
    rosters += [[1, 0], [0, 2], [0, 1, 3], [0, 1, 2, 4], [0, 0x3FFFFFFF], [5], [5, 6]]
    assert len({digest(each + [1]) for each in rosters}) == len(rosters)


def test_numbers_of_four_bytes():
    buffer = bytearray(6)
    for value in (0, 1, 255, 256, 65535, 65536, 0x12345678, 0x3FFFFFFF):
        put(buffer, 1, value)
        assert get(buffer, 1) == value and buffer[0] == 0 and buffer[5] == 0
    for first in (0x40, 0x80, 0xFF):
        buffer[1] = first
        assert get(buffer, 1) == -1


def test_the_codes_are_stable():
    assert (BEACON, MALFORMED, CORRUPT, OTHER_VERSION, OTHER_CLUSTER, OTHER_EXPECTATIONS) == (0, 1, 2, 3, 4, 5)
    assert (ASKING, READY) == (1, 2) and MAX_LENGTH == 250


def test_the_bytes_of_a_frame():
    assert bytes(frame()) == GOLDEN


def test_decode_finds_what_encode_wrote():
    receiver = wire(peer_id=0)
    for flags, nonce, sequence in ((0, 1, 0), (ASKING, 0x3FFFFFFF, 1), (READY, 7, 0x3FFFFFFF), (ASKING | READY, 256, 65536)):
        buffer = frame(flags, nonce, sequence)
        assert receiver.decode(buffer, len(buffer)) == BEACON
        assert (receiver.flags, receiver.peer_id, receiver.nonce, receiver.sequence) == (flags, 2, nonce, sequence)


def test_a_frame_may_stand_in_a_longer_buffer():
    buffer = frame()
    length = len(buffer)
    buffer.extend(b"\xaa" * 20)
    assert wire().decode(buffer, length) == BEACON


def test_a_frame_cut_anywhere_is_no_frame():
    buffer = frame()
    for length in range(len(buffer)):
        expected = MALFORMED if length < 2 else CORRUPT
        assert wire().decode(buffer, length) == expected, length
        assert wire().decode(buffer[:length], length) == expected, length


def test_trailing_bytes_make_it_no_frame():
    for tail in (b"\0", b"\0\0", b"\0\0\0\0", bytes(frame()), b"\xff" * 200):
        buffer = frame() + tail
        assert wire().decode(buffer, len(buffer)) == CORRUPT, tail


def test_quotes_under_a_checksum_make_it_no_frame():
    for quotes in (1, 2, 50):
        buffer = sealed(frame()[:24] + bytearray(4 * quotes + 2))
        assert wire().decode(buffer, len(buffer)) == CORRUPT, quotes


def test_a_length_beyond_the_buffer_is_malformed():
    buffer = frame()
    for length in (-1, len(buffer) + 1, 1 << 20):
        assert wire().decode(buffer, length) == MALFORMED


def test_every_flipped_bit_is_noticed():
    receiver = wire()
    buffer = frame()
    for bit in range(8 * len(buffer)):
        buffer[bit >> 3] ^= 1 << (bit & 7)
        assert receiver.decode(buffer, len(buffer)) == (MALFORMED if bit < 16 else CORRUPT), bit
        buffer[bit >> 3] ^= 1 << (bit & 7)
    assert receiver.decode(buffer, len(buffer)) == BEACON


def test_every_pair_of_flipped_bits_is_noticed():
    """What a flip does to the checksum is the same in every frame, so two go unnoticed only if they do the same to it."""
    buffer = bytearray(24)
    clean = crc16(buffer, 24)
    changes = {1 << bit for bit in range(16)}  # flips in the checksum itself
    for bit in range(8 * len(buffer)):
        buffer[bit >> 3] ^= 1 << (bit & 7)
        changes.add(crc16(buffer, 24) ^ clean)
        buffer[bit >> 3] ^= 1 << (bit & 7)
    assert len(changes) == 16 + 8 * 24 and 0 not in changes


def test_every_pair_of_flipped_neighbours_is_noticed():
    receiver = wire()
    buffer = frame()
    for bit in range(16, 8 * len(buffer) - 1):
        for each in (bit, bit + 1):
            buffer[each >> 3] ^= 1 << (each & 7)
        assert receiver.decode(buffer, len(buffer)) == CORRUPT, bit
        for each in (bit, bit + 1):
            buffer[each >> 3] ^= 1 << (each & 7)


def test_what_is_sealed_well_but_not_ours():
    cases = (
        (with_byte(2, 2), OTHER_VERSION),
        (with_byte(2, 0), OTHER_VERSION),
        (frame(cluster="greenhouses"), OTHER_CLUSTER),
        (frame(cluster=""), OTHER_CLUSTER),
        (frame(peers=(0, 1, 2, 3)), OTHER_EXPECTATIONS),
        (frame(peers=(1, 2, 3)), OTHER_EXPECTATIONS),
        (frame(quorum=3), OTHER_EXPECTATIONS),
        (frame(cluster="x", quorum=3), OTHER_CLUSTER),
        (with_byte(16, 0x40), CORRUPT),  # a nonce beyond 2**30
        (sealed(frame(nonce=0)), CORRUPT),
        (with_byte(20, 0x40), CORRUPT),  # a sequence beyond 2**30
    )
    for number, (buffer, expected) in enumerate(cases):
        assert wire().decode(buffer, len(buffer)) == expected, number


def test_an_id_that_no_member_can_have_is_none():
    buffer = with_byte(12, 0x40)
    receiver = wire()
    assert receiver.decode(buffer, len(buffer)) == BEACON
    assert receiver.peer_id == -1


def test_unknown_flags_are_let_pass():
    buffer = with_byte(3, 0xFF)
    receiver = wire()
    assert receiver.decode(buffer, len(buffer)) == BEACON
    assert receiver.flags & (ASKING | READY) == ASKING | READY


def test_rosters_in_another_order_are_the_same():
    buffer = frame(peers=(2, 0, 1))
    assert wire(peer_id=0, peers=(1, 2, 0)).decode(buffer, len(buffer)) == BEACON


def test_a_checksum_quotes_nobody():
    assert Checksum().quotes_for(200) == 0 and len(wire().quotes) == 0
    receiver = wire()
    buffer = frame()
    receiver.decode(buffer, len(buffer))
    assert not receiver.is_quoted(buffer, 0x12345678)
