"""What is recorded of a run for pictures, pages and journals."""

from __future__ import annotations

from faction import Config, Faction
from faction.journal import Journal
from faction.observer import Observer, Observers

from .timeline import Timeline

_FLAGS = 3  # the place of the flags in a frame


class Recording:
    """What a run has left. All of it is empty if the run was not recorded.

    ``frames``    (microseconds, index of the sender, flags) of each frame sent
    ``learned``   (microseconds, index, command, peer id) of each command that a machine has accepted
    ``journals``  by the index of a board: the Journal of each of its boots
    """

    def __init__(self, timeline: Timeline) -> None:
        self.frames: list[tuple[int, int, int]] = []
        self.learned: list[tuple[int, int, int, int]] = []
        self.journals: dict[int, list[Journal]] = {}
        self.timeline = timeline

    def take_frame(self, sender: int, frame: bytes) -> None:
        """Record a frame that a board sends."""
        self.frames.append((self.timeline.now, sender, frame[_FLAGS]))

    def observer(self, index: int, config: Config) -> Observer:
        """Return the observer for a new boot of a board. It fills a new journal, too."""
        journal = Journal(config)
        self.journals.setdefault(index, []).append(journal)
        return Observers(journal, _Learning(self, index))


class _Learning(Observer):
    """Records what a machine accepts."""

    def __init__(self, recording: Recording, index: int) -> None:
        self._recording = recording
        self._index = index

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        self._recording.learned.append((self._recording.timeline.now, self._index, command, peer_id))
