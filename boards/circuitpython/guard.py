"""The hardware watchdog of a CircuitPython board: it resets the board if a hook does not return for too long."""

from member import say
from microcontroller import ResetReason, cpu, watchdog
from watchdog import WatchDogMode

_LIMIT_S = 8  # of an RP2040 and an RP2350


class Watchdog:
    """Feed it with step."""

    def __init__(self, seconds, errors):
        """seconds: after which the board is reset; where that is too long, 8 s. errors: a last_error.Errors.

        Raises ValueError if this board has none, or the firmware does not take so many seconds.
        """
        if watchdog is None:
            raise ValueError("this board has none")
        if cpu.reset_reason == ResetReason.WATCHDOG:
            errors.keep("watchdog", RuntimeError("it has reset this board: a call took more than %d s" % seconds))
        try:
            watchdog.timeout = seconds
        except ValueError:
            watchdog.timeout = min(seconds, _LIMIT_S)
        watchdog.mode = WatchDogMode.RESET
        self._watchdog = watchdog
        self._seconds = seconds

    def step(self):
        """Feed it."""
        self._watchdog.feed()

    def release(self):
        """Stop it, as the program has ended. An RP2040 cannot do that: then it resets the board, which starts the program again."""
        self._watchdog.feed()
        try:
            self._watchdog.mode = None
        except (NotImplementedError, RuntimeError):
            say("watchdog: this board cannot stop it: it is reset within %d s; without watchdog_s in the roster it stays" % self._seconds)
