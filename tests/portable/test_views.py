"""The words for codes, and the frozen view."""

from faction import (
    ACCEPTED,
    BOOTSTRAPPED,
    BROADCAST_READY,
    COLLECTING,
    CONCLUDED,
    CONCLUDED_BOOTSTRAPPED,
    CONCLUDED_TIMED_OUT,
    DEADLINE_EXPIRED,
    DUPLICATE,
    INITIAL,
    LOCAL_COMPLETED,
    LOCAL_PARTICIPATION_COMPLETED,
    NON_MEMBER,
    NOT_ADMISSIBLE,
    NOTHING_OBSERVED,
    PARTICIPATION_ACCEPTED,
    PARTICIPATION_OBSERVED,
    PINGING,
    PROBE,
    PROBED,
    READY_ACCEPTED,
    READY_OBSERVED,
    REJECTED,
    TIMED_OUT,
    UNKNOWN_COMMAND,
    WITHDRAWAL_ACCEPTED,
    WITHDRAWAL_OBSERVED,
    Config,
    Faction,
)
from faction.names import command_name, describe, state_name
from faction.view import ClusterView
from helpers import HOSTILE

STATES = (
    (INITIAL, "initial"),
    (PINGING, "pinging"),
    (COLLECTING, "collecting"),
    (BOOTSTRAPPED, "bootstrapped"),
    (TIMED_OUT, "timed out"),
    (5, "state 5"),
    (-1, "state -1"),
)
COMMANDS = (
    (PARTICIPATION_OBSERVED, "participation observed"),
    (READY_OBSERVED, "ready observed"),
    (LOCAL_PARTICIPATION_COMPLETED, "local participation completed"),
    (DEADLINE_EXPIRED, "deadline expired"),
    (PROBE, "probe"),
    (WITHDRAWAL_OBSERVED, "withdrawal observed"),
    (6, "command 6"),
    (-1, "command -1"),
)
RESULTS = (
    (PROBED, "probed"),
    (ACCEPTED | PARTICIPATION_ACCEPTED, "accepted: participation accepted"),
    (ACCEPTED | READY_ACCEPTED, "accepted: ready accepted"),
    (ACCEPTED | READY_ACCEPTED | CONCLUDED_BOOTSTRAPPED, "accepted: ready accepted, concluded bootstrapped"),
    (ACCEPTED | LOCAL_COMPLETED | BROADCAST_READY, "accepted: local completed, broadcast ready"),
    (ACCEPTED | CONCLUDED_TIMED_OUT, "accepted: concluded timed out"),
    (REJECTED | DUPLICATE, "rejected: duplicate"),
    (REJECTED | NON_MEMBER, "rejected: non-member"),
    (REJECTED | NOT_ADMISSIBLE, "rejected: not admissible"),
    (REJECTED | CONCLUDED, "rejected: concluded"),
    (REJECTED | UNKNOWN_COMMAND, "rejected: unknown command"),
    (ACCEPTED | WITHDRAWAL_ACCEPTED, "accepted: withdrawal accepted"),
    (REJECTED | NOTHING_OBSERVED, "rejected: nothing observed"),
    (0, "result 0x0"),
    (0x10000, "result 0x10000"),
    (REJECTED | 0x30000, "rejected: result 0x30000"),
    (-1, "result -1"),
)


def test_words():
    for name, cases in ((state_name, STATES), (command_name, COMMANDS), (describe, RESULTS)):
        for code, words in cases:
            assert name(code) == words


def test_words_for_hostile_codes():
    for code in HOSTILE:
        assert state_name(code) == "state %d" % code
        assert command_name(code) == "command %d" % code
        assert describe(code) == "result 0x%x" % code if code > 0 else "result %d" % code


def _shown(view):
    return view.state, view.pinging, view.collecting, view.required, view.is_concluded, view.conclusion, view.is_pinging_completed


VIEWS = (
    # a command, then the view, of peer 4 among 4, 7 and 9 with a quorum of two
    ((PROBE,), (INITIAL, (), (), 2, False, None, False)),
    ((PARTICIPATION_OBSERVED, 9), (PINGING, (9,), (), 2, False, None, False)),
    ((PARTICIPATION_OBSERVED, 4), (PINGING, (4, 9), (), 2, False, None, False)),
    ((WITHDRAWAL_OBSERVED, 9), (PINGING, (4,), (), 2, False, None, False)),
    ((PARTICIPATION_OBSERVED, 7), (PINGING, (4, 7), (), 2, False, None, False)),
    ((LOCAL_PARTICIPATION_COMPLETED,), (COLLECTING, (4, 7), (4,), 2, False, None, True)),
    ((WITHDRAWAL_OBSERVED, 7), (COLLECTING, (4,), (4,), 2, False, None, True)),
    ((READY_OBSERVED, 7), (BOOTSTRAPPED, (4,), (4, 7), 2, True, BOOTSTRAPPED, True)),
)


def _machine():
    return Faction(Config(4, (9, 4, 7), 2))


def test_a_view_is_frozen():
    machine = _machine()
    views = []
    for command, shown in VIEWS:
        machine.process(*command)
        views.append(ClusterView(machine))
        assert _shown(views[-1]) == shown
    machine.reset()
    machine.process(DEADLINE_EXPIRED)
    assert [_shown(view) for view in views] == [shown for _, shown in VIEWS]
    assert _shown(ClusterView(machine)) == (TIMED_OUT, (), (), 2, True, TIMED_OUT, False)


def test_views_are_equal_when_they_show_the_same():
    one, other = _machine(), _machine()
    views = []
    for command, _ in VIEWS:
        one.process(*command)
        other.process(*command)
        view = ClusterView(one)
        assert view == ClusterView(other) and hash(view) == hash(ClusterView(other))
        assert not [earlier for earlier in views if earlier == view]
        views.append(view)
    assert len(set(views)) == len(VIEWS)
    assert views[0] != ClusterView(Faction(Config(4, (9, 4, 7), 3)))
    assert not views[0] == 0 and not views[0] == _machine()


def test_a_view_prints_as_words():
    machine = _machine()
    assert repr(ClusterView(machine)) == "<ClusterView initial, pinging (), collecting () of 2>"
    machine.process(PARTICIPATION_OBSERVED, 9)
    machine.process(PARTICIPATION_OBSERVED, 4)
    machine.process(READY_OBSERVED, 7)
    assert repr(ClusterView(machine)) == "<ClusterView pinging, pinging (4, 9), collecting (7,) of 2>"
