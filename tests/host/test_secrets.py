"""A key or a password of a roster is in no message of any command, in no exception, and in no traceback, whatever is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback

import pytest

from faction_tools import cli
from faction_tools.fleet import roster
from faction_tools.simulator import scenario
from faction_tools.toml.strict import parse_toml

SHORT, LONG, NUMBER = "hunter2", "zebra violin quartz lantern", 90210777
WORDS = (SHORT, *LONG.split(), str(NUMBER))

WIFI = 'kind = "udp"\nssid = "barn"\npassword = "%s"' % LONG
NET = '{ kind = "udp", %sssid = "%s", password = "%s" }'
# What stands above the tables, in [transport], and in the last board; each roster is wrong in one place at least.
BROKEN = {
    "key too short": (f'key = "{SHORT}"', WIFI, ""),
    "key empty": ('key = ""', WIFI, ""),
    "key a number": (f"key = {NUMBER}", WIFI, ""),
    "key a fraction": (f"key = {NUMBER}.5", WIFI, ""),
    "key a truth": ("key = true", WIFI, ""),
    "key a list": (f'key = ["{LONG}"]', WIFI, ""),
    "key a list of lists": (f'key = [["{LONG}", {NUMBER}]]', WIFI, ""),
    "key a table": (f'key = {{ value = "{LONG}" }}', WIFI, ""),
    "key a table of its own": ("", WIFI, f'[key]\nvalue = "{LONG}"'),
    "key tables of their own": ("", WIFI, f'[[key]]\nvalue = "{LONG}"'),
    "key dotted": (f'key.value = "{LONG}"', WIFI, ""),
    "key misspelt": (f'keey = "{LONG}"', WIFI, ""),
    "key misspelt shortly": (f'kye = "{SHORT}"', WIFI, ""),
    "key with a capital": (f'Key = "{LONG}"', WIFI, ""),
    "key misspelt in a list": (f'keys = ["{LONG}"]', WIFI, ""),
    "key misspelt in a table": (f'secret = {{ key = "{LONG}" }}', WIFI, ""),
    "key in transport": ("", f'{WIFI}\nkey = "{LONG}"', ""),
    "key in a board": ("", WIFI, f'key = "{LONG}"'),
    "password above": (f'password = "{LONG}"', WIFI, ""),
    "password a number": ("", f'kind = "udp"\nssid = "barn"\npassword = {NUMBER}', ""),
    "password a list": ("", f'kind = "udp"\nssid = "barn"\npassword = ["{LONG}"]', ""),
    "password a table": ("", f'kind = "udp"\nssid = "barn"\npassword = {{ a = "{LONG}" }}', ""),
    "password misspelt": ("", f'kind = "udp"\nssid = "barn"\npasword = "{LONG}"', ""),
    "password by another name": ("", f'kind = "udp"\nssid = "barn"\nwpa_psk = "{LONG}"', ""),
    "password that is like a port": ("", f'{WIFI}\npsk_port = "{LONG}"', ""),
    "password that is like a network": ("", f'{WIFI}\nnetpasswork = "{LONG}"', ""),
    "password of a radio": ("", f'kind = "espnow"\npassword = "{LONG}"', ""),
    "password of a line": ("", f'kind = "uart"\npassword = "{LONG}"', ""),
    "password of a board": ("", WIFI, f'password = "{LONG}"'),
    "kind unknown": ("", WIFI.replace("udp", "wifi"), ""),
    "kind a number": ("", WIFI.replace('"udp"', "5"), ""),
    "kind a list": ("", WIFI.replace('"udp"', '["udp"]'), ""),
    "kind a table": ("", WIFI.replace('"udp"', "{ a = 1 }"), ""),
    "kind missing": ("", WIFI.replace('kind = "udp"', ""), ""),
    "kind of a board unknown": ("", WIFI, f'transport = {{ kind = "wifi", password = "{LONG}" }}'),
    "ssid a number": ("", WIFI.replace('"barn"', "5"), ""),
    "ssid a table": ("", WIFI.replace('"barn"', f'{{ password = "{LONG}" }}'), ""),
    "port wrong": ("", f"{WIFI}\nport = 0", ""),
    "address wrong": ("", f'{WIFI}\nto = ["10.0.0.1"]', ""),
    "transport a list": ("", WIFI, f'transport = [{{ kind = "udp", password = "{LONG}" }}]'),
    "transport a word": ("", WIFI, f'transport = "{LONG}"'),
    "transports of words": ("", WIFI, f'transports = ["{LONG}"]'),
    "transports, one wrong": ("", WIFI, f'transports = [{{ kind = "udp", password = "{LONG}" }}, {{ kind = "udp", password = {NUMBER} }}]'),
    "two networks": ("", WIFI, f"transports = [{NET % ('', 'a', LONG)}, {NET % ('port = 5, ', 'b', SHORT)}]"),
    "radio that is not there": ("", WIFI, f'transports = [{{ kind = "espnow" }}, {{ kind = "udp", password = "{LONG}" }}]'),
    "quorum too high": (f'quorum = 9\nkey = "{LONG}"', WIFI, ""),
    "an id twice": (f'key = "{LONG}"', WIFI, '[[boards]]\nid = 0\nname = "north"\nkind = "rp2040"'),
}
# What is no TOML.
DAMAGED = {
    "boards a table": (f'boards = {{ password = "{LONG}" }}', WIFI, ""),
    "key without quotes": (f"key = {SHORT}", WIFI, ""),
    "key of several words without quotes": (f"key = {LONG}", WIFI, ""),
    "key without an end": (f'key = "{LONG}', WIFI, ""),
    "key without a begin": (f'key = {LONG}"', WIFI, ""),
    "key without an equals sign": (f'key "{LONG}"', WIFI, ""),
    "key after a colon": (f'key: "{LONG}"', WIFI, ""),
    "key with two equals signs": (f'key = = "{LONG}"', WIFI, ""),
    "key twice": (f'key = "{LONG}"\nkey = "{LONG}"', WIFI, ""),
    "key and table": (f'key = "{LONG}"\nkey.a = "{LONG}"', WIFI, ""),
    "key with a wrong escape": (f'key = "{LONG}\\q"', WIFI, ""),
    "key with a control character": (f'key = "{LONG}\x01"', WIFI, ""),
    "key with more behind it": (f'key = "{LONG}" "{LONG}"', WIFI, ""),
    "key over two lines": (f'key = "{LONG}\n{LONG}"', WIFI, ""),
    "password twice": ("", f'{WIFI}\npassword = "{LONG}"', ""),
    "password twice in a line": ("", WIFI, f'transport = {{ kind = "udp", password = "{LONG}", password = "{LONG}" }}'),
    "no end of a table": ("", WIFI, f'transport = {{ kind = "udp", password = "{LONG}"'),
    "no end of a list": ("", WIFI, f'transports = [{{ kind = "udp", password = "{LONG}" }}'),
}


def text_of(top: str, transport: str, board: str) -> str:
    return f'cluster = "c"\n{top}\n[transport]\n{transport}\n[[boards]]\nid = 0\nname = "north"\nkind = "rp2040"\n{board}\n'


def check_silence(said: str) -> None:
    assert not [word for word in WORDS if word in said], said


def rosters():
    """Yield (name of a file, its text): as TOML, and as JSON where it can be that."""
    for name, parts in {**BROKEN, **DAMAGED}.items():
        yield f"{name}.toml", text_of(*parts)
    for name, parts in BROKEN.items():
        yield f"{name}.json", json.dumps(parse_toml(text_of(*parts)))
    good = json.dumps(parse_toml(text_of(f'key = "{LONG}"', WIFI, "")), indent=1)
    for i in range(1, len(good), 7):
        yield f"cut at {i}.json", good[:i]
        yield f"without {i}.json", good[:i] + good[i + 1 :]
    yield "bytes.toml", "\udcff" + text_of(f'key = "{LONG}"', WIFI, "")


def test_no_command_says_a_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    refused = 0
    for name, text in rosters():
        (tmp_path / name).write_text(text, errors="surrogateescape")
        for words in (["check", name], ["build", name], ["deploy", str(tmp_path), "north", "--roster", name], ["simulate", name]):
            if name.endswith(".json") and words[0] != "check":
                continue
            refused += cli.main(words) == 2
            said = capsys.readouterr()
            check_silence(said.out + said.err)
            assert words[0] == "simulate" or name in said.err or name in said.out
    assert refused > 4 * (len(BROKEN) + len(DAMAGED))


def test_no_traceback_shows_a_secret(tmp_path):
    for name, text in rosters():
        (tmp_path / name).write_text(text, errors="surrogateescape")
        for load in (roster.load, scenario.load):
            try:
                load(str(tmp_path / name))
            except (roster.RosterError, scenario.ScenarioError) as error:
                check_silence("".join(traceback.format_exception(type(error), error, error.__traceback__)))
                check_silence(repr(error) + str(error.__cause__) + str(vars(error)))
                known = error.__cause__ or error.__context__
                check_silence(repr(known) + repr(getattr(known, "doc", "")) + repr(getattr(known, "object", "")))
            else:
                assert name.startswith("without")


@pytest.mark.parametrize(
    "case", ["key too short", "password a number", "kind unknown", "transport a word", "key twice", "key without an end"]
)
def test_the_command_itself_says_no_secret(tmp_path, case):
    (tmp_path / "faction.toml").write_text(text_of(*{**BROKEN, **DAMAGED}[case]))
    done = subprocess.run([sys.executable, "-m", "faction_tools.cli", "check"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("faction.toml:") and done.stdout == ""
    check_silence(done.stderr)


@pytest.mark.parametrize("change", ["cluster.key", "cluster.keey", "key", "password", "medium.pasword", "cluster.key.x"])
def test_a_change_of_a_scenario_says_no_secret(capsys, change):
    assert cli.main(["simulate", "greenhouse", "--set", f"{change}={LONG}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{change}: ")
    check_silence(said)


def test_what_is_good_says_no_secret(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faction.toml").write_text(text_of(f'key = "{LONG}"', WIFI, "").replace("rp2040", "unix"))
    (tmp_path / "board").mkdir()
    for words in (
        ["check"],
        ["build"],
        ["deploy", "board", "north", "--dry-run"],
        ["deploy", "board", "north"],
        ["deploy", "board", "south"],
    ):
        assert cli.main(words) == (2 if words[-1] == "south" else 0), words
        said = capsys.readouterr()
        check_silence(said.out + said.err)
    assert LONG in (tmp_path / "board" / "faction.json").read_text()
    (tmp_path / "board" / "lib" / "faction" / "node.mpy.new").mkdir(parents=True)
    (tmp_path / "board" / "lib" / "faction" / "node.mpy").unlink()
    assert cli.main(["deploy", "board", "north"]) == 2
    said = capsys.readouterr()
    check_silence(said.out + said.err)
