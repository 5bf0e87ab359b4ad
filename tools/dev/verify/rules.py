"""What a search says when a rule does not hold."""

from __future__ import annotations


class Broken(Exception):
    """A rule does not hold; the text says which, and how it was broken."""


class Violation(Exception):
    """A rule does not hold: the rule, and the shortest way there."""

    def __init__(self, rule: str, trace: list[str]) -> None:
        steps = [f"{number:3} {step}" for number, step in enumerate(trace, 1)]
        super().__init__("\n".join([rule, *steps]))
        self.rule = rule
        self.trace = trace
