"""Scenarios: a cluster, its air and what befalls it, from TOML; each fault in one is named with its line and field."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator, model_validator

from ..fleet.roster import Quorum, quorum_count
from ..toml.faults import Fault, Faults
from ..toml.strict import FileError, Strict, load_as, value_of

__all__ = ["Scenario", "ScenarioError", "draw", "load", "shipped", "value_of"]

SCENARIOS = Path(__file__).parent / "scenarios"


class ScenarioError(FileError):
    """What is wrong with a scenario: one line for each fault, with file, line, field, value and what to do."""


class Uniform(Strict):
    """Any value between two, each as likely."""

    uniform: Annotated[list[float], Field(min_length=2, max_length=2)]

    @field_validator("uniform")
    @classmethod
    def _rises(cls, values: list[float]) -> list[float]:
        if not 0 <= values[0] <= values[1]:
            raise ValueError("must be a least and a greatest value, neither below 0")
        return values

    def draw(self, random: Callable[[], float]) -> float:
        low, high = self.uniform
        return low + (high - low) * random()


class Normal(Strict):
    """A mean and a standard deviation; never below 0. By twelve uniform numbers, so that no machine rounds differently."""

    normal: Annotated[list[float], Field(min_length=2, max_length=2)]

    def draw(self, random: Callable[[], float]) -> float:
        mean, deviation = self.normal
        return max(0.0, mean + deviation * (math.fsum([random() for _ in range(12)]) - 6))


class Exponential(Strict):
    """A least value, and the mean of what comes on top: most are near it, a few far away. By von Neumann's comparisons."""

    exponential: Annotated[list[float], Field(min_length=2, max_length=2)]

    def draw(self, random: Callable[[], float]) -> float:
        least, mean = self.exponential
        whole = 0
        while True:  # a falling sequence of odd length takes its first number
            first = last = random()
            length = 1
            while True:
                following = random()
                if following >= last:
                    break
                last = following
                length += 1
            if length % 2:
                return least + mean * (whole + first)
            whole += 1


Number = Annotated[float, Field(ge=0)]


_TAGS = {"uniform": "<uniform>", "normal": "<normal>", "exponential": "<exponential>"}  # in brackets, for they are no fields


def _kind(value: Any) -> Optional[str]:
    """Return the tag of the distribution that a value means, so that its faults are told of that kind alone."""
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
Share = Annotated[float, Field(ge=0, le=1)]
Id = Annotated[int, Field(ge=0)]
Ids = Annotated[list[Id], Field(min_length=1)]


def draw(distribution: Distribution, random: Callable[[], float]) -> float:
    """Draw a value."""
    return distribution if isinstance(distribution, float) else distribution.draw(random)


class ClusterSettings(Strict):
    nodes: int = Field(ge=1, le=5000)
    quorum: Quorum = "everyone"
    interval_ms: int = Field(500, ge=1, le=3_600_000)
    deadline_ms: int = Field(60_000, ge=1, le=2**30 - 1)
    deadline_from_contact: bool = False
    frames_per_minute: int = Field(0, ge=0, le=10_000)
    retries: int = Field(0, ge=0)
    key: bool = False
    power_on_ms: Distribution = Uniform(uniform=[0, 1000])
    start_up_ms: Distribution = Uniform(uniform=[500, 3000])
    drift_ppm: Distribution = 0.0
    poll_ms: int = Field(5, ge=1, le=1000)
    tick_bits: int = Field(30, ge=16, le=62)
    ticks_before_wrap_ms: Optional[Number] = None

    def quorum_count(self) -> int:
        """Return the quorum as a number."""
        return quorum_count(self.quorum, self.nodes)


class LinkSettings(Strict):
    """What is different from some nodes to others: one way."""

    sources: Ids
    targets: Ids
    loss: Share


