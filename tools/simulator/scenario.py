"""Scenarios: a cluster, its medium, and what happens to it. They come from TOML files; each fault is named with line and field."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Optional, Union

from pydantic import Field, model_validator

from ..fleet.fields import Quorum
from ..fleet.roster import quorum_count
from ..toml.faults import Fault, Faults
from ..toml.strict import FileError, Strict, load_as
from .distributions import MOST, Distribution, Number, Uniform

LEAST_WITH_KEY = 82  # bytes of a frame with one statement, a challenge, four quotes and a tag
SCENARIOS = Path(__file__).parent / "scenarios"
_FAULTS_OF_A_ROSTER = (": cluster: must be a table", ": boards: no such field")
ONE_AIR = "air"  # the name of the only air


class ScenarioError(FileError):
    """What is wrong with a scenario: one line for each fault, with file, line, field, value and what to do."""


Share = Annotated[float, Field(ge=0, le=1)]
Id = Annotated[int, Field(ge=0)]
Ids = Annotated[list[Id], Field(min_length=1)]


class ClusterSettings(Strict):
    """The boards and their clocks. Fields with a unit in their name are in that unit; a distribution is drawn for each board.

    ``nodes``  how many boards; their ids are 0, 1, 2, ...
    ``quorum``  how many must be ready: a number, or the name of a rule
    ``interval_ms``, ``deadline_ms``, ``deadline_from_contact``, ``frames_per_minute``, ``start_after_ms``, ``presence_ms``,
    ``is_line_shared``  as Node takes them
    ``retries``  attempts that a board begins after a timeout
    ``key``  whether frames are sealed with a secret, in place of a checksum
    ``power_on_ms``  when the power comes on; ``start_up_ms``: how long the own part of a board takes from then on
    ``drift_ppm``  by how much a clock is too fast or too slow at most, in millionths
    ``poll_ms``  the time between two polls of a node
    ``tick_bits``  how many bits a board's ticks have; ``ticks_before_wrap_ms``: when they wrap first, else by chance
    ``places``  where each board is: [x, y] in metres, in the order of the ids
    ``places_seed``  of places by chance, so that all runs have the same ones. Without it each run has others, by its own seed: then
    many runs tell about all such clusters, not about one
    """

    nodes: int = Field(ge=1, le=5000)
    quorum: Quorum = "everyone"
    interval_ms: int = Field(500, ge=1, le=3_600_000)
    deadline_ms: int = Field(60_000, ge=1, le=2**30 - 1)
    deadline_from_contact: bool = False
    frames_per_minute: int = Field(0, ge=0, le=10_000)
    start_after_ms: Optional[Annotated[int, Field(ge=0, le=2**27)]] = None
    presence_ms: Optional[Annotated[int, Field(ge=0, le=2**27)]] = None
    is_line_shared: bool = False
    retries: int = Field(0, ge=0)
    key: bool = False
    power_on_ms: Distribution = Uniform(uniform=[0, 1000])
    start_up_ms: Distribution = Uniform(uniform=[500, 3000])
    drift_ppm: Distribution = 0.0
    poll_ms: int = Field(5, ge=1, le=1000)
    tick_bits: int = Field(30, ge=16, le=62)
    ticks_before_wrap_ms: Optional[Number] = None
    places: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = []
    places_seed: Optional[Annotated[int, Field(ge=0)]] = None

    def quorum_count(self) -> int:
        """Return the quorum as a number."""
        return quorum_count(self.quorum, self.nodes)


class LinkSettings(Strict):
    """How much is lost from some boards to others, in one direction. sources, targets: their indexes."""

    sources: Ids
    targets: Ids
    loss: Share


class MediumSettings(Strict):
    """What happens to a frame between boards.

    ``loss``, ``duplication``, ``corruption``  shares of the frames at each receiver, from 0 to 1
    ``delay_ms``  from the end of a frame until it has arrived
    ``topology``  who hears whom. "line", "ring", "grid": the neighbours. "random": boards are at random places in a square, and hear
    all within ``reach``, as a share of its side. "places": they hear all within ``reach_m`` metres of their places
    ``links``  other losses between some boards
    ``access``  "free": frames never meet; "listen": a sender waits for an idle channel; "blind": it does not wait
    ``bitrate``  bits a second; ``overhead_us``: what each frame takes in addition; ``slot_us``: how long a frame is not heard yet
    ``max_length``  bytes of the longest frame; statements that do not fit take turns
    """

    loss: Share = 0.0
    duplication: Share = 0.0
    corruption: Share = 0.0
    delay_ms: Distribution = 0.5
    topology: Literal["all", "line", "ring", "grid", "random", "places"] = "all"
    reach: Optional[Annotated[float, Field(gt=0)]] = None
    reach_m: Optional[Annotated[float, Field(gt=0)]] = None
    links: list[LinkSettings] = []
    access: Literal["free", "listen", "blind"] = "free"
    bitrate: int = Field(1_000_000, ge=100)
    overhead_us: int = Field(0, ge=0)
    slot_us: int = Field(20, ge=1)
    max_length: int = Field(250, ge=42, le=250)


class AirSettings(MediumSettings):
    """An air with some of the boards. What it does not say itself, the scenario's medium says. nodes: in the order of its topology."""

    name: str = Field(min_length=1)
    nodes: Ids


