"""What the simulator computes once for all boards is what each board would compute: no field and no history differs."""

import json
import random

import pytest

from faction import Config
from faction.node import Node
from faction.wire import BEACON, CORRUPT, Checksum, Wire
from faction_tools.simulator import history, shared
from faction_tools.simulator.outcome import outcome
from faction_tools.simulator.scenario import Scenario, load, shipped
from faction_tools.simulator.simulation import Simulation
from faction_tools.simulator.timeline import NEVER

CHANGES = (
    ("greenhouse", "medium.duplication=0.3", "medium.corruption=0.2"),
    ("greenhouse", "medium.delay_ms=0.0", "medium.access=free"),
    ("greenhouse", "cluster.tick_bits=16", "cluster.drift_ppm=10000.0", "cluster.retries=2", "cluster.deadline_ms=2500"),
    ("greenhouse", "cluster.key=true", "medium.max_length=150"),
    ("greenhouse", "cluster.nodes=30", "medium.max_length=80"),  # frames that do not tell of all boards
)


def everything(scenario, seed):
    run = Simulation(scenario, seed, record=True).run()
    counters = [list(board.node.counters) if board.node else None for board in run.boards]
    said = [list(board.node.peers.said) if board.node else None for board in run.boards]
    return json.dumps([history.history(run), outcome(run), counters, said], sort_keys=True)


@pytest.mark.parametrize("words", [(name,) for name in shipped()] + list(CHANGES), ids=" ".join)
def test_each_board_for_itself_has_the_same_history(words, monkeypatch):
    name, *changes = words
    scenario = load(name, changes)
    found = everything(scenario, 11)
    monkeypatch.setattr(shared.Decoded, "share", lambda *_: None)
    assert everything(scenario, 11) == found


class Receiver:
    """A board, as far as shared decoding knows it."""

    latest = b""


class Silence:
    """A transport that nothing comes from."""

    max_length = 250

    def send(self, buffer, length):
        pass

    def receive(self, buffer):
        return -1


def make_node(peer_id=0, count=6, quorum=3):
    return Node(Config(peer_id, range(count), quorum), Silence(), "shared", 1000, seed=1 + peer_id)


def frames(draw):
    """Iterate frames of all kinds: whole, damaged, of others, cut, too long."""
    for sequence in range(1, 300):
        wire = Wire(Config(draw.randrange(6), range(6), draw.choice([3, 3, 3, 4])), draw.choice(["shared", "shared", "other"]), Checksum())
        wire.flags, wire.nonce, wire.sequence = draw.randrange(4), draw.randrange(1, 2**30), sequence
        wire.run_age, wire.question_age, wire.unit = draw.randrange(2**15), draw.randrange(2**15), draw.randrange(16)
        wire.encode()
        frame = bytes(wire.outbox)
        if draw.random() < 0.3:
            at = draw.randrange(len(frame))
            frame = frame[:at] + bytes([frame[at] ^ 1 << draw.randrange(8)]) + frame[at + 1 :]
        yield draw.choice([frame, frame, frame, frame[: draw.randrange(len(frame))], frame + bytes(draw.randrange(300))])


def test_a_frame_that_was_looked_up_sets_all_that_decoding_sets():
    """All attributes are compared, also those that a later version of Wire may have."""
    together, boards = shared.Decoded(), [Receiver() for _ in range(3)]
    nodes, alone = [make_node() for _ in boards], make_node()
    for node, board in zip(nodes, boards):
        together.share(node, board)
    counted = {}
    for frame in frames(random.Random(3)):
        length = min(len(frame), len(alone.wire.inbox))
        alone.wire.inbox[:length] = frame[:length]
        verdict = alone.wire.decode(length)
        counted[verdict] = counted.get(verdict, 0) + 1
        for node, board in zip(nodes, boards):
            board.latest = frame
            node.wire.inbox[:length] = frame[:length]
            assert node.wire.decode(length) == verdict
            if verdict == BEACON:
                assert shared.fields_of(node.wire) == shared.fields_of(alone.wire) and numbers(node.wire) == numbers(alone.wire)
    assert counted[BEACON] > 50 and counted[CORRUPT] > 50 and len(counted) > 4


def numbers(wire):
    return {name: value for name, value in vars(wire).items() if isinstance(value, int)}


def test_nodes_for_which_a_frame_means_something_else_share_nothing():
    together, board = shared.Decoded(), Receiver()
    ours, other = make_node(), make_node(quorum=4)
    for node in (ours, other):
        together.share(node, board)
    sender = make_node(peer_id=2).wire
    sender.nonce = sender.sequence = 5
    sender.encode()
    board.latest = bytes(sender.outbox)
    for node in (ours, other, ours, other):
        node.wire.inbox[: len(board.latest)] = board.latest
    assert [node.wire.decode(len(board.latest)) == BEACON for node in (ours, other, ours, other)] == [True, False, True, False]


def test_positions_of_members_and_strangers():
    config, twin = Config(7, [1, 7, 300], 2), Config(7, [1, 7, 300], 2)
    node = Node(config, Silence(), "shared", 1000, seed=1)
    shared.Decoded().share(node, Receiver())
    for _ in range(2):
        assert [config.index(each) for each in range(-2, 400)] == [twin.index(each) for each in range(-2, 400)]
    assert all(config.index(each) == -1 for each in range(10_000, 20_000))
    assert len(config.index.__self__) == 3


def test_a_poll_is_planned_once():
    """No board has two polls at one time, whatever frames move forward and back."""
    data = load("greenhouse", ["cluster.nodes=6", "medium.loss=0.3"]).model_dump()
    run = Simulation(Scenario.model_validate(data), 5)
    steps = 0
    while run.timeline.run(1, NEVER):
        steps += 1
        planned = [(when, board.index) for when, _, _, board in run.timeline._heap if board in run.boards]
        assert len(planned) == len(set(planned))
    assert steps > 300
