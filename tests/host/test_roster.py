"""The roster: what it means for a board, and what is said of its faults."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from faction_tools.fleet import roster


def faults(tmp_path, old, new):
    """Return the lines about the example with one text replaced, without the name of the file."""
    path = tmp_path / "faction.toml"
    assert old in roster.EXAMPLE
    path.write_text(roster.EXAMPLE.replace(old, new, 1))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line[len(str(path)) :] for line in lines]


UART = 'transport = { kind = "uart", uart = 1, tx = 4, rx = 5 }'


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id = 1\n", "id = 0\n", ":37: boards[1].id: 0: boards[0] has it, too; give every board its own"),
        ('name = "south"', 'name = "north"', ':38: boards[1].name: "north": boards[0] has it, too; give every board its own'),
        ("id = 1\n", "id = -1\n", ":37: boards[1].id: -1: must be 0 or more"),
        ("id = 1\n", 'id = "one"\n', ':37: boards[1].id: "one": must be a whole number'),
        ("id = 1\n", "id = true\n", ":37: boards[1].id: true: must be a whole number"),
        ("id = 1\n", "", ":36: boards[1].id: missing; add it"),
        ('kind = "rp2040"', 'kind = "pico"', ":44: boards[2].kind: \"pico\": must be 'esp32', 'rp2040', 'circuitpython' or 'unix'"),
        (
            'kind = "rp2040"',
            'kind = "rp240"',
            ":44: boards[2].kind: \"rp240\": must be 'esp32', 'rp2040', 'circuitpython' or 'unix'; did you mean rp2040?",
        ),
        ('quorum = "majority"', "quorum = 4", ":4: quorum: 4: must be from 1 to 3, the number of boards"),
        ('quorum = "majority"', "quorum = 0", ":4: quorum: 0: must be from 1 to 3, the number of boards"),
        ('quorum = "majority"', "quorom = 2", ":4: quorom: no such field; did you mean quorum?"),
        (
            'quorum = "majority"',
            'quorum = "most"',
            ":4: quorum: \"most\": must be a whole number, 'majority', 'byzantine' or 'everyone'",
        ),
        (
            'quorum = "majority"',
            "quorum = [2]",
            ":4: quorum: [2]: must be a whole number, 'majority', 'byzantine' or 'everyone'",
        ),
        ("interval_ms = 500", "interval_ms = 0", ":5: interval_ms: 0: must be 1 or more"),
        ("channel = 6", "channel = 15", ":13: transport.channel: 15: must be 14 or less"),
        ("channel = 6", "chanel = 6", ":13: transport.chanel: no such field; did you mean channel?"),
        ("channel = 6", "x = 6", ":13: transport.x: no such field; delete it, or choose from channel"),
        ('cluster = "greenhouse"', 'cluster = ""', ':3: cluster: "": must not be empty'),
        ("# key = ", 'key = "short" # ', ":7: key: must have at least 16 characters"),
        (
            "tx = 4, rx = 5 }",
            "tx = 4 }",
            ":45: boards[2].transport.rx: missing beside tx; add it, or leave out both for the pins that the port has by itself",
        ),
        (UART, "", ':44: boards[2].kind: "rp2040": has no ESP-NOW; give this board a transport of its own'),
        (UART, "transport = { uart = 1 }", ":45: boards[2].transport.kind: missing; add it"),
        (UART, 'transport = { kind = "wifi" }', ":45: boards[2].transport.kind: \"wifi\": must be 'udp', 'espnow' or 'uart'"),
        (UART, "transport = 5", ":45: boards[2].transport: 5: must be a table of fields"),
        ("tx = 4, rx", "tx = 4.0, rx", ":45: boards[2].transport.tx: 4.0: must be the number of a pin, or its name in quotes"),
        ("uart = 1, tx", "uart = 9, tx", ":45: boards[2].transport.uart: 9: must be 7 or less"),
        (
            UART,
            'transport = { kind = "udp", to = ["1.2.3.4:5", "1.2.3.4"] }',
            ':45: boards[2].transport.to[1]: "1.2.3.4": must be an address and a port, such as "192.168.4.255:47000"',
        ),
        (
            '# console = "off"',
            'console = "data"',
            ":9: console: \"data\": only circuitpython boards have a second USB port, not north, south, door; write 'repl' or 'off'",
        ),
        ("# hardware_id = ", 'hardware_id = "E6" # ', ':34: boards[0].hardware_id: "E6": must be pairs of the digits 0 to 9 and a to f'),
        ("[transport]", "[transports]", ":11: transports: no such field; did you mean transport?"),
        ("interval_ms = 500", "interval_ms = = 500", ":5: column 15: invalid value; write a text in quotes"),
    ],
)
def test_a_fault_is_named_with_line_field_value_and_what_to_do(tmp_path, old, new, said):
    assert faults(tmp_path, old, new) == [said]


@pytest.mark.parametrize("address", ["256.0.0.1:47000", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1", "host:1", "10.0.0.1:4\\n"])
def test_an_address_that_no_board_can_send_to(tmp_path, address):
    said = faults(tmp_path, UART, f'transport = {{ kind = "udp", to = ["{address}"] }}')
    assert said[0].endswith('must be an address and a port, such as "192.168.4.255:47000"')


def test_all_faults_are_named_at_once_in_the_order_of_their_lines(tmp_path):
    path = tmp_path / "faction.toml"
    path.write_text(
        roster.EXAMPLE.replace("id = 2", 'id = "a"').replace("interval_ms = 500", "interval_ms = 0").replace("quorum", "quorom")
    )
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [f"{path}:{line}" for line in (4, 5, 42)]
    path.write_text(roster.EXAMPLE.replace("id = 2", "id = 0").replace('"south"', '"north"').replace('"majority"', "9"))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["quorum", "boards[1].name", "boards[2].id"]


def test_the_readme_shows_what_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = roster.EXAMPLE.replace("quorum =", "quorom =").replace("channel = 6", "channel = 15").replace('"rp2040"', '"rp240"')
    Path("faction.toml").write_text(text)
    with pytest.raises(roster.RosterError) as caught:
        roster.load("faction.toml")
    assert f"```\n{caught.value}\n```" in (Path(__file__).parents[2] / "tools/README.md").read_text()


def test_a_roster_in_json(tmp_path):
    path = tmp_path / "faction.json"
    path.write_text(json.dumps({"cluster": "x", "interval_ms": 0, "boards": [{"id": "a", "name": "n", "kind": "esp32"}]}))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    assert str(caught.value).splitlines() == [
        f"{path}: interval_ms: 0: must be 1 or more",
        f'{path}: boards[0].id: "a": must be a whole number',
    ]
    board = {"id": 5, "name": "n", "kind": "esp32", "transport": {"kind": "espnow"}}
    path.write_text(json.dumps({"cluster": "x", "boards": [board]}))
    assert roster.load(path).configuration(roster.load(path).board("n"))["peers"] == [5]


def test_the_configuration_of_a_board(tmp_path):
    path = tmp_path / "faction.toml"
    text = roster.EXAMPLE.replace('# hardware_id = "e6614103e7452b2f"', 'hardware_id = "e6614103e7452b2f"')
    path.write_text(text.replace("# key = ", "key = "))
    checked = roster.load(path)
    door = checked.configuration(checked.board("door"))
    assert door == {
        "cluster": "greenhouse",
        "key": "at least sixteen secret characters",
        "quorum": 2,
        "interval_ms": 500,
        "deadline_ms": 60000,
        "transport": {"kind": "uart", "uart": 1, "baudrate": 115200, "tx": 4, "rx": 5, "direction": None},
        "console": "repl",
        "console_control": False,
        "peers": [0, 1, 2],
        "names": ["north", "south", "door"],
        "peer_id": 2,
        "hardware_ids": {"e6614103e7452b2f": 0},
    }
    north = checked.configuration(checked.board("0"))
    assert north["transport"] == {"kind": "espnow", "channel": 6} and north["peer_id"] == 0


def test_the_command(tmp_path):
    def faction(*words):
        return subprocess.run([sys.executable, "-m", "faction_tools.cli", *words], cwd=tmp_path, capture_output=True, text=True)

    assert faction("check").stderr == "faction.toml: does not exist; check the name; faction new writes an example\n"
    assert faction("new").returncode == 0
    assert faction("check").stdout == "faction.toml: good: 3 boards, quorum 2\n"
    again = faction("new")
    assert again.returncode == 2 and again.stderr == "faction.toml: already exists; choose another name or delete it\n"
