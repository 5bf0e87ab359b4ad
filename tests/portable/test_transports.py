"""The transports in memory, and UDP over real sockets of this machine."""

import sys

from airs import until_concluded
from faction import TIMED_OUT, Config
from faction.clock import Clock
from faction.node import RECEIVE_FAILED, SEND_FAILED, SENT, Node
from faction.transports import udp as module
from faction.transports.loopback import Hub
from faction.transports.ring import NOTHING, Ring, counted
from faction.transports.udp import UDP
from faction.wire import BEACON, MALFORMED
from run import Skip

try:
    import socket
except ImportError:
    socket = None

COMPUTERS = ("linux", "darwin", "win32")  # there a socket that hears nothing is a fault
PORTS = 60  # that these tests use at most


def kept_ports():
    """Return the first port of a range that no other run of these tests has, and the socket that keeps the range for this one."""
    first = 47810
    while socket and sys.platform in COMPUTERS and first < 65000:
        keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            keeper.bind(socket.getaddrinfo("127.0.0.1", first + PORTS)[0][-1])
            return first, keeper
        except OSError:
            keeper.close()
        first += PORTS + 2
    return first, None


FIRST_PORT, KEEPER = kept_ports()
EBADF = 9
ECONNREFUSED = 111  # on Linux


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
    nodes = [Node(Config(i, (0, 1), 2), (driver, other)[i], "x", 1000, clock=Clock(lambda: 0), seed=i + 1) for i in range(2)]
    nodes[0].complete()
    nodes[1].poll()
    assert nodes[1].machine.collecting.has(0) and nodes[1].counters[BEACON] == 1


def need_sockets():
    """Skip the test without sockets, and on a board that does not carry a datagram to itself, as without a network."""
    if socket is None:
        raise Skip("no socket module")
    if sys.platform in COMPUTERS:
        return
    try:
        itself = UDP(FIRST_PORT - 1, [("127.0.0.1", FIRST_PORT - 1)], "127.0.0.1")
        itself.send(bytearray(b"x"), 1)
        heard = waited(itself, 1)
        itself.close()
    except OSError as error:
        raise Skip("no datagrams to this board itself (%s)" % error) from None
    if not heard:
        raise Skip("no datagrams to this board itself")


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
    need_sockets()
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


def raised(call):
    """Return the number of the OSError that a call raises; 0 if it raises none."""
    try:
        call()
    except OSError as error:
        return error.errno
    return 0


def test_udp_counts_what_it_cannot_send():
    need_sockets()
    transport, other = sockets(2, FIRST_PORT + 10)
    transport.close()
    assert raised(lambda: transport.send(bytearray(b"x"), 1)) == EBADF
    assert transport.failures == 1
    port = FIRST_PORT + 11
    half = UDP(FIRST_PORT + 12, [("127.0.0.1", 0), ("127.0.0.1", port), ("127.0.0.1", 0)], "127.0.0.1")
    half.send(bytearray(b"to one of them"), 14)
    assert half.failures == 2 and waited(other, 1) == [b"to one of them"]
    half.close()
    assert raised(lambda: half.send(bytearray(b"x"), 1)) == EBADF and half.failures == 5
    other.close()


def test_udp_does_not_take_a_closed_socket_for_an_empty_one():
    need_sockets()
    transport = UDP(FIRST_PORT + 14, (), "127.0.0.1")
    buffer = bytearray(8)
    assert transport.receive(buffer) == NOTHING
    transport.close()
    for _ in range(3):
        assert raised(lambda: transport.receive(buffer)) == EBADF


def test_a_node_counts_that_its_socket_is_closed_and_gives_up_in_time():
    need_sockets()
    transport, ms = UDP(FIRST_PORT + 16, [("127.0.0.1", FIRST_PORT + 17)], "127.0.0.1"), [0]
    node = Node(Config(0, range(2), 2), transport, "x", 2000, 100, clock=Clock(lambda: ms[0]), seed=1)
    node.complete()
    assert node.counters[SENT] == 1 and node.counters[RECEIVE_FAILED] == 0
    transport.close()
    for _ in range(30):
        ms[0] += 100
        node.poll()
    assert node.machine.state == TIMED_OUT
    assert node.counters[RECEIVE_FAILED] == 30
    assert node.counters[SENT] == 1 and node.counters[SEND_FAILED] == transport.failures >= 5


