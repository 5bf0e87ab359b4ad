"""Frames as another node would send them, with any content, for the tests of wire, peers and node."""

from faction import Config
from faction.wire import ASKING, READY, Checksum, Wire

# Private constants of faction.wire. A board has no name for them.
NO_AGE = 0x7FFF
READY_BIT = 0x8000
STATEMENTS = 36
START_ZERO = 0x20000000
MAX_LENGTH = 250

UNIT = 3  # of the ages: 8 ms


class Speaker:
    """A member that says what it is told to say.

    ``frame`` makes one frame. Ages are in units of 8 ms. statements: {peer id: (age, is ready)}; of itself a speaker says what
    the flags say. start_ms: until the common start; None: it knows of none. proof: the words of faction.key.
    """

    def __init__(self, peer_id=1, peers=(0, 1, 2), quorum=None, cluster="greenhouse", seal=None, nonce=5):
        config = Config(peer_id, peers, len(peers) if quorum is None else quorum)
        self.config = config
        self.wire = Wire(config, cluster, seal or Checksum())
        self.nonce = nonce
        self.sequence = 0

    def frame(
        self,
        flags=ASKING,
        statements=None,
        nonce=None,
        sequence=None,
        proof=(),
        start_ms=None,
        run_age=NO_AGE - 1,
        question_age=NO_AGE,
        first=0,
    ):
        self.sequence = self.sequence + 1 if sequence is None else sequence
        wire = self.wire
        wire.flags = flags
        wire.nonce = self.nonce if nonce is None else nonce
        wire.sequence = self.sequence
        wire.start = 0 if start_ms is None else START_ZERO + start_ms
        wire.unit = UNIT
        wire.run_age = run_age
        wire.question_age = question_age
        wire.first = first
        known = dict(statements or {})
        known.setdefault(self.config.peer_id, (0, flags & READY))
        for i in range(wire.room):
            age, is_ready = known.get(self.config.peers[first + i], (NO_AGE, False))
            wire.outbox[STATEMENTS + 2 * i] = age >> 8 | (0x80 if is_ready else 0)
            wire.outbox[STATEMENTS + 2 * i + 1] = age & 0xFF
        for i in range(len(wire.proof)):
            wire.proof[i] = proof[i] if i < len(proof) else 0
        wire.encode()
        return bytearray(wire.outbox)


def frame(peer_id=1, flags=ASKING, nonce=5, sequence=1, peers=(0, 1, 2), quorum=None, cluster="greenhouse", **others):
    """Return one frame of a member."""
    return Speaker(peer_id, peers, quorum, cluster, nonce=nonce).frame(flags, sequence=sequence, **others)


def sealed(buffer):
    """Return the frame with the checksum that its other bytes ask for."""
    end = len(buffer) - Checksum.size
    Checksum().sign(buffer, end, memoryview(buffer)[:end])
    return buffer


def decode(wire, data, length=None):
    """Put bytes into the inbox of a wire, and return what it says to the first length of them; all, if there is no length."""
    for i in range(min(len(data), len(wire.inbox))):
        wire.inbox[i] = data[i]
    return wire.decode(len(data) if length is None else length)
