"""All checks: python -m faction_tools.dev.verify [--storms N] [--full]."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from .promela import NOT_CHECKED

# Those of a row run side by side: the first two have one process each, the others take all cores.
STAGES = (
    (("Every state of small clusters", "exhaustive"), ("The formal model", "promela")),
    (("Storms", "storms"),),
    (("Attacks on a key", "attacks"), ("Abuse", "abuse"), ("Frames of every kind", "fuzz")),
    (("Deliberate bugs", "mutants"),),
)


def run(stage: Sequence[tuple[str, str]], arguments: dict[str, list[str]]) -> Iterator[tuple[str, int]]:
    """Run the checks of a stage, print what they say, and iterate their titles and exit codes."""
    command = [sys.executable, "-m"]
    children = [
        (title, subprocess.Popen([*command, f"{__package__}.{name}", *arguments.get(name, [])], stdout=subprocess.PIPE, text=True))
        for title, name in stage
    ]
    for title, child in children:
        said, _ = child.communicate()
        print(f"\n{title}\n{said.rstrip()}", flush=True)
        yield title, child.returncode


def main() -> int:
    """Run all, say what each covered, and return 1 if one found something, or in CI if one was not checked."""
    parser = argparse.ArgumentParser(prog=__package__, description=__doc__)
    parser.add_argument("--storms", type=int, default=20_000, metavar="N", help="clusters with every fault (20,000)")
    parser.add_argument("--full", action="store_true", help="larger clusters in the exhaustive part: minutes, and 2 GB of memory")
    options = parser.parse_args()
    arguments = {"storms": ["--runs", str(options.storms)], "exhaustive": ["--full"] if options.full else []}
    begin = time.monotonic()
    codes = dict(pair for stage in STAGES for pair in run(stage, arguments))
    found = [title for title, code in codes.items() if code not in (0, NOT_CHECKED)]
    unchecked = [title for title, code in codes.items() if code == NOT_CHECKED]
    verdict = f"faults in: {', '.join(found)}" if found else "nothing found"
    not_checked = f"; not checked: {', '.join(unchecked)}" if unchecked else ""
    print(f"\nverify: {verdict}{not_checked}; {time.monotonic() - begin:.0f} s")
    return 1 if found or (unchecked and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main())
