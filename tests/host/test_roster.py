"""The roster: what it means for a board, and what is said of its faults."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faction import Config
from faction.node import SLOW, Node
from faction.transports.loopback import Hub
from faction_tools.fleet import examples, roster


def faults(tmp_path, old, new):
    """Return the lines about the example with one text replaced, without the name of the file."""
    path = tmp_path / "faction.toml"
    assert old in examples.EXAMPLE
    path.write_text(examples.EXAMPLE.replace(old, new, 1))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line[len(str(path)) :] for line in lines]


UART = 'transport = { kind = "uart", uart = 1, tx = 4, rx = 5 }'
SEVERAL = 'transports = [{ kind = "espnow" }, { kind = "uart", uart = 1, tx = 17, rx = 16 }]'
ONCE = "has it, too; a board has it only once"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id = 1\n", "id = 0\n", ":43: boards[1].id: 0: boards[0] has it, too; give every board its own"),
        ('name = "south"', 'name = "north"', ':44: boards[1].name: "north": boards[0] has it, too; give every board its own'),
        ("id = 1\n", "id = -1\n", ":43: boards[1].id: -1: must be 0 or more"),
        ("id = 1\n", 'id = "one"\n', ':43: boards[1].id: "one": must be a whole number'),
        ("id = 1\n", "id = true\n", ":43: boards[1].id: true: must be a whole number"),
        ("id = 1\n", "", ":42: boards[1].id: missing; add it"),
        (
            'kind = "rp2040"',
            'kind = "pico"',
            ":51: boards[2].kind: \"pico\": must be 'esp32', 'rp2040', 'circuitpython' or 'unix'; did you mean rp2040?",
        ),
        (
            'kind = "rp2040"',
            'kind = "rp240"',
            ":51: boards[2].kind: \"rp240\": must be 'esp32', 'rp2040', 'circuitpython' or 'unix'; did you mean rp2040?",
        ),
        ('quorum = "majority"', "quorum = 4", ":4: quorum: 4: must be from 1 to 3, the number of boards"),
        ('quorum = "majority"', "quorum = 0", ":4: quorum: 0: must be from 1 to 3, the number of boards"),
        ('quorum = "majority"', "quorom = 2", ":4: quorom: no such field; did you mean quorum?"),
        ('quorum = "majority"', "channel = 6", ":4: channel: no such field here; did you mean transport.channel?"),
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
        ("channel = 6", "channel = 15", ":18: transport.channel: 15: must be 14 or less"),
        ("channel = 6", "chanel = 6", ":18: transport.chanel: no such field; did you mean channel?"),
        ("channel = 6", "x = 6", ":18: transport.x: no such field; delete it, or choose from channel"),
        ('cluster = "greenhouse"', 'cluster = ""', ':3: cluster: "": must not be empty'),
        ("# key = ", 'key = "short" # ', ":12: key: must have at least 16 characters"),
        (
            "tx = 4, rx = 5 }",
            "tx = 4 }",
            ":52: boards[2].transport.rx: missing beside tx; add it, or leave out both for the pins that the port has by itself",
        ),
        (UART, "", ':51: boards[2].kind: "rp2040": has no ESP-NOW; give this board a transport of its own'),
        (UART, "transport = { uart = 1 }", ":52: boards[2].transport.kind: missing; add it"),
        (UART, 'transport = { kind = "wifi" }', ":52: boards[2].transport.kind: \"wifi\": must be 'udp', 'espnow' or 'uart'"),
        (UART, "transport = 5", ":52: boards[2].transport: 5: must be a table of fields"),
        ("tx = 4, rx", "tx = 4.0, rx", ":52: boards[2].transport.tx: 4.0: must be the number of a pin, or its name in quotes"),
        ("uart = 1, tx = 4,", "uart = 9, tx = 4,", ":52: boards[2].transport.uart: 9: must be 7 or less"),
        (
            UART,
            'transport = { kind = "udp", to = ["1.2.3.4:5", "1.2.3.4"] }',
            ':52: boards[2].transport.to[1]: "1.2.3.4": must be an address and a port, such as "192.168.4.255:47000"',
        ),
        (
            '# console = "off"',
            'console = "data"',
            ":14: console: \"data\": only circuitpython boards have a second USB port, not north, south, door; write 'repl' or 'off'",
        ),
        ("# hardware_id = ", 'hardware_id = "E6" # ', ':40: boards[0].hardware_id: "E6": must be pairs of the digits 0 to 9 and a to f'),
        ("[transport]", "[transports]", ":16: transports: must be a list of tables; write [[transports]]"),
        (
            "interval_ms = 500",
            "interval_ms = = 500",
            ':5: column 15: invalid value; write a text in quotes, "like this", and true and false in small letters',
        ),
        # Of the pace
        ("# start_after_ms = 2000", "start_after_ms = -1", ":8: start_after_ms: -1: must be 0 or more"),
        ("# start_after_ms = 2000", "start_after_ms = 134217729", ":8: start_after_ms: 134217729: must be 134217728 or less"),
        ("# start_after_ms = 2000", "start_after_ms = 0.5", ":8: start_after_ms: 0.5: must be a whole number"),
        ("# presence_ms = 16000", "presence_ms = -1", ":9: presence_ms: -1: must be 0 or more"),
        ("# presence_ms = 16000", "presence_ms = 134217729", ":9: presence_ms: 134217729: must be 134217728 or less"),
        ("# frames_per_minute = 120", "frames_per_minute = 1", ":10: frames_per_minute: 1: must be from 2 to 10000, or 0 for no bound"),
        ("# frames_per_minute = 120", "frames_per_minute = -1", ":10: frames_per_minute: -1: must be from 2 to 10000, or 0 for no bound"),
        (
            "# frames_per_minute = 120",
            "frames_per_minute = 10001",
            ":10: frames_per_minute: 10001: must be from 2 to 10000, or 0 for no bound",
        ),
        ("# deadline_from_contact = true", "deadline_from_contact = 1", ":7: deadline_from_contact: 1: must be true or false"),
        ('# pace = "slow"', 'pace = "slwo"', ":11: pace: \"slwo\": must be 'slow'; did you mean slow?"),
        ('# pace = "slow"', 'peace = "slow"', ":11: peace: no such field; did you mean pace?"),
    ],
)
def test_a_fault_is_named_with_line_field_value_and_what_to_do(tmp_path, old, new, said):
    assert faults(tmp_path, old, new) == [said]


@pytest.mark.parametrize(
    ("transports", "said"),
    [
        ("transports = []", "transports: []: must not be empty"),
        ("transports = { kind = 'uart' }", "transports: must be a list of tables; write [[transports]]"),
        ("transports = [1]", "transports[0]: 1: must be a table of fields"),
        (f"{SEVERAL}; {UART}", "transports: transport is there, too; delete one of them, and put all transports into transports"),
        ("transports = [{ kind = 'espnow' }, { kind = 'wifi' }]", "transports[1].kind: \"wifi\": must be 'udp', 'espnow' or 'uart'"),
        ("transports = [{ kind = 'espnow' }, { uart = 1 }]", "transports[1].kind: missing; add it"),
        ("transports = [{ kind = 'espnow' }, { kind = 'uart', bus = '' }]", 'transports[1].bus: "": must not be empty'),
        ("transports = [{ kind = 'espnow', bus = 'hall' }]", "transports[0].bus: no such field; delete it, or choose from channel"),
        ("transports = [{ kind = 'espnow' }, { kind = 'espnow' }]", f'transports[1].kind: "espnow": transports[0].kind {ONCE}'),
        ("transports = [{ kind = 'udp' }, { kind = 'udp' }]", f"transports[1].port: 47000: transports[0].port {ONCE}"),
        ("transports = [{ kind = 'uart', uart = 2 }, { kind = 'uart', uart = 2 }]", f"transports[1].uart: 2: transports[0].uart {ONCE}"),
        (
            "transports = [{ kind = 'uart', tx = 4, rx = 5 }, { kind = 'uart', uart = 2, tx = 18, rx = 19, direction = 4 }]",
            f"transports[1].direction: 4: transports[0].tx {ONCE}",
        ),
        ("transport = { kind = 'uart', tx = 4, rx = 4 }", f"transport.rx: 4: transport.tx {ONCE}"),
        (
            "transports = [{ kind = 'udp', ssid = 'one' }, { kind = 'udp', port = 47001, ssid = 'two' }]",
            'transports[1].ssid: "two": a board joins one network only, and "one" is there, too; choose one',
        ),
        (
            "transports = [{ kind = 'udp', ssid = '\ud7fc' }, { kind = 'udp', port = 47001, ssid = 'two' }]",  # no terminal shows it
            'transports[1].ssid: "two": a board joins one network only, and "\\ud7fc" is there, too; choose one',
        ),
    ],
)
def test_several_transports_that_cannot_work_on_one_board(tmp_path, transports, said):
    assert faults(tmp_path, SEVERAL, transports.replace("; ", "\n")) == [f":46: boards[1].{said}"]


def test_transports_of_all_boards_that_cannot_work_on_one_are_named_once(tmp_path):
    twice = '[[transports]]\nkind = "espnow"\n\n[[transports]]'
    assert faults(tmp_path, "[transport]", twice) == [f':20: transports[1].kind: "espnow": transports[0].kind {ONCE}']
    assert faults(tmp_path, "[transport]", f"{UART}\n[[transports]]") == [
        ":17: transports: transport is there, too; delete one of them, and put all transports into transports"
    ]


def test_what_a_kind_of_board_has_not(tmp_path):
    own = "; give this board a transport of its own"
    has_none = "missing for the process door, which has no UART and no pins"
    assert faults(tmp_path, 'kind = "rp2040"', 'kind = "unix"') == [
        f':52: boards[2].transport.device: {has_none}; give it a transport of its own, with one: device = "/dev/ttyUSB0"'
    ]
    radio = '"south"\nkind = "unix"\ntransport = { kind = "espnow" }\n\n[[boards]]\nid = 3\nname = "east"'
    assert faults(tmp_path, '"south"', radio) == [f':45: boards[1].kind: "unix": has no ESP-NOW{own}']
    pins = "transports = [{ kind = 'uart', bus = 'hall' }, { kind = 'uart', bus = 'hall' }]"
    stick = f'"south"\nkind = "circuitpython"\n{pins}\n\n[[boards]]\nid = 3\nname = "east"'
    assert faults(tmp_path, '"south"', stick) == [f':46: boards[1].transports[1].kind: "TX": transports[0].kind {ONCE}']


def test_two_lines_of_a_circuitpython_board_are_told_apart_by_their_pins(tmp_path):
    path = tmp_path / "faction.toml"
    lines = "{ kind = 'uart' }, { kind = 'uart', tx = 'D5', rx = 'D6', bus = 'hall' }"
    path.write_text(f"cluster = 'x'\nboards = [{{ id = 0, name = 'a', kind = 'circuitpython', transports = [{lines}] }}]")
    assert len(roster.load(path).transports_of(roster.load(path).board("a"))) == 2


@pytest.mark.parametrize("address", ["256.0.0.1:47000", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1", "host:1", "10.0.0.1:4\\n"])
def test_an_address_that_no_board_can_send_to(tmp_path, address):
    said = faults(tmp_path, UART, f'transport = {{ kind = "udp", to = ["{address}"] }}')
    assert said[0].endswith('must be an address and a port, such as "192.168.4.255:47000"')


def test_all_faults_are_named_at_once_in_the_order_of_their_lines(tmp_path):
    path = tmp_path / "faction.toml"
    path.write_text(
        examples.EXAMPLE.replace("id = 2", 'id = "a"').replace("interval_ms = 500", "interval_ms = 0").replace("quorum", "quorom")
    )
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [f"{path}:{line}" for line in (4, 5, 49)]
    path.write_text(examples.EXAMPLE.replace("id = 2", "id = 0").replace('"south"', '"north"').replace('"majority"', "9"))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["quorum", "boards[1].name", "boards[2].id"]


def test_the_readme_shows_what_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = examples.EXAMPLE.replace("quorum =", "quorom =").replace("channel = 6", "channel = 15").replace('"rp2040"', '"rp240"')
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
        f"{path}: boards[0].transport: missing, and there is none for all boards; add [transport]",
    ]
    board = {"id": 5, "name": "n", "kind": "esp32", "transport": {"kind": "espnow"}}
    path.write_text(json.dumps({"cluster": "x", "boards": [board]}))
    assert roster.load(path).configuration(roster.load(path).board("n"))["peers"] == [5]


NO_JSON = [
    ('{"cluster": "x", "cluster": "y", "boards": []}', "an object has the field 'cluster' twice; correct it"),
    (
        '{"cluster": "\\ud800", "transport": {"kind": "espnow"}, "boards": [{"id": 0, "name": "a", "kind": "esp32"}]}',
        "must be a text in UTF-8",
    ),
]


@pytest.mark.parametrize(("text", "said"), NO_JSON)
def test_what_json_allows_and_a_roster_does_not(tmp_path, text, said):
    (tmp_path / "faction.JSON").write_text(text)
    with pytest.raises(roster.RosterError, match=re.escape(said)):
        roster.load(tmp_path / "faction.JSON")


def test_the_configuration_of_a_board(tmp_path):
    path = tmp_path / "faction.toml"
    text = examples.EXAMPLE.replace('# hardware_id = "e6614103e7452b2f"', 'hardware_id = "e6614103e7452b2f"')
    path.write_text(text.replace("# key = ", "key = "))
    checked = roster.load(path)
    door = checked.configuration(checked.board("door"))
    assert door == {
        "cluster": "greenhouse",
        "key": "at least sixteen secret characters",
        "quorum": 2,
        "interval_ms": 500,
        "deadline_ms": 60000,
        "deadline_from_contact": False,
        "start_after_ms": None,
        "presence_ms": None,
        "frames_per_minute": 0,
        "is_line_shared": False,
        "transports": [{"kind": "uart", "uart": 1, "baudrate": 115200, "tx": 4, "rx": 5, "direction": None}],
        "console": "repl",
        "console_control": False,
        "watchdog_s": None,
        "led": None,
        "led_inverted": False,
        "peers": [0, 1, 2],
        "names": ["north", "south", "door"],
        "peer_id": 2,
        "hardware_ids": {"e6614103e7452b2f": 0},
    }
    north = checked.configuration(checked.board("0"))
    assert north["transports"] == [{"kind": "espnow", "channel": 6}] and north["peer_id"] == 0
    south = checked.configuration(checked.board("south"))
    line = {"kind": "uart", "uart": 1, "baudrate": 115200, "tx": 17, "rx": 16, "direction": None}
    assert south["transports"] == [{"kind": "espnow", "channel": 6}, line]
    assert checked.board("door").listed[0].bus == "line"


def test_all_boards_may_have_several_transports(tmp_path):
    path = tmp_path / "faction.toml"
    path.write_text("""
