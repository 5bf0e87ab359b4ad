"""What the boards' programs share: boards/common/member.py."""

import sys

from faction import BOOTSTRAPPED, INITIAL, TIMED_OUT, Config
from faction.console import Console
from faction.node import Node
from faction.transports.loopback import Hub
from firmware import need_clock, need_key, need_urandom
from helpers import message_of, of_boards
from run import Skip
from witness import LOCKED_HEAP, need_lock

member = of_boards("member")


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
    need_urandom()
    need_clock()
    need_key()
    node = member.make(settings(interval_ms=100, deadline_ms=5000), Hub().join())
    node.poll()
    assert node.config.peer_id == 7 and node.config.quorum == 2 and node.remaining_ms == 5000


def test_the_node_gets_what_the_file_says_of_its_pace():
    need_member()
    need_urandom()
    need_clock()
    need_key()
    plain = member.make(settings(interval_ms=100, start_after_ms=None), Hub().join())
    assert plain.start_after_ms == 400 and plain.peers.presence_ms == 3200 and plain.frames_per_minute == 0
    assert not plain.deadline_from_contact and not plain.is_line_shared
    given = settings(start_after_ms=0, presence_ms=77, frames_per_minute=10, deadline_from_contact=True, is_line_shared=True)
    node = member.make(given, Hub().join())
    assert node.start_after_ms == 0 and node.peers.presence_ms == 77 and node.frames_per_minute == 10
    assert node.deadline_from_contact and node.is_line_shared
    said = message_of(ValueError, lambda: member.make(settings(frames_per_minute=1), Hub().join()))
    assert "frames_per_minute" in said, said


def loaded(text):
    """Return what load makes of a text."""
    import os

    try:
        with open("test_member.json", "w") as file:
            file.write(text)
    except (OSError, NameError):
        raise Skip("no files on this port") from None
    try:
        return member.load("test_member.json")
    finally:
        os.remove("test_member.json")


def test_a_file_has_a_list_of_transports_or_is_an_old_one_with_one():
    need_member()
    rest = '{"cluster": "x", "quorum": 1, "peers": [0], %s}'
    assert loaded(rest % '"transports": [{"kind": "uart"}]')["transports"] == [{"kind": "uart"}]
    assert loaded(rest % '"transport": {"kind": "uart"}')["transports"] == [{"kind": "uart"}]
    said = message_of(ValueError, lambda: loaded(rest % '"peer_id": 0'))
    assert said == "test_member.json: transports: missing; run faction deploy again"


def test_each_transport_is_opened_by_its_kind():
    need_member()
    port = Hub().join()
    openers = {"udp": lambda settings: port if settings["port"] == 7 else None}
    assert member.connect([{"kind": "udp", "port": 7}], openers) is port
    said = message_of(ValueError, lambda: member.connect([{"kind": "udp", "port": 7}, {"kind": "wifi"}], openers))
    assert said == "faction.json: transports: kind wifi: this board has none; take one of udp"


def test_several_transports_become_one():
    need_member()
    hubs = [Hub(), Hub()]
    ports = [hub.join() for hub in hubs]
    assert member.join(ports[:1]) is ports[0]
    bridge = member.join(ports)
    others = [hub.join() for hub in hubs]
    bridge.send(bytearray(b"abc"), 3)
    buffer = bytearray(10)
    assert [other.receive(buffer) for other in others] == [3, 3]
    for other in others:
        other.send(bytearray(b"de"), 2)
    assert [bridge.receive(buffer) for _ in range(3)] == [2, 2, -1]


def test_addresses():
    need_member()
    assert member.addresses({"to": ["10.0.0.1:47", "1.2.3.4:5"]}) == [("10.0.0.1", 47), ("1.2.3.4", 5)]


class Enough(SystemExit):  # all else that a hook raises does not end run
    pass


class Stepping:
    """A clock that goes on by 10 ms each time it is read, and so with each poll."""

    ms = 0

    def now(self):
        self.ms += 10
        return self.ms

    def diff(self, a, b):
        return a - b


