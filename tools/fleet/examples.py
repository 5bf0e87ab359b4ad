"""The rosters that faction new writes: one of several kinds of boards, and one for each kind. All are good as they stand."""

from __future__ import annotations

_TOP = """\
# The boards of a cluster. Check this file with: faction check

cluster = "greenhouse"       # boards ignore frames of a cluster with another name
quorum = "majority"          # majority, byzantine, everyone, or a number of boards
interval_ms = 500            # the shortest time between two beacons of a board
deadline_ms = 60000          # how long a board waits for a quorum
# deadline_from_contact = true   # a board waits for so long from the first frame of another board on
# start_after_ms = 2000      # from the first verdict to the start of all boards; without it: four intervals
# presence_ms = 16000        # how long a board counts that nobody hears; without it: 32 intervals; 0: for ever
# frames_per_minute = 120    # a board sends no more than this; without it: no bound
# pace = "slow"              # for LoRa and slow lines, in place of interval_ms: 10000 ms, 12 frames a minute
# key = "at least sixteen secret characters"   # boards ignore frames that were not signed with it
# console_control = true     # the console of a board may also restart its node, and end its wait
# console = "off"            # no console on the serial line; "data": on the second USB port of CircuitPython

"""
_MORE = """\
# watchdog_s = 8             # this board resets if its program stands still for so many seconds
# led = "board"              # it shows the state: the number of a pin, "board" or "none"
# application = "my.py"      # your own program, a file or a folder; these three may also stand at the top, for all boards
"""

EXAMPLE = (
    _TOP
    + """\
[transport]                  # for all boards that have no transport of their own
kind = "espnow"              # espnow, udp or uart
channel = 6

# [transport]
# kind = "udp"
# port = 47000
# ssid = "the network"       # without it: the board is on the network already
# password = "its password"
# to = ["192.168.4.255:47000"]   # without it: send to everybody on the network

# [transport]
# kind = "uart"              # a serial line; an RS-485 line has a direction pin
# uart = 1
# baudrate = 115200
# tx = 4
# rx = 5
# direction = 6
# bus = "hall"               # which line it is, if there are several

[[boards]]
id = 0                       # another one for each board, from 0 to 1073741823
name = "north"
kind = "esp32"               # esp32, rp2040, circuitpython or unix
# hardware_id = "e6614103e7452b2f"   # what machine.unique_id() says; another board refuses this id

[[boards]]
id = 1
name = "south"               # this board stands between the radio of "north" and the line of "door"
kind = "esp32"
transports = [{ kind = "espnow" }, { kind = "uart", uart = 1, tx = 17, rx = 16 }]

[[boards]]
id = 2
name = "door"
kind = "rp2040"
transport = { kind = "uart", uart = 1, tx = 4, rx = 5 }
"""
    + _MORE
)


def _two(kind: str, comment: str = "") -> str:
    """Return two boards of a kind that have the transport of all boards."""
    line = f'kind = "{kind}"'
    first = f"{line:<29}# {comment}" if comment else line
    return f"""
[[boards]]
id = 0                       # another one for each board, from 0 to 1073741823
name = "north"
{first}

[[boards]]
id = 1
name = "south"
{line}
"""


# The rosters of boards of one kind.
EXAMPLES = {
    "esp32": _TOP
    + """\
[transport]                  # for all boards that have no transport of their own
kind = "espnow"              # boards on one channel hear each other; no access point is needed
channel = 6
"""
    + _two("esp32", 'another ESP32 than the first one also has a line such as: chip = "esp32c3"')
    + _MORE,
    "rp2040": _TOP
    + """\
[transport]                  # for all boards that have no transport of their own
kind = "uart"                # TX of one board to RX of the other, both ways, and GND to GND
uart = 1
tx = 4
rx = 5
# direction = 6              # three boards or more need RS-485: the pin of its transceiver, or "auto"

# [transport]                # for a Pico W, in place of the one above
# kind = "udp"
# ssid = "the network"
# password = "its password"
# country = "DE"             # where the board is
"""
    + _two("rp2040", "a Pico, Pico 2, Pico W, or any board with such a chip")
    + _MORE,
    "circuitpython": _TOP
    + """\
[transport]                  # for all boards that have no transport of their own
kind = "uart"                # TX of one board to RX of the other, both ways, and GND to GND
tx = "TX"                    # pins by their names in the module board; a number N means GPN
rx = "RX"
# direction = "D5"           # three boards or more need RS-485: the pin of its transceiver, or "auto"

# [transport]                # for boards with Wi-Fi, in place of the one above
# kind = "udp"
# ssid = "the network"
# password = "its password"
"""
    + _two("circuitpython")
    + _MORE,
    "unix": _TOP
    + """\
[[boards]]                   # two processes on one computer: each sends to the port of the other
id = 0                       # another one for each board, from 0 to 1073741823
name = "north"
kind = "unix"
transport = { kind = "udp", port = 47000, bind = "127.0.0.1", to = ["127.0.0.1:47001"] }
# transports = [{ ... }, { kind = "uart", device = "/dev/ttyUSB0" }]   # in place of it: a serial line, too

[[boards]]
id = 1
name = "south"
kind = "unix"
transport = { kind = "udp", port = 47001, bind = "127.0.0.1", to = ["127.0.0.1:47000"] }
""",
}
