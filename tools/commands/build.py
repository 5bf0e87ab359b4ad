"""faction build: build the files of every kind of board in the roster, or of all kinds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ..errors import CommandError

if TYPE_CHECKING:
    from rich.table import Table


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from ..fleet.build import SLICES

    parser.add_argument("roster", nargs="?", help="build only for the kinds of board in this roster (default: for all kinds)")
    parser.add_argument("--out", default="build", metavar="FOLDER", help="where to build, in a folder for each kind (default: build)")
    parser.add_argument("--slice", choices=SLICES, help="how much of the package (default: full)")
    parser.add_argument("--native", action="store_true", help="also build native code of the whole package, for every architecture")


def run(options: argparse.Namespace) -> int:
    """Build, and show what was built."""
    if options.native and options.slice:
        raise CommandError(f"--native and --slice {options.slice} cannot work together: native code is of the whole package; leave out one")
    from rich.table import Column, Table

    from ..fleet import build, roster
    from ..fleet.output import check_root
    from ..shown.progress import bar
    from ..shown.terminal import terminal

    slice_name = options.slice or "full"
    kinds = sorted(build.PROGRAMS if options.roster is None else {board.kind for board in roster.load(options.roster).boards})
    out = Path(options.out)
    check_root(out)
    numbers = [Column(name, justify="right") for name in ("files", "bytes")]
    table = Table("board", "slice", *numbers, title=f"built in {out}")
    tables = [table]
    with bar("building", len(kinds) + options.native * len(build.ARCHITECTURES)) as shown:
        for kind in kinds:
            files = build.board(kind, slice_name)
            build.write(files, out, kind)
            table.add_row(kind, slice_name, str(len(files)), f"{sum(map(len, files.values())):,}")
            shown.advance(1)
        if options.native:
            tables.append(_native(out, shown.advance))
    for each in tables:
        terminal().print(each)
    return 0


def _native(out: Path, advance: Callable[[int], object]) -> Table:
    """Build native code for every architecture, in out/native; return a table of sizes. advance is called after each one, with 1."""
    from rich.table import Column, Table

    from ..fleet import build
    from ..fleet.compile import PACKAGE, compile_package
    from ..fleet.output import filled

    numbers = [Column(name, justify="right") for name in ("bytecode", *build.ARCHITECTURES)]
    table = Table(Column("module", overflow="fold"), *numbers, title=f"native code, bytes, in {out / 'native'}", box=None, pad_edge=False)
    with TemporaryDirectory() as plain, filled(out, "native") as fresh:
        columns = [compile_package(PACKAGE, plain)]
        for architecture in build.ARCHITECTURES:
            columns.append(build.native(architecture, fresh / architecture))
            advance(1)
        for row in zip(*columns):
            table.add_row(_module(row[0]), *[f"{path.stat().st_size:,}" for path in row])
    return table


def _module(path: Path) -> str:
    """Return the last word of what a program imports: the package's own name for its __init__, as all words are different."""
    return path.parent.name if path.stem == "__init__" else path.stem
