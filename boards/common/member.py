"""What the programs of all boards share: from the configuration in faction.json to a node that runs.

It runs on MicroPython and on CircuitPython, so it uses only what both have. It touches no hardware.
"""

import json
import time

from faction import BOOTSTRAPPED, Config
from faction.node import Node

PAUSE_MS = 5  # between two polls: the firmware's receive buffers hold what arrives in this time
# What a configuration may say of a node. Where it says nothing, or null, the node has a value of its own.
_OPTIONS = ("start_after_ms", "presence_ms", "frames_per_minute", "deadline_from_contact", "is_line_shared")


def load(path="faction.json"):
    """Return the configuration of this board as a dict. Raises ValueError with one line that says what to do."""
    try:
        with open(path) as file:
            settings = json.load(file)
    except OSError:
        raise ValueError("%s: no such file; run faction deploy" % path) from None
    except ValueError:
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
    text = None if hardware_id is None else "".join(["%02x" % byte for byte in hardware_id])
    peer_id = settings.get("peer_id", known.get(text))
    if peer_id is None:
        raise ValueError("faction.json: hardware id %s: not in the roster; add it, and deploy again" % text)
    if known.get(text, peer_id) != peer_id or (text is not None and peer_id in known.values() and text not in known):
        raise ValueError("faction.json: peer_id %d: belongs to another board than %s; deploy to the right one" % (peer_id, text))
    return peer_id


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
            raise ValueError("faction.json: transports: kind %s: no such kind; it must be espnow, udp or uart" % each["kind"])
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


def serve(settings, transport, stream, hardware_id=None):
    """Return the node of this board, and the console that answers questions about it on stream.

    If stream is None there is no console, and None stands in its place. The console shows the journal of the node.
    Raises ValueError if a value of the configuration is wrong.
    """
    if stream is None:
        return make(settings, transport, hardware_id), None
    from faction.console import Console
    from faction.journal import Journal

    journal = Journal(configure(settings, hardware_id))
    node = make(settings, transport, hardware_id, journal)
    journal.follow(node)
    return node, Console(node, stream, journal, settings.get("names", ()), settings.get("console_control", False))


def greet(node):
    """Print who we are. These are the first words of every board, and faction deploy waits for them."""
    print("faction: node %d of %d, quorum %d" % (node.config.peer_id, len(node.config.peers), node.config.quorum))


class Hooks:
    """What run calls. An application is a subclass that replaces some of these methods.

    The node is polled between two calls, so a call must not take longer than about 50 ms.
    """

    def start_up(self, node):
        """Do a little of this board's own start; return True when it is done. Called until it returns True."""
        return True

    def on_bootstrapped(self, node):
        """Begin to work. Called once, at the common start of all boards, some time after our own verdict.

        Boards that have their verdict by then come here within about 10 ms of each other. For a board that got its verdict
        later, the start was node.started_late_ms ago: take that off the time to be in step with the others.
        """
        print("bootstrapped, with", list(node.machine.collecting))

    def on_timed_out(self, node):
        """Decide what to do without the cluster. Called once, at the verdict. This one prints who is missing, and tries again."""
        silent, unready = node.missing()
        print("timed out; never heard", silent, "not ready", unready)
        node.restart()

    def step(self, node):
        """Do a little of the work. Called again and again after on_bootstrapped, or after on_timed_out."""


def run(node: "Node", application, console=None):
    """Poll a node and its console for ever, and call the hooks of its application. Does not return.

    application is a Hooks, or any object with its four methods. Between a verdict of Bootstrapped and the common start no
    hook is called. If the application restarts the node, the hooks are called again for the new attempt.
    """
    greet(node)
    told = 0  # the nonce of the attempt whose outcome the application knows
    while True:
        node.poll()
        if console is not None:
            console.poll()
        if not node.machine.is_concluded:
            if not node.machine.is_pinging_completed and application.start_up(node):
                node.complete()
        elif told == node.nonce:
            application.step(node)
        elif node.machine.state != BOOTSTRAPPED:
            told = node.nonce
            application.on_timed_out(node)
        elif node.has_started:
            told = node.nonce
            application.on_bootstrapped(node)
        time.sleep(PAUSE_MS / 1000)
