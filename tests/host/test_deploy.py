"""Deploying to a live MicroPython, with the cable pulled at any moment; and to a drive."""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pexpect
import pytest
from command import faction
from emulated import Board, deployed, states, wait
from needs import NO_MICROPYTHON, require

from faction import BOOTSTRAPPED
from faction_tools.dev import interpreters
from faction_tools.dev.cluster import free_ports
from faction_tools.fleet import build
from faction_tools.fleet.entries import BoardEntry
from faction_tools.fleet.found import Found
from faction_tools.fleet.identity import age_of
from faction_tools.fleet.roster import load

require(NO_MICROPYTHON)

ROOT = interpreters.ROOT
FILES = len(build.board("unix")) + 1  # and the configuration
ROSTER = """
cluster = "desk"
quorum = "everyone"
interval_ms = {interval_ms}

[[boards]]
id = 0
name = "north"
kind = "unix"
transport = {{ kind = "udp", port = {ports[0]}, bind = "127.0.0.1", to = ["127.0.0.1:{ports[1]}"] }}

[[boards]]
id = 1
name = "south"
kind = "unix"
transports = [{{ kind = "udp", port = {ports[1]}, bind = "127.0.0.1", to = ["127.0.0.1:{ports[0]}"] }}, {{ kind = "udp" }}]

[[boards]]
id = 2
name = "stick"
kind = "circuitpython"
transport = {{ kind = "udp" }}
"""

BOOT_OUT = """\
Adafruit CircuitPython 10.0.3 on 2025-10-17; Raspberry Pi Pico W with rp2040
Board ID:raspberry_pi_pico_w
UID:E6614C311B7E6F35
"""


@pytest.fixture
def roster(tmp_path):
    """Return a function that writes a roster and returns its path."""
    ports = free_ports(2)

    def write(interval_ms=200, boards=3):
        path = tmp_path / "faction.toml"
        text = ROSTER.format(ports=ports, interval_ms=interval_ms)
        path.write_text("[[boards]]".join(text.split("[[boards]]")[: boards + 1]))
        return path

    return write


@pytest.fixture
def board(tmp_path):
    (tmp_path / "flash").mkdir()
    with Board(tmp_path / "flash") as made:
        yield made


def deploy(port, name, path, *options):
    return faction("deploy", port, name, "--roster", path, *options)


def put(board, path, name="north"):
    """Put on a board what a deployment leaves there, and let it begin with that."""
    deployed(board.flash, load(path), name)
    board.restart()


def flash(board):
    return {path.relative_to(board.flash).as_posix(): path.read_bytes() for path in board.flash.rglob("*") if path.is_file()}


def is_whole(board, path, name="north"):
    """Tell whether the flash holds exactly what a deployment of this roster wants, and the record of that."""
    there = flash(board)
    configuration = json.loads(there.pop("faction.json", b"null"))
    record = json.loads(there.pop("lib/faction/written.json", b"null"))
    assert record.keys() == {path for path in there if not path.startswith("lib/")}
    assert all(hashlib.sha256(there[path]).hexdigest()[:16] in known for path, known in record.items())
    return there == build.board("unix") and configuration is not None and configuration["peer_id"] == (name == "south")


def test_deploy_then_only_what_changed(board, roster):
    path = roster()
    first = deploy(board.port, "north", path)
    assert first.returncode == 0, first.stderr
    assert f"north: copied {FILES} files, removed 0, 0 unchanged" in first.stdout
    assert "north: faction: node 0 of 3, quorum 3" in first.stdout
    assert is_whole(board, path)

    again = deploy(board.port, "0", path)
    assert f"copied 0 files, removed 0, {FILES} unchanged" in again.stdout, again.stderr

    changed = deploy(board.port, "north", roster(interval_ms=300))
    assert f"copied 1 file, removed 0, {FILES - 1} unchanged" in changed.stdout, changed.stderr
    assert json.loads((board.flash / "faction.json").read_text())["interval_ms"] == 300


def test_what_an_earlier_version_left_is_removed_and_the_users_files_stay(board, roster):
    (board.flash / "lib/faction").mkdir(parents=True)
    (board.flash / "lib/faction/gone.mpy").write_bytes(b"old")
    (board.flash / "mine.txt").write_bytes(b"mine")
    done = deploy(board.port, "north", roster())
    assert "removed 1" in done.stdout, done.stderr
    assert not (board.flash / "lib/faction/gone.mpy").exists() and (board.flash / "mine.txt").exists()


def test_dry_run_changes_nothing(board, roster):
    done = deploy(board.port, "north", roster(), "--dry-run")
    assert f"would copy {FILES} files" in done.stdout and "  + lib/faction/machine.mpy" in done.stdout, done.stderr
    assert flash(board) == {}


def test_a_board_goes_on_after_a_dry_run(board, roster):
    put(board, roster())
    greetings = board.said.count(b"faction: node")
    assert deploy(board.port, "north", roster(), "--dry-run").returncode == 0
    wait(lambda: board.said.count(b"faction: node") > greetings)


