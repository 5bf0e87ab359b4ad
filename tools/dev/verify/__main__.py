"""All checks: python -m faction_tools.dev.verify [--storms N] [--full]."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

# Those of a row run side by side: the first two have one process each, the others take all cores.
STAGES = (
    (("Every state of small clusters", "exhaustive"), ("The formal model", "promela")),
    (("Storms", "storms"),),
    (("Deliberate bugs", "mutants"),),
)


def run(stage: Sequence[tuple[str, str]], arguments: dict[str, list[str]]) -> Iterator[str]:
    """Run the checks of a stage, print what they say, and iterate the titles of those that found something."""
    command = [sys.executable, "-m"]
    children = [
        (title, subprocess.Popen([*command, f"{__package__}.{name}", *arguments.get(name, [])], stdout=subprocess.PIPE, text=True))
        for title, name in stage
    ]
    for title, child in children:
        said, _ = child.communicate()
        print(f"\n{title}\n{said.rstrip()}", flush=True)
        if child.returncode:
            yield title


def main() -> int:
    """Run all, say what each covered, and return 1 if one found something."""
    parser = argparse.ArgumentParser(prog=__package__, description=__doc__)
    parser.add_argument("--storms", type=int, default=20_000, metavar="N", help="clusters with every fault (20,000)")
    parser.add_argument("--full", action="store_true", help="larger clusters in the exhaustive part: minutes, and 2 GB of memory")
    options = parser.parse_args()
    arguments = {"storms": ["--runs", str(options.storms)], "exhaustive": ["--full"] if options.full else []}
    begin = time.monotonic()
    found = [title for stage in STAGES for title in run(stage, arguments)]
    print(f"\nverify: {'faults in: ' + ', '.join(found) if found else 'nothing found'}; {time.monotonic() - begin:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
