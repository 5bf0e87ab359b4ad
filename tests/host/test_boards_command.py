"""faction boards: what is plugged in, and that asking disturbs nobody more than it says."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pexpect
import pytest
import serial
from command import FACTION, faction
from emulated import deployed, powered, settings_of, states, wait
from needs import NO_MICROPYTHON, require
from test_deploy_all import BRIEF, MINE, PRINTS, RUNS, Desk, files, held, shell
from test_deploy_broken import FAULTS, Fake, echo, modem, noise, shorten, silent
from test_deploy_keeps import BOOT_OUT
from test_probe import EARLIER

from faction import BOOTSTRAPPED
from faction_tools import cli
from faction_tools.fleet import drives, plugged
from faction_tools.fleet.roster import load

require(NO_MICROPYTHON)


@pytest.fixture
def desk(tmp_path):
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


def boards(desk, *words, width=120):
    done = faction("boards", "--roster", desk.path, *words, width=width)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def listed(desk, *words):
    """Return {port: what programs get of it}, and the exit code."""
    done = boards(desk, "--json", *words)
    answer = json.loads(done.stdout)
    assert answer["exit"] == done.returncode and answer["version"] == 1
    return {board["port"]: board for board in answer["boards"]}, done.returncode


def ports(desk):
    return [board.port for board in desk.boards]


def row(shown, port):
    [line] = [line for line in shown.splitlines() if re.match(rf"{port} ", line)]
    return re.split(r" {2,}", line.strip())


def test_a_list_of_new_boards_known_ones_and_drives(desk):
    desk.write(("north", "esp32", "0a01"), ("door", "rp2040", "0a03"), ("stick", "circuitpython", "e6614c311b7e6f35"))
    known, other, unknown = desk.plug_in("esp32", "0a01"), desk.plug_in("esp8266", "0a08"), desk.plug_in("rp2040", "0a09", **RUNS)
    wait(lambda: b"my own program" in unknown.said)
    drive = desk.folder / "CIRCUITPY"
    drive.mkdir()
    (drive / "boot_out.txt").write_text(BOOT_OUT)
    done = boards(desk, *ports(desk), drive, width=240)
    assert (done.returncode, done.stderr) == (0, ""), done
    firmware = "MicroPython 1.28.0"
    assert row(done.stdout, known.port)[1:] == ["esp32", firmware, "0a01", "0 (north)", "Generic ESP32 module with ESP32"]
    assert row(done.stdout, other.port)[1:] == ["(esp8266)", firmware, "0a08", "new", "ESP module with ESP8266"]
    assert row(done.stdout, unknown.port)[1:] == ["rp2040", firmware, "0a09", "new", "Raspberry Pi Pico W with RP2040"]
    machine = "Raspberry Pi Pico W with rp2040"
    assert row(done.stdout, drive)[1:] == ["circuitpython", "CircuitPython 10.0.3", "e6614c311b7e6f35", "2 (stick)", machine]
    assert files(unknown) == RUNS
    wait(lambda: unknown.said.count(b"my own program") >= 2)  # it was interrupted, and started again


def test_a_program_that_answers_is_not_interrupted(desk):
    desk.write(("north", "esp32", "0a01"), ("south", "esp32", "0a02"))
    for number in ("0a01", "0a02"):
        desk.plug_in("esp32", number)
    roster = load(desk.path)
    for board, name in zip(desk.boards, ("north", "south")):
        deployed(board.flash, roster, name)
        board.restart()
    greeted = [board.said.count(b"faction: node") for board in desk.boards]
    found, code = listed(desk, *ports(desk))
    first = found[desk.boards[0].port]
    assert (
        code == 0 and first["is_running"] and (first["id"], first["name"], first["said"], first["cluster"]) == (0, "north", "north", "desk")
    )
    assert (first["kind"], first["firmware"], first["hardware_id"]) == ("esp32", "MicroPython 1.28.0", "0a01")
    assert [board.said.count(b"faction: node") for board in desk.boards] == greeted
    assert found[desk.boards[1].port]["machine"] == "Generic ESP32 module with ESP32"
    assert listed(desk, "--interrupt", *ports(desk))[0] == found
    assert [board.said.count(b"faction: node") for board in desk.boards] == greeted


def test_a_board_of_an_earlier_version_is_not_interrupted_either(desk):
    desk.write(("north", "esp32", "0a01"))
    program = {"main.py": b"print('hello')\n" + EARLIER.encode()}
    board = desk.plug_in("esp32", "0a01", **program)
    done = boards(desk, board.port)
    assert row(done.stdout, board.port)[1:] == ["answers", "says north of x, not in the roster"], done.stdout
    assert "answers: an earlier version of faction answers, so it was not interrupted; with --interrupt it is" in done.stdout
    assert b"Traceback" not in board.said and board.said.count(b"hello") == 1
    found, _ = listed(desk, "--interrupt", board.port)
    assert (found[board.port]["name"], found[board.port]["is_running"]) == ("north", False)
    wait(lambda: board.said.count(b"hello") == 2)


def test_a_board_at_its_repl_stays_there(desk):
    desk.write(("north", "esp32", "0a01"))
    board = desk.plug_in("esp32", "0a01", **{"boot.txt": b"", "main.py": b"mine = 42\n"})
    wait(lambda: board.said.endswith(b">>> "))
    found, _ = listed(desk, board.port)
    assert found[board.port]["name"] == "north"
    with serial.Serial(board.port, timeout=0.2) as line:
        line.write(b"print('still', mine)\r")
        wait(lambda: b"still 42" in board.said)


def test_two_boards_that_say_the_same_name_and_another_cluster(desk):
    desk.write(("north", "esp32", "0a01"), ("south", "esp32", None))
    for number, name, cluster in (("0a07", "north", "desk"), ("0a08", "south", "desk"), ("0a09", "south", "hall\x1b[2J")):
        said = {"cluster": cluster, "peer_id": 0, "peers": [0], "names": [name]}
        desk.plug_in("esp32", number, **{"faction.json": json.dumps(said).encode()})
    done = boards(desk, *ports(desk), width=200)
    names = [row(done.stdout, port)[4] for port in ports(desk)]
    assert names[:2] == ["says north, but the roster has another hardware id", "says south"]
    assert names[2] == "says south of hall?[2J, not in the roster" and "\x1b" not in done.stdout


def test_what_the_trouble_of_each_port_is(desk, monkeypatch, capsys):
    """Ports that are busy, silent, absent, noisy, or another thing; and boards that are broken. All are asked at the same time."""
    desk.write(("north", "esp32", "0a01"))
    good = desk.plug_in("esp32", "0a01")
    none = desk.plug_in("esp32", "0b03", FAULTS["no number"][0], **MINE)
    damaged = desk.plug_in("esp32", "0b04", PRINTS, **MINE)
    busy = desk.enter(held(desk.plug_in("esp32", "0b05", **MINE)))
    fakes = [desk.enter(Fake(kind)) for kind in (silent, noise, echo, modem)] + [desk.enter(shell("/bin/sh", "-i"))]
    expected = {
        none.port: "the board says RuntimeError: no efuse",
        damaged.port: "the answer of the board is damaged",
        busy.port: "in use by another program; close its terminal or mpremote, and run this again",
        "/dev/nothing": "no such port; plug the board in with a data cable, or name another port",
        "/dev/null": "not a serial port; name another one",
        **{fake.port: "no MicroPython answers" for fake in fakes},
    }
    shorten(monkeypatch, BRIEF)
    monkeypatch.setenv("COLUMNS", "120")
    begin = time.monotonic()
    assert cli.main(["boards", "--roster", str(desk.path), good.port, *expected]) == 3
    assert time.monotonic() - begin < 60
    done = capsys.readouterr()
    assert done.err == "" and row(done.out, good.port)[3:5] == ["0a01", "0 (north)"]
    lines = done.out.splitlines()
    for port, words in expected.items():
        [line] = [line for line in lines if line.startswith(f"! {port}: ")]
        assert words in line, line
    for board in desk.boards[1:]:
        assert files(board) == MINE


@pytest.mark.skipif(os.geteuid() != 0 if hasattr(os, "geteuid") else True, reason="only root can become somebody else")
def test_a_forbidden_port_and_a_forbidden_folder(tmp_path):
    host, device = os.openpty()
    port = os.ttyname(device)
    os.chmod(port, 0o600)
    (tmp_path / "drive").mkdir(mode=0o700)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        found = plugged.look([port], None, threading.Event(), False)
        os.write(write, found[0].fault.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 4096).decode() == f"{port}: you may not open it; run sudo usermod -aG dialout $USER, and log in again"
    for each in (host, device, read, write):
        os.close(each)


def test_ctrl_c_starts_the_programs_again(desk):
    desk.write(("north", "esp32", "0a01"))
    board = desk.plug_in("esp32", "0a01", **RUNS)
    wait(lambda: b"my own program" in board.said)
    before = board.said.count(b"my own program")
    quiet = desk.enter(Fake(silent))
    child = pexpect.spawn(FACTION[0], [*FACTION[1:], "boards", "--roster", str(desk.path), board.port, quiet.port], timeout=60)
    child.expect("asking 2 boards")
    wait(lambda: board.said.count(b"my own program") > before or b"raw REPL" in board.said)
    child.sendintr()
    child.expect("stopped by ctrl-C")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    wait(lambda: board.said.count(b"my own program") > before)


def test_without_a_roster_it_lists_all_the_same(desk):
    board = desk.plug_in("esp32", "0a01")
    done = subprocess.run([*FACTION, "boards", board.port], capture_output=True, text=True, cwd=desk.folder, timeout=120)
    assert done.returncode == 0 and "0a01" in done.stdout and "new" in done.stdout, done
    missing = subprocess.run([*FACTION, "boards", "--roster", "no.toml"], capture_output=True, text=True, cwd=desk.folder)
    assert missing.returncode == 2 and missing.stderr.startswith("no.toml: does not exist; "), missing


def test_no_board_at_all(desk):
    if plugged.places():
        pytest.skip("there are boards on this computer")
    desk.write(("north", "esp32", "0a01"))
    done = boards(desk)
    assert done.returncode == 3 and done.stderr.startswith("no serial port on USB found; use a data cable"), done
    every = faction("deploy", "--all", "--roster", desk.path)
    assert every.returncode == 2 and every.stderr == done.stderr, every


def test_the_serial_number_on_usb_is_known_as_a_hardware_id(desk):
    desk.write(("north", "esp32", "94b97e6f1a2c"), ("door", "rp2040", "e6614103e7452b2f"), ("short", "esp32", "94"))
    roster = load(desk.path)
    assert plugged._known("e6614103e7452b2f", roster) == "e6614103e7452b2f"
    assert plugged._known("94b97e6f1a2c0000", roster) == "94b97e6f1a2c"  # MicroPython pads the number of an ESP32
    assert plugged._known("94", roster) == "" and plugged._known("0001", roster) == "" and plugged._known("94", None) == ""


def mount(folder):
    return subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], capture_output=True).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
def test_mounted_drives_are_found(tmp_path):
    folder = tmp_path / "CIRCUIT PY ä"
    folder.mkdir()
    if not mount(folder):
        pytest.skip("this computer does not allow to mount")
    try:
        assert folder not in drives.mounted()
        (folder / "boot_out.txt").write_text(BOOT_OUT)
        assert folder in drives.mounted() and str(folder) in plugged.places()
        [board] = plugged.look([str(folder)], None, threading.Event(), True)
        assert (board.kind, board.firmware, board.hardware_id) == ("circuitpython", "CircuitPython 10.0.3", "e6614c311b7e6f35")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_board_shows_up_once_although_it_has_a_port_and_a_drive(tmp_path):
    (tmp_path / "boot_out.txt").write_text(BOOT_OUT)
    drive = plugged.Plugged(str(tmp_path), "circuitpython", hardware_id="aa")
    port = plugged.Plugged("/dev/ttyACM0", "circuitpython", hardware_id="aa")
    other = plugged.Plugged("/dev/ttyACM1", "circuitpython", hardware_id="bb")
    assert plugged._without_doubles([port, drive, other]) == [drive, other]


def test_the_cluster_goes_on_while_it_is_listed(desk):
    """Boards of unix that have started stay so: asking them is no restart."""
    desk.write(("north", "esp32", "0a01"))
    with powered(desk.folder / "cluster", settings_of(2)) as running:
        wait(lambda: states(running, BOOTSTRAPPED))
        found, code = listed(desk, *[board.port for board in running])
        assert code == 0 and all(board["is_running"] for board in found.values())
        assert [board.said.count(b"faction: node") for board in running] == [1, 1]
