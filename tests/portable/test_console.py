"""The console: what it answers, line by line and byte by byte, and what it makes of noise, keys and broken streams."""

import json

import faction.console as module
from airs import Cluster
from console_fuzz import fuzz
from faction import BOOTSTRAPPED, INITIAL, READY_OBSERVED, TIMED_OUT
from faction.console import COUNTERS, PROMPT, Answers, Console, probe
from faction.journal import Journal
from faction.node import RECEIVE_FAILED
from firmware import need_key
from helpers import Chance, message_of
from test_node_memory import node_in
from witness import locked, need_lock, need_lock_or_count, watched

NAMES = ("north", "door", None)


class Line:
    """The far end of a serial line: what is typed, what is shown, and how much of a write it takes at once."""

    def __init__(self, room=10000):
        self.typed = bytearray()
        self.shown = bytearray()
        self.room = room
        self.is_torn = False
        self.in_waiting = 0

    def type(self, data):
        self.typed += data
        self.in_waiting = len(self.typed)

    def readinto(self, buffer):
        if self.is_torn:
            raise OSError(5)
        count = min(len(buffer), len(self.typed))
        for i in range(count):
            buffer[i] = self.typed[i]
        self.typed = self.typed[count:]
        self.in_waiting = len(self.typed)
        return count

    def write(self, buffer):
        if self.is_torn:
            raise OSError(5)
        if not self.room:
            return None
        count = min(self.room, len(buffer))
        for i in range(count):
            self.shown.append(buffer[i])
        return count

    def take(self):
        """Return what was shown since the last call."""
        text = "".join([chr(byte) for byte in self.shown])
        self.shown = bytearray()
        return text


