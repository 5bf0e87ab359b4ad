"""Broken rosters, as people write them: each fault is one line with its place, its value and what to do, and no file is lost."""

import re

import pytest

from faction_tools import cli
from faction_tools.fleet import roster
from faction_tools.fleet.fields import KINDS

TOP = 'cluster = "x"\n'
RADIO = '[transport]\nkind = "espnow"\n'
WIFI = '[transport]\nkind = "udp"\nssid = "barn"\npassword = "at the barn"\n'


def boards(*fields, kind="esp32"):
    """Return the tables of boards; each of fields is what stands in one of them besides id, name and kind."""
    tables = []
    for i, text in enumerate(fields):
        lines = [
            line
            for line in (f"id = {i}", f'name = "{"abcdefgh"[i]}"', f'kind = "{kind}"')
            if not re.search(rf"^{line.split()[0]} =", text, re.MULTILINE)
        ]
        tables.append("\n".join(["[[boards]]", *lines, text, ""]))
    return "".join(tables)


def uart(fields, kind="esp32"):
    return TOP + boards(f"transport = {{ kind = 'uart', {fields} }}", kind=kind)


def line(*fields, kind="esp32"):
    """Return boards that each have a UART with such fields."""
    return TOP + boards(*[f"transport = {{ kind = 'uart', uart = 2, tx = 17, rx = 16{each} }}" for each in fields], kind=kind)


def udp(*fields, kind="unix"):
    return TOP + boards(*[f"transport = {{ kind = 'udp'{each} }}" for each in fields], kind=kind)


