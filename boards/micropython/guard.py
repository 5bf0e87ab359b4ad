"""The hardware watchdog of a MicroPython board: it resets the board if a hook does not return for too long."""

import sys

import machine
from member import say

_LIMIT_MS = 8388  # of an RP2040 and an RP2350
_FEED_MS = 250


class Watchdog:
    """Feed it with step. Once it runs, nothing stops it but a reset."""

    def __init__(self, seconds, errors):
        """seconds: after which the board is reset. An RP2040 cannot wait longer than 8 s. errors: a last_error.Errors.

        Raises ValueError if the firmware does not take so many seconds, AttributeError if it has no watchdog.
        """
        ms = 1000 * seconds
        if sys.platform == "rp2":  # its machine.reset() is a reset by the watchdog, too, so the cause tells nothing
            ms = min(ms, _LIMIT_MS)
        elif hasattr(machine, "WDT_RESET") and machine.reset_cause() == machine.WDT_RESET:
            errors.keep("watchdog", RuntimeError("it has reset this board: a call took more than %d s" % seconds))
        self._wdt = machine.WDT(timeout=ms)
        self._timer = None

    def step(self):
        """Feed it. Allocates nothing."""
        self._wdt.feed()

    def release(self):
        """Let a timer feed it from now on: the program has ended, and somebody is at the REPL, or faction deploy is.

        Ctrl-D ends the timer, and then the program feeds again. If that does not start, the watchdog resets the board, once:
        after a reset it does not run.
        """
        self._wdt.feed()
        try:
            self._timer = machine.Timer(-1 if sys.platform == "rp2" else 0)
            self._timer.init(period=_FEED_MS, callback=self._feed)
        except (OSError, ValueError, AttributeError) as error:
            say("watchdog: no timer feeds it (%s): it resets this board soon" % error)

    def _feed(self, timer):
        self._wdt.feed()
