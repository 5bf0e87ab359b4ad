"""Many boards at the same time: who is who, the ids that go into the roster, and boards that are broken among good ones."""

import json
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pexpect
import pytest
import serial
from command import FACTION, faction
from emulated import Board, states, wait
from needs import NO_MICROPYTHON, require
from test_deploy_broken import FAULTS, Fake, echo, log, modem, noise, shorten, silent

from faction import BOOTSTRAPPED
from faction_tools import cli
from faction_tools.dev.cluster import free_ports
from faction_tools.fleet.roster import load

require(NO_MICROPYTHON)

HEAD = """\
# The boards of my desk
cluster = "desk"      # nobody else's
quorum = 1

[transport]
kind = "udp"
port = {port}
to = ["192.0.2.255:{port}"]  # an address that is nobody's

"""
BOARD = """\
[[boards]]            # number {id}
id = {id}
name = "{name}"
kind = "{kind}"       # on the shelf
{more}
"""
RUNS = {"notes.txt": b"mine", "main.py": b"import time\nprint('my own program')\nwhile True:\n    time.sleep(1)\n"}
MINE = {"notes.txt": b"mine", "main.py": b"print('my own program')\n"}


class Desk:
    """A roster, and boards that are plugged in.

    ``path``    the roster
    ``boards``  the emulated boards, in the order in which they were plugged in
    """

    def __init__(self, folder, stack):
        self.folder, self.path, self._stack = folder, folder / "faction.toml", stack
        self.boards = []

    def write(self, *entries):
        """Write a roster: (name, kind, hardware id or None) of each board."""
        text = HEAD.format(port=free_ports(1)[0])
        for i, (name, kind, number) in enumerate(entries):
            more = f'hardware_id = "{number}"\n' if number else ""
            text += BOARD.format(id=i, name=name, kind=kind, more=more)
        self.path.write_text(text)
        return text

    def plug_in(self, kind="esp32", number="", fault="", **files):
        flash = self.folder / f"flash{len(self.boards)}"
        flash.mkdir()
        for name, content in files.items():
            (flash / name).write_bytes(content)
        self.boards.append(self._stack.enter_context(Board(flash, kind, number, fault)))
        return self.boards[-1]

    def enter(self, context):
        return self._stack.enter_context(context)

    def words(self, *ports, options=()):
        ports = ports or [board.port for board in self.boards]
        return ["deploy", "--roster", str(self.path), "--slice", "node", *options, "--all", *ports]

    def command(self, *ports, options=()):
        return [*FACTION, *self.words(*ports, options=options)]

    def deploy(self, *ports, options=()):
        """Run the command without a terminal."""
        done = faction(*self.words(*ports, options=options))
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def at_terminal(self, *ports, columns=100, options=()):
        command = self.command(*ports, options=options)
        return pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=120, dimensions=(30, columns))


@pytest.fixture
def desk(tmp_path):
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


def files(board):
    return {path.relative_to(board.flash).as_posix(): path.read_bytes() for path in board.flash.rglob("*") if path.is_file()}


def id_on(board):
    return json.loads((board.flash / "faction.json").read_text())["peer_id"]


def test_each_board_gets_its_own_files_by_its_hardware_id(desk):
    desk.write(("north", "esp32", "0a01"), ("south", "esp32", "0a02"), ("door", "rp2040", "0a03"), ("gone", "esp32", "0a04"))
    for kind, number in (("rp2040", "0a03"), ("esp32", "0a02"), ("esp32", "0a01")):
        desk.plug_in(kind, number)
    before = desk.path.read_bytes()
    done = desk.deploy()
    assert (done.returncode, done.stderr) == (0, ""), done
    assert [id_on(board) for board in desk.boards] == [2, 1, 0]
    for i, name in enumerate(("north", "south", "door")):
        assert f"{name}: faction: node {i} of 4, quorum 1\n" in done.stdout, done.stdout
    assert done.stdout.splitlines()[-1] == "3 of 3 boards deployed; not plugged in: gone"
    assert desk.path.read_bytes() == before
    again = desk.deploy()
    assert again.stdout.count(" faction: node ") == 3 and len(re.findall("copied 0 files", again.stdout)) == 3 and again.returncode == 0, (
        again.stdout
    )


