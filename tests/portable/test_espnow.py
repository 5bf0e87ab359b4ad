"""ESP-NOW, over a double of both firmwares' modules: see radio.py."""

import sys

import radio
from faction import Config
from faction.node import Node
from faction.transports import espnow
from faction.transports.espnow_circuitpython import CircuitPythonESPNow
from faction.transports.espnow_micropython import MicroPythonESPNow
from faction.wire import BEACON, MALFORMED


def micropython(frames=4):
    return MicroPythonESPNow(radio.ESPNow(), frames * 267)


def circuitpython(buffer_size=4 * 267):
    firmware = radio.CircuitPython
    return CircuitPythonESPNow(firmware.ESPNow(buffer_size), firmware.Peer(radio.BROADCAST, lmk=None))


def both():
    """Return two radios of each firmware's kind; CircuitPython lets a program have one at a time."""
    made = [micropython(), micropython()]
    for _ in range(2):
        radio.CircuitPython.ESPNow.running = False
        made.append(circuitpython())
    radio.CircuitPython.ESPNow.running = False
    return made


def fresh():
    radio.ETHER.radios.clear()


def test_a_broadcast_reaches_all_others_of_either_firmware():
    fresh()
    radios = both()
    buffer = bytearray(256)
    for sender in radios:
        sender.send(bytearray(b"hello"), 5)
        sender.send(bytearray(b"longer than that"), 6)
        for receiver in radios:
            lengths = [receiver.receive(buffer) for _ in range(3)]
            assert lengths == ([-1, -1, -1] if receiver is sender else [5, 6, -1])
            assert receiver is sender or bytes(buffer[:6]) == b"longer"


def test_the_longest_frame_goes_through_and_a_longer_one_is_refused():
    fresh()
    radios = both()
    buffer = bytearray(256)
    for sender in radios:
        sender.send(bytearray(range(250)), 250)
        for receiver in radios:
            assert receiver is sender or receiver.receive(buffer) == 250 and buffer[249] == 249
        try:
            sender.send(bytearray(251), 251)
        except ValueError:
            continue
        raise AssertionError("251 bytes were sent")


def test_a_frame_is_cut_to_the_buffer():
    fresh()
    radios = both()
    radios[0].send(bytearray(b"123456789"), 9)
    for receiver in radios[1:]:
        assert receiver.receive(bytearray(4)) in (4, 9)


def test_what_the_firmware_has_no_room_for_is_counted():
    fresh()
    radios = both()
    for _ in range(10):
        radios[0].send(bytearray(200), 200)
    for receiver in radios[1:]:
        receiver.receive(bytearray(256))
        assert receiver.dropped == 6, receiver


def test_a_soft_reset_that_leaves_the_radio_on_is_survived():
    fresh()
    firmware = radio.ESPNow()
    MicroPythonESPNow(firmware, 1000)
    again = MicroPythonESPNow(firmware, 2000)
    assert firmware.peer_count() == (1, 0) and firmware.config("rxbuf") == 2000
    other = micropython()
    again.send(bytearray(b"x"), 1)
    assert other.receive(bytearray(4)) == 1


def test_a_message_that_is_too_long_is_counted_and_ends_nothing():
    fresh()
    receiver = micropython(16)
    firmware = radio.ETHER.radios[0]
    firmware.hear(b"\0\0\0\0\0\1", bytes(1470))
    assert receiver.receive(bytearray(256)) == -1 and receiver.oversized == 1
    firmware.hear(b"\0\0\0\0\0\1", b"fine")
    assert receiver.receive(bytearray(256)) == 4


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


def test_nodes_bootstrap_over_the_radios_of_both_firmwares():
    fresh()
    radios = both()
    nodes = [Node(Config(i, range(4), 4), radios[i], "x", 5000, 20, seed=i + 1) for i in range(4)]
    radios[0].send(bytearray(b"noise"), 5)
    for node in nodes:
        node.complete()
    while not all(node.machine.is_concluded for node in nodes):
        for node in nodes:
            node.poll()
    assert [node.machine.state for node in nodes] == [3, 3, 3, 3]
    assert nodes[1].counters[MALFORMED] == 1 and nodes[1].counters[BEACON] >= 3
