"""Waiting for a node from asyncio."""

from faction import BOOTSTRAPPED, TIMED_OUT, Config
from faction.node import Node
from faction.transports.loopback import Hub
from run import Skip

try:
    import asyncio

    asyncio.run  # noqa: B018  some ports have a module without it
except (ImportError, AttributeError):
    asyncio = None


def need_asyncio():
    if asyncio is None:
        raise Skip("no asyncio")


def node(hub, peer_id, count=2, deadline_ms=5000):
    return Node(Config(peer_id, range(count), count), hub.join(), "x", deadline_ms, 20, seed=peer_id + 1)


def test_nodes_wait_for_each_other():
    need_asyncio()
    hub = Hub()
    nodes = [node(hub, 0), node(hub, 1)]

    async def start(which, pause):
        await asyncio.sleep(pause)
        which.complete()

    async def main():
        return await asyncio.gather(nodes[0].wait(1), nodes[1].wait(1), start(nodes[0], 0), start(nodes[1], 0.02))

    assert list(asyncio.run(main()))[:2] == [BOOTSTRAPPED, BOOTSTRAPPED]


def test_a_wait_always_ends():
    need_asyncio()
    assert asyncio.run(node(Hub(), 0, deadline_ms=30).wait(1)) == TIMED_OUT


def test_a_wait_can_be_cancelled_and_taken_up_again():
    need_asyncio()
    waiting = node(Hub(), 0, deadline_ms=60)

    async def main():
        task = asyncio.create_task(waiting.wait(1))
        await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert not waiting.machine.is_concluded
        return await waiting.wait(1)

    assert asyncio.run(main()) == TIMED_OUT
