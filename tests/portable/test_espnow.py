"""ESP-NOW, over a double of both firmwares' modules: see radio.py."""

import sys

import radio
from airs import quick_clock, until_concluded
from faction import Config
from faction.clock import Clock
from faction.node import RECEIVE_FAILED, SEND_FAILED, Node
from faction.transports import espnow, espnow_driver
from faction.transports.espnow_circuitpython import CircuitPythonESPNow
from faction.transports.espnow_micropython import MicroPythonESPNow
from faction.wire import BEACON, MALFORMED
from witness import LOCKED_HEAP, need_lock


def micropython(frames=4, firmware=radio.ESPNow):
    return MicroPythonESPNow(firmware(), frames * 267)


def circuitpython(buffer_size=4 * 267):
    firmware = radio.CircuitPython
    return CircuitPythonESPNow(firmware.ESPNow(buffer_size), firmware.Peer(radio.BROADCAST, lmk=None))


def each_firmware(frames=4):
    """Return radios of each kind of firmware; CircuitPython lets a program have one at a time."""
    made = [micropython(frames), micropython(frames), micropython(frames, radio.ESPNow128)]
    for _ in range(2):
        radio.CircuitPython.ESPNow.running = False
        made.append(circuitpython(frames * 267))
    radio.CircuitPython.ESPNow.running = False
    return made


def stranger():
    """Return a function that broadcasts from a device that is none of ours."""
    device = radio.ESPNow()
    device.active(True)
    device.add_peer(radio.BROADCAST)
    return lambda message: device.send(radio.BROADCAST, message, False)


def fresh():
    radio.ETHER.radios.clear()


def test_a_broadcast_reaches_all_others_of_either_firmware():
    fresh()
    radios = each_firmware()
    buffer = bytearray(256)
    for sender in radios:
        sender.send(bytearray(b"hello"), 5)
        sender.send(bytearray(b"longer than that"), 6)
        for receiver in radios:
            lengths = [receiver.receive(buffer) for _ in range(3)]
            assert lengths == ([-1, -1, -1] if receiver is sender else [5, 6, -1])
            assert receiver is sender or bytes(buffer[:6]) == b"longer"


def test_the_longest_frame_goes_through():
    fresh()
    radios = each_firmware()
    buffer = bytearray(256)
    for sender in radios:
        sender.send(bytearray(range(250)), 250)
        for receiver in radios:
            assert receiver is sender or receiver.receive(buffer) == 250 and buffer[:250] == bytes(range(250))


def test_a_frame_is_cut_to_the_buffer():
    fresh()
    radios = each_firmware()
    radios[0].send(bytearray(b"123456789"), 9)
    radios[0].send(bytearray(b"abc"), 3)
    buffer = bytearray(4)
    for receiver in radios[1:]:
        assert receiver.receive(buffer) == 4 and buffer == b"1234"
        assert receiver.receive(buffer) == 3 and buffer == b"abc4"


def test_what_the_firmware_has_no_room_for_is_counted():
    fresh()
    radios = each_firmware()
    for _ in range(10):
        radios[0].send(bytearray(250), 250)
    for receiver in radios[1:]:
        receiver.receive(bytearray(256))
        assert receiver.dropped == 6, receiver


def test_a_soft_reset_that_leaves_the_radio_on_is_survived():
    fresh()
    firmware = radio.ESPNow()
    MicroPythonESPNow(firmware, 267)
    again = MicroPythonESPNow(firmware, 4 * 267)
    assert firmware.peer_count() == (1, 0)
    say = stranger()
    for _ in range(10):
        say(bytes(250))
    assert again.dropped == 6  # the new size of the buffer counts
    other = micropython()
    again.send(bytearray(b"x"), 1)
    assert other.receive(bytearray(4)) == 1


def test_a_peer_table_that_is_full_is_an_error_now_and_not_a_silence_later():
    fresh()
    firmware = radio.ESPNow()
    firmware.active(True)
    for i in range(20):
        firmware.add_peer(bytes([2, 0, 0, 0, 1, i]))
    try:
        MicroPythonESPNow(firmware, 1000)
    except OSError as error:
        assert "FULL" in str(error)
    else:
        raise AssertionError("no error")


