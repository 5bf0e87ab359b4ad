"""A board at the end of a serial line: the unix port of MicroPython on a pseudo terminal, with a folder as its flash.

Like a board it runs main.py when it is switched on or reset, and has its REPL behind that. A second pseudo terminal is
the cable: it can be pulled.
"""

import os
import select
import signal
import subprocess
import termios
import threading
import tty
from contextlib import suppress

from faction_tools import interpreters


class Board:
    """``port`` is what a host opens. Use it as a context."""

    def __init__(self, flash):
        self.flash = flash
        self.bytes_to_board = 0
        self.pull_after = None  # bytes from the host after which the cable is pulled
        self._host, theirs = os.openpty()  # the cable's end at the host ...
        tty.setraw(theirs)
        self._keep = theirs  # open, so that the line survives between two hosts
        self.port = os.ttyname(theirs)
        self._device, self._console = os.openpty()  # ... and at the board
        tty.setraw(self._console)
        mode = termios.tcgetattr(self._console)
        mode[3] |= termios.ISIG  # ctrl-C interrupts
        termios.tcsetattr(self._console, termios.TCSANOW, mode)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._power), threading.Thread(target=self._cable)]
        self.process = None

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        while self._threads[0].is_alive():
            self.kill()
            self._threads[0].join(0.05)
        self._threads[1].join()
        for each in (self._host, self._keep, self._device, self._console):
            with suppress(OSError):
                os.close(each)

    def kill(self):
        """Cut the power for a moment."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _power(self):
        while not self._ended.is_set():
            program = ["-i", "main.py"] if (self.flash / "main.py").exists() else []
            self.process = subprocess.Popen(
                [interpreters.micropython(), *program],
                cwd=self.flash,
                env=dict(os.environ, MICROPYPATH=f"{self.flash / 'lib'}:.frozen"),
                stdin=self._console,
                stdout=self._console,
                stderr=self._console,
                start_new_session=True,
                preexec_fn=lambda: __import__("fcntl").ioctl(0, termios.TIOCSCTTY, 0),
            )
            self.process.wait()

    def _cable(self):
        while not self._ended.is_set():
            for source in select.select([self._host, self._device], [], [], 0.05)[0]:
                data = os.read(source, 1024)
                if source == self._host:
                    self.bytes_to_board += len(data)
                    if self.pull_after is not None and self.bytes_to_board > self.pull_after:
                        continue  # nothing gets through any more
                elif self.pull_after is not None and self.bytes_to_board > self.pull_after:
                    continue
                os.write(self._device if source == self._host else self._host, data)
