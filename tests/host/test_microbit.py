"""The machine on an emulated micro:bit: MicroPython 1.9.2, Cortex-M0, 16 KB of RAM."""

import ast
import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from needs import NO_MICROBIT, NO_MICROPYTHON, require

from faction import (
    BOOTSTRAPPED,
    COLLECTING,
    CONCLUDED_BOOTSTRAPPED,
    INITIAL,
    PINGING,
    PROBED,
    REJECTED,
    TIMED_OUT,
    UNKNOWN_COMMAND,
    Config,
)
from faction.node import Node
from faction.transports.udp import UDP
from faction_tools.dev import microbit
from faction_tools.dev.cluster import BoardProcess, ProcessCluster, local
from portable.helpers import AGAIN, CLOSED, HEARD, LATE, LOCAL, NOTHING, READY, REFUSED, STRANGER, WITHDRAWN

ROOT = Path(__file__).parents[2]

require(NO_MICROPYTHON)
require(NO_MICROBIT)

# How peers 0, 1, 2, 3 with a quorum of 3 get into each state; then what each command gets there, and the state behind it:
# (command, peer): a new member, a member that is in the set, and a stranger; then those without a peer; then withdrawals of a
# member that was heard, of one that was not, of ourselves and of a stranger; then a probe, and what is no command.
WAYS = {
    INITIAL: (),
    PINGING: ((0, 1), (1, 1)),
    COLLECTING: ((0, 1), (1, 1), (2, -1)),
    BOOTSTRAPPED: ((1, 1), (1, 2), (2, -1)),
    TIMED_OUT: ((3, -1),),
}
COMMANDS = (
    (0, 2),
    (0, 1),
    (0, 9),
    (1, 2),
    (1, 1),
    (1, 1 << 40),
    (2, -1),
    (3, -1),
    (5, 1),
    (5, 2),
    (5, 0),
    (5, 9),
    (4, -1),
    (6, 0),
    (-1, 0),
)
EXPECTED = {
    INITIAL: (HEARD, HEARD, STRANGER, READY, READY, STRANGER, LOCAL, LATE) + (REFUSED,) * 4,
    PINGING: (HEARD, AGAIN, STRANGER, READY, AGAIN, STRANGER, LOCAL, LATE, WITHDRAWN, NOTHING, REFUSED, STRANGER),
    COLLECTING: (REFUSED, REFUSED, REFUSED, READY | CONCLUDED_BOOTSTRAPPED, AGAIN, STRANGER, REFUSED, LATE)
    + (WITHDRAWN, NOTHING, REFUSED, STRANGER),
    BOOTSTRAPPED: (CLOSED,) * 12,
    TIMED_OUT: (CLOSED,) * 12,
}
BEHIND = {
    INITIAL: (PINGING, PINGING, INITIAL, PINGING, PINGING, INITIAL, COLLECTING, TIMED_OUT),
    PINGING: (PINGING,) * 6 + (COLLECTING, TIMED_OUT),
    COLLECTING: (COLLECTING,) * 3 + (BOOTSTRAPPED,) + (COLLECTING,) * 3 + (TIMED_OUT,),
    BOOTSTRAPPED: (BOOTSTRAPPED,) * 8,
    TIMED_OUT: (TIMED_OUT,) * 8,
}


def loaded(board):
    board.free = board.load_machine()


@pytest.fixture(scope="module")
def boards():
    """Three boards that have loaded the machine and nothing else. They load side by side: an emulator that waits takes a core, too."""
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        made = [stack.enter_context(microbit.Microbit()) for _ in range(3)]
        microbit.pieces()  # once for all: CPython 3.11 raises SystemError where two threads parse at a time
        list(pool.map(loaded, made))
        yield made


@pytest.fixture
def board(boards):
    """The first of them."""
    return boards[0]


def test_the_machine_leaves_room_on_16_kilobytes(board):
    board.run("make(0, (0, 1, 2, 3, 4), 4)")
    with_machine = int(board.run("gc.collect()\nprint(gc.mem_free())"))
    print(f"\nheap left: {board.free} bytes behind machine.py, {with_machine} with a machine of five peers")
    assert board.free > 4000 and board.free - with_machine < 1000


