"""What all pictures by matplotlib have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no window, wherever it runs
matplotlib.rcParams.update({"svg.hashsalt": "faction", "font.size": 8, "text.parse_math": False})

from matplotlib import pyplot  # noqa: E402

DOTS_AN_INCH = 120
MOST_DOTS = 60_000  # in either direction; matplotlib refuses more than 65,535


def save(figure: Any, path: Path) -> None:
    """Write a figure, the same bytes every time. One that is very large is drawn with fewer dots."""
    dots = min(DOTS_AN_INCH, MOST_DOTS / max(figure.get_size_inches()))
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None, dpi=dots)
    pyplot.close(figure)


def stack(width: float, heights: Sequence[float]) -> tuple[Any, Sequence[Any]]:
    """Return a figure with axes below each other, and these axes. All sizes are in inches."""
    sizes: dict[str, Any] = {"figsize": (width, sum(heights)), "gridspec_kw": {"height_ratios": heights}}
    figure, axes = pyplot.subplots(len(heights), layout="constrained", squeeze=False, **sizes)
    return figure, list(axes[:, 0])


def mosaic(width: float, rows: Sequence[tuple[Sequence[str], float]], title: float) -> tuple[Any, dict[str, Any]]:
    """Return a figure with rows of named axes, and these axes by name. Each row has a height; title: the room for one above all."""
    heights = [height for _, height in rows]
    across = max(len(names) for names, _ in rows)
    places: Any = [[name for name in names for _ in range(across // len(names))] for names, _ in rows]
    sizes: dict[str, Any] = {"figsize": (width, sum(heights) + title), "height_ratios": heights}
    return pyplot.subplot_mosaic(places, layout="constrained", **sizes)