AUTO = ", direction = 'auto'"
ONE_AIR = "or give one board of each group transports on an air that they share"
NEVER = "2 groups of boards never hear each other: "
FLASH = "pins 6 to 11 of an ESP32 belong to its flash; take another pin, or write chip = "
WPA = "must have 8 to 63 characters of ASCII, or 64 hexadecimal digits, or none in an open network"
KIND = "must be 'esp32', 'rp2040', 'circuitpython' or 'unix'"
TARGET = 'must be an address and a port, such as "192.168.4.255:47000"'
MISSING_TO = 'add the missing addresses to "to", or leave "to" out and send to all of the network'
# {what is broken: (the roster, all that is said of it)}.
BROKEN = {
    "no boards": (TOP + RADIO, ["boards: missing; add it"]),
    "no cluster": (RADIO + boards(""), ["cluster: missing; add it"]),
    "nothing": ("", ["cluster: missing; add it", "boards: missing; add it"]),
    "misspelt field": ("quorom = 1\n" + TOP + RADIO + boards(""), ["quorom: no such field; did you mean quorum?"]),
    "misspelt field with a wrong value": (
        "quorom = 9\n" + TOP + RADIO + boards(""),
        ["quorom: no such field; did you mean quorum?", "quorum: 9: must be from 1 to 1, the number of boards"],
    ),
    "field of nothing": (TOP + "x = 1\n" + RADIO + boards(""), ["x: no such field; delete it, or choose from "]),
    "quorum above the boards": (TOP + "quorum = 3\n" + RADIO + boards("", ""), ["quorum: 3: must be from 1 to 2, the number of boards"]),
    "microbit": (
        TOP + RADIO + boards('kind = "microbit"', ""),
        [
            'boards[0].kind: "microbit": has no room for a node of its own; leave it out here: boards/microbit/README.md says how it '
            "takes part through a computer"
        ],
    ),
    "kind misspelt": (
        TOP + RADIO + boards('kind = "esp23"'),
        ["boards[0].kind: \"esp23\": must be 'esp32', 'rp2040', 'circuitpython' or 'unix'; did you mean esp32?"],
    ),
    "id twice": (TOP + RADIO + boards("", "id = 0"), ["boards[1].id: 0: boards[0] has it, too; give every board its own"]),
    "name twice": (TOP + RADIO + boards("", 'name = "a"'), ['boards[1].name: "a": boards[0] has it, too; give every board its own']),
    "name that is the id of another": (
        TOP + RADIO + boards("", 'name = "0"'),
        ['boards[1].name: "0": is the id of boards[0]; choose another name'],
    ),
    "name with a control character": (
        TOP + RADIO + boards('name = "a\\nb"'),
        ['boards[0].name: "a\\nb": must have no control characters; take U+000A out'],
    ),
    "name that turns the line round": (
        TOP + RADIO + boards('name = "\\u202Eb"'),
        ['boards[0].name: "\\u202eb": must have no control characters; take U+202E out'],
    ),
    "cluster with a control character": (
        'cluster = "\\u001b[2J"\n' + RADIO + boards(""),
        ['cluster: "\\u001b[2J": must have no control characters; take U+001B out'],
    ),
    "empty name": (TOP + RADIO + boards('name = ""'), ['boards[0].name: "": must not be empty']),
    "two airs that never meet": (
        TOP + boards("transport = { kind = 'espnow' }", "transport = { kind = 'uart', uart = 2 }"),
        [f'boards[0].transport: {NEVER}a on ESP-NOW channel 6 | b on UART "line" 115200 baud; put all on one air, {ONE_AIR}'],
    ),
    "two channels": (
        TOP + boards("transport = { kind = 'espnow', channel = 1 }", "transport = { kind = 'espnow' }", "transport = { kind = 'espnow' }"),
        [f"boards[0].transport: {NEVER}a on ESP-NOW channel 1 | b, c on ESP-NOW channel 6; write the same channel in all, {ONE_AIR}"],
    ),
    "two lines": (
        line("", ", bus = 'hall'"),
        [
            f'boards[0].transport: {NEVER}a on UART "line" 115200 baud | b on UART "hall" 115200 baud; write the same bus and baudrate '
            f"in all, {ONE_AIR}"
        ],
    ),
    "two baud rates on a line": (
        line("", ", baudrate = 9600"),
        ['boards[1].transport.baudrate: 9600: a has 115200 on the line "line"; write the same, or another bus'],
    ),
    "two ports": (
        udp("", ", port = 47001"),
        [f"boards[0].transport: {NEVER}a on UDP port 47000 | b on UDP port 47001; give each process a port"],
    ),
    "two networks": (
        udp(", ssid = 'barn'", ", ssid = 'shed'", kind="esp32"),
        [f'boards[0].transport: {NEVER}a on UDP port 47000 "barn" | b on UDP port 47000 "shed"; write the same port and ssid'],
    ),
    "a process that nobody hears": (
        udp(", port = 1, to = ['127.0.0.1:3']", ", port = 2, to = ['127.0.0.1:1']"),
        [f"boards[0].transport: b cannot hear a; {MISSING_TO}"],
    ),
    "a process that hears nobody": (
        udp(", port = 1, to = ['127.0.0.1:2', '127.0.0.1:3']", ", port = 2, to = ['127.0.0.1:3']", ", port = 3, to = ['127.0.0.1:2']"),
        [f"boards[0].transport: a cannot hear b, c; {MISSING_TO}"],
    ),
    "no pins for UART 1 of an ESP32": (
        uart("uart = 1"),
        ["boards[0].transport.uart: 1: the pins of UART 1 of an ESP32, 10 and 9, belong to its flash; add tx and rx, such as "],
    ),
    "the flash of an ESP32": (uart("tx = 6, rx = 16"), [f"boards[0].transport.tx: 6: {FLASH}"]),
    "an input that sends": (
        uart("tx = 34, rx = 35"),
        ["boards[0].transport.tx: 34: pins 34 to 39 of an ESP32 can only receive; take another pin, or write chip = "],
    ),
    "an input that turns a transceiver": (
        uart("tx = 17, rx = 16, direction = 39"),
        ["boards[0].transport.direction: 39: pins 34 to 39 of an ESP32 can only receive; take another pin, or write chip = "],
    ),
    "a pin that no ESP32 has": (uart("tx = 24, rx = 16"), ["boards[0].transport.tx: 24: an ESP32 has no such pin; take another pin"]),
    "the UART of the console": (
        uart("uart = 0, tx = 17, rx = 16"),
        ['boards[0].transport.uart: 0: UART 0 of an ESP32 carries its console; take another one, or write chip = "esp32s3" if it is one'],
    ),
    "a UART that no ESP32 has": (
        uart("uart = 3, tx = 17, rx = 16"),
        ["boards[0].transport.uart: 3: an ESP32 has UART 0 to 2; take one of them"],
    ),
    "UART 1 of an RP2040 on the pins of UART 0": (
        uart("uart = 1, tx = 0, rx = 1", "rp2040"),
        [
            "boards[0].transport.tx: 0: UART 1 of an RP2040 cannot send on GP0; take GP4, GP8, GP20 or GP24",
            "boards[0].transport.rx: 1: UART 1 of an RP2040 cannot receive on GP1; take GP5, GP9, GP21 or GP25",
        ],
    ),
    "an RP2040 with its lines crossed": (
        uart("uart = 0, tx = 'GP1', rx = 'GP0'", "rp2040"),
        [
            'boards[0].transport.tx: "GP1": UART 0 of an RP2040 cannot send on GP1; take GP0, GP12, GP16 or GP28',
            'boards[0].transport.rx: "GP0": UART 0 of an RP2040 cannot receive on GP0; take GP1, GP13, GP17 or GP29',
        ],
    ),
    "UART 2 of an RP2040": (
        uart("uart = 2, tx = 4, rx = 5", "rp2040"),
        ["boards[0].transport.uart: 2: an RP2040 has UART 0 and UART 1; take one of them"],
    ),
    "a pin beyond all": (uart("tx = 64, rx = -1"), [f"boards[0].transport.{each}: must be from 0 to 63" for each in ("tx: 64", "rx: -1")]),
    "a pin twice": (
        uart("tx = 17, rx = 17"),
        ["boards[0].transport.rx: 17: transport.tx has it, too; a board has it only once"],
    ),
    "the LED on a pin of the line": (
        TOP + "led = 4\n" + boards("transport = { kind = 'uart', uart = 1, tx = 4, rx = 5 }", kind="rp2040"),
        ["led: 4: boards[0].transport.tx has it, too; a board has it only once"],
    ),
    "the LED on a pin that the line has by itself": (
        TOP + boards("led = 5\ntransport = { kind = 'uart', uart = 1 }", kind="rp2040"),
        ["boards[0].led: 5: transport.uart has it, too; a board has it only once"],
    ),
    "the LED of a Pico W as if it were a Pico": (
        TOP + WIFI + boards("led = 25", kind="rp2040"),
        ['boards[0].led: 25: pin 25 of a Pico W belongs to its radio; write led = "board" for its LED'],
    ),
    "one of two pins": (
        uart("tx = 17"),
        ["boards[0].transport.rx: missing beside tx; add it, or leave out both for the pins that the port has by itself"],
    ),
    "three boards on a line without transceivers": (
        line("", ", direction = 4", ", direction = 'auto'"),
        [
            'boards[0].transport.direction: missing on the line "line", which has more than 2 boards; give the pin of its RS-485 '
            'transceiver, or "auto" if that turns by itself'
        ],
    ),
    "a process with a UART": (
        TOP + boards("transport = { kind = 'uart', uart = 1 }", kind="unix"),
        [
            "boards[0].transport.device: missing for the process a, which has no UART and no pins; give it a transport of its own, with "
            'one: device = "/dev/ttyUSB0"'
        ],
    ),
    "a process with a device": (
        TOP + boards("transport = { kind = 'uart', uart = '/dev/ttyUSB0' }", kind="unix"),
        ['boards[0].transport.uart: "/dev/ttyUSB0": must be the number of a UART of the board; for a process write device = "/dev'],
    ),
    "a process with pins": (
        TOP + boards("transport = { kind = 'uart', device = '/dev/ttyUSB0', tx = 4, direction = 5, baudrate = 31250 }", kind="unix"),
        [
            "boards[0].transport.tx: 4: the process a has no UART and no pins, only its device; delete it",
            'boards[0].transport.direction: 5: the process a has no pins; write "auto" if the transceiver turns by itself, or delete it',
            "boards[0].transport.baudrate: 31250: the process a cannot set it; take one of 300, 600, 1200, ",
        ],
    ),
    "a device that is no path": (
        TOP + boards("transport = { kind = 'uart', device = 'ttyUSB0' }", kind="unix"),
        ['boards[0].transport.device: "ttyUSB0": must be the path of a serial port, such as "/dev/ttyUSB0"'],
    ),
    "a device twice": (
        TOP + boards("transports = [{ kind = 'uart', device = '/dev/a' }, { kind = 'uart', device = '/dev/a', bus = 'x' }]", kind="unix"),
        ['boards[0].transports[1].device: "/dev/a": transports[0].device has it, too; a board has it only once'],
    ),
    "a board with a device": (
        TOP + boards("transport = { kind = 'uart', device = '/dev/ttyUSB0', uart = 2 }"),
        ['boards[0].transport.device: "/dev/ttyUSB0": is for processes, of kind unix; a is an esp32: delete it, and write uart = 1'],
    ),
    "a line of processes that differ": (
        TOP + boards(*[f"transport = {{ kind = 'uart', device = '/dev/a'{each} }}" for each in ("", ", bus = 'x'")], kind="unix"),
        [
            "boards[0].transport: "
            + NEVER
            + 'a on UART "line" 115200 baud | b on UART "x" 115200 baud; write the same bus and baudrate in all, '
            + ONE_AIR
        ],
    ),
    "three processes on a line": (
        TOP + boards(*[f"transport = {{ kind = 'uart', device = '/dev/a'{each} }}" for each in ("", AUTO, AUTO)], kind="unix"),
        ['boards[0].transport.direction: missing on the line "line", which has more than 2 boards; give the pin of its RS-485 '],
    ),
    "an RP2040 with ESP-NOW": (
        TOP + RADIO + boards("", kind="rp2040"),
        ['boards[0].kind: "rp2040": has no ESP-NOW; give this board a transport of its own'],
    ),
    "a short password": (TOP + WIFI.replace("at the barn", "barn") + boards(""), [f"transport.password: {WPA}"]),
    "a long password": (TOP + WIFI.replace("at the barn", "x" * 64) + boards(""), [f"transport.password: {WPA}"]),
    "a password of no ASCII": (TOP + WIFI.replace("at the barn", "über den Hof") + boards(""), [f"transport.password: {WPA}"]),
    "two passwords of one network": (
        TOP + WIFI + boards("", "transport = { kind = 'udp', ssid = 'barn', password = 'at the farm' }", kind="esp32"),
        ['boards[1].transport.password: a has another password for the network "barn"; write the same in both'],
    ),
    "a network that is open for one board": (
        TOP + WIFI + boards("", "transport = { kind = 'udp', ssid = 'barn' }", kind="esp32"),
        ['boards[1].transport.password: a has another password for the network "barn"; write the same in both'],
    ),
    "bound to the address of another board": (
        TOP + WIFI + "bind = '10.0.0.1'\n" + boards("address = '10.0.0.1/24'", "address = '10.0.0.2/24'"),
        [
            'transport.bind: "10.0.0.1": must be 10.0.0.2, the address of b; write that, or leave bind out',
            'transport.bind: "10.0.0.1": a has',
        ],
    ),
    "two processes at one address and port": (
        udp(", bind = '10.0.0.1'", ", bind = '10.0.0.1'"),
        ['boards[1].transport.bind: "10.0.0.1": a has this address and port, too; give b another bind or port, or leave bind out'],
    ),
    "two UARTs of a board on one line": (
        TOP
        + boards(
            "transports = [{ kind = 'uart', uart = 1, tx = 4, rx = 5 }, { kind = 'uart', uart = 2 }]",
            *["transport = { kind = 'uart', uart = 2 }"] * 2,
        ),
        ['boards[0].transports[1].bus: "line": transports[0] is on this line, too; give each line a bus of its own'],
    ),
    "a name of blanks": (TOP + RADIO + boards('name = "  "'), ['boards[0].name: "  ": must be more than blanks; write a name']),
    "a field of the whole file in a board": (
        RADIO + boards("") + TOP + "quorum = 1\n",
        [
            "cluster: missing; add it",
            "boards[0].cluster: is a field of the whole file; move it above the first table, which begins with [",
            "boards[0].quorum: is a field of the whole file; move it above the first table, which begins with [",
        ],
    ),
    "boards that are a number": (TOP + RADIO.replace("[", "boards = 3\n["), ["boards: 3: must be a list, in [ ]"]),
    "boards in one table": (
        TOP + RADIO + boards("").replace("[[boards]]", "[boards]"),
        ["boards: must be a list of tables; write [[boards]]"],
    ),
    "chips and boards in the place of kinds": (
        TOP + RADIO + boards(*[f'kind = "{kind}"' for kind in ("esp32-C3", "ESP32", "pico_w", "RP2350", "esp8266", "micropython")]),
        [
            'boards[0].kind: "esp32-C3": is a chip of kind "esp32"; write kind = "esp32" and chip = "esp32c3"',
            f'boards[1].kind: "ESP32": {KIND}; did you mean esp32?',
            f'boards[2].kind: "pico_w": {KIND}; did you mean rp2040?',
            f'boards[3].kind: "RP2350": {KIND}; did you mean rp2040?',
            'boards[4].kind: "esp8266": is no board that faction runs on; leave it out here, and take an esp32 in its place',
            'boards[5].kind: "micropython": is no kind of board; write "esp32" or "rp2040", or "unix" for a process',
        ],
    ),
    "an empty ssid": (
        TOP + WIFI.replace('"barn"', '""') + boards(""),
        ['transport.ssid: "": must not be empty; delete it if the board joins no Wi-Fi network'],
    ),
    "a long ssid": (
        TOP + WIFI.replace('"barn"', f'"{"ä" * 17}"') + boards(""),
        ["transport.ssid: ", "must have at most 32 bytes in UTF-8"],
    ),
    "an address that is none": (udp(", to = ['256.1.1.1:47000']"), [f'boards[0].transport.to[0]: "256.1.1.1:47000": {TARGET}']),
    "an address with a name": (udp(", to = ['north:47000']"), [f'boards[0].transport.to[0]: "north:47000": {TARGET}']),
    "an address without a port": (udp(", to = ['10.0.0.1']"), [f'boards[0].transport.to[0]: "10.0.0.1": {TARGET}']),
    "port 0": (udp(", to = ['10.0.0.1:0']"), [f'boards[0].transport.to[0]: "10.0.0.1:0": {TARGET}']),
    "an address of nobody": (
        udp(", to = ['0.0.0.0:47000']"),
        ['boards[0].transport.to[0]: "0.0.0.0:47000": must be an address that a board can have; to all on the network: "255.'],
    ),
    "a port beyond all": (udp(", port = 65536"), ["boards[0].transport.port: 65536: must be 65535 or less"]),
    "bound to a name": (
        udp(", bind = 'localhost'"),
        ['boards[0].transport.bind: "localhost": must be an address of four numbers, such as "192.168.4.1"'],
    ),
    "a key of another type": ("key = 1234567812345678\n" + TOP + RADIO + boards(""), ["key: must be a text, in quotes"]),
    "a chip on a Pico": (
        TOP + boards('chip = "esp32s3"\ntransport = { kind = "uart" }', kind="rp2040"),
        ['boards[0].chip: "esp32s3": is for boards of kind esp32; delete it'],
    ),
}


