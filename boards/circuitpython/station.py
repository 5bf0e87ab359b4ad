"""A board on a Wi-Fi network, for boards/common/uplink.py, with CircuitPython's module wifi."""

import wifi

_TRY_S = 5  # a try stands still for so long, and the node with it


class Station:
    """The station interface. ``ssid``: the network that it joins."""

    def __init__(self, settings, channel=None, watchdog_s=None):
        """settings: of a UDP transport in faction.json. channel: of ESP-NOW on the same radio; None: there is none.

        watchdog_s: of a watchdog; a try takes a third of this time at most. CircuitPython has no setting for the country.
        """
        self.ssid = settings["ssid"]
        self._password = settings["password"]
        self._address = settings.get("address")
        self._netmask = settings.get("netmask") or "255.255.255.0"
        self._gateway = settings.get("gateway") or "0.0.0.0"
        self._channel = channel
        self._try_s = min(_TRY_S, watchdog_s / 3) if watchdog_s else _TRY_S

    def begin(self):
        """Join. This waits. Raises ConnectionError if it fails, ValueError for a password that no network has."""
        if self._address:
            self._fix_address()
        wifi.radio.connect(self.ssid, self._password, timeout=self._try_s)

    def _fix_address(self):
        import ipaddress

        wifi.radio.stop_dhcp()
        numbers = [ipaddress.IPv4Address(each) for each in (self._address, self._netmask, self._gateway)]
        wifi.radio.set_ipv4_address(ipv4=numbers[0], netmask=numbers[1], gateway=numbers[2], ipv4_dns=numbers[2])

    def is_joined(self):
        """Tell whether we are on the network and have an address."""
        return wifi.radio.connected and wifi.radio.ipv4_address is not None

    def joined(self):
        """Do what is to be done after each join, and return our address."""
        if hasattr(wifi, "PowerManagement"):  # a radio that sleeps misses broadcasts
            wifi.radio.power_management = wifi.PowerManagement.NONE
        return wifi.radio.ipv4_address

    def failure(self):
        """Return why the try has failed: begin waits for its end, so it has."""
        return "no address"

    def give_up(self):
        """End a try."""
        if self._channel is not None:  # the search has led the radio away from it
            tune(self._channel)


def tune(channel):
    """Move the radio to a channel. CircuitPython has no call for that, but an access point that opens takes its channel with it.

    It stays there when the access point is closed: https://github.com/adafruit/circuitpython/issues/9380. Nobody can join
    meanwhile, and it takes a few ms.
    """
    wifi.radio.start_ap(" ", channel=channel, max_connections=0)
    wifi.radio.stop_ap()
