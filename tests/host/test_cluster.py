"""Clusters of MicroPython processes over real sockets: loss, kills and restarts, and links that are cut and healed."""

import asyncio
import os
import subprocess
from contextlib import contextmanager

import pytest
from needs import NO_MICROPYTHON, require

from faction import BOOTSTRAPPED, COLLECTING, TIMED_OUT
from faction_tools.dev.cluster import BoardProcess, ProcessCluster, free_ports, local, udp
from faction_tools.fleet import roster

INTERVAL_MS = 200
ENOUGH_S = 75  # for a busy computer; on a quiet one it takes two

require(NO_MICROPYTHON)


def members(nodes, loss=0.0, quorum=None, **others):
    common = {"interval_ms": INTERVAL_MS, "deadline_ms": 60_000, "loss": loss, **others}
    settings = local(nodes, quorum or nodes, **common)
    for each in settings:
        each["start_up_ms"] = 37 * each["peer_id"] % 500
    return [BoardProcess(each) for each in settings]


def states(cluster):
    return [member.state for member in cluster.members]


@pytest.mark.parametrize("nodes", [5, 20])
@pytest.mark.parametrize("loss", [0.0, 0.2, 0.4])
def test_all_bootstrap(nodes, loss):
    async def run():
        async with ProcessCluster(members(nodes, loss)) as cluster:
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * nodes
            assert (sum(member.dropped for member in cluster.members) > 0) == (loss > 0)

    asyncio.run(run())


@pytest.mark.parametrize(("nodes", "loss"), [(5, 0.2), (20, 0.4)])
def test_a_member_that_is_killed_in_mid_bootstrap_and_started_again_gets_in(nodes, loss):
    async def run():
        everybody = members(nodes, loss)
        everybody[-1].settings["start_up_ms"] = 3000  # nobody concludes before
        async with ProcessCluster(everybody) as cluster:
            victim = cluster.members[1]
            assert await cluster.until(lambda: victim.state == COLLECTING, ENOUGH_S)
            await cluster.kill(victim)
            await cluster.launch(victim)
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * nodes

    asyncio.run(run())


@pytest.mark.parametrize(("nodes", "loss"), [(5, 0.2), (20, 0.2)])
def test_a_member_that_is_killed_after_conclusion_and_started_again_gets_in(nodes, loss):
    async def run():
        async with ProcessCluster(members(nodes, loss)) as cluster:
            assert await cluster.until_concluded(ENOUGH_S)
            victim = cluster.members[2]
            await cluster.kill(victim)
            await cluster.launch(victim)
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * nodes

    asyncio.run(run())


def test_a_cluster_that_misses_too_many_times_out_and_says_who():
    async def run():
        everybody = members(5, quorum=4, deadline_ms=5000)
        async with ProcessCluster(everybody[:3]) as cluster:
            assert await cluster.until(lambda: all(member.ready == [0, 1, 2] for member in cluster.members), 4)
            assert states(cluster) == [COLLECTING] * 3
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [TIMED_OUT] * 3
            for member in cluster.members:  # who times out first tells the others, and is not ready any more
                assert member.unheard == [3, 4] and sorted(member.ready + member.unready) == [0, 1, 2]
                assert member.peer_id in member.ready

    asyncio.run(run())


# Two airs that meet in one board

AIRS = """
cluster = "house"
quorum = "everyone"
interval_ms = {interval_ms}
"""
BOARD = """
[[boards]]
id = {id}
name = "board {id}"
kind = "unix"
transports = [{transports}]
"""
MEETING = 2  # the board that stands on both airs


