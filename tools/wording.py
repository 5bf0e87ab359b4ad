"""Numbers and lists in the lines that the commands say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FEW = 8  # a line names so many boards at most, as a rule


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: "1 board", "2 boards"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ranges(ids: Iterable[int]) -> str:
    """Write ids in short, in ascending order: 0-4, 7."""
    runs: list[list[int]] = []
    for each in sorted(ids):
        if runs and runs[-1][-1] == each - 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def first_few(words: Sequence[object], most: int = FEW) -> str:
    """Return words for a line of text: the first ones, and how many more there are."""
    return ", ".join(map(str, words[:most])) + (f" and {len(words) - most} more" if len(words) > most else "")
