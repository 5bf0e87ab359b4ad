"""Rosters that are changed by chance: each is refused in lines about it, or it is good, and then its boards start."""

import copy
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from needs import needs_micropython

from faction import Config
from faction.node import Node
from faction.transports.loopback import Hub
from faction_tools.dev import interpreters
from faction_tools.fleet import examples, roster
from faction_tools.fleet.entries import BoardEntry, Uart, Udp
from faction_tools.fleet.fields import KINDS
from faction_tools.toml.strict import parse_toml

DEVICE = Path(__file__).parent / "device" / "load_rosters.py"
UNIX = """
cluster = "local"
key = "a key of a few more than sixteen characters"
quorum = "byzantine"
pace = "slow"
presence_ms = 0
start_after_ms = 0
frames_per_minute = 60
[[boards]]
id = 7
name = "one"
kind = "unix"
transport = { kind = "udp", port = 47310, bind = "127.0.0.1", to = ["127.0.0.1:47311", "127.0.0.1:47312"] }
[[boards]]
id = 70000
name = "two"
kind = "unix"
transports = [{ kind = "udp", port = 47311, to = ["127.0.0.1:47310"] }, { kind = "udp", port = 47313 }]
[[boards]]
id = 1073741823
name = "thrëe"
kind = "unix"
transports = [{ kind = "udp", port = 47312, to = ["127.0.0.1:47310"] }, { kind = "udp", port = 47313, ssid = "x", country = "DE" }]
"""
GOOD = [parse_toml(text) for text in (examples.EXAMPLE, *examples.EXAMPLES.values(), UNIX)]
TABLES = st.sampled_from(
    [{"kind": "udp"}, {"kind": "espnow"}, {"kind": "uart", "tx": 4, "rx": 5}, {"kind": "udp", "ssid": "x", "password": "abcdefgh"}, {}]
).map(copy.deepcopy)  # a table that is in a roster may be changed there
NUMBERS = st.one_of(st.integers(-2, 70), st.sampled_from([255, 65535, 65536, 2**27, 2**30, 2**31, 2**64, -(2**40)]), st.integers())
WORDS = [
    *KINDS,
    "udp",
    "uart",
    "espnow",
    "majority",
    "everyone",
    "slow",
    "auto",
    "board",
    "none",
    "off",
]
TEXTS = st.one_of(st.sampled_from([*WORDS, "", "0", "GP4", "127.0.0.1:47310", "10.0.0.2/8", "DE"]), st.text(max_size=20))
VALUES = st.one_of(NUMBERS, TEXTS, st.booleans(), st.none(), st.floats(), TABLES, st.lists(st.one_of(NUMBERS, TEXTS, TABLES), max_size=3))
FIELDS = st.sampled_from(
    sorted({*roster.Roster.model_fields, *BoardEntry.model_fields, *Udp.model_fields, *Uart.model_fields, "channel", "x"})
)


def places(data, steps=()):
    """Iterate the ways to all tables, lists and values."""
    yield steps
    if isinstance(data, (dict, list)):
        for step in data if isinstance(data, dict) else range(len(data)):
            yield from places(data[step], (*steps, step))


def nudged(draw, value):
    """Return a value that is probably as good."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + draw(st.integers(1, 900))
    return value + draw(st.text("abcé 1", max_size=3)) if isinstance(value, str) else value


@st.composite
def changed(draw):
    """Return a good roster in which a few fields are other ones, are left out, are added, or are there twice."""
    data = copy.deepcopy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        steps = draw(st.sampled_from([each for each in places(data) if each]))
        table = data
        for step in steps[:-1]:
            table = table[step]
        what = draw(st.sampled_from(["nudge", "nudge", "nudge", "set", "delete", "add", "copy"]))
        if what in ("nudge", "set"):
            table[steps[-1]] = draw(VALUES) if what == "set" else nudged(draw, table[steps[-1]])
        elif what == "delete":
            del table[steps[-1]]
        elif isinstance(table, list):
            table.append(copy.deepcopy(table[steps[-1]]))
        else:
            table[draw(FIELDS)] = draw(VALUES) if what == "add" else copy.deepcopy(table[steps[-1]])
    return data


def check(path, data):
    """Return the roster in a JSON file with such data; None if it is refused, in lines of its own."""
    path.write_text(json.dumps(data), encoding="utf-8")
    try:
        return roster.load(path)
    except roster.RosterError as error:
        lines = str(error).split("\n")
        assert lines and all(line.startswith(f"{path}: ") and line.isprintable() for line in lines), lines
        assert len(lines) == len(set(lines))
        return None


def test_a_changed_roster_is_refused_or_its_nodes_start(tmp_path):
    path, seen = tmp_path / "faction.json", []

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(changed())
    def run(data):
        checked = check(path, data)
        seen.append(checked is not None)
        for board in checked.boards if checked else ():
            told = json.loads(json.dumps(checked.configuration(board)))
            options = {name: told[name] for name in OPTIONS if told[name] is not None}
            node = Node(
                Config(told["peer_id"], told["peers"], told["quorum"]),
                Hub().join(),
                told["cluster"],
                told["deadline_ms"],
                told["interval_ms"],
                **options,
            )
            node.poll()

    run()
    assert seen.count(True) > 40 and seen.count(False) > 40


OPTIONS = ("start_after_ms", "presence_ms", "frames_per_minute", "deadline_from_contact", "is_line_shared")


@needs_micropython
def test_what_is_good_starts_on_micropython(tmp_path):
    """One process takes the configurations of all boards of all changed rosters that are good."""
    path, lines = tmp_path / "faction.json", []

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(changed())
    def collect(data):
        checked = check(path, data)
        for board in checked.boards if checked else ():
            if _can_be_opened_here(checked, board):
                lines.append(json.dumps({**checked.configuration(board), "is_process": board.kind == "unix"}))

    collect()
    interpreters.compile_all()
    (tmp_path / "configurations").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folders = [interpreters.COMPILED, *(interpreters.BOARDS / name for name in ("unix", "common", "micropython"))]
    environment = {**os.environ, "MICROPYPATH": ":".join(map(str, folders))}
    command = [interpreters.micropython(), "-X", "heapsize=4m", str(DEVICE), str(tmp_path / "configurations")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0 and done.stdout == f"nodes: {len(lines)}\n", done.stdout[-2000:] + done.stderr[-2000:]
    assert sum('"is_process": true' in line for line in lines) > 5  # chance gives 30 to 270


def _can_be_opened_here(checked, board):
    """Tell whether this computer has the addresses that a process is bound to, and the networks of the groups that it joins."""
    for each in checked.transports_of(board):
        is_own = not isinstance(each, Udp) or each.bind in ("0.0.0.0", "127.0.0.1") and each.port > 1023
        if board.kind == "unix" and not (is_own and all(224 > int(to.split(".")[0]) for to in each.to)):
            return False
    return True


@pytest.mark.parametrize("good", GOOD, ids=["example", *examples.EXAMPLES, "unix"])
def test_what_is_changed_is_good(good, tmp_path):
    assert check(tmp_path / "faction.json", good) is not None