def age(board):
    """Put an older version of everything on a board, as an earlier deployment would have done."""
    record = {}
    for path in board.flash.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"#")
            record[path.relative_to(board.flash).as_posix()] = [hashlib.sha256(path.read_bytes()).hexdigest()[:16]]
    (board.flash / "faction.json").write_text("{}")
    record = {path: known for path, known in record.items() if not path.startswith(("lib/", "faction.json"))}
    (board.flash / "lib/faction/written.json").write_text(json.dumps(record))


@cache
def length_of_a_deployment():
    """Return how many bytes go to an empty board."""
    with tempfile.TemporaryDirectory() as folder, Board(Path(folder)) as board:
        path = board.flash / "faction.toml"
        path.write_text(ROSTER.format(ports=free_ports(2), interval_ms=200))
        assert deploy(board.port, "south", path).returncode == 0
        return board.bytes_to_board


@pytest.mark.parametrize("share", [0.002, 0.3, 0.7, 0.83, 0.87, 0.91])
def test_a_cable_pulled_at_any_moment_is_mended_by_the_next_try(board, roster, share):
    whole = length_of_a_deployment()
    assert whole > 20_000
    put(board, roster(), "south")
    path = roster(interval_ms=250)
    age(board)
    board.plug_in()
    board.pull_after = int(share * whole)
    before = flash(board)
    done = deploy(board.port, "north", path)
    assert done.returncode != 0 or share > 0.85
    if done.returncode:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "again" in done.stderr, done.stderr
    if share < 0.8:  # the swap has not begun: the old files are there, untouched
        assert {name: content for name, content in flash(board).items() if not name.endswith(".new")} == before
    board.plug_in()
    board.restart()
    mended = deploy(board.port, "north", path)
    assert mended.returncode == 0, mended.stderr
    assert is_whole(board, path)


def test_a_swap_that_was_cut_short_is_mended(board, roster):
    path = roster()
    put(board, path)
    for name in ("main.py", "lib/faction/node.mpy", "lib/faction/transports/udp.mpy"):  # removed, and not yet replaced
        (board.flash / name).rename(board.flash / (name + ".new"))
    board.restart()
    done = deploy(board.port, "north", path)
    assert f"copied 3 files, removed 0, {FILES - 3} unchanged" in done.stdout, done.stderr
    assert is_whole(board, path)


def test_a_wrong_roster_or_board_is_refused_before_the_port_is_touched(tmp_path, roster):
    path = roster()
    unknown = deploy("/dev/nothing", "west", path)
    assert unknown.returncode == 2 and unknown.stderr == "west: no board of this name or id; there are 0 (north), 1 (south), 2 (stick)\n"
    path.write_text(path.read_text().replace("id = 1", "id = 0"))
    wrong = deploy("/dev/nothing", "north", path)
    assert wrong.returncode == 2 and "boards[1].id: 0: boards[0] has it, too" in wrong.stderr
    nobody = deploy("/dev/nothing", "north", roster())
    assert nobody.returncode == 2 and nobody.stderr.startswith("/dev/nothing: no such port; plug the board in with a data cable, ")
    assert len(nobody.stderr.splitlines()) == 1


def test_deployed_boards_boot_into_a_cluster(tmp_path, roster):
    path = roster(boards=2)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with Board(tmp_path / "a") as first, Board(tmp_path / "b") as second:
        for each, name in ((first, "north"), (second, "south")):
            assert deploy(each.port, name, path).returncode == 0
        wait(lambda: states((first, second), BOOTSTRAPPED))


def test_a_circuitpython_drive(tmp_path, roster):
    drive = tmp_path / "CIRCUITPY"
    missing = deploy(drive, "stick", roster())
    assert missing.returncode == 2
    assert missing.stderr == f"{drive}: is no folder, and stick runs CircuitPython; name the folder of its drive, CIRCUITPY\n"
    drive.mkdir()
    (drive / "boot_out.txt").write_text(BOOT_OUT)
    done = deploy(drive, "stick", roster())
    assert done.returncode == 0, done.stderr
    names = {path.relative_to(drive).as_posix() for path in drive.rglob("*") if path.is_file()}
    assert {"code.py", "wiring.py", "lib/faction/machine.py", "faction.json"} <= names and not [n for n in names if n.endswith(".mpy")]
    again = deploy(drive, "stick", roster())
    assert "copied 0 files" in again.stdout and "made for" not in done.stdout + again.stdout


OLD = "faction is made for {} and later; if its program does not start, flash that"


def test_an_old_circuitpython_is_said(tmp_path, roster):
    drive = tmp_path / "CIRCUITPY"
    drive.mkdir()
    (drive / "boot_out.txt").write_text(BOOT_OUT.replace("10.0.3", "9.2.1"))
    done = deploy(drive, "stick", roster())
    assert f"stick: runs CircuitPython 9.2.1, and {OLD.format('CircuitPython 10.0')}\n" in done.stdout and done.returncode == 0, done


