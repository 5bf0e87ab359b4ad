"""Values by chance: what a scenario may say in place of a number."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, Optional, Union

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator

from ..toml.strict import Strict

MOST = 1e12  # 30 years in milliseconds
Number = Annotated[float, Field(ge=0, le=MOST)]
Pair = Annotated[list[Number], Field(min_length=2, max_length=2)]


class Uniform(Strict):
    """Any value between a least and a greatest one. All are equally likely."""

    uniform: Pair

    @field_validator("uniform")
    @classmethod
    def _rises(cls, values: list[float]) -> list[float]:
        if not 0 <= values[0] <= values[1]:
            raise ValueError("must be a least and a greatest value, neither below 0")
        return values

    def draw(self, random: Callable[[], float]) -> float:
        """Return a value: see draw below."""
        low, high = self.uniform
        return low + (high - low) * random()


class Normal(Strict):
    """A mean and a standard deviation; never below 0. It adds twelve uniform numbers, so that no computer rounds differently."""

    normal: Pair

    def draw(self, random: Callable[[], float]) -> float:
        """Return a value: see draw below."""
        mean, deviation = self.normal
        return max(0.0, mean + deviation * (math.fsum([random() for _ in range(12)]) - 6))


class Exponential(Strict):
    """A least value, and the mean of what comes on top. Most values are near the least one, and a few are far away.

    The method is von Neumann's: it only compares uniform numbers, so that no computer rounds differently.
    """

    exponential: Pair

    def draw(self, random: Callable[[], float]) -> float:
        """Return a value: see draw below."""
        least, mean = self.exponential
        whole = 0
        while True:
            # Draw numbers for as long as each is less than the one before: if they are an odd number, the first one counts.
            first = last = random()
            is_odd = True
            following = random()
            while following < last:
                last = following
                is_odd = not is_odd
                following = random()
            if is_odd:
                return least + mean * (whole + first)
            whole += 1


_TAGS = {"uniform": "<uniform>", "normal": "<normal>", "exponential": "<exponential>"}  # in brackets, because they are no fields


def _kind(value: Any) -> Optional[str]:
    """Return the tag of the distribution that a value means, so that only the faults of that kind are named."""
    if not isinstance(value, (dict, BaseModel)):
        return "<number>"
    names = set(value) if isinstance(value, dict) else set(vars(value))
    return next((tag for name, tag in _TAGS.items() if name in names), None)


Distribution = Annotated[
    Union[
        Annotated[Number, Tag("<number>")],
        Annotated[Uniform, Tag("<uniform>")],
        Annotated[Normal, Tag("<normal>")],
        Annotated[Exponential, Tag("<exponential>")],
    ],
    Discriminator(
        _kind,
        custom_error_type="distribution",
        custom_error_message="must be a number, uniform = [least, most], normal = [mean, deviation] or exponential = [least, mean]",
    ),
]


def draw(distribution: Distribution, random: Callable[[], float]) -> float:
    """Return a number as it is, and of a distribution one of its values. random: returns a number from 0 up to, but without, 1."""
    return distribution if isinstance(distribution, float) else distribution.draw(random)
