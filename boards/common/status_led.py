"""The status LED: slow while the board waits, double when it has heard somebody, on when Bootstrapped, fast when TimedOut."""

from faction import BOOTSTRAPPED, TIMED_OUT
from faction.wire import BEACON

_PERIOD_CS = 200
_SLOW_CS = 100  # on, then as long off
_FLASH_CS = 10
_SECOND_FLASH_CS = 30  # when the second flash of a double begins
_FAST_CS = 10  # on, then as long off


class StatusLed:
    """Shows the state of a node. Call step at least once in 100 ms."""

    def __init__(self, node, switch):
        """switch: a function that lights the LED if it is given True."""
        self._node = node
        self._switch = switch
        self._is_on = False
        self._nonce = 0  # of the run
        self._beacons = 0  # counted when the run began
        switch(False)

    def step(self):
        """Switch the LED if it is time. Allocates nothing."""
        is_on = self._pattern(self._node.uptime_cs % _PERIOD_CS)
        if is_on != self._is_on:
            self._is_on = is_on
            self._switch(is_on)

    def _pattern(self, cs):
        """Tell whether the LED is on at a time within the period."""
        node = self._node
        if node.nonce != self._nonce:
            self._nonce = node.nonce
            self._beacons = node.counters[BEACON]
        if node.machine.state == BOOTSTRAPPED:
            return True
        if node.machine.state == TIMED_OUT:
            return cs % (2 * _FAST_CS) < _FAST_CS
        if node.counters[BEACON] == self._beacons:
            return cs < _SLOW_CS
        return cs % _SECOND_FLASH_CS < _FLASH_CS and cs < _SECOND_FLASH_CS + _FLASH_CS