cluster = "x"
transports = [{ kind = "espnow" }, { kind = "uart", tx = 17, rx = 16, bus = "hall" }]
boards = [{ id = 0, name = "a", kind = "esp32" }, { id = 1, name = "b", kind = "esp32", transport = { kind = "espnow" } }]
""")
    checked = roster.load(path)
    kinds = [[each["kind"] for each in checked.configuration(board)["transports"]] for board in checked.boards]
    assert kinds == [["espnow", "uart"], ["espnow"]]


NODE = ("interval_ms", "frames_per_minute", "is_line_shared", "deadline_from_contact", "start_after_ms", "presence_ms")


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ("", (500, 0, False, False, None, None)),
        ('pace = "slow"', (10000, 12, True, False, None, None)),
        ('pace = "slow"\ninterval_ms = 500\nframes_per_minute = 0', (500, 0, True, False, None, None)),
        ("frames_per_minute = 10000\ninterval_ms = 20", (20, 10000, False, False, None, None)),
        ("deadline_from_contact = true\nstart_after_ms = 0\npresence_ms = 0", (500, 0, False, True, 0, 0)),
        ("frames_per_minute = 2\nstart_after_ms = 134217728\npresence_ms = 134217728", (500, 2, False, False, 134217728, 134217728)),
    ],
)
def test_the_pace_of_a_board_is_what_the_node_takes(tmp_path, fields, values):
    path = tmp_path / "faction.toml"
    path.write_text(f"{fields}\n" + examples.EXAMPLE.replace("interval_ms = 500", ""))
    checked = roster.load(path)
    configuration = checked.configuration(checked.board("north"))
    assert tuple(configuration[name] for name in NODE) == values
    given = {name: configuration[name] for name in NODE}
    node = Node(Config(0, range(3), 2), Hub().join(), "x", configuration["deadline_ms"], **given)
    assert (node.interval_ms, node.frames_per_minute, node.is_line_shared, node.deadline_from_contact) == values[:4]
    if "slow" in fields and "interval_ms" not in fields:
        assert SLOW == {name: configuration[name] for name in SLOW}


def test_the_command(tmp_path):
    def faction(*words):
        return subprocess.run([sys.executable, "-m", "faction_tools.cli", *words], cwd=tmp_path, capture_output=True, text=True)

    assert faction("check").stderr == "faction.toml: does not exist; check the name; faction new writes an example\n"
    assert faction("new").returncode == 0
    assert faction("check").stdout.startswith("faction.toml: good: 3 boards, quorum 2\n┏")
    again = faction("new")
    assert again.returncode == 2 and again.stderr == "faction.toml: already exists; choose another name or delete it\n"