def test_messages_of_espnow_2_are_counted_and_end_nothing():
    fresh()
    radios = each_firmware(16)
    say = stranger()
    buffer = bytearray(256)
    noise = bytearray([i * 7 % 150 for i in range(1470)])
    for length in (251, 256, 300, 1470):
        say(noise[:length])
        heard = [0] * len(radios)
        for _ in range(30):
            say(b"fine")
            for i, receiver in enumerate(radios):
                while receiver.receive(buffer) >= 0:
                    heard[i] += buffer[:4] == b"fine"
        # MicroPython 1.29 throws away what waits behind it; the others are in step again after a few messages.
        assert heard[:2] == [29, 29] and min(heard) >= 20, (length, heard)
    for receiver in radios:
        assert receiver.oversized


def test_a_refused_read_does_not_keep_a_poll():
    fresh()
    say = stranger()
    receivers = (micropython(16, radio.ESPNow128), circuitpython(16 * 267))
    say(bytes(1470))
    for receiver in receivers:
        assert receiver.receive(bytearray(256)) == 1470 & 0xFF  # a torso, for the node to drop
        assert receiver.receive(bytearray(256)) == -1 and receiver.oversized == espnow_driver.TRIES
    receivers[1].close()


def test_a_radio_that_fails_is_counted_by_the_node():
    fresh()
    firmware = radio.ESPNow()
    transport = MicroPythonESPNow(firmware, 1000)
    firmware.active(False)
    other = circuitpython()
    other._radio.peers.remove(other._everybody)
    for failing, failures in ((transport, (SEND_FAILED, RECEIVE_FAILED)), (other, (SEND_FAILED,))):
        node = Node(Config(0, (0, 1), 2), failing, "x", 5000, 20, clock=Clock(lambda: 0), seed=1)
        node.complete()
        node.poll()
        # complete polls once before it sends.
        assert [node.counters[failure] for failure in failures] == [1, 2][: len(failures)]
    other.close()


def test_a_closed_radio_can_be_opened_again():
    fresh()
    first = circuitpython()
    try:
        circuitpython()
    except RuntimeError as error:
        assert "Already running" in str(error)
    else:
        raise AssertionError("two at a time")
    first.close()
    circuitpython().close()


def test_the_firmware_decides_which_one_is_made():
    fresh()
    before = sys.modules.get("espnow")
    try:
        sys.modules["espnow"] = radio
        assert isinstance(espnow.ESPNow(), MicroPythonESPNow)
        sys.modules["espnow"] = radio.CircuitPython
        transport = espnow.ESPNow(2)
        assert isinstance(transport, CircuitPythonESPNow)
        transport.close()
    finally:
        del sys.modules["espnow"]
        if before:
            sys.modules["espnow"] = before


class Steady:
    """A firmware that allocates nothing, as an ESP32's once it knows the sender: one message comes again and again."""

    def __init__(self):
        self.sent = 0

    def active(self, flag):
        pass

    def config(self, rxbuf):
        pass

    def add_peer(self, mac):
        pass

    def send(self, mac, message, sync):
        self.sent += 1

    def recvinto(self, data, timeout_ms):
        data[0] = radio.BROADCAST
        for i in range(26):
            data[1][i] = i
        return 26


def test_sending_and_receiving_allocate_nothing_on_micropython():
    need_lock()
    transport = MicroPythonESPNow(Steady(), 1000)
    frame, buffer = bytearray(26), bytearray(256)
    with LOCKED_HEAP:
        transport.send(frame, 26)
        length = transport.receive(buffer)
    assert length == 26 and buffer[:26] == bytes(range(26)) and transport._radio.sent == 1


def test_nodes_bootstrap_over_the_radios_of_both_firmwares():
    fresh()
    radios = each_firmware()
    clock = quick_clock()
    nodes = [Node(Config(i, range(5), 5), radios[i], "x", 5000, 20, clock=clock, seed=i + 1) for i in range(5)]
    radios[0].send(bytearray(b"noise"), 5)
    until_concluded(nodes)
    assert [node.machine.state for node in nodes] == [3] * 5
    assert nodes[1].counters[MALFORMED] == 1 and nodes[1].counters[BEACON] >= 4
