"""The command faction. One table of commands; one module in commands/ for each; one place that turns errors into a line.

Only the module of the command that is asked for is imported: the others need libraries that take long to start.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

from faction import __version__

from . import interrupts
from .commands import FAILED, INTERRUPTED
from .errors import CommandError, explain

COMMANDS = {
    "new": "write an example roster",
    "check": "check a roster",
    "build": "build the files for each kind of board",
    "dist": "make the release bundle",
    "deploy": "bring a board's files and configuration onto it",
    "boards": "list what is plugged in: port, kind, firmware, hardware id, name",
    "probe": "ask boards how they are, over their serial lines",
    "replay": "tell what journals hold: when a board learned what",
    "simulate": "run a cluster on the desk, every fault on demand",
}
CLOSED_PIPE = 141  # an exit code
EPILOG = """\
exit codes:
  0    done; probe, simulate: all boards are Bootstrapped
  1    probe, simulate: not all boards are Bootstrapped
  2    something is wrong with what was asked for, or could not be done;
       probe: a board timed out, or boards are in conflict
  3    probe, boards: a board gives no answer
  130  ended by ctrl-C, by kill, or because its terminal has gone
  141  the program that read the output has closed it
"""
# The extra of the package that brings a library.
_EXTRAS = {"distributed": "dask"}
_LIBRARIES = ("matplotlib", "mpremote", "pydantic", "python_minifier", "rich", "serial", "tomli", "tomlkit")


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the words of a command, as everything else that a user can do wrong."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{self.prog}: {message}{_meant(message)}; run: {self.prog} --help")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print the help or the version. argparse would hide that it cannot be written."""
        (file or sys.stdout).write(message)


def _meant(message: str) -> str:
    """Say which of the choices that a message of argparse lists may be meant."""
    refused, _, choices = message.partition(" (choose from ")
    close = get_close_matches(refused.rpartition(": ")[2].strip("'"), re.findall(r"[\w-]+", choices), 1)
    return f"; did you mean {close[0]}?" if close else ""


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command. It knows the options of the chosen command alone."""
    made = _Parser(
        prog="faction",
        description="From a roster to a cluster of boards.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"faction {__version__}")
    commands = made.add_subparsers(metavar="COMMAND", title="commands")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose[0].upper() + purpose[1:] + ".")
        if name == chosen:
            module = import_module(f".commands.{name}", __package__)
            module.add(command)
            command.set_defaults(run=module.run)
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    words = sys.argv[1:] if words is None else words
    _make_output_safe()
    try:
        with interrupts.raised():
            code = _run(words)
        sys.stdout.flush()  # here, so that what goes wrong with it is told like everything else
        return code
    except CommandError as error:
        return _fail(str(error))
    except BrokenPipeError:
        _let_go_of_output()
        return CLOSED_PIPE
    except ModuleNotFoundError as error:
        return _fail(_missing(error))
    except OSError as error:
        if error.filename is None:
            _let_go_of_output()
        return _fail(explain(error))
    except KeyboardInterrupt:
        return _fail("stopped by ctrl-C", INTERRUPTED)


def _run(words: Sequence[str]) -> int:
    for word in words:
        if word.splitlines() not in ([word], []):
            raise CommandError(f"{word!r}: has a line break; rename the file, or leave that out")
    chosen = next((word for word in words if not word.startswith("-")), None)
    made = parser(chosen)
    try:
        options, rest = made.parse_known_args(words)
    except SystemExit as ended:  # argparse has shown the help, or the version
        return int(ended.code or 0)
    if rest:
        name = f"faction {chosen}" if hasattr(options, "run") else "faction"
        raise CommandError(f"{name}: {' '.join(rest)}: not understood; run: {name} --help")
    if not hasattr(options, "run"):
        made.print_help()
        return 0
    return int(options.run(options))


def _make_output_safe() -> None:
    """Let no output fail because it is closed from the start, or knows no such character."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(text: str, code: int = FAILED) -> int:
    with suppress(OSError):  # nobody may be reading
        print(text, file=sys.stderr)
    return code


def _missing(error: ModuleNotFoundError) -> str:
    """Say which extra brings a library. Raises the error again where it is a module of ours, which is a bug."""
    name = (error.name or "").partition(".")[0]
    if name not in _EXTRAS and name not in _LIBRARIES:
        raise error
    return f"{name} is not installed; run: pip install 'faction[{_EXTRAS.get(name, 'tools')}]'"


def _let_go_of_output() -> None:
    """Send the rest of the output nowhere: Python writes it when it ends, and would complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    sys.exit(main())