class Desk:
    """A cluster of three, of which node 0 has a console and a journal."""

    def __init__(self, is_control_allowed=False, room=10000, names=NAMES, **options):
        self.cluster = Cluster(3, **options)
        self.line = Line(room)
        config = self.cluster.nodes[0].config
        self.journal = Journal(config, 4)
        self.node = self.cluster.make(0, config.peers, self.cluster.air.ports[0], observer=self.journal)
        self.cluster.nodes[0] = self.node
        self.journal.follow(self.node)
        self.console = Console(self.node, self.line, self.journal, names, is_control_allowed)

    def wait(self, ms=2000):
        """Let time pass, with a poll of the console after each of the node's."""
        for _ in range(ms // 10):
            self.cluster.run(10)
            self.console.poll()

    def ask(self, text, ending=b"\r"):
        """Return the answer to a line without its echo and the prompt, as a list of lines; the clock stands still."""
        self.line.take()
        self.line.type(text.encode() + ending)
        for _ in range(200):
            self.console.poll()
        shown = self.line.take()
        assert shown.startswith(text + "\r\n") and shown.endswith(PROMPT), shown
        lines = shown[len(text) + 2 : -len(PROMPT)].split("\r\n")
        assert lines.pop() == "" and "\n" not in "".join(lines), shown
        return lines

    def load(self, text):
        """Return the one line of an answer for programs."""
        [line] = self.ask(text + " json")
        return json.loads(line)


def booted(**options):
    """Return a desk whose node 1 is ready; node 2 is off. Some time has passed."""
    desk = Desk(**options)
    desk.cluster.off.add(2)
    desk.cluster.complete(1)
    desk.wait(1230)
    return desk


def test_probe():
    desk = booted()
    assert desk.ask("probe") == ["0 (north): pinging, own part not complete, heard 1 of 2, ready 1 of 3, 58.7 s left"]
    assert desk.load("probe") == {
        "faction": "probe",
        "id": 0,
        "name": "north",
        "state": 1,
        "complete": False,
        "heard": 1,
        "ready": 1,
        "required": 3,
        "peers": 3,
        "remaining_ms": 58780,
        "uptime_cs": 122,
        "known": 0,
        "start_ms": -1,
        "started": False,
        "started_late_ms": 0,
        "last_error": None,
    }
    desk.node.complete()
    assert desk.ask("probe") == ["0 (north): collecting, own part complete, heard 1 of 2, ready 2 of 3, 58.7 s left"]
    desk.node.cancel()
    assert desk.ask("probe") == ["0 (north): timed out, own part complete, heard 1 of 2, ready 2 of 3"]
    assert desk.load("probe")["remaining_ms"] == 0


class Kept:
    """What keeps the errors of a program."""

    def __init__(self, *lines):
        self.lines = lines

    def last(self):
        return self.lines[0] if self.lines else None

    def texts(self):
        return iter([line + "\n" for line in self.lines])


def test_errors():
    desk = booted()
    desk.console = Console(desk.node, desk.line, errors=Kept("step: ValueError: 7", "after 3 s", 'File "x.py", line 2'))
    assert desk.ask("errors") == ["step: ValueError: 7", "after 3 s", 'File "x.py", line 2']
    assert desk.load("errors") == {"faction": "errors", "lines": ["step: ValueError: 7", "after 3 s", 'File "x.py", line 2']}
    assert desk.load("probe")["last_error"] == "step: ValueError: 7"
    assert desk.ask("probe")[1:] == ["last error: step: ValueError: 7"]


def test_no_errors():
    desk = booted()
    desk.console = Console(desk.node, desk.line, errors=Kept())
    assert desk.ask("errors") == ["none"]
    assert desk.load("errors") == {"faction": "errors", "lines": []}
    assert desk.load("probe")["last_error"] is None and len(desk.ask("probe")) == 1
    desk.console = Console(desk.node, desk.line)
    assert desk.ask("errors")[0].startswith("errors: this program keeps none")


def test_idle_ms_tells_when_a_poll_has_something_to_do():
    desk = booted()
    assert desk.console.idle_ms() > 1000000
    desk.line.type(b"help\r")
    desk.console.poll()
    assert desk.console.idle_ms() == 0
    for _ in range(100):
        desk.console.poll()
    assert desk.console.idle_ms() > 1000000
    desk.line.type(b"watch 2\r")
    for _ in range(100):
        desk.console.poll()
    assert desk.console.idle_ms() == 2000
    desk.wait(500)
    assert 1400 <= desk.console.idle_ms() <= 1520


def seconds(cs):
    return "%d.%d s" % (cs // 100, cs // 10 % 10)


def test_peers():
    desk = booted()
    age_cs = desk.node.age_cs(1)
    assert 0 <= age_cs <= desk.cluster.ms // 10
    assert desk.ask("peers") == [
        "0 (north): this board, not ready",
        "1 (door): ready, heard %s ago, restarts 0" % seconds(age_cs),
        "2: never heard of, restarts 0",
    ]
    rows = [[0, "north", 0, 0, -1, 0, -1], [1, "door", 1, 1, age_cs, 0, age_cs], [2, None, 0, 0, -1, 0, -1]]
    assert desk.load("peers") == {"faction": "peers", "peers": rows}


def in_a_line():
    """Return a desk of a line: node 0 hears node 1, and node 1 hears both; nodes 0 and 2 do not hear each other."""
    desk = Desk()
    desk.cluster.air.cut = {(0, 2), (2, 0)}
    desk.cluster.complete(1, 2)
    desk.wait(3000)
    return desk


def test_what_others_told_is_no_hearing():
    desk = in_a_line()
    node = desk.node
    age_cs, said_cs = node.age_cs(1), node.age_cs(2, False)
    assert node.age_cs(2) == -1 and said_cs >= 0
    assert desk.ask("peers") == [
        "0 (north): this board, not ready",
        "1 (door): ready, heard %s ago, restarts 0" % seconds(age_cs),
        "2: ready, told by others %s ago, restarts 0" % seconds(said_cs),
    ]
    assert desk.load("peers")["peers"][1:] == [[1, "door", 1, 1, age_cs, 0, age_cs], [2, None, 0, 1, -1, 0, said_cs]]
    assert desk.ask("probe")[0].startswith("0 (north): pinging, own part not complete, heard 1 of 2, told of 1 more, ready 2 of 3, ")
    answer = desk.load("probe")
    assert (answer["heard"], answer["known"], answer["ready"]) == (1, 1, 2)
    assert desk.load("missing") == {"faction": "missing", "unheard": [], "unready": [0]}


def test_a_peer_that_is_heard_no_more_is_told_by_others():
    desk = Desk()
    desk.cluster.complete(1, 2)
    desk.wait(1000)
    desk.cluster.air.cut = {(0, 2), (2, 0)}
    desk.wait(9000)
    age_cs, said_cs = desk.node.age_cs(2), desk.node.age_cs(2, False)
    assert 0 <= said_cs < age_cs
    assert desk.ask("peers")[2] == "2: ready, heard %s ago, told by others %s ago, restarts 0" % (seconds(age_cs), seconds(said_cs))
    assert desk.load("probe")["known"] == 0 and desk.load("peers")["peers"][2] == [2, None, 1, 1, age_cs, 0, said_cs]


def test_the_common_start():
    desk = Desk(start_after_ms=2000)
    desk.cluster.complete(1, 2)
    desk.wait(2000)
    desk.node.complete()
    desk.wait(100)
    start_ms = desk.node.start_in_ms()
    assert 0 < start_ms < 2000
    assert desk.ask("probe")[0].endswith(", ready 3 of 3, common start in %s" % seconds(start_ms // 10))
    answer = desk.load("probe")
    assert (answer["start_ms"], answer["started"], answer["started_late_ms"]) == (start_ms, False, 0)
    desk.wait(2100)
    assert desk.ask("probe")[0].endswith(", ready 3 of 3, started")
    answer = desk.load("probe")
    assert (answer["start_ms"], answer["started"], answer["started_late_ms"]) == (0, True, 0)


def test_a_board_that_comes_after_the_common_start():
    desk = Desk(quorum=2, start_after_ms=500)
    desk.cluster.complete(1, 2)
    desk.wait(6000)
    assert desk.ask("probe")[0].split(", ")[-1] == "the others have started"
    desk.node.complete()
    desk.wait(100)
    late_ms = desk.node.started_late_ms
    assert late_ms > 3000 and desk.ask("probe")[0].endswith(", started %s late" % seconds(late_ms // 10))
    answer = desk.load("probe")
    assert (answer["start_ms"], answer["started"], answer["started_late_ms"]) == (0, True, late_ms)
    desk.node.restart()
    assert desk.load("probe")["start_ms"] == -1 and desk.load("probe")["started"] is False


def told(node, peer_id):
    """Return what stands behind "heard": when others told of a peer, if that is later."""
    said_cs = node.age_cs(peer_id, False)
    return ", told by others %s ago" % seconds(said_cs) if said_cs < node.age_cs(peer_id) else ""


def test_a_peer_that_restarts_is_counted_and_ages():
    desk = booted()
    desk.cluster.reboot(1)
    desk.cluster.reboot(2)
    desk.wait(2000)
    desk.node.cancel()
    desk.cluster.off.add(1)
    before = desk.node.age_cs(1)
    desk.wait(3000)
    assert desk.node.age_cs(1) == before + 300
    assert desk.ask("peers")[1:] == [
        "1 (door): not ready when this board concluded, heard %s ago%s, restarts 1" % (seconds(desk.node.age_cs(1)), told(desk.node, 1)),
        "2: not ready when this board concluded, heard %s ago%s, restarts 0" % (seconds(desk.node.age_cs(2)), told(desk.node, 2)),
    ]


def test_missing():
    desk = booted()
    assert desk.ask("missing") == ["never heard of: 2", "there, not ready: 0 (north)"]
    assert desk.load("missing") == {"faction": "missing", "unheard": [2], "unready": [0]}
    desk.node.complete()
    assert desk.ask("missing") == ["never heard of: 2", "there, not ready: nobody"]


def test_admissible():
    desk = booted()
    assert desk.ask("admissible") == [
        "participation observed: 0 (north), 2",
        "ready observed: 0 (north), 2",
        "local participation completed",
        "deadline expired",
        "probe",
        "withdrawal observed: 1 (door)",
    ]
    pairs = [[0, 0], [0, 2], [1, 0], [1, 2], [2, -1], [3, -1], [4, -1], [5, 1]]
    assert desk.load("admissible") == {"faction": "admissible", "commands": pairs}


def test_config_never_shows_the_key():
    desk = Desk(seal=need_key(b"a secret that stays secret"))
    expected = (
        ("cluster", "greenhouse"),
        ("id", 0),
        ("name", "north"),
        ("peers", 3),
        ("quorum", 3),
        ("roster", "%08x" % desk.node.wire.roster_check),
        ("interval_ms", 500),
        ("deadline_ms", 60000),
        ("start_after_ms", 2000),
        ("presence_ms", 16000),
        ("frames_per_minute", 0),
        ("protocol", 2),
        ("has_key", True),
    )
    version, *lines = desk.ask("config")
    assert version.startswith("version: ") and lines == ["%s: %s" % pair for pair in expected]
    answer = desk.load("config")
    assert [answer[name] for name, _ in expected] == [value for _, value in expected]
    for command in ("probe", "peers", "config", "stats", "journal", "help"):
        for form in ("", " json"):
            assert "secret" not in "".join(desk.ask(command + form)).replace("a second", "")


def test_stats_has_every_counter():
    desk = booted()
    clone = desk.cluster.make(0, (0, 1, 2), desk.cluster.air.ports[2])
    other = desk.cluster.make(9, (0, 9), desk.cluster.air.ports[2], quorum=2)
    clone.poll()
    other.poll()
    desk.wait(500)
    clone.complete()
    other.complete()
    desk.wait(20)
    lines = desk.ask("stats")
    numbers = list(desk.node.counters)
    assert len(COUNTERS) == len(numbers) == RECEIVE_FAILED + 1
    assert lines[: len(COUNTERS)] == ["%s %d" % pair for pair in zip(COUNTERS, numbers)]
    assert lines[len(COUNTERS) :] == ["latest other_expectations: 9", "latest same_id: 0 (north)", "transport: overflows 0"]
    answer = desk.load("stats")
    assert [answer["node"][name] for name in COUNTERS] == numbers
    assert answer["offenders"] == {"other_expectations": 9, "same_id": 0} and answer["transport"] == {"overflows": 0}


def test_stats_of_a_transport_that_counts_nothing():
    _, node = node_in("initial")
    assert '"transport": {}}' in "".join(Answers(node).to("stats json"))


def test_journal():
    desk = booted()
    desk.node.machine.process(READY_OBSERVED, 1)
    lines = desk.ask("journal")
    first = desk.cluster.ms // 10 - int(lines[0].split("age_cs=")[1])
    assert 0 < first < 110 and lines[0].startswith("journal 1 id=0 quorum=3 peers=0,1,2 dropped=")
    assert lines[1] == "command 0 0 1 9" and lines[2].startswith("command ") and lines[2].endswith(" 1 1 17")
    assert lines[3].startswith("rejection 2 ") and lines[-1] == "end %d" % (len(lines) - 2)
    assert desk.load("journal") == {"faction": "journal", "lines": lines}


def test_a_journal_that_follows_begins_anew_with_each_run():
    desk = booted()
    desk.node.cancel()
    assert [record[:2] for record in desk.journal] == [(0, 1), (1, 1), (3, -1)]
    desk.node.restart()
    desk.node.complete()
    assert [record[:2] for record in desk.journal] == [(2, -1)] and desk.journal.lost == 0
    desk.wait(40)
    lines = desk.ask("journal")
    assert lines[0].endswith("dropped=0 lost=0 age_cs=4") and lines[1] == "command 0 2 -1 97", lines


def test_a_console_without_a_journal_says_so():
    _, node = node_in("initial")
    assert "".join(Answers(node).to("journal")).startswith("journal: this program keeps none")


def test_a_console_that_may_only_look():
    desk = booted()
    for command in ("restart", "expire"):
        assert desk.ask(command) == [command + ": not allowed; set console_control = true in the roster, then deploy"]
        assert desk.load(command)["faction"] == "error"
    assert desk.node.machine.state == 1


def test_restart_and_expire_where_they_are_allowed():
    desk = booted(is_control_allowed=True)
    assert desk.ask("expire") == ["accepted: concluded timed out"] and desk.node.machine.state == TIMED_OUT
    assert desk.load("expire") == {"faction": "expire", "result": 0x1002}
    assert desk.load("restart") == {"faction": "restart"} and desk.node.machine.state == INITIAL
    desk.cluster.reboot(2)
    desk.cluster.complete()
    desk.wait(2000)
    assert desk.node.machine.state == BOOTSTRAPPED
    assert desk.ask("restart") == ["a new attempt has begun"] and desk.node.machine.state == INITIAL


def test_help_names_every_command():
    desk = booted()
    words = [line.split()[0] for line in desk.ask("help")]
    for word in words:
        assert "unknown" not in "".join(desk.ask(word))
    assert [name.split()[0] for name in desk.load("help")["commands"]] == words


def test_what_it_does_not_know_gets_one_line():
    desk = booted()
    periods = ("watch", "watch 0", "watch 3601", "watch x", "watch 1 2")
    for text in ("foo", "probe me", "json probe", "_name", "to", "peers json json") + periods:
        [line] = desk.ask(text)
        assert "unknown command; help lists the commands" in line or "seconds, from 1 to 3600" in line, line
        assert desk.load(text)["faction"] == "error"
    assert desk.ask("probe")[0].startswith("0 (north): pinging")


def test_every_line_ending_ends_one_line():
    desk = booted()
    expected = desk.ask("missing")
    for ending in (b"\r", b"\n", b"\r\n"):
        assert desk.ask("missing", ending) == expected
    desk.line.type(b"\r\n\n \r")
    for _ in range(20):
        desk.console.poll()
    assert desk.line.take() == "\r\n" + PROMPT + "\r\n" + PROMPT + " \r\n" + PROMPT


def test_byte_by_byte_and_in_one_go_are_the_same():
    script = b"probe\rpeers json\rfoo\r\nmissing\nstats json\rprobe\x08\x08\x08\x08\x08help\r" + b"x" * 80 + b"\rconfig\r"
    whole = booted()
    whole.line.type(script)
    for _ in range(600):
        whole.console.poll()
    pieces = booted()
    for i in range(len(script)):
        pieces.line.type(script[i : i + 1])
        for _ in range(20):
            pieces.console.poll()
    shown = whole.line.take()
    assert shown == pieces.line.take() and shown.count(PROMPT) == 8, shown


def test_keys_of_a_person():
    desk = booted()
    expected = desk.ask("missing")
    cursor_keys, noise = b"\x1b[Amis\x1b[Dsing\x1bOP\x1b[3~", b"\x01m\x00i\xffssing\x80"
    for typed in (b"mizz\x08\x7fssing", b"stats\x15missing", b"stats\x03missing", cursor_keys, noise):
        desk.line.type(typed + b"\r")
        for _ in range(50):
            desk.console.poll()
        lines = desk.line.take().split("\r\n")
        assert lines[1:-1] == expected, (typed, lines)
    desk.line.type(b"\x08\x08a\x08\x08")
    desk.console.poll()
    assert desk.line.take() == "a\x08 \x08"


def test_a_line_that_is_too_long():
    desk = booted()
    desk.line.type(b"probe" + b" " * 59 + b"\r")
    for _ in range(20):
        desk.console.poll()
    assert "pinging" in desk.line.take()
    for length in (65, 66, 1000):
        desk.line.type(b"x" * length + b"\r")
        for _ in range(60):
            desk.console.poll()
        assert desk.line.take() == "x" * 64 + "\r\nthis line has over 64 characters, too many; help lists the commands\r\n" + PROMPT
    desk.line.type(b"help" + b"x" * 100 + b"\x08" * 61 + b"\r")
    for _ in range(50):
        desk.console.poll()
    assert "this list" in desk.line.take()


def test_noise_is_survived():
    desk = booted(is_control_allowed=False)
    chance = Chance(7)
    for _ in range(60):
        desk.line.type(bytes([chance.below(256) for _ in range(chance.below(60))]))
        desk.wait(100)
    desk.line.type(b"\r")
    desk.wait(500)
    assert desk.load("probe")["id"] == 0 and desk.node.machine.state == 1


def test_watch_goes_on_until_a_key():
    desk = booted()
    desk.line.type(b"watch 2\r\n")
    desk.wait(7000)
    lines = desk.line.take().split("\r\n")
    assert lines[0] == "watch 2" and len(lines) == 6 and lines[5] == "", lines
    assert [line.split(", ")[-1] for line in lines[1:5]] == ["58.7 s left", "56.7 s left", "54.7 s left", "52.7 s left"]
    desk.line.type(b"q")
    desk.wait(5000)
    assert desk.line.take() == PROMPT
    desk.line.type(b"watch 1 json\r")
    desk.wait(2500)
    assert [json.loads(line)["id"] for line in desk.line.take().split("\r\n")[1:-1]] == [0, 0, 0]


def test_it_says_nothing_unasked():
    desk = booted()
    desk.node.complete()
    desk.cluster.reboot(2)
    desk.cluster.complete()
    desk.wait(3000)
    assert desk.node.machine.is_concluded and desk.line.take() == ""


def test_a_slow_stream_gets_everything():
    fast = booted()
    expected = {text: fast.ask(text) for text in ("probe", "stats", "help json")}
    for room in (1, 7, 64):
        slow = booted(room=room)
        for text, lines in expected.items():
            slow.line.type(text.encode() + b"\r")
            for _ in range(2000):
                slow.console.poll()
            assert slow.line.take() == text + "\r\n" + "".join([line + "\r\n" for line in lines]) + PROMPT, (room, text)


def test_a_poll_gives_out_a_line_or_so():
    desk = Desk(names=())
    desk.line.type(b"help\r")
    desk.console.poll()
    polls = most = 0
    while desk.console._answer is not None:
        before = len(desk.line.shown)
        desk.console.poll()
        most = max(most, len(desk.line.shown) - before)
        polls += 1
    assert polls > 4 and most < 96 + 100, (polls, most)


def test_a_stream_that_takes_nothing_loses_the_answer_and_no_more():
    desk = booted()
    desk.line.room = 0
    desk.line.type(b"stats\r")
    desk.wait(1500)
    desk.line.room = 10000
    desk.wait(1000)
    assert "receive_failed" in desk.line.take()
    desk.line.room = 0
    desk.line.type(b"stats\r")
    desk.wait(2500)
    desk.line.room = 10000
    desk.wait(1000)
    assert desk.line.take() == ""
    assert desk.load("probe")["id"] == 0


def test_a_cable_that_is_pulled_at_every_byte():
    for count in range(1, 160, 3):
        desk = booted()
        desk.line.room = 1
        desk.line.type(b"pro")
        desk.console.poll()
        desk.line.type(b"be\r")
        for _ in range(count):
            desk.console.poll()
        desk.line.is_torn = True
        desk.line.type(b"x")
        desk.wait(100)
        desk.line.is_torn = False
        desk.line.room = 10000
        desk.line.typed = bytearray()
        desk.line.type(b"\r")
        desk.wait(100)
        assert desk.load("probe")["state"] == 1


def test_names_for_another_number_of_peers_are_refused():
    said = message_of(ValueError, lambda: Desk(names=("north",)))
    assert said == "1 names: must be one for each of 3 peers, or none"


def printed(*arguments):
    """Return what probe prints."""
    said = []
    module.print = lambda text, end: said.append(text + end)
    try:
        probe(*arguments)
    finally:
        del module.print
    return "".join(said)


def test_probe_at_the_repl_finds_the_node_of_the_console():
    desk = booted()
    shown = desk.ask("probe")[0] + "\n"
    assert printed() == shown == printed(desk.node).replace("0:", "0 (north):", 1)  # a node alone has no names
    assert printed(None, "journal json").startswith('{"faction": "journal", "lines": [')
    assert printed(None, "nonsense") == "nonsense: unknown command; help lists the commands\n"


def test_an_idle_console_allocates_nothing():
    need_lock_or_count()
    desk = booted(names=())
    console = desk.console

    def idle():
        for _ in range(50):
            console.poll()

    watched(idle)
    desk.ask("probe")
    watched(idle)


def test_typing_allocates_nothing_but_what_the_line_itself_does():
    need_lock_or_count()
    _, node = node_in("initial")
    console = Console(node, Keys())

    def typing():
        for _ in range(100):
            console.poll()

    watched(typing)


class Keys:
    """A stream on which the same keys come again and again; nothing ends a line."""

    def __init__(self):
        self.keys = b"probe\x08\x1b[A\x15\xff"
        self.at = 0

    def any(self):
        self.at = (self.at + 1) % (2 * len(self.keys))
        return self.at % 2

    def readinto(self, buffer):
        buffer[0] = self.keys[self.at // 2]
        return 1

    def write(self, buffer):
        return len(buffer)


# A line under attack


def test_noise_floods_and_a_line_that_fails_are_survived():
    lines, polls, reads, writes, refused, ended = fuzz(5, 1500)
    assert polls > 5000 and reads > 5000 and writes > 5000 and refused > 500 and ended > 10


class Flood:
    """A stream on which the same bytes come for ever. ``reads`` and ``writes`` count its calls; it takes ``room`` bytes of each write."""

    def __init__(self, data, room=0):
        self.data = data
        self.at = self.reads = self.writes = 0
        self.room = room

    def any(self):
        return 1

    def readinto(self, buffer):
        buffer[0] = self.data[self.at % len(self.data)]
        self.at += 1
        self.reads += 1
        return 1

    def write(self, buffer):
        self.writes += 1
        return min(self.room, len(buffer)) or None


def test_a_poll_reads_few_bytes_however_many_come():
    for data in (b"\0", b"x", b"\xff", b"\x1b", b"\x03", b"\x08", b"x\x15", b"\x01\x02\x04", b"ab\x08\x08", b"\x7fz"):
        for room in (0, 1, 1000):
            desk = Desk()
            flood = Flood(data, room)
            console = Console(desk.node, flood)
            for _ in range(20):
                before, written = flood.reads, flood.writes
                console.poll()
                assert flood.reads - before <= 32 and flood.writes - written <= 98, (data, flood.reads - before, flood.writes - written)


def test_a_flood_of_lines_is_answered_piece_by_piece():
    desk = booted()
    flood = Flood(b"peers\r", 7)
    console = Console(desk.node, flood)
    for _ in range(200):
        before, written = flood.reads, flood.writes
        console.poll()
        assert flood.reads - before <= 32 and flood.writes - written <= 34


def pressed(desk, *keys):
    """Type keys, with so many ms before each, and return how many ctrl-C count."""
    for ms, key in keys:
        desk.wait(ms)
        desk.line.type(key)
        desk.console.poll()
    return desk.console.interrupts


def test_three_interrupts_within_a_second_and_no_fewer():
    c = b"\x03"
    assert pressed(booted(), (0, c), (10, c)) == 2
    assert pressed(booted(), (0, c), (300, c), (300, c)) == 3
    assert pressed(booted(), (0, c), (600, c), (600, c)) == 2  # the last two are within a second
    assert pressed(booted(), (0, c), (1200, c), (1200, c)) == 1
    assert pressed(booted(), (0, c), (900, c), (200, c), (200, c)) == 3  # the first of these four, from noise, takes no time away
    assert pressed(booted(), (0, c), (900, c), (900, c), (900, c)) == 2
    assert pressed(booted(), (0, b"\x03" * 3), (100, c), (2000, c)) == 1
    assert pressed(booted(), (0, b"\x03\x03\x03")) == 3
    assert pressed(booted(), (0, b"\x03\x01"), (60, b"\x03\x01"), (500, b"\x03\x01")) == 3  # as Thonny does
    assert pressed(booted(), (0, b"\x03a\x03b\x03c")) == 0  # noise has other characters between
    assert pressed(booted(), (0, b"\x03\xff\x03\x80\x03")) == 1


def test_interrupts_that_come_as_exceptions_count_too():
    desk = booted()
    desk.line.type(b"prob")
    desk.console.poll()
    for count in (1, 2, 3):
        assert desk.console.interrupts == count - 1
        desk.console.interrupt()
    desk = booted()
    desk.console.interrupt()
    desk.line.is_torn = True
    desk.console.interrupt()
    assert desk.console.interrupts == 2


def test_one_interrupt_clears_the_line_and_no_more():
    desk = booted()
    desk.line.type(b"pro\x03")
    desk.console.poll()
    assert desk.line.take() == "pro" + 3 * "\b \b"
    assert desk.ask("missing") == ["never heard of: 2", "there, not ready: 0 (north)"]
    desk.line.type(b"watch 1\r")
    desk.wait(100)
    desk.line.take()
    desk.console.interrupt()
    desk.wait(3000)
    assert desk.line.take() == PROMPT and desk.node.machine.state == 1


def wait_for_the_end(desk):
    """Poll as a program does, which ends at three ctrl-C."""
    for _ in range(20):
        if desk.console.interrupts < 3:
            desk.wait(10)


def test_a_tool_that_sends_one_interrupt_enter_and_more_gets_in():
    for typed in (b"\r\x03\r\x01", b"\x03\r\x01", b"\r\x03\x03\r\x01"):  # as mpremote and pyboard.py do
        desk = booted()
        desk.line.type(typed)
        wait_for_the_end(desk)
        assert desk.console.interrupts == 3 and bytes(desk.line.typed) == b"\x01", typed
    desk = booted()
    desk.line.type(b"\r")
    desk.console.interrupt()  # it came as an exception, before the key that was typed before it
    desk.line.type(b"\r\x01")
    wait_for_the_end(desk)
    assert desk.console.interrupts == 3 and bytes(desk.line.typed).endswith(b"\x01")


def test_a_person_who_presses_ctrl_c_and_enter_stays():
    desk = booted()
    desk.line.type(b"\x03\r")
    desk.wait(50)
    assert desk.line.take() == "\r\n" + PROMPT and desk.console.interrupts == 1
    assert desk.ask("probe")[0].startswith("0 (north): pinging")
    desk = booted()
    desk.line.type(b"\x03")
    desk.wait(400)
    desk.line.type(b"\rprobe\r")  # too late for a tool
    desk.wait(200)
    assert desk.console.interrupts == 0 and "pinging" in desk.line.take()


def test_noise_is_no_tool():
    desk = booted()
    desk.line.type(b"x\x03\r\x01\x03\r\x01")
    desk.wait(300)
    assert desk.console.interrupts == 2 and not desk.line.typed


def test_keys_whose_echo_nobody_takes():
    desk = booted()
    desk.line.room = 0
    desk.line.type(b"prox\x08be")
    desk.wait(100)
    desk.line.room = 10000
    desk.line.type(b"\r")
    desk.wait(200)
    assert desk.line.take().startswith("\r\n0 (north): pinging, ")


class Sink:
    """A stream that keeps nothing, so that nobody but the console allocates. It remembers its latest bytes."""

    def __init__(self, typed):
        self.typed = typed
        self.at = 0
        self.latest = bytearray(64)
        self.count = 0

    def any(self):
        return self.at < len(self.typed)

    def readinto(self, buffer):
        buffer[0] = self.typed[self.at]
        self.at += 1
        return 1

    def write(self, buffer):
        for i in range(len(buffer)):
            self.latest[self.count % 64] = buffer[i]
            self.count += 1
        return len(buffer)


def test_an_answer_without_memory_is_left_out():
    need_lock()
    for command in (b"probe\r", b"peers json\r", b"x" * 80 + b"\r"):
        desk = booted()
        sink = Sink(command)
        console = Console(desk.node, sink)
        console.poll()
        console.poll()  # some of the answer is there
        for _ in range(5):
            locked(lambda a, b, c: console.poll(), 0, 0, 0)
        for _ in range(50):
            console.poll()
        assert bytes(sink.latest[(sink.count - 9) % 64 :] + sink.latest)[:9] == PROMPT.encode(), bytes(sink.latest)
        sink.typed = b"missing\r"
        sink.at = 0
        for _ in range(50):
            console.poll()
        assert b"there, not ready: 0" in bytes(sink.latest + sink.latest)