class NodeSettings(Strict):
    """What is different about one board. clone_of: it has the id of another one."""

    id: int = Field(ge=0)
    clone_of: Optional[Id] = None
    quorum: Optional[Annotated[int, Field(ge=1)]] = None
    power_on_ms: Optional[Distribution] = None
    start_up_ms: Optional[Distribution] = None
    drift_ppm: Optional[Annotated[float, Field(ge=-MOST, le=MOST)]] = None


class EventSettings(Strict):
    """What happens to some boards: a crash, a restart, a brownout (off for_ms, then on again), a partition into groups, its end
    ("heal"), or the end of all that the air does to a frame ("calm").
    """

    at_ms: Number
    kind: Literal["crash", "restart", "brownout", "partition", "heal", "calm"]
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
    """An intruder that records what is on the air, plays it back, and makes frames of its own.

    ``every_ms``  it acts every so many milliseconds
    ``behind_ms``  in place of every_ms: it acts so long behind each frame of a board. Half of what it plays back then is of the
    latest frames
    ``replays``  whether it plays frames back
    ``kind``  which ones. "all": by chance, those of earlier runs, too; "old_asking": only frames that ask, of a run that has ended
    ``forges``  whether it makes frames of its own
    """

    every_ms: Annotated[float, Field(ge=0.1, le=MOST)] = 50.0
    behind_ms: Optional[Annotated[float, Field(gt=0, le=MOST)]] = None
    replays: bool = True
    kind: Literal["all", "old_asking"] = "all"
    forges: bool = True


