"""Many ids in few characters."""

from __future__ import annotations

from collections.abc import Iterable


def ranges(ids: Iterable[int]) -> str:
    """Write ids in short, in ascending order: 0-4, 7."""
    runs: list[list[int]] = []
    for each in sorted(ids):
        if runs and runs[-1][-1] == each - 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
