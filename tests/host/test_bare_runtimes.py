"""The portable tests on firmware that lacks modules, or has a small heap: on MicroPython's unix port, without these modules.

A module of MicroPython gives way to a file of its name on the path. So a file that raises ImportError takes it away.
"""

import re
import subprocess

import pytest
from needs import NO_MICROPYTHON, require

from faction_tools.dev import interpreters

ROOT = interpreters.ROOT
PORTABLE = ROOT / "tests" / "portable"

require(NO_MICROPYTHON)


class Firmware:
    """A MicroPython without some modules. heap: its size in bytes."""

    def __init__(self, folder, lacks, heap=2 << 20):
        for name in lacks:
            (folder / f"{name}.py").write_text(f"raise ImportError(\"no module named '{name}'\")\n")
        self._folder = folder
        self._heap = heap
        self._path = (folder, PORTABLE, ROOT, ROOT / "boards/common", ROOT / "boards/micropython")

    def run(self, *words):
        """Run a program; return its exit code and what it says."""
        done = subprocess.run(
            [str(interpreters.micropython()), "-X", f"heapsize={self._heap}", *words],
            cwd=self._folder,
            env={"MICROPYPATH": ":".join(map(str, self._path)) + ":.frozen"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout + done.stderr

    def test(self, *modules):
        """Run modules of tests; return how many tests passed, and {what was skipped: why}. None may fail."""
        code, said = self.run(str(PORTABLE / "run.py"), *modules)
        assert code == 0, said[-3000:]
        passed = re.search(r"^(\d+) passed, 0 failed, \d+ skipped$", said, re.MULTILINE)
        assert passed, said[-3000:]
        return int(passed[1]), dict(re.findall(r"^skipped (\w+(?:\.\w+)?): (.*)$", said, re.MULTILINE))


# MicroPython for QEMU before 1.27: its mpconfigport.h switches these off.
QEMU = ("asyncio", "select", "socket", "time")
# A CircuitPython board without Wi-Fi has no hashlib, and none has these others of MicroPython's.
NO_WIFI = ("asyncio", "hashlib", "select", "socket")


@pytest.mark.parametrize(
    ("modules", "least", "reasons"),
    [
        (("test_node", "test_bridge", "test_espnow"), 40, {"this runtime has no os.urandom"}),
        (("test_config", "test_node_time"), 46, {"this runtime has no time", "no ticks that wrap here"}),
        (("test_uart", "test_transports", "test_wait"), 30, {"this runtime has no time", "no socket module", "no asyncio"}),
    ],
)
def test_a_node_needs_no_time_and_no_sockets(tmp_path, modules, least, reasons):
    passed, skipped = Firmware(tmp_path, QEMU).test(*modules)
    elsewhere = {"no multicast", "here UDP does not receive as on CircuitPython", "this runtime has no gc.mem_alloc"}
    assert passed >= least and set(skipped.values()) <= reasons | elsewhere, (passed, skipped)


def test_a_node_without_a_clock_says_what_it_lacks(tmp_path):
    program = "from faction import Config; from faction.node import Node; Node(Config(0, (0,), 1), None, 'x', 1000, seed=1)"
    code, said = Firmware(tmp_path, QEMU).run("-c", program)
    assert code and said.strip().endswith("ImportError: no module named 'time'"), said


def test_without_hashlib_only_keys_are_missing(tmp_path):
    passed, skipped = Firmware(tmp_path, NO_WIFI).test("test_wire", "test_key", "test_console", "test_member")
    assert set(skipped.values()) == {"this runtime has no hashlib", "this runtime has no select"}, skipped
    assert "test_key" in skipped and len(skipped) < 10 and passed > 110, (passed, skipped)


def test_a_small_heap_skips_what_does_not_fit_and_fails_nothing(tmp_path):
    """200 KB here are little more than 100 KB on a 32-bit port, as MicroPython for QEMU has them."""
    passed, skipped = Firmware(tmp_path, QEMU, 200 << 10).test("test_machine", "test_node_memory", "test_console")
    assert passed >= 24 and skipped and all(name.startswith("test_console") for name in skipped), (passed, skipped)
    assert all("bytes is too small (memory allocation failed" in reason for reason in skipped.values()), skipped
