"""A member of a comparison, with MQTT and all the care that its client allows.

    micropython mqtt_careful.py ID COUNT PORT DEADLINE_MS

A last will takes the readiness back, and so does the first message after a start. Messages are acknowledged (QoS 1). A
connection that breaks is made again, and all is said again. There is a deadline, and it names who is missing.
"""

import sys
import time

from orders import Orders
from umqtt.simple import MQTTClient, MQTTException

KEEPALIVE_S = 10
PING_MS = 3000
BACK_OFF_MS = 500


class Member:
    """``ready``: the topics of all members that are ready, as far as we know."""

    def __init__(self, own, port):
        self.ready = set()
        self._topic = b"ready/%d" % own
        self._client = MQTTClient("member%d" % own, "127.0.0.1", port, keepalive=KEEPALIVE_S)
        self._client.set_callback(self._take)
        self._client.set_last_will(self._topic, b"", retain=True, qos=1)
        self._is_ready = self._is_connected = False
        self._next_ms = self._ping_ms = time.ticks_ms()

    def _take(self, topic, message):
        if message == b"1":
            self.ready.add(topic)
        else:
            self.ready.discard(topic)

    def complete(self):
        self._is_ready = True
        if self._is_connected:
            self._try(self._say)

    def poll(self):
        """Take what has come. Connect again if that is due. Return whether we are connected."""
        now = time.ticks_ms()
        if self._is_connected:
            self._try(self._client.check_msg)
            if time.ticks_diff(now, self._ping_ms) >= 0:
                self._ping_ms = time.ticks_add(now, PING_MS)
                self._try(self._client.ping)
        elif time.ticks_diff(now, self._next_ms) >= 0:
            self._next_ms = time.ticks_add(now, BACK_OFF_MS)
            self._try(self._connect)
        return self._is_connected

    def _try(self, action):
        try:
            action()
        except (OSError, MQTTException, AssertionError, IndexError, TypeError):  # the client raises all of these when a line breaks
            self._is_connected = False

    def _connect(self):
        self.ready.clear()
        self._client.connect()
        self._is_connected = True
        self._say()
        self._client.subscribe(b"ready/+", qos=1)

    def _say(self):
        self._client.publish(self._topic, b"1" if self._is_ready else b"", retain=True, qos=1)


def main(own, count, port, deadline_ms):
    member = Member(own, port)
    orders = Orders()
    start = time.ticks_ms()
    is_up = is_told = False
    while not orders.is_over:
        if member.poll() and not is_up:
            print("up")
            is_up = True
        if orders.is_ready():
            member.complete()
        if len(member.ready) == count and not is_told:
            print("on")
            is_told = True
        if not is_told and time.ticks_diff(time.ticks_ms(), start) > deadline_ms:
            print("timed out; not ready %s" % [i for i in range(count) if b"ready/%d" % i not in member.ready])
            is_told = True
        time.sleep_ms(5)


main(*[int(word) for word in sys.argv[1:]])
