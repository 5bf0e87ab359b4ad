"""Which board of a roster each board is that is plugged in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import printable
from .entries import BoardEntry
from .plugged import Plugged
from .roster import Roster

# Asks a person for the place of a board, among those that are free; None: it gets none.
Ask = Callable[[Plugged, Sequence[BoardEntry]], "BoardEntry | None"]


@dataclass
class Matching:
    """Who is who.

    ``boards``   {id of a board of the roster: what is plugged in}
    ``refused``  one line for each board that has no place
    """

    boards: dict[int, Plugged] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def new_ids(self, roster: Roster) -> dict[int, str]:
        """Return the hardware ids that are not in the roster yet, by the ids of the boards."""
        known = {board.id for board in roster.boards if board.hardware_id}
        return {peer_id: found.hardware_id for peer_id, found in self.boards.items() if found.hardware_id and peer_id not in known}


def match(roster: Roster, found: Iterable[Plugged], ask: Ask | None) -> Matching:
    """Find the place of each board: by its hardware id; else by the configuration on it; else ask a person for it.

    ask: None: nobody can be asked. Boards that both claim one place get none, or a person decides.
    """
    made = Matching()
    unknown = []
    for board in _usable(found, made):
        entry = board.board(roster)
        if entry is None:
            unknown.append(board)
        else:
            made.boards[entry.id] = board
    for board in _by_configuration(roster, unknown, made, is_told=ask is None):
        _place(roster, board, made, ask)
    return made


def _usable(found: Iterable[Plugged], made: Matching) -> list[Plugged]:
    """Return the boards that can have a place; refuse the others."""
    groups: dict[str, list[Plugged]] = defaultdict(list)
    for board in found:
        if board.fault:
            made.refused.append(board.fault)
        elif board.kind is None:
            what = printable(board.machine or board.platform)
            made.refused.append(f"{board.place}: is {what}, and faction does not run on that; unplug it, or name the ports of the others")
        else:
            groups[board.hardware_id or board.place].append(board)
    for number, boards in groups.items():
        if len(boards) > 1:
            places = " and ".join(board.place for board in boards)
            made.refused.append(f"{places}: have the same hardware id {number}, so nobody knows which is which; unplug all but one of them")
    return [boards[0] for boards in groups.values() if len(boards) == 1]


def _by_configuration(roster: Roster, unknown: Iterable[Plugged], made: Matching, is_told: bool) -> list[Plugged]:
    """Give boards the places that the configurations on them name, and return the others. is_told: nobody can be asked about them."""
    claims: dict[int, list[Plugged]] = defaultdict(list)
    rest = []
    for board in unknown:
        entry = board.claimed(roster)
        if entry is None or entry.id in made.boards:
            rest.append(board)
        else:
            claims[entry.id].append(board)
    for peer_id, boards in claims.items():
        if len(boards) == 1:
            made.boards[peer_id] = boards[0]
        elif is_told:
            made.refused.append(_both(roster, peer_id, boards))
        else:
            rest += boards
    return rest


def _both(roster: Roster, peer_id: int, boards: Sequence[Plugged]) -> str:
    places = " and ".join(board.place for board in boards)
    ids = " or ".join(board.hardware_id or "none" for board in boards)
    name = roster.board(str(peer_id)).name
    return f"{places}: both say that they are {name}; write the hardware_id of the right one into the roster: {ids}"


def _place(roster: Roster, board: Plugged, made: Matching, ask: Ask | None) -> None:
    """Let a person give a board its place."""
    free = free_places(roster, board, made)
    if not free:
        kind = board.kind
        made.refused.append(f"{_who(board)}: no board of kind {kind} in the roster is free for it; add one under [[boards]], or unplug it")
    elif ask is None:
        names = ", ".join(each.name for each in free)
        remedy = f"run this in a terminal to be asked for its place, or write its hardware_id into the roster: free are {names}"
        made.refused.append(f"{_who(board)}: is not in the roster; {remedy}")
    else:
        entry = ask(board, free)
        if entry is None:
            made.refused.append(f"{_who(board)}: got no place; run this again to give it one")
        else:
            made.boards[entry.id] = board


def _who(board: Plugged) -> str:
    return f"{board.place}: hardware id {board.hardware_id}" if board.hardware_id else f"{board.place}: a board without a hardware id"


def free_places(roster: Roster, board: Plugged, made: Matching) -> list[BoardEntry]:
    """Return the boards of the roster that a board could be: of its kind, without a hardware id, and not here yet."""
    return [each for each in roster.boards if each.kind == board.kind and each.hardware_id is None and each.id not in made.boards]