def said_of(text, tmp_path, monkeypatch, capsys):
    """Check a roster with the command, and return the lines that it says, without the file and the line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faction.toml").write_text(text)
    assert cli.main(["check"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and (tmp_path / "faction.toml").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["faction.toml"]
    return captured.err


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_roster(case, tmp_path, monkeypatch, capsys):
    text, expected = BROKEN[case]
    lines = said_of(text, tmp_path, monkeypatch, capsys).splitlines()
    told = [re.sub(r"^faction\.toml:\d+: ", "", line) for line in lines]
    assert all(re.match(r"faction\.toml:\d+: ", line) and line.isprintable() for line in lines)
    if case == "a long ssid":
        assert len(told) == 1 and told[0].startswith(expected[0]) and told[0].endswith(expected[1])
        return
    assert len(told) == len(expected) and all(each.startswith(start) for each, start in zip(told, expected)), told


def test_there_are_more_than_forty():
    assert len(BROKEN) > 40


# The line and the field of each fault of the roster below.
TOLD = [
    "1 quorom",
    "3 interval_ms",
    "4 led",
    "7 transport.chanel",
    "7 transport.channel",
    "13 boards[1].id",
    "14 boards[1].name",
    "16 boards[1].transport.tx",
    "16 boards[1].transport.rx",
    "18 boards[2].id",
    "19 boards[2].name",
    "21 boards[2].transport.direction",
    "21 boards[2].transport.tx",
    "21 boards[2].transport.rx",
    "21 boards[2].transport.direction",
    "22 boards[3].id",
    "23 boards[3].name",
    "24 boards[3].kind",
    "25 boards[3].transport.kind",
]


def test_everything_that_is_wrong_is_told_at_once(tmp_path, monkeypatch, capsys):
    text = """quorom = 2
