"""faction new: write an example roster."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote

from ..errors import CommandError, named
from ..files import check_no_folder
from . import ROSTER


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    from ..fleet.examples import EXAMPLES

    parser.add_argument("roster", nargs="?", default=ROSTER, help=f"the file to write (default: {ROSTER})")
    parser.add_argument("--kind", choices=EXAMPLES, help="for boards of one kind (default: three boards, of two kinds)")


def run(options: argparse.Namespace) -> int:
    """Write an example roster, but never over a file that exists. Nothing is left of a roster that could not be written."""
    from ..fleet.examples import EXAMPLE, EXAMPLES

    path = Path(options.roster)
    check_no_folder(path)
    if path.suffix.lower() == ".json":
        raise CommandError(f"{path}: an example is TOML, as JSON can have no comments; write {path.with_suffix('.toml')}")
    with named(path), path.open("x", encoding="utf-8") as file:
        try:
            file.write(EXAMPLES.get(options.kind, EXAMPLE))
            file.flush()
        except OSError:
            path.unlink()
            raise
    command = "faction check" if options.roster == ROSTER else f"faction check {quote(str(path))}"
    print(f"{path}: written; edit it, then run: {command}")
    return 0
