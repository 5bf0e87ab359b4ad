"""What a number of runs can say about all runs: the bounds against brute force, and the answers against fresh seeds."""

import math
import random
import re
from fractions import Fraction

import pytest
from command import faction
from hypothesis import given, settings
from hypothesis import strategies as st

from faction_tools.shown import campaign as tables
from faction_tools.simulator import bounds, campaign
from faction_tools.simulator.scenario import Scenario

CERTAIN = Fraction(95, 100)
SHARES = st.one_of(st.fractions(0, 1, max_denominator=1000), st.sampled_from([Fraction(9, 10), Fraction(95, 100), Fraction(999, 1000)]))


def exactly_at_most(cases, runs, share):
    """Return P(Bin(runs, share) <= cases), exactly. share: a Fraction."""
    return sum(math.comb(runs, each) * share**each * (1 - share) ** (runs - each) for each in range(cases + 1))


@settings(deadline=None)
@given(st.integers(1, 80), SHARES.filter(lambda share: 0 < share < 1))
def test_the_rank_is_the_first_that_is_certain_enough(runs, share):
    rank = bounds.rank(runs, float(share))
    if rank is None:
        assert exactly_at_most(runs - 1, runs, share) < CERTAIN
    else:
        assert 1 <= rank <= runs
        assert exactly_at_most(rank - 2, runs, share) < CERTAIN <= exactly_at_most(rank - 1, runs, share)


@settings(deadline=None)
@given(st.fractions(Fraction(1, 1000), Fraction(97, 100), max_denominator=1000))
def test_so_many_runs_are_needed_and_no_fewer(share):
    needed = bounds.runs_needed(float(share))
    assert 1 - share**needed >= CERTAIN and (needed == 1 or 1 - share ** (needed - 1) < CERTAIN)
    assert bounds.rank(needed, float(share)) == needed and (needed == 1 or bounds.rank(needed - 1, float(share)) is None)


@pytest.mark.parametrize(("share", "needed"), [(0.5, 5), (0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995), (0.9999, 29956)])
def test_the_well_known_numbers_of_runs(share, needed):
    assert bounds.runs_needed(share) == needed
    # The next rank becomes enough at the number of runs that tables of Wilks' method give for two values above the bound.
    assert bounds.rank(93, 0.95) == 92 and bounds.rank(92, 0.95) == 92 and bounds.rank(473, 0.99) == 472


@pytest.mark.parametrize("share", [1 - 1e-15, math.nextafter(1, 0), 1e-12, 5e-324])
def test_shares_at_the_edges(share):
    needed = bounds.runs_needed(share)
    assert needed >= 1 and bounds.rank(needed, share) == needed and bounds.rank(10**6, share) == (None if needed > 10**6 else 1)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999, 0.9999])
def test_a_million_runs(share):
    """The same probability by another way: logarithms of factorials."""
    runs = 10**6
    rank = bounds.rank(runs, share)

    def at_most(cases):
        low = max(0, cases - 20_000)
        logarithms = [
            math.lgamma(runs + 1) - math.lgamma(k + 1) - math.lgamma(runs - k + 1) + k * math.log(share) + (runs - k) * math.log1p(-share)
            for k in range(low, cases + 1)
        ]
        return math.fsum(map(math.exp, logarithms))

    assert at_most(rank - 2) < 0.95 <= at_most(rank - 1) + 1e-6
    assert at_most(rank - 1) - at_most(rank - 2) > 1e-5  # so that the one below is told from it


@settings(deadline=None)
@given(st.integers(1, 120).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs))))
def test_the_share_of_failures_is_bounded(case):
    cases, runs = case
    most = bounds.most_cases(cases, runs)
    assert cases / runs < most <= 1 or cases == runs
    if cases < runs:
        assert abs(exactly_at_most(cases, runs, Fraction(most)) - Fraction(5, 100)) < 1e-9


@pytest.mark.parametrize("runs", [100, 1000, 10**6])
def test_the_rule_of_three(runs):
    assert 2.9 / runs < bounds.most_cases(0, runs) < 3 / runs


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 60), st.floats(0, 1))
def test_probabilities_are_those_of_a_binomial_number(cases, runs, share):
    exact = exactly_at_most(min(cases, runs), runs, Fraction(share))
    assert abs(bounds.at_most(cases, runs, share) - exact) < 1e-12


# Campaigns


