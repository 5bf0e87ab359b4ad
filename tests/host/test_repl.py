"""The reads of a serial port on which a REPL answers: they take what has come at once, and lose nothing of it."""

import os
import select
import threading
import time
import tty
from contextlib import contextmanager, suppress

import pytest
import serial
from emulated import wait
from hypothesis import given, settings
from hypothesis import strategies as st
from test_deploy_broken import Fake

from faction_tools.serial import port as serial_port
from faction_tools.serial import repl
from faction_tools.serial.line import BoardLine

ENDING = b"\x04>"


@contextmanager
def line():
    """Yield the far end of a serial line, and our port at it."""
    far, near = os.openpty()
    tty.setraw(near)
    try:
        with serial.Serial(os.ttyname(near), timeout=serial_port.GLANCE_S) as opened:
            yield far, serial_port.Port(opened)
    finally:
        os.close(far)
        os.close(near)


def until(port, ending=ENDING):
    return port.read_until(ending, longest=10)


def test_what_is_behind_an_ending_stays_for_the_next_read():
    with line() as (far, port):
        os.write(far, b"one\x04>two\x04>R\x01three")
        assert (until(port), until(port)) == (b"one\x04>", b"two\x04>")
        assert port.in_waiting == port.inWaiting() == 7
        assert (port.read(2), port.read(), port.read(4)) == (b"R\x01", b"t", b"hree")
        assert port.in_waiting == 0 and port.read(0) == b""


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=6).map(lambda part: part.replace(b"x", b"\x04").replace(b"y", b">")), max_size=8), st.integers(1, 9))
def test_it_reads_what_a_read_of_single_bytes_would(parts, size):
    """The reference reads byte by byte until what it has ends with the ending."""
    sent = b"".join(parts) + ENDING
    with line() as (far, port):
        feeder = threading.Thread(target=lambda: [os.write(far, sent[i : i + size]) for i in range(0, len(sent), size)])
        feeder.start()
        heard = [until(port)]
        while sum(map(len, heard)) < len(sent):
            heard.append(until(port))
        feeder.join(60)
    left, expected = sent, []
    while left:
        end = left.index(ENDING) + len(ENDING)
        expected.append(left[:end])
        left = left[end:]
    assert heard == expected


def test_a_wait_ends_when_nothing_comes_and_keeps_what_came(monkeypatch):
    monkeypatch.setattr(serial_port, "PATIENCE_S", 0.1)
    with line() as (far, port):
        os.write(far, b"half")
        assert port.read_until(ENDING, longest=60) == b"half"
        os.write(far, b"R")
        assert port.read(2) == b"R"


def test_a_line_that_never_falls_silent_is_not_heard_for_ever():
    ended = threading.Event()
    with line() as (far, port):
        os.set_blocking(far, False)

        def chatter():
            while not ended.wait(0.01):
                os.write(far, b"noise ")

        thread = threading.Thread(target=chatter)
        thread.start()
        heard = port.read_until(ENDING, longest=0.3)
        ended.set()
        thread.join(60)
    assert heard.startswith(b"noise noise ")


@pytest.mark.parametrize("read", [lambda port: port.read(2), until])
def test_every_wait_ends_when_the_work_is_to_end(read):
    stop = threading.Event()
    with line() as (_, port):
        port.stop = stop
        timer = threading.Timer(0.1, stop.set)
        timer.start()
        began = time.monotonic()
        with pytest.raises(serial_port.Stopped):
            read(port)
        assert time.monotonic() - began < 4  # the patience is longer
        timer.join(60)


def test_a_line_that_is_gone_says_what_the_system_says():
    far, near = os.openpty()
    tty.setraw(near)
    with serial.Serial(os.ttyname(near), timeout=serial_port.GLANCE_S) as opened:
        os.close(near)
        os.close(far)
        with pytest.raises(OSError) as error:
            until(serial_port.Port(opened))
    assert error.value.errno is not None


def test_a_board_that_was_let_go_at_its_door_starts_its_program_again():
    """Who presses ctrl-C may do so when the board has just entered its raw REPL, and nobody has read that."""
    stop = threading.Event()
    heard = bytearray()

    def board(said):
        heard.extend(said)
        if b"\x01" in said:
            stop.set()
            return b"", b"raw REPL; CTRL-B to exit\r\n>"
        return b"", b"\r\n>>> " if b"\x02" in said else b""

    with Fake(board) as fake:
        with pytest.raises(serial_port.Stopped):
            repl.Repl(fake.port, stop)
        wait(lambda: heard.endswith(b"\x04"))
    assert heard.endswith(b"\x01\x03\r\x02\x04")


def test_a_line_that_takes_nothing_is_given_up(monkeypatch):
    """A USB port whose board stands still takes no more after some bytes."""
    monkeypatch.setattr(serial_port, "WRITE_S", 0.2)
    far, near = os.openpty()
    tty.setraw(near)
    os.set_blocking(near, False)
    ended = threading.Event()

    def fill():  # so that it stays full, whoever opens it
        while not ended.wait(0.001):
            with suppress(BlockingIOError):
                while True:
                    os.write(near, b"x")

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        wait(lambda: not select.select([], [near], [], 0)[1])
        for ask in (lambda port: repl.Repl(port, threading.Event()), lambda port: BoardLine(port, 1, threading.Event()).ask("probe")):
            with pytest.raises(serial_port.LineError, match=r"the line takes nothing any more\); plug it in and run this again"):
                ask(os.ttyname(near))
    finally:
        ended.set()
        thread.join()
        os.close(far)
        os.close(near)
