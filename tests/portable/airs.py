"""What the tests of the node share: a clock that is set, an air that is worse, a cluster that is run by hand."""

from faction import BOOTSTRAPPED, Config
from faction.clock import Clock
from faction.node import SENT, Node
from faction.observer import Observer
from faction.transports.loopback import Hub
from faction.wire import ASKING, READY, Checksum, Wire
from frames import NO_AGE, START_ZERO, STATEMENTS, Speaker, decode

INTERVAL_MS = 500
STEP_MS = 10


class Air(Hub):
    """A hub that loses, doubles, delays and so reorders frames, with links to cut and a memory of who sent when.

    ``loses(sender, receiver, buffer)``  a function that says which frames are lost; sender and receiver are indexes
    ``cut``                              a set of (sender, receiver) whose frames are all lost
    ``delays``                           a function that returns the delay of each copy of a frame, in ms; none: it is lost
    ``log``                              (ms, sender, flags) of each frame sent
    ``tap``                              a function that is given the sender and the buffer of each frame sent
    """

    def __init__(self, slots=16):
        super().__init__(slots)
        self.loses = lambda sender, receiver, buffer: False
        self.cut = set()
        self.delays = at_once
        self.log = []
        self.tap = lambda sender, buffer: None
        self._late = []  # (ms when due, port, frame)
        self.now = lambda: 0

    def carry(self, sender, buffer, length):
        source = self.ports.index(sender)
        self.log.append((self.now(), source, buffer[3]))
        self.tap(source, buffer)
        for target, port in enumerate(self.ports):
            if target != source and (source, target) not in self.cut and not self.loses(source, target, buffer):
                self._pass_on(port, buffer, length)

    def _pass_on(self, port, buffer, length):
        for delay in self.delays():
            if delay:
                self._late.append((self.now() + delay, port, bytes(buffer[:length])))
            else:
                port.put(buffer, length)

    def deliver(self):
        """Hand over the frames that were under way until now, in the order in which they were sent."""
        due = [each for each in self._late if each[0] <= self.now()]
        self._late = [each for each in self._late if each[0] > self.now()]
        for _, port, frame in due:
            port.put(frame, len(frame))


def at_once():
    """The delays of an air without faults: one copy, at once."""
    return (0,)


class Chance:
    """A small generator, the same on every port: Chance(seed)(limit) is from 0 to limit - 1."""

    def __init__(self, seed):
        self._state = seed

    def __call__(self, limit):
        self._state = (self._state * 8121 + 28411) % 134456
        return self._state * limit // 134456


class Cluster:
    """Nodes on one air under one clock. ``off`` holds the indexes of those without power."""

    def __init__(self, count, quorum=None, last_tick=0x3FFFFFFF, start=0, **options):
        self.air = Air()
        self.air.now = lambda: self.ms
        self.ms = 0
        self.off = set()
        self._start = start
        self.clock = Clock(self._ticks, last_tick)
        self._last_tick = last_tick
        self._quorum = quorum or count
        self._options = dict(options)
        self._options.setdefault("deadline_ms", 60000)
        self._options.setdefault("interval_ms", INTERVAL_MS)
        self._boots = 0
        self.nodes = [self.make(i, range(count), self.air.join()) for i in range(count)]

    def _ticks(self):
        ticks = self._start + self.ms
        return ticks & self._last_tick if self._last_tick else ticks

    def make(self, peer_id, peers, port, **others):
        """Return a new node of this cluster, as after a boot."""
        self._boots += 1
        options = dict(self._options)
        options.setdefault("cluster", "greenhouse")
        options.setdefault("seed", self._boots)
        options.update(others)
        quorum = options.pop("quorum", self._quorum)
        return Node(Config(peer_id, peers, quorum), port, clock=self.clock, **options)

    def reboot(self, index):
        """Let a node start anew, as after a power cut: nothing is left of what it knew."""
        self.off.discard(index)
        self.drain(index)
        self.nodes[index] = self.make(index, self.nodes[index].config.peers, self.air.ports[index])
        return self.nodes[index]

    def drain(self, index):
        """Lose what waits at a node."""
        buffer = bytearray(256)
        while self.air.ports[index].receive(buffer) >= 0:
            pass

    def run(self, ms, until=None, step_ms=STEP_MS):
        """Let time pass, in steps, until a condition holds; return how long it took."""
        begin = self.ms
        while self.ms - begin < ms and not (until and until()):
            self.ms += step_ms
            self.air.deliver()
            for index, node in enumerate(self.nodes):
                if index in self.off:
                    self.drain(index)
                else:
                    node.poll()
        return self.ms - begin

    def complete(self, *indexes):
        """Let nodes complete their participation; all of them if none is named."""
        for index in indexes or range(len(self.nodes)):
            self.nodes[index].complete()

    def concluded(self):
        return all(node.machine.is_concluded for i, node in enumerate(self.nodes) if i not in self.off)

    def bootstrapped(self):
        return all(node.machine.state == BOOTSTRAPPED for i, node in enumerate(self.nodes) if i not in self.off)

    def sent(self):
        return [node.counters[SENT] for node in self.nodes]


