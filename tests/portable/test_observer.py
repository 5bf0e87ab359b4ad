"""Observers: what they are told, when, and that nothing they do harms the machine."""

from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    COLLECTING,
    CONCLUDED,
    CONCLUDED_BOOTSTRAPPED,
    CONCLUDED_TIMED_OUT,
    DEADLINE_EXPIRED,
    DUPLICATE,
    INITIAL,
    LOCAL_PARTICIPATION_COMPLETED,
    NO_PEER,
    NON_MEMBER,
    NOT_ADMISSIBLE,
    PARTICIPATION_OBSERVED,
    PINGING,
    PROBE,
    PROBED,
    READY_OBSERVED,
    REJECTED,
    TIMED_OUT,
    UNKNOWN_COMMAND,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
)
from faction.observer import Observer, Observers
from helpers import CLOSED, HEARD, HOSTILE, LOCAL, NOTHING, READY, REFUSED, WITHDRAWN, snapshot


class Recorder:
    """Keeps every call it gets, with what the machine showed at that moment."""

    def __init__(self):
        self.calls = []

    def observe(self, machine, command, peer_id, previous_state, result):
        self.calls.append(("accepted", machine, snapshot(machine), command, peer_id, previous_state, result))

    def observe_query(self, machine):
        self.calls.append(("probed", machine, snapshot(machine)))

    def observe_rejection(self, machine, command, peer_id, result):
        self.calls.append(("rejected", machine, snapshot(machine), command, peer_id, result))


RUNS = (
    # a quorum of three of four peers, we are 2; each command with its result, the state before and the state after
    (
        (PROBE, NO_PEER, PROBED, INITIAL, INITIAL),
        (PARTICIPATION_OBSERVED, 9, REJECTED | NON_MEMBER, INITIAL, INITIAL),
        (PARTICIPATION_OBSERVED, 1, HEARD, INITIAL, PINGING),
        (PARTICIPATION_OBSERVED, 1, REJECTED | DUPLICATE, PINGING, PINGING),
        (PARTICIPATION_OBSERVED, 2, HEARD, PINGING, PINGING),
        (READY_OBSERVED, 4, READY, PINGING, PINGING),
        (READY_OBSERVED, 4, REJECTED | DUPLICATE, PINGING, PINGING),
        (READY_OBSERVED, HOSTILE[-1], REJECTED | NON_MEMBER, PINGING, PINGING),
        (HOSTILE[0], HOSTILE[1], REJECTED | UNKNOWN_COMMAND, PINGING, PINGING),
        (LOCAL_PARTICIPATION_COMPLETED, NO_PEER, LOCAL, PINGING, COLLECTING),
        (LOCAL_PARTICIPATION_COMPLETED, 3, REJECTED | NOT_ADMISSIBLE, COLLECTING, COLLECTING),
        (PARTICIPATION_OBSERVED, 3, REJECTED | NOT_ADMISSIBLE, COLLECTING, COLLECTING),
        (READY_OBSERVED, 2, REJECTED | DUPLICATE, COLLECTING, COLLECTING),
        (PROBE, 7, PROBED, COLLECTING, COLLECTING),
        (READY_OBSERVED, 1, READY | CONCLUDED_BOOTSTRAPPED, COLLECTING, BOOTSTRAPPED),
        (READY_OBSERVED, 3, REJECTED | CONCLUDED, BOOTSTRAPPED, BOOTSTRAPPED),
        (DEADLINE_EXPIRED, NO_PEER, REJECTED | CONCLUDED, BOOTSTRAPPED, BOOTSTRAPPED),
        (PROBE, NO_PEER, PROBED, BOOTSTRAPPED, BOOTSTRAPPED),
    ),
    (
        (READY_OBSERVED, 2, READY, INITIAL, PINGING),
        (READY_OBSERVED, 3, READY, PINGING, PINGING),
        (READY_OBSERVED, 1, READY, PINGING, PINGING),
        (LOCAL_PARTICIPATION_COMPLETED, HOSTILE[-1], LOCAL | CONCLUDED_BOOTSTRAPPED, PINGING, BOOTSTRAPPED),
    ),
    (
        (LOCAL_PARTICIPATION_COMPLETED, NO_PEER, LOCAL, INITIAL, COLLECTING),
        (READY_OBSERVED, 3, READY, COLLECTING, COLLECTING),
        (DEADLINE_EXPIRED, 7, ACCEPTED | CONCLUDED_TIMED_OUT, COLLECTING, TIMED_OUT),
        (6, NO_PEER, REJECTED | UNKNOWN_COMMAND, TIMED_OUT, TIMED_OUT),
        (LOCAL_PARTICIPATION_COMPLETED, NO_PEER, REJECTED | CONCLUDED, TIMED_OUT, TIMED_OUT),
    ),
    ((DEADLINE_EXPIRED, NO_PEER, ACCEPTED | CONCLUDED_TIMED_OUT, INITIAL, TIMED_OUT),),
    (
        (WITHDRAWAL_OBSERVED, 1, REFUSED, INITIAL, INITIAL),
        (READY_OBSERVED, 1, READY, INITIAL, PINGING),
        (WITHDRAWAL_OBSERVED, 1, WITHDRAWN, PINGING, PINGING),
        (WITHDRAWAL_OBSERVED, 1, NOTHING, PINGING, PINGING),
        (LOCAL_PARTICIPATION_COMPLETED, NO_PEER, LOCAL, PINGING, COLLECTING),
        (WITHDRAWAL_OBSERVED, 2, REFUSED, COLLECTING, COLLECTING),
        (READY_OBSERVED, 4, READY, COLLECTING, COLLECTING),
        (WITHDRAWAL_OBSERVED, 4, WITHDRAWN, COLLECTING, COLLECTING),
        (READY_OBSERVED, 1, READY, COLLECTING, COLLECTING),
        (READY_OBSERVED, 4, READY | CONCLUDED_BOOTSTRAPPED, COLLECTING, BOOTSTRAPPED),
        (WITHDRAWAL_OBSERVED, 4, CLOSED, BOOTSTRAPPED, BOOTSTRAPPED),
    ),
)