class Application:
    """``calls``: the hooks that were called; ``at``: when, by the clock of the node; ``steps``: how many until the end."""

    def __init__(self, steps=1):
        self.calls = []
        self.at = []
        self.steps = steps

    def note(self, name, node):
        self.calls.append(name)
        self.at.append(node.now)

    def start_up(self, node):
        self.note("start_up", node)
        return len(self.calls) > 2

    def on_bootstrapped(self, node):
        assert node.has_started and node.machine.state == BOOTSTRAPPED
        self.note("on_bootstrapped", node)

    def on_timed_out(self, node):
        self.note("on_timed_out", node)
        node.restart()

    def step(self, node):
        self.note("step", node)
        if self.calls.count("step") == self.steps:
            raise Enough


def run(node, application):
    """Run a node until the application has had enough."""
    try:
        member.run(node, application)
    except Enough:
        return
    raise AssertionError("run has returned")


def single(quorum=1, deadline_ms=5000, start_after_ms=0):
    return Node(Config(0, (0, 1), quorum), Hub().join(), "x", deadline_ms, clock=Stepping(), seed=1, start_after_ms=start_after_ms)


def test_the_application_is_called_in_order():
    need_member()
    node = single()
    application = Application()
    run(node, application)
    assert application.calls == ["start_up", "start_up", "start_up", "on_bootstrapped", "step"]
    assert node.machine.state == BOOTSTRAPPED


def test_nothing_is_called_between_the_verdict_and_the_common_start():
    need_member()
    node = single(start_after_ms=300)
    application = Application(steps=2)
    run(node, application)
    assert application.calls == ["start_up", "start_up", "start_up", "on_bootstrapped", "step", "step"]
    assert application.at[3] - application.at[2] in (300, 310) and application.at[4] - application.at[3] == 10
    assert node.started_late_ms == 0


def test_the_console_is_polled_between_the_verdict_and_the_common_start():
    need_member()

    class Console:
        polls = interrupts = 0

        def poll(self):
            self.polls += 1

    console = Console()
    try:
        member.run(single(start_after_ms=300), Application(), console)
    except Enough:
        pass
    assert console.polls >= 30


def test_a_board_that_is_late_is_called_at_its_verdict():
    need_member()
    hub = Hub()

    def join(peer_id):
        return Node(Config(peer_id, (0, 1), 1), hub.join(), "x", 60000, 40, clock=Stepping(), seed=peer_id + 1, start_after_ms=0)

    early = join(0)
    early.complete()
    for _ in range(50):
        early.poll()
    assert early.has_started
    late = join(1)

    class Late(Application):
        def start_up(self, node):
            early.poll()
            self.note("start_up", node)
            return node.start_in_ms() == 0

    application = Late()
    run(late, application)
    start_ups = application.calls.count("start_up")
    assert application.calls[start_ups:] == ["on_bootstrapped", "step"]
    assert application.at[start_ups] - application.at[start_ups - 1] <= 20  # complete polls, and then run does
    assert 400 <= late.started_late_ms <= 500 + 10 * start_ups, late.started_late_ms


def test_a_board_that_waits_for_the_start_does_not_call_itself_timed_out():
    need_member()
    application = Application()
    run(single(deadline_ms=100, start_after_ms=300), application)
    assert application.calls[3:] == ["on_bootstrapped", "step"]


def test_an_application_replaces_the_hooks_that_it_needs():
    need_member()

    class Counting(member.Hooks):
        steps = 0

        def step(self, node):
            self.steps += 1
            if self.steps == 2:
                raise Enough

    node = single()
    application = Counting()
    run(node, application)
    assert application.steps == 2 and node.machine.state == BOOTSTRAPPED


def test_without_a_hook_of_its_own_an_application_tries_again():
    need_member()
    node = single(quorum=2)
    node.cancel()
    assert node.machine.state == TIMED_OUT
    member.Hooks().on_timed_out(node)
    assert node.machine.state == INITIAL


