"""A record of the commands that a machine accepted, and how to rebuild the machine from the record.

A Journal is an observer. Its constructor allocates all its storage. In a run without withdrawals a machine accepts at
most 2 * n + 2 commands for n peers: n participations, n readinesses, one completion and one deadline. The journal has room
for these.

A run with withdrawals may be longer. When the journal is full, it leaves out its oldest withdrawal, with the records that
this withdrawal takes back: the participation and the readiness of the same peer before it. Without them the machine comes
to the same state, and gives the same results to all other commands. So a journal has room for every run, and it always
holds enough to rebuild the state.
"""

from array import array

from .machine import INITIAL, NO_PEER, READY_OBSERVED, WITHDRAWAL_OBSERVED, Config, Faction
from .names import command_name, describe
from .observer import Observer

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Iterable, Iterator

    from .node import Node

_RECORD = const(5)  # bytes: command, index of the peer (2; 0xFFFF for none), result (2)
_NO_INDEX = const(0xFFFF)
_MAX_CS = const(0x1FFFFFFF)  # of Node.uptime_cs


class Journal(Observer):
    """The accepted commands of one machine, in order, and its latest rejections if you want them.

    ``len()`` is the number of accepted commands in it. Iteration gives each as (command, peer_id, result).
    ``folded`` counts accepted commands that were left out: withdrawals, and what they took back. The state is the same without.
    ``lost`` counts accepted commands that found no room. It is above 0 only if ``clear`` was not called before a second run.
    ``dropped`` counts rejections that gave their place to newer ones.
    """

    def __init__(self, config: Config, rejections: int = 0) -> None:
        """Make a journal for at most 65,535 peers. rejections: how many of the latest rejections it keeps. Allocates."""
        self._config = config
        # The records, one after the other.
        self._records = bytearray(_RECORD * (2 * len(config.peers) + 2))
        # Four entries for each rejection. A list takes a reference to any int, so it keeps a big one without allocation.
        self._rejections = [0] * (4 * rejections)
        self._node: Node | None = None  # whose uptime comes with each record
        self.clear()

    def follow(self, node: "Node") -> None:
        """Record the uptime of node with each command from now on, and clear the journal when a new run begins. Allocates."""
        self._node = node
        # The uptime at each command.
        self._times_cs = array("I", bytes(4 * (2 * len(self._config.peers) + 2)))

    def clear(self) -> None:
        """Forget everything. Call it together with Faction.reset. Allocates nothing."""
        self._used = 0  # bytes of the records
        self._rejected = 0  # rejections since the journal was cleared
        self.lost = 0
        self.folded = 0

    @property
    def dropped(self) -> int:
        """Return how many rejections are no longer kept. Allocates nothing."""
        return max(0, self._rejected - len(self._rejections) // 4)

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        """Record an accepted command. Allocates nothing; interrupt handlers may call it.

        In a full journal it takes a time that grows with the number of peers, as records move.
        """
        if self._node is not None and self._used and previous_state == INITIAL:
            self.clear()
        if self._used >= len(self._records):
            self._fold()
        if self._used >= len(self._records):
            self.lost += 1
            return
        if self._node is not None:
            self._times_cs[self._used // _RECORD] = self._node.uptime_cs
        peer_id = self._config.index(peer_id) if command <= READY_OBSERVED or command == WITHDRAWAL_OBSERVED else _NO_INDEX
        self._append(command, peer_id, result)

    def _append(self, command: int, index: int, result: int) -> None:
        records = self._records
        at = self._used
        records[at] = command
        records[at + 1] = index & 0xFF
        records[at + 2] = index >> 8
        records[at + 3] = result & 0xFF
        records[at + 4] = result >> 8
        self._used = at + _RECORD

    # What runs while recording needs at most eleven slots in each function: see machine.py.

    def _fold(self) -> None:
        """Leave out the oldest withdrawal and the records of its peer before it. Without a withdrawal nothing changes."""
        records = self._records
        last = 0
        while last < self._used and records[last] != WITHDRAWAL_OBSERVED:
            last += _RECORD
        if last >= self._used:
            return
        at = to = 0
        while at < self._used:
            # No record has moved to the place of the withdrawal before it is passed.
            if at <= last and records[at + 1] == records[last + 1] and records[at + 2] == records[last + 2]:
                self._leave_out(to // _RECORD)
            else:
                self._move(at, to)
                to += _RECORD
            at += _RECORD
        self._used = to

    def _leave_out(self, number: int) -> None:
        """Count the record of this number as left out. Later rejections have one record fewer before them."""
        self.folded += 1
        kept = self._rejections
        for at in range(0, len(kept), 4):
            if kept[at] > number:
                kept[at] -= 1

    def _move(self, at: int, to: int) -> None:
        """Move a record, and its time, towards the beginning."""
        records = self._records
        if at > to:
            for i in range(_RECORD):
                records[to + i] = records[at + i]
            if self._node is not None:
                self._times_cs[to // _RECORD] = self._times_cs[at // _RECORD]

    def observe_rejection(self, machine: Faction, command: int, peer_id: int, result: int) -> None:
        """Record a rejection in the place of the oldest one. Allocates nothing; interrupt handlers may call it."""
        kept = self._rejections
        if self._node is not None and self._used and machine.state == INITIAL:
            self.clear()
        if kept:
            at = self._rejected * 4 % len(kept)
            kept[at] = self._used // _RECORD
            kept[at + 1] = command
            kept[at + 2] = peer_id
            kept[at + 3] = result
        self._rejected += 1

    def __len__(self) -> int:
        return self._used // _RECORD

    def __iter__(self) -> "Iterator[tuple[int, int, int]]":
        for at in range(0, self._used, _RECORD):
            command, low, high, result, result_high = self._records[at : at + _RECORD]
            index = low | high << 8
            peer_id = NO_PEER if index == _NO_INDEX else self._config.peers[index]
            yield command, peer_id, result | result_high << 8

    def rejections(self) -> "Iterator[tuple[int, int, int, int]]":
        """Iterate over the rejections that are kept, the oldest first. Allocates.

        Each is (number of records before it, command, peer_id, result). These are accepted commands that were not left out.
        """
        room = len(self._rejections) // 4
        for i in range(max(0, self._rejected - room), self._rejected):
            at = i % room * 4
            before, command, peer_id, result = self._rejections[at : at + 4]
            yield before, command, peer_id, result

    def lines(self) -> "Iterator[str]":
        """Iterate over the record as lines of text. Allocates.

        The first line is the configuration: "journal 1 id=0 quorum=2 peers=0,1,7 dropped=0 lost=0". If the journal follows
        a node, " age_cs=N" is added: the hundredths of a second since the first command. If commands were left out,
        " folded=N" is added: their number. Then comes one line for each command, "command CS COMMAND PEER RESULT", with CS
        counted from the first command; then one line for each rejection, "rejection BEFORE COMMAND PEER RESULT", with the
        number of commands before it. The last line is "end NUMBER", with the number of lines between. Commands and results
        are codes. What was left out counts nowhere else: the first command is the first that is there.
        """
        line = ""
        for piece in self.pieces():
            line += piece
            if piece.endswith("\n"):
                yield line[:-1]
                line = ""

    def pieces(self) -> "Iterator[str]":
        """Iterate over the same text in short pieces. Each line ends with a line feed, which is the last of a piece. Allocates.

        The length of a piece does not depend on the number of peers.
        """
        config = self._config
        yield "journal 1 id=%d quorum=%d peers=" % (config.peer_id, config.quorum)
        comma = ""
        for peer_id in config.peers:
            yield "%s%d" % (comma, peer_id)
            comma = ","
        yield " dropped=%d lost=%d" % (self.dropped, self.lost)
        if self._node is not None:
            yield " age_cs=%d" % self._since(self._node.uptime_cs)
        yield " folded=%d\n" % self.folded if self.folded else "\n"
        number = 0
        for command, peer_id, result in self:
            at_cs = 0 if self._node is None else self._since(self._times_cs[number])
            yield "command %d %d %d %d\n" % (at_cs, command, peer_id, result)
            number += 1
        for rejection in self.rejections():
            yield "rejection %d %d %d %d\n" % rejection
            number += 1
        yield "end %d\n" % number

    def _since(self, uptime_cs: int) -> int:
        """Return the time of an event, counted from the first command."""
        return uptime_cs - self._times_cs[0] & _MAX_CS if self._used else 0


def replay(config: Config, records: "Iterable[tuple[int, int, int]]") -> Faction:
    """Return a machine that has processed the records: a Journal, or tuples (command, peer_id, result).

    Raises ValueError if a result differs from the recorded one, for example because config is not that of the record,
    and if the Journal has lost commands. Allocates.
    """
    lost = getattr(records, "lost", 0)
    if lost:
        raise ValueError("journal: %d accepted commands are lost; call clear() whenever you reset the machine" % lost)
    machine = Faction(config)
    for number, (command, peer_id, result) in enumerate(records):
        got = machine.process(command, peer_id)
        if got != result:
            raise ValueError(
                "record %d, %s of peer %d: recorded as %s, replayed as %s; was it recorded with this configuration?"
                % (number, command_name(command), peer_id, describe(result), describe(got))
            )
    return machine
