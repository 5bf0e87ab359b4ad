"""What a roster says of a board besides its place in the cluster: its program, its watchdog, its LED, its address."""

import pytest

from faction_tools.fleet import roster

TOP = 'cluster = "x"\n'
WIFI = '[transport]\nkind = "udp"\nssid = "barn"\npassword = "at the barn"\n'


def written(folder, top="", transport=WIFI, north="", south="", kind="esp32"):
    """Write a roster of two boards, and return its path."""
    boards = "".join(
        f'[[boards]]\nid = {i}\nname = "{name}"\nkind = "{kind}"\n{fields}\n'
        for i, name, fields in ((0, "north", north), (1, "south", south))
    )
    path = folder / "faction.toml"
    path.write_text(TOP + top + "\n" + transport + boards)
    return path


def faults(path):
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    return [line[len(str(path)) :].partition(": ")[2] for line in str(caught.value).splitlines()]


def configurations(path):
    checked = roster.load(path)
    return [checked.configuration(board) for board in checked.boards]


@pytest.mark.parametrize(
    ("top", "north", "told"),
    [
        ("", "", (None, None, False)),
        ("watchdog_s = 8", "", (8, None, False)),
        ("watchdog_s = 8", "watchdog_s = 0", (None, None, False)),
        ("watchdog_s = 8", "watchdog_s = 30", (30, None, False)),
        ('led = "board"', "", (None, "board", False)),
        ('led = "board"\nled_inverted = true', "led = 2", (None, 2, True)),
        ('led = "board"\nled_inverted = true', 'led = "none"\nled_inverted = false', (None, None, False)),
        ("led = 0", "", (None, 0, False)),
    ],
)
def test_a_board_has_what_it_says_or_what_all_have(tmp_path, top, north, told):
    north, _ = configurations(written(tmp_path, top, north=north))
    assert (north["watchdog_s"], north["led"], north["led_inverted"]) == told


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("watchdog_s = -1", "watchdog_s: -1: must be 0 or more"),
        ("watchdog_s = 3601", "watchdog_s: 3601: must be 3600 or less"),
        ("watchdog_s = 1.5", "watchdog_s: 1.5: must be a whole number"),
        ("led = -1", "led: -1: must be the number of a pin, 0 to 63, 'board' or 'none'"),
        ("led = true", "led: true: must be the number of a pin, 0 to 63, 'board' or 'none'"),
        ('led = "bord"', "led: \"bord\": must be the number of a pin, 0 to 63, 'board' or 'none'; did you mean board?"),
        ("led_inverted = 1", "led_inverted: 1: must be true or false"),
        ("watchdog = 5", "watchdog: no such field; did you mean watchdog_s?"),
    ],
)
def test_a_fault_of_the_watchdog_or_the_led(tmp_path, top, said):
    assert faults(written(tmp_path, top)) == [said]
    assert faults(written(tmp_path, north=top)) == [f"boards[0].{said}"]


def test_the_watchdog_of_an_rp2040_waits_for_eight_seconds_at_most(tmp_path):
    most = "the watchdog of north waits for 8 s at most; write 8 or less"
    assert faults(written(tmp_path, "watchdog_s = 9", south="watchdog_s = 8", kind="rp2040")) == [f"watchdog_s: 9: {most}"]
    assert faults(written(tmp_path, north="watchdog_s = 9", kind="rp2040")) == [f"boards[0].watchdog_s: 9: {most}"]
    assert configurations(written(tmp_path, "watchdog_s = 8", kind="rp2040"))[0]["watchdog_s"] == 8


def test_a_fixed_address_and_the_country_reach_the_board(tmp_path):
    transport = WIFI + 'country = "DE"\ngateway = "192.168.4.1"\n'
    north, south = configurations(written(tmp_path, transport=transport, north='address = "192.168.4.11/24"'))
    wifi = {"kind": "udp", "port": 47000, "bind": "0.0.0.0", "to": [], "ssid": "barn", "password": "at the barn", "country": "DE"}
    assert north["transports"] == [{**wifi, "address": "192.168.4.11", "netmask": "255.255.255.0", "gateway": "192.168.4.1"}]
    assert south["transports"] == [{**wifi, "address": None, "netmask": None, "gateway": None}]


ADDRESS = 'must be an address and the length of its network, such as "192.168.4.11/24"'


