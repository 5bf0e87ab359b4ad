"""A transport that raises something else than OSError is a fault of a program. The caller of poll sees it, and the node goes on."""

from airs import INTERVAL_MS, STEP_MS, Cluster, Watcher
from faction import BOOTSTRAPPED, TIMED_OUT, WITHDRAWAL_OBSERVED
from faction.node import RECEIVE_FAILED, SEND_FAILED, SENT
from faction.transports.bridge import Bridge
from faction.transports.loopback import Hub
from faction.transports.ring import NOTHING, Ring
from faction.wire import ASKING, BEACON, READY
from frames import STATEMENTS, Speaker


class Faulty(Ring):
    """A transport on which frames wait. ``fails_to_send`` and ``fails_to_receive``: what it cannot do raises ValueError."""

    def __init__(self):
        super().__init__()
        self.fails_to_send = self.fails_to_receive = False
        self.attempts = 0
        self.sent = []

    def send(self, buffer, length):
        self.attempts += 1
        if self.fails_to_send:
            raise ValueError("send %d" % self.attempts)
        self.sent.append(bytes(buffer[:length]))

    def receive(self, buffer):
        length = Ring.receive(self, buffer)
        if length == NOTHING and self.fails_to_receive:
            raise ValueError("receive")
        return length


def alone(peers=2, **options):
    """Return a node of so many peers, its faulty transport, and the cluster that has its time."""
    cluster = Cluster(1)
    transport = Faulty()
    return cluster.make(0, range(peers), transport, quorum=peers, **options), transport, cluster


