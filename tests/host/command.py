"""The command faction as a person runs it, and what it prints."""

import os
import re
import subprocess
import sys

FACTION = [sys.executable, "-m", "faction_tools.cli"]


def faction(*words, width=100):
    environment = dict(os.environ, COLUMNS=str(width))
    return subprocess.run([*FACTION, *map(str, words)], capture_output=True, text=True, timeout=300, env=environment)


def matrix(text):
    """Return a matrix as lines of cells, whatever the widths of its columns."""
    return [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] or line.strip() for line in text.splitlines() if line[:1] not in "┏┡└"]
