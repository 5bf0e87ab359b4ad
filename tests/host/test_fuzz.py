"""Frames of every kind into nodes, on each interpreter; and any bytes into decode.

Here are some frames, so that a fault is seen soon. make verify feeds a million on CPython, and 300,000 of these
on each MicroPython.
And a hundred thousand lines, with floods and failures of the stream, into consoles: all of them here.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from needs import needs_32_bit, needs_micropython

from faction import Config
from faction.wire import _STATEMENTS as STATEMENTS
from faction.wire import BEACON, CORRUPT, MALFORMED, Checksum, Wire
from faction_tools.dev import interpreters
from faction_tools.dev.verify import fuzz

PORTABLE = Path(__file__).parents[1] / "portable"
FUZZ_CONSOLE = PORTABLE / "console_fuzz.py"


def run(interpreter, frames, seed):
    """Run so many frames on one interpreter; return the counts of verdicts of each mode."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        drawer = interpreter if interpreter.draws else next(fuzz.interpreters_with(folder))
        todo = fuzz.pieces(frames, seed)
        return fuzz.summed(todo, fuzz.Fuzzer(folder, pool, drawer).begin(interpreter, todo))


def check(name, folder, frames, seed):
    """Fuzz on an interpreter. Whatever is found is an exception, and every verdict must occur."""
    (interpreter,) = [each for each in fuzz.interpreters_with(folder) if each.name == name]
    counts = run(interpreter, frames, seed)
    heard = {mode: sum(each.values()) for mode, each in counts.items()}
    assert heard[""] + heard["key"] == 0.8 * frames and heard["line"] > 0.1 * frames
    assert not fuzz.missing(counts)


def test_make_verify_feeds_a_million_frames_on_cpython_and_300_000_on_each_micropython():
    assert fuzz.FRAMES == {"cpython": 1_000_000, "micropython": 300_000, "micropython-32bit": 300_000}


def test_frames_on_cpython(tmp_path):
    check("cpython", tmp_path, 10_000, 1)


@needs_micropython
def test_frames_on_micropython(tmp_path):
    check("micropython", tmp_path, 10_000, 1001)


@needs_32_bit
def test_frames_on_micropython_with_32_bits(tmp_path):
    check("micropython-32bit", tmp_path, 10_000, 2001)


def faulty(folder, name, file, good, bad):
    """Return CPython, under a name, with a bug in a copy of the package."""
    package = folder / "faulty" / "faction"
    shutil.copytree(interpreters.PACKAGE, package)
    text = (package / file).read_text()
    assert text.count(good) == 1
    (package / file).write_text(text.replace(good, bad))
    interpreter = next(fuzz.interpreters_with(folder))
    return fuzz.Interpreter(name, interpreter.command, {"PYTHONPATH": str(package.parent)})


def test_what_a_run_finds_is_told(tmp_path):
    with pytest.raises(fuzz.Failed, match="AssertionError"):
        run(faulty(tmp_path, fuzz.CPYTHON, "peers.py", "return _STRANGER", "index = 1"), 1000, 1)


def test_what_a_run_finds_in_drawn_frames_is_told(tmp_path):
    with pytest.raises(fuzz.Failed, match="AssertionError: it changed"):
        run(faulty(tmp_path, "another port", "peers.py", "return _STRANGER", "index = 1"), 1000, 1)


def test_a_port_on_which_the_node_says_something_else_is_found(tmp_path):
    other = faulty(tmp_path, "another port", "node.py", "        return self._random % limit", "        return (self._random ^ 1) % limit")
    with pytest.raises(fuzz.Failed, match="(?s)another port: .*said or knew something else"):
        run(other, 1000, 1)


def test_fewer_frames_are_the_first_of_more():
    more, fewer = fuzz.pieces(1_000_000, 7), fuzz.pieces(300_000, 7)
    assert sum(piece.frames for piece in more) == 1_000_000 and sum(piece.frames for piece in fewer) == 300_000
    assert len({piece[:2] for piece in more}) == len(more)
    longest = {piece[:2]: piece.frames for piece in more}
    assert all(piece.frames <= longest[piece[:2]] for piece in fewer)


def fuzz_consoles(command, environment, *seeds):
    """Feed 25,000 lines with each seed, side by side. Each kind of trouble must occur."""
    processes = [
        subprocess.Popen(
            [*command, str(FUZZ_CONSOLE), str(seed), "25000"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for seed in seeds
    ]
    said = [process.communicate(timeout=500)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(seeds), said
    lines, *counts = [sum(each) for each in zip(*(map(int, text.split()) for text in said))]
    assert lines == 50_000 and all(count > 500 for count in counts), counts


def test_fifty_thousand_lines_into_a_console_on_cpython():
    fuzz_consoles([sys.executable], dict(os.environ, PYTHONPATH=str(PORTABLE)), 1, 2)


@needs_micropython
def test_fifty_thousand_more_into_a_console_on_micropython(tmp_path):
    interpreters.compile_package(interpreters.PACKAGE, tmp_path)
    fuzz_consoles([interpreters.micropython()], dict(os.environ, MICROPYPATH=f"{tmp_path}:{PORTABLE}:.frozen"), 3, 4)


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
