"""A bridge: one transport over several airs, and clusters that meet through one."""

from faction import BOOTSTRAPPED, Config
from faction.clock import Clock
from faction.node import RECEIVE_FAILED, SEND_FAILED, SENT, Node
from faction.transports.bridge import Bridge
from faction.transports.loopback import Hub
from faction.transports.ring import NOTHING, Ring
from helpers import message_of


class Broken:
    """A transport without a link."""

    def send(self, buffer, length):
        raise OSError(5)

    def receive(self, buffer):
        raise OSError(5)


class Wrong(Broken):
    """A transport with a fault of its program."""

    def send(self, buffer, length):
        raise KeyError("a fault")


def test_a_frame_goes_out_on_every_air():
    hubs = Hub(), Hub()
    ends = [hub.join() for hub in hubs]
    Bridge(hubs[0].join(), hubs[1].join()).send(bytearray(b"hello world"), 5)
    for end in ends:
        buffer = bytearray(20)
        assert end.receive(buffer) == 5 and buffer[:5] == b"hello"
        assert end.receive(buffer) == NOTHING


def test_frames_come_in_from_each_air_in_turn():
    rings = Ring(4), Ring(4), Ring(4)
    bridge = Bridge(*rings)
    for number, ring in enumerate(rings):
        for _ in range(2):
            ring.put(bytes([number]), 1)
    buffer = bytearray(4)
    heard = []
    while bridge.receive(buffer) == 1:
        heard.append(buffer[0])
    assert sorted(heard[:3]) == sorted(heard[3:]) == [0, 1, 2], heard
    assert bridge.receive(buffer) == NOTHING


def test_one_that_raises_does_not_silence_the_others():
    hub = Hub()
    end = hub.join()
    bridge = Bridge(Broken(), hub.join(), Broken())
    buffer = bytearray(20)
    bridge.send(b"out", 3)
    assert end.receive(buffer) == 3
    end.send(b"in", 2)
    assert bridge.receive(buffer) == 2 and bytes(buffer[:2]) == b"in"
    assert bridge.receive(buffer) == NOTHING
    assert bridge.failures[0] > 0 and bridge.failures[1] == 0 and bridge.failures[2] > 0


def test_if_all_raise_the_node_counts_it():
    bridge = Bridge(Broken(), Broken())
    node = Node(Config(0, (0, 1), 2), bridge, "x", 10000, 100, clock=Clock(lambda: 0), seed=1)
    node.complete()
    assert node.counters[SEND_FAILED] == 1 and node.counters[SENT] == 0
    assert node.counters[RECEIVE_FAILED] == 1
    node.poll()
    assert node.counters[RECEIVE_FAILED] == 2
    assert list(bridge.failures) == [3, 3]


def test_a_fault_of_a_program_reaches_the_caller():
    try:
        Bridge(Wrong()).send(b"x", 1)
    except KeyError:
        return
    raise AssertionError("a fault was swallowed")


def test_it_takes_what_all_of_them_take():
    assert Bridge(Ring(2, 100), Broken(), Ring(2, 80)).max_length == 80
    assert Bridge(Broken()).max_length == 250
    assert message_of(ValueError, Bridge) == "transports: none; give at least one"


def test_counts_name_each_transport():
    ring = Ring(1, 2)
    ring.put(b"long", 4)
    assert Bridge(ring, Broken()).counts() == (("1 failed", 0), ("1 overflows", 1), ("2 failed", 0))


def test_two_airs_become_one_cluster_through_a_board_on_both():
    """Boards 0 and 1 are on one air, 3 and 4 on another; 2 is on both."""
    airs = Hub(), Hub()
    time = [0]
    transports = [airs[0].join(), airs[0].join(), Bridge(airs[0].join(), airs[1].join()), airs[1].join(), airs[1].join()]
    clock = Clock(lambda: time[0])
    nodes = [Node(Config(i, range(5), 5), transports[i], "x", 60000, 500, clock=clock, seed=i + 1) for i in range(5)]
    for step in range(1200):
        time[0] += 10
        for i in range(5):
            nodes[i].poll()
            if step == 50 * i:
                nodes[i].complete()
    for i in range(5):
        assert nodes[i].machine.state == BOOTSTRAPPED, (i, nodes[i].missing())
        assert nodes[i].has_started
    assert nodes[0].age_cs(4) == -1 and nodes[0].age_cs(4, False) >= 0  # 0 knows of 4 from others alone


def test_the_failures_of_a_transport_stop_at_the_greatest_small_int_of_a_32_bit_port():
    bridge = Bridge(Broken(), Ring(2))
    for count in (0x3FFFFFFE, 0x3FFFFFFF):
        bridge.failures[0] = count
        assert bridge.receive(bytearray(4)) == NOTHING and bridge.failures[0] == 0x3FFFFFFF