def test_an_unknown_board_without_a_terminal_is_a_clear_line_and_the_others_go_on(desk):
    before = desk.write(("north", "esp32", "0a01"), ("south", "esp32", None), ("door", "rp2040", None))
    good, unknown = desk.plug_in("esp32", "0a01"), desk.plug_in("esp32", "0a99", **RUNS)
    wait(lambda: b"my own program" in unknown.said)
    done = desk.deploy()
    remedy = "run this in a terminal to be asked for its place, or write its hardware_id into the roster: free are south"
    assert done.stderr == f"{unknown.port}: hardware id 0a99: is not in the roster; {remedy}\n" and done.returncode == 2
    assert done.stdout.splitlines()[-1] == "1 of 2 boards deployed; not plugged in: south, door; without a place: 1"
    assert id_on(good) == 0 and files(unknown) == RUNS and desk.path.read_text() == before
    wait(lambda: unknown.said.count(b"my own program") >= 2)  # it runs again


def test_a_person_gives_the_places_and_the_roster_keeps_its_comments(desk):
    before = desk.write(("north", "esp32", None), ("south", "esp32", None), ("door", "rp2040", None))
    for kind, number in (("esp32", "0a01"), ("esp32", "0a02"), ("rp2040", "0a03")):
        desk.plug_in(kind, number)
    child = desk.at_terminal()
    child.expect("Generic ESP32 module with ESP32, hardware id 0a01, MicroPython 1.28.0\r\n")
    child.expect(re.escape("Which board of the roster is it? Free: 0 (north), 1 (south)\r\n"))
    child.expect("Enter: none of them > ")
    child.sendline("west")
    child.expect(re.escape("west: is not free; write one of: 0 (north), 1 (south)\r\n"))
    child.sendline("south")
    child.expect(r"hardware id 0a02")
    child.expect(re.escape("Free: 0 (north)\r\n"))
    child.sendline("0")
    child.expect("hardware id 0a03")
    child.sendline("door")
    child.expect(re.escape("has the hardware_id of north, south, door now\r\n"))
    child.expect(re.escape("3 of 3 boards deployed\r\n"))
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0 and [id_on(board) for board in desk.boards] == [1, 0, 2]
    after = desk.path.read_text()
    assert [board.hardware_id for board in load(desk.path).boards] == ["0a02", "0a01", "0a03"]
    assert [line for line in after.splitlines() if "hardware_id" not in line] == before.splitlines()
    assert json.loads((desk.boards[0].flash / "faction.json").read_text())["hardware_ids"] == {"0a01": 1, "0a02": 0, "0a03": 2}
    assert desk.deploy().returncode == 0  # now nobody is asked


def test_nobody_has_to_give_a_place(desk):
    before = desk.write(("north", "esp32", None), ("south", "esp32", "0a02"))
    desk.plug_in("esp32", "0a01", **MINE)
    desk.plug_in("esp32", "0a02")
    child = desk.at_terminal()
    child.expect("Enter: none of them > ")
    child.sendeof()
    child.expect(re.escape(f"{desk.boards[0].port}: hardware id 0a01: got no place; run this again to give it one"))
    child.expect("1 of 2 boards deployed; not plugged in: north; without a place: 1")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2 and files(desk.boards[0]) == MINE and desk.path.read_text() == before


def test_ctrl_c_at_the_question_changes_nothing(desk):
    before = desk.write(("north", "esp32", None))
    board = desk.plug_in("esp32", "0a01", **MINE)
    child = desk.at_terminal()
    child.expect("Enter: none of them > ")
    child.sendintr()
    child.expect("stopped by ctrl-C")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130 and files(board) == MINE and desk.path.read_text() == before


def test_a_board_that_was_deployed_by_hand_is_known_and_its_id_is_written(desk):
    desk.write(("north", "esp32", None), ("south", "esp32", None))
    board = desk.plug_in("esp32", "0a01")
    assert faction("deploy", board.port, "south", "--roster", desk.path, "--slice", "node").returncode == 0
    done = desk.deploy()
    assert done.returncode == 0 and f"{desk.path}: has the hardware_id of south now\n" in done.stdout, done
    assert [each.hardware_id for each in load(desk.path).boards] == [None, "0a01"]


