"""What deploying does to the files of the user: their own application, programs of theirs on the board, and a board that was another."""

import hashlib
import json
import os
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Event

import pytest
from emulated import Board, deployed, wait
from needs import NO_MICROPYTHON, require

from faction_tools.dev import interpreters
from faction_tools.dev.cluster import free_ports
from faction_tools.errors import CommandError
from faction_tools.fleet import build, words
from faction_tools.fleet.deploy import Order, deploy
from faction_tools.fleet.roster import load

require(NO_MICROPYTHON)

HEAD = 'cluster = "desk"\nquorum = 1\n'
BOARD = """
[[boards]]
id = {id}
name = "{name}"
kind = "{kind}"
transport = {{ kind = "udp", port = {port} }}
"""
MINE = b"from member import Hooks, say\n\n\nclass Application(Hooks):\n    def on_bootstrapped(self, node):\n        say('mine')\n"
EXAMPLE = build.board("esp32", "node")["application.py"]
BOOT_OUT = "Adafruit CircuitPython 10.0.3 on 2025-10-17; Raspberry Pi Pico W with rp2040\nBoard ID:x\nUID:E6614C311B7E6F35\n"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Do not wait long whether a program fails after its greeting: none of these does."""
    monkeypatch.setattr(words, "SETTLE_S", 0.05)


class Told:
    """Keeps what a deployment tells."""

    def __init__(self):
        self.notes, self.stages = [], []

    def stage(self, what, done=0, total=0):
        self.stages.append(what)

    def note(self, text):
        self.notes.append(text)

    def copied(self, made):
        pass


class Bench:
    """One emulated board, and a roster for it."""

    def __init__(self, folder, board, kind):
        self.folder, self.board, self.flash, self._kind = folder, board, board.flash, kind
        self._port = free_ports(1)[0]
        self.fields, self.more, self.name = "", "", "north"

    def roster(self):
        """Write the roster, and read it."""
        path = self.folder / "faction.toml"
        north = BOARD.format(id=0, name="north", kind=self._kind, port=self._port)
        south = BOARD.format(id=1, name="south", kind=self._kind, port=self._port)
        path.write_text(HEAD + self.fields + north + self.more + south)
        return load(path)

    def deploy(self, slice_name="node", **options):
        """Deploy; return the notes and the outcome."""
        roster = self.roster()
        told = Told()
        order = Order(roster, roster.board(self.name), self.board.port, slice_name, **options)
        try:
            return told.notes, deploy(order, told, Event())
        finally:
            self.board.let_go()

    def put(self, name, content):
        (self.flash / name).parent.mkdir(parents=True, exist_ok=True)
        (self.flash / name).write_bytes(content)

    def read(self, name):
        return (self.flash / name).read_bytes()

    def has(self, name):
        return (self.flash / name).exists()

    def files(self):
        return {path.relative_to(self.flash).as_posix(): path.read_bytes() for path in self.flash.rglob("*") if path.is_file()}


@contextmanager
def bench(tmp_path, kind="esp32", **options):
    (tmp_path / "flash").mkdir()
    with Board(tmp_path / "flash", kind, **options) as board:
        yield Bench(tmp_path, board, kind)


class Stick:
    """A drive of a CircuitPython board stands for the board."""

    def __init__(self, folder):
        self.flash = folder
        self.port = str(folder)

    def let_go(self):
        """Do nothing: no process holds it."""


@contextmanager
def drive(tmp_path):
    (tmp_path / "CIRCUITPY").mkdir()
    (tmp_path / "CIRCUITPY/boot_out.txt").write_text(BOOT_OUT)
    yield Bench(tmp_path, Stick(tmp_path / "CIRCUITPY"), "circuitpython")


PLACES = {"serial": bench, "drive": drive}


@pytest.fixture(params=PLACES)
def desk(request, tmp_path):
    with PLACES[request.param](tmp_path) as made:
        made.example = build.board(made._kind, "node")["application.py"]
        made.main = "code.py" if request.param == "drive" else "main.py"
        yield made


def refused(desk, **options):
    """Return the one line with which a deployment is refused. No file has changed then."""
    before = desk.files()
    with pytest.raises(CommandError) as error:
        desk.deploy(**options)
    assert desk.files() == before
    [line] = str(error.value).splitlines()
    return line


def test_the_example_comes_where_there_is_none_and_an_edited_one_stays(desk):
    desk.deploy()
    assert desk.read("application.py") == desk.example
    desk.put("application.py", MINE)
    notes, outcome = desk.deploy()
    assert desk.read("application.py") == MINE and not outcome.plan.copied
    assert notes == ["application.py is not the example, and stays; the field application of the roster brings a program of yours"]
    subprocess.run([interpreters.mpy_cross(), str(desk.flash / "application.py")], check=True)
    (desk.flash / "application.py").unlink()
    assert desk.deploy()[0][0].startswith("application.mpy is not the example, and stays; ")
    assert not desk.has("application.py")


def test_an_application_of_the_roster_comes_and_an_edited_one_on_the_board_is_kept(desk):
    (desk.folder / "mine.py").write_bytes(MINE)
    desk.fields = 'application = "mine.py"\n'
    notes, _ = desk.deploy()
    assert desk.read("application.py") == MINE and notes == []
    (desk.folder / "mine.py").write_bytes(MINE + b"# 2\n")
    notes, _ = desk.deploy()
    assert desk.read("application.py") == MINE + b"# 2\n" and notes == [] and not desk.has("application.old.py")
    desk.put("application.py", MINE + b"# edited on the board\n")
    (desk.folder / "mine.py").write_bytes(MINE + b"# 3\n")
    notes, _ = desk.deploy()
    assert notes == ["application.py is not of faction, or was changed: it is kept as application.old.py"]
    assert desk.read("application.py") == MINE + b"# 3\n" and desk.read("application.old.py") == MINE + b"# edited on the board\n"
    desk.fields = ""
    notes, _ = desk.deploy()
    assert desk.read("application.py") == MINE + b"# 3\n" and len(notes) == 1


def test_the_application_of_a_kind_and_of_a_board(tmp_path):
    with drive(tmp_path) as desk:
        for name in ("all", "kind", "board"):
            (tmp_path / f"{name}.py").write_bytes(MINE + name.encode())
        for desk.fields, desk.more, name in (
            ('application = "all.py"\n', "", "all"),
            ('application = { circuitpython = "kind.py", esp32 = "all.py" }\n', "", "kind"),
            ('application = { circuitpython = "kind.py" }\n', 'application = "board.py"\n', "board"),
        ):
            assert desk.deploy()[0] == []
            assert desk.read("application.py") == MINE + name.encode()
        (tmp_path / "board.py").unlink()
        assert "board.py" in refused(desk)


def test_a_process_runs_no_application_and_says_so(tmp_path):
    (tmp_path / "process").mkdir()
    (tmp_path / "mine.py").write_bytes(MINE)
    desk = Bench(tmp_path, Stick(tmp_path / "process"), "unix")
    desk.fields = 'application = "mine.py"\n'
    assert desk.deploy()[0] == ["mine.py stays here: a unix board runs no application"]
    assert not desk.has("application.py")


def test_a_folder_brings_all_its_files(desk):
    mine = {
        "application.py": b"import parts.led\n" + MINE,
        "parts/led.py": b"",
        "parts/deep/data.bin": bytes(range(256)) * 3,
        "boot.cfg": b"",
    }
    for name, content in {**mine, ".git/config": b"x", "__pycache__/a.pyc": b"x", "parts/.DS_Store": b"x"}.items():
        (desk.folder / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (desk.folder / "app" / name).write_bytes(content)
    desk.fields = 'application = "app"\n'
    desk.put("boot.cfg", b"on the board")
    notes, _ = desk.deploy()
    assert notes == ["boot.cfg is not of faction, or was changed: it is kept as boot.old.cfg"]
    there = desk.files()
    assert {name: there[name] for name in mine} == mine and there["boot.old.cfg"] == b"on the board"
    assert not any("pycache" in name or name.startswith(".git") or "DS_Store" in name for name in there)
    assert desk.deploy()[1].plan.written == {}
    (desk.folder / "app/parts/led.py").unlink()
    desk.put("parts/deep/data.bin", b"edited on the board")
    (desk.folder / "app/application.py").write_bytes(MINE)
    (desk.folder / "app/parts/deep/data.bin").unlink()
    desk.deploy()
    assert not desk.has("parts/led.py") and desk.read("parts/deep/data.bin") == b"edited on the board"


@pytest.mark.parametrize(
    "name",
    ["main.py", "Member.py", "code.py", "lib/faction/node.py", "faction.json", "application/x.py", "wiring.py", "x.new", "boot_out.txt"],
)
def test_names_of_ours_are_refused_in_a_folder_of_the_user(tmp_path, name):
    with drive(tmp_path) as desk:
        for each in ("application.py", name):
            (tmp_path / "app" / each).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "app" / each).write_bytes(MINE)
        desk.fields = 'application = "app"\n'
        line = refused(desk)
        assert line.startswith(f"{tmp_path}/app/{name}: ") if name.isprintable() else "rename it" in line


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(
    ("add", "said"),
    [
        (lambda app: os.mkfifo(app / "pipe"), "app/pipe: is no file that a board can have"),
        (lambda app: (app / "zero").symlink_to("/dev/zero"), "app/zero: is no file that a board can have"),
        (lambda app: [(app / name).write_bytes(b"") for name in ("Foo.py", "foo.py")], "app/foo.py: Foo.py is the same name on a drive"),
        (lambda app: (app / "a:b.py").write_bytes(b""), "app/a:b.py: has a character in its name that a board cannot have"),
        (lambda app: (app / "application.py").write_bytes(bytes(range(256))), "app/application.py: is no Python program"),
        (lambda app: (app / "application.py").write_bytes(b"x = 1\0"), "app/application.py: is no Python program"),
        (lambda app: (app / "gone.py").symlink_to("nowhere"), "app/gone.py: does not exist"),
    ],
)
def test_what_is_no_file_of_a_board_is_named_and_nobody_waits_for_it(tmp_path, add, said):
    with drive(tmp_path) as desk:
        (tmp_path / "app").mkdir()
        (tmp_path / "app/application.py").write_bytes(MINE)
        add(tmp_path / "app")
        desk.fields = 'application = "app"\n'
        assert said in refused(desk)


def test_a_file_of_the_user_in_our_folder_stays_and_is_named(desk):
    desk.deploy()
    suffix = "py" if desk.main == "code.py" else "mpy"
    desk.put("lib/faction/transports/lora.py", b"mine")
    desk.put("lib/faction/\x1b[31mnotes", b"mine")
    for name in (f"lib/faction/view.{suffix}", "lib/faction/transports/udp/__init__.py", "lib/faction/old.mpy", "lib/faction/._view.py"):
        desk.put(name, b"ours, or hides ours")
    notes, outcome = desk.deploy()
    where = "; keep files of yours outside of lib/faction/"
    assert sorted(notes) == [
        "lib/faction/\\x1b[31mnotes is not of faction, and stays" + where,
        "lib/faction/old.mpy is not of this version of faction, and is removed" + where,
        "lib/faction/transports/lora.py is not of faction, and stays" + where,
        "lib/faction/transports/udp/__init__.py is not of this version of faction, and is removed" + where,
    ]
    assert len(outcome.plan.removed) == 4
    assert desk.read("lib/faction/transports/lora.py") == desk.read("lib/faction/\x1b[31mnotes") == b"mine"
    assert not any(desk.has(name) for name in outcome.plan.removed) and not desk.has("lib/faction/transports/udp")
    if desk.main == "main.py":
        assert outcome.greeting == "faction: node 0 of 2, quorum 1"
    assert len(desk.deploy("core")[0]) == 2 and desk.read("lib/faction/transports/lora.py") == b"mine"


def test_a_foreign_program_is_kept_under_the_next_free_name(desk):
    stem = desk.main.removesuffix(".py")
    desk.put(desk.main, b"# my first\n")
    notes, _ = desk.deploy()
    assert notes == [f"{desk.main} is not of faction, or was changed: it is kept as {stem}.old.py"]
    assert desk.read(f"{stem}.old.py") == b"# my first\n" and desk.read(desk.main) != b"# my first\n"
    for number in (2, 3):
        desk.put(desk.main, b"# my %d\n" % number)
        dry, outcome = desk.deploy(is_dry=True)
        assert desk.read(desk.main) == b"# my %d\n" % number and outcome.plan.kept == {desk.main: f"{stem}.old{number}.py"}
        notes, _ = desk.deploy()
        assert dry == notes == [f"{desk.main} is not of faction, or was changed: it is kept as {stem}.old{number}.py"]
    assert [desk.read(f"{stem}.old{number}.py") for number in ("", 2, 3)] == [b"# my first\n", b"# my 2\n", b"# my 3\n"]
    assert desk.deploy()[0] == []


def test_what_an_earlier_version_brought_is_ours_without_a_record(desk):
    desk.deploy()
    desk.put("lib/faction/written.json", b"{ damaged")
    notes, outcome = desk.deploy()
    assert notes == [] and outcome.plan.copied == [] and json.loads(desk.read("lib/faction/written.json"))
    (desk.flash / "lib/faction/written.json").unlink()
    other = build.board("rp2040" if desk.main == "main.py" else "esp32", "node")["application.py"]
    desk.put("application.py", other)  # an example that nobody has edited
    notes, _ = desk.deploy()
    assert notes == [] and desk.read("application.py") == desk.example


# The program of an ESP32 as an early version of faction brought it.
EARLY = b'''"""An ESP32 as a member: reads faction.json, runs the node, and hands over to application.py."""

from application import Application
from machine import unique_id
from member import load, make, run
from wiring import transport


def main():
    settings = load()
    run(make(settings, transport(settings["transport"]), unique_id()), Application())


main()
'''


def test_a_program_of_an_early_version_is_replaced_and_an_edited_one_is_kept(tmp_path):
    with bench(tmp_path) as desk:
        desk.put("main.py", EARLY)
        assert desk.deploy()[0] == [] and not desk.has("main.old.py")
        desk.put("main.py", EARLY.replace(b"main()\n", b"main()  # mine\n"))
        desk.deploy()
        assert b"# mine" in desk.read("main.old.py")


def test_code_txt_would_run_in_place_of_ours(tmp_path):
    with drive(tmp_path) as desk:
        desk.put("code.txt", b"print(1)")
        desk.put("Code.py", b"print(2)")
        notes, _ = desk.deploy()
        assert sorted(notes) == [
            "Code.py is not of faction, or was changed: it is kept as Code.old.py",
            "code.txt is not of faction, or was changed: it is kept as code.old.txt",
        ]
        assert desk.read("code.old.txt") == b"print(1)" and desk.read("Code.old.py") == b"print(2)"


def test_a_record_of_a_board_leads_to_no_file_outside(tmp_path):
    with drive(tmp_path) as desk:
        (tmp_path / "mine").write_bytes(b"mine")
        known = hashlib.sha256(b"mine").hexdigest()[:16]
        desk.put(
            "lib/faction/written.json", json.dumps({"../mine": [known], str(tmp_path / "mine"): [known], "a/../../mine": [known]}).encode()
        )
        (tmp_path / "mine.py").write_bytes(MINE)
        desk.fields = 'application = "mine.py"\n'
        desk.deploy()
        assert (tmp_path / "mine").read_bytes() == b"mine"


def test_core_leaves_a_program_of_the_user_and_takes_ours_away(desk):
    desk.deploy()
    desk.put("application.py", MINE)
    _, outcome = desk.deploy("core")
    names = set(desk.files()) - {"boot_out.txt", "lib/faction/written.json"}
    suffix = "py" if desk.main == "code.py" else "mpy"
    assert names == {"application.py", "faction.json", f"lib/faction/__init__.{suffix}", f"lib/faction/machine.{suffix}"}
    assert outcome.greeting == "" and desk.read("application.py") == MINE
    desk.put(desk.main, b"import faction\nprint('my own program', faction.Config(0, (0, 1), 2).quorum)\n")
    assert desk.deploy("core")[0] == []
    assert desk.read(desk.main).startswith(b"import faction\n")
    if desk.main == "main.py":
        wait(lambda: b"my own program 2" in desk.board.said)


@pytest.mark.parametrize("slice_name", ["node", "console", "full"])
@pytest.mark.parametrize("kind", ["unix", "esp32", "rp2040"])
def test_every_slice_with_programs_starts_them(tmp_path, kind, slice_name):
    with bench(tmp_path, kind) as desk:
        desk.fields = "interval_ms = 100\n"
        _, outcome = desk.deploy(slice_name)
        assert outcome.greeting == "faction: node 0 of 2, quorum 1"
        wait(lambda: b'"state": 3' in desk.board.said or b"bootstrapped, with [0]" in desk.board.said)


def test_a_board_that_was_another_one(desk):
    desk.deploy()
    desk.name = "south"
    line = refused(desk)
    assert line == f"{desk.board.port}: this board was north, not south; name another port, or make it south with --replace"
    desk.deploy(replaces=True)
    assert json.loads(desk.read("faction.json"))["peer_id"] == 1
    other = {**json.loads(desk.read("faction.json")), "cluster": "barn\x1b[31m\n"}
    desk.put("faction.json", json.dumps(other).encode())
    assert "this board was south of the cluster barn\\x1b[31m\\n, not south; " in refused(desk)
    for damaged in (b"", b"[]", b"{", b'{"peer_id": []}', b"\xff" * 300, b'{"names": 3, "peers": [1], "peer_id": null}', b"[" * 5000):
        desk.put("faction.json", damaged)
        if damaged == b'{"peer_id": []}':
            assert "this board was [], not south" in refused(desk)
            continue
        desk.deploy()
        assert json.loads(desk.read("faction.json"))["peer_id"] == 1


def test_the_hardware_id_decides(tmp_path):
    with bench(tmp_path, hardware_id="0a0b") as desk:
        desk.deploy()
        desk.more = 'hardware_id = "0a0c"\n'
        assert "its hardware id is 0a0b, and north has 0a0c in the roster; " in refused(desk, replaces=True)
        desk.more = 'hardware_id = "0a0b"\n'
        desk.name = "south"
        assert "is north by its hardware id 0a0b, not south; " in refused(desk, replaces=True)
        desk.name = "north"
        desk.put("faction.json", desk.read("faction.json").replace(b'"north"', b'"west"'))
        assert desk.deploy()[1].greeting


def test_the_number_of_a_drive_is_its_hardware_id(tmp_path):
    with drive(tmp_path) as desk:
        desk.more = 'hardware_id = "0a0c"\n'
        assert "its hardware id is e6614c311b7e6f35, and north has 0a0c in the roster; " in refused(desk)
        desk.more = 'hardware_id = "e6614c311b7e6f35"\n'
        desk.deploy()


@pytest.mark.parametrize("is_kind", ["unix", "esp32", "rp2040", "esp8266"])
@pytest.mark.parametrize("kind", ["unix", "esp32", "rp2040"])
def test_a_board_of_another_kind_is_refused(tmp_path, kind, is_kind):
    (tmp_path / "flash").mkdir()
    with Board(tmp_path / "flash", is_kind) as board:
        desk = Bench(tmp_path, board, kind)
        if kind == is_kind:
            assert desk.deploy()[1].greeting
        else:
            assert f", and north of the roster is of kind {kind}; " in refused(desk)


@pytest.mark.parametrize("kind", ["unix", "esp32", "rp2040", "circuitpython"])
def test_no_folder_but_the_right_one(tmp_path, kind):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/main.py").write_bytes(b"mine")
    desk = Bench(tmp_path, Stick(tmp_path / "home"), kind)
    refused(desk)
    (tmp_path / "home/boot_out.txt").write_text("U-Boot 2024")
    refused(desk)


def test_a_folder_of_a_process_that_is_not_there(tmp_path):
    desk = Bench(tmp_path, Stick(tmp_path / "process"), "unix")
    assert "/process: no such folder, and no port; make the folder in which north is to run" in refused(desk)
    assert not (tmp_path / "process").exists()


def test_the_folder_of_a_process_is_one_of_ours_from_the_first_file_on(tmp_path):
    (tmp_path / "process").mkdir()
    desk = Bench(tmp_path, Stick(tmp_path / "process"), "unix")
    assert desk.deploy()[1].greeting == ""
    environment = dict(os.environ, MICROPYPATH="lib:.frozen")  # as the README says
    done = subprocess.run(
        [interpreters.micropython(), "main.py"], cwd=desk.flash, env=environment, input="", capture_output=True, text=True
    )
    assert done.stdout.startswith("faction: node 0 of 2, quorum 1\n"), done
    desk.put("notes.txt", b"mine")
    desk.put("main.py", b"mine")
    assert desk.deploy()[0] == ["main.py is not of faction, or was changed: it is kept as main.old.py"]
    assert desk.read("notes.txt") == desk.read("main.old.py") == b"mine"


def cut_off(call, after):
    """Fork; end the child after so many changes to the disk. Return whether it has come to its end."""
    child = os.fork()
    if not child:
        left = [after]

        def cut(name):
            original = getattr(os, name)

            def wrapped(*words, **options):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return original(*words, **options)

            setattr(os, name, wrapped)

        for name in ("replace", "rename", "unlink", "mkdir", "fsync"):
            cut(name)
        try:
            call()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_drive_that_is_pulled_anywhere_loses_nothing_and_is_mended(tmp_path):
    with drive(tmp_path) as desk:
        desk.deploy()
        whole = desk.files()
        for after in range(200):
            desk.put("code.py", b"# mine %d" % after)
            desk.put("member.py", b"# an edited one %d" % after)
            for name in ("faction.json", "lib/faction/node.py", "wiring.py"):
                (desk.flash / name).unlink()
            is_over = cut_off(desk.deploy, after)
            assert {b"# mine %d" % after, b"# an edited one %d" % after} <= set(desk.files().values())
            desk.deploy()
            there = desk.files()
            assert {b"# mine %d" % after, b"# an edited one %d" % after} <= set(there.values())
            assert {name: there[name] for name in whole} == whole and not [name for name in there if name.endswith(".new")]
            for kept in desk.flash.glob("*.old*.py"):
                kept.unlink()
            if is_over:
                break
        assert is_over and after > 10


def put_mine(desk):
    """Put the slice core on a board, and a program of the user."""
    deployed(desk.flash, desk.roster(), desk.name, "core")
    desk.put("main.py", b"# mine")


@cache
def length_of_a_deployment():
    """Return how many bytes go to such a board when it gets the slice node."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder), "unix") as desk:
        put_mine(desk)
        desk.deploy()
        return desk.board.bytes_to_board


@pytest.mark.parametrize("share", [0.3, 0.955, 0.965, 0.975, 0.985])
def test_a_cable_that_is_pulled_anywhere_loses_no_program_of_the_user(tmp_path, share):
    with bench(tmp_path, "unix") as desk:
        put_mine(desk)
        desk.board.pull_after = int(share * length_of_a_deployment())
        with suppress(CommandError):
            desk.deploy()
        assert desk.board.bytes_to_board >= desk.board.pull_after or share > 0.97
        assert b"# mine" in desk.files().values()
        desk.board.plug_in()
        desk.board.restart()
        assert desk.deploy()[1].greeting
        assert desk.read("main.old.py") == b"# mine" and not desk.has("main.old2.py")
