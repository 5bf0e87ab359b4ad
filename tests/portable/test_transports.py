"""The transports in memory, and UDP over real sockets of this machine."""

from faction import Config
from faction.node import Node
from faction.transports.loopback import Hub
from faction.transports.ring import NOTHING, Ring
from faction.wire import BEACON
from run import Skip

try:
    import socket

    from faction.transports.udp import UDP
except ImportError:
    socket = None

FIRST_PORT = 47810


def taken(transport, size=64):
    """Return all frames that wait at a transport."""
    buffer = bytearray(size)
    frames = []
    while True:
        length = transport.receive(buffer)
        if length < 0:
            return frames
        frames.append(bytes(buffer[:length]))


def test_a_ring_is_first_in_first_out():
    ring = Ring(3, 8)
    assert taken(ring) == []
    for turn in range(5):
        for data in (b"one", b"", b"three"):
            assert ring.put(data, len(data))
        assert taken(ring) == [b"one", b"", b"three"], turn
    assert ring.overflows == 0


def test_a_ring_counts_what_finds_no_room():
    ring = Ring(2, 4)
    assert ring.put(b"a", 1) and ring.put(b"b", 1)
    assert not ring.put(b"c", 1) and ring.overflows == 1
    assert taken(ring) == [b"a", b"b"]
    assert not ring.put(b"12345", 5) and ring.overflows == 2
    assert ring.put(b"12345", 4) and taken(ring) == [b"1234"]


def test_a_ring_holds_eight_frames_of_the_longest_kind_unless_told_otherwise():
    ring = Ring()
    data = bytes(251)
    assert [ring.put(data, 250) for _ in range(9)] == [True] * 8 + [False] and not ring.put(data, 251)
    assert NOTHING == -1 and len(taken(ring)) == 8


def test_a_ring_cuts_a_frame_to_the_buffer():
    ring = Ring(2, 8)
    ring.put(b"12345678", 8)
    assert taken(ring, 5) == [b"12345"]


def test_a_ring_keeps_copies():
    ring = Ring(2, 8)
    data = bytearray(b"abc")
    ring.put(data, 3)
    data[0] = 0
    assert taken(ring) == [b"abc"]


def test_a_hub_reaches_all_others():
    hub = Hub(2)
    ports = [hub.join() for _ in range(3)]
    ports[0].send(b"hello!", 5)
    assert [taken(port) for port in ports] == [[], [b"hello"], [b"hello"]]


def test_a_slow_port_drops_and_counts():
    hub = Hub(2)
    first, second = hub.join(), hub.join()
    for _ in range(5):
        first.send(b"x", 1)
    assert second.overflows == 3 and taken(second) == [b"x", b"x"]


def test_an_interrupt_handler_may_hand_frames_to_a_node():
    """The way of a driver that calls back: the handler puts, the node's poll receives."""

    class Driver:
        def __init__(self):
            self.ring = Ring(4)
            self.receive = self.ring.receive

        def send(self, buffer, length):
            other.ring.put(buffer, length)  # what the other driver's interrupt handler does

    driver, other = Driver(), Driver()
    nodes = [Node(Config(i, (0, 1), 2), (driver, other)[i], "x", 1000, seed=i + 1) for i in range(2)]
    nodes[0].complete()
    nodes[1].poll()
    assert nodes[1].machine.collecting.has(0) and nodes[1].counters[BEACON] == 1


def sockets(count, ports=FIRST_PORT):
    return [UDP(ports + i, [("127.0.0.1", ports + j) for j in range(count) if j != i], "127.0.0.1") for i in range(count)]


def waited(transport, count):
    """Return the frames at a socket, as soon as there are so many: even the loopback interface takes a moment."""
    frames = []
    for _ in range(20000):
        frames += taken(transport)
        if len(frames) >= count:
            break
    return frames


def test_udp_carries_datagrams():
    if socket is None:
        raise Skip("no socket module")
    first, second, third = sockets(3)
    first.send(bytearray(b"hello"), 5)
    first.send(bytearray(b"hello"), 2)
    second.send(bytearray(b""), 0)  # an empty datagram neither ends a drain nor spins it
    first.send(bytearray(b"x" * 250), 250)
    assert waited(second, 3) == [b"hello", b"he", b"x" * 64]
    assert sorted([len(each) for each in waited(third, 4)]) == [0, 2, 5, 64]
    assert first.receive(bytearray(8)) == 0 and first.receive(bytearray(8)) == NOTHING
    for each in (first, second, third):
        each.close()


def test_udp_counts_what_it_cannot_send():
    if socket is None:
        raise Skip("no socket module")
    transport = UDP(FIRST_PORT + 10, [("127.0.0.1", FIRST_PORT + 11)], "127.0.0.1")
    transport.close()
    transport.send(bytearray(b"x"), 1)
    assert transport.failures == 1


def test_udp_multicast_on_this_machine():
    if socket is None or not hasattr(socket, "IP_ADD_MEMBERSHIP"):
        raise Skip("no multicast")
    group = [("239.255.77.77", FIRST_PORT + 20)]
    try:
        first, second = UDP(FIRST_PORT + 20, group), UDP(FIRST_PORT + 20, group)
    except OSError as error:
        raise Skip("no multicast here: %s" % error)
    first.send(bytearray(b"all"), 3)
    sent = first.failures == 0
    heard = waited(second, 1)
    first.close()
    second.close()
    if not sent:
        raise Skip("no route for multicast here")
    assert heard == [b"all"]


def test_nodes_bootstrap_over_udp():
    if socket is None:
        raise Skip("no socket module")
    transports = sockets(3, FIRST_PORT + 30)
    nodes = [Node(Config(i, range(3), 3), transports[i], "x", 5000, 20, seed=i + 1) for i in range(3)]
    for node in nodes:
        node.complete()
    while not all(node.machine.is_concluded for node in nodes):
        for node in nodes:
            node.poll()
    for each in transports:
        each.close()
    assert [node.machine.state for node in nodes] == [3, 3, 3]
