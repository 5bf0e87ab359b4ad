"""Scenarios: a cluster, its air and what befalls it, from TOML; each fault in one is named with its line and field."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from ..errors import CommandError
from ..fleet.roster import RULES, parse_toml

SCENARIOS = Path(__file__).parent / "scenarios"


class ScenarioError(CommandError, ValueError):
    """What is wrong with a scenario: one line for each fault, with file, line, field, value and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Uniform(_Strict):
    """Any value between two, each as likely."""

    uniform: Annotated[list[float], Field(min_length=2, max_length=2)]

    @field_validator("uniform")
    @classmethod
    def _rises(cls, values: list[float]) -> list[float]:
        if not 0 <= values[0] <= values[1]:
            raise ValueError("the first must be from 0 to the second")
        return values

    def draw(self, random: Callable[[], float]) -> float:
        low, high = self.uniform
        return low + (high - low) * random()


class Normal(_Strict):
    """A mean and a standard deviation; never below 0. By twelve uniform numbers, so that no machine rounds differently."""

    normal: Annotated[list[float], Field(min_length=2, max_length=2)]

    def draw(self, random: Callable[[], float]) -> float:
        mean, deviation = self.normal
        return max(0.0, mean + deviation * (math.fsum([random() for _ in range(12)]) - 6))


class Exponential(_Strict):
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


def _kind(value: Any) -> str:
    """Say which kind of distribution a value means, so that its faults are told of that kind alone."""
    names = set(value) if isinstance(value, dict) else set(vars(value)) if isinstance(value, BaseModel) else set()
    return next((kind for kind in ("uniform", "normal", "exponential") if kind in names), "number")


Distribution = Annotated[
    Union[
        Annotated[Number, Tag("number")],
        Annotated[Uniform, Tag("uniform")],
        Annotated[Normal, Tag("normal")],
        Annotated[Exponential, Tag("exponential")],
    ],
    Discriminator(_kind),
]
Share = Annotated[float, Field(ge=0, le=1)]
Ids = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


def draw(distribution: Distribution, random: Callable[[], float]) -> float:
    """Draw a value."""
    return distribution if isinstance(distribution, float) else distribution.draw(random)


class ClusterSettings(_Strict):
    nodes: int = Field(ge=1, le=5000)
    quorum: Union[int, Literal["majority", "byzantine", "everyone"]] = "everyone"
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
        return self.quorum if isinstance(self.quorum, int) else RULES[self.quorum](self.nodes)


class LinkSettings(_Strict):
    """What is different from some nodes to others: one way."""

    sources: Ids
    targets: Ids
    loss: Share


class MediumSettings(_Strict):
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


class NodeSettings(_Strict):
    """What is different about one node."""

    id: int = Field(ge=0)
    clone_of: Optional[int] = None
    quorum: Optional[Annotated[int, Field(ge=1)]] = None
    power_on_ms: Optional[Distribution] = None
    start_up_ms: Optional[Distribution] = None
    drift_ppm: Optional[float] = None


class EventSettings(_Strict):
    """What befalls some nodes: crash, restart, brownout (off for_ms, and on again), partition into groups, heal."""

    at_ms: Number
    kind: Literal["crash", "restart", "brownout", "partition", "heal"]
    nodes: list[int] = []
    for_ms: Distribution = 500.0
    groups: list[list[int]] = []

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> EventSettings:
        if self.kind in ("crash", "restart", "brownout") and not self.nodes:
            raise ValueError(f"nodes: missing for a {self.kind}; list the ids")
        if self.kind == "partition" and len(self.groups) < 2:
            raise ValueError("groups: missing for a partition; list at least two lists of ids")
        return self


class IntruderSettings(_Strict):
    """Somebody who records what is on the air, plays it back, and makes frames of his own."""

    every_ms: Annotated[float, Field(gt=0)] = 50.0
    replays: bool = True
    forges: bool = True


