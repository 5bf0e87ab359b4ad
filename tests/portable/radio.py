"""A double of the firmware's espnow module, since no radio can be had here: both APIs, with their documented limits.

The methods and parameters are those of the published stubs; tests/host/test_board_types.py compares them.
"""

BROADCAST = b"\xff\xff\xff\xff\xff\xff"
MAX_DATA_LEN = 250
MAX_DATA_LEN_V2 = 1470
MAX_TOTAL_PEER_NUM = 20
OVERHEAD = 17  # bytes of the receive buffer that a frame takes beside its own


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
    """What both firmwares share: a receive buffer of bytes that drops what does not fit."""

    def __init__(self, size):
        self.size = size
        self.queue = []
        self.received = self.lost = 0
        self.mac = ETHER.admit(self)

    def hear(self, mac, data):
        used = sum([len(each) + OVERHEAD for _, each in self.queue])
        if used + len(data) + OVERHEAD > self.size:
            self.lost += 1
        else:
            self.received += 1
            self.queue.append((mac, data))


class ESPNow(_Radio):
    """MicroPython's: espnow.ESPNow, as an ESP32 has it."""

    def __init__(self):
        super().__init__(526)
        self._active = False
        self._peers = []
        self._sent = 0

    def active(self, flag=None):
        if flag is not None:
            self._active = bool(flag)
            if not flag:
                self.queue.clear()
        return self._active

    def config(self, param="", *, rxbuf=None, timeout_ms=None, rate=None):
        if param:
            return {"rxbuf": self.size, "timeout_ms": 300000}[param]
        if rxbuf is not None:
            if self._active:
                raise OSError("ESP_ERR_ESPNOW_IF")
            self.size = rxbuf
        return None

    def _check(self):
        if not self._active:
            raise OSError(-12389, "ESP_ERR_ESPNOW_NOT_INIT")

    def add_peer(self, mac, lmk=None, channel=0, ifidx=0, encrypt=False):
        self._check()
        if mac in self._peers:
            raise OSError(-12395, "ESP_ERR_ESPNOW_EXIST")
        if len(self._peers) == MAX_TOTAL_PEER_NUM:
            raise OSError(-12392, "ESP_ERR_ESPNOW_FULL")
        if mac == BROADCAST and encrypt:
            raise OSError(-12390, "ESP_ERR_ESPNOW_ARG")
        self._peers.append(bytes(mac))

    def del_peer(self, mac):
        self._peers.remove(mac)

    def peer_count(self):
        return len(self._peers), 0

    def send(self, mac, msg, sync=True):
        self._check()
        if not 0 < len(msg) <= MAX_DATA_LEN:
            raise ValueError("ESPNow: message too long")
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
        if not self.queue:
            return 0
        mac, message = self.queue.pop(0)
        if len(message) > MAX_DATA_LEN:
            self.queue.clear()
            raise ValueError("buffer too small")
        data[0] = mac
        for i in range(len(message)):
            data[1][i] = message[i]
        return len(message)

    def any(self):
        return bool(self.queue)

    def stats(self):
        return self._sent, self._sent, 0, self.received, self.lost


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

    class Peers(list):
        pass

    class ESPNow(_Radio):
        running = False

        def __init__(self, buffer_size=526, phy_rate=0):
            if CircuitPython.ESPNow.running:
                raise RuntimeError("Already running")
            CircuitPython.ESPNow.running = True
            super().__init__(buffer_size)
            self.peers = CircuitPython.Peers()
            self.read_success = self.read_failure = self.send_success = self.send_failure = 0

        def deinit(self):
            CircuitPython.ESPNow.running = False
            ETHER.radios.remove(self)

        def send(self, message, peer=None):
            if not 0 < len(message) <= MAX_DATA_LEN:
                raise ValueError("message length must be 1-250")
            if peer is not None and peer not in self.peers:
                raise RuntimeError("ESP-NOW error 0x3069")
            for each in [peer] if peer else [each for each in self.peers if each.mac != BROADCAST]:
                ETHER.carry(self, each.mac, message)

        def read(self):
            self.read_failure = self.lost
            if not self.queue:
                return None
            mac, message = self.queue.pop(0)
            self.read_success += 1
            return CircuitPython.Packet(mac, message)
