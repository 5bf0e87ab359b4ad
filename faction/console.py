"""A console: it reads a line and answers with a few lines. Ask any board about its node while the node runs.

    console = Console(node, stream)
    while True:
        node.poll()
        console.poll()

The answers for people are in words. With ``json`` after the command the answer is for programs: one JSON object on one
line; its "faction" is the name of the answer. Names that end in _ms are milliseconds, those in _cs hundredths of a second.
States and commands are the codes of ``faction``. At the REPL, without a console in the program:

    import faction.console
    faction.console.probe(node)

The console writes only answers. ``poll`` never waits. It reads at most 32 bytes, whatever they are, or it writes about a
hundred characters. A poll allocates nothing while nobody types. An answer allocates, in pieces whose size does not depend on
the number of peers. Nothing here is for interrupt handlers.
"""

import json

from . import __version__
from .machine import BOOTSTRAPPED, NO_PEER, READY_OBSERVED, WITHDRAWAL_OBSERVED
from .names import command_name, describe, state_name
from .transports.stream import ByteReader

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Iterable, Iterator
    from typing import Any, Protocol

    from .journal import Journal
    from .node import Node
    from .transports.stream import Reader, Stream

    class Errors(Protocol):
        """What keeps the errors of a program."""

        def last(self) -> "str | None":
            """Return one line of at most 100 characters that names the latest error; None: there is none."""

        def texts(self) -> "Iterator[str]":
            """Iterate over all that is kept, line by line, each with its end."""


PROMPT = "faction> "  # after each answer
COUNTERS = (  # the names of Node.counters, in the order of their codes
    "beacon",
    "malformed",
    "corrupt",
    "other_version",
    "other_cluster",
    "other_expectations",
    "same_id",
    "stranger",
    "stale",
    "echo",
    "unproven",
    "restart",
    "sent",
    "send_failed",
    "receive_failed",
)
# The names of the kinds of conflict, in the order of Node.offenders.
CONFLICTS = ("other_version", "other_cluster", "other_expectations", "same_id")

_LINE = const(64)  # the most characters of a command
_KEYS = const(32)  # a poll reads at most so many bytes, so that a flood cannot hold it
_SOME = const(96)  # a poll writes this many characters of an answer, and the rest of the piece
_PIECES = const(32)  # a poll makes at most so many pieces of an answer
_PATIENCE_CS = const(200)  # if a stream takes nothing for this time, the rest of the answer is dropped
_MAX_CS = const(0x1FFFFFFF)  # of Node.uptime_cs
_MAX_WATCH_S = const(3600)
_FOR_EVER = const(0x3FFFFFFF)  # Peers.presence_ms of a node that counts a silent member for ever

# Ctrl-C: see Console.interrupt
_ENOUGH = const(3)
_SECOND_CS = const(100)
_KNOCK_CS = const(30)
_QUIET_CS = const(50)

# The bytes that keys send
_INTERRUPT = const(3)
_BACKSPACE = const(8)
_LINE_FEED = const(10)
_RETURN = const(13)
_KILL = const(21)
_ESCAPE = const(27)
_DELETE = const(127)

_NO_MEMORY = b"\r\nout of memory: the rest of the answer is left out\r\nfaction> "
_NO_MEMORY_JSON = b'\r\n{"faction": "error", "text": "out of memory: ask again"}\r\nfaction> '

about: "tuple[tuple[str, str], ...]" = ()  # what config says of the board itself; boards/common/member.py fills it in
served: "Answers | None" = None  # the answers of the latest Console, for probe at the REPL


