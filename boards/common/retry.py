"""When to try again what has failed: soon at first, then later and later."""


class Retry:
    """The time of the next try. Its methods allocate nothing."""

    def __init__(self, clock, first, longest):
        """clock: see faction.clock.Clock. first: from the first failure to the next try. longest: between two tries, at most.

        Both are in the units of the clock.
        """
        self._clock = clock
        self._first = first
        self._longest = longest
        self._since = 0  # the last failure
        self.wait = 0  # from there to the next try; 0: there was no failure

    def is_due(self):
        """Tell whether it is time for a try."""
        return not self.wait or self._clock.diff(self._clock.now(), self._since) >= self.wait

    def fail(self):
        """Note a failure: the next try is twice as far off as the one before."""
        self._since = self._clock.now()
        self.wait = min(2 * self.wait or self._first, self._longest)

    def succeed(self):
        """Note that it works: the next failure is a first one."""
        self.wait = 0