class Scenario(Strict):
    """A cluster, its medium, and what happens to it.

    ``medium``    the air of all boards; if there are ``airs``, what these have in common. A board on several airs bridges them
    ``limit_ms``  when a run ends at the latest
    """

    title: str
    about: str = ""
    cluster: ClusterSettings
    medium: MediumSettings = Field(default_factory=lambda: MediumSettings.model_validate({}))
    airs: list[AirSettings] = []
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
        for steps, medium in self._settings():
            if self.cluster.key and medium.max_length < LEAST_WITH_KEY:
                faults.append(Fault((*steps, "max_length"), f"must be {LEAST_WITH_KEY} or more with a key", str(medium.max_length)))
        faults += [*self._faults_of_airs(), *self._faults_of_places()]
        if faults:
            raise Faults(faults)
        return self

    def _faults_of_airs(self) -> Iterator[Fault]:
        names = [air.name for air in self.airs]
        for i, air in enumerate(self.airs):
            if air.name in names[:i]:
                yield Fault(("airs", i, "name"), "another air has this name; choose another one", f'"{air.name}"')
            for each in sorted({each for each in air.nodes if air.nodes.count(each) > 1}):
                yield Fault(("airs", i, "nodes"), "is there twice; leave one out", str(each))
        on_airs = {each for air in self.airs for each in air.nodes}
        absent = [str(each) for each in range(self.cluster.nodes) if each not in on_airs]
        if self.airs and absent:
            yield Fault(("airs",), f"without nodes {', '.join(absent)}; add each to the nodes of at least one air")

    def _faults_of_places(self) -> Iterator[Fault]:
        cluster = self.cluster
        if cluster.places and len(cluster.places) != cluster.nodes:
            yield Fault(("cluster", "places"), f"{len(cluster.places)} places for {cluster.nodes} nodes; give each node one")
        for i, air in enumerate(self.media()):
            steps = ("airs", i) if self.airs else ("medium",)
            if air.topology == "random" and air.reach is None:
                yield Fault((*steps, "reach"), "missing for random places; set how far a board hears, such as 0.3 of the square's side")
            if air.topology == "random" and cluster.places:
                yield Fault((*steps, "topology"), "the places are given; choose places, with reach_m", '"random"')
            if air.topology == "places" and air.reach_m is None:
                yield Fault((*steps, "reach_m"), "missing for places; set how far a board hears, in metres")
            if air.topology == "places" and not cluster.places:
                yield Fault(("cluster", "places"), "missing; list [x, y] in metres for each node")

    def media(self) -> list[AirSettings]:
        """Return every air with all that holds for it. The medium alone is one air with all boards."""
        common = {name: getattr(self.medium, name) for name in self.medium.model_fields_set}
        if not self.airs:
            return [AirSettings(name=ONE_AIR, nodes=list(range(self.cluster.nodes)), **common)]
        return [AirSettings(**{**common, **{name: getattr(air, name) for name in air.model_fields_set}}) for air in self.airs]

    def _settings(self) -> list[tuple[tuple[Union[str, int], ...], MediumSettings]]:
        """Return (way to it, settings) of the medium and of each air, as they stand in the scenario."""
        return [(("medium",), self.medium), *[(("airs", i), air) for i, air in enumerate(self.airs)]]

    def _named(self) -> Iterator[tuple[tuple[Union[str, int], ...], list[int]]]:
        """Iterate (way to a field, the ids of nodes in it)."""
        for i, node in enumerate(self.nodes):
            yield ("nodes", i, "id"), [node.id]
            yield ("nodes", i, "clone_of"), [] if node.clone_of is None else [node.clone_of]
        for i, event in enumerate(self.events):
            yield ("events", i, "nodes"), event.nodes
            yield ("events", i, "groups"), [each for group in event.groups for each in group]
        for i, air in enumerate(self.airs):
            yield ("airs", i, "nodes"), air.nodes
        for steps, medium in self._settings():
            for i, link in enumerate(medium.links):
                yield (*steps, "links", i, "sources"), link.sources
                yield (*steps, "links", i, "targets"), link.targets


def shipped() -> list[str]:
    """Return the names of the scenarios that are installed with the command."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load(name: str, changes: list[str] | tuple[str, ...] = ()) -> Scenario:
    """Return a scenario by its file or name, with changes such as "medium.loss=0.2". Raises ScenarioError."""
    known = shipped()
    if name not in known and not name.endswith(".toml"):
        raise ScenarioError(f"{name}: no such scenario; give a .toml file, or one of {', '.join(known)}")
    path = SCENARIOS / f"{name}.toml" if name in known else Path(name)
    try:
        return load_as(Scenario, path, ScenarioError, f"check the name, or take one of {', '.join(known)}", changes)
    except ScenarioError as error:
        if not all(each in str(error) for each in _FAULTS_OF_A_ROSTER):
            raise
    raise ScenarioError(f"{name}: is a roster, not a scenario; write --roster {shlex.quote(name)}")
