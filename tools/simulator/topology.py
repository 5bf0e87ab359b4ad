"""Who is near whom on a medium."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def neighbours(topology: str, count: int) -> Iterator[list[int]]:
    """Iterate the neighbours of each of so many places, by their indexes. topology: "all", "line", "ring" or "grid"."""
    near = {"all": _all, "line": _line, "ring": _ring, "grid": _grid}[topology]
    for index in range(count):
        yield near(index, count)


def _all(index: int, count: int) -> list[int]:
    return [each for each in range(count) if each != index]


def _line(index: int, count: int) -> list[int]:
    return _within((index - 1, index + 1), count)


def _ring(index: int, count: int) -> list[int]:
    return sorted({(index - 1) % count, (index + 1) % count} - {index})


def _grid(index: int, count: int) -> list[int]:
    """Return the neighbours in rows as long as there are columns; the last row may be shorter."""
    side = max(1, round(count**0.5))
    beside = [index + step for step in (-1, 1) if (index + step) // side == index // side]
    return _within((*beside, index - side, index + side), count)


def _within(indexes: Sequence[int], count: int) -> list[int]:
    return [each for each in indexes if 0 <= each < count]
