"""What the programs of all boards share: from the configuration in faction.json to a node that runs.

It runs on MicroPython and on CircuitPython, so it uses only what both have. It touches no hardware.
"""

import json
import sys
import time

from calls import ON_BOOTSTRAPPED, ON_TIMED_OUT, START_UP, STEP, Calls

from faction import BOOTSTRAPPED, COLLECTING, Config
from faction.node import Node

PAUSE_MS = 5  # between two polls, where a frame cannot wake us: the firmware's receive buffers hold what arrives in this time
LONGEST_MS = 50  # between two polls, where it can
ENOUGH = 3  # so many ctrl-C within a second end the program
_SECOND_CS = 100
_MAX_CS = 0x1FFFFFFF  # of Node.uptime_cs
_CTRL_C = 3
_CLOSED = 0x02  # of faction.node
_WAITS = 20  # of say, 1 ms each
_FEW = 8  # ids in a line that a hook prints
# What a start raises if the configuration, or the hardware, is wrong: the last four if a value is of the wrong kind.
FAULTS = (ValueError, OSError, ImportError, TypeError, KeyError, AttributeError, IndexError)
# What a configuration may say of a node. Where it says nothing, or null, the node has a value of its own.
_OPTIONS = ("start_after_ms", "presence_ms", "frames_per_minute", "deadline_from_contact", "is_line_shared")


def load(path="faction.json"):
    """Return the configuration of this board as a dict, without what is null. Raises ValueError with one line that says what to do."""
    try:
        with open(path) as file:
            settings = {name: value for name, value in json.load(file).items() if value is not None}
    except OSError:
        raise ValueError("%s: no such file; run faction deploy" % path) from None
    except (ValueError, AttributeError):  # no JSON, or no object
        raise ValueError("%s: damaged; run faction deploy again" % path) from None
    if "transport" in settings and "transports" not in settings:  # an earlier faction deploy wrote this file
        settings["transports"] = [settings["transport"]]
    for field in ("cluster", "quorum", "peers", "transports"):
        if field not in settings:
            raise ValueError("%s: %s: missing; run faction deploy again" % (path, field))
    return settings


def own_id(settings, hardware_id=None):
    """Return the peer id of this board.

    It is the peer_id of the configuration. Without one, the table hardware_ids gives the id for this hardware id (bytes).
    Raises ValueError if neither has an id, or if the two disagree: then these files belong to another board.
    """
    known = settings.get("hardware_ids", {})
    text = None if hardware_id is None else _hexadecimal(hardware_id)
    peer_id = settings.get("peer_id", known.get(text))
    if peer_id is None:
        raise ValueError("faction.json: hardware id %s: not in the roster; add it, and deploy again" % text)
    if known.get(text, peer_id) != peer_id or (text is not None and peer_id in known.values() and text not in known):
        raise ValueError("faction.json: peer_id %d: belongs to another board than %s; deploy to the right one" % (peer_id, text))
    return peer_id


def _hexadecimal(data):
    return "".join(["%02x" % byte for byte in data])


def addresses(settings):
    """Return the list of (address, port) that a UDP transport sends to, from its texts "address:port"."""
    return [(each.split(":")[0], int(each.split(":")[1])) for each in settings["to"]]


def connect(settings, openers):
    """Return the transport of this board, and switch the radio on if it has one.

    settings: the part "transports" of faction.json, a list; several become one. openers: {kind: a function that opens such a
    transport, from its settings}. Raises ValueError if a kind is unknown, and what an opener raises.
    """
    transports = []
    for each in settings:
        if each["kind"] not in openers:
            known = ", ".join(sorted(openers))
            raise ValueError("faction.json: transports: kind %s: this board has none; take one of %s" % (each["kind"], known))
        transports.append(openers[each["kind"]](each))
    return join(transports)


def join(transports):
    """Return one transport for a list of them. Several become a Bridge: this board stands on several airs."""
    if len(transports) == 1:
        return transports[0]
    from faction.transports.bridge import Bridge

    return Bridge(*transports)