def quick_clock():
    """Return a clock that goes on by a ms each time it is read: for nodes that are polled until something happens."""
    ms = [0]

    def now():
        ms[0] += 1
        return ms[0]

    return Clock(now)


def until_concluded(nodes):
    """Complete all nodes, and poll them until each has its verdict."""
    for node in nodes:
        node.complete()
    while not all(node.machine.is_concluded for node in nodes):
        for node in nodes:
            node.poll()


class Said:
    """What a frame says. ages: {peer id: (units, READY or not)}. start_ms: until the common start; None: it knows of none."""

    def __init__(self, ms, wire):
        self.ms = ms
        self.is_asking = bool(wire.flags & ASKING)
        self.is_ready = bool(wire.flags & READY)
        self.question_age = None if wire.question_age == NO_AGE else wire.question_age << wire.unit
        self.start_ms = wire.start - START_ZERO if wire.start else None
        self.ages = {}
        for i in range(wire.count):
            at = STATEMENTS + 2 * i
            age = (wire.inbox[at] & 0x7F) << 8 | wire.inbox[at + 1]
            self.ages[wire.first + i] = (age, wire.inbox[at] >= 0x80)


class Lone:
    """Node 0, whose peers are the test: it hears what the test shows it, and ``said`` is what it says.

    It is polled when it says that it has something to do: see test_node_idle.
    """

    def __init__(self, count=3, quorum=None, **options):
        self.cluster = Cluster(count, quorum, **options)
        self.cluster.nodes = self.cluster.nodes[:1]
        self.cluster.air.loses = lambda sender, receiver, buffer: True
        self.cluster.air.tap = self._hear
        self.node = self.cluster.nodes[0]
        self.said = []
        self._ear = Wire(Config(0, range(count), quorum or count), "greenhouse", Checksum())
        self.speakers = [Speaker(i, range(count), quorum or count, nonce=i + 5) for i in range(count)]

    @property
    def ms(self):
        return self.cluster.ms

    def _hear(self, sender, buffer):
        if sender == 0:
            assert decode(self._ear, buffer) == 0
            self.said.append(Said(self.cluster.ms, self._ear))

    def run(self, ms, step_ms=1):
        """Let time pass; return the frames that the node sends in it. step_ms: between two polls of a node that cannot sleep."""
        before, end = len(self.said), self.ms + ms
        while self.ms < end:
            self.cluster.ms += min(max(step_ms, self.node.idle_ms()), end - self.ms)
            self.node.poll()
        return self.said[before:]

    def show(self, peer_id, flags=ASKING, statements=None, **fields):
        """Let the node hear a frame of a peer, a ms from now; return the frames that the node sends in it."""
        frame = self.speakers[peer_id].frame(flags, statements, **fields)
        self.cluster.air.ports[0].put(frame, len(frame))
        return self.run(1)


class Watcher(Observer):
    """An observer that keeps the conflicts it is told of."""

    def __init__(self):
        self.conflicts = []

    def observe_conflict(self, node, conflict, peer_id):
        self.conflicts.append((conflict, peer_id))
