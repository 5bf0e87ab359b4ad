"""What the boards' programs share: boards/common/member.py."""

import sys

from faction import BOOTSTRAPPED, INITIAL, TIMED_OUT, Config
from faction.node import Node
from faction.transports.loopback import Hub
from helpers import message_of
from run import Skip

try:
    import member
except ImportError:
    sys.path.append("boards/common")
    try:
        import member
    except ImportError:
        member = None


def need_member():
    if member is None:
        raise Skip("boards/common/member.py is not on this port")


SETTINGS = {
    "cluster": "greenhouse",
    "key": "sixteen secret characters",
    "quorum": 2,
    "peers": [0, 1, 7],
    "transport": {"kind": "uart"},
    "peer_id": 7,
    "hardware_ids": {"e661": 0, "0a0b": 7},
}


def settings(**changes):
    changed = dict(SETTINGS)
    changed.update(changes)
    return changed


def test_the_id_is_that_of_the_file():
    need_member()
    assert member.own_id(settings()) == 7
    assert member.own_id(settings(), b"\x0a\x0b") == 7
    assert member.own_id(settings(hardware_ids={}), b"\x01") == 7


def test_the_id_is_that_of_the_table_if_the_file_has_none():
    need_member()
    table = settings()
    del table["peer_id"]
    assert member.own_id(table, b"\xe6\x61") == 0
    said = message_of(ValueError, lambda: member.own_id(table, b"\x01"))
    assert said == "faction.json: hardware id 01: not in the roster; add it, and deploy again"


def test_a_file_on_the_wrong_board_is_refused():
    need_member()
    for hardware_id in (b"\xe6\x61", b"\x01"):
        said = message_of(ValueError, lambda: member.own_id(settings(), hardware_id))
        assert said.startswith("faction.json: peer_id 7: belongs to another board than "), said


def test_the_node_is_as_the_file_says():
    need_member()
    if not hasattr(__import__("os"), "urandom"):
        raise Skip("no os.urandom")
    node = member.make(settings(interval_ms=100, deadline_ms=5000), Hub().join())
    node.poll()
    assert node.config.peer_id == 7 and node.config.quorum == 2 and node.remaining_ms == 5000


def test_addresses():
    need_member()
    assert member.addresses({"to": ["10.0.0.1:47", "1.2.3.4:5"]}) == [("10.0.0.1", 47), ("1.2.3.4", 5)]


class Enough(Exception):
    pass


class Application:
    def __init__(self):
        self.calls = []

    def start_up(self, node):
        self.calls.append("start_up")
        return len(self.calls) > 2

    def on_bootstrapped(self, node):
        self.calls.append("on_bootstrapped")

    def on_timed_out(self, node):
        self.calls.append("on_timed_out")
        node.restart()

    def step(self, node):
        self.calls.append("step")
        raise Enough


def test_the_application_is_called_in_order():
    need_member()
    hub = Hub()
    node = Node(Config(0, (0, 1), 1), hub.join(), "x", 5000, seed=1)
    application = Application()
    try:
        member.run(node, application)
    except Enough:
        pass
    assert application.calls == ["start_up", "start_up", "start_up", "on_bootstrapped", "step"]
    assert node.machine.state == BOOTSTRAPPED


def test_an_application_replaces_the_hooks_that_it_needs():
    need_member()

    class Counting(member.Hooks):
        steps = 0

        def step(self, node):
            self.steps += 1
            if self.steps == 2:
                raise Enough

    node = Node(Config(0, (0, 1), 1), Hub().join(), "x", 5000, seed=1)
    application = Counting()
    try:
        member.run(node, application)
    except Enough:
        pass
    assert application.steps == 2 and node.machine.state == BOOTSTRAPPED


def test_without_a_hook_of_its_own_an_application_tries_again():
    need_member()
    node = Node(Config(0, (0, 1), 2), Hub().join(), "x", 5000, seed=1)
    node.cancel()
    assert node.machine.state == TIMED_OUT
    member.Hooks().on_timed_out(node)
    assert node.machine.state == INITIAL


def test_an_application_that_restarts_gets_another_verdict():
    need_member()
    node = Node(Config(0, (0, 1), 2), Hub().join(), "x", 30, seed=1)

    class Stubborn(Application):
        def on_timed_out(self, node):
            super().on_timed_out(node)
            if self.calls.count("on_timed_out") == 3:
                raise Enough

    application = Stubborn()
    try:
        member.run(node, application)
    except Enough:
        pass
    assert application.calls.count("on_timed_out") == 3 and "on_bootstrapped" not in application.calls