def make(settings, transport, hardware_id=None, observer=None):
    """Return the node of this board. Raises ValueError if a value of the configuration is wrong."""
    seal = None
    if settings.get("key"):
        from faction.key import Key

        seal = Key(settings["key"].encode())
    return Node(
        configure(settings, hardware_id),
        transport,
        settings["cluster"],
        settings.get("deadline_ms", 60000),
        settings.get("interval_ms", 500),
        seal=seal,
        observer=observer,
        **{name: settings[name] for name in _OPTIONS if settings.get(name) is not None},
    )


def configure(settings, hardware_id=None):
    """Return the Config of this board. Raises ValueError if a value of the configuration is wrong."""
    return Config(own_id(settings, hardware_id), settings["peers"], settings["quorum"])


def serve(settings, transport, stream, hardware_id=None, errors=None):
    """Return the node of this board, and the console that answers questions about it on stream.

    If stream is None there is no console, and None stands in its place. The console shows the journal of the node, and errors,
    a last_error.Errors. Raises ValueError if a value of the configuration is wrong.
    """
    if stream is None:
        return make(settings, transport, hardware_id), None
    from faction.console import Console
    from faction.journal import Journal

    introduce(hardware_id)
    journal = Journal(configure(settings, hardware_id))
    node = make(settings, transport, hardware_id, journal)
    journal.follow(node)
    return node, Console(node, stream, journal, settings.get("names", ()), settings.get("console_control", False), errors)


def introduce(hardware_id=None):
    """Let the console say, in its answer to config, what this board is: so faction boards knows it without ending its program."""
    import faction.console

    about = sys.implementation
    faction.console.about = (
        ("platform", sys.platform),
        ("firmware", "%s %s" % (about.name, ".".join([str(part) for part in about.version[:3]]))),
        ("machine", getattr(about, "_machine", "")),
        ("hardware_id", "" if hardware_id is None else _hexadecimal(hardware_id)),
    )


class _Voice:
    """Where say writes: ``stream``, and whether its reader has missed something."""

    stream = None
    is_torn = False


def speak_on(stream):
    """Let say write to a stream, whose write takes what it can at once, and returns how many bytes that were."""
    _Voice.stream = stream


def say(*words):
    """Print words, but never wait for a reader longer than 20 ms: then the rest is dropped. Until somebody reads, all is.

    print waits: on an open USB port that nobody reads for half a second, on CircuitPython and in a process for ever.
    """
    text = " ".join([str(word) for word in words]) + "\r\n"
    if _Voice.stream is None:
        print(text, end="")
        return
    data = (("\r\n" if _Voice.is_torn else "") + text).encode()
    waits = 0 if _Voice.is_torn else _WAITS
    try:
        data = data[_Voice.stream.write(data) or 0 :]
        while data and waits:
            waits -= 1
            time.sleep(0.001)
            data = data[_Voice.stream.write(data) or 0 :]
    except OSError:  # the cable is out
        pass
    _Voice.is_torn = len(data) > 0


def start(main):
    """Call main, and print in one line why a board cannot be a member: a file is damaged, or it has no such hardware."""
    try:
        main()
    except FAULTS as error:
        say("faction: %s" % reason(error))


def reason(error):
    """Return in one line why a board cannot be a member. error: one of FAULTS."""
    if isinstance(error, (ValueError, OSError, ImportError)):
        return str(error)
    return "faction.json: damaged (%s: %s); run faction deploy again" % (type(error).__name__, error)


def greet(node):
    """Print who we are. These are the first words of every board, and faction deploy waits for them."""
    say("faction: node %d of %d, quorum %d" % (node.config.peer_id, len(node.config.peers), node.config.quorum))


class Few:
    """The first ids of many, for a line of text, in little memory: "[0, 1, 2]", or "[0, 1, 2, 3, 4, 5, 6, 7 and 92 more]"."""

    def __init__(self):
        self._ids = []
        self._more = 0

    def add(self, peer_id):
        """Take one more id."""
        if len(self._ids) < _FEW:
            self._ids.append(str(peer_id))
        else:
            self._more += 1

    def __str__(self):
        return "[%s%s]" % (", ".join(self._ids), " and %d more" % self._more if self._more else "")