class MediumSettings(Strict):
    loss: Share = 0.0
    duplication: Share = 0.0
    corruption: Share = 0.0
    delay_ms: Distribution = 0.5
    topology: Literal["all", "line", "ring", "grid"] = "all"
    links: list[LinkSettings] = []
    access: Literal["free", "listen", "blind"] = "free"
    bitrate: int = Field(1_000_000, ge=100)
    overhead_us: int = Field(0, ge=0)
    slot_us: int = Field(20, ge=1)


class NodeSettings(Strict):
    """What is different about one node."""

    id: int = Field(ge=0)
    clone_of: Optional[Id] = None
    quorum: Optional[Annotated[int, Field(ge=1)]] = None
    power_on_ms: Optional[Distribution] = None
    start_up_ms: Optional[Distribution] = None
    drift_ppm: Optional[float] = None


class EventSettings(Strict):
    """What befalls some nodes: crash, restart, brownout (off for_ms, and on again), partition into groups, heal."""

    at_ms: Number
    kind: Literal["crash", "restart", "brownout", "partition", "heal"]
    nodes: list[Id] = []
    for_ms: Distribution = 500.0
    groups: list[list[Id]] = []

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> EventSettings:
        if self.kind in ("crash", "restart", "brownout") and not self.nodes:
            raise Faults([Fault(("nodes",), f"missing for a {self.kind}; list the ids")])
        if self.kind == "partition" and len(self.groups) < 2:
            raise Faults([Fault(("groups",), "missing for a partition; list at least two lists of ids")])
        return self


class IntruderSettings(Strict):
    """Somebody who records what is on the air, plays it back, and makes frames of his own."""

    every_ms: Annotated[float, Field(gt=0)] = 50.0
    replays: bool = True
    forges: bool = True


class Scenario(Strict):
    title: str
    about: str = ""
    cluster: ClusterSettings
    medium: MediumSettings = Field(default_factory=lambda: MediumSettings.model_validate({}))
    nodes: list[NodeSettings] = []
    events: list[EventSettings] = []
    intruder: Optional[IntruderSettings] = None
    limit_ms: Number = 3_600_000.0

    @model_validator(mode="after")
    def _agree(self) -> Scenario:
        """Check what no field can know alone."""
        count = self.cluster.nodes
        named = [(steps, each) for steps, ids in self._named() for each in ids]
        faults = [Fault(steps, f"no such node; there are 0 to {count - 1}", str(each)) for steps, each in named if each >= count]
        if not 1 <= self.cluster.quorum_count() <= count:
            faults.append(Fault(("cluster", "quorum"), f"must be from 1 to {count}, the number of nodes", str(self.cluster.quorum)))
        if self.intruder and self.intruder.forges and not self.cluster.key:
            faults.append(Fault(("intruder", "forges"), "nothing stops forged frames without a key; set cluster.key = true", "true"))
        if faults:
            raise Faults(faults)
        return self

    def _named(self) -> Iterator[tuple[tuple[Union[str, int], ...], list[int]]]:
        """Iterate (way to a field, the ids of nodes in it)."""
        for i, node in enumerate(self.nodes):
            yield ("nodes", i, "id"), [node.id]
            yield ("nodes", i, "clone_of"), [] if node.clone_of is None else [node.clone_of]
        for i, event in enumerate(self.events):
            yield ("events", i, "nodes"), event.nodes
            yield ("events", i, "groups"), [each for group in event.groups for each in group]
        for i, link in enumerate(self.medium.links):
            yield ("medium", "links", i, "sources"), link.sources
            yield ("medium", "links", i, "targets"), link.targets


def shipped() -> list[str]:
    """Return the names of the scenarios that come with this."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load(name: str, changes: list[str] | tuple[str, ...] = ()) -> Scenario:
    """Return a scenario by its file or name, with changes such as "medium.loss=0.2". Raises ScenarioError."""
    known = shipped()
    if name not in known and not name.endswith(".toml"):
        raise ScenarioError(f"{name}: no such scenario; give a .toml file, or one of {', '.join(known)}")
    path = SCENARIOS / f"{name}.toml" if name in known else Path(name)
    return load_as(Scenario, path, ScenarioError, f"check the name, or take one of {', '.join(known)}", changes)