@pytest.mark.parametrize(
    ("north", "said"),
    [
        ('"192.168.4.11"', ADDRESS),
        ('"192.168.4.256/24"', ADDRESS),
        ('"192.168.4.11/33"', ADDRESS),
        ('"192.168.4.11/255.255.255.0"', ADDRESS),
        ('"fe80::1/64"', ADDRESS),
        ('""', ADDRESS),
        ("5", "must be a text, in quotes"),
        ('"192.168.4.0/24"', "is the address of a whole network; take one between 192.168.4.1 and 192.168.4.254"),
        ('"192.168.4.255/24"', "is the address of a whole network; take one between 192.168.4.1 and 192.168.4.254"),
        ('"192.168.5.11/24"', "the gateway 192.168.4.1 is in another network than 192.168.5.0/24; correct one of them"),
        ('"192.168.4.1/24"', "the gateway has it, too; give the board another one"),
    ],
)
def test_a_fault_of_an_address(tmp_path, north, said):
    transport = WIFI + 'gateway = "192.168.4.1"\n'
    assert faults(written(tmp_path, transport=transport, north=f"address = {north}")) == [f"boards[0].address: {north}: {said}"]


def test_an_address_that_the_board_cannot_have(tmp_path):
    own, other = 'address = "10.0.0.2/8"', 'address = "10.0.0.2/16"'
    twice = "boards[0] has it, too; give every board its own"
    assert faults(written(tmp_path, north=own, south=other)) == [f'boards[1].address: "10.0.0.2/16": {twice}']
    none = "this board joins no Wi-Fi network; give its udp transport an ssid, or delete the address"
    assert faults(written(tmp_path, transport='[transport]\nkind = "udp"\n', north=own)) == [f'boards[0].address: "10.0.0.2/8": {none}']
    process = "a process has the addresses of its computer; delete it"
    assert faults(written(tmp_path, north=own, kind="unix")) == [f'boards[0].address: "10.0.0.2/8": {process}']


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ('country = "de"', 'country: "de": must be the two capital letters of a country, such as "DE"'),
        ('country = "Germany"', 'country: "Germany": must be the two capital letters of a country, such as "DE"'),
        ("country = 49", "country: 49: must be a text, in quotes"),
        ('gateway = "router"', 'gateway: "router": must be an address of four numbers, such as "192.168.4.1"'),
        ('gateway = "192.168.4.1/24"', 'gateway: "192.168.4.1/24": must be an address of four numbers, such as "192.168.4.1"'),
    ],
)
def test_a_fault_of_a_network(tmp_path, field, said):
    assert faults(written(tmp_path, transport=WIFI + field + "\n")) == [f"transport.{said}"]


def test_the_application_of_a_board(tmp_path, monkeypatch):
    (tmp_path / "pumps").mkdir()
    for name in ("all.py", "own.py", "pumps/application.py"):
        (tmp_path / name).write_text("")

    def applications(top="", north=""):
        checked = roster.load(written(tmp_path, top, north=north))
        return [checked.application_of(board) for board in checked.boards]

    assert applications() == [None, None]
    assert applications('application = "all.py"') == [tmp_path / "all.py"] * 2
    assert applications('application = "all.py"', 'application = "own.py"') == [tmp_path / "own.py", tmp_path / "all.py"]
    assert applications('application = { rp2040 = "all.py" }', 'application = "pumps"') == [tmp_path / "pumps", None]
    assert applications('[application]\nesp32 = "pumps"') == [tmp_path / "pumps"] * 2
    assert applications(f'application = "{tmp_path}/all.py"') == [tmp_path / "all.py"] * 2
    monkeypatch.chdir(tmp_path.parent)  # a path begins at the roster, wherever the command runs
    checked = roster.load(f"{tmp_path.name}/faction.toml")
    assert checked.application_of(checked.boards[0]).is_file()


def test_an_application_that_cannot_go_onto_a_board(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    absent = f"does not exist in {tmp_path}; correct the path, from the folder of the roster on"

    def said(top="", north=""):
        return faults(written(tmp_path, top, north=north))

    assert said('application = "none.py"', 'application = "no.py"') == [
        f'application: "none.py": {absent}',
        f'boards[0].application: "no.py": {absent}',
    ]
    assert said('application = { esp32 = "none.py" }') == [f'application.esp32: "none.py": {absent}']
    assert said('application = "empty"') == ['application: "empty": has no application.py; put one into this folder, or name another']
    assert said('application = "notes.txt"') == ['application: "notes.txt": is no .py file; name a .py file, or a folder']
    assert said(f'application = "{"x" * 5000}"')[0].endswith("cannot be read; correct the path, or what may be read there")
    assert said('application = ""') == ['application: "": must be a path in quotes, or a table with a path for each kind of board']
    assert said("application = 5") == ["application: 5: must be a path in quotes, or a table with a path for each kind of board"]
    assert said('application = { esp23 = "none.py", unix = 5 }') == [
        "application.esp23: no such field; did you mean esp32?",
        "application.unix: 5: must be a path, in quotes",
    ]
    assert said(north='application = ""') == ['boards[0].application: "": must not be empty']
