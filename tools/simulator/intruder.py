"""An intruder: it records what is on the air, plays it back, and makes frames of its own."""

from __future__ import annotations

from collections.abc import Callable

from faction import Config
from faction.key import Key
from faction.wire import ASKING, READY, Wire

from .medium import Medium
from .scenario import ClusterSettings, IntruderSettings
from .shortcuts import FastChecksum
from .timeline import US, Timeline

MOST_RECORDED = 10_000  # frames
WRONG_SECRET = b"a secret of the intruder"


class Intruder:
    """An intruder on a medium. It acts at regular times until the simulation ends."""

    def __init__(
        self,
        settings: IntruderSettings,
        cluster: ClusterSettings,
        cluster_name: str,
        medium: Medium,
        timeline: Timeline,
        random: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._cluster_name = cluster_name
        self._medium = medium
        self._timeline = timeline
        self._random = random
        self._recorded: list[bytes] = []
        medium.listeners.append(self._record)
        timeline.at(int(settings.every_ms * US), self._act)

    def _record(self, sender: int, frame: bytes) -> None:
        if len(self._recorded) < MOST_RECORDED:
            self._recorded.append(frame)

    def _act(self, _: None) -> None:
        """Play back a frame, or make one, or both."""
        settings, recorded = self._settings, self._recorded
        if settings.replays and recorded:
            self._medium.inject(recorded[int(self._random() * len(recorded))])
        if settings.forges:
            self._medium.inject(self._forged())
        self._timeline.at(self._timeline.now + int(settings.every_ms * US), self._act)

    def _forged(self) -> bytes:
        """Return a frame that claims that a board is ready. Its seal is worth nothing, because the intruder does not know the secret."""
        count = self._cluster.nodes
        config = Config(int(self._random() * count), range(count), self._cluster.quorum_count())
        wire = Wire(config, self._cluster_name, Key(WRONG_SECRET) if self._cluster.key else FastChecksum())
        frame = bytearray(wire.length)
        wire.encode(frame, ASKING | READY, 1 + int(self._random() * 2**29), 1 + int(self._random() * 100))
        return bytes(frame)
