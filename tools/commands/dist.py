"""faction dist: make the release: zip files, a tree for mip, checksums."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--out", default="dist", metavar="DIR")


def run(options: argparse.Namespace) -> int:
    """Make the release, and list its files."""
    from ..fleet import build

    for path in build.release(Path(options.out)):
        print(f"{path.stat().st_size:8,}  {path}")
    return 0
