"""A board at the end of a serial line: the unix port of MicroPython on a pseudo terminal, with a folder as its flash.

Like a board it runs main.py when it is switched on or reset, and shows its REPL when main.py ends. A second pseudo terminal
is the cable. It can be pulled, and the board loses its power with it. The board is a unix board; or, to every program that asks
it, another one of FIRMWARES: device/firmware/ makes that.
"""

import fcntl
import json
import os
import select
import signal
import subprocess
import termios
import threading
import time
import tty
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from faction_tools.dev import interpreters, microbit
from faction_tools.dev.cluster import local
from faction_tools.fleet import build, deploy, plan
from faction_tools.fleet.found import Found

FIRMWARE = Path(__file__).parent / "device" / "firmware"
# sys.platform, and what the board says of its machine.
FIRMWARES = {
    "esp32": "esp32:Generic ESP32 module with ESP32",
    "rp2040": "rp2:Raspberry Pi Pico W with RP2040",
    "esp8266": "esp8266:ESP module with ESP8266",
}


def pour(end, data):
    """Write to a line what it takes, and lose the rest: nobody reads there, and nobody may wait for that."""
    os.set_blocking(end, False)
    with suppress(BlockingIOError):
        os.write(end, data)


class Board:
    """Use it as a context.

    ``port``            what a host opens
    ``said``            all that the board has sent
    ``bytes_to_board``  how many bytes the host has sent over this cable
    ``pull_after``      the cable is pulled after so many of them; None: it stays
    ``bytes_to_host``   how many bytes the board has sent over this cable
    ``pull_at``         the cable is pulled after so many of them; None: it stays
    ``call_after``      (bytes, function): once the host has sent so many bytes, the cable calls it, and waits for its end
    ``pace``            how many bytes a second go to the board, as over a real line; None: all at once
    """

    def __init__(self, flash, kind="unix", hardware_id="", fault=""):
        """fault: a program that breaks something of the board before main.py runs; not for a unix board."""
        self.flash = flash
        self._environment = dict(os.environ, MICROPYPATH=f"{flash / 'lib'}:.frozen")
        self._is_unix = kind == "unix"
        if not self._is_unix:
            self._environment["MICROPYPATH"] = f"{FIRMWARE}:{flash / 'lib'}:.frozen"
            self._environment |= {
                "EMULATED": FIRMWARES[kind],
                "EMULATED_ID": hardware_id,
                "EMULATED_FAULT": fault,
                "EMULATED_ISIG": str(termios.ISIG),
            }
        self.said = bytearray()
        self.pace = self.call_after = None
        self._lock = threading.Lock()
        self._starting = threading.Lock()  # so that no process runs that kill does not know yet
        self._host = self._keep = None
        self._woken, self._wake = os.pipe()  # a byte tells the thread of the cable that there is another one, or that all is over
        self.plug_in()
        self._device, self._console = os.openpty()
        os.set_blocking(self._device, False)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._power), threading.Thread(target=self._cable)]
        self.process = None

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        os.write(self._wake, b"x")
        while self._threads[0].is_alive():
            self.kill()
            self._threads[0].join(0.05)
        self._threads[1].join()
        for each in (self._host, self._keep, self._device, self._console, self._woken, self._wake):
            if each is not None:
                os.close(each)

    def plug_in(self):
        """Connect a cable, the first or a new one."""
        with self._lock:
            for each in (self._host, self._keep):
                if each is not None:
                    os.close(each)
            self._host, self._keep = os.openpty()  # the host keeps its end open, so that the line stays when a program ends
            os.set_blocking(self._host, False)
            tty.setraw(self._keep)
            self.port = os.ttyname(self._keep)
            self.bytes_to_board = self.bytes_to_host = 0
            self.pull_after = self.pull_at = None
        os.write(self._wake, b"x")

    def say(self, data):
        """Send bytes to the host that no program of the board has printed."""
        with self._lock:
            pour(self._host, data)

    def _pull(self):
        """Pull the cable. The board gets its power over it, so it ends."""
        host, self._host = self._host, None
        os.close(host)
        self.kill()

    def restart(self):
        """Cut the power for a moment, and wait until a program or the REPL is there again."""
        self.said.clear()
        self.kill()
        self.wait_until_up()

    def wait_until_up(self):
        """Wait until a program has greeted since ``said`` was cleared, or the REPL has shown its prompt."""
        wait(lambda: b"faction: node" in self.said or self.said.endswith(b">>> "))

    def let_go(self):
        """Wait until no process of it is about to begin: until its program runs, that holds what the test has open, such as the port."""
        with self._starting:
            pass

    def kill(self):
        """Cut the power for a moment."""
        with self._starting, suppress(ProcessLookupError):
            if self.process is not None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def _power(self):
        while not self._ended.is_set():
            tty.setraw(self._console)  # a process that was killed has left it in the mode of its REPL
            if self._is_unix:
                mode = termios.tcgetattr(self._console)
                mode[3] |= termios.ISIG  # ctrl-C interrupts
                termios.tcsetattr(self._console, termios.TCSANOW, mode)
                program = ["-i", "main.py"] if (self.flash / "main.py").exists() else []
            else:
                program = ["-i", str(FIRMWARE / "start.py")]  # where ctrl-C interrupts only once the firmware is there
            with self._starting:
                self.process = subprocess.Popen(
                    [interpreters.micropython(), *program],
                    cwd=self.flash,
                    env=self._environment,
                    stdin=self._console,
                    stdout=self._console,
                    stderr=self._console,
                    start_new_session=True,
                    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # ctrl-C must reach it
                )
            self.process.wait()

    def _cable(self):
        while not self._ended.is_set():
            ends = [self._woken, self._device, self._host]
            try:
                ready = select.select([end for end in ends if end is not None], [], [])[0]
            except OSError:  # in this moment the cable was pulled, or another one came
                continue
            with self._lock:
                if self._woken in ready:
                    os.read(self._woken, 64)
                elif self._device in ready:
                    self._carry_to_host()
                elif self._host is not None and self._host in ready:  # it may have been pulled since
                    self._carry_to_board()

    def _carry_to_host(self):
        data = _come(self._device)
        self.said += data
        if self._host is None:
            return
        if self.pull_at is not None:
            data = data[: max(0, self.pull_at - self.bytes_to_host)]
        pour(self._host, data)
        self.bytes_to_host += len(data)
        if self.pull_at is not None and self.bytes_to_host >= self.pull_at:
            self._pull()

    def _carry_to_board(self):
        data = _come(self._host)
        if self.pace is not None:
            time.sleep(len(data) / self.pace)
        if self.pull_after is not None:
            data = data[: max(0, self.pull_after - self.bytes_to_board)]
        pour(self._device, data)
        self.bytes_to_board += len(data)
        if self.call_after is not None and self.bytes_to_board >= self.call_after[0]:
            (_, call), self.call_after = self.call_after, None
            call()
        if self.pull_after is not None and self.bytes_to_board >= self.pull_after:
            self._pull()