def test_two_boards_that_claim_one_place(desk):
    desk.write(("north", "esp32", None), ("south", "esp32", None))
    said = json.dumps({"cluster": "desk", "peer_id": 0, "peers": [0, 1], "names": ["north", "south"]}).encode()
    for number in ("0a01", "0a02"):
        desk.plug_in("esp32", number, **MINE, **{"faction.json": said})
    done = desk.deploy()
    ports = " and ".join(board.port for board in desk.boards)
    words = "both say that they are north; write the hardware_id of the right one into the roster: 0a01 or 0a02"
    assert (done.returncode, done.stderr) == (2, f"{ports}: {words}\n"), done
    assert all(files(board) == {**MINE, "faction.json": said} for board in desk.boards)
    child = desk.at_terminal()  # a person decides
    child.expect("hardware id 0a01, MicroPython 1.28.0; it was north of desk")
    child.sendline("south")
    child.expect("hardware id 0a02")
    child.sendline("north")
    child.expect("2 of 2 boards deployed")
    child.expect(pexpect.EOF)
    assert [id_on(board) for board in desk.boards] == [1, 0]


def test_a_json_roster_gets_the_ids_too(desk):
    desk.path = desk.folder / "faction.json"
    transport = {"kind": "udp", "to": ["192.0.2.255:9"], "port": 47000}
    board = {"id": 0, "name": "nörd", "kind": "esp32", "transport": transport}
    text = json.dumps({"cluster": "desk", "boards": [board]}, indent=4, ensure_ascii=False) + "\n"
    desk.path.write_text(text)
    desk.plug_in("esp32", "0a01")
    child = desk.at_terminal()
    child.expect("Enter: none of them > ")
    child.sendline("0")
    child.expect("1 of 1 boards deployed")
    child.expect(pexpect.EOF)
    board["hardware_id"] = "0a01"
    assert desk.path.read_text() == json.dumps({"cluster": "desk", "boards": [board]}, indent=4, ensure_ascii=False) + "\n"


def test_a_dry_run_writes_nothing_anywhere(desk):
    desk.write(("north", "esp32", "0a01"), ("south", "esp32", None))
    said = json.dumps({"cluster": "desk", "peer_id": 1, "peers": [0, 1], "names": ["north", "south"]}).encode()
    desk.plug_in("esp32", "0a01", **MINE)
    desk.plug_in("esp32", "0a02", **{"faction.json": said})
    before = desk.path.read_bytes()
    done = desk.deploy(options=["--dry-run"])
    assert done.returncode == 0 and f"{desk.path}: would get the hardware_id of south\n" in done.stdout, done
    assert re.search(r"north: would copy \d+ files", done.stdout) and "2 of 2 boards looked at" in done.stdout
    assert files(desk.boards[0]) == MINE and desk.path.read_bytes() == before


@contextmanager
def shell(*command):
    """A REPL of another language at a port: yield the port."""
    child = pexpect.spawn(command[0], list(command[1:]), echo=False)
    with Fake(lambda heard: (b"", _exchanged(child, heard))) as fake:
        yield fake
    child.close(force=True)


def _exchanged(child, heard):
    if heard:
        child.send(heard)
    try:
        return child.read_nonblocking(4096, 0)
    except (pexpect.TIMEOUT, pexpect.EOF):
        return b""


@contextmanager
def held(board):
    """Another program has the port."""
    with serial.Serial(board.port, exclusive=True):
        yield board


HANGS = """
import builtins, time
_open = open
def _stuck(path, mode='r'):
    if mode == 'wb' and path.endswith('node.mpy.new'):
        while True:
            try:
                time.sleep(100)
            except KeyboardInterrupt:
                pass
    return _open(path, mode)
builtins.open = _stuck
"""
PRINTS = "import builtins\n_print = print\ndef _more(*words):\n    _print('tick')\n    _print(*words)\nbuiltins.print = _more"


# A board that answers does so at once. These limits are for what does not, among good ones on a computer that is busy.
BRIEF = {"ENTER_S": 1.5, "PATIENCE_S": 2.0, "PROMPT_S": 1.0}


