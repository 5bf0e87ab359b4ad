# The firmware's module microcontroller, for a process that is a board. Its watchdog ends the process.
import os
import threading
import time


class ResetReason:
    POWER_ON = object()
    WATCHDOG = object()


class cpu:
    uid = b"\x0a\x0b"
    reset_reason = ResetReason.WATCHDOG if os.path.exists("was_reset") else ResetReason.POWER_ON


class _Watchdog:
    _timeout = 0.0
    _mode = None

    @property
    def timeout(self):
        return self._timeout

    @timeout.setter
    def timeout(self, seconds):
        if seconds > 8:
            raise ValueError("timeout must be <= 8")
        self._timeout = seconds
        self.feed()

    @property
    def mode(self):
        return self._mode

    @mode.setter
    def mode(self, mode):
        if mode is None:
            raise NotImplementedError("WatchDogTimer cannot be disabled once mode is set to RESET")
        self._mode = mode
        self.feed()
        threading.Thread(target=self._watch, daemon=True).start()

    def feed(self):
        self._fed = time.monotonic()

    def _watch(self):
        while time.monotonic() - self._fed < self._timeout:
            time.sleep(0.02)
        with open("was_reset", "w") as file:
            file.write("")
        os._exit(9)


watchdog = _Watchdog()
