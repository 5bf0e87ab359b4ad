"""All checks one after the other: python -m faction_tools.verify [--storms N] [--full]."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from . import exhaustive, mutants, promela, storms


def main() -> int:
    """Run all, say what each covered, and return 1 if one found something."""
    parser = argparse.ArgumentParser(prog="faction_tools.verify", description=__doc__)
    parser.add_argument("--storms", type=int, default=20_000, metavar="N", help="clusters with every fault (20,000)")
    parser.add_argument("--full", action="store_true", help="larger clusters in the exhaustive part: minutes, and 2 GB of memory")
    options = parser.parse_args()
    parts: tuple[tuple[str, Callable[[list[str]], int], list[str]], ...] = (
        ("Every state of small clusters of the shipped machine", exhaustive.main, ["--full"] if options.full else []),
        ("The formal model", promela.main, []),
        ("Storms", storms.main, ["--runs", str(options.storms)]),
        ("Deliberate bugs", mutants.main, []),
    )
    found = []
    for title, run, arguments in parts:
        print(f"\n{title}", flush=True)
        if run(arguments):
            found.append(title)
    print("\nverify: " + (f"faults in: {', '.join(found)}" if found else "nothing found"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
