"""Where each field of a TOML text stands: tomllib reads the values, but does not say on which lines they are.

The text must be valid TOML: read it with tomllib first. Here it is cut into tokens, and the tokens are followed through
tables, dotted keys, arrays and inline tables.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple, Union

Steps = tuple[Union[str, int], ...]  # the way to a field: ("events", 1, "kind") is events[1].kind

_TOKENS = re.compile(
    r"""
    (?P<skip> [\x20\t\r]+ | \#[^\n]* )
  | (?P<newline> \n )
  | (?P<string> \"{3} (?:\\.|[^\\])*? \"{3,5} | '{3} .*? '{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
  | (?P<mark> [\[\]{}=,.] )
  | (?P<word> [^\s\[\]{}=,."'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def _tokens(text: str) -> list[_Token]:
    """Cut a text into tokens, without blanks and comments. The last token is an empty one, so that there is always a next one."""
    found, line = [], 1
    for match in _TOKENS.finditer(text):
        if match.lastgroup != "skip":
            found.append(_Token(str(match.lastgroup), match[0], line))
        line += match[0].count("\n")
    return [*found, _Token("end", "", line)]


class _Reader:
    """Follows the tokens of a text, and notes the line of each field."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Steps, int] = {}
        self._tokens = _tokens(text)
        self._next = 0
        self._tables: dict[Steps, int] = {}  # how many [[tables]] of this name there were

    def read(self) -> dict[Steps, int]:
        base: Steps = ()
        while self._tokens[self._next].kind != "end":
            token = self._tokens[self._next]
            if token.kind == "newline":
                self._next += 1
            elif token.text == "[":
                base = self._header()
            else:
                self._pair(base)
        return self.lines

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _comes(self, *texts: str) -> bool:
        """Return whether the next token is one of these."""
        return self._tokens[self._next].text in texts

    def _skip(self, *texts: str) -> None:
        while self._comes(*texts):
            self._next += 1

    def _key(self) -> list[str]:
        """Read a key, perhaps a dotted one."""
        parts = [_unquoted(self._take())]
        while self._comes("."):
            self._take()
            parts.append(_unquoted(self._take()))
        return parts

    def _note(self, steps: Steps, line: int) -> None:
        """Note the line of a field, and of the tables around it that a dotted key makes."""
        for length in range(1, len(steps) + 1):
            self.lines.setdefault(steps[:length], line)

    def _header(self) -> Steps:
        """Read [table] or [[table]]; return where the pairs below it belong."""
        line = self._take().line
        is_array = self._comes("[")
        self._skip("[")
        steps: Steps = ()
        for part in self._key():
            steps += (part,)
            if steps in self._tables:  # the last of those tables so far
                steps += (self._tables[steps] - 1,)
        if is_array:
            steps = steps[:-1] if isinstance(steps[-1], int) else steps
            self._tables[steps] = self._tables.get(steps, 0) + 1
            steps += (self._tables[steps] - 1,)
        self._skip("]")
        self._note(steps, line)
        self.lines[steps] = line  # of the header itself, even if [table.within] came before
        return steps

    def _pair(self, base: Steps) -> None:
        line = self._tokens[self._next].line
        steps = (*base, *self._key())
        self._note(steps, line)
        self._take()  # the equals sign
        self._value(steps)

    def _value(self, steps: Steps) -> None:
        token = self._take()
        if token.text == "[":
            self._array(steps)
        elif token.text == "{":
            self._skip("\n", ",")
            while not self._comes("}"):
                self._pair(steps)
                self._skip("\n", ",")
            self._take()
        elif token.kind != "string":
            while self._tokens[self._next].kind == "word" or self._comes("."):  # 1.5 and 1979-05-27 07:32 are several tokens
                self._take()

    def _array(self, steps: Steps) -> None:
        index = 0
        self._skip("\n")
        while not self._comes("]"):
            self._note((*steps, index), self._tokens[self._next].line)
            self._value((*steps, index))
            self._skip("\n", ",")
            index += 1
        self._take()


def _unquoted(token: _Token) -> str:
    if token.kind != "string":
        return token.text
    if token.text[0] == "'":
        return token.text[1:-1]
    try:
        return str(json.loads(token.text))
    except ValueError:  # an escape that only TOML knows
        return token.text[1:-1]


def lines_of(text: str) -> dict[Steps, int]:
    """Return the line of each field of a valid TOML text, counted from 1. Entries of arrays have their index as a step."""
    return _Reader(text).read()