def test_an_application_that_restarts_gets_another_verdict():
    need_member()

    class Stubborn(Application):
        def on_timed_out(self, node):
            super().on_timed_out(node)
            if self.calls.count("on_timed_out") == 3:
                raise Enough

    application = Stubborn()
    run(single(quorum=2, deadline_ms=30), application)
    assert application.calls.count("on_timed_out") == 3 and "on_bootstrapped" not in application.calls


def test_an_application_that_restarts_after_the_start_waits_for_another_start():
    need_member()

    class Again(Application):
        def step(self, node):
            super().step(node)
            node.restart()

    application = Again(steps=2)
    run(single(start_after_ms=100), application)
    first = ["start_up", "start_up", "start_up", "on_bootstrapped", "step"]
    assert application.calls == first + ["start_up", "on_bootstrapped", "step"]
    assert application.at[6] - application.at[5] in (100, 110)


def test_an_application_that_restarts_while_it_waits_for_the_start_waits_again():
    need_member()
    node = single(start_after_ms=300)

    class Console:
        polls = interrupts = 0

        def poll(self):
            self.polls += 1
            if self.polls == 20:
                assert node.machine.state == BOOTSTRAPPED and not node.has_started
                node.restart()

    application = Application()
    try:
        member.run(node, application, Console())
    except Enough:
        pass
    assert application.calls == ["start_up", "start_up", "start_up", "start_up", "on_bootstrapped", "step"]
    assert application.at[4] - application.at[3] in (300, 310)


def test_a_restart_and_a_verdict_within_one_hook_are_not_missed():
    need_member()

    class Hasty(Application):
        def step(self, node):
            super().step(node)
            node.restart()
            node.complete()
            assert node.machine.state == BOOTSTRAPPED

    application = Hasty(steps=2)
    run(single(start_after_ms=50), application)
    assert application.calls[3:] == ["on_bootstrapped", "step", "on_bootstrapped", "step"]


# What a hook raises


class NoErrors:
    """Keeps the names of errors, and writes no file."""

    def __init__(self):
        self.kept = []

    def keep(self, where, error, after_s=0):
        self.kept.append((where, type(error), after_s))
        return "line\nafter\ntrace"

    def last(self):
        return self.kept[-1][0]


class Failing(Application):
    """Each hook raises a few times before it works. ``tries``: the time of each try, by hook."""

    def __init__(self, failures, kind=ValueError):
        super().__init__(3)
        self.failures = failures
        self.kind = kind
        self.tries = {}

    def note(self, name, node):
        tries = self.tries.setdefault(name, [])
        tries.append(node.now)
        if len(tries) <= self.failures:
            raise self.kind(name)
        super().note(name, node)


def run_with_errors(node, application, helpers=(), watchdog=None):
    """Run a node until the application has had enough; return the errors."""
    errors = NoErrors()
    member.speak_on(Reader(room=1 << 20))
    pause_ms, member.PAUSE_MS = member.PAUSE_MS, 0  # the clock goes on by itself
    try:
        member.run(node, application, None, errors, None, helpers, watchdog)
    except Enough:
        return errors
    finally:
        member.PAUSE_MS = pause_ms
        member.speak_on(None)
    raise AssertionError("run has returned")


def test_a_hook_that_raises_is_called_again_later_and_later():
    need_member()
    application = Failing(4)
    node = single(deadline_ms=60000)
    errors = run_with_errors(node, application)
    assert node.machine.state == BOOTSTRAPPED
    for hook in ("start_up", "on_bootstrapped", "step"):
        tries = application.tries[hook]
        pauses = [tries[i + 1] - tries[i] for i in range(4)]
        for i in range(4):
            assert 250 << i <= pauses[i] <= (250 << i) + 20, (hook, pauses)
    assert [where for where, _, _ in errors.kept] == ["start_up"] * 4 + ["on_bootstrapped"] * 4 + ["step"] * 4