class Scenario(_Strict):
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
        if not 1 <= self.cluster.quorum_count() <= count:
            raise ValueError(f"cluster.quorum: {self.cluster.quorum}: not from 1 to {count}, the number of nodes")
        for place, ids in self._named():
            for each in ids:
                if not 0 <= each < count:
                    raise ValueError(f"{place}: {each}: no such node; there are 0 to {count - 1}")
        if self.intruder and self.intruder.forges and not self.cluster.key:
            raise ValueError("intruder.forges: True: whoever makes frames can do as he likes without a key; set cluster.key = true")
        return self

    def _named(self) -> Iterator[tuple[str, list[int]]]:
        """Iterate (field, ids in it)."""
        for i, member in enumerate(self.nodes):
            yield f"nodes[{i}]", [member.id, member.id if member.clone_of is None else member.clone_of]
        for i, event in enumerate(self.events):
            yield f"events[{i}]", [*event.nodes, *[each for group in event.groups for each in group]]
        for i, link in enumerate(self.medium.links):
            yield f"medium.links[{i}]", [*link.sources, *link.targets]


def shipped() -> list[str]:
    """Return the names of the scenarios that come with this."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load(name: str, changes: list[str] | tuple[str, ...] = ()) -> Scenario:
    """Return a scenario by its file or name, with changes such as "medium.loss=0.2"; raise ScenarioError."""
    path = Path(name) if Path(name).suffix == ".toml" else SCENARIOS / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{name}: {error.strerror}; give a .toml file, or one of {', '.join(shipped())}") from error
    try:
        data = parse_toml(text)
        for change in changes:
            _change(data, change)
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(f"{path}{_fault(each, text)}" for each in error.errors())) from error
    except ValueError as error:  # of the parser, with line and column, or of a change
        raise ScenarioError(f"{path}: {error}") from error


def _change(data: dict[str, Any], change: str) -> None:
    """Set a field: "medium.loss=0.2"."""
    name, equals, value = change.partition("=")
    if not equals:
        raise ScenarioError(f"{change}: no change; write it as medium.loss=0.2")
    *tables, field = name.split(".")
    for table in tables:
        data = data.setdefault(table, {})
    data[field] = value_of(value)


def value_of(text: str) -> Any:
    """Return what a text stands for in TOML, or the text, a word without quotes."""
    try:
        return parse_toml(f"x = {text}")["x"]
    except ValueError:
        return text


def _fault(error: Any, text: str) -> str:
    """Write one fault: ":12: medium.loss: 1.5: input should be less than or equal to 1"."""
    loc = list(error["loc"])
    branches = {"int", "number"}  # of a union: no step in the file
    steps = [step for i, step in enumerate(loc) if step not in branches and loc[i - 1 : i] != [step] and "[" not in str(step)]
    message = error["msg"].removeprefix("Value error, ")
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)[1:]
    if not place:
        field = message.partition(":")[0]
        return f":{line_of(text, re.findall(r'[a-z_]+|[0-9]+', field))}: {message}"
    value = "missing; add it" if error["type"] == "missing" else f"{error['input']!r}: {message[0].lower() + message[1:]}"
    return f":{line_of(text, [str(step) for step in steps])}: {place}: {value}"


def line_of(text: str, steps: list[str]) -> int:
    """Return the line of a field, or of the nearest one around it. steps: ["events", "1", "kind"]."""
    best, best_line = 0, 1
    table: list[str] = []
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[(\[?)([\w.]+)\]", line)
        key = re.match(r"\s*([\w.]+)\s*=", line)
        if header:
            table = header[2].split(".")
            if header[1]:
                counts[header[2]] = counts.get(header[2], -1) + 1
                table.append(str(counts[header[2]]))
            path = table
        elif key:
            path = table + key[1].split(".")
        else:
            continue
        matched = next((i for i, (a, b) in enumerate(zip(path, steps)) if a != b), min(len(path), len(steps)))
        if matched > best and matched == len(path):
            best, best_line = matched, number
    return best_line
