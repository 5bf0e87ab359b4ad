"""What the programs of all boards share: from faction.json to a node that runs."""

import json
import time

from faction import BOOTSTRAPPED, Config
from faction.node import Node

PAUSE_MS = 5  # between two polls: the receive buffers of the firmwares hold that much


def load(path="faction.json"):
    """Return the configuration of this board. Raises ValueError with one line that says what to do."""
    try:
        with open(path) as file:
            settings = json.load(file)
    except OSError:
        raise ValueError("%s: not there; run faction deploy" % path) from None
    except ValueError:
        raise ValueError("%s: damaged; run faction deploy again" % path) from None
    for field in ("cluster", "quorum", "peers", "transport"):
        if field not in settings:
            raise ValueError("%s: %s: missing; run faction deploy again" % (path, field))
    return settings


def own_id(settings, hardware_id=None):
    """Return our peer id: of the file, or of the roster's table of hardware ids (bytes); ValueError where they differ."""
    known = settings.get("hardware_ids", {})
    text = None if hardware_id is None else "".join(["%02x" % byte for byte in hardware_id])
    peer_id = settings.get("peer_id", known.get(text))
    if peer_id is None:
        raise ValueError("faction.json: hardware id %s: not in the roster; add it, and deploy again" % text)
    if known.get(text, peer_id) != peer_id or (text is not None and peer_id in known.values() and text not in known):
        raise ValueError("faction.json: peer_id %d: belongs to another board than %s; deploy to the right one" % (peer_id, text))
    return peer_id


def addresses(settings):
    """Return the (address, port) pairs that a UDP transport sends to, from its "address:port" texts."""
    return [(each.split(":")[0], int(each.split(":")[1])) for each in settings["to"]]


def make(settings, transport, hardware_id=None, observer=None):
    """Return the node of this board. Raises ValueError for what the configuration has wrong."""
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
    )


def configure(settings, hardware_id=None):
    """Return the Config of this board. Raises ValueError."""
    return Config(own_id(settings, hardware_id), settings["peers"], settings["quorum"])


def serve(settings, transport, stream, hardware_id=None):
    """Return the node of this board and the console that answers for it on stream; no console if stream is None.

    The node's journal is the console's. Raises ValueError.
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
    """Say who we are: the first words of every board, which faction deploy waits for."""
    print("faction: node %d of %d, quorum %d" % (node.config.peer_id, len(node.config.peers), node.config.quorum))


def run(node, application, console=None):
    """Run a node, its console and its application for ever: poll all, and tell the application of the verdict, once.

    An application has start_up(node), called until it returns True: our own participation is complete then;
    on_bootstrapped(node) or on_timed_out(node); and step(node), called after that, again and again.
    """
    greet(node)
    told = False
    while True:
        state = node.poll()
        if console is not None:
            console.poll()
        if not node.machine.is_concluded:
            told = False
            if not node.machine.is_pinging_completed and application.start_up(node):
                node.complete()
        elif told:
            application.step(node)
        else:
            told = True
            if state == BOOTSTRAPPED:
                application.on_bootstrapped(node)
            else:
                application.on_timed_out(node)
        time.sleep(PAUSE_MS / 1000)
