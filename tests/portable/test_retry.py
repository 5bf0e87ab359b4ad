"""When to try again: boards/common/retry.py; and what a network does that comes and goes: boards/common/uplink.py."""

from faction.clock import Clock
from helpers import of_boards
from run import Skip

member, retry, uplink = (of_boards(name) for name in ("member", "retry", "uplink"))


def need():
    if uplink is None:
        raise Skip("boards/common is not on this port")


class Time:
    ms = 0

    def clock(self):
        return Clock(lambda: self.ms & 0xFFFF, 0xFFFF)  # it wraps


def test_the_next_try_is_twice_as_far_off():
    need()
    time = Time()
    time.ms = 0xFFF0
    tries = retry.Retry(time.clock(), 100, 1000)
    assert tries.is_due()
    for wait in (100, 200, 400, 800, 1000, 1000):
        tries.fail()
        assert tries.wait == wait and not tries.is_due()
        time.ms += wait - 1
        assert not tries.is_due()
        time.ms += 1
        assert tries.is_due()
    tries.succeed()
    assert tries.is_due()
    tries.fail()
    assert tries.wait == 100


class Station:
    """A network as a test wants it."""

    ssid = "hall"

    def __init__(self):
        self.is_there = False
        self.reason = None
        self.calls = []

    def begin(self):
        self.calls.append("begin")
        if self.reason == "raise":
            raise OSError("Wifi Internal Error")

    def is_joined(self):
        return self.is_there

    def joined(self):
        self.calls.append("joined")
        return "10.0.0.7"

    def failure(self):
        return self.reason

    def give_up(self):
        self.calls.append("give_up")


class Udp:
    def __init__(self):
        self.failures = 2
        self.socket = object()
        self.is_open = True

    def send(self, buffer, length):
        self.sent = bytes(buffer[:length])

    def receive(self, buffer):
        return 5

    def close(self):
        self.is_open = False


class Rest:
    def __init__(self):
        self.streams = []

    def wake_on(self, stream):
        self.streams.append(stream)

    def forget(self, stream):
        self.streams.remove(stream)


class Mute:
    """Hears what the board says."""

    def __init__(self):
        self.said = ""

    def write(self, data):
        self.said += bytes(data).decode()
        return len(data)


class Desk:
    def __init__(self, station):
        self.time = Time()
        self.rest = Rest()
        self.opened = []
        self.is_refused = False
        self.uplink = uplink.Uplink(self.open, station, self.rest, self.time.clock())
        self.buffer = bytearray(10)

    def open(self):
        if self.is_refused:
            raise OSError(98)
        self.opened.append(Udp())
        return self.opened[-1]

    def run(self, ms):
        """Let time pass; return what the last receive gave."""
        length = None
        for _ in range(ms // 10):
            self.time.ms += 10
            length = self.uplink.receive(self.buffer)
        return length

    def sends(self):
        try:
            self.uplink.send(bytearray(b"abc"), 3)
            return True
        except OSError:
            return False


def test_a_network_that_comes_and_goes():
    need()
    station = Station()
    voice = Mute()
    member.speak_on(voice)
    try:
        desk = Desk(station)
        assert desk.run(500) == -1 and not desk.sends() and station.calls == ["begin"]
        station.reason = "no such network"
        desk.run(200)
        assert station.calls == ["begin", "give_up"]
        desk.run(1200)
        assert station.calls.count("begin") == 2
        desk.run(60000)
        assert 5 <= station.calls.count("begin") <= 8, station.calls
        station.reason = "raise"
        desk.run(60000)
        assert "Wifi Internal Error" in voice.said
        station.is_there = True
        assert desk.run(300) == 5 and desk.sends() and desk.rest.streams == [desk.opened[0].socket]
        assert desk.uplink.counts() == (("failures", 2), ("network", 1), ("network lost", 0))
        station.is_there = False
        station.reason = None
        assert desk.run(300) == -1 and not desk.sends() and not desk.opened[0].is_open and desk.rest.streams == []
        assert station.calls[-1] == "begin"  # at once: the network was good
        station.is_there = True
        assert desk.run(300) == 5 and len(desk.opened) == 2
        assert desk.uplink.counts() == (("failures", 4), ("network", 1), ("network lost", 1))
    finally:
        member.speak_on(None)


def test_a_try_that_never_ends_is_given_up():
    need()
    station = Station()
    member.speak_on(Mute())
    try:
        desk = Desk(station)
        desk.run(14000)
        assert station.calls == ["begin"]
        desk.run(2000)
        assert station.calls[:2] == ["begin", "give_up"]
    finally:
        member.speak_on(None)


def test_a_socket_that_is_refused_is_opened_later():
    need()
    voice = Mute()
    member.speak_on(voice)
    try:
        desk = Desk(None)
        desk.is_refused = True
        assert desk.run(3000) == -1
        desk.is_refused = False
        assert desk.run(5000) == 5
        assert voice.said.startswith("wi-fi: no socket (") and voice.said.count("no socket") == 2
    finally:
        member.speak_on(None)
