"""What is recorded of a run for pictures, pages and journals."""

from __future__ import annotations

from collections.abc import Callable

from faction import DEADLINE_EXPIRED, LOCAL_PARTICIPATION_COMPLETED, NO_PEER, Config, Faction
from faction.journal import Journal
from faction.observer import Observer, Observers
from faction.peers import _NEVER

from .board import SimulatedBoard
from .intruder import FLAGS
from .timeline import Timeline


class Recording:
    """What a run has left. All of it is empty if the run was not recorded.

    ``frames``    (microseconds, index of the sender, flags, name of the air) of each frame sent; a bridge sends one on each air
    ``learned``   (microseconds, index, command, peer id, teller) of each command that a machine has accepted. teller: the id of the
                  peer whose frame taught it; NO_PEER if no frame did
    ``journals``  by the index of a board: the Journal of each of its boots
    """

    def __init__(self, timeline: Timeline) -> None:
        self.frames: list[tuple[int, int, int, str]] = []
        self.learned: list[tuple[int, int, int, int, int]] = []
        self.journals: dict[int, list[Journal]] = {}
        self.timeline = timeline

    def listener(self, air: str) -> Callable[[int, bytes], None]:
        """Return what records the frames that boards send on an air."""

        def take_frame(sender: int, frame: bytes) -> None:
            self.frames.append((self.timeline.now, sender, frame[FLAGS], air))

        return take_frame

    def observer(self, board: SimulatedBoard, config: Config) -> Observer:
        """Return the observer for a new boot of a board. It fills a new journal, too."""
        journal = Journal(config)
        self.journals.setdefault(board.index, []).append(journal)
        return Observers(journal, _Learning(self, board))


class _Learning(Observer):
    """Records what a machine accepts."""

    def __init__(self, recording: Recording, board: SimulatedBoard) -> None:
        self._recording = recording
        self._board = board

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        teller = self._teller(command, peer_id)
        self._recording.learned.append((self._recording.timeline.now, self._board.index, command, peer_id, teller))

    def _teller(self, command: int, peer_id: int) -> int:
        """Return the sender of the frame that the board is taking in, if that is where a command came from."""
        node = self._board.node
        if node is None or command in (LOCAL_PARTICIPATION_COMPLETED, DEADLINE_EXPIRED):
            return NO_PEER
        is_forgotten = node.peers.said[node.config.index(peer_id)] == _NEVER  # it is withdrawn because nobody has heard of it
        return NO_PEER if is_forgotten else node.wire.peer_id
