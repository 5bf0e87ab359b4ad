"""On MicroPython: the time of Faction.process, and of a console's poll; what process allocates.

    micropython speed.py ROUNDS

Prints JSON: {what: a list of times in ns, one for each round}, and "allocated": [the bytes]. A time is that of one call in a loop.
"loop" is that of the loop alone, and "call" that of an empty method call with two arguments in it. The kinds take turns in each
round. Compare the least times only: other programs add to all of them, and take from none.
"""

import json
import sys
import time

import micropython

from faction import PARTICIPATION_OBSERVED, READY_OBSERVED, Config, Faction
from faction.console import Console
from faction.node import Node

_CALLS = 800  # of each kind in a round
_FLOODED = 5  # polls in a flood, each of which takes much longer
_SPARSE = [3, 90, 1000, 70000, 9999999]


class Empty:
    def call(self, command, peer_id):
        pass


class Line:
    """A stream with the same byte for ever, or with none. Nobody reads what is written to it."""

    def __init__(self, byte):
        self._byte = byte

    def any(self):
        return self._byte >= 0

    def readinto(self, buffer):
        buffer[0] = self._byte
        return 1

    def write(self, buffer):
        return None


def console_on(byte):
    """Return a console on whose line this byte comes for ever; -1: none comes."""
    node = Node(Config(0, range(5), 5), None, "speed", 1000, seed=1)
    return Console(node, Line(byte))


class Calls:
    """As many calls as a round has of each kind: one for each target and number."""

    def __init__(self, targets, numbers):
        self.targets = targets
        self.numbers = numbers

    def _since(self, start):
        return (time.time_ns() - start) / len(self.targets) / len(self.numbers)

    def loop(self):
        start = time.time_ns()
        for _ in self.targets:
            for _ in self.numbers:
                pass
        return self._since(start)

    def empty(self):
        start = time.time_ns()
        for target in self.targets:
            for number in self.numbers:
                target.call(READY_OBSERVED, number)
        return self._since(start)

    def signals(self, command):
        start = time.time_ns()
        for target in self.targets:
            for number in self.numbers:
                target.process(command, number)
        return self._since(start)

    def accepted(self):
        """Return the time in which every id is accepted, as the mean of both signals."""
        for machine in self.targets:
            machine.reset()
            machine.process(READY_OBSERVED, machine.config.peer_id)  # out of INITIAL, whose first signal moves the state
        return (self.signals(PARTICIPATION_OBSERVED) + self.signals(READY_OBSERVED)) / 2

    def polls(self):
        start = time.time_ns()
        for target in self.targets:
            for _ in self.numbers:
                target.poll()
        return self._since(start)


def machine_for(ids, quorum):
    return Faction(Config(ids[0], ids, quorum))


def signals_of(ids):
    """Return the calls about all of these ids but the first, with as many machines as that takes."""
    return Calls([machine_for(ids, len(ids)) for _ in range(-(-_CALLS // len(ids)))], ids[1:])


def times(rounds):
    """Return {what: a list of times in ns}."""
    numbers = list(range(_CALLS))
    plain = Calls([Empty()], numbers)
    five, five_sparse = signals_of(list(range(5))), signals_of(_SPARSE)
    thousand, thousand_sparse = signals_of(list(range(1000))), signals_of(list(range(5, 7005, 7)))
    calls = (
        ("loop", plain.loop),
        ("call", plain.empty),
        ("5", five.accepted),
        ("5 loop", five.loop),
        ("5 sparse", five_sparse.accepted),
        ("5 sparse loop", five_sparse.loop),
        ("1000", thousand.accepted),
        ("duplicate", lambda: thousand.signals(READY_OBSERVED)),
        ("1000 sparse", thousand_sparse.accepted),
        ("idle", Calls([console_on(-1)], numbers).polls),
        ("zeros", Calls([console_on(0)], numbers[:_FLOODED]).polls),
        ("text", Calls([console_on(ord("x"))], numbers[:_FLOODED]).polls),
    )
    found = {kind: [] for kind, _ in calls}
    for _ in range(rounds):
        for kind, call in calls:
            found[kind].append(call())
    return found


def allocated(ids, call):
    """Return the bytes that calls take, the transient ones included, for every command and id, hostile ones too."""
    total = 0
    for quorum in (1, len(ids)):
        machine = machine_for(ids, quorum)
        for command in (0, 1, 0, 5, 5, 0, 1, 2, 1, 5, 1, 4, 3, 0, 5, 9, -1, 1 << 70):
            for peer_id in (ids[0], ids[1], ids[-1], -1, 1 << 30, 1 << 70, -(1 << 70)):
                before = micropython.mem_total()
                between = micropython.mem_total()
                call(machine, command, peer_id)
                total += micropython.mem_total() - between - (between - before)
    return total


def process(machine, command, peer_id):
    machine.process(command, peer_id)


def admits(machine, command, peer_id):
    machine.admits(command, peer_id)


def admissible(machine, command, peer_id):
    machine.admissible()


def reset(machine, command, peer_id):
    machine.reset()


def main():
    ids = (_SPARSE, list(range(64)), list(range(1000)), list(range(5, 7005, 7)))
    calls = (process, admits, admissible, reset)
    result = times(int(sys.argv[1]))
    result["allocated"] = [sum([allocated(each, call) for each in ids for call in calls])]
    json.dump(result, sys.stdout)


main()