def polled(node, cluster, ms):
    """Poll for so long; return the texts of what was raised, "" for each poll that raised nothing."""
    texts = []
    for _ in range(ms // STEP_MS):
        cluster.ms += STEP_MS
        try:
            node.poll()
            texts.append("")
        except ValueError as error:
            texts.append(str(error))
    return texts


def test_a_receive_that_raises_at_every_poll_stops_nothing():
    node, transport, cluster = alone(deadline_ms=3000)
    node.complete()
    transport.fails_to_receive = True
    assert polled(node, cluster, 2900) == ["receive"] * 290
    assert node.remaining_ms == 100 and node.uptime_cs == 290
    assert node.counters[SENT] == len(transport.sent) >= 4
    assert polled(node, cluster, 200) == ["receive"] * 20
    assert node.machine.state == TIMED_OUT and node.remaining_ms == 0
    assert node.counters[RECEIVE_FAILED] == 0 and node.counters[SENT] == node.sequence == len(transport.sent)


def test_a_send_that_raises_is_seen_once_for_each_frame():
    node, transport, cluster = alone(deadline_ms=3000)
    transport.fails_to_send = True
    seen = [text for text in polled(node, cluster, 3500) if text]
    assert seen == ["send %d" % (i + 1) for i in range(transport.attempts)] and len(seen) >= 3
    assert node.machine.state == TIMED_OUT
    assert node.sequence == transport.attempts
    assert node.counters[SENT] == node.counters[SEND_FAILED] == node.counters[RECEIVE_FAILED] == 0


def test_both_raise_and_the_deadline_comes_in_time():
    node, transport, cluster = alone(deadline_ms=3000)
    transport.fails_to_send = transport.fails_to_receive = True
    assert "" not in polled(node, cluster, 2990)
    assert node.machine.state != TIMED_OUT
    assert "" not in polled(node, cluster, 2 * STEP_MS)
    assert node.machine.state == TIMED_OUT


def test_what_came_before_the_fault_counts_once():
    node, transport, cluster = alone(deadline_ms=3000)
    node.complete()
    speaker = Speaker(1, (0, 1))
    transport.fails_to_receive = True
    for i in range(3):
        frame = speaker.frame(ASKING | READY)
        transport.put(frame, len(frame))
        assert polled(node, cluster, STEP_MS) == ["receive"]
        assert node.counters[BEACON] == i + 1 and node.machine.state == BOOTSTRAPPED
    assert sum(node.counters) == 3 + node.counters[SENT]


def test_the_start_comes_although_each_poll_raises():
    node, transport, cluster = alone(start_after_ms=1000)
    node.complete()
    frame = Speaker(1, (0, 1)).frame(ASKING | READY)
    transport.put(frame, len(frame))
    transport.fails_to_receive = True
    polled(node, cluster, STEP_MS)
    polled(node, cluster, 990)
    assert node.machine.state == BOOTSTRAPPED and not node.has_started
    polled(node, cluster, 2 * STEP_MS)
    assert node.has_started and node.started_late_ms == 0


def test_the_start_comes_although_each_frame_raises():
    node, transport, cluster = alone(start_after_ms=1000)
    node.complete()
    frame = Speaker(1, (0, 1)).frame(ASKING | READY)
    transport.put(frame, len(frame))
    transport.fails_to_send = True
    polled(node, cluster, STEP_MS)
    polled(node, cluster, 1000 + STEP_MS)
    assert node.machine.state == BOOTSTRAPPED and node.has_started and node.started_late_ms == 0


def test_a_completion_whose_frame_raises_is_said_again():
    node, transport, cluster = alone()
    transport.fails_to_send = True
    try:
        node.complete()
    except ValueError as error:
        assert str(error) == "send 1"
    else:
        raise AssertionError("the fault was swallowed")
    assert node.machine.is_pinging_completed and node.sequence == 1
    transport.fails_to_send = False
    assert "".join(polled(node, cluster, INTERVAL_MS // 4)) == ""
    assert len(transport.sent) == node.counters[SENT] == 1
    assert transport.sent[0][3] == ASKING | READY and transport.sent[0][STATEMENTS] & 0x80


def test_a_completion_counts_although_its_poll_raises():
    node, transport, cluster = alone()
    transport.fails_to_receive = True
    try:
        node.complete()
    except ValueError as error:
        assert str(error) == "receive"
    else:
        raise AssertionError("the fault was swallowed")
    assert node.machine.is_pinging_completed and node.machine.collecting.has(0)
    polled(node, cluster, INTERVAL_MS // 4)
    assert transport.sent[0][3] == ASKING | READY


class Raising(Watcher):
    """An observer that raises at each withdrawal."""

    def observe(self, machine, command, peer_id, previous_state, result):
        if command == WITHDRAWAL_OBSERVED:
            raise ValueError("withdrawal of %d" % peer_id)


def test_a_completion_counts_although_its_withdrawals_raise():
    node, transport, cluster = alone(presence_ms=1000, observer=Raising(), peers=4)
    for peer_id in (1, 2, 3):
        frame = Speaker(peer_id, range(4)).frame(ASKING | READY)
        transport.put(frame, len(frame))
    assert polled(node, cluster, STEP_MS) == [""]
    cluster.ms += 1100  # nobody is heard of for so long
    try:
        node.complete()
    except ValueError as error:
        assert str(error) == "withdrawal of 2"  # the latest of those that its poll, and then it, have tried
    else:
        raise AssertionError("the fault was swallowed")
    assert node.machine.is_pinging_completed and node.machine.collecting.has(0)
    assert polled(node, cluster, INTERVAL_MS) == ["withdrawal of 3"] + [""] * (INTERVAL_MS // STEP_MS - 1)
    assert list(node.machine.collecting) == [0] and transport.sent[-1][3] == ASKING | READY


def test_a_board_takes_part_although_one_of_its_transports_raises_at_every_poll():
    cluster = Cluster(3)
    faulty = Faulty()
    node = cluster.nodes[0] = cluster.make(0, range(3), Bridge(faulty, cluster.air.ports[0]))
    node.complete()
    faulty.fails_to_receive = faulty.fails_to_send = True
    faults = 0
    for i in range(400):
        cluster.ms += STEP_MS
        if i == 100:
            cluster.complete(1, 2)
        for each in cluster.nodes:
            try:
                each.poll()
            except ValueError:
                faults += each is node
    assert faults == 400
    assert cluster.bootstrapped() and [each.has_started for each in cluster.nodes] == [True] * 3, node.missing()


def test_a_bridge_sends_on_the_others_although_one_raises():
    hub = Hub()
    end = hub.join()
    for transports in ((Faulty(), hub.join()), (hub.join(), Faulty())):
        for each in transports:
            each.fails_to_send = True
        bridge = Bridge(*transports)
        for _ in range(2):
            try:
                bridge.send(bytearray(b"out"), 3)
            except ValueError:
                pass
            else:
                raise AssertionError("the fault was swallowed")
            assert end.receive(bytearray(9)) == 3 and end.receive(bytearray(9)) == NOTHING
        assert list(bridge.failures) == [0, 0]
