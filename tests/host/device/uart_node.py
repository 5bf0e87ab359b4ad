"""A node on a serial line: micropython uart_node.py TTY PEER_ID COUNT SEED.

Prints its state when it is bootstrapped, and goes on answering until its standard input ends.
"""

import select
import sys
import time

from faction import BOOTSTRAPPED, Config
from faction.node import Node
from faction.transports.uart import UART


def main(tty, peer_id, count, seed):
    line = UART(open(tty, "r+b"))
    node = Node(Config(peer_id, range(count), count), line, "bus", 90000, 100, seed=seed)
    stdin = select.poll()
    stdin.register(sys.stdin, select.POLLIN)
    start = time.ticks_ms()
    told = False
    while not list(stdin.ipoll(0)):
        node.poll()
        if time.ticks_diff(time.ticks_ms(), start) > 100 * peer_id:
            node.complete()
        if node.machine.is_concluded and not told:
            told = True
            print("state", node.machine.state, "damaged", line.framer.corrupt + line.framer.oversized)
        time.sleep_ms(2)
    return node.machine.state == BOOTSTRAPPED


sys.exit(0 if main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])) else 1)
