"""A million random and mutated frames into nodes on CPython, a hundred thousand on MicroPython; and any bytes into decode.

And a hundred thousand lines, with floods and failures of the stream, into consoles on both.
"""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from needs import needs_micropython

from faction import Config
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import BEACON, CORRUPT, MALFORMED, Checksum, Wire
from faction_tools.dev import interpreters

FUZZ = Path(__file__).parent / "device" / "fuzz.py"
PORTABLE = Path(__file__).parents[1] / "portable"
FUZZ_CONSOLE = PORTABLE / "console_fuzz.py"
# Every verdict of a frame occurs, or the fuzzer is too tame: by the codes of faction.wire and faction.node.
EVERY_VERDICT = range(11)


def fuzz(command, environment, *runs, script=FUZZ):
    """Run the fuzzer side by side; return the sum of the counters."""
    processes = [
        subprocess.Popen([*command, str(script), *run], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for run in runs
    ]
    said = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(runs), said
    return [sum(counts) for counts in zip(*(map(int, text.split()) for text in said))]


def test_a_million_frames_on_cpython():
    counts = fuzz([sys.executable], os.environ, ("1", "800000"), ("2", "200000", "key"))
    assert sum(counts) == 1_000_000
    assert all(counts[verdict] for verdict in EVERY_VERDICT if verdict != 9), counts  # nobody echoes here


@needs_micropython
def test_a_hundred_thousand_frames_on_micropython(tmp_path):
    interpreters.compile_package(interpreters.PACKAGE, tmp_path)
    environment = dict(os.environ, MICROPYPATH=str(tmp_path))
    counts = fuzz([interpreters.micropython()], environment, ("3", "80000"), ("4", "20000", "key"))
    assert sum(counts) == 100_000


def test_a_hundred_thousand_lines_into_a_console_on_cpython():
    environment = dict(os.environ, PYTHONPATH=str(PORTABLE))
    lines, *counts = fuzz([sys.executable], environment, ("1", "50000"), ("2", "50000"), script=FUZZ_CONSOLE)
    assert lines == 100_000 and all(count > 1000 for count in counts), counts


@needs_micropython
def test_a_hundred_thousand_lines_into_a_console_on_micropython(tmp_path):
    interpreters.compile_package(interpreters.PACKAGE, tmp_path)
    environment = dict(os.environ, MICROPYPATH=f"{tmp_path}:{PORTABLE}:.frozen")
    lines, *counts = fuzz([interpreters.micropython()], environment, ("3", "50000"), ("4", "50000"), script=FUZZ_CONSOLE)
    assert lines == 100_000 and all(count > 1000 for count in counts), counts


def decode(receiver, data, length):
    receiver.inbox[: len(data)] = data
    return receiver.decode(length)


@settings(max_examples=2000)
@given(st.binary(max_size=256), st.integers(-3, 300))
def test_any_bytes_of_any_length_get_a_verdict(data, length):
    assert decode(Wire(Config(0, (0, 1), 2), "x", Checksum()), data, length) in (MALFORMED, CORRUPT)


_COUNTS = st.integers(0, (1 << 30) - 1)
_AGES = st.integers(0, 0x7FFF)


@settings(max_examples=500)
@given(
    st.integers(0, 255),
    st.integers(1, (1 << 30) - 1),
    _COUNTS,
    _COUNTS,
    _AGES,
    _AGES,
    st.integers(0, 15),
    st.binary(min_size=4, max_size=4),
)
def test_whatever_is_encoded_is_decoded(flags, nonce, sequence, start, run_age, question_age, unit, statements):
    sender, receiver = Wire(Config(1, (0, 1), 2), "x", Checksum()), Wire(Config(0, (0, 1), 2), "x", Checksum())
    given_fields = (flags, nonce, sequence, start, run_age, question_age, unit)
    names = ("flags", "nonce", "sequence", "start", "run_age", "question_age", "unit")
    for name, value in zip(names, given_fields):
        setattr(sender, name, value)
    sender.outbox[STATEMENTS : STATEMENTS + 4] = statements
    sender.encode()
    assert decode(receiver, sender.outbox, sender.length) == BEACON
    assert tuple(getattr(receiver, name) for name in names) == given_fields
    assert (receiver.peer_id, receiver.first, receiver.count) == (1, 0, 2)
    assert bytes(receiver.inbox[STATEMENTS : STATEMENTS + 4]) == statements