class Answers:
    """The answers about a node. There is a method for each command; it iterates over the pieces of the answer.

    Each piece is short, and some are empty: between two of them a method looks at a few peers only. So an answer about a
    thousand peers takes no more memory at once than one about ten, and holds nobody up. as_json: whether the answer is
    JSON. All methods allocate.
    """

    def __init__(
        self,
        node: "Node",
        journal: "Journal | None" = None,
        names: "Iterable[str | None]" = (),
        is_control_allowed: bool = False,
        errors: "Errors | None" = None,
    ) -> None:
        """Take what the answers are about.

        journal: for the command journal. names: the names of the peers in the order of node.config.peers, or none.
        is_control_allowed: whether the commands restart and expire work. errors: for the command errors. Raises ValueError.
        Allocates.
        """
        self._node = node
        self._journal = journal
        self._names = tuple(names)
        if self._names and len(self._names) != len(node.config.peers):
            raise ValueError("%d names: must be one for each of %d peers, or none" % (len(self._names), len(node.config.peers)))
        self._errors = errors
        self._is_control_allowed = is_control_allowed  # otherwise restart and expire refuse

    def to(self, line: str) -> "Iterator[str]":
        """Return the pieces of the answer to a line. A line without words has no pieces."""
        words = line.split()
        as_json = len(words) > 1 and words[-1] == "json"
        if as_json:
            words.pop()
        if not words:
            return iter(())
        for usage, _, answer in _COMMANDS:
            if words == [usage] or words[0] == usage.split(" ")[0] != usage:
                return answer(self, as_json)
        return self.refuse("%s: unknown command; help lists the commands" % " ".join(words), as_json)

    def probe(self, as_json: bool) -> "Iterator[str]":
        """Give the state, how many peers were heard, are known through others alone, and are ready, how many must be ready, the
        time left, and the common start. In JSON start_ms is the time until the start: 0 if it has passed, -1 if there is none.
        last_error names the latest error of the program in at most 100 characters; null: there is none.
        """
        node = self._node
        machine = node.machine
        peers = node.config.peers
        heard = known = 0
        for peer_id in peers:
            if node.age_cs(peer_id) >= 0:
                heard += 1
            elif node.age_cs(peer_id, False) >= 0:
                known += 1
            yield ""
        left_ms = 0 if machine.is_concluded else node.remaining_ms
        last_error = self._errors.last() if self._errors else None
        if as_json:
            yield from _object(
                "probe",
                ("id", node.config.peer_id),
                ("name", self._name(node.config.peer_id)),
                ("state", machine.state),
                ("complete", machine.is_pinging_completed),
                ("heard", heard),
                ("ready", machine.collecting.count),
                ("required", node.config.quorum),
                ("peers", len(peers)),
                ("remaining_ms", left_ms),
                ("uptime_cs", node.uptime_cs),
                ("known", known),
                ("start_ms", node.start_in_ms()),
                ("started", node.has_started),
                ("started_late_ms", node.started_late_ms),
                ("last_error", last_error),
            )
            return
        yield "%s: %s, " % (self._label(node.config.peer_id), state_name(machine.state))
        yield "own part %s, " % ("complete" if machine.is_pinging_completed else "not complete")
        yield "heard %d of %d, %s" % (heard, len(peers) - 1, "told of %d more, " % known if known else "")
        yield "ready %d of %d" % (machine.collecting.count, node.config.quorum)
        yield "" if machine.is_concluded else ", %s left" % _seconds(left_ms // 10)
        yield self._start() + "\r\n"
        if last_error:
            yield "last error: %s\r\n" % last_error

    def _start(self) -> str:
        """Say in words when the common start is or was, if one is known."""
        node = self._node
        if node.has_started:
            late_ms = node.started_late_ms
            return ", started" + (" %s late" % _seconds(late_ms // 10) if late_ms else "")
        start_ms = node.start_in_ms()
        if start_ms < 0:
            return ""
        if start_ms == 0 and node.machine.state != BOOTSTRAPPED:
            return ", the others have started"
        return ", common start in %s" % _seconds(start_ms // 10)

    def peers(self, as_json: bool) -> "Iterator[str]":
        """Give one line for each peer: whether it is ready, when it was heard last, and when others told of it if that is later.

        In JSON it is [id, name, heard, ready, age_cs, restarts, said_cs]. heard: whether a frame of its own came in this run.
        age_cs: since the last one. said_cs: since it last said how it is, to us or to others who told us. Both are -1 if
        there is none.
        """
        node = self._node
        text = '{"faction": "peers", "peers": ['
        for peer_id in node.config.peers:
            age_cs = node.age_cs(peer_id)
            said_cs = node.age_cs(peer_id, False)
            ready = node.machine.collecting.has(peer_id)
            if as_json:
                row = (peer_id, self._name(peer_id), int(age_cs >= 0), int(ready), age_cs, node.restarts(peer_id), said_cs)
                yield text + json.dumps(row)
                text = ", "
            else:
                yield "%s: %s\r\n" % (self._label(peer_id), self._standing(peer_id, age_cs, said_cs, ready))
        if as_json:
            yield "]}\r\n"

    def _standing(self, peer_id: int, age_cs: int, said_cs: int, ready: bool) -> str:
        node = self._node
        standing = "not ready"
        if ready:
            standing = "ready"
        elif node.machine.is_concluded:
            standing = "not ready when this board concluded"
        if peer_id == node.config.peer_id:
            return "this board, " + ("ready" if ready else "not ready")
        if age_cs < 0 and said_cs < 0:
            standing = "never heard of"
        if age_cs >= 0:
            standing += ", heard %s ago" % _seconds(age_cs)
        if said_cs >= 0 and not 0 <= age_cs <= said_cs:
            standing += ", told by others %s ago" % _seconds(said_cs)
        return standing + ", restarts %d" % node.restarts(peer_id)

    def missing(self, as_json: bool) -> "Iterator[str]":
        """Name the peers of whom nobody has heard in this run, and those that are there but not known to be ready."""
        # Each peer is judged once, so it is in one of the lists at most. A bit for each: a large piece of the heap may not be there.
        known = bytearray((len(self._node.config.peers) + 7) >> 3)
        yield '{"faction": "missing", "unheard": [' if as_json else "never heard of: "
        yield from self._list(self._unheard(known), as_json)
        yield '], "unready": [' if as_json else "\r\nthere, not ready: "
        peers = self._node.config.peers
        yield from self._list((peers[i] if known[i >> 3] >> (i & 7) & 1 else NO_PEER for i in range(len(peers))), as_json)
        yield "]}\r\n" if as_json else "\r\n"

    def _unheard(self, known: bytearray) -> "Iterator[int]":
        """Iterate over the peers as Node.each_missing does, and give NO_PEER for all but those unheard. Mark those that are there."""
        node = self._node
        for i in range(len(node.config.peers)):
            peer_id = node.config.peers[i]
            is_missing = not node.machine.collecting.has(peer_id)
            is_known = node.age_cs(peer_id, False) >= 0 or peer_id == node.config.peer_id
            if is_missing and is_known:
                known[i >> 3] |= 1 << (i & 7)
            yield peer_id if is_missing and not is_known else NO_PEER

    def _list(self, peer_ids: "Iterable[int]", as_json: bool) -> "Iterator[str]":
        """Give ids, or in words their labels, with commas between. For NO_PEER it gives an empty piece."""
        comma = ""
        for peer_id in peer_ids:
            if peer_id == NO_PEER:
                yield ""
            else:
                yield comma + (str(peer_id) if as_json else self._label(peer_id))
                comma = ", "
        if not comma and not as_json:
            yield "nobody"

    def admissible(self, as_json: bool) -> "Iterator[str]":
        """Give the commands that the machine would accept now. In JSON each is [command, peer id or -1]."""
        text = '{"faction": "admissible", "commands": ['
        for command in range(WITHDRAWAL_OBSERVED + 1):
            first = command_name(command)
            for peer_id in (NO_PEER,) if READY_OBSERVED < command < WITHDRAWAL_OBSERVED else self._node.config.peers:
                if not self._node.machine.admits(command, peer_id):
                    yield ""
                elif as_json:
                    yield "%s[%d, %d]" % (text, command, peer_id)
                    text = ", "
                else:
                    yield first if peer_id == NO_PEER else (first + ": " if first else ", ") + self._label(peer_id)
                    first = ""
            if not first:
                yield "\r\n"
        if as_json:
            yield "]}\r\n"

    def config(self, as_json: bool) -> "Iterator[str]":
        """Give our identity, and what we expect of the others. Boards whose "roster" differs do not count each other.

        It never shows the key, only whether there is one.
        """
        node = self._node
        pairs = (
            ("version", __version__),
            ("cluster", node.cluster),
            ("id", node.config.peer_id),
            ("name", self._name(node.config.peer_id)),
            ("peers", len(node.config.peers)),
            ("quorum", node.config.quorum),
            ("roster", "%08x" % node.wire.roster_check),
            ("interval_ms", node.interval_ms),
            ("deadline_ms", node.deadline_ms),
            ("start_after_ms", node.start_after_ms),
            ("presence_ms", node.peers.presence_ms % _FOR_EVER),  # 0: for ever
            ("frames_per_minute", node.frames_per_minute),
            ("protocol", node.wire.outbox[2]),
            ("has_key", len(node.wire.proof) > 0),
        ) + about
        if as_json:
            yield from _object("config", *pairs)
        else:
            for name, value in pairs:
                yield "%s: %s\r\n" % (name, value)

    def stats(self, as_json: bool) -> "Iterator[str]":
        """Give every counter of node and transport, and the latest offender of each kind of conflict."""
        node = self._node
        pairs = ((name, node.counters[i]) for i, name in enumerate(COUNTERS))
        offenders = ((name, node.offenders[i]) for i, name in enumerate(CONFLICTS) if node.offenders[i] >= 0)
        transport = node.transport.counts() if hasattr(node.transport, "counts") else ()
        if as_json:
            yield '{"faction": "stats", "node": {'
            yield from _pairs(pairs)
            yield '}, "offenders": {'
            yield from _pairs(offenders)
            yield '}, "transport": {'
            yield from _pairs(transport)
            yield "}}\r\n"
            return
        for name, number in pairs:
            yield "%s %d\r\n" % (name, number)
        for name, peer_id in offenders:
            yield "latest %s: %s\r\n" % (name, self._label(peer_id))
        for name, number in transport:
            yield "transport: %s %d\r\n" % (name, number)

    def journal(self, as_json: bool) -> "Iterator[str]":
        """Give the record of the run, in lines for faction replay."""
        if self._journal is None:
            text = "journal: this program keeps none; give a Journal to the node as its observer, and to the console"
            yield from self.refuse(text, as_json)
            return
        text = '{"faction": "journal", "lines": ["' if as_json else ""
        for piece in self._journal.pieces():  # no character in it is special in JSON
            yield text + piece.replace("\n", "" if as_json else "\r\n")
            text = '", "' if as_json and piece.endswith("\n") else ""
        if as_json:
            yield '"]}\r\n'

    def errors(self, as_json: bool) -> "Iterator[str]":
        """Give what the program has kept of its errors, line by line."""
        if self._errors is None:
            yield from self.refuse("errors: this program keeps none; give the console an object that does", as_json)
            return
        text = '{"faction": "errors", "lines": ['
        for line in self._errors.texts():
            yield text + json.dumps(line.rstrip()) if as_json else line.rstrip() + "\r\n"
            text = ", "
        if as_json:
            yield ("" if text == ", " else text) + "]}\r\n"
        elif text != ", ":
            yield "none\r\n"

    def watch(self, as_json: bool) -> "Iterator[str]":
        """Say how to write the command. A Console does a correct one itself, so only a wrong one comes here."""
        return self.refuse("watch: give the seconds, from 1 to %d, for example: watch 5" % _MAX_WATCH_S, as_json)

    def restart(self, as_json: bool) -> "Iterator[str]":
        """Begin a new attempt and forget everything, if the configuration allows it."""
        if self._is_control_allowed:
            self._node.restart()
            yield from _object("restart") if as_json else ("a new attempt has begun\r\n",)
        else:
            yield from self._forbid("restart", as_json)

    def expire(self, as_json: bool) -> "Iterator[str]":
        """End the wait now, if the configuration allows it."""
        if self._is_control_allowed:
            result = self._node.cancel()
            yield from _object("expire", ("result", result)) if as_json else (describe(result) + "\r\n",)
        else:
            yield from self._forbid("expire", as_json)

    def help(self, as_json: bool) -> "Iterator[str]":
        """Give the list of commands."""
        if as_json:
            yield from _object("help", ("commands", [usage for usage, _, _ in _COMMANDS]))
        else:
            for usage, text, _ in _COMMANDS:
                yield "%s  %s\r\n" % (usage + " " * (10 - len(usage)), text)

    def _forbid(self, word: str, as_json: bool) -> "Iterator[str]":
        return self.refuse("%s: not allowed; set console_control = true in the roster, then deploy" % word, as_json)

    def refuse(self, text: str, as_json: bool) -> "Iterator[str]":
        """Give an error: text, or in JSON "error" with it."""
        yield from _object("error", ("text", text)) if as_json else (text + "\r\n",)

    def _name(self, peer_id: int) -> "str | None":
        index = self._node.config.index(peer_id)
        return self._names[index] if self._names and index >= 0 else None

    def _label(self, peer_id: int) -> str:
        name = self._name(peer_id)
        return str(peer_id) if name is None else "%d (%s)" % (peer_id, name)


# How to write each command, what it does, and the method that answers.
_COMMANDS = (
    ("probe", "state, counts, time left, common start", Answers.probe),
    ("peers", "one line a peer: ready, last heard, told by others, restarts", Answers.peers),
    ("missing", "whom nobody has heard of, who is not ready", Answers.missing),
    ("admissible", "what the machine would accept now", Answers.admissible),
    ("config", "id, cluster, quorum, check of the roster", Answers.config),
    ("stats", "every counter of node and transport", Answers.stats),
    ("journal", "the record, for faction replay", Answers.journal),
    ("errors", "what the program has kept of its errors", Answers.errors),
    ("watch N", "probe every N seconds until a key is pressed", Answers.watch),
    ("restart", "begin a new attempt, if that is allowed", Answers.restart),
    ("expire", "end the wait now, if that is allowed", Answers.expire),
    ("help", "this list; json behind a command answers programs", Answers.help),
)


class Console:
    """Reads lines from a stream and answers them there.

    ``interrupts``  how many ctrl-C came in a row within a second: at 3 the program should end, and leave the line to the REPL
    """

    def __init__(
        self,
        node: "Node",
        stream: "Stream | Reader",
        journal: "Journal | None" = None,
        names: "Iterable[str | None]" = (),
        is_control_allowed: bool = False,
        errors: "Errors | None" = None,
    ) -> None:
        """Make a console.

        stream: see faction.transports.stream. Its write may take a part of the bytes, or return None if it takes none.
        journal: an observer of the node, which the command journal shows. names: the names of the peers in the order of
        node.config.peers, or none. is_control_allowed: whether the commands restart and expire work. errors: what keeps the
        errors of the program, with last() and texts() as boards/common/last_error.py has them. Raises ValueError. Allocates.
        """
        global served
        served = self._answers = Answers(node, journal, names, is_control_allowed, errors)
        self._node = node
        self._stream: Any = stream
        self._reader = ByteReader(stream)
        self._echo = bytearray(1)  # the character that goes back to the terminal
        self._line = bytearray(_LINE)  # what was typed of the present line
        self._length = 0  # characters of that line; more than _LINE: it is too long
        self._escape_step = 0  # how far we are in what a cursor key sends; 0: not in it
        self._last_key = 0  # CR LF ends one line, not two
        self.interrupts = 0
        self._interrupted_cs = 0  # the uptime at the first of them
        self._second_cs = 0  # the uptime at the second one, if there are two
        self._typed_cs = -_QUIET_CS  # the uptime when a character was typed last
        self._is_knocked = False  # ctrl-C and Enter came on a quiet line
        self._no_memory = _NO_MEMORY
        self._answer: Iterator[str] | None = None  # the rest of the answer
        self._unsent = b""  # what the stream has not taken yet
        self._taken_cs = 0  # the uptime when the stream took something last
        self._watch = ""  # the command that is repeated, "" for none
        self._period_cs = 0  # between two of its answers
        self._watched_cs = 0  # the uptime when it was answered last

    def poll(self) -> None:
        """Write some more of an answer, or read what was typed. Call it as often as the poll of the node.

        Allocates only while there is an answer. If there is no memory for it, the rest of the answer is left out.
        """
        try:
            if self._unsent:
                self._write_unsent()
            elif self._answer is not None:
                self._continue_answer()
            else:
                self._read_keys()
        except OSError:  # the cable is out: nobody waits for the answer
            self._drop_all()
        except MemoryError:
            self._drop_all()
            self._unsent = self._no_memory
            self._taken_cs = self._node.uptime_cs

    def idle_ms(self) -> int:
        """Return the ms until a poll has something to do, if nobody types, up to 2**30 - 1; 0: an answer is under way.

        Allocates nothing.
        """
        if self._unsent or self._answer is not None or self._is_knocked:
            return 0
        if not self._watch:
            return _FOR_EVER
        return max(0, self._period_cs - (self._node.uptime_cs - self._watched_cs & _MAX_CS)) * 10

    def interrupt(self) -> None:
        """Take a ctrl-C that came as a KeyboardInterrupt: it clears the line that is typed, and counts in ``interrupts``.

        One that comes as a byte does the same. A character that is typed ends the row. Tools like mpremote send only one
        ctrl-C, and go on at once with Enter and another byte. On a line that was quiet before, this counts as three
        ctrl-C. That byte stays unread, as it is for the REPL. Allocates nothing, and raises nothing.
        """
        try:
            self._take_key(_INTERRUPT)
        except OSError:
            self._drop_all()

    def _drop_all(self) -> None:
        self._answer = None
        self._unsent = b""
        self._watch = ""
        self._length = 0

    def _write_unsent(self) -> None:
        written = self._stream.write(self._unsent)
        if written:
            self._unsent = self._unsent[written:]
            self._taken_cs = self._node.uptime_cs
        elif self._node.uptime_cs - self._taken_cs & _MAX_CS > _PATIENCE_CS:
            self._drop_all()

    def _continue_answer(self) -> None:
        """Write the next pieces of the answer."""
        text = ""
        count = 0
        for piece in self._answer or ():
            text += piece
            count += 1
            if len(text) > _SOME or count == _PIECES:
                break
        else:
            self._answer = None
            if not self._watch:
                text += PROMPT
        self._begin_text(text)

    def _begin_text(self, text: str) -> None:
        self._unsent = text.encode()
        self._taken_cs = self._node.uptime_cs
        self._write_unsent()

    def _read_keys(self) -> None:
        if self._is_knocked:
            self._answer_knock()
            return
        for _ in range(_KEYS):
            byte = self._reader.next()
            if byte < 0:
                break
            self._take_key(byte)
            if self._answer is not None or self._unsent or self._is_knocked or self.interrupts >= _ENOUGH:
                return
        if self._watch and self._node.uptime_cs - self._watched_cs & _MAX_CS >= self._period_cs:
            self._watched_cs = self._node.uptime_cs
            self._answer = self._answers.to(self._watch)

    def _answer_knock(self) -> None:
        """Tell a tool, which has sent more by now, from a person, who has not."""
        self._is_knocked = False
        if self._reader.waiting():
            self.interrupts = _ENOUGH
        else:
            self._end_line()

    def _take_key(self, byte: int) -> None:
        """Do what a key means."""
        if byte >= 32:
            self.interrupts = 0
            self._typed_cs = self._node.uptime_cs
        elif byte == _INTERRUPT:
            self._count_interrupt()
        if byte == _LINE_FEED and self._last_key == _RETURN:
            pass
        elif self._watch:
            self._watch = ""
            self._begin_text(PROMPT)
        elif byte == _RETURN and self._last_key == _INTERRUPT and self._is_knock():
            self._is_knocked = True
        elif byte == _RETURN or byte == _LINE_FEED:
            self._end_line()
        elif self._escape_step or byte == _ESCAPE:
            self._skip_escape(byte)
        elif byte == _BACKSPACE or byte == _DELETE:
            self._erase(1)
        elif byte == _KILL or byte == _INTERRUPT:
            self._erase(_LINE)
        elif 32 <= byte < _DELETE:
            self._append(byte)
        self._last_key = byte

    def _count_interrupt(self) -> None:
        now_cs = self._node.uptime_cs
        for _ in range(2):  # those that are too old leave the row: the first one, or both
            if self.interrupts and now_cs - self._interrupted_cs & _MAX_CS > _SECOND_CS:
                self.interrupts = 1 if self.interrupts == 2 else 0
                self._interrupted_cs = self._second_cs
        if not self.interrupts:
            self._interrupted_cs = now_cs
        self.interrupts += 1
        self._second_cs = now_cs

    def _is_knock(self) -> bool:
        """Tell whether a ctrl-C has just come on a quiet line."""
        age_cs = self._node.uptime_cs - self._interrupted_cs & _MAX_CS
        quiet_cs = self._interrupted_cs - self._typed_cs & _MAX_CS
        return age_cs <= _KNOCK_CS and quiet_cs >= _QUIET_CS

    def _skip_escape(self, byte: int) -> None:
        """Skip what a cursor key sends: escape, "[" or "O", numbers, and a letter or "~"."""
        if self._escape_step == 0 or (self._escape_step == 1 and byte in b"[O"):
            self._escape_step += 1
        elif self._escape_step == 1 or byte >= 64:
            self._escape_step = 0

    def _append(self, byte: int) -> None:
        if self._length < _LINE:
            self._line[self._length] = byte
            self._echo[0] = byte
            self._stream.write(self._echo)
        self._length = min(self._length + 1, _LINE + 1)

    def _erase(self, count: int) -> None:
        for _ in range(min(count, self._length)):
            self._length -= 1
            if self._length < _LINE:
                self._stream.write(b"\b \b")

    def _end_line(self) -> None:
        text = "".join([chr(byte) for byte in self._line[: self._length]])
        is_too_long = self._length > _LINE
        self._length = self._escape_step = 0
        self._begin_text("\r\n")
        words = text.split()
        self._no_memory = _NO_MEMORY_JSON if words[-1:] == ["json"] else _NO_MEMORY
        if is_too_long:
            self._answer = self._answers.refuse("this line has over %d characters, too many; help lists the commands" % _LINE, False)
        elif words[:1] == ["watch"] and _is_period(words[1:2]) and words[2:] in ([], ["json"]):
            self._period_cs = 100 * int(words[1])
            self._watched_cs = self._node.uptime_cs
            self._watch = " ".join(["probe"] + words[2:])
            self._answer = self._answers.to(self._watch)
        else:
            self._answer = self._answers.to(text)


def probe(node: "Node | None" = None, line: str = "probe") -> None:
    """Print the answer to a line, for people at the REPL. Allocates.

    node: the node that the line asks about; None: that of the latest Console. Raises ValueError if there is none.
    """
    answers = served if node is None else Answers(node)
    if answers is None:
        raise ValueError("node None: this program has made no console; call probe(node)")
    for piece in answers.to(line):
        print(piece.replace("\r\n", "\n"), end="")


def _is_period(words: "list[str]") -> bool:
    return len(words) == 1 and len(words[0]) < 5 and words[0].isdigit() and 1 <= int(words[0]) <= _MAX_WATCH_S


def _object(kind: str, *pairs: "tuple[str, Any]") -> "Iterator[str]":
    """Give an answer as JSON. json.dumps of a dict would not do: on MicroPython a dict has no order."""
    yield "{"
    yield from _pairs((("faction", kind),) + pairs)
    yield "}\r\n"


def _pairs(pairs: "Iterable[tuple[str, Any]]") -> "Iterator[str]":
    """Give the pairs of a JSON object, one at a time."""
    comma = ""
    for name, value in pairs:
        yield "%s%s: %s" % (comma, json.dumps(name), json.dumps(value))
        comma = ", "


def _seconds(cs: int) -> str:
    return "%d.%d s" % (cs // 100, cs // 10 % 10)
