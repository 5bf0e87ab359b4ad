"""Waiting for a node from asyncio; a file of its own, as the smallest ports cannot compile it."""

import asyncio

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .node import Node


async def wait(node: "Node", pause_ms: int) -> int:
    """Poll node every pause_ms until it has concluded; return its final state. Cancelled, it leaves the node as it is."""
    while not node.machine.is_concluded:
        node.poll()
        await asyncio.sleep(pause_ms / 1000)
    return node.machine.state
