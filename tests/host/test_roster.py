"""The roster: what it means for a board, and what is said of its faults."""

import json
import subprocess
import sys

import pytest

from faction_tools.fleet import roster


def fault(tmp_path, old, new):
    """Return the lines about the example with one text replaced, without the name of the file."""
    path = tmp_path / "faction.toml"
    assert old in roster.EXAMPLE
    path.write_text(roster.EXAMPLE.replace(old, new, 1))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line[len(str(path)) + 2 :] for line in lines]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id = 1\n", "id = 0\n", "boards[1].id: 0: boards[0] has it, too; give every board its own"),
        ('name = "south"', 'name = "north"', "boards[1].name: 'north': boards[0] has it, too; give every board its own"),
        ("id = 1\n", "id = -1\n", "boards[1].id: -1: input should be greater than or equal to 0"),
        ("id = 1\n", 'id = "one"\n', "boards[1].id: 'one': input should be a valid integer"),
        ("id = 1\n", "id = true\n", "boards[1].id: True: input should be a valid integer"),
        ("id = 1\n", "", "boards[1].id: missing; add it"),
        ('kind = "rp2040"', 'kind = "pico"', "boards[2].kind: 'pico': input should be 'esp32', 'rp2040', 'circuitpython' or 'unix'"),
        ('quorum = "majority"', "quorum = 4", "quorum: 4: not from 1 to 3, the number of boards"),
        ('quorum = "majority"', "quorum = 0", "quorum: 0: not from 1 to 3, the number of boards"),
        ("interval_ms = 500", "interval_ms = 0", "interval_ms: 0: input should be greater than or equal to 1"),
        ("channel = 6", "channel = 15", "transport.channel: 15: input should be less than or equal to 14"),
        ("channel = 6", "chanel = 6", "transport.chanel: 6: extra inputs are not permitted"),
        ('cluster = "greenhouse"', 'cluster = ""', "cluster: '': string should have at least 1 character"),
        ("# key = ", 'key = "short" # ', "key: 'short': string should have at least 16 characters"),
        (
            "tx = 4, rx = 5 }",
            "tx = 4 }",
            "boards[2].transport: {'kind': 'uart', 'uart': 1, 'tx': 4}: tx and rx: only one of them is given; "
            "give both, or neither for the port's own pins",
        ),
        (
            'transport = { kind = "uart", uart = 1, tx = 4, rx = 5 }',
            "",
            "boards[2].kind: 'rp2040': has no ESP-NOW; give this board a transport of its own",
        ),
        (
            '# console = "off"',
            'console = "data"',
            'console: \'data\': boards[0] is no circuitpython board; take "repl" or "off"',
        ),
        ("[transport]", "[transports]", "transports: {'kind': 'espnow', 'channel': 6}: extra inputs are not permitted"),
    ],
)
def test_a_fault_is_named_with_field_value_and_remedy(tmp_path, old, new, said):
    lines = fault(tmp_path, old, new)
    assert lines == [said]


def test_all_faults_are_named_at_once(tmp_path):
    path = tmp_path / "faction.json"
    path.write_text(json.dumps({"cluster": "x", "interval_ms": 0, "boards": [{"id": "a", "name": "n", "kind": "esp32"}]}))
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_no_toml_is_named_with_its_line(tmp_path):
    assert "(at line 5, column " in fault(tmp_path, "interval_ms = 500", "interval_ms = = 500")[0]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(roster.RosterError, match="No such file or directory; faction new writes an example"):
        roster.load(tmp_path / "none.toml")


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

    assert faction("check").stderr == "faction.toml: No such file or directory; faction new writes an example\n"
    assert faction("new").returncode == 0
    assert faction("check").stdout == "faction.toml: good: 3 boards, quorum 2\n"
    again = faction("new")
    assert again.returncode == 2 and again.stderr == "faction.toml: already exists; choose another name or delete it\n"
