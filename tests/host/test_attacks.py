"""Attacks on a cluster with a key, and abuse that needs none: each broke a version of the package. None gets through now."""

import statistics

import pytest

from faction_tools.dev import convergence
from faction_tools.dev.verify import abuse, attacks
from faction_tools.dev.verify.attacks import ATTACKS, Attack

SEEDS = range(101, 104)


ALL = ATTACKS + abuse.ATTACKS


@pytest.mark.parametrize("attack", ALL, ids=[each.name for each in ALL])
def test_an_attack_does_not_get_through(attack):
    assert [reached for reached in map(attack.reach, SEEDS) if reached > attack.budget] == []


def test_two_lone_boards_meet_as_fast_with_a_key_as_without():
    keyed, plain = (convergence.meetings(key, range(1, 31)) for key in (True, False))
    assert statistics.median(keyed) <= statistics.median(plain) and max(keyed) <= 1.5


def test_boards_with_a_key_get_in_on_a_line_on_which_no_board_listens():
    assert max(convergence.lines(19200, range(1, 21))) <= 60  # seconds, of which one board takes up to six to start


@pytest.mark.parametrize(("budget", "code"), [(3, 0), (2, 1)])
def test_the_exit_code_says_whether_one_gets_through(budget, code, monkeypatch, capsys):
    monkeypatch.setattr(attacks, "ATTACKS", (Attack("a test", "9", abs, 9, budget),))
    assert attacks.main(["--runs", "3"]) == code
    assert "1, each 3 times" in capsys.readouterr().out
