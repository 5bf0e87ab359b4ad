"""Frames of every kind into nodes: a million on CPython, fewer on each MicroPython; and any bytes into decode.

make verify feeds more of them.
"""

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import needs_32_bit, needs_micropython

from faction import Config
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import BEACON, CORRUPT, MALFORMED, Checksum, Wire
from faction_tools.dev import interpreters
from faction_tools.dev.verify import fuzz


def check(name, folder, frames, seed):
    """Fuzz on an interpreter. Whatever is found is an exception, and every verdict must occur."""
    (interpreter,) = [each for each in fuzz.interpreters_with(folder) if each.name == name]
    counts = fuzz.fuzz(interpreter, frames, seed)
    heard = {mode: sum(each.values()) for mode, each in counts.items()}
    assert heard[""] + heard["key"] == 0.8 * frames and heard["line"] > 0.1 * frames
    assert not fuzz.missing(counts)


def test_a_million_frames_on_cpython(tmp_path):
    check("cpython", tmp_path, 1_000_000, 1)


@needs_micropython
def test_a_hundred_thousand_frames_on_micropython(tmp_path):
    check("micropython", tmp_path, 100_000, 1001)


@needs_32_bit
def test_frames_on_micropython_with_32_bits(tmp_path):
    check("micropython-32bit", tmp_path, 10_000, 2001)


def test_what_a_run_finds_is_told(tmp_path):
    interpreter = next(fuzz.interpreters_with(tmp_path))
    package = tmp_path / "faulty" / "faction"
    shutil.copytree(interpreters.PACKAGE, package)
    peers = (package / "peers.py").read_text()
    assert peers.count("return _STRANGER") == 1
    (package / "peers.py").write_text(peers.replace("return _STRANGER", "index = 1"))
    faulty = fuzz.Interpreter(interpreter.name, interpreter.command, {"PYTHONPATH": str(package.parent)})
    with pytest.raises(fuzz.Failed, match="AssertionError"):
        fuzz.fuzz(faulty, 1000, 1)


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
