"""Fleets as people have them: each roster is good, and all boards of it hear each other."""

import json
from itertools import product

import pytest

from faction_tools import cli
from faction_tools.fleet import roster

WIFI = {"kind": "udp", "ssid": "barn", "password": "at the barn"}
RADIO = {"kind": "espnow"}
RS485 = {"kind": "uart", "tx": 17, "rx": 16, "direction": 4}
HOSTS = ("192.168.1.5", "192.168.1.6")


def fleet(*boards, transport=None, **top):
    """Return a roster. boards: what each has besides its id and its name."""
    told = [{"id": i, "name": f"board {i}", "kind": "esp32", **board} for i, board in enumerate(boards)]
    return {"cluster": "x", **({} if transport is None else {"transport": transport}), **top, "boards": told}


def udp(**fields):
    return {"kind": "udp", **fields}


def uart(**fields):
    return {"kind": "uart", **fields}


def targets(*ports, host="127.0.0.1"):
    return [f"{host}:{port}" for port in ports]


PICO, STICK, PROCESS = {"kind": "rp2040"}, {"kind": "circuitpython"}, {"kind": "unix"}
GOOD = {
    "Wi-Fi of an ESP32 and a Pico W": fleet({}, PICO, transport=WIFI),
    "a board on the cable of the network": fleet({"transport": udp(network="barn")}, PICO, transport=WIFI),
    "a computer in the network of the boards": fleet({}, PICO, {**PROCESS, "transport": udp(network="barn")}, transport=WIFI),
    "boards on a cable": fleet({}, {}, transport=udp()),
    "an open network": fleet({}, {}, transport=udp(ssid="barn")),
    "a key of 64 digits": fleet({}, {}, transport=udp(ssid="barn", password="0aF9" * 16)),
    "an access point that gives each board its password": fleet(
        {"transport": {**WIFI, "network": "barn"}}, {"transport": {**WIFI, "password": "of this board", "network": "barn"}}
    ),
    "addresses for all": fleet({"address": "10.0.0.1/24"}, {"address": "10.0.0.2/24"}, transport={**WIFI, "gateway": "10.0.0.254"}),
    "an address for one": fleet({"address": "10.0.0.1/24"}, {}, transport=WIFI),
    "bound to its own address": fleet({"address": "10.0.0.1/24", "transport": {**WIFI, "bind": "10.0.0.1"}}, {}, transport=WIFI),
    "the network of a phone": fleet({"address": "172.20.10.2/28"}, {"address": "172.20.10.3/28"}, transport=WIFI),
    "the broadcast address of a wide network": fleet(
        {"address": "192.168.4.1/23"}, {"address": "192.168.5.1/23"}, transport={**WIFI, "to": ["192.168.5.255:47000"]}
    ),
    "a group": fleet({}, PICO, transport={**WIFI, "to": ["239.1.2.3:47000"]}),
    "a line of two": fleet({}, {}, transport=uart(uart=2)),
    "a bus of twelve": fleet(*[{}] * 12, transport=RS485),
    "a bus of transceivers that turn by themselves": fleet(*[{}] * 12, transport={**RS485, "direction": "auto"}),
    "a bus of all kinds": fleet(
        {},
        {**PICO, "transport": uart(tx=4, rx=5, direction=6)},
        {**STICK, "transport": uart(tx="D6", rx="D5", direction="D4")},
        transport=RS485,
    ),
    "an ESP32-S3 with CircuitPython": fleet(STICK, STICK, transport=uart(tx="IO43", rx="IO44")),
    "an ESP32-C3 on its own UART 0": fleet(*[{"chip": "esp32c3"}] * 2, transport=uart(uart=0, tx=21, rx=20)),
    "an ESP32-C3 on its own UART 1": fleet(*[{"chip": "esp32c3"}] * 2, transport=uart()),
    "an ESP32-S3 that says it by its pins": fleet({}, {}, transport=uart(tx=43, rx=44)),
    "an RP2350B": fleet(PICO, PICO, transport=uart(uart=0, tx=32, rx=33)),
    "ESP-NOW and Wi-Fi": fleet(
        {"transports": [{"kind": "espnow", "channel": 11}, WIFI]}, {"transport": {"kind": "espnow", "channel": 11}}, {"transport": WIFI}
    ),
    "a chain of lines": fleet(
        {**PICO, "transport": uart(bus="0")},
        *[{**PICO, "transports": [uart(uart=0, bus=str(i)), uart(uart=1, bus=str(i + 1))]} for i in range(6)],
        {**PICO, "transport": uart(bus="6")},
    ),
    "processes on one computer": fleet(
        *[{**PROCESS, "transport": udp(port=i, bind="127.0.0.1", to=targets(*{1, 2, 3, 4, 5} - {i}))} for i in range(1, 6)]
    ),
    "processes at two addresses of a computer for itself": fleet(
        *[{**PROCESS, "transport": udp(bind=f"127.0.0.{i}", to=targets(47000, host=f"127.0.0.{j}"))} for i, j in ((1, 2), (2, 1))]
    ),
    "two processes on each of two computers": fleet(
        *[
            {**PROCESS, "transport": udp(port=port, to=[*targets(1, 2, host=HOSTS[0]), *targets(1, 2, host=HOSTS[1])])}
            for port in (1, 2, 1, 2)
        ]
    ),
    "four processes that know their addresses": fleet(
        *[
            {**PROCESS, "transport": udp(port=port, bind=host, to=[*targets(1, 2, host=HOSTS[0]), *targets(1, 2, host=HOSTS[1])])}
            for host, port in product(HOSTS, (1, 2))
        ]
    ),
    "a pair of processes on each of two computers, and a network": fleet(
        *[
            {**PROCESS, "transports": [udp(port=1, bind="127.0.0.1", to=targets(2)), udp(port=3, bind=host, network=host)]}
            for host in HOSTS[:1]
        ],
        {**PROCESS, "transport": udp(port=2, bind="127.0.0.1", to=targets(1))},
    ),
    "200 boards": fleet(*[{}] * 200, transport=RADIO),
    "the greatest ids": fleet({"id": 2**30 - 1}, {"id": 2**30 - 2}, {"id": 0}, transport=RADIO),
    "names of all scripts": fleet(
        *[{"name": name} for name in ("Tür", "門", "باب", "می\u200cخواهم", "👩\u200d🌾")],
        transport=udp(ssid="Wüste 🏜"),
        cluster="Gewächshaus",
    ),
    "names that are numbers of no board": fleet({"name": "7"}, {"name": "8"}, transport=RADIO),
    "a watchdog that only one cannot have": fleet({}, {**PICO, "watchdog_s": 8}, transport=WIFI, watchdog_s=30),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_good_roster(case, tmp_path, capsys):
    path = tmp_path / "faction.json"
    path.write_text(json.dumps(GOOD[case]))
    assert cli.main(["check", str(path)]) == 0, capsys.readouterr().err
    captured = capsys.readouterr()
    assert captured.err == "" and f": good: {len(GOOD[case]['boards'])} boards" in captured.out
    assert all(roster.load(path).configuration(board)["peers"] for board in roster.load(path).boards)


@pytest.mark.parametrize(
    ("start", "end", "encoding"),
    [("", "\r\n", "utf-8"), ("", "\n", "utf-8-sig"), ("", "\r\n", "utf-8-sig"), ("\n\n", "\n", "utf-8")],
)
def test_an_example_as_other_editors_save_it(tmp_path, start, end, encoding):
    assert cli.main(["new", str(tmp_path / "new.toml")]) == 0
    text = start + (tmp_path / "new.toml").read_text()
    (tmp_path / "faction.toml").write_bytes(text.replace("\n", end).encode(encoding))
    assert cli.main(["check", str(tmp_path / "faction.toml")]) == 0
