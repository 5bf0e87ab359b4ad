"""An intruder: it records what is on the airs, plays it back, and makes frames of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faction import Config
from faction.key import Key
from faction.wire import _NO_AGE as NO_AGE
from faction.wire import _READY_BIT as READY_BIT
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import ASKING, READY, Checksum, Wire

from .medium import Medium
from .scenario import ClusterSettings, IntruderSettings
from .timeline import US, Timeline

MOST_RECORDED = 10_000  # frames
WRONG_SECRET = b"a secret of the intruder"


class Intruder:
    """An intruder on all airs. It acts at regular times until the simulation ends, on all of them at once."""

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
        self._recorded: list[bytes] = []
        for medium in media:
            medium.listeners.append(self._record)
        timeline.at(int(settings.every_ms * US), self._act)

    def _record(self, sender: int, frame: bytes) -> None:
        if len(self._recorded) < MOST_RECORDED:
            self._recorded.append(frame)

    def _act(self, _: None) -> None:
        """Play back a frame, or make one, or both."""
        settings, recorded = self._settings, self._recorded
        if settings.replays and recorded:
            self._inject(recorded[int(self._random() * len(recorded))])
        if settings.forges:
            self._inject(self._forged())
        self._timeline.at(self._timeline.now + int(settings.every_ms * US), self._act)

    def _inject(self, frame: bytes) -> None:
        for medium in self._media:
            medium.inject(frame)

    def _forged(self) -> bytes:
        """Return a frame that claims that a board is ready. Its seal is worth nothing, because the intruder does not know the secret."""
        count = self._cluster.nodes
        config = Config(int(self._random() * count), range(count), self._cluster.quorum_count())
        wire = Wire(config, self._cluster_name, Key(WRONG_SECRET) if self._cluster.key else Checksum())
        wire.flags = ASKING | READY
        wire.nonce = 1 + int(self._random() * 2**29)
        wire.sequence = 1 + int(self._random() * 100)
        wire.run_age = wire.question_age = NO_AGE
        for at in range(STATEMENTS, STATEMENTS + 2 * wire.room, 2):
            wire.outbox[at] = READY_BIT >> 8
        wire.encode()
        return bytes(wire.outbox)