def test_an_application_that_cannot_be_made_is_made_later():
    need_member()
    tries = []

    def make():
        tries.append(1)
        if len(tries) < 4:
            raise MemoryError
        return Application()

    errors = run_with_errors(single(deadline_ms=60000), make)
    assert errors.kept == [("application.py", MemoryError, 0)] * 2 + [("application.py", MemoryError, 0)] and len(tries) == 4


def test_the_node_is_polled_while_a_hook_fails():
    need_member()
    node = single(quorum=2, deadline_ms=5000)

    class Hopeless(Application):
        def start_up(self, node):
            raise ValueError

        def on_timed_out(self, node):
            raise Enough

    errors = run_with_errors(node, Hopeless())
    assert node.machine.state == TIMED_OUT and 3 <= len(errors.kept) <= 5, errors.kept


def test_system_exit_ends_run_and_lets_go_of_the_watchdog():
    need_member()

    class Watchdog:
        fed = released = 0

        def step(self):
            self.fed += 1

        def release(self):
            self.released += 1

    class Leaving(Application):
        def step(self, node):
            raise SystemExit

    watchdog = Watchdog()
    errors = NoErrors()
    try:
        member.run(single(), Leaving(), None, errors, None, (watchdog,), watchdog)
    except SystemExit:
        pass
    assert watchdog.released == 1 and watchdog.fed >= 4 and errors.kept == []


def test_a_transport_and_a_helper_that_raise_end_nothing():
    need_member()

    class Broken:
        def send(self, buffer, length):
            raise ValueError("send")

        def receive(self, buffer):
            raise RuntimeError("receive")

    class Helper:
        def step(self):
            raise TypeError

    node = Node(Config(0, (0, 1), 1), Broken(), "x", 5000, clock=Stepping(), seed=1, start_after_ms=0)
    application = Application()
    errors = run_with_errors(node, application, (Helper(),))
    assert application.calls[-1] == "step" and node.machine.state == BOOTSTRAPPED
    assert errors.kept and errors.kept[0][0] == "poll"


def test_a_pause_that_is_no_number_is_none():
    need_member()
    for pause_ms in (None, "5", 1.5, 0, -7, 1000):
        application = Application()
        application.pause_ms = pause_ms

        class Rest:
            slept = 0

            def sleep(self, ms):
                assert ms <= 50
                self.slept += 1

        rest = Rest()
        try:
            member.run(single(), application, None, NoErrors(), rest)
        except Enough:
            pass
        assert rest.slept >= 3


def test_a_turn_allocates_nothing():
    need_member()
    need_lock()
    sys.path.append("boards/micropython")
    try:
        from rest import Rest
    except ImportError:
        raise Skip("this runtime has no select") from None
    from faction.clock import Clock

    clock = [0]
    node = Node(Config(0, (0, 1), 2), Hub().join(), "x", 60000, clock=Clock(lambda: clock[0]), seed=1)

    class Waiting(member.Hooks):
        def start_up(self, node):
            return False

    member_loop = member._Member(node, member.Calls(node, Waiting(), NoErrors(), None), None, Rest(), [])
    turn = member_loop._turn
    for _ in range(5):
        turn()
    with LOCKED_HEAP:
        for _ in range(5):
            turn()


# Ctrl-C, and a line that nobody reads


def test_a_hook_that_ctrl_c_cuts_short_is_called_again():
    need_member()

    class Pressed(Application):
        """In each hook ctrl-C comes once; there is a second between two of them."""

        def note(self, name, node):
            super().note(name, node)
            if self.calls.count(name) == 1:
                node.clock.ms += 2000
                raise KeyboardInterrupt

    application = Pressed(steps=3)
    node = single(start_after_ms=50)
    run(node, application)
    assert application.calls == ["start_up"] * 3 + ["on_bootstrapped"] * 2 + ["step"] * 3
    assert node.machine.state == BOOTSTRAPPED

    class Late(Pressed):
        def on_timed_out(self, node):
            self.note("on_timed_out", node)
            raise Enough

    application = Late()
    run(single(quorum=2, deadline_ms=2500), application)
    assert application.calls[-2:] == ["on_timed_out"] * 2


