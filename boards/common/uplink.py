"""UDP over a network that may come later, or go and come back: a transport that is there from the start.

Until the network is there it hears nothing, and send raises OSError, which the node counts. So the node runs and the console
answers meanwhile. It tries to join again and again, soon at first, then once a minute.
"""

from member import say
from retry import Retry

from faction.clock import system_clock
from faction.transports.ring import NOTHING

_FIRST_MS = 1000
_LONGEST_MS = 60000
_LOOK_MS = 100  # between two looks at the network
_TRY_MS = 15000  # a try that takes longer has failed


class Uplink:
    """A transport, which allocates as UDP does. ``lost`` counts how often the network went away."""

    def __init__(self, open_socket, station=None, rest=None, clock=None):
        """Begin to join with the first poll.

        open_socket: returns a faction.transports.udp.UDP. station: joins the network, see station.py of each firmware; None:
        something else joins it. rest: the socket wakes it, see Loop of member.py. clock: see faction.clock.
        """
        self._open_socket = open_socket
        self._station = station
        self._rest = rest
        self._clock = clock or system_clock()
        self._retry = Retry(self._clock, _FIRST_MS, _LONGEST_MS)
        self._udp = None
        self._is_joined = station is None
        self._is_trying = False
        self._began = 0  # the ticks when the try began
        self._looked = self._clock.now() - _LOOK_MS
        self._failures = 0  # of earlier sockets
        self.lost = 0

    def send(self, buffer, length):
        """Send a frame. Raises OSError if the network is not there, and as UDP does."""
        if self._udp is None:
            raise OSError("no network")
        self._udp.send(buffer, length)

    def receive(self, buffer):
        """Receive a frame as UDP does; look after the network before that. Returns -1 while it is not there."""
        now = self._clock.now()
        if self._clock.diff(now, self._looked) >= _LOOK_MS:
            self._looked = now
            self._look()
        return NOTHING if self._udp is None else self._udp.receive(buffer)

    def counts(self):
        """Return (name, number) pairs; "network" is 1 while it is there."""
        failures = self._failures + (0 if self._udp is None else self._udp.failures)
        return (("failures", failures), ("network", int(self._udp is not None)), ("network lost", self.lost))

    def close(self):
        """Close the socket."""
        if self._udp is not None:
            if self._rest is not None:
                self._rest.forget(self._udp.socket)
            self._failures += self._udp.failures
            self._udp.close()
            self._udp = None

    def _look(self):
        """Do what is due for the network to be there."""
        try:
            if self._station is None or self._station.is_joined():
                self._use()
            elif self._is_joined:
                self._lose()
            elif self._is_trying:
                self._wait()
            elif self._retry.is_due():
                self._is_trying = True
                self._began = self._looked
                self._station.begin()
        except Exception as error:  # the firmwares raise OSError, ValueError and RuntimeError
            self._fail(error)

    def _use(self):
        """Open the socket on a network that is there."""
        if not self._is_joined:
            self._is_joined = True
            self._is_trying = False
            self._retry.succeed()
            say("wi-fi: joined %s, address %s" % (self._station.ssid, self._station.joined()))
        if self._udp is None and self._retry.is_due():
            self._udp = self._open_socket()
            self._retry.succeed()
            if self._rest is not None:
                self._rest.wake_on(self._udp.socket)

    def _lose(self):
        """Close the socket: the next one joins its multicast groups again."""
        self._is_joined = False
        self.lost += 1
        say("wi-fi: lost %s" % self._station.ssid)
        self.close()

    def _wait(self):
        """Wait for the end of a try."""
        failure = self._station.failure() if self._clock.diff(self._looked, self._began) < _TRY_MS else "no answer"
        if failure is not None:
            self._fail(failure)

    def _fail(self, reason):
        """Give a try up, and plan the next one."""
        self._retry.fail()
        if self._is_trying:
            self._is_trying = False
            self._station.give_up()
            reason = "not joined %s (%s)" % (self._station.ssid, reason)
        else:
            reason = "no socket (%s)" % reason
        say("wi-fi: %s; again in %d s" % (reason, self._retry.wait // 1000))
