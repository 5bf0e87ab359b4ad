"""A member of a comparison, with faction: the shipped node over UDP.

    micropython faction_member.py ID COUNT PORT START_AFTER_MS DEADLINE_MS

Member i has the port PORT + i. START_AFTER_MS: from the first verdict to the common start.
"""

import sys
import time

from orders import Orders

from faction import TIMED_OUT, Config, everyone
from faction.node import Node
from faction.transports.udp import UDP


def main(own, count, port, start_after_ms, deadline_ms):
    others = [("127.0.0.1", port + i) for i in range(count) if i != own]
    transport = UDP(port + own, others, "127.0.0.1")
    node = Node(Config(own, range(count), everyone), transport, "compare", deadline_ms, start_after_ms=start_after_ms)
    orders = Orders()
    print("up")
    is_told = False
    while not orders.is_over:
        node.poll()
        if orders.is_ready():
            node.complete()
        if not is_told and (node.has_started or node.machine.state == TIMED_OUT):
            unheard, unready = node.missing()
            print("on" if node.has_started else "timed out; never heard %s, not ready %s" % (unheard, unready))
            is_told = True
        time.sleep_ms(5)


main(*[int(word) for word in sys.argv[1:]])
