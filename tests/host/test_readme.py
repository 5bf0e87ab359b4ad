"""What each README shows is what there is: its examples run, its diagrams and its files exist."""

import argparse
import ast
import collections
import importlib
import io
import re
import shlex
import subprocess
import sys
import textwrap
from contextlib import redirect_stdout
from pathlib import Path

import emulated
import pytest
from needs import NO_MICROBIT, NO_MICROPYTHON, require
from readmes import blocks

from faction import BOOTSTRAPPED, Config
from faction.key import Key
from faction.node import Node
from faction_tools import cli
from faction_tools.dev import interpreters
from faction_tools.shown import mermaid

ROOT = Path(__file__).parents[2]
READMES = [ROOT / name for name in subprocess.check_output(["git", "ls-files", "*README.md"], cwd=ROOT, text=True).split()]


EXAMPLES = [(path.relative_to(ROOT).as_posix(), block) for path in READMES for block in blocks(path, "python")]
SHORT = {"deadline_ms=30000": "deadline_ms=300"}  # nobody wants to wait so long for a peer that is not there


@pytest.mark.parametrize("name, example", EXAMPLES, ids=[f"{name}-{number}" for number, (name, _) in enumerate(EXAMPLES)])
def test_each_example_runs(name, example):
    if "microbit" in example:
        require(NO_MICROBIT)
    for old, new in SHORT.items():
        example = example.replace(old, new)
    exec(compile(example, name, "exec"), {"__name__": "example"})


def test_the_examples_are_found():
    assert "faction/README.md" in [name for name, _ in EXAMPLES]


def the(start):
    """Return the one example of faction/README.md that contains a text."""
    (found,) = [block for block in blocks(ROOT / "faction/README.md", "python") if start in block]
    return found


def test_the_example_of_a_node_comes_to_both_ends():
    example = the("UDP(47000)").replace("deadline_ms=30000", "deadline_ms=300")
    for peers, end in (("range(5)", "timed out; never heard [1, 2, 3, 4] not ready []\n"), ("range(1)", "go\n")):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(example.replace("range(5)", peers), {})
        assert printed.getvalue() == end


def test_the_example_of_the_machine_is_the_one_that_is_tested():
    source = (ROOT / "tests/portable/test_crate_example.py").read_text()
    function = ast.parse(source).body[-1]
    body = source.splitlines()[function.body[0].lineno - 1 :]
    assert textwrap.dedent("\n".join(body)).strip() + "\n" == the("A 5-node cluster")


def test_the_diagram_is_that_of_the_table():
    assert blocks(ROOT / "faction/README.md", "mermaid") == [mermaid.states() + "\n"]


PAGES = [*READMES, ROOT / "CONTRIBUTING.md"]
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 150
    assert [line for line in lines if len(line) > 120] == []


def anchors(path):
    """Return the anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            page = path.parent / name if name else path
            assert page.exists(), target
            assert not anchor or anchor in anchors(page), target


def commands(path):
    """Return the commands that a page shows: the lines of blocks without a language, and what stands between backticks."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    pieces = re.split(r"^```(\w*)\n", text, flags=re.MULTILINE)  # prose, "", a block, "", prose, "python", a block, "", prose ...
    blocks = [block for language, block in zip(pieces[1::4], pieces[2::4]) if not language]
    lines = [re.split(r"\s+#", line)[0].strip() for block in blocks for line in block.splitlines()]
    return lines + [quoted for prose in pieces[0::4] for quoted in re.findall(r"`([^`\n]+)`", prose)]


@each_page
def test_every_command_exists(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(path):
        words = shlex.split(command) if command.startswith(("faction ", "make ", ".ci/")) and "'" not in command[:3] else [""]
        if words[0] == "make" and len(words) > 1:
            assert all("=" in word or word in targets for word in words[1:]), command
        elif words[0] == "faction" and len(words) > 1 and words[1].isalpha() and words[1].islower():
            assert words[1] in cli.COMMANDS, command
            known = subparser(words[1]).format_help()
            assert all(word.partition("=")[0] in known for word in words[2:] if word.startswith("--")), command
        elif words[0].startswith(".ci/"):
            assert (ROOT / words[0]).exists(), command


def subparser(name):
    """Return the parser of one command."""
    parser = argparse.ArgumentParser()
    importlib.import_module(f"faction_tools.commands.{name}").add(parser)
    return parser


def test_the_copy_by_hand_works_on_a_new_board(tmp_path):
    require(NO_MICROPYTHON)
    lines = [line for line in commands(ROOT / "README.md") if line.startswith(("make mpy", "mpremote fs"))]
    assert len(lines) == 3
    interpreters.compile_all()  # what make mpy does
    with emulated.Board(tmp_path) as board:
        board.wait_until_up()  # ctrl-C would end a process that has no REPL yet
        for line in lines[1:]:
            words = [sys.executable, "-m", "mpremote", "connect", f"port:{board.port}", "resume", *line.split()[1:]]
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, (line, done.stdout + done.stderr)
    compiled = interpreters.COMPILED / "faction"
    assert {path.relative_to(tmp_path / "lib/faction") for path in (tmp_path / "lib").rglob("*.mpy")} == {
        path.relative_to(compiled) for path in compiled.rglob("*.mpy")
    }


@each_page
def test_every_file_that_it_names_exists(path):
    for word in path.read_text(encoding="utf-8").replace("`", " ").replace("(", " ").replace(")", " ").split():
        if word.startswith(("boards/", "faction/", "tests/", "tools/")) and "*" not in word:
            assert (ROOT / word.partition("#")[0].rstrip(".,:;")).exists(), word


class Driver:
    """A radio driver of the kind that the home-made transport is for."""

    def __init__(self):
        self.queue = collections.deque()
        self.others = []

    def send(self, data):
        for other in self.others:
            other.queue.append(bytes(data))

    def receive(self, timeout):
        assert timeout == 0
        return self.queue.popleft() if self.queue else None


def test_the_home_made_transport_works():
    text = the("class Radio:")
    assert len(text.splitlines()) <= 15
    names = {}
    exec(text, names)
    drivers = [Driver() for _ in range(3)]
    for driver in drivers:
        driver.others = [other for other in drivers if other is not driver]
    for seal in (None, Key(b"at least sixteen secret bytes")):
        nodes = [Node(Config(i, range(3), 3), names["Radio"](drivers[i]), "x", 5000, 5, seal=seal) for i in range(3)]
        for node in nodes:
            node.complete()
        while not all(node.machine.is_concluded for node in nodes):
            for node in nodes:
                node.poll()
        assert [node.machine.state for node in nodes] == [BOOTSTRAPPED] * 3


def test_the_odds_against_a_key():
    """A quote that was recorded on a day meets a later challenge of that day. Each frame has four quotes; each may show a challenge."""
    frames = 50 * 2 * 86_400
    quotes = 4 * frames
    odds = 2**60 / (quotes * frames / 2)
    text = " ".join((ROOT / "faction" / "README.md").read_text().split())
    assert f"{quotes / 1e6:.0f} million quotes in a day, and show up to {frames / 1e6:.1f} million challenges" in text
    assert f"1 in {round(odds, -2):,.0f} that" in text
