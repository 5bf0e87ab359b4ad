"""On MicroPython: the time of Faction.process, and of a console's poll, as multiples of an empty method call; what process allocates.

    micropython speed.py ROUNDS

Prints JSON: lists of one ratio a round, and the bytes. Within a round, the calls compared take short turns, one roster each,
so that a change of the processor's pace hits both; the time of the bare loop is subtracted from each.
"""

import json
import sys
import time

import micropython

from faction import PARTICIPATION_OBSERVED, READY_OBSERVED, Config, Faction
from faction.console import Console
from faction.node import Node

_POLLS = 400  # of a console in a round
_CALLS = 4000  # of each kind in a round
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


def polls(console, numbers):
    start = time.ticks_us()
    for _ in numbers:
        console.poll()
    return time.ticks_diff(time.ticks_us(), start)


def loop(ids):
    start = time.ticks_us()
    for _ in ids:
        pass
    return time.ticks_diff(time.ticks_us(), start)


def empty(ids):
    target = Empty()
    start = time.ticks_us()
    for peer_id in ids:
        target.call(READY_OBSERVED, peer_id)
    return time.ticks_diff(time.ticks_us(), start)


def signals(machine, command, ids):
    start = time.ticks_us()
    for peer_id in ids:
        machine.process(command, peer_id)
    return time.ticks_diff(time.ticks_us(), start)


def accepted(machine, ids):
    """Return the time in which every id but our own is accepted twice, once for each set."""
    machine.reset()
    machine.process(READY_OBSERVED, ids[0])  # out of INITIAL, whose first signal moves the state
    return signals(machine, PARTICIPATION_OBSERVED, ids[1:]) + signals(machine, READY_OBSERVED, ids[1:])


def one_round(machine, ids):
    """Return the times of (accepted signals, duplicates, empty calls), without that of the bare loop."""
    times = [0, 0, 0]
    calls = ids[1:]
    for _ in range(_CALLS // len(calls)):
        bare = loop(calls)
        times[0] += accepted(machine, ids) / 2 - bare
        times[1] += signals(machine, READY_OBSERVED, calls) - bare
        times[2] += empty(calls) - bare
    return times


def machine_for(ids, quorum):
    return Faction(Config(ids[0], ids, quorum))


def ratios(rounds):
    """Return {what: a list of ratios}."""
    kinds = {"5": list(range(5)), "5 sparse": _SPARSE, "1000": list(range(1000)), "1000 sparse": list(range(5, 7005, 7))}
    machines = {kind: machine_for(ids, len(ids)) for kind, ids in kinds.items()}
    found = {kind: [] for kind in kinds}
    found["duplicate"] = []
    found["1000 / 5"] = []
    found["1000 / 5 sparse"] = []
    consoles = {"idle": console_on(-1), "zeros": console_on(0), "text": console_on(ord("x"))}
    found.update({kind: [] for kind in consoles})
    numbers = list(range(_POLLS))
    for _ in range(rounds):
        cost = {}
        for kind, ids in kinds.items():
            accepted_us, duplicates_us, empty_us = one_round(machines[kind], ids)
            cost[kind] = accepted_us / empty_us
            found[kind].append(cost[kind])
            if kind == "5":
                found["duplicate"].append(duplicates_us / empty_us)
        for kind, console in consoles.items():
            bare = loop(numbers)
            found[kind].append((polls(console, numbers) - bare) / (empty(numbers) - bare))
        found["1000 / 5"].append(cost["1000"] / cost["5"])
        found["1000 / 5 sparse"].append(cost["1000 sparse"] / cost["5 sparse"])
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
    result = ratios(int(sys.argv[1]))
    result["allocated"] = sum([allocated(each, call) for each in ids for call in calls])
    print(json.dumps(result))


main()
