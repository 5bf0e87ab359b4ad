"""The terminal, as rich sees it."""

from __future__ import annotations

from rich.console import Console


class _Terminal(Console):
    """A console that leaves a closed pipe to the command: rich itself ends the program with an exit code of 1."""

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled once more."""
        raise


def terminal(stderr: bool = False, width: int | None = None) -> Console:
    """Return the console for output, or for progress and errors. It prints brackets as they are: a board's name may have some."""
    return _Terminal(stderr=stderr, width=width, markup=False)