def made(waits, wanted=None):
    """Return a campaign with these waits in ms; None: not all got there."""
    found = campaign.Campaign("made", wanted or len(waits))
    found.outcomes = [{"seed": i, "longest_wait_ms": each, "verdict": "some" if each is None else "all"} for i, each in enumerate(waits)]
    return found


def test_the_bound_covers_the_quantile_as_often_as_it_should():
    """Waits of which the quantile is known: 500 campaigns of a uniform number and of a coarse one."""
    draw = random.Random(7).random
    for is_coarse, wait in ((False, lambda: 1000 * draw()), (True, lambda: 100.0 * int(10 * draw()))):
        for share, runs in ((0.9, 60), (0.95, 100), (0.5, 20)):
            quantile = math.ceil(10 * share) * 100 - 100 if is_coarse else 1000 * share
            made_up = [made([wait() for _ in range(runs)]) for _ in range(500)]
            covered = sum(each.at_most("longest_wait_ms", share) >= quantile for each in made_up)
            assert covered >= 0.93 * 500, (share, runs, covered)
            covered = sum(each.at_least("longest_wait_ms", share) <= quantile for each in made_up)
            assert covered >= 0.93 * 500, (share, runs, covered)


def test_a_run_that_never_gets_there_is_later_than_all_others():
    waits = [float(each) for each in range(1, 61)]
    assert made(waits).at_most("longest_wait_ms", 0.95) == 60 and made(waits).deadline_ms(0.95) == 70
    assert made([None, *waits[:59]]).at_most("longest_wait_ms", 0.95) == math.inf
    assert made([None, *waits[:59]]).deadline_ms(0.95) is None
    said = tables.deadline(made([None, *waits[:59]]), 0.95)
    assert (
        said == "for 95.00% of the starts to succeed: no answer: too many runs never get there: 1 of 60, within 600 s; more runs may tell"
    )
    said = tables.deadline(made([None] * 20 + waits[:40]), 0.95)
    assert said == "for 95.00% of the starts to succeed: no deadline is long enough: too many runs never get there: 20 of 60, within 600 s"
    assert made([None] * 3 + [5.0] * 57).at_most("longest_wait_ms", 0.5) == 5


def test_too_few_runs_and_runs_that_were_cut_short_give_no_answer():
    assert made([1.0] * 58).deadline_ms(0.95) is None
    assert tables.deadline(made([1.0] * 58), 0.95).endswith("no answer from 58 runs; it takes 59 at least")
    assert made([1.0] * 59).deadline_ms(0.95) == 10
    assert made([1.0] * 59, wanted=60).deadline_ms(0.95) is None
    assert tables.deadline(made([1.0] * 59, wanted=60), 0.95).endswith("no answer: the runs that were cut short may be the longest")


@pytest.mark.parametrize(("value", "up", "text"), [
    (0.999, False, "99.90%"), (0.5, False, "50.00%"), (0.99999, False, "99.999%"), (1 - 1e-9, False, "99.9999999%"),
    (0.0029912, True, "0.3%"), (0.0000299573, True, "0.003%"), (0.29, True, "29%"), (0.2901, True, "30%"), (1.0, True, "100%"),
    (0.9999, True, "100%"), (0.047, True, "4.7%"),
])  # fmt: skip
def test_shares_are_written_with_all_that_matters(value, up, text):
    assert tables.share(value, up) == text


def test_how_often_it_fails_is_said_with_its_bound():
    assert tables.failures(made([1.0] * 1000)) == (
        "not all Bootstrapped in 0 of 1,000 runs; of all that could be run, in 0.3% at most (95% certain)"
    )
    assert "in 7 of 100 runs; of all that could be run, in 13% at most" in tables.failures(made([None] * 7 + [1.0] * 93))


def small(deadline_ms=5000):
    """Return three boards that lose every second frame: their waits are spread far."""
    cluster = {"nodes": 3, "interval_ms": 100, "deadline_ms": deadline_ms, "power_on_ms": 0.0, "start_up_ms": 50.0, "drift_ppm": 20_000.0}
    return Scenario.model_validate({"title": "small", "cluster": cluster, "medium": {"loss": 0.6}})


def waits(seeds):
    """Return a campaign of these seeds without a deadline."""
    found = campaign.Campaign("small", len(seeds))
    found.outcomes = campaign.outcomes(campaign.without_deadline(small()), seeds)
    return found


