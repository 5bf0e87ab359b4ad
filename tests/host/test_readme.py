"""What each README shows is what there is: its examples run, its diagrams and its files exist."""

import ast
import collections
import io
import subprocess
import textwrap
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from needs import NO_MICROBIT, require

from faction import BOOTSTRAPPED, Config
from faction.key import Key
from faction.node import Node
from faction_tools.shown import mermaid

ROOT = Path(__file__).parents[2]
READMES = [ROOT / name for name in subprocess.check_output(["git", "ls-files", "*README.md"], cwd=ROOT, text=True).split()]


def blocks(path, language):
    """Return the fenced blocks of a language."""
    return [part.split("```")[0] for part in path.read_text(encoding="utf-8").split(f"```{language}\n")[1:]]


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


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_that_it_names_exists(path):
    for word in path.read_text(encoding="utf-8").replace("`", " ").replace("(", " ").replace(")", " ").split():
        if word.startswith(("boards/", "faction/", "tests/", "tools/")) and "*" not in word:
            assert (ROOT / word.rstrip(".,:;")).exists(), word


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
