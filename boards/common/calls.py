"""The calls of an application's hooks. One that raises is called again: soon at first, then later and later."""

from last_error import ENDS
from retry import Retry

from faction.clock import Clock

START_UP, ON_BOOTSTRAPPED, ON_TIMED_OUT, STEP = range(4)
_NAMES = ("start_up", "on_bootstrapped", "on_timed_out", "step")
_APPLICATION = "application.py"
_MAX_CS = 0x1FFFFFFF  # of Node.uptime_cs
_FIRST_CS = 25  # from the first failure of a hook to its next call
_LONGEST_CS = 6000  # between two calls of one that fails
_PAUSE_MS = 20  # of an application that names no other


class Calls:
    """Calls the hooks of an application, which may be broken: the node is polled all the same.

    ``result``    whether the latest call has returned something true
    ``pause_ms``  so long at most the application wants to wait between two calls
    """

    def __init__(self, node, application, errors, tell):
        """application: what has the hooks, or a function that makes it, which is called before the first hook.

        errors: a last_error.Errors. tell: prints a text.
        """
        self._node = node
        self._make = application
        self._application = application if hasattr(application, "step") else None
        self._errors = errors
        self._tell = tell
        clock = Clock(lambda: node.uptime_cs, _MAX_CS)
        self._hook = Retry(clock, _FIRST_CS, _LONGEST_CS)
        self._poll = Retry(clock, _FIRST_CS, _LONGEST_CS)
        self._latest = -1  # the hook that was due last; -1: none
        self.result = False
        self.pause_ms = _pause_of(application)

    def call(self, hook):
        """Call a hook if it is due. Tell whether it has come to its end. Allocates nothing itself."""
        if hook != self._latest:
            self._latest = hook
            if self._application is not None:
                self._hook.succeed()  # what failed was another one
        if not self._hook.is_due():
            return False
        where = _APPLICATION
        try:
            if self._application is None:
                self._application = self._make()
                self.pause_ms = _pause_of(self._application)
            where = _NAMES[hook]
            self.result = bool(self._invoke(hook, self._application))  # here, as this may raise, too
        except ENDS:
            raise
        except BaseException as error:  # such as CancelledError of asyncio, which is no Exception
            self._report(where, error, self._hook)
            return False
        self._hook.succeed()
        return True

    def _invoke(self, hook, application):
        if hook == STEP:
            return application.step(self._node)
        if hook == START_UP:
            return application.start_up(self._node)
        if hook == ON_BOOTSTRAPPED:
            return application.on_bootstrapped(self._node)
        return application.on_timed_out(self._node)

    def poll(self, polled):
        """Poll a node or a console. What a transport or a stream raises there is kept and printed; the next poll is due all the same."""
        try:
            polled.poll()
        except ENDS:
            raise
        except BaseException as error:
            self.report_poll(error)

    def report_poll(self, error):
        """Keep and print what was raised beside the hooks, as seldom as a hook that fails is called again."""
        if self._poll.is_due():
            self._report("poll", error, self._poll)

    def _report(self, where, error, retry):
        """Keep and print an error. Whatever fails here, too, such as for want of memory, is of less concern than the node."""
        retry.fail()
        try:
            text = self._errors.keep(where, error, self._node.uptime_cs // 100)
            self._tell("faction: %s; again in %d ms" % (self._errors.last(), 10 * retry.wait))
            for each in (text or "").splitlines()[2:]:
                self._tell(each)
        except ENDS:
            raise
        except BaseException:
            pass


def _pause_of(application):
    pause_ms = getattr(application, "pause_ms", None)
    return pause_ms if isinstance(pause_ms, int) else _PAUSE_MS