def _come(end):
    """Return what has come to an end of a line; nothing if the reason to look there is gone."""
    try:
        return os.read(end, 4096)
    except BlockingIOError:
        return b""


def furnish(flash, settings, program="unix"):
    """Put on a flash what faction deploy puts there: the program of a kind of board, and its configuration."""
    for name, content in {**_files(program), "faction.json": json.dumps(settings).encode()}.items():
        (flash / name).parent.mkdir(parents=True, exist_ok=True)
        (flash / name).write_bytes(content)


_files = cache(build.board)


def deployed(flash, roster, name, slice_name="full"):
    """Put on a flash what faction deploy leaves on a board that was empty."""
    order = deploy.Order(roster, roster.board(name), str(flash), slice_name)
    files, own = deploy._files(order, None)
    for path, content in plan.make(order.port, files, Found(""), own).written.items():
        (flash / path).parent.mkdir(parents=True, exist_ok=True)
        (flash / path).write_bytes(content)


def replace(path, text):
    """Put a text in the place of a file, all at once: a board may read it in that moment, and would keep the module that is half there."""
    new = path.with_suffix(".half")
    new.write_text(text)
    new.replace(path)


class Port:
    """A serial port that can be opened, with something at its other end: a subclass says in turn() what that does again and again.

    Use it as a context. ``port``: its name. ``host``: the other end.
    """

    def __init__(self):
        self.host, self._keep = os.openpty()
        os.set_blocking(self.host, False)
        tty.setraw(self._keep)
        self.port = os.ttyname(self._keep)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._thread.join()
        os.close(self.host)
        os.close(self._keep)

    def _run(self):
        while not self._ended.is_set():
            self.turn()


class Bridge(Port):
    """Makes the serial line of an emulated micro:bit, a socket, a port that can be opened."""

    def __init__(self, end):
        super().__init__()
        self._socket = end

    def turn(self):
        for source in select.select([self.host, self._socket], [], [], 0.05)[0]:
            if source == self.host:
                microbit.send(self._socket, _come(self.host))
            else:
                pour(self.host, self._socket.recv(4096))


NAMES = ["north", "south", "east", "west", "door"]


def settings_of(count, **changes):
    """Return settings of boards that find each other. The changes apply to each of them."""
    return local(count, count, **{"interval_ms": 100, "deadline_ms": 60_000, "names": NAMES[:count], **changes})


@contextmanager
def powered(tmp_path, settings):
    """Yield running boards, one for each of the settings, once all have printed their first words."""
    with ExitStack() as stack:
        boards = []
        for number, each in enumerate(settings):
            furnish(tmp_path / str(number), each)
        for number in range(len(settings)):
            boards.append(stack.enter_context(Board(tmp_path / str(number))))
        wait(lambda: all(b"faction: node" in board.said for board in boards))
        yield boards


def wait(condition, seconds=90):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.01)


def states(boards, state):
    """Return whether every board has said that it is in this state."""
    return all(b'"state": %d' % state in board.said for board in boards)


def ports(boards):
    return [board.port for board in boards]