def test_ten_broken_boards_among_two_good_ones(desk, monkeypatch, capsys):
    """Each gets a line or two that say what is wrong. Nothing of theirs is lost, and the good ones are done."""
    entries = [(f"b{i}", "esp32", f"0b{i:02}") for i in range(6)]
    text = desk.write(("north", "esp32", "0a01"), ("south", "rp2040", "0a02"), *entries, ("twin", "esp32", "0c01"))
    good = [desk.plug_in("esp32", "0a01"), desk.plug_in("rp2040", "0a02")]
    hangs = desk.plug_in("esp32", "0b00", HANGS, **MINE)
    full = desk.plug_in("esp32", "0b01", FAULTS["a full flash"][0], **MINE)
    other = desk.plug_in("esp8266", "0b02", **MINE)
    none = desk.plug_in("esp32", "0b03", FAULTS["no number"][0], **MINE)
    damaged = desk.plug_in("esp32", "0b04", PRINTS, **MINE)
    busy = desk.enter(held(desk.plug_in("esp32", "0b05", **MINE)))
    twins = [desk.plug_in("esp32", "0c01", **MINE), desk.plug_in("esp32", "0c01", **MINE)]
    fakes = [desk.enter(Fake(kind)) for kind in (silent, noise, echo, log, modem)]
    fakes += [desk.enter(shell("/bin/sh", "-i")), desk.enter(shell(sys.executable, "-q", "-i"))]
    ports = [end.port for end in [*desk.boards, *fakes]]
    shorten(monkeypatch, BRIEF)
    assert cli.main(desk.words(*ports, "/dev/nothing", "/dev/null")) == 2
    done = capsys.readouterr()
    said = done.err.splitlines()
    expected = {
        hangs.port: "lost the board",
        full.port: "no space left on the board; delete files of yours there",
        other.port: "is ESP module with ESP8266, and faction does not run on that",
        none.port: "the board says RuntimeError: no efuse",
        damaged.port: "the answer of the board is damaged",
        busy.port: "in use by another program; close its terminal",
        twins[0].port: f" and {twins[1].port}: have the same hardware id 0c01, so nobody knows which is which",
        "/dev/nothing": "no such port; plug the board in",
        "/dev/null": "not a serial port; name another one",
        **{fake.port: "no MicroPython answers" for fake in fakes[:-1]},
        fakes[-1].port: "",
    }
    for port, words in expected.items():
        [line] = [each for each in said if re.search(rf"{port}\b", each)]
        assert words in line, (port, line)
    assert len(said) == len(expected), said
    assert [id_on(board) for board in good] == [0, 1]
    for board in desk.boards[2:]:
        assert {path: content for path, content in files(board).items() if not path.endswith(".new")} == MINE
    assert done.out.splitlines()[-1].startswith("2 of ") and "; failed: b0, b1; " in done.out.splitlines()[-1]
    assert desk.path.read_text() == text


def test_a_board_whose_program_fails_does_not_stop_the_others(desk):
    desk.write(("north", "esp32", "0a01"), ("south", "esp32", "0a02"))
    (desk.folder / "bad.py").write_text("import nothing_of_this_name\n")
    text = desk.path.read_text().replace('hardware_id = "0a02"\n', 'hardware_id = "0a02"\napplication = "bad.py"\n')
    desk.path.write_text(text)
    desk.plug_in("esp32", "0a01")
    desk.plug_in("esp32", "0a02")
    done = desk.deploy()
    assert done.returncode == 2 and "north: faction: node 0 of 2" in done.stdout, done
    assert (
        done.stderr.startswith(f"south: {desk.boards[1].port}: ") and "nothing_of_this_name" in done.stderr and done.stderr.count("\n") == 1
    )
    assert done.stdout.splitlines()[-1] == "1 of 2 boards deployed; failed: south"