cluster = "x"
interval_ms = 0
led = 99
[transport]
kind = "espnow"
chanel = 15
[[boards]]
id = 0
name = "a"
kind = "esp32"
[[boards]]
id = 0
name = "a"
kind = "rp2040"
transport = { kind = "uart", tx = 0, rx = 1 }
[[boards]]
id = "two"
name = "0"
kind = "esp32"
transport = { kind = "uart", tx = 6, rx = 7, direction = 6 }
[[boards]]
name = ""
kind = "pico"
transport = { kind = "wifi" }
"""
    told = said_of(text, tmp_path, monkeypatch, capsys).splitlines()
    assert [each.split(": ")[0][13:] + " " + each.split(": ")[1] for each in told] == TOLD, told


OF_PYDANTIC = re.compile("pydantic|valid(ation|ator)|input|extra|discriminator|literal|union|tag|type=|str_|int_", re.IGNORECASE)


@pytest.mark.parametrize("case", BROKEN)
def test_no_word_of_a_library(case, tmp_path, monkeypatch, capsys):
    assert not OF_PYDANTIC.search(said_of(BROKEN[case][0], tmp_path, monkeypatch, capsys))


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_every_example_is_good(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", *([] if kind is None else ["--kind", kind])]) == 0
    assert cli.main(["check"]) == 0
    lines = (tmp_path / "faction.toml").read_text().splitlines()
    assert len(lines) < 65 and max(map(len, lines)) <= 125
    assert kind is None or {board.kind for board in roster.load("faction.toml").boards} == {kind}
