"""Abuse for which nobody has to play back frames under a key: python -m faction_tools.dev.verify.abuse [--runs 5].

It comes from the line, from the air, and from the program of a board. Boards with a key on a bad air are among it.

Each case broke a version of the package, and says what it reached there.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest import mock

from faction import BOOTSTRAPPED, TIMED_OUT, Config, Faction
from faction.clock import Clock
from faction.console import Answers, Console
from faction.journal import Journal
from faction.node import _MAX_MS, RECEIVE_FAILED, STALE, Node
from faction.observer import Observer
from faction.transports.ring import NOTHING, Ring
from faction.transports.uart import crc16
from faction.transports.udp import UDP
from faction.wire import _STATEMENTS, ASKING, OTHER_CLUSTER, READY, Checksum, Wire, digest

from ..convergence import lines, meetings
from .attacks import Attack, report

STEP_MS, INTERVAL_MS, DEADLINE_MS = 10, 100, 2000
CLUSTER = "abuse"
FLOOD = 10_000


class Port(Ring):
    """An end of the air: what the attacker puts into it is heard. ``fault``: what send and receive raise, if anything."""

    fault: Exception | None = None

    def send(self, buffer: bytearray, length: int) -> None:
        """Lose a frame."""
        if self.fault is not None:
            raise self.fault

    def receive(self, buffer: bytearray) -> int:
        """Take what the attacker has put into it."""
        length = super().receive(buffer)
        if length == NOTHING and self.fault is not None:
            raise self.fault
        return length


class Victim:
    """A node under abuse, and its time. peers: how many members it has."""

    def __init__(self, seed: int, peers: int = 3, transport: Any = None, **options: Any) -> None:
        self.ms = 0
        self.port = transport or Port(100)
        self.node = Node(
            Config(0, range(peers), peers),
            self.port,
            CLUSTER,
            DEADLINE_MS,
            interval_ms=INTERVAL_MS,
            clock=Clock(lambda: self.ms),
            seed=seed,
            **options,
        )

    def poll(self, times: int = 1) -> int:
        """Poll so often; return how many polls raised an exception."""
        raised = 0
        for _ in range(times):
            self.ms += STEP_MS
            try:
                self.node.poll()
            except Exception:
                raised += 1
        return raised

    def hear(self, frame: bytes) -> int:
        """Let the node hear a frame; return 1 if that raised an exception."""
        self.port.put(frame, len(frame))
        return self.poll()


def speaker(peers: int = 3, cluster: str = CLUSTER, peer_id: int = 1) -> Callable[[int], bytes]:
    """Return a function of a sequence: it makes a frame of a member that is READY, and knows nothing of the others."""
    wire = Wire(Config(peer_id, range(peers), peers), cluster, Checksum())
    wire.outbox[_STATEMENTS : _STATEMENTS + 2 * peers] = b"\x7f\xff" * peers

    def frame(sequence: int) -> bytes:
        wire.flags, wire.nonce, wire.sequence = ASKING | READY, 5, sequence
        wire.encode()
        return bytes(wire.outbox)

    return frame


class Flood:
    """A line on which one byte comes without an end, and of which nobody reads. ``reads``: how many bytes were read."""

    def __init__(self, byte: int) -> None:
        self.byte, self.reads = byte, 0

    def any(self) -> int:
        """Tell whether the flood goes on."""
        return int(self.reads < FLOOD)

    def readinto(self, buffer: bytearray) -> int:
        """Give one byte."""
        self.reads += 1
        buffer[0] = self.byte
        return 1

    def write(self, buffer: Any) -> int | None:
        """Take nothing."""
        return None


# The line


def floods(seed: int) -> int:
    """Return the most bytes that one poll of a console reads of a flood."""
    most = 0
    for byte in (0, 13, 27, random.Random(seed).randrange(4, 256)):
        line = Flood(byte)
        console = Console(Victim(seed).node, line)
        for _ in range(50):
            before = line.reads
            console.poll()
            most = max(most, line.reads - before)
    return most


def long_pieces(seed: int) -> int:
    """Return the characters of the longest piece of any answer about a thousand peers."""
    config = Config(0, range(0, 7000, 7), 1000)
    journal = Journal(config, 8)
    node = Node(config, Port(), CLUSTER, DEADLINE_MS, seed=seed, observer=journal)
    journal.follow(node)
    answers = Answers(node, journal, is_control_allowed=True)
    words = ("probe", "peers", "missing", "admissible", "config", "stats", "journal", "restart", "expire", "help")
    return max(len(piece) for word in words for line in (word, f"{word} json") for piece in answers.to(line))


def interrupts(seed: int) -> int:
    """Return how many of ten rows of one or two ctrl-C would end a program; 1.1 s lie between two rows."""
    chance, victim = random.Random(seed), Victim(seed)
    typed = bytearray()
    line = SimpleNamespace(any=lambda: len(typed), readinto=lambda buffer: buffer.__setitem__(0, typed.pop(0)) or 1, write=len)
    console = Console(victim.node, line)
    ended = 0
    for _ in range(10):
        typed += b"\x03" * chance.choice((1, 2))
        for _ in range(110):
            victim.poll()
            console.poll()
            ended += console.interrupts >= 3
    return ended


# The air


def damage(seed: int) -> int:
    """Return 1 if a member stays out whose sequence was damaged once; each of its frames comes twice."""
    victim, frame = Victim(seed, 2), speaker(2)
    victim.node.complete()
    first = random.Random(seed).randrange(1, 1000)
    for sequence in (1, 0x3FFFFFFF, *range(first, first + 8)):
        for _ in range(2):
            victim.hear(frame(sequence))
    return int(victim.node.counters[STALE] > 16)


def damaged_frames(seed: int) -> int:
    """Return how many of 45 damaged frames that pass the check of the line pass the one of the beacon, too."""
    chance, frame = random.Random(seed), bytearray(speaker()(seed))
    polynomial = 0x11021  # of the line; any multiple of it passes
    found = 0
    for _ in range(45):
        pattern = 0
        for shift in range(chance.randrange(1, 16)):
            pattern ^= (polynomial << shift) * chance.randrange(2)
        pattern = pattern or polynomial
        bits = int.from_bytes(frame, "big") ^ pattern << chance.randrange(8 * len(frame) - 40)
        broken = bits.to_bytes(len(frame), "big")
        assert crc16(broken, len(broken)) == crc16(frame, len(frame)), "the check of the line finds it"
        found += zlib.crc32(broken[:-4]) == int.from_bytes(broken[-4:], "little")
    return found


def reports(seed: int) -> int:
    """Return how often an observer is told of 20 boards of another cluster, with 45 beacons each."""
    told = []
    observer = Observer()
    observer.observe_conflict = lambda node, conflict, peer_id: told.append(conflict)  # type: ignore[method-assign]
    victim = Victim(seed, observer=observer)
    for sequence in range(45):
        for peer_id in range(20):
            victim.hear(speaker(20, "elsewhere", peer_id)(sequence))
    assert victim.node.counters[OTHER_CLUSTER] == 900
    return len(told)


def full_counters(seed: int) -> int:
    """Return how many polls raise, and how many counters wrap, where all of them are full."""
    victim, frame = Victim(seed), speaker()
    for i in range(len(victim.node.counters)):
        victim.node.counters[i] = _MAX_MS
    raised = sum(victim.hear(each) for each in (frame(1), frame(1), b"noise", speaker(3, "elsewhere")(1), frame(2)[:-1]))
    return raised + sum(count != _MAX_MS for count in victim.node.counters)


def lone_boards(seed: int) -> int:
    """Return after how many hundredths of an interval two lone boards with a key know of each other."""
    return round(100 * meetings(True, [seed])[0])


def blind_line(seed: int) -> int:
    """Return after how many seconds the last of 20 boards with a key is in, on an RS-485 line on which they collide."""
    return round(lines(19200, [seed])[0])


# The program


def observer_that_raises(seed: int) -> int:
    """Return 1 if a node whose observer raises at each call does not get its verdict from two READYs."""

    class Raises(Observer):
        def observe(self, *what: object) -> None:
            raise ValueError(what)

    victim = Victim(seed, observer=Raises())
    with suppress(ValueError):
        victim.node.complete()
    for peer_id in (1, 2):
        victim.hear(speaker(peer_id=peer_id)(1))
    victim.poll(5)
    return int(victim.node.machine.state != BOOTSTRAPPED)


def observer_that_restarts(seed: int) -> int:
    """Return 1 if a node whose observer restarts it at the time-out never times out again."""
    begun: list[int] = []

    class Restarts(Observer):
        def observe(self, machine: Faction, *what: object) -> None:
            if machine.state == TIMED_OUT:
                begun.append(victim.ms)
                victim.node.restart()

    victim = Victim(seed, observer=Restarts())
    victim.poll(5 * DEADLINE_MS // STEP_MS)
    return int(len(begun) < 4 or victim.node.remaining_ms == 0)


def faults(seed: int) -> int:
    """Return how many faults of a transport do not reach the caller, or make the deadline come late."""
    missed = 0
    for fault in (ValueError(seed), RuntimeError(), MemoryError(), KeyError(1), StopIteration()):
        victim = Victim(seed)
        victim.port.fault = fault
        raised = victim.poll(DEADLINE_MS // STEP_MS + 1)
        missed += raised <= DEADLINE_MS // STEP_MS or victim.node.machine.state != TIMED_OUT
    return missed


def closed_socket(seed: int) -> int:
    """Return how many of ten polls take a closed socket for a silent one."""
    transport = UDP(0, (("127.0.0.1", 9),), "127.0.0.1")
    victim = Victim(seed, transport=transport)
    transport.close()
    victim.poll(10)
    return 10 - victim.node.counters[RECEIVE_FAILED]


def no_entropy(seed: int) -> int:
    """Return how many boards without a source of random numbers are not told to give a seed."""
    refuses = SimpleNamespace(urandom=mock.Mock(side_effect=NotImplementedError))
    told = 0
    for source in (SimpleNamespace(), refuses):
        with mock.patch.dict("sys.modules", os=source):
            try:
                Node(Config(0, (0,), 1), Port(), CLUSTER, DEADLINE_MS)
            except ValueError as error:
                told += "give a new one at each boot" in str(error)
    return 2 - told


def equal_rosters(seed: int) -> int:
    """Return how many of a thousand rosters have the check of another one, of which two ids differ in a way that cancelled out."""
    chance, same = random.Random(seed), 0
    for _ in range(1000):
        first, second, last = (chance.randrange(1 << 30) for _ in range(3))
        same += digest([first, second, last]) == digest([first ^ 57739, second ^ 30745, last])
    return same + (digest([3, 4]) == digest([3, 4 + 1071514531]))


ATTACKS = (
    Attack("a flood at the console: bytes in a poll", f"{FLOOD:,}", floods, FLOOD, 32),
    Attack("answers about 1,000 peers: characters in a piece", "", long_pieces, 35_000, 200),
    Attack("one ctrl-C or two: programs ended", "10", interrupts, 10, 0),
    Attack("damage to a sequence: members that stay out", "1", damage, 1, 0),
    Attack("damage that the check of the line misses: believed", "45", damaged_frames, 45, 0),
    Attack("lone boards with a key: hundredths of an interval", "", lone_boards, 570, 150),
    Attack("20 boards with a key on a blind line: seconds", "", blind_line, 183, 60),
    Attack("20 boards of another cluster: reports", "900", reports, 900, 8),
    Attack("counters that are full: raised or wrapped", "", full_counters, 5, 0),
    Attack("an observer that raises: verdicts that are lost", "1", observer_that_raises, 1, 0),
    Attack("an observer that restarts: nodes that wait for ever", "1", observer_that_restarts, 1, 0),
    Attack("a transport with a fault: faults that are hidden", "5", faults, 5, 0),
    Attack("a closed socket: taken for silence", "10", closed_socket, 10, 0),
    Attack("no random numbers: boards that are not told", "2", no_entropy, 1, 0),
    Attack("ids that differ in two places: rosters taken for one", "1001", equal_rosters, 1000, 0),
)


def main(arguments: list[str] | None = None) -> int:
    """Try all; return 1 if one reaches more than it may."""
    return report("Abuse of the line, the air and the program", ATTACKS, arguments)


if __name__ == "__main__":
    sys.exit(main())
