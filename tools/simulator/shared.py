"""What all boards of a simulation compute alike, computed once: a board would do it for itself.

Both are functions of bytes and of the configuration alone. The shipped code computes each result when it is needed for the
first time; then it is only looked up. So nothing is modelled twice, and no history changes.

 - ``Wire.decode`` of a frame. One frame reaches many receivers, each of which finds the same in it.
 - ``Config.index`` of a peer id.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING

from faction.node import Node
from faction.wire import BEACON, Wire

if TYPE_CHECKING:
    from .board import SimulatedBoard

_MOST_FRAMES = 64  # that are known at a time: those that are under way
_CHECKS = slice(4, 12)  # of a frame: the cluster, the roster and the quorum that it is for

Fields = tuple[int, ...]
# All that decode sets, in the order in which _lookup sets it. A test compares it with what the shipped method changes.
fields_of: Callable[[Wire], Fields] = attrgetter(
    "flags", "peer_id", "nonce", "sequence", "start", "run_age", "question_age", "first", "count", "unit"
)


class Decoded:
    """What the boards of one simulation have found in frames."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], dict[bytes, Fields]] = {}

    def share(self, node: Node, board: SimulatedBoard) -> None:
        """Let a node that board runs look up what others have decoded, and positions in its roster.

        Frames are only shared among nodes for which they mean the same: with the same cluster, roster, quorum and length of frame.
        """
        wire = node.wire
        known = self._known.setdefault((wire.length, bytes(wire.outbox[_CHECKS])), {})
        setattr(wire, "decode", _lookup(wire, known, board))  # noqa: B010  for the type checker a method is no variable
        setattr(node.config, "index", _Positions(node.config.index).__getitem__)  # noqa: B010


def _lookup(wire: Wire, known: dict[bytes, Fields], board: SimulatedBoard) -> Callable[[int], int]:
    """Return what stands in for wire.decode. Only frames that are beacons are kept."""
    decode = wire.decode

    def find(length: int) -> int:
        frame = board.latest
        fields = known.get(frame)
        if fields is None or length != len(frame):  # a frame that is too long for the inbox was cut
            verdict = decode(length)
            if verdict == BEACON and length == len(frame):
                if len(known) >= _MOST_FRAMES:
                    known.clear()
                known[frame] = fields_of(wire)
            return verdict
        (
            wire.flags,
            wire.peer_id,
            wire.nonce,
            wire.sequence,
            wire.start,
            wire.run_age,
            wire.question_age,
            wire.first,
            wire.count,
            wire.unit,
        ) = fields
        return BEACON

    return find


class _Positions(dict[int, int]):
    """Positions of members by their id. Strangers are not kept: there is no end of them."""

    def __init__(self, index: Callable[[int], int]) -> None:
        super().__init__()
        self._index = index

    def __missing__(self, peer_id: int) -> int:
        position = self._index(peer_id)
        if position >= 0:
            self[peer_id] = position
        return position
