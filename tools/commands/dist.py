"""faction dist: make the release: zip files, a tree for mip, checksums."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--out", default="dist", metavar="FOLDER", help="where to make it (default: dist)")


def run(options: argparse.Namespace) -> int:
    """Make the release, and list its files."""
    from ..fleet import build
    from ..shown.progress import bar

    with bar("building", build.RELEASE_STEPS) as shown:
        made = build.release(Path(options.out), shown.advance)
    for path in made:
        print(f"{path.stat().st_size:8,}  {path}")
    return 0