def two_airs(tmp_path, is_meeting=True, **others):
    """Return five members from a roster: 0 and 1 are on one air, 3 and 4 on another, 2 on both, or its second radio fails."""
    ports = free_ports(6)
    airs = [{0: ports[0], 1: ports[1], MEETING: ports[2]}, {3: ports[3], 4: ports[4], MEETING: ports[5]}]
    text = AIRS.format(interval_ms=INTERVAL_MS)
    for i in range(5):
        transports = []
        for air in airs:
            if i in air:
                to = ", ".join(f'"127.0.0.1:{port}"' for peer, port in air.items() if peer != i)
                transports.append(f'{{ kind = "udp", port = {air[i]}, bind = "127.0.0.1", to = [{to}] }}')
        text += BOARD.format(id=i, transports=", ".join(transports))
    path = tmp_path / "faction.toml"
    path.write_text(text)
    checked = roster.load(path)
    members = [BoardProcess({**checked.configuration(board), "seed": board.id + 1, **others}) for board in checked.boards]
    if not is_meeting:
        del members[MEETING].settings["transports"][1]
    return members


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_two_airs_that_meet_in_one_board_become_one_cluster(tmp_path, loss):
    async def run():
        everybody = two_airs(tmp_path, loss=loss)
        assert [len(member.settings["transports"]) for member in everybody] == [1, 1, 2, 1, 1]
        async with ProcessCluster(everybody) as cluster:
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * 5
            assert all(member.ready == [0, 1, 2, 3, 4] for member in cluster.members)
            assert await cluster.until_started(ENOUGH_S) and all(member.started for member in cluster.members)
            if not loss:
                assert [member.started_late_ms for member in cluster.members] == [0] * 5

    asyncio.run(run())


def test_two_airs_that_do_not_meet_stay_two(tmp_path):
    async def run():
        async with ProcessCluster(two_airs(tmp_path, is_meeting=False, deadline_ms=4000)) as cluster:
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [TIMED_OUT] * 5
            assert [member.unheard for member in cluster.members] == [[3, 4]] * 3 + [[0, 1, 2]] * 2

    asyncio.run(run())


def test_the_board_between_two_airs_may_come_last_and_again(tmp_path):
    """The airs know nothing of each other until it comes; when it comes again, it learns all from them."""

    async def run():
        everybody = two_airs(tmp_path)
        everybody[MEETING].settings["start_up_ms"] = 2000
        async with ProcessCluster(everybody) as cluster:
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * 5
            await cluster.kill(cluster.members[MEETING])
            await cluster.launch(cluster.members[MEETING])
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * 5

    asyncio.run(run())


# Every node in a network namespace of its own, on one bridge


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


@contextmanager
def network(nodes):
    """Make a namespace with a bridge, and one on it for each node; yield their names."""
    hub = f"faction-{os.getpid()}"
    names = [f"{hub}-{i}" for i in range(nodes)]
    try:
        for name in [hub, *names]:
            made = ip("netns", "add", name)
            if made.returncode:
                pytest.skip(f"no network namespaces here: {made.stderr.strip()}")
        bridge = ip("-n", hub, "link", "add", "bridge0", "type", "bridge")
        if bridge.returncode:
            pytest.skip(f"no bridges here: {bridge.stderr.strip()}")
        ip("-n", hub, "link", "set", "bridge0", "up")
        for i, name in enumerate(names):
            for words in (
                ["-n", hub, "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", name],
                ["-n", hub, "link", "set", f"port{i}", "master", "bridge0", "up"],
                ["-n", name, "address", "add", f"10.77.0.{i + 1}/24", "broadcast", "10.77.0.255", "dev", "eth0"],
                ["-n", name, "link", "set", "eth0", "up"],
            ):
                done = ip(*words)
                assert done.returncode == 0, (words, done.stderr)
        yield names
    finally:
        for name in [*names, hub]:
            ip("netns", "delete", name)


def on_the_network(names, **others):
    """Return members that broadcast, each in its namespace."""
    return [
        BoardProcess(
            {
                "cluster": "network",
                "peer_id": i,
                "peers": list(range(len(names))),
                "quorum": len(names),
                "transport": udp(47000, ["10.77.0.255:47000"], "0.0.0.0"),
                "interval_ms": INTERVAL_MS,
                "deadline_ms": 60_000,
                **others,
            },
            prefix=("ip", "netns", "exec", name),
        )
        for i, name in enumerate(names)
    ]


def test_a_broadcast_cluster_bootstraps_after_a_cut_link_is_healed():
    async def run(names):
        ip("-n", names[1], "link", "set", "eth0", "down")
        async with ProcessCluster(on_the_network(names)) as cluster:
            others = [member for member in cluster.members if member.peer_id != 1]
            assert await cluster.until(lambda: all(member.missing == [1] for member in others), ENOUGH_S)
            await asyncio.sleep(1)
            assert states(cluster) == [COLLECTING, COLLECTING, COLLECTING, COLLECTING]
            ip("-n", names[1], "link", "set", "eth0", "up")
            await cluster.until_concluded(ENOUGH_S)
            assert states(cluster) == [BOOTSTRAPPED] * 4

    with network(4) as names:
        asyncio.run(run(names))