def _config():
    return Config(2, (1, 2, 3, 4), 3)


def test_each_call_reaches_one_method_once_after_the_change():
    for run in RUNS:
        recorder = Recorder()
        machine = Faction(_config(), recorder)
        for command, peer_id, result, before, after in run:
            assert machine.state == before, (command, peer_id)
            assert machine.process(command, peer_id) == result, (command, peer_id)
            assert machine.state == after, (command, peer_id)
            assert recorder.calls == [_expected_call(machine, command, peer_id, result, before)], recorder.calls
            recorder.calls = []


def _expected_call(machine, command, peer_id, result, before):
    now = snapshot(machine)
    if result == PROBED:
        return ("probed", machine, now)
    if result & REJECTED:
        return ("rejected", machine, now, command, peer_id, result)
    return ("accepted", machine, now, command, peer_id, before, result)


def test_nothing_but_process_reaches_the_observer():
    recorder = Recorder()
    machine = Faction(_config(), recorder)
    machine.admits(PARTICIPATION_OBSERVED, 1)
    machine.admissible()
    list(machine.admissible_commands())
    machine.reset()
    assert machine.observer is recorder and recorder.calls == []


class Refusal(Exception):
    """What Raiser raises."""


class Raiser:
    """Raises at every call."""

    def observe(self, machine, command, peer_id, previous_state, result):
        raise Refusal(result)

    def observe_query(self, machine):
        raise Refusal(PROBED)

    def observe_rejection(self, machine, command, peer_id, result):
        raise Refusal(result)


def test_a_raising_observer_corrupts_nothing():
    for run in RUNS:
        raising, plain = Faction(_config(), Raiser()), Faction(_config())
        for command, peer_id, result, _, after in run:
            assert plain.process(command, peer_id) == result
            try:
                raising.process(command, peer_id)
            except Refusal as error:
                assert error.args == (result,), error.args
            else:
                raise AssertionError("the exception did not reach the caller")
            assert raising.state == after
            assert snapshot(raising) == snapshot(plain), (command, peer_id)


class RaisesOnce(Recorder):
    """Raises at its first accepted command only."""

    def observe(self, machine, command, peer_id, previous_state, result):
        super().observe(machine, command, peer_id, previous_state, result)
        if len(self.calls) == 1:
            raise Refusal()


def test_a_machine_goes_on_after_its_observer_has_raised():
    observer = RaisesOnce()
    machine = Faction(Config(0, (0, 1), 2), observer)
    try:
        machine.process(LOCAL_PARTICIPATION_COMPLETED)
    except Refusal:
        pass
    assert machine.state == COLLECTING and machine.is_pinging_completed
    assert machine.process(READY_OBSERVED, 0) == REJECTED | DUPLICATE
    assert machine.process(READY_OBSERVED, 1) == READY | CONCLUDED_BOOTSTRAPPED
    assert [call[0] for call in observer.calls] == ["accepted", "rejected", "accepted"]


def test_the_base_observer_changes_nothing():
    for run in RUNS:
        watched, plain = Faction(_config(), Observer()), Faction(_config())
        for command, peer_id, result, _, _ in run:
            assert watched.process(command, peer_id) == plain.process(command, peer_id) == result
        assert snapshot(watched) == snapshot(plain)


class Probes(Observer):
    """Overrides one method of three."""

    def __init__(self):
        self.count = 0

    def observe_query(self, machine):
        self.count += 1


def test_a_derived_observer_overrides_what_matters():
    probes = Probes()
    machine = Faction(_config(), probes)
    for command, peer_id, _, _, _ in RUNS[0]:
        machine.process(command, peer_id)
    assert probes.count == 3


def test_several_observers_are_told_alike_and_in_order():
    for run in RUNS:
        single, first, second = Recorder(), Recorder(), Recorder()
        second.calls = first.calls
        machine, watched_twice = Faction(_config(), single), Faction(_config(), Observers(first, Observer(), second))
        for command, peer_id, _, _, _ in run:
            machine.process(command, peer_id)
            watched_twice.process(command, peer_id)
        told = [call[:1] + call[2:] for call in first.calls]
        assert told[::2] == told[1::2] == [call[:1] + call[2:] for call in single.calls]
        assert all(call[1] is watched_twice for call in first.calls)


def test_what_one_of_several_raises_keeps_the_later_ones_uninformed():
    for command in (PARTICIPATION_OBSERVED, PROBE, 7):
        before, after = Recorder(), Recorder()
        machine = Faction(_config(), Observers(before, Raiser(), after))
        try:
            machine.process(command, 1)
        except Refusal:
            pass
        assert (len(before.calls), len(after.calls)) == (1, 0)
        assert machine.pinging.count == (command == PARTICIPATION_OBSERVED)


def test_no_observers_at_all_will_do():
    machine = Faction(_config(), Observers())
    for command, peer_id, result, _, after in RUNS[0]:
        assert machine.process(command, peer_id) == result
        assert machine.state == after
