"""faction build: build the files of every kind of board in the roster, or of all kinds."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from ..fleet.build import SLICES

    parser.add_argument("roster", nargs="?", help="build the kinds of this roster only")
    parser.add_argument("--out", default="build", metavar="DIR")
    parser.add_argument("--slice", choices=SLICES, default="full", help="how much of the package (full)")
    parser.add_argument("--native", action="store_true", help="native code for every architecture, too")


def run(options: argparse.Namespace) -> int:
    """Build, and show what was built."""
    from rich.table import Table

    from ..fleet import build, roster
    from ..shown.terminal import terminal

    kinds = build.PROGRAMS if options.roster is None else {board.kind for board in roster.load(options.roster).boards}
    out = Path(options.out)
    table = Table("board", "slice", "files", "bytes", title=f"built in {out}")
    for kind in sorted(kinds):
        files = build.board(kind, options.slice)
        build.write(files, out / kind)
        table.add_row(kind, options.slice, str(len(files)), f"{sum(map(len, files.values())):,}")
    console = terminal()
    console.print(table)
    if options.native:
        console.print(_native(out / "native"))
    return 0


def _native(out: Path) -> Table:
    """Build native code for every architecture; return a table of sizes."""
    from rich.table import Table

    from ..fleet import build
    from ..fleet.compile import PACKAGE, compile_package

    table = Table("file", "bytecode", *build.ARCHITECTURES, title=f"native code, bytes, in {out}")
    with TemporaryDirectory() as plain:
        columns = [compile_package(PACKAGE, plain)]
        columns += [build.native(architecture, out / architecture) for architecture in build.ARCHITECTURES]
        for row in zip(*columns):
            table.add_row(row[0].relative_to(plain).as_posix(), *[f"{path.stat().st_size:,}" for path in row])
    return table