def test_udp_that_was_refused_takes_what_waits_behind_that():
    """Linux answers a datagram to a closed port, and says so to the sender when it receives next, if its socket is connected."""
    need_sockets()
    if sys.platform != "linux":
        raise Skip("not Linux")
    here, there = ("127.0.0.1", FIRST_PORT + 18), ("127.0.0.1", FIRST_PORT + 19)
    transport, ms = UDP(here[1], [there], here[0]), [0]
    node = Node(Config(0, range(2), 2), transport, "x", 60000, 100, clock=Clock(lambda: ms[0]), seed=1)
    transport._socket.connect(transport._addresses[0])
    transport.send(bytearray(b"x"), 1)
    other = UDP(there[1], [here], there[0])
    for _ in range(3):
        other.send(bytearray(b"hello"), 5)
    buffer = bytearray(8)
    assert raised(lambda: transport.receive(buffer)) == ECONNREFUSED
    assert waited(transport, 3) == [b"hello"] * 3
    other.close()
    transport.send(bytearray(b"x"), 1)
    other = UDP(there[1], [here], there[0])
    other.send(bytearray(b"hello"), 5)
    node.poll()
    assert node.counters[RECEIVE_FAILED] == 1 and node.counters[MALFORMED] == 0
    for _ in range(200):
        node.poll()
    assert node.counters[RECEIVE_FAILED] == 1 and node.counters[MALFORMED] == 1
    transport.close()
    other.close()


class Pool:
    """The socketpool of CircuitPython, with one socket whose errors are those of its sources."""

    AF_INET = SOCK_DGRAM = 2

    def __init__(self):
        self.waiting = []  # datagrams, and numbers of errors
        self.socket = self.getaddrinfo = self.bind = self.setblocking = self._itself

    def _itself(self, *arguments):
        return self

    def sendto(self, data, address):
        pass

    def recv_into(self, buffer):
        what = self.waiting.pop(0) if self.waiting else 11  # EAGAIN
        if isinstance(what, int):
            raise OSError(what, "")
        if not what:
            raise OSError(128, "")  # ENOTCONN: an ESP32 says so of an empty datagram
        buffer[: len(what)] = what
        return len(what)


def test_udp_knows_the_sockets_of_micropython_under_another_name():
    """CircuitPython for a computer has them."""
    need_sockets()
    known = module._MICROPYTHON
    module._MICROPYTHON = False
    try:
        first, second = sockets(2, FIRST_PORT + 40)
    finally:
        module._MICROPYTHON = known
    first.send(bytearray(b"hello"), 5)
    assert waited(second, 1) == [b"hello"] and second.receive(bytearray(8)) == NOTHING
    first.close()
    second.close()


def test_udp_knows_the_errors_of_circuitpython():
    if sys.implementation.name == "micropython":
        raise Skip("here UDP does not receive as on CircuitPython")
    pool = Pool()
    transport = UDP(FIRST_PORT, [("127.0.0.1", FIRST_PORT)], pool=pool)
    for number in (11, 35, 10035, 110, 116):  # nothing waits; it waited for something in vain
        pool.waiting = [number, b"hello"]
        assert taken(transport) == [] and taken(transport) == [b"hello"], number
    pool.waiting = [b"one", b"", b"two"]
    assert taken(transport) == [b"one", b"", b"two"]
    for number in (9, 32, 111, 104, 10054):
        pool.waiting = [number, b"hello"]
        assert raised(lambda: transport.receive(bytearray(8))) == number and taken(transport) == [b"hello"]


def test_udp_multicast_on_this_machine():
    if socket is None or not hasattr(socket, "IP_ADD_MEMBERSHIP"):
        raise Skip("no multicast")
    group = [("239.255.77.77", FIRST_PORT + 20)]
    try:
        first, second = UDP(FIRST_PORT + 20, group), UDP(FIRST_PORT + 20, group)
    except OSError as error:
        raise Skip("no multicast here: %s" % error)
    is_sent = not raised(lambda: first.send(bytearray(b"all"), 3))
    heard = waited(second, 1) if is_sent else []
    first.close()
    second.close()
    if not is_sent:
        raise Skip("no route for multicast here")
    assert heard == [b"all"]


def test_nodes_bootstrap_over_udp():
    need_sockets()
    transports = sockets(3, FIRST_PORT + 30)
    nodes = [Node(Config(i, range(3), 3), transports[i], "x", 5000, 20, seed=i + 1) for i in range(3)]
    until_concluded(nodes)
    for each in transports:
        each.close()
    assert [node.machine.state for node in nodes] == [3, 3, 3]


def test_counts_stop_at_the_greatest_small_int_of_a_32_bit_port():
    assert [counted(each) for each in (0, 1, 0x3FFFFFFE, 0x3FFFFFFF)] == [1, 2, 0x3FFFFFFF, 0x3FFFFFFF]
    ring = Ring(1, 4)
    ring.put(b"full", 4)
    for count in (0x3FFFFFFE, 0x3FFFFFFF):
        ring.overflows = count
        assert not ring.put(b"more", 4) and ring.overflows == 0x3FFFFFFF
