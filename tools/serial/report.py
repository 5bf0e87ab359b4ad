"""What one board has answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import printable
from ..wording import first_few


def board_name(peer_id: int, name: str | None) -> str:
    """Return a board's id, and its name if it has one: "0 (north)"."""
    return str(peer_id) if name is None else f"{peer_id} ({printable(name)})"


def names(boards: Iterable[Report]) -> str:
    """Return the names of boards for a line of text."""
    return first_few(list(dict.fromkeys([board.name for board in boards])))


@dataclass
class Report:
    """What one board has answered.

    ``answers``      the answer to each command, as faction.console gives it to programs
    ``is_at_repl``   whether its program was interrupted, so that it sits at its REPL
    ``stands_still`` whether its node is not polled: the board answers, but the time of its node does not go on
    ``taken``        when the last answer came, in seconds since 1970
    ``fault``        why there is no answer; empty if there is one
    """

    port: str
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_at_repl: bool = False
    stands_still: bool = False
    taken: float = 0.0
    fault: str = ""

    @property
    def peer_id(self) -> int:
        """Return the id that the board says it has."""
        return int(self.answers["probe"]["id"])

    @property
    def name(self) -> str:
        """Return its id, and its name if it has one."""
        return board_name(self.peer_id, self.answers["probe"].get("name"))

    @property
    def state(self) -> int:
        """Return its state code."""
        return int(self.answers["probe"]["state"])

    @property
    def last_error(self) -> str:
        """Return what its program failed with last; empty if it has not failed, or runs a version that does not tell."""
        return printable(self.answers["probe"].get("last_error") or "")

    @cached_property
    def peers(self) -> dict[int, list[Any]]:
        """Return the rows [id, name, heard, ready, age_cs, restarts, said_cs] by id, ascending; see faction.console.

        A board of an earlier version gives no said_cs. It knows only what it hears itself, so said_cs is age_cs.
        """
        return {row[0]: [*row[:7], row[4]][:7] for row in sorted(self.answers["peers"]["peers"], key=lambda row: row[0])}

    def hears(self, peer_id: int) -> bool:
        """Return whether a frame of this peer itself has come in this run."""
        return bool(self.peers[peer_id][2])

    def is_told_of(self, peer_id: int) -> bool:
        """Return whether it knows this peer through others alone."""
        *_, said_cs = self.peers[peer_id]
        return not self.hears(peer_id) and said_cs >= 0
