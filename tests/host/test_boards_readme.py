"""The READMEs of boards/ show what there is, and what they show works."""

import json
import re
import subprocess
from pathlib import Path

import emulated
import pytest
from needs import needs_micropython
from readmes import blocks

from faction_tools.dev import interpreters
from faction_tools.dev.cluster import free_ports
from faction_tools.fleet import build, roster
from faction_tools.fleet.found import CONFIGURATION

ROOT = Path(__file__).parents[2]
BOARDS = ROOT / "boards"


@pytest.mark.parametrize("path", sorted(BOARDS.rglob("README.md")), ids=lambda path: path.parent.name)
def test_every_file_that_it_names_is_there(path):
    words = re.findall(r"[\w./-]+", path.read_text())
    named = [
        word for word in words if word.startswith(("boards/", "faction/", "tests/", "tools/")) and not word.startswith("faction/faction")
    ]
    links = re.findall(r"\]\(([^)#]+)", path.read_text())
    assert all((ROOT / word.rstrip(".")).exists() for word in named), named
    assert all((path.parent / link).exists() for link in links), links


def test_the_folders_are_those_that_the_table_lists():
    listed = re.findall(r"^\| `(\w+)/` \|", (BOARDS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in BOARDS.iterdir() if path.is_dir() and path.name != "__pycache__")


def test_the_hooks_are_those_that_the_table_lists():
    listed = re.findall(r"^\| `(\w+)\(node\)` \|", (BOARDS / "README.md").read_text(), re.MULTILINE)
    hooks = (BOARDS / "common/member.py").read_text().split("class Hooks:")[1].split("\ndef ")[0]
    assert listed == re.findall(r"def (\w+)\(self, node\)", hooks)


@pytest.mark.parametrize("name", ["micropython", "circuitpython"])
def test_the_transports_that_it_shows_are_good(name, tmp_path):
    shown = re.findall(r"`(transports? = [^`]+)`", (BOARDS / name / "README.md").read_text())
    kinds = set()
    for each in shown:
        path = tmp_path / "faction.toml"
        kind = "circuitpython" if name == "circuitpython" else "esp32" if "espnow" in each else "rp2040"  # the wiring is that of a Pico
        path.write_text(f'cluster = "x"\n{each}\n[[boards]]\nid = 0\nname = "a"\nkind = "{kind}"\n')
        kinds.add(tuple(transport.kind for transport in roster.load(path).listed))
    assert kinds == {("uart",), ("espnow", "uart")}


@needs_micropython
def test_a_process_starts_as_the_readme_says():
    interpreters.compile_all()
    [command] = [line for line in (BOARDS / "unix/README.md").read_text().splitlines() if line.startswith("MICROPYPATH=")]
    command = command.replace(".venv/bin/micropython", interpreters.micropython())
    done = subprocess.run(command, shell=True, cwd=ROOT, input="probe json\n", capture_output=True, text=True, timeout=180)
    lines = done.stdout.splitlines()
    assert lines[0] == "faction: node 0 of 3, quorum 2", done.stdout + done.stderr
    objects = [json.loads(line[line.index('{"') :]) for line in lines if '{"' in line]
    rows = re.findall(r"^\| (`.*?`) \|", (BOARDS / "unix/README.md").read_text().split("| field |")[0], re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert [set(each) for each in objects if "state" in each and "faction" not in each][0] == listed
    assert "probe" in [each.get("faction") for each in objects]


@needs_micropython
def test_the_application_that_it_shows_runs(tmp_path):
    [program] = [block for block in blocks(BOARDS / "README.md", "py") if "class Application" in block]
    (tmp_path / "mine.py").write_text(program)
    (tmp_path / "faction.toml").write_text(
        'cluster = "x"\nquorum = 1\napplication = "mine.py"\n[[boards]]\nid = 0\nname = "a"\nkind = "esp32"\n'
        f'transport = {{ kind = "udp", port = {free_ports(1)[0]} }}\n'
    )
    emulated.deployed(tmp_path / "flash", roster.load(tmp_path / "faction.toml"), "a")
    with emulated.Board(tmp_path / "flash", "esp32") as board:
        emulated.wait(lambda: b"\ngo\r\n" in board.said)
        assert b"rror" not in board.said and b"faction: node 0 of 1, quorum 1" in board.said


def test_a_board_gets_the_files_that_the_table_lists():
    text = (BOARDS / "README.md").read_text()
    listed = set(re.findall(r"`(\w+\.(?:py|json))`", text.split("On the board are then:")[1].split("##")[0]))
    assert listed == {name for programs in build.PROGRAMS.values() for name in programs} | {CONFIGURATION}