@pytest.mark.parametrize(
    ("kind", "firmware", "oldest"),
    [
        ("esp32", "MicroPython 1.21.0", "MicroPython 1.22"),
        ("esp32", "MicroPython 1.9.4", "MicroPython 1.22"),
        ("rp2040", "MicroPython 1.22.0", ""),
        ("rp2040", "MicroPython 1.100.0-preview", ""),
        ("circuitpython", "CircuitPython 10.0.0-alpha.2", ""),
        ("unix", "MicroPython 1.19.1", ""),
        ("esp32", "", ""),
        ("esp32", "Somebody's 0.1", ""),
    ],
)
def test_only_a_firmware_that_is_too_old_is_said(kind, firmware, oldest):
    board = BoardEntry(id=0, name="north", kind=kind)
    said = age_of(board, Found("esp32", firmware=firmware))
    assert said == (f"runs {firmware}, and {OLD.format(oldest)}" if oldest else "")


def test_a_board_between_two_airs(tmp_path, roster):
    (tmp_path / "drive").mkdir()
    (tmp_path / "drive/boot_out.txt").write_text(BOOT_OUT)
    path = roster()
    path.write_text(
        path.read_text().replace('transport = { kind = "udp" }', 'transports = [{ kind = "udp" }, { kind = "uart", bus = "hall" }]')
    )
    done = deploy(tmp_path / "drive", "stick", path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "drive/lib/faction/transports/bridge.py").exists()
    line = {"kind": "uart", "uart": 1, "baudrate": 115200, "tx": None, "rx": None, "direction": None}
    assert json.loads((tmp_path / "drive/faction.json").read_text())["transports"][1] == line
    path.write_text(path.read_text().replace('{ kind = "uart", bus', '{ kind = "espnow" }, { kind = "espnow" }, { kind = "uart", bus'))
    wrong = deploy(tmp_path / "drive", "stick", path)
    assert wrong.returncode == 2 and 'boards[2].transports[2].kind: "espnow": transports[1].kind has it, too' in wrong.stderr


def test_deploy_shows_what_it_waits_for_on_a_terminal(board, roster):
    path = roster()
    put(board, path)
    (board.flash / "main.py").unlink()
    board.pace = 9600  # so that a person sees each step
    command = ["-m", "faction_tools.cli", "deploy", board.port, "north", "--roster", str(path)]
    child = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=60, dimensions=(24, 120))
    for words in (
        "north: building its files",
        "north: asking what is on the board",
        "main.py.new|main.py",
        "waiting for its first words, 15 s",
    ):
        child.expect(words)
    child.expect("north: faction: node 0 of 3, quorum 3")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_program_that_fails_shows_its_error_at_once(board, roster):
    path = roster()
    put(board, path)
    path.write_text(path.read_text().replace("127.0.0.1", "192.0.2.1"))  # not an address of this machine
    start = time.monotonic()
    done = deploy(board.port, "north", path, "--wait", "300")
    assert time.monotonic() - start < 100
    assert done.returncode == 2 and "copied 1 file," in done.stdout and len(done.stderr.splitlines()) == 1
    assert "copied, but its program fails: OSError: 99; " in done.stderr and done.stderr.endswith("99; correct that, and run this again\n")


def test_the_core_starts_nothing(board, roster):
    done = deploy(board.port, "north", roster(), "--slice", "core")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("north: this slice starts nothing by itself; import faction in a program of your own\n")
    assert set(flash(board)) == {"faction.json", "lib/faction/__init__.mpy", "lib/faction/machine.mpy"}


def test_the_package_is_copied_by_hand_as_the_readme_says(board):
    interpreters.compile_all()
    board.wait_until_up()  # ctrl-C would end a process that has no REPL yet
    mpremote = [sys.executable, "-m", "mpremote", "connect", f"port:{board.port}", "resume"]
    commands = [line.partition("#")[0].split() for line in (ROOT / "boards/README.md").read_text().splitlines()]
    commands = [words[1:] for words in commands if words[:2] == ["mpremote", "fs"]]
    assert len(commands) == 3
    for words in commands:
        done = subprocess.run([*mpremote, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    there = {path.relative_to(board.flash).as_posix() for path in board.flash.rglob("*.mpy")}
    compiled = {path.relative_to(interpreters.COMPILED).as_posix() for path in interpreters.COMPILED.rglob("*.mpy")}
    assert there == {"faction.mpy"} | {f"lib/{path}" for path in compiled}


def test_mip_installs_the_package(tmp_path, board):
    build.release(tmp_path / "dist")
    board.wait_until_up()
    mpremote = [sys.executable, "-m", "mpremote", "connect", f"port:{board.port}", "resume"]
    install = [*mpremote, "mip", "install", "--target", str(board.flash / "lib"), str(tmp_path / "dist/mip/package.json")]
    done = subprocess.run(install, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    program = "from faction import Config, Faction; import faction.node; print(Faction(Config(0, range(3), 2)).process(2))"
    said = subprocess.run([*mpremote, "exec", program], capture_output=True, text=True, timeout=30)
    assert said.stdout.strip() == str(0x1 | 0x20 | 0x40), said.stderr
