"""The command faction, run again and again: python warm.py imports what takes long once, and forks itself for each run.

A line of JSON on standard input asks for a run: {"words", "folder", "environment", "stdout", "stderr"}. Its output goes to these
files. A line on standard output gives its exit code. So each run is a process of its own, with its own files, folder and
environment; but the libraries are there from the start.
"""

import atexit
import gc
import json
import os
import signal
import sys
import threading
from importlib import import_module
from pkgutil import iter_modules

from faction_tools import cli

LIMIT_S = 300  # of a run; after them it is killed
ROOMS = ("commands", "fleet", "journals", "serial", "shown", "simulator")
# These take longer than all the rest, and few commands draw.
DRAWING = ("figure", "graph", "plots", "simulated")
DRAWN = {"--picture", "--diagram"}


def import_all(is_drawing):
    """Import what commands import when they are run: what draws, or all else."""
    for room in ROOMS:
        for module in iter_modules([os.path.join(os.path.dirname(cli.__file__), room)], f"faction_tools.{room}."):
            if (module.name.rpartition(".")[2] in DRAWING) == is_drawing:
                import_module(module.name)


def main():
    """Fork for each request. Return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its input
    answers = os.fdopen(os.dup(1), "w")
    import_all(False)
    gc.freeze()  # a fork leaves these pages alone
    for line in sys.stdin:
        request = json.loads(line)
        if DRAWN & set(request["words"]):
            import_all(True)
        child = os.fork()
        if child == 0:
            run(**request)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    return 0


def run(words, folder, environment, stdout, stderr):
    """Run the command, as python -m faction_tools.cli does, and end the process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(LIMIT_S)
    for path, flags, fd in ((os.devnull, os.O_RDONLY, 0), (stdout, os.O_WRONLY, 1), (stderr, os.O_WRONLY, 2)):
        os.dup2(os.open(path, flags), fd)
    sys.stdin = open(0, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = ["faction", *words]
    code = cli.main()
    # Python would also take all libraries down, one by one: nine tenths of the time of most runs.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
