# The firmware's module wifi, for a process that is a board. The file "air" is the access point: "SSID PASSWORD", while it is on.
import time


class PowerManagement:
    MIN = 1
    NONE = 0


class _Radio:
    power_management = PowerManagement.MIN
    _credentials = None
    _address = "192.168.4.7"

    def _air(self):
        try:
            with open("air") as file:
                return tuple(file.read().split())
        except OSError:
            return None

    def connect(self, ssid, password=b"", *, channel=0, bssid=None, timeout=None):
        time.sleep(min(0.3, timeout))
        self.power_management = PowerManagement.MIN
        if self._air() != (ssid, password):
            raise ConnectionError("No network with that ssid")
        self._credentials = (ssid, password)

    @property
    def connected(self):
        return self._credentials is not None and self._air() == self._credentials

    @property
    def ipv4_address(self):
        return self._address if self.connected else None

    def stop_dhcp(self):
        pass

    def set_ipv4_address(self, *, ipv4, netmask, gateway, ipv4_dns):
        self._address = str(ipv4)

    def start_ap(self, ssid, password=b"", *, channel=1, authmode=(), max_connections=4):
        with open("channel", "w") as file:
            file.write("%d" % channel)

    def stop_ap(self):
        pass


radio = _Radio()
