"""Random runs of the machine and of its journal, against the specification written down once more, with plain sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

import faction as f
from faction.journal import Journal, replay
from faction.view import ClusterView

MAX_ID = 2**30 - 1
RULES = {"majority": lambda n: n // 2 + 1, "byzantine": lambda n: 2 * n // 3 + 1, "everyone": lambda n: n}


@dataclass
class Model:
    """The machine as a reader of the specification would write it who cares for nothing but that."""

    peer_id: int
    peers: frozenset[int]
    quorum: int
    state: int = f.INITIAL
    is_local_done: bool = False
    pinging: set[int] = field(default_factory=set)
    collecting: set[int] = field(default_factory=set)

    @property
    def is_concluded(self) -> bool:
        return self.state in (f.BOOTSTRAPPED, f.TIMED_OUT)

    def process(self, command: int, peer_id: int) -> int:
        reason = self.refusal(command, peer_id)
        if reason:
            return f.REJECTED | reason
        if command == f.PROBE:
            return f.PROBED
        if command == f.DEADLINE_EXPIRED:
            self.state = f.TIMED_OUT
            return f.ACCEPTED | f.CONCLUDED_TIMED_OUT
        if command == f.LOCAL_PARTICIPATION_COMPLETED:
            return self._complete_local()
        if command == f.WITHDRAWAL_OBSERVED:
            self.pinging.discard(peer_id)
            self.collecting.discard(peer_id)
            return f.ACCEPTED | f.WITHDRAWAL_ACCEPTED
        return self._observe(command, peer_id)

    def refusal(self, command: int, peer_id: int) -> int:
        """Return the first reason that applies, or 0."""
        takes_peer = command in (f.PARTICIPATION_OBSERVED, f.READY_OBSERVED, f.WITHDRAWAL_OBSERVED)
        withdraws = command == f.WITHDRAWAL_OBSERVED
        known = self.pinging if command == f.PARTICIPATION_OBSERVED else self.collecting
        local_or_participation = command in (f.PARTICIPATION_OBSERVED, f.LOCAL_PARTICIPATION_COMPLETED)
        reasons = (
            (command not in range(6), f.UNKNOWN_COMMAND),
            (command == f.PROBE, 0),
            (self.is_concluded, f.CONCLUDED),
            (self.state == f.COLLECTING and local_or_participation, f.NOT_ADMISSIBLE),
            (withdraws and (self.state == f.INITIAL or peer_id == self.peer_id), f.NOT_ADMISSIBLE),
            (takes_peer and peer_id not in self.peers, f.NON_MEMBER),
            (withdraws and peer_id not in self.pinging | self.collecting, f.NOTHING_OBSERVED),
            (takes_peer and not withdraws and peer_id in known, f.DUPLICATE),
        )
        return next((reason for applies, reason in reasons if applies), 0)

    def _complete_local(self) -> int:
        self.is_local_done = True
        self.collecting.add(self.peer_id)
        self.state = f.COLLECTING
        return f.ACCEPTED | f.LOCAL_COMPLETED | f.BROADCAST_READY | self._check_quorum()

    def _observe(self, command: int, peer_id: int) -> int:
        if self.state == f.INITIAL:
            self.state = f.PINGING
        if command == f.PARTICIPATION_OBSERVED:
            self.pinging.add(peer_id)
            return f.ACCEPTED | f.PARTICIPATION_ACCEPTED
        self.collecting.add(peer_id)
        return f.ACCEPTED | f.READY_ACCEPTED | (self._check_quorum() if self.state == f.COLLECTING else 0)

    def _check_quorum(self) -> int:
        if len(self.collecting) < self.quorum:
            return 0
        self.state = f.BOOTSTRAPPED
        return f.CONCLUDED_BOOTSTRAPPED

    def admissible_commands(self) -> list[tuple[int, int]]:
        pairs = [(c, p) for c in (f.PARTICIPATION_OBSERVED, f.READY_OBSERVED) for p in sorted(self.peers)]
        pairs += [(c, f.NO_PEER) for c in (f.LOCAL_PARTICIPATION_COMPLETED, f.DEADLINE_EXPIRED, f.PROBE)]
        pairs += [(f.WITHDRAWAL_OBSERVED, p) for p in sorted(self.peers)]
        return [pair for pair in pairs if not self.refusal(*pair)]


@dataclass(frozen=True)
class Drawn:
    """What a Config is made of, and what it comes to."""

    peer_id: int
    peers: list[int]
    quorum: int
    rule: str | None

    def config(self) -> f.Config:
        return f.Config(self.peer_id, self.peers, getattr(f, self.rule) if self.rule else self.quorum)

    def model(self) -> Model:
        return Model(self.peer_id, frozenset(self.peers), self.quorum)


@st.composite
def clusters(draw: st.DrawFn) -> Drawn:
    """Draw a cluster of up to 70 peers: contiguous, close together or far apart, in any order."""
    row = st.tuples(st.integers(0, MAX_ID - 70), st.integers(1, 70)).map(lambda pair: list(range(pair[0], sum(pair))))
    close = st.lists(st.integers(0, 80), min_size=1, max_size=70, unique=True)
    apart = st.lists(st.integers(0, MAX_ID), min_size=1, max_size=12, unique=True)
    peers = draw(st.one_of(row.flatmap(st.permutations), close, apart))
    rule = draw(st.sampled_from([None, *RULES]))
    quorum = RULES[rule](len(peers)) if rule else draw(st.integers(1, len(peers)))
    return Drawn(draw(st.sampled_from(peers)), peers, quorum, rule)


SIGNALS = [f.PARTICIPATION_OBSERVED, f.READY_OBSERVED, f.WITHDRAWAL_OBSERVED]
COMMANDS = st.sampled_from(SIGNALS[:2] * 6 + [f.WITHDRAWAL_OBSERVED] * 3 + [f.LOCAL_PARTICIPATION_COMPLETED] * 2 + [f.PROBE])


@st.composite
def runs(draw: st.DrawFn) -> tuple[Drawn, list[tuple[int, int]]]:
    """Draw a cluster and commands for it: mostly sensible ones, with the deadline late if at all, and some of any kind."""
    cluster = draw(clusters())
    member = st.sampled_from(cluster.peers)
    near = st.builds(lambda peer_id, offset: peer_id + offset, member, st.sampled_from([-1, 1]))
    peer_ids = st.one_of(member, member, near, st.just(f.NO_PEER), st.integers(-(2**70), 2**70))
    steps = draw(st.lists(st.tuples(COMMANDS, peer_ids), max_size=120))
    deadline = st.tuples(st.just(f.DEADLINE_EXPIRED), peer_ids)
    tail = draw(st.lists(st.one_of(deadline, st.tuples(st.integers(-9, 9), peer_ids), st.tuples(st.integers(), peer_ids)), max_size=6))
    return cluster, steps + tail


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[int, ...]] = []

    def observe(self, machine: f.Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        self.events.append((command, peer_id, previous_state, machine.state, result))

    def observe_query(self, machine: f.Faction) -> None:
        self.events.append((machine.state,))

    def observe_rejection(self, machine: f.Faction, command: int, peer_id: int, result: int) -> None:
        self.events.append((command, peer_id, machine.state, result))


def event(command: int, peer_id: int, previous_state: int, state: int, result: int) -> tuple[int, ...]:
    """Return what Recorder keeps of a call of process."""
    if result & f.PROBED:
        return (state,)
    return (command, peer_id, state, result) if result & f.REJECTED else (command, peer_id, previous_state, state, result)


def assert_same(machine: f.Faction, model: Model) -> None:
    """Check everything that the machine shows."""
    assert machine.state == model.state
    assert machine.is_concluded is model.is_concluded
    assert machine.is_pinging_completed is model.is_local_done
    for peers, expected in ((machine.pinging, model.pinging), (machine.collecting, model.collecting)):
        assert list(peers) == sorted(expected)
        assert peers.count == len(peers) == len(expected)


@given(runs())
@settings(deadline=None)
def test_the_machine_is_the_model(run: tuple[Drawn, list[tuple[int, int]]]) -> None:
    cluster, commands = run
    recorder = Recorder()
    model = cluster.model()
    express, watched = f.Faction(cluster.config()), f.Faction(cluster.config(), recorder)
    events = []
    for command, peer_id in commands:
        before = model.state
        admits = [machine.admits(command, peer_id) for machine in (express, watched)]
        result = model.process(command, peer_id)
        assert admits == [not result & f.REJECTED] * 2
        assert express.process(command, peer_id) == result
        assert watched.process(command, peer_id) == result
        events.append(event(command, peer_id, before, model.state, result))
    assert recorder.events == events
    assert_same(express, model)
    assert_same(watched, model)


@given(runs())
@settings(deadline=None)
def test_what_is_admissible_is_what_the_model_would_accept(run: tuple[Drawn, list[tuple[int, int]]]) -> None:
    cluster, commands = run
    model, machine = cluster.model(), f.Faction(cluster.config())
    for command, peer_id in commands:
        model.process(command, peer_id)
        machine.process(command, peer_id)
    expected = model.admissible_commands()
    assert list(machine.admissible_commands()) == expected
    assert machine.admissible() == sum({1 << command for command, _ in expected})
    assert_same(machine, model)


@given(runs(), runs())
@settings(deadline=None, max_examples=50)
def test_a_reset_machine_is_a_new_one(run: tuple[Drawn, list[tuple[int, int]]], other: tuple[Drawn, list[tuple[int, int]]]) -> None:
    cluster, commands = run
    fresh, used = f.Faction(cluster.config()), f.Faction(cluster.config())
    for command, peer_id in other[1]:
        used.process(command, peer_id)
    for peer_id in cluster.peers[::2]:
        used.process(f.PARTICIPATION_OBSERVED, peer_id)
        used.process(f.READY_OBSERVED, peer_id)
    used.reset()
    assert_same(used, cluster.model())
    assert [used.process(*command) for command in commands] == [fresh.process(*command) for command in commands]


@given(clusters(), st.integers(-(2**70), 2**70))
def test_a_config_finds_every_peer(cluster: Drawn, other: int) -> None:
    config = cluster.config()
    ids = sorted(cluster.peers)
    assert (config.peer_id, list(config.peers), config.quorum) == (cluster.peer_id, ids, cluster.quorum)
    assert [config.index(peer_id) for peer_id in ids] == list(range(len(ids)))
    for peer_id in {other, *(i + 1 for i in ids), *(i - 1 for i in ids)} - set(ids):
        assert config.index(peer_id) == -1


Accepted = tuple[int, int, int]
Rejected = tuple[int, int, int, int]


@dataclass
class Kept:
    """What a journal has to keep, with plain lists."""

    capacity: int
    accepted: list[Accepted] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def take(self, command: int, peer_id: int, result: int) -> None:
        if result & f.REJECTED:
            self.rejected.append((len(self.accepted), command, peer_id, result))
        elif result & f.ACCEPTED:
            if len(self.accepted) == self.capacity:
                self._fold()
            self.accepted.append((command, peer_id if command in SIGNALS else f.NO_PEER, result))

    def _fold(self) -> None:
        """Leave out the oldest withdrawal, and what it took back."""
        last = next(i for i, record in enumerate(self.accepted) if record[0] == f.WITHDRAWAL_OBSERVED)
        stays = [i > last or record[1] != self.accepted[last][1] for i, record in enumerate(self.accepted)]
        self.accepted = [record for record, kept in zip(self.accepted, stays) if kept]
        self.rejected = [(sum(stays[:before]), *rest) for before, *rest in self.rejected]


@given(runs(), st.integers(0, 5))
@settings(deadline=None)
def test_a_journal_keeps_what_the_model_accepted_and_replays_it(run: tuple[Drawn, list[tuple[int, int]]], room: int) -> None:
    cluster, commands = run
    assert_kept(cluster, commands, room)


@st.composite
def wavering_runs(draw: st.DrawFn) -> tuple[Drawn, list[tuple[int, int]]]:
    """Draw a small cluster that needs all its peers, and so many signals that most have to be left out."""
    peers = draw(st.lists(st.integers(0, 20), min_size=1, max_size=4, unique=True))
    signals = st.tuples(st.sampled_from(SIGNALS), st.sampled_from(peers))
    end = draw(st.sampled_from([[], [(f.DEADLINE_EXPIRED, f.NO_PEER)]]))
    before, after = draw(st.lists(signals, max_size=80)), draw(st.lists(signals, max_size=80))
    return Drawn(peers[0], peers, len(peers), None), before + [(f.LOCAL_PARTICIPATION_COMPLETED, f.NO_PEER)] + after + end


@given(wavering_runs(), st.integers(0, 5))
@settings(deadline=None)
def test_a_journal_of_any_length_replays(run: tuple[Drawn, list[tuple[int, int]]], room: int) -> None:
    cluster, commands = run
    for length in range(0, len(commands) + 1, max(1, len(commands) // 8)):
        assert_kept(cluster, commands[:length], room)


def assert_kept(cluster: Drawn, commands: list[tuple[int, int]], room: int) -> None:
    """Let a journal record the commands; compare what it has with what it must have, and with the machine."""
    model = cluster.model()
    journal = Journal(cluster.config(), room)
    machine = f.Faction(cluster.config(), journal)
    kept = Kept(2 * len(cluster.peers) + 2)
    count = 0
    for command, peer_id in commands:
        result = model.process(command, peer_id)
        machine.process(command, peer_id)
        kept.take(command, peer_id, result)
        count += bool(result & f.ACCEPTED)
    assert list(journal) == kept.accepted
    assert (journal.lost, journal.folded) == (0, count - len(kept.accepted))
    rejected = kept.rejected
    assert list(journal.rejections()) == rejected[len(rejected) - room if room < len(rejected) else 0 :]
    assert journal.dropped == max(0, len(rejected) - room)
    replayed = replay(cluster.config(), journal)
    assert_same(replayed, model)
    assert ClusterView(replayed) == ClusterView(machine)
    assert list(replayed.admissible_commands()) == model.admissible_commands()
