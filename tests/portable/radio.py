"""A double of the firmware's espnow module, since no radio can be had here: both APIs, with their documented limits.

The methods and parameters are those of the published stubs; tests/host/test_board_types.py compares them.
"""

BROADCAST = b"\xff\xff\xff\xff\xff\xff"
MAX_DATA_LEN = 250
MAX_DATA_LEN_V2 = 1470
MAX_TOTAL_PEER_NUM = 20
MAGIC = 0x99


class Ether:
    """The radios in reach of each other; at most 256 of them."""

    def __init__(self):
        self.radios = []

    def admit(self, radio):
        self.radios.append(radio)
        return bytes([2, 0, 0, 0, 0, len(self.radios)])

    def carry(self, sender, mac, data):
        for radio in self.radios:
            if radio is not sender and mac in (BROADCAST, radio.mac):
                radio.hear(sender.mac, bytes(data))


ETHER = Ether()


class _Radio:
    """What both firmwares share: a ring of bytes, in which a message follows a header, and which drops what does not fit.

    A length of 8 bits, which all have but MicroPython from 1.29 on, puts the ring out of step after a message of ESP-NOW 2.
    """

    _length_size = 1

    def __init__(self, size):
        self._ring = bytearray()
        self._size = size
        self._received = self._lost = 0
        self.mac = ETHER.admit(self)

    def hear(self, mac, data):
        length = bytes([len(data) & 0xFF, len(data) >> 8])[: self._length_size]
        packet = bytes([MAGIC]) + length + bytes(5) + mac + data
        if len(self._ring) + len(packet) > self._size:
            self._lost += 1
        else:
            self._received += 1
            self._ring += packet

    def _take(self):
        """Return the next message and its sender; None if there is no header, a ValueError if that is none."""
        header_size = 6 + self._length_size
        if len(self._ring) < header_size:
            return None
        header = self._pop(header_size)
        length = header[1] + (header[2] << 8 if self._length_size == 2 else 0)
        if header[0] != MAGIC or length > MAX_DATA_LEN or length + 6 > len(self._ring):
            raise ValueError("buffer error")
        return self._pop(6), self._pop(length)

    def _pop(self, count):
        taken = bytes(self._ring[:count])
        self._ring = self._ring[count:]
        return taken


def _check_new(peers, mac):
    if mac in peers:
        raise OSError(-12395, "ESP_ERR_ESPNOW_EXIST")
    if len(peers) == MAX_TOTAL_PEER_NUM:
        raise OSError(-12392, "ESP_ERR_ESPNOW_FULL")


class ESPNow(_Radio):
    """MicroPython's: espnow.ESPNow, as an ESP32 has it from 1.29 on."""

    _length_size = 2
    _longest = MAX_DATA_LEN_V2

    def __init__(self):
        super().__init__(2972)
        self._rxbuf = self._size
        self._active = False
        self._peers = []
        self._sent = 0

    def active(self, flag=None):
        if flag is not None:
            if flag and not self._active:
                self._size = self._rxbuf
            self._active = bool(flag)
            if not flag:
                self._ring = bytearray()
        return self._active

    def config(self, param="", *, rxbuf=None, timeout_ms=None, rate=None):
        if param:
            return {"rxbuf": self._rxbuf}[param]
        if rxbuf is not None:
            self._rxbuf = rxbuf  # for the next time that it is switched on
        return None

    def _check(self):
        if not self._active:
            raise OSError(-12389, "ESP_ERR_ESPNOW_NOT_INIT")

    def add_peer(self, mac, lmk=None, channel=0, ifidx=0, encrypt=False):
        self._check()
        _check_new(self._peers, mac)
        if mac == BROADCAST and encrypt:
            raise OSError(-12390, "ESP_ERR_ESPNOW_ARG")
        self._peers.append(bytes(mac))

    def del_peer(self, mac):
        self._peers.remove(mac)

    def peer_count(self):
        return len(self._peers), 0

    def send(self, mac, msg, sync=True):
        self._check()
        if not 0 < len(msg) <= self._longest:
            raise OSError(-12390, "ESP_ERR_ESPNOW_ARG")
        if mac is None:  # to all peers but the broadcast address
            for peer in self._peers:
                if peer != BROADCAST:
                    ETHER.carry(self, peer, msg)
            return True
        if mac not in self._peers:
            raise OSError(-12393, "ESP_ERR_ESPNOW_NOT_FOUND")
        self._sent += 1
        ETHER.carry(self, mac, msg)
        return True  # whether or not anybody heard a broadcast

    def recvinto(self, data, timeout_ms=None):
        self._check()
        try:
            taken = self._take()
        except ValueError:
            self._ring = bytearray()
            raise
        return self._deliver(data, taken)

    def _deliver(self, data, taken):
        if taken is None:
            return 0
        data[0], message = taken
        for i in range(len(message)):
            data[1][i] = message[i]
        return len(message)

    def any(self):
        return len(self._ring) > 0

    def stats(self):
        return self._sent, self._sent, 0, self._received, self._lost


class ESPNow128(ESPNow):
    """MicroPython's before 1.29."""

    _length_size = 1
    _longest = MAX_DATA_LEN

    def recvinto(self, data, timeout_ms=None):
        self._check()
        if len(data[1]) != MAX_DATA_LEN:
            raise ValueError("invalid buffer length")
        return self._deliver(data, self._take())


class CircuitPython:
    """The names of CircuitPython's module, as an object: CircuitPython.ESPNow and so on."""

    class Peer:
        def __init__(self, mac, *, lmk=None, channel=0, interface=0, encrypted=False):
            if len(mac) != 6:
                raise ValueError("mac must be 6 bytes")
            self.mac = mac

    class Packet:
        def __init__(self, mac, msg):
            self.mac = mac
            self.msg = msg
            self.rssi = -40
            self.time = 0

    class Peers:
        def __init__(self):
            self._peers = []

        def append(self, peer):
            _check_new([each.mac for each in self._peers], peer.mac)
            self._peers.append(peer)

        def remove(self, peer):
            self._peers.remove(peer)

        def _macs(self, peer):
            """Return where a message to a peer goes, and without one: to all but the broadcast address."""
            if peer is None:
                return [each.mac for each in self._peers if each.mac != BROADCAST]
            if peer not in self._peers:
                raise OSError("ESP-NOW error 0x3069")  # espidf.IDFError
            return [peer.mac]

    class ESPNow(_Radio):
        running = False

        def __init__(self, buffer_size=526, phy_rate=0):
            if CircuitPython.ESPNow.running:
                raise RuntimeError("Already running")
            CircuitPython.ESPNow.running = True
            super().__init__(buffer_size)
            self.peers = CircuitPython.Peers()

        @property
        def read_failure(self):
            return self._lost

        def deinit(self):
            CircuitPython.ESPNow.running = False
            ETHER.radios.remove(self)

        def send(self, message, peer=None):
            if not 0 < len(message) <= MAX_DATA_LEN:
                raise ValueError("message length must be 1-250")
            for mac in self.peers._macs(peer):
                ETHER.carry(self, mac, message)

        def read(self):
            taken = self._take()
            return None if taken is None else CircuitPython.Packet(*taken)
