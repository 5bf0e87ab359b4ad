"""Where boards are, and who is near whom on an air."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from math import cos, pi, sin

from .scenario import AirSettings, Scenario

Place = tuple[float, float]


def places(scenario: Scenario, airs: Sequence[AirSettings], seed: int) -> list[Place]:
    """Return where each board is: as the scenario says, or by chance if an air needs that, or as a drawing shows the airs best.

    Chance comes from the scenario's places_seed, or from the seed of the run: never from the numbers that decide about frames.
    """
    cluster = scenario.cluster
    if cluster.places:
        return [(x, y) for x, y in cluster.places]
    if any(air.topology == "random" for air in airs):
        draw = random.Random(f"places {seed if cluster.places_seed is None else cluster.places_seed}").random
        return [(draw(), draw()) for _ in range(cluster.nodes)]
    return _drawn(airs, cluster.nodes)


def _drawn(airs: Sequence[AirSettings], count: int) -> list[Place]:
    """Return places for a drawing: the airs from left to right, each in the form of its topology. A board stands on its first air."""
    found: dict[int, Place] = {}
    left = 0.0
    for air in airs:
        new = [index for index in air.nodes if index not in found]
        own = [_FORMS[air.topology](position, len(new)) for position in range(len(new))]
        found.update({index: (left + x, y) for index, (x, y) in zip(new, own)})
        left += max([x for x, _ in own], default=-1.0) + 1
    return [found[index] for index in range(count)]


def _in_line(position: int, count: int) -> Place:
    return float(position), 0.0


def _in_circle(position: int, count: int) -> Place:
    """Return a place on a circle on which neighbours are one apart."""
    radius = count / (2 * pi)
    angle = 2 * pi * position / count
    return radius * (1 - cos(angle)), radius * sin(angle)


def _in_grid(position: int, count: int) -> Place:
    side = _side(count)
    return float(position % side), float(position // side)


_FORMS: dict[str, Callable[[int, int], Place]] = {"all": _in_circle, "line": _in_line, "ring": _in_circle, "grid": _in_grid}


def neighbours(air: AirSettings, places: Sequence[Place]) -> Iterator[list[int]]:
    """Iterate the neighbours of each board of an air, as positions among the air's boards. places: of all boards."""
    count = len(air.nodes)
    if air.topology in ("random", "places"):
        reach = (air.reach if air.topology == "random" else air.reach_m) or 0.0
        own = [places[index] for index in air.nodes]
        for position in range(count):
            yield _within_reach(position, own, reach)
        return
    near = {"all": _all, "line": _line, "ring": _ring, "grid": _grid}[air.topology]
    for position in range(count):
        yield near(position, count)


def _within_reach(position: int, places: Sequence[Place], reach: float) -> list[int]:
    """Return those at most so far away. Squares are compared, so that no computer rounds differently."""
    x, y = places[position]
    square = reach * reach
    return [each for each, (to_x, to_y) in enumerate(places) if each != position and (x - to_x) ** 2 + (y - to_y) ** 2 <= square]


def _all(position: int, count: int) -> list[int]:
    return [each for each in range(count) if each != position]


def _line(position: int, count: int) -> list[int]:
    return _existing((position - 1, position + 1), count)


def _ring(position: int, count: int) -> list[int]:
    return sorted({(position - 1) % count, (position + 1) % count} - {position})


def _grid(position: int, count: int) -> list[int]:
    """Return the neighbours in rows as long as there are columns; the last row may be shorter."""
    side = _side(count)
    beside = [position + step for step in (-1, 1) if (position + step) // side == position // side]
    return _existing((*beside, position - side, position + side), count)


def _side(count: int) -> int:
    """Return how many columns a grid has."""
    return max(1, round(float(count**0.5)))


def _existing(positions: Sequence[int], count: int) -> list[int]:
    return [each for each in positions if 0 <= each < count]


# Ways from board to board, over any number of airs and hops

Gap = tuple[list[int], list[int]]  # no way leads from the first boards to the second ones


def gaps(links: Sequence[Sequence[int]]) -> list[Gap]:
    """Return between which boards there is no way. links: whom each board reaches at once.

    Each gap begins with a group of boards that all reach each other, and ends with all that they do not reach.
    """
    count = len(links)
    back: list[list[int]] = [[] for _ in links]
    if len(_reached(links, 0)) == count:
        for sender, receivers in enumerate(links):
            for receiver in receivers:
                back[receiver].append(sender)
        if len(_reached(back, 0)) == count:
            return []
    reached = [_reached(links, index) for index in range(count)]
    found: list[Gap] = []
    for index in range(count):
        group = [other for other in range(count) if other in reached[index] and index in reached[other]]
        if group[0] == index and len(reached[index]) < count:
            found.append((group, [other for other in range(count) if other not in reached[index]]))
    return found


def _reached(links: Sequence[Sequence[int]], start: int) -> set[int]:
    """Return whom a board reaches, itself among them."""
    reached = {start}
    waiting = [start]
    while waiting and len(reached) < len(links):
        new = [each for each in links[waiting.pop()] if each not in reached]
        reached.update(new)
        waiting += new
    return reached
