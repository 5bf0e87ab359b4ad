"""The command faction as a person runs it, and what it prints."""

import atexit
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# The command in a new Python: for tests of how it starts, of terminals, signals and pipes.
FACTION = [sys.executable, "-m", "faction_tools.cli"]


def faction(*words, width=100):
    """Run the command in a process of its own, a fork of warm.py; return what subprocess.run returns."""
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder, "stdout"), Path(folder, "stderr")
        stdout.touch()
        stderr.touch()
        request = {
            "words": list(map(str, words)),
            "folder": os.getcwd(),
            "environment": dict(os.environ, COLUMNS=str(width)),
            "stdout": str(stdout),
            "stderr": str(stderr),
        }
        server = _server()
        print(json.dumps(request), file=server.stdin, flush=True)
        code = server.stdout.readline()
        assert code, "warm.py has ended: what it said is on standard error"
        return subprocess.CompletedProcess(["faction", *request["words"]], int(code), stdout.read_text(), stderr.read_text())


def anew(*words):
    """Run the command in a Python that starts anew, in which sets have another order; return what subprocess.run returns."""
    return subprocess.run([*FACTION, *map(str, words)], capture_output=True, text=True, timeout=300)


def is_refused(done, *texts):
    """Tell whether a command said one line with these texts, and did nothing else."""
    lines = done.stderr.splitlines()
    return done.returncode == 2 and done.stdout == "" and len(lines) == 1 and all(text in lines[0] for text in texts)


def cpu_s(process):
    """Return the seconds that a process has computed for. Linux tells them while it runs."""
    user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@functools.cache
def _server():
    """Return the process that runs the commands of this test process. It ends with it."""
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("warm.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    atexit.register(server.communicate)
    return server


def matrix(text):
    """Return a matrix as lines of cells, whatever the widths of its columns."""
    return [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] or line.strip() for line in text.splitlines() if line[:1] not in "┏┡└"]