class Keyboard(Application):
    """An application whose steps take ctrl-C, with so many ms between two."""

    def __init__(self, pause_ms):
        super().__init__(50)
        self.pause_ms = pause_ms

    def step(self, node):
        super().step(node)
        node.clock.ms += self.pause_ms
        raise KeyboardInterrupt


def test_three_ctrl_c_within_a_second_end_run():
    need_member()
    for console in (None, quiet):
        application = Keyboard(100)
        node = single()
        member.run(node, application, console and console(node))
        assert application.calls.count("step") == 3 and node.machine.state == BOOTSTRAPPED
        application = Keyboard(600)
        node = single()
        try:
            member.run(node, application, console and console(node))
        except Enough:
            pass
        assert application.calls.count("step") == 50


def quiet(node):
    """Return a console on which nobody types."""
    return Console(node, Reader())


class Reader:
    """The far end of a line: what it read, how much it takes at once, and how much in all."""

    def __init__(self, room=1000, at_once=1000):
        self.said = b""
        self.room = room
        self.at_once = at_once

    def any(self):
        return 0

    def readinto(self, buffer):
        raise AssertionError("nothing waits")

    def write(self, buffer):
        count = min(len(buffer), self.at_once, self.room)
        self.said += bytes(buffer[:count])
        self.room -= count
        return count or None


class Knock(Reader):
    """A line, and a rest that ctrl-C ends: by the time that the program goes on, what the tool sent behind it waits to be read."""

    def __init__(self, late):
        super().__init__(1 << 20)
        self.late = late
        self.waiting = b""
        self.sleeps = 0

    def any(self):
        return len(self.waiting)

    def readinto(self, buffer):
        count = min(len(buffer), len(self.waiting))
        buffer[:count] = self.waiting[:count]
        self.waiting = self.waiting[count:]
        return count

    def sleep(self, ms):
        self.sleeps += 1
        if self.sleeps == 100:
            self.waiting = self.late
            raise KeyboardInterrupt


def test_a_tool_that_knocks_while_the_board_sleeps_gets_in():
    """mpremote sends ctrl-C, and without a pause Enter and ctrl-A. The latter is for the REPL."""
    need_member()
    for late, is_in in ((b"\r\x01", True), (b"\r", False)):
        line = Knock(late)
        node = single()
        loop = member.Loop(node, Console(node, line), lambda line=line: line.sleeps == 120, line)
        member.speak_on(line)
        try:
            loop.run()
        finally:
            member.speak_on(None)
        assert (line.sleeps <= 101) == is_in, line.sleeps
        assert line.waiting == (b"\x01" if is_in else b"")


def test_say_drops_what_nobody_reads_and_begins_a_new_line_then():
    need_member()
    reader = Reader(room=12, at_once=5)
    member.speak_on(reader)
    try:
        member.say("one", 2, [3])
        assert reader.said == b"one 2 [3]\r\n"
        member.say("cut off")
        member.say("lost")
        assert reader.said == b"one 2 [3]\r\nc"
        reader.room = 1000
        member.say("again")
        assert reader.said == b"one 2 [3]\r\nc" + b"\r\nagain\r\n"[:5]  # it does not wait before it knows that somebody reads
        member.say("heard")
        reader.at_once = 1000
        member.say("all of it")
        member.say("and this")
        assert reader.said.endswith(b"\r\nand this\r\n")
        reader.write = torn
        member.say("into a cable that is out")
    finally:
        member.speak_on(None)


def torn(buffer):
    raise OSError(5)


def test_many_ids_are_few_words():
    need_member()
    few = member.Few()
    assert str(few) == "[]"
    for i in range(8):
        few.add(i)
    assert str(few) == "[0, 1, 2, 3, 4, 5, 6, 7]"
    few.add(8)
    few.add(9)
    assert str(few) == "[0, 1, 2, 3, 4, 5, 6, 7 and 2 more]"
