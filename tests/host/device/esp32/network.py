# The firmware's module network, for a process that is a board. The file "air" is the access point: "SSID PASSWORD", while it is on.
import time

STA_IF = 0
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_WRONG_PASSWORD = 202
STAT_NO_AP_FOUND = 201
STAT_GOT_IP = 1010
JOIN_MS = 200

calls = []  # what the board has set, in this order


def country(code):
    calls.append(("country", code))


class WLAN:
    PM_NONE = 0
    PM_PERFORMANCE = 1
    pm = 1
    _began = None
    _is_active = False
    _address = ("0.0.0.0", "255.255.255.0", "0.0.0.0", "0.0.0.0")
    _credentials = None

    def __init__(self, interface):
        assert interface == STA_IF

    def active(self, is_active=None):
        if is_active is not None:
            WLAN._is_active = is_active
        return WLAN._is_active

    def config(self, **settings):
        if not WLAN._is_active:
            raise OSError("Wifi Not Started")
        if settings.get("pm") is not None:
            WLAN.pm = settings["pm"]

    def ifconfig(self, address=None):
        if address is not None:
            assert len(address) == 4
            WLAN._address = address
        return WLAN._address

    def connect(self, ssid, password):
        if not WLAN._is_active or WLAN._credentials is not None:
            raise OSError("Wifi Internal Error")
        WLAN._credentials = (ssid, password)
        WLAN._began = time.ticks_ms()
        WLAN.pm = self.PM_PERFORMANCE  # as the firmware does
        with open("joins.log", "a") as log:
            log.write("%d\n" % WLAN._began)

    def disconnect(self):
        WLAN._credentials = None

    def _air(self):
        try:
            with open("air") as file:
                return tuple(file.read().split())
        except OSError:
            return None

    def isconnected(self):
        if WLAN._credentials is None or self._air() != WLAN._credentials:
            if WLAN._began is not None and WLAN._credentials is not None and self.was_connected:
                WLAN._credentials = None  # reconnects=0: it does not try by itself
                WLAN.was_connected = False
            return False
        if time.ticks_diff(time.ticks_ms(), WLAN._began) < JOIN_MS:
            return False
        WLAN.was_connected = True
        with open("pm", "w") as file:
            file.write("%d %s %s" % (WLAN.pm, WLAN._address[0], calls))
        return True

    was_connected = False

    def status(self):
        if self.isconnected():
            return STAT_GOT_IP
        if WLAN._credentials is None:
            return STAT_IDLE
        air = self._air()
        if air is None or air[0] != WLAN._credentials[0]:
            return STAT_NO_AP_FOUND
        return STAT_WRONG_PASSWORD if air[1:] != WLAN._credentials[1:] else STAT_CONNECTING
