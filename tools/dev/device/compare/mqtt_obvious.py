"""A member of a comparison, with MQTT in the form that comes to mind first.

    micropython mqtt_obvious.py ID COUNT PORT

Each member keeps a retained message "ready" on a topic of its own. It counts the topics of all.
"""

import sys
import time

from orders import Orders
from umqtt.simple import MQTTClient


def main(own, count, port):
    ready = set()
    client = MQTTClient("member%d" % own, "127.0.0.1", port)
    client.set_callback(lambda topic, message: ready.add(topic))
    client.connect()
    client.subscribe(b"ready/#")
    orders = Orders()
    print("up")
    is_told = False
    while not orders.is_over:
        client.check_msg()
        if orders.is_ready():
            client.publish(b"ready/%d" % own, b"1", retain=True)
        if len(ready) == count and not is_told:
            print("on")
            is_told = True
        time.sleep_ms(5)


main(*[int(word) for word in sys.argv[1:]])
