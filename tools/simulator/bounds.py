"""What a number of runs can say about all runs: upper bounds that hold with a certainty of 95 %.

How it works

 1. The runs are independent, and all come from one distribution: each has a seed of its own. Nothing else is assumed, so
    all bounds hold for every distribution. They hold for the scenario as it is simulated.
 2. The bound of a quantile is one of the measured values, an order statistic: of n values in order the k-th is at least
    the quantile p of all runs with the probability P(Bin(n, p) <= k - 1). The bound is the first with 95 % or more.
    H. A. David, H. N. Nagaraja: Order Statistics, third edition, 2003, section 7.1.
 3. With too few runs even the greatest value is no such bound: that takes n with 1 - p**n >= 95 %.
 4. The bound of a share is that of Clopper and Pearson, on one side: the least share with which so few cases, or fewer,
    come up in 5 % of all campaigns. For no case in n runs it is near 3 / n, the "rule of three".

The probabilities of a binomial number are added up from its most likely value outwards, relative to that one. So no
logarithm of a large factorial is needed, which would lose digits. The sums are exact to ten digits or more.
"""

from __future__ import annotations

import math

CERTAINTY = 0.95
_DOUBT = 1 - CERTAINTY + 1e-12  # 1 - 0.95 is a little less than 0.05 in floating point
_NEGLIGIBLE = 1e-25  # of a probability, relative to the greatest one
_HALVINGS = 60  # of an interval, until its ends are neighbours


def runs_needed(share: float) -> int:
    """Return the fewest runs whose greatest value is an upper bound of this quantile. share: above 0 and below 1."""
    needed = max(1, math.floor(math.log(_DOUBT) / math.log(share)))
    while needed * math.log(share) > math.log(_DOUBT):
        needed += 1
    return needed


def rank(runs: int, share: float) -> int | None:
    """Return which of so many values in order, counted from 1, is the upper bound of this quantile. None: they are too few."""
    if runs < runs_needed(share):
        return None
    first, chances = _binomial(runs, 1 - share)  # of how many values are above the quantile
    above, sure = first - 1, 0.0
    for chance in chances:
        sure += chance
        if sure > _DOUBT:
            break
        above += 1
    return min(runs, runs - above)  # with as many runs as are needed, rounding must not make it none


def most_cases(cases: int, runs: int) -> float:
    """Return the upper bound of the share of a kind of run, of which there were so many cases."""
    if cases == runs:
        return 1.0
    low, high = cases / runs, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if at_most(cases, runs, middle) > _DOUBT:
            low = middle
        else:
            high = middle
    return high


def at_most(cases: int, runs: int, share: float) -> float:
    """Return the probability of so many cases or fewer, if each run is one with this probability."""
    first, chances = _binomial(runs, share)
    return math.fsum(chances[: max(0, cases + 1 - first)])


def _binomial(count: int, share: float) -> tuple[int, list[float]]:
    """Return (a, the probabilities of a, a + 1, ...) of a binomial number, without those that do not matter."""
    if not 0 < share < 1:
        return (count if share else 0), [1.0]
    odds = share / (1 - share)
    middle = min(count, int((count + 1) * share))
    below = []
    chance = 1.0
    for number in range(middle, 0, -1):
        chance *= number / ((count - number + 1) * odds)
        if chance < _NEGLIGIBLE:
            break
        below.append(chance)
    chances = [*reversed(below), 1.0]
    chance = 1.0
    for number in range(middle, count):
        chance *= (count - number) * odds / (number + 1)
        if chance < _NEGLIGIBLE:
            break
        chances.append(chance)
    whole = math.fsum(chances)
    return middle - len(below), [each / whole for each in chances]
