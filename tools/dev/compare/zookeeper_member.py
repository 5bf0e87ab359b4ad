"""A member of a comparison, with ZooKeeper's double barrier by kazoo, on CPython.

    python zookeeper_member.py COUNT PORT

It obeys and reports as the members on MicroPython do: see tools/dev/device/compare/orders.py.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from kazoo.client import KazooClient
from kazoo.recipe.barrier import DoubleBarrier


def enter(client: KazooClient, count: int) -> None:
    """Enter the barrier, and say so."""
    barrier = DoubleBarrier(client, "/compare", count)
    barrier.enter()
    if barrier.participating:  # enter returns, too, if it failed
        print("on", flush=True)


def main(count: int, port: int) -> None:
    """Connect, and enter when the word comes."""
    logging.disable(logging.CRITICAL)  # a server that is gone is a part of the comparison
    client = KazooClient(f"127.0.0.1:{port}", timeout=10)
    client.start(timeout=60)
    print("up", flush=True)
    for line in sys.stdin:
        if line.strip() == "ready":
            threading.Thread(target=enter, args=(client, count), daemon=True).start()
    os._exit(0)  # a client whose server is gone would wait


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