def test_fresh_seeds_confirm_the_answers():
    """Of 20 answers at most three miss; of 20 quantiles of the same runs, more."""
    share, runs, fresh = 0.9, 60, 150
    misses = quantile_misses = 0
    for first in range(0, 20 * 1000, 1000):
        asked, later = waits(range(first, first + runs)), waits(range(first + 500, first + 500 + fresh))
        in_time = [sum(each["longest_wait_ms"] <= limit for each in later.outcomes) / fresh for limit in _limits(asked, share)]
        misses += in_time[0] < share
        quantile_misses += in_time[1] < share
    assert misses <= 3 < quantile_misses


def _limits(asked, share):
    return asked.deadline_ms(share), asked.quantile("longest_wait_ms", share)


def test_a_run_with_that_deadline_ends_as_its_wait_says():
    """The wait is that of the slowest board by its own clock, and these clocks are up to 2 % wrong."""
    found = waits(range(100, 160))
    deadline_ms = found.deadline_ms(0.9)
    ended = campaign.outcomes(small(deadline_ms), range(100, 160))
    for each, with_deadline in zip(found.outcomes, ended):
        assert (each["longest_wait_ms"] < deadline_ms) == (with_deadline["verdict"] == "all"), each["seed"]


def test_a_deadline_at_the_very_wait_is_kept():
    """Not one of these runs may fail if the deadline is what one value alone would recommend."""
    for each in waits(range(200, 230)).outcomes:
        deadline_ms = math.ceil(each["longest_wait_ms"]) + 1
        assert campaign.outcomes(small(deadline_ms), [each["seed"]])[0]["verdict"] == "all", each


def test_a_wait_that_a_brownout_ends_counts():
    cluster = {"nodes": 2, "interval_ms": 100, "deadline_ms": 60_000, "power_on_ms": 0.0, "start_up_ms": 50.0}
    nodes = [{"id": 1, "power_on_ms": 8000.0}]
    events = [{"at_ms": 7000.0, "kind": "brownout", "nodes": [0], "for_ms": 100.0}]
    data = {"title": "brownout", "cluster": cluster, "nodes": nodes, "events": events}
    (found,) = campaign.outcomes(Scenario.model_validate(data), [1])
    assert found["verdict"] == "all" and found["longest_wait_ms"] == 7000


# The command


@pytest.mark.parametrize(("options", "needed"), [
    ("--confidence 0.999 --runs 10", "2,995 are needed at least: write --runs 2995"),
    ("--confidence 0.9 --runs 1", "29 are needed at least: write --runs 29"),
    ("--confidence 0.9999 --runs 10000", "29,956 are needed at least: write --runs 29956"),
    ("--confidence 0.9999999", "29,957,322 are needed at least: write --runs 29957322"),
])  # fmt: skip
def test_too_few_runs_are_refused_before_they_begin(options, needed):
    done = faction("simulate", "greenhouse", *options.split())
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(options) and f"too few runs for an answer; {needed}" in done.stderr


@pytest.mark.parametrize("value", ["1", "0", "nan", "99", "99.9", "100", "inf", "-0.5", "5e1", ""])
def test_a_share_that_is_none_is_refused(value):
    example = {"99": "0.99", "5e1": "0.5"}.get(value, "0.999")
    done = faction("simulate", "greenhouse", f"--confidence={value}")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and done.stdout == ""
    assert done.stderr.strip() == f"--confidence {value}: not a share between 0 and 1; write, for example, --confidence {example}"


def test_the_answer_says_what_it_is():
    done = faction("simulate", "greenhouse", "--confidence", "0.9", "--runs", "60", "--set", "cluster.nodes=3", width=200)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\nfor 90.00% of the starts to succeed: deadline_ms = 3_\d00\n$", done.stdout), done.stdout
    assert "\nthe deadline is the longest but 1 of 60 waits, rounded up: 95% certain, for the scenario as simulated, not" in done.stdout
    assert "not all Bootstrapped in 0 of 60 runs; of all that could be run, in 4.9% at most (95% certain)" in done.stdout


def test_with_json_the_answer_goes_to_standard_error():
    done = faction("simulate", "greenhouse", "--confidence", "0.5", "--runs", "5", "--set", "cluster.nodes=2", "--json")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 5 and all(line.startswith("{") for line in done.stdout.splitlines())
    assert "for 50.00% of the starts to succeed: deadline_ms = " in done.stderr


def test_the_help_names_the_method_and_its_limits():
    said = " ".join(faction("simulate", "--help", width=80).stdout.split())
    for words in ("with a certainty of 95 %", "order statistic", "binomial", "for the scenario as simulated, not for the real air"):
        assert words in said, said
