"""A cluster on the desk: the shipped Node under a simulated clock, on one simulated air or several.

    from faction_tools.simulator.simulation import Simulation
    run = Simulation("greenhouse", seed=1).run()

How it works

 1. Time is a whole number of microseconds. The timeline takes events in order of time, then of their making; so the
    scenario and the seed alone decide what happens. All chance comes from one random.Random(seed).random.
 2. A board polls its node on a grid of its own, every poll_ms, as the programs in boards/ do. Polls in which nothing can
    happen are left out: Node.idle_ms says how long that is.
 3. What a node sends goes to the medium, and from there to the radios of other boards; see medium.py. A board on several airs has
    the shipped Bridge over its radios.
 4. Events of the scenario cut the power of boards, turn it on again, and part all airs.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable

from faction import Config
from faction.clock import Clock
from faction.key import Key
from faction.node import Node
from faction.observer import Observer
from faction.transports.bridge import Bridge
from faction.wire import Checksum

from . import scenario as scenarios
from .board import SimulatedBoard
from .distributions import Distribution, draw
from .intruder import Intruder
from .medium import Medium
from .recording import Recording
from .scenario import AirSettings, EventSettings, Scenario
from .shared import Decoded
from .timeline import US, Timeline
from .topology import Gap, gaps, neighbours, places

CLUSTER_NAME = "simulated"
SECRET = b"the secret of the simulated cluster"
WATCH_EVENTS = 50  # between two looks of the caller: in a large cluster each may take some ms


class Simulation:
    """A scenario with a seed. Attributes, to be read only:

    ``boards``     in the order of the scenario's nodes
    ``media``      the airs between them, in the order of the scenario
    ``places``     where each board is: (x, y), in metres, in sides of a square, or as a drawing shows the airs best
    ``recording``  what pictures, pages and journals are made of; empty unless the run is recorded
    ``limit_us``   when it ends at the latest, in microseconds
    """

    def __init__(
        self,
        scenario: Scenario | str,
        seed: int = 1,
        record: bool = False,
        observe: Callable[[SimulatedBoard, Config], Observer | None] | None = None,
        check: Callable[[SimulatedBoard], None] | None = None,
    ) -> None:
        """scenario: a name, a .toml file, or a Scenario. observe: makes the observer of a board's node at each boot; a recorded run has
        its own. check: is called after each poll. Raises ScenarioError.
        """
        self.scenario = scenario if isinstance(scenario, Scenario) else scenarios.load(scenario)
        self.seed = seed
        self.random = random.Random(seed).random
        self.timeline = Timeline()
        self.recording = Recording(self.timeline)
        self.limit_us = int(self.scenario.limit_ms * US)
        self._is_haunted = self.scenario.intruder is not None and self.scenario.intruder.behind_ms is None
        self._observe = observe
        self._record = record
        self._decoded = Decoded()
        cluster = self.scenario.cluster
        self._seal = Key(SECRET) if cluster.key else Checksum()  # it keeps nothing of a node
        self.boards = [self._make_board(index, check) for index in range(cluster.nodes)]
        airs = self.scenario.media()
        self.places = places(self.scenario, airs, seed)
        self.media = [self._make_medium(air) for air in airs]
        self._schedule()

    def _make_medium(self, air: AirSettings) -> Medium:
        boards = [self.boards[index] for index in air.nodes]
        medium = Medium(air, boards, neighbours(air, self.places), self.timeline, self.random, self._record)
        if self._record:
            medium.listeners.append(self.recording.listener(air.name))
        return medium

    def _make_board(self, index: int, check: Callable[[SimulatedBoard], None] | None) -> SimulatedBoard:
        own = [each for each in self.scenario.nodes if each.id == index]
        return SimulatedBoard(index, self.scenario.cluster, own, self.timeline, self.random, check)

    def _schedule(self) -> None:
        """Put on the timeline what the scenario says will happen."""
        for board in self.boards:
            self.timeline.at(self._draw_us(board.power_on_ms), self._boot, board)
        for event in self.scenario.events:
            self.timeline.at(int(event.at_ms * US), self._happen, event)
        if self.scenario.intruder:
            Intruder(self.scenario.intruder, self.scenario.cluster, CLUSTER_NAME, self.media, self.timeline, self.random)

    def _draw_us(self, milliseconds: Distribution) -> int:
        return int(draw(milliseconds, self.random) * US)

    @property
    def now(self) -> int:
        """Return the microseconds since the start."""
        return self.timeline.now

    @property
    def progress(self) -> float:
        """Return how far the nodes are on the way to their verdicts, from 0 to 1: the share of what their quorums need that is ready."""
        needed = sum(board.quorum for board in self.boards)
        return sum(_counted(board) for board in self.boards) / needed

    @property
    def deliveries(self) -> int:
        """Return how many frames have reached a board's inbox."""
        return sum(medium.deliveries for medium in self.media)

    @property
    def air_us(self) -> int:
        """Return how long frames were on the air, all added up, in microseconds."""
        return sum(medium.air_us for medium in self.media)

    def gaps(self) -> list[Gap]:
        """Return between which boards all airs together offer no way. Power and partitions do not matter here."""
        links: list[list[int]] = [[] for _ in self.boards]
        for medium in self.media:
            for sender, receiver in medium.links():
                links[sender].append(receiver)
        return gaps(links)

    @property
    def is_over(self) -> bool:
        """Tell whether all that is to come is an intruder that acts at regular times."""
        return self._is_haunted and len(self.timeline) == 1 and bool(self.boards[0].boots)

    def run(self, is_stopped: Callable[[], bool] | None = None) -> Simulation:
        """Run until nothing more can happen, or the limit of the scenario. Return self.

        is_stopped: is called every now and then; the run ends early if it returns True.
        """
        collects = gc.isenabled()
        gc.disable()  # a run makes no garbage that needs the collector, and the collector takes a tenth of the time
        try:
            while self._advance() and not (is_stopped and is_stopped()):
                pass
        finally:
            if collects:
                gc.enable()
        return self

    def _advance(self) -> bool:
        """Let many events happen. Return False when there are no more, or none but those of the intruder."""
        return self.timeline.run(WATCH_EVENTS, self.limit_us, self._is_last)

    def _is_last(self) -> bool:
        return self.is_over

    def _boot(self, board: SimulatedBoard) -> None:
        """Turn a board on, unless it is on."""
        if board.node is None:
            node = self._make_node(board)
            board.power_on(node, self._draw_us(board.start_up_ms))

    def _make_node(self, board: SimulatedBoard) -> Node:
        cluster = self.scenario.cluster
        config = Config(board.peer_id, range(cluster.nodes), board.quorum)
        node = Node(
            config,
            board.radios[0] if len(board.radios) == 1 else Bridge(*board.radios),
            CLUSTER_NAME,
            cluster.deadline_ms,
            cluster.interval_ms,
            cluster.frames_per_minute,
            cluster.deadline_from_contact,
            self._seal,
            Clock(board.ticks, board.last_tick),
            1 + int(self.random() * (2**30 - 2)),
            self._observer(board, config),
            cluster.start_after_ms,
            cluster.presence_ms,
            cluster.is_line_shared,
        )
        self._decoded.share(node, board)
        if self._record:
            self.recording.journals[board.index][-1].follow(node)
        return node

    def _observer(self, board: SimulatedBoard, config: Config) -> Observer | None:
        if self._record:
            return self.recording.observer(board, config)
        return self._observe(board, config) if self._observe else None

    def _happen(self, event: EventSettings) -> None:
        """Let an event of the scenario happen."""
        for medium in self.media:
            if event.kind == "partition":
                medium.part(event.groups)
            elif event.kind == "heal":
                medium.heal()
            elif event.kind == "calm":
                medium.calm()
        for index in event.nodes:
            board = self.boards[index]
            if board.node is not None:
                board.power_off()
            if event.kind == "restart":
                self._boot(board)
            elif event.kind == "brownout":
                self.timeline.at(self.timeline.now + self._draw_us(event.for_ms), self._boot, board)


def _counted(board: SimulatedBoard) -> int:
    """Return how many ready nodes a board counts, of those that it needs."""
    if board.node is None:
        return 0
    return board.quorum if board.is_concluded else min(board.quorum, board.node.machine.collecting.count)
