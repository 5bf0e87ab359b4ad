"""What the README shows is what there is."""

import ast
import collections
import textwrap
from pathlib import Path

from faction import BOOTSTRAPPED, Config
from faction.key import Key
from faction.node import Node
from faction_tools.shown import mermaid

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language):
    """Return the fenced blocks of a language."""
    return [part.split("```")[0] for part in README.split(f"```{language}\n")[1:]]


def test_the_diagram_is_that_of_the_table():
    assert blocks("mermaid") == [mermaid.states() + "\n"]


def test_the_example_is_the_one_that_is_tested():
    source = (ROOT / "tests/portable/test_crate_example.py").read_text()
    function = ast.parse(source).body[-1]
    body = source.splitlines()[function.body[0].lineno - 1 :]
    assert textwrap.dedent("\n".join(body)).strip() + "\n" in blocks("python")


def test_every_file_that_it_names_exists():
    for word in README.replace("`", " ").replace("(", " ").replace(")", " ").split():
        if word.startswith(("boards/", "faction/", "tests/", "tools/")) and "*" not in word:
            assert (ROOT / word.rstrip(".,:")).exists(), word


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
    text = next(block for block in blocks("python") if block.startswith("class Radio:"))
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
