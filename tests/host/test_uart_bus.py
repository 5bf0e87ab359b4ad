"""MicroPython processes on pseudo terminals that are joined to one noisy bus."""

import os
import random
import select
import subprocess
import threading
import tty
from pathlib import Path

import pytest
from emulated import pour
from needs import NO_MICROPYTHON, require

from faction_tools.dev import interpreters

NODE = Path(__file__).parent / "device" / "uart_node.py"

require(NO_MICROPYTHON)


class Bus:
    """Pseudo terminals of which each hears what the others say, with a share of the bytes flipped, lost or invented."""

    def __init__(self, count, noise, seed):
        self._chance = random.Random(seed)
        self._noise = noise
        pairs = [os.openpty() for _ in range(count)]
        self._ours = [ours for ours, _ in pairs]
        self._theirs = [theirs for _, theirs in pairs]
        for ours, theirs in pairs:
            os.set_blocking(ours, False)
            tty.setraw(theirs)
        self.names = [os.ttyname(theirs) for theirs in self._theirs]
        self.damaged = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self):
        while not self._ended.is_set():
            for source in select.select(self._ours, [], [], 0.05)[0]:
                try:
                    data = os.read(source, 256)
                except BlockingIOError:
                    continue
                for target in self._ours:
                    if target != source:
                        pour(target, self._damage(data))

    def _damage(self, data):
        out = bytearray()
        for byte in data:
            if self._chance.random() < self._noise:
                self.damaged += 1
                out += self._chance.choice((b"", bytes([byte ^ 1 << self._chance.randrange(8)]), bytes([byte, byte ^ 0x55])))
            else:
                out.append(byte)
        return bytes(out)

    def close(self):
        self._ended.set()
        self._thread.join()
        for each in self._ours + self._theirs:
            os.close(each)


@pytest.mark.parametrize(("count", "noise"), [(4, 0.0), (4, 0.005), (6, 0.01)])
def test_nodes_on_one_bus_bootstrap(tmp_path, count, noise):
    interpreters.compile_package(interpreters.PACKAGE, tmp_path)
    bus = Bus(count, noise, seed=count)
    environment = dict(os.environ, MICROPYPATH=str(tmp_path))
    processes = [
        subprocess.Popen(
            [interpreters.micropython(), NODE, bus.names[i], str(i), str(count), str(i + 1)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
        )
        for i in range(count)
    ]
    watchdog = threading.Timer(120, lambda: [process.kill() for process in processes])
    watchdog.start()
    try:
        said = [process.stdout.readline() for process in processes]
        assert all(line.startswith("state 3 ") for line in said), said
        if noise:
            assert bus.damaged and sum(int(line.split()[-1]) for line in said), said
    finally:
        for process in processes:
            process.stdin.close()
        for process in processes:
            process.wait()
            process.stdout.close()
        watchdog.cancel()
        bus.close()
    assert [process.returncode for process in processes] == [0] * count
