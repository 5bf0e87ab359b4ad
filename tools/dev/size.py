"""Bytes of code and of heap that the compiled files take on a board."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from . import figures
from .figures import Figure
from .interpreters import PACKAGE, WEBASSEMBLY, compile_package, node

_SCRIPT = Path(__file__).parent / "device" / "heap.mjs"
_MACHINE = "kept = faction.Faction(faction.Config(0, %s, 1))"
_NODE = "kept = faction.node.Node(faction.Config(0, range(%d), 1), None, 'cluster', 1000, seed=1)"

# name, budget and aim in bytes, what runs before, what is measured
HEAP = (
    ("import faction", 5824, 5120, "", "import faction"),
    ("machine, 64 contiguous peers", 512, 320, "import faction", _MACHINE % "range(64)"),
    ("machine, 1,000 contiguous peers", 768, 560, "import faction", _MACHINE % "range(1000)"),
    ("machine, 1,000 sparse peers", 9216, 8640, "import faction", _MACHINE % "range(0, 7000, 7)"),
    ("import faction.node", 14528, 12288, "import faction", "import faction.node"),
    ("import faction.console", None, None, "import faction.node", "import faction.console"),
    ("node, 20 peers", 2560, 2048, "import faction.node", _NODE % 20),
    ("node, 200 peers", 7680, 6144, "import faction.node", _NODE % 200),
)


def code(compiled: list[Path]) -> list[Figure]:
    """Return the sizes of compiled files: machine.mpy against its budget, the others for information."""
    sizes = {path.name if path.parent.name == "faction" else f"transports/{path.name}": path.stat().st_size for path in compiled}
    found = [Figure("machine.mpy", sizes.pop("machine.mpy"), "bytes", 3296, 2560)]
    return found + [Figure(name, size, "bytes") for name, size in sorted(sizes.items())]


def heap(folder: Path) -> list[Figure]:
    """Return what runs of the 32-bit MicroPython with the compiled files in folder take from its heap."""
    command = [str(node()), str(_SCRIPT), str(WEBASSEMBLY), str(folder)]
    programs = json.dumps([[before, measured] for *_, before, measured in HEAP])
    done = subprocess.run(command, input=programs, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    taken = json.loads(done.stdout)
    return [Figure(f"heap: {name}", value, "bytes", budget, aim) for (name, budget, aim, *_), value in zip(HEAP, taken)]


def main() -> int:
    """Measure, and return 1 if a budget is broken."""
    options = figures.parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = code(compile_package(options.source or PACKAGE, folder))
        if node() is None or WEBASSEMBLY is None:
            print("heap: not measured; it takes node, npm and the packages in tests/runtimes (make node)", file=sys.stderr)
        else:
            found += heap(Path(folder))
        return figures.report("Size: compiled files, and the heap of a 32-bit MicroPython", found, options)


if __name__ == "__main__":
    sys.exit(main())