def test_ctrl_c_in_the_middle_leaves_every_board_with_its_old_program(desk):
    desk.write(*[(f"b{i}", "esp32", f"0b{i:02}") for i in range(3)])
    for i in range(3):
        desk.plug_in("esp32", f"0b{i:02}", **MINE)
    with subprocess.Popen(desk.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait(lambda: all(list(board.flash.rglob("*.new")) for board in desk.boards))
        runs = [board.said.count(b"my own program") for board in desk.boards]
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and err.splitlines()[-1] == "stopped by ctrl-C", (out, err)
    assert sorted(err.splitlines()[:-1]) == [f"b{i}: stopped by ctrl-C; it runs its old program again" for i in range(3)]
    assert out.splitlines()[-1] == "0 of 3 boards deployed; stopped: b0, b1, b2", out
    wait(lambda: all(board.said.count(b"my own program") > before for board, before in zip(desk.boards, runs)))
    assert all(files(board) == MINE for board in desk.boards)


def test_a_line_for_each_board_on_a_terminal(desk):
    desk.write(*[(f"b{i}", "esp32", f"0b{i:02}") for i in range(3)])
    for i in range(3):
        desk.plug_in("esp32", f"0b{i:02}")
    child = desk.at_terminal(columns=80)
    child.expect("asking 3 boards who they are")
    for i in range(3):
        child.expect(rf"b{i} on {desk.boards[i].port}[^\n]*copying ")
    child.expect("3 of 3 boards deployed\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "deploy: needs a port and a board, such as /dev/ttyACM0 north; or write --all for all that are plugged in"),
        (["/dev/x"], "deploy: needs a port and a board, such as /dev/ttyACM0 north; or write --all for all that are plugged in"),
        (
            ["/dev/x", "north", "--all"],
            "deploy /dev/x north --all: --all finds out which board is where; leave out --all, or write --all /dev/x",
        ),
        (["--wait", "3", "--dry-run", "--all"], "--dry-run and --wait cannot work together: nothing is copied; leave out --wait"),
        (["--wait", "0", "--all"], "--wait 0: not a number of seconds above 0 and up to 3600; write, for example, --wait 30"),
    ],
)
def test_what_cannot_be_is_refused(desk, words, said):
    desk.write(("north", "esp32", None))
    done = subprocess.run([*FACTION, "deploy", "--roster", str(desk.path), *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said + "\n")


def test_a_roster_that_cannot_be_written_stops_before_any_board(desk):
    desk.write(("north", "esp32", None))
    said = json.dumps({"cluster": "desk", "peer_id": 0, "peers": [0], "names": ["north"]}).encode()
    board = desk.plug_in("esp32", "0a01", **{"faction.json": said})
    program = (
        "import resource, sys; from faction_tools import cli\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); sys.exit(cli.main(sys.argv[1:]))"
    )
    before = desk.path.read_bytes()
    done = subprocess.run(
        [FACTION[0], "-c", program, *desk.command()[len(FACTION) :]], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (2, f"{desk.path}: file too large; mend that, or choose another place\n"), done
    assert desk.path.read_bytes() == before and files(board) == {"faction.json": said}
    assert [path.name for path in desk.folder.iterdir() if path.is_file()] == ["faction.toml"]


def test_boards_deployed_together_boot_into_a_cluster(desk):
    """From new boards to a cluster that has started, with one command. They have no hardware ids, so their places are asked for."""
    ports = free_ports(3)
    text = 'cluster = "desk"\nquorum = "everyone"\ninterval_ms = 200\n'
    for i, port in enumerate(ports):
        to = ", ".join(f'"127.0.0.1:{each}"' for each in ports if each != port)
        text += f'[[boards]]\nid = {i}\nname = "b{i}"\nkind = "unix"\n'
        text += f'transport = {{ kind = "udp", port = {port}, bind = "127.0.0.1", to = [{to}] }}\n'
    desk.path.write_text(text)
    for _ in range(3):
        desk.plug_in("unix")
    child = desk.at_terminal()
    for i in range(3):
        child.expect("without a hardware id, MicroPython .*Free: .*Enter: none of them > ")
        child.sendline(str(2 - i))
    child.expect("3 of 3 boards deployed")
    child.expect(pexpect.EOF)
    wait(lambda: states(desk.boards, BOOTSTRAPPED))
    assert desk.path.read_text() == text and [id_on(board) for board in desk.boards] == [2, 1, 0]
    again = desk.deploy()  # now their configurations say who they are
    assert again.returncode == 0 and again.stdout.endswith("3 of 3 boards deployed\n"), again
