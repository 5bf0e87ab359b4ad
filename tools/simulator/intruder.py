"""An intruder: it records what is on the airs, plays it back, and makes frames of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faction import Config
from faction.key import Key
from faction.wire import _NO_AGE as NO_AGE
from faction.wire import _READY_BIT as READY_BIT
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import ASKING, READY, Checksum, Wire, get

from .medium import Medium
from .scenario import ClusterSettings, IntruderSettings
from .timeline import US, Timeline

MOST_RECORDED = 10_000  # frames
LATEST = 8  # frames
FLAGS, ID, NONCE = 3, 12, 16  # their places in a frame
WRONG_SECRET = b"a secret of the intruder"


class Intruder:
    """An intruder on all airs, on all of them at once. It acts until the simulation ends: at regular times, or behind each frame."""

    def __init__(
        self,
        settings: IntruderSettings,
        cluster: ClusterSettings,
        cluster_name: str,
        media: Sequence[Medium],
        timeline: Timeline,
        random: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._media = media
        self._timeline = timeline
        self._random = random
        self._recorded: list[bytes] = []  # what it plays back: see IntruderSettings
        self._waiting: list[bytes] = []  # frames that ask, of runs that have not ended yet
        self._nonces: dict[int, int] = {}  # of the latest run of each sender
        self._wires: dict[int, Wire] = {}  # of the boards for which it makes frames
        for medium in media:
            medium.taps.append(self._hear)
        if settings.behind_ms is None:
            timeline.at(int(settings.every_ms * US), self._act_again)

    def _hear(self, frame: bytes) -> None:
        """Record a frame that has just ended, and plan to act behind it."""
        if len(self._recorded) + len(self._waiting) < MOST_RECORDED:
            self._record(frame)
        if self._settings.behind_ms is not None:
            self._timeline.at(self._timeline.now + int(self._settings.behind_ms * US), self._act)

    def _record(self, frame: bytes) -> None:
        if self._settings.kind == "all":
            self._recorded.append(frame)
            return
        sender, nonce = get(frame, ID), get(frame, NONCE)
        if self._nonces.get(sender, nonce) != nonce:  # its run before has ended
            self._recorded += [each for each in self._waiting if get(each, ID) == sender]
            self._waiting = [each for each in self._waiting if get(each, ID) != sender]
        self._nonces[sender] = nonce
        if frame[FLAGS] & ASKING:
            self._waiting.append(frame)

    def _act(self, _: None) -> None:
        """Play back a frame, or make one, or both."""
        if self._settings.replays and self._recorded:
            self._inject(self._chosen())
        if self._settings.forges:
            self._inject(self._forged())

    def _act_again(self, _: None) -> None:
        self._act(None)
        self._timeline.at(self._timeline.now + int(self._settings.every_ms * US), self._act_again)

    def _chosen(self) -> bytes:
        """Return a recorded frame by chance: any one, or as often one of the latest."""
        count = len(self._recorded)
        if self._settings.behind_ms is not None and self._random() < 0.5:
            return self._recorded[-1 - int(self._random() * min(count, LATEST))]
        return self._recorded[int(self._random() * count)]

    def _inject(self, frame: bytes) -> None:
        for medium in self._media:
            medium.inject(frame)

    def _forged(self) -> bytes:
        """Return a frame that claims that a board is ready. Its seal is worth nothing, because the intruder does not know the secret."""
        peer_id = int(self._random() * self._cluster.nodes)
        if peer_id not in self._wires:
            self._wires[peer_id] = self._wire(peer_id)
        wire = self._wires[peer_id]
        wire.nonce = 1 + int(self._random() * 2**29)
        wire.sequence = 1 + int(self._random() * 100)
        wire.encode()
        return bytes(wire.outbox)

    def _wire(self, peer_id: int) -> Wire:
        """Return what writes the frames that a board never sent: it is ready, and so are all others."""
        config = Config(peer_id, range(self._cluster.nodes), self._cluster.quorum_count())
        wire = Wire(config, self._cluster_name, Key(WRONG_SECRET) if self._cluster.key else Checksum())
        wire.flags = ASKING | READY
        wire.run_age = wire.question_age = NO_AGE
        for at in range(STATEMENTS, STATEMENTS + 2 * wire.room, 2):
            wire.outbox[at] = READY_BIT >> 8
        return wire
