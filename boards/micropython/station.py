"""A board on a Wi-Fi network, for boards/common/uplink.py, with MicroPython's module network."""

import sys
import time

import network

_STALE_MS = 3000  # an ESP32 tells of the try before, until this one has come to something
_AGAIN = 3  # after so many failures a Pico W switches its radio off and on: then it joins where it did not before


class Station:
    """The station interface. ``ssid``: the network that it joins."""

    def __init__(self, settings, channel=None):
        """settings: of a UDP transport in faction.json. channel: of ESP-NOW on the same radio; None: there is none.

        Switches the radio on. Raises ValueError for a country that the firmware does not know, OSError without a radio.
        """
        self.ssid = settings["ssid"]
        self._password = settings["password"]
        self._address = settings.get("address")
        self._netmask = settings.get("netmask") or "255.255.255.0"
        self._gateway = settings.get("gateway") or "0.0.0.0"
        self._channel = channel
        self._failures = 0
        self._began_ms = time.ticks_ms()
        if settings.get("country") and hasattr(network, "country"):  # it must be known before the radio is on
            network.country(settings["country"])
        self._wlan = network.WLAN(network.STA_IF)
        self._wlan.active(True)

    def begin(self):
        """Begin to join. Raises OSError. Does not wait."""
        self._began_ms = time.ticks_ms()
        self._wlan.active(True)
        try:
            self._wlan.config(reconnects=0)  # an ESP32 would try without a pause, and ESP-NOW would hear nothing meanwhile
        except (ValueError, OSError):  # a Pico W does not know it
            pass
        if self._address:
            self._wlan.ifconfig((self._address, self._netmask, self._gateway, self._gateway))
        self._wlan.connect(self.ssid, self._password)

    def is_joined(self):
        """Tell whether we are on the network and have an address."""
        return self._wlan.isconnected()

    def joined(self):
        """Do what is to be done after each join, and return our address."""
        self._failures = 0
        self._wlan.config(pm=self._wlan.PM_NONE)  # joining has switched power save on, and a radio that sleeps misses broadcasts
        return self._wlan.ifconfig()[0]

    def failure(self):
        """Return why the try has failed, None if it goes on."""
        status = self._wlan.status()
        if time.ticks_diff(time.ticks_ms(), self._began_ms) < _STALE_MS or not (status < 0 or 200 <= status < 300):
            return None
        if status == network.STAT_WRONG_PASSWORD:
            return "wrong password"
        if status == network.STAT_NO_AP_FOUND:
            return "no such network in reach"
        return "status %d" % status

    def give_up(self):
        """End a try."""
        self._failures += 1
        try:
            self._wlan.disconnect()
            if self._channel is not None:  # the search has led the radio away from it
                self._wlan.config(channel=self._channel)
            if sys.platform == "rp2" and self._failures % _AGAIN == 0:
                self._wlan.active(False)
        except OSError:
            pass