def test_every_cell_of_the_matrix(board):
    board.run("make(0, (0, 1, 2, 3), 3)")
    for state, way in WAYS.items():
        results = EXPECTED[state] + (PROBED, REJECTED | UNKNOWN_COMMAND, REJECTED | UNKNOWN_COMMAND)
        behind = BEHIND[state] + (state,) * 7
        for (command, peer_id), result, following in zip(COMMANDS, results, behind):
            board.run(f"m.reset()\nfor each in {way!r}: m.process(*each)")
            said = board.run(f"do({command}, {peer_id})").split()[:2]
            assert [int(each) for each in said] == [result, following], (state, command, peer_id)


def test_ids_with_gaps(board):
    """They are found without what machine.py has for many of them, and which is not on this board."""
    board.run("make(3, (3, 90, 1000, 1073741823), 4)")
    found = [
        board.run(f"gc.collect()\ndo({command}, {peer_id})") for command, peer_id in ((0, 3), (1, 1073741823), (1, 90), (1, 1), (1, 4096))
    ]
    assert [int(each.split()[0]) for each in found] == [HEARD, READY, READY, STRANGER, STRANGER]


def test_the_example_of_the_readme(board):
    function = ast.parse((ROOT / "tests/portable/test_crate_example.py").read_text()).body[-1]
    names = {name: value for name, value in vars(__import__("faction")).items() if type(value) is int}
    for node in function.body[2:]:  # behind the imports
        line = ast.unparse(microbit._Literal(names).visit(node))
        board.run("gc.collect()")
        board.run(line)
    assert board.run("print(config.quorum, machine.state)") == f"4 {BOOTSTRAPPED}\n"


def microseconds(board):
    """Return the emulated time of a duplicate, and of an accepted signal, without that of an empty call."""
    board.run("make(0, tuple(range(40)), 40)\nimport utime\nclass Empty:\n def process(self, command, peer_id): pass")
    board.run(
        "def time(target, command, same):\n t=utime.ticks_us()\n for i in range(1, 40): target.process(command, same or i)\n"
        " print(utime.ticks_diff(utime.ticks_us(), t))"
    )
    board.run("m.process(1, 39)\nm.process(0, 39)\ngc.collect()")
    return [int(board.run(f"time({call})")) / 39 for call in ("Empty(), 1, 0", "m, 1, 0", "m, 1, 1")]


def test_the_time_of_a_signal_is_deterministic(boards):
    measured = [microseconds(fresh) for fresh in boards[1:]]
    empty, accepted, duplicate = measured[0]
    print(f"\nemulated: empty call {empty:.0f} us, process {accepted:.0f} us accepted, {duplicate:.0f} us duplicate")
    assert all(abs(a - b) <= 0.05 * a for a, b in zip(*measured)), measured
    assert empty < duplicate < accepted * 1.2 < 20 * empty


def test_three_boards_and_two_processes_become_one_cluster(boards):
    settings = local(5, 5, interval_ms=300, deadline_ms=30_000)

    def gateway(board, own):
        config = Config(own["peer_id"], own["peers"], own["quorum"])
        transport = own["transport"]
        to = [(each.split(":")[0], int(each.split(":")[1])) for each in transport["to"]]
        node = Node(config, UDP(transport["port"], to, "127.0.0.1"), own["cluster"], own["deadline_ms"], own["interval_ms"])
        node.machine = node.peers.machine = microbit.RemoteMachine(board, config)
        return node

    async def run():
        async with ProcessCluster([BoardProcess(each) for each in settings[3:]]) as cluster:
            nodes = [gateway(board, own) for board, own in zip(boards, settings)]
            for node in nodes:
                node.poll()
                node.complete()

            def all_concluded():
                states = [node.poll() for node in nodes] + [member.state for member in cluster.members]
                return all(state >= BOOTSTRAPPED for state in states)

            assert await cluster.until(all_concluded, 40)
            assert [member.state for member in cluster.members] == [BOOTSTRAPPED] * 2
        return [int(board.run("print(m.state)")) for board in boards]

    assert asyncio.run(run()) == [BOOTSTRAPPED] * 3
