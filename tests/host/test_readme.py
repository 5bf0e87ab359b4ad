"""What the README shows is what there is."""

import ast
import textwrap
from pathlib import Path

from faction_tools import diagram

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language):
    """Return the fenced blocks of a language."""
    return [part.split("```")[0] for part in README.split(f"```{language}\n")[1:]]


def test_the_diagram_is_that_of_the_table():
    assert blocks("mermaid") == [diagram.mermaid() + "\n"]


def test_the_example_is_the_one_that_is_tested():
    source = (ROOT / "tests/portable/test_crate_example.py").read_text()
    function = ast.parse(source).body[-1]
    body = source.splitlines()[function.body[0].lineno - 1 :]
    assert textwrap.dedent("\n".join(body)).strip() + "\n" in blocks("python")


def test_every_file_that_it_names_exists():
    for word in README.replace("`", " ").replace("(", " ").replace(")", " ").split():
        if word.startswith(("boards/", "faction/", "tests/", "tools/")) and "*" not in word:
            assert (ROOT / word.rstrip(".,:")).exists(), word