class NoConsole:
    """Stands where there is no console. It counts ctrl-C, as a faction.console.Console does."""

    def __init__(self, node):
        self.interrupts = 0
        self._node = node
        self._first_cs = 0

    def poll(self):
        """Do nothing."""

    def idle_ms(self):
        """Return the longest pause: nothing is due."""
        return LONGEST_MS

    def interrupt(self):
        """Count a ctrl-C; one that comes over a second after the first begins to count anew."""
        if self._node.uptime_cs - self._first_cs & _MAX_CS > _SECOND_CS:
            self.interrupts = 0
        if not self.interrupts:
            self._first_cs = self._node.uptime_cs
        self.interrupts += 1


class Loop:
    """Polls a node and its console, and calls step after each poll, until step returns True.

    One ctrl-C, or two, do no more than to clear the line that is typed: a disturbance on the line must not end a member.
    Three within a second end the loop. While node and console are polled, ctrl-C waits, on the ports that can do that.

    ``pause_ms``  so long at most it sleeps between two turns, if it has a rest
    """

    def __init__(self, node, console, step, rest=None):
        """rest: sleeps for so many ms, or until a frame or a key wakes it, see boards/micropython/rest.py. None: nothing wakes us."""
        self.pause_ms = LONGEST_MS
        self._node = node
        self._console = NoConsole(node) if console is None else console
        self._keys = None if console is None else _keyboard()  # without a console nobody would read what waits
        self._step = step
        self._poll_both = self._poll  # so that no turn takes memory for it
        self._rest = rest
        self._pressed = 0  # ctrl-C that came as exceptions, and are not counted yet
        self._is_over = False

    def run(self):
        """Go on until step has returned True, or after three ctrl-C within a second. Raises what a poll or step does."""
        while not self._is_over:
            try:
                self._go()
            except KeyboardInterrupt:  # while the one before it was caught
                self._pressed += 1
        if self._console.interrupts >= ENOUGH:
            say("faction: ctrl-C, three times: the program has ended; at the REPL ctrl-D starts it again")

    def _go(self):
        while not self._is_over:
            try:
                self._is_over = self._turn()
            except KeyboardInterrupt:
                self._pressed += 1

    def _turn(self):
        """Do one turn of the loop. Tell whether it was the last."""
        if self._pressed:
            _mend(self._node)
        self.undisturbed(self._poll_both)
        if self._console.interrupts >= ENOUGH or self._step():
            return True
        if self._rest is None:
            time.sleep(PAUSE_MS / 1000)
        else:
            self._rest.sleep(self._idle_ms())
        return False

    def _idle_ms(self):
        """Return how long nothing is due; PAUSE_MS if something is due that takes more than one turn."""
        return min(self.pause_ms, LONGEST_MS, self._node.idle_ms() or PAUSE_MS, self._console.idle_ms() or PAUSE_MS)

    def _poll(self):
        self._node.poll()
        self._count_pressed()
        self._console.poll()

    def _count_pressed(self):
        """Let the console count ctrl-C: after the node's poll, as only that tells how long a hook has taken, and before the console
        reads what came behind them."""
        while self._pressed:
            self._pressed -= 1
            self._console.interrupt()

    def undisturbed(self, call):
        """Call something; ctrl-C comes as a byte on the console's line meanwhile, where the port can do that."""
        if self._keys is None:
            call()
            return
        self._keys(-1)
        try:
            call()
        finally:
            self._keys(_CTRL_C)


def _keyboard():
    """Return a function that lets ctrl-C come as a byte (-1), and as an exception again (3); None if there is none."""
    if sys.platform in ("linux", "darwin"):  # there -1 would let ctrl-C kill the process
        return None
    try:
        import micropython
    except ImportError:
        return None
    return getattr(micropython, "kbd_intr", None)  # CircuitPython has none


def _mend(node):
    """Let the next poll do what ctrl-C may have cut short in the last one, wherever that was."""
    machine = node.machine
    node._due = node.now  # what was planned may be half planned
    if machine.is_concluded:
        if not node.has_started:
            node._flags &= ~_CLOSED  # so that it plans the common start, perhaps again
    elif machine.is_pinging_completed and (machine.state < COLLECTING or machine.collecting.count >= machine.config.quorum):
        node.restart()  # the machine was cut off within a step, and would never conclude


