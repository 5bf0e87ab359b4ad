"""Waiting for a node with asyncio. It has its own file, as the smallest ports cannot compile ``async def``."""

import asyncio

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .node import Node


async def wait(node: "Node", pause_ms: int) -> int:
    """Poll node every pause_ms until it has concluded. Return its final state. Allocates, as asyncio does.

    If the task is cancelled, the node stays as it is.
    """
    while not node.machine.is_concluded:
        node.poll()
        await asyncio.sleep(pause_ms / 1000)
    return node.machine.state