class _Member(Loop):
    """The loop of a board: it calls the hooks of an application. Whatever they raise, the node is polled."""

    def __init__(self, node: "Node", calls, console, rest, helpers):
        """calls: a calls.Calls. helpers: their step is called in each turn."""
        super().__init__(node, console, self._call_hook, rest)
        self._calls = calls
        self._helpers = helpers
        self._told = 0  # the nonce of the attempt whose outcome the application knows

    def _turn(self):
        try:
            return super()._turn()
        except Exception as error:  # the application has broken the node itself: the console still tells so
            self._calls.report_poll(error)
            time.sleep(PAUSE_MS / 1000)
            return False

    def _poll(self):
        self._calls.poll(self._node)
        self._count_pressed()
        self._calls.poll(self._console)
        try:
            for each in self._helpers:
                each.step()
        except Exception as error:  # of the firmware
            self._calls.report_poll(error)

    def _complete(self):
        try:
            self._node.complete()
        except Exception as error:  # of a transport: it is complete all the same
            self._calls.report_poll(error)

    def _call_hook(self) -> bool:
        node: Node = self._node
        calls = self._calls
        nonce = node.nonce
        self.pause_ms = LONGEST_MS
        if not node.machine.is_concluded:
            if not node.machine.is_pinging_completed:
                self.pause_ms = calls.pause_ms
                if calls.call(START_UP) and calls.result:
                    self.undisturbed(self._complete)
        elif self._told == nonce:
            self.pause_ms = calls.pause_ms
            calls.call(STEP)
        elif node.machine.state != BOOTSTRAPPED:
            if calls.call(ON_TIMED_OUT):
                self._told = nonce
        elif node.has_started and calls.call(ON_BOOTSTRAPPED):
            self._told = nonce
        return False


class Hooks:
    """What run calls. An application is a subclass that replaces some of these methods.

    The node is polled between two calls, so a call must not take longer than about 50 ms. Print with say. A call that ctrl-C
    has cut short is made again. So is one that has raised an exception: after 250 ms, then later and later, up to a minute.

    ``pause_ms``  the board sleeps so long at most between two calls of start_up or step, if nothing comes meanwhile; at most 50
    """

    pause_ms = 20

    def start_up(self, node):
        """Do a little of this board's own start; return True when it is done. Called until it returns True."""
        return True

    def on_bootstrapped(self, node):
        """Begin to work. Called once, at the common start of all boards, some time after our own verdict.

        Boards that have their verdict by then come here within about 10 ms of each other. For a board that got its verdict
        later, the start was node.started_late_ms ago: take that off the time to be in step with the others.
        """
        ready = Few()
        for peer_id in node.machine.collecting:
            ready.add(peer_id)
        say("bootstrapped, with", ready)

    def on_timed_out(self, node):
        """Decide what to do without the cluster. Called once, at the verdict. This one prints who is missing, and tries again."""
        missing = Few(), Few()
        node.each_missing(lambda peer_id, is_known: missing[is_known].add(peer_id))
        say("timed out; never heard", missing[0], "not ready", missing[1])
        node.restart()

    def step(self, node):
        """Do a little of the work. Called again and again after on_bootstrapped, or after on_timed_out."""


def run(node: "Node", application, console=None, errors=None, rest=None, helpers=(), watchdog=None):
    """Poll a node and its console, and call the hooks of its application. Returns only after three ctrl-C within a second.

    application is a Hooks, or any object with its four methods; or a function that makes one, which may fail. Between a
    verdict of Bootstrapped and the common start no hook is called. If the application restarts the node, the hooks are called
    again for the new attempt. What a hook raises is printed and kept in errors, a last_error.Errors, and the hook is called
    again later. rest: see Loop. helpers: objects whose step is called in each turn. watchdog: one of them, whose release is
    called in the end.
    """
    if errors is None:
        from last_error import Errors

        errors = Errors()
    greet(node)
    try:
        _Member(node, Calls(node, application, errors, say), console, rest, helpers).run()
    finally:
        if watchdog is not None:
            watchdog.release()
