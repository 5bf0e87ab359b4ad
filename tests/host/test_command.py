"""The command faction: it starts at once, lists what it can do, and never shows a traceback for what a user can do."""

import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from command import FACTION, cpu_s, faction

import faction as package
from faction_tools import cli

ROOT = Path(__file__).parents[2]
# What takes long to import. A command that does not need it must not wait for it.
LONG = ("asyncio", "matplotlib", "mpremote", "pydantic", "python_minifier", "rich", "serial", "numpy", "multiprocessing", "zipfile")
ROSTER = "faction.toml"
SHORT = [(name, "--help") for name in cli.COMMANDS if name not in ("build", "deploy")]
EXISTS = "already exists; choose another name or delete it"


def imported(*words, **options):
    """Return the top-level modules that a command imports, in a process of its own."""
    script = f"import sys; from faction_tools import cli; code = cli.main({list(words)!r}); print(*sys.modules, sep='\\n'); sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition(".")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "words", [(), ("--help",), ("--version",), *[(name, "--help") for name in cli.COMMANDS if name not in ("build", "deploy")]]
)
def test_help_imports_nothing_that_takes_long(words):
    assert imported(*words) & set(LONG) == set()


@pytest.mark.parametrize("name", ["build", "deploy"])
def test_help_of_what_compiles_imports_no_library(name):
    assert imported(name, "--help") & set(LONG) <= {"zipfile"}


def test_check_imports_what_reads_a_roster_alone(tmp_path):
    assert faction("new", tmp_path / ROSTER).returncode == 0
    assert imported("check", str(tmp_path / ROSTER)) & set(LONG) <= {
        "pydantic",
        "rich",
        "zipfile",
    }  # rich draws the table; pydantic looks for its plug-ins


def test_alone_it_lists_the_commands():
    done = faction()
    assert done.returncode == 0 and not done.stderr
    assert re.findall(r"^    (\w+) ", done.stdout, re.MULTILINE) == list(cli.COMMANDS)
    assert done.stdout == faction("--help").stdout


def test_it_says_its_version():
    assert faction("--version").stdout == f"faction {package.__version__}\n"


def test_the_readme_has_the_commands_and_exit_codes_of_the_help():
    text = (ROOT / "tools/README.md").read_text()
    assert set(re.findall(r"^\| `faction (\w+)", text, re.MULTILINE)) == set(cli.COMMANDS)
    codes = re.findall(r"^  (\d+) ", cli.EPILOG, re.MULTILINE)
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == codes
    assert {cli.FAILED, cli.INTERRUPTED, cli.CLOSED_PIPE} <= set(map(int, codes))


@functools.cache
def made():
    """Return the texts of a roster and of a journal."""
    with tempfile.TemporaryDirectory() as folder:
        roster, journal = Path(folder, ROSTER), Path(folder, "run.journal")
        assert faction("new", roster).returncode == 0
        assert faction("simulate", "greenhouse", "--journal", journal).returncode == 0
        return {path.name: path.read_text() for path in (roster, journal)}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder with a roster, a journal, and what may be in the way: a folder, a file, bytes, a full disk."""
    monkeypatch.chdir(tmp_path)
    for name, text in made().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file")
    (tmp_path / "binary.toml").write_bytes(bytes(range(256)))
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "full.html").symlink_to("/dev/full")
    return tmp_path


# Without it Python writes to a pipe when it ends, as it does for most people.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def refused(done, code=2):
    """Check that a command ended with one line on standard error, and return it."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr + done.stdout and done.stderr.count("\n") == 1, done.stderr
    return done.stderr[:-1]


WRONG = {
    # What is asked for, and what the line says.
    "no such command": ("frob", "faction: argument COMMAND: invalid choice: 'frob'"),
    "no such option": ("--frob", "faction: --frob: not understood; run: faction --help"),
    "a word too many": ("new a b --c", "faction new: b --c: not understood; run: faction new --help"),
    "no such choice": ("build --slice half", "faction build: argument --slice: invalid choice: 'half'"),
    "an option without its value": ("deploy --roster", "faction deploy: argument --roster: expected one argument; run: "),
    "replay of no file": ("replay", "faction replay: the following arguments are required: FILE"),
    "simulate a roster": ("simulate faction.toml", "faction.toml: is a roster, not a scenario; write --roster faction.toml"),
    "new over a roster": ("new", f"faction.toml: {EXISTS}"),
    "new over a folder": ("new folder", "folder: is a folder; name a file"),
    "new of JSON": ("new my.json", "my.json: an example is TOML, as JSON can have no comments; write my.toml"),
    "a command that is misspelt": ("chek", "did you mean check?; run: faction --help"),
    "a choice that is misspelt": ("new --kind esp23", "did you mean esp32?; run: faction new --help"),
    "new in no folder": ("new nowhere/faction.toml", "nowhere/faction.toml: does not exist"),
    "new below a file": ("new file/faction.toml", "file/faction.toml: needs a folder where there is a file"),
    "check of nothing": ("check nothing.toml", "nothing.toml: "),
    "check of a folder": ("check folder.toml", "folder.toml: "),
    "check of bytes": ("check binary.toml", "binary.toml: "),
    "build below a file": ("build faction.toml --out file", "file"),
    "build of bytes": ("build binary.toml", "binary.toml: "),
    "dist below a file": ("dist --out file", "file"),
    "deploy with no roster": ("deploy /dev/nothing 0 --roster nothing.toml", "nothing.toml: "),
    "deploy of nobody": ("deploy /dev/nothing nobody", "nobody: "),
    "deploy with the board first": (
        "deploy north /dev/nothing",
        "deploy north /dev/nothing: the port comes first; write: faction deploy /dev/nothing north",
    ),
    "deploy to nothing": ("deploy /dev/nothing 0", "/dev/nothing: "),
    "deploy to a file": ("deploy file 0", "file: "),
    "probe again at once": ("probe /dev/nothing --watch -1", "--watch -1: "),
    "probe with the port behind --watch": ("probe --watch /dev/nothing", "--watch /dev/nothing: "),
    "probe that takes no time": ("probe /dev/nothing --timeout 0", "--timeout 0: "),
    "probe with a journal over a file": ("probe /dev/nothing --journal file", f"file: {EXISTS}"),
    "probe with a journal over a folder": ("probe /dev/nothing --journal folder", "folder: "),
    "replay of nothing": ("replay nothing", "nothing: "),
    "replay of a folder": ("replay folder", "folder: "),
    "replay of bytes": ("replay binary.toml", "binary.toml:1: "),
    "replay beyond the end": ("replay run.journal --at 100000", "--at 100000: "),
    "replay before the start": ("replay run.journal --at -1", "--at -1: "),
    "replay to a picture of no kind": ("replay run.journal --diagram run.txt", "run.txt: "),
    "replay to a folder": ("replay run.journal --diagram folder/nowhere/run.svg", "folder/nowhere/run.svg: "),
    "replay to a full disk": ("replay run.journal --diagram /dev/full", "/dev/full: "),
    "simulate nothing": ("simulate nothing", "nothing: "),
    "simulate a folder": ("simulate folder.toml", "folder.toml: "),
    "simulate bytes": ("simulate binary.toml", "binary.toml: "),
    "simulate what is no change": ("simulate greenhouse --set medium", "medium: "),
    "simulate a change of no field": ("simulate greenhouse --set medium.x=1", "medium.x=1: no such field"),
    "simulate a change through a value": ("simulate greenhouse --set title.x=1", "title"),
    "simulate to a page in the way": ("simulate greenhouse --page folder", "folder: "),
    "simulate to a picture of no kind": ("simulate greenhouse --picture run.txt", "run.txt"),
    "simulate to a journal in the way": ("simulate greenhouse --journal file", f"file: {EXISTS}"),
    "simulate to a full disk": ("simulate greenhouse --json --page full.html", "full.html: no space left"),
    "simulate no runs": ("simulate greenhouse --runs 0", "--runs 0: "),
    "simulate fewer runs than none": ("simulate greenhouse --runs -3", "--runs -3: "),
    "simulate with more confidence than there is": ("simulate greenhouse --confidence 1.5", "--confidence 1.5: "),
    "simulate with nobody at work": ("simulate greenhouse --runs 5 --jobs 0", "--jobs 0: "),
    "simulate one picture of many runs": ("simulate greenhouse --runs 5 --picture run.svg", "--picture"),
    "simulate a sweep of nothing": ("simulate greenhouse --sweep medium.loss=", "--sweep medium.loss="),
    "simulate a sweep as JSON": ("simulate greenhouse --sweep medium.loss=0,0.1 --json", "--json"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_one_line(here, words, said):
    line = refused(faction(*words.split()))
    assert said in line and "; " in line, line  # what is wrong, and what to do
    assert (here / "file").read_text() == "a file"


@pytest.mark.parametrize("name", ["two words", "it's", "größe"])
def test_a_command_that_is_proposed_can_be_copied(here, name):
    proposed = faction("new", f"{name}.toml").stdout.partition("run: ")[2]
    assert faction(*shlex.split(proposed)[1:]).returncode == 0, proposed
    missing = refused(faction("replay", name)).partition("; ")[2].rpartition(" writes it")[0]
    assert shlex.split(missing) == ["faction", "probe", "--journal", name]


@pytest.mark.parametrize("columns", [72, 80, 100])
def test_a_help_fits_the_terminal(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit):
            cli.parser(name).parse_args([name, "--help"])
        said = capsys.readouterr().out
        assert said and max(map(len, said.splitlines())) <= columns, said


@pytest.mark.parametrize("word", ["a\nb", "a\r", "\n"])
def test_a_name_with_a_line_break_is_one_line(here, word):
    for words in (("check", word), ("deploy", word, "north"), ("simulate", "greenhouse", "--page", word)):
        assert refused(faction(*words)) == f"{word!r}: has a line break; rename the file, or leave that out"


READ_ONLY = Path("/sys")


@pytest.mark.skipif(not READ_ONLY.is_dir(), reason="needs a file system that takes no files: /sys")
@pytest.mark.parametrize(
    "words", ["new /sys/x.toml", "build --out /sys/x", "simulate greenhouse --page /sys/x.html", "replay run.journal --diagram /sys/x.svg"]
)
def test_a_place_that_takes_no_files(here, words):
    done = faction(*words.split())
    (line,) = done.stderr.splitlines()  # nothing was done before
    assert done.returncode == 2 and done.stdout == ""
    assert re.match(r"/sys/x\S*: .+; choose another place|/sys/x\S*: you may not .+ here; choose another place", line), line


@pytest.mark.parametrize("words", [(), ("simulate",), ("check", "faction.toml"), ("replay", "run.journal")])
def test_a_full_disk_behind_standard_output(here, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*FACTION, *words], stdout=full, stderr=subprocess.PIPE, text=True, env=BUFFERED)
    assert done.returncode == 2
    assert done.stderr == "standard output: no space left on the disk; free some space or choose another place\n"


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("check", "--help")])
def test_a_full_disk_behind_the_help(here, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*FACTION, *words], stdout=full, stderr=subprocess.PIPE, text=True, env={**BUFFERED, "PYTHONUNBUFFERED": "1"})
    assert done.returncode == 2
    assert done.stderr == "standard output: no space left on the disk; free some space or choose another place\n"


@pytest.mark.parametrize(
    "words", [("--help",), ("simulate",), ("check", "faction.toml"), ("simulate", "greenhouse", "--json"), ("replay", "run.journal")]
)
def test_a_closed_pipe_is_quiet(here, words):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run([*FACTION, *words], stdout=closed, stderr=subprocess.PIPE, text=True, env=BUFFERED)
    assert done.returncode == 141 and "Error" not in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_pipe_that_closes_after_a_line(here):
    words = "simulate greenhouse --set cluster.nodes=3 --runs 400 --json".split()  # more than a pipe holds
    command = ["bash", "-c", '"$@" | head -1; echo ${PIPESTATUS[0]}', "bash", *FACTION, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=BUFFERED)
    first, code = done.stdout.splitlines()
    assert first.startswith('{"seed": 1, ') and code == "141" and not done.stderr, done


def test_output_that_is_closed_or_knows_few_characters(here):
    command = " ".join(map(str, FACTION))
    assert subprocess.run(f"{command} check >&-", shell=True).returncode == 0
    done = subprocess.run([*FACTION, "simulate"], env=dict(os.environ, PYTHONIOENCODING="ascii"), capture_output=True, text=True)
    assert done.returncode == 0 and "greenhouse" in done.stdout and not done.stderr


def is_at_work(here, child):
    """Tell whether a command has done a part of its work: build has written a file; simulate does nothing else after a second."""
    made = (name for _, _, names in os.walk(here) for name in names if name.endswith(".mpy"))  # folders may vanish meanwhile
    return any(made) or cpu_s(child) > 1.5


@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "greenhouse", "--set", "cluster.nodes=2000", "--set", "cluster.quorum=2000"),
        ("build", "--native"),
    ],
    ids=["one run", "build"],
)
def test_ctrl_c_is_one_line(here, words):
    child = subprocess.Popen([*FACTION, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not is_at_work(here, child):
        time.sleep(0.01)
    assert child.poll() is None
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to all processes of it
    said, complained = child.communicate(timeout=120)
    assert child.returncode == 130, said + complained
    assert "Traceback" not in complained and complained.splitlines()[-1].startswith("stopped by ctrl-C"), complained


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_build_that_is_killed_leaves_nothing_half_made(here, name):
    child = subprocess.Popen([*FACTION, "build", "--native"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not is_at_work(here, child):
        time.sleep(0.01)
    child.send_signal(getattr(signal, name))
    said, complained = child.communicate(timeout=120)
    assert (child.returncode, said, complained) == (130, "", "stopped by ctrl-C\n")
    assert not list(here.rglob(".faction-new*"))


def test_nohup_goes_on_when_its_terminal_ends(here):
    ignoring = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    child = subprocess.Popen([*FACTION, "build"], stdout=subprocess.DEVNULL, preexec_fn=ignoring)
    while not is_at_work(here, child):
        time.sleep(0.01)
    child.send_signal(signal.SIGHUP)
    assert child.wait(120) == 0


MANY_RUNS = ["simulate", "greenhouse", "--runs", "1000000", "--jobs", "3"]


@pytest.mark.parametrize("fork", [1, 2, 3])
def test_ctrl_c_while_the_workers_start(here, fork):
    script = (
        "import os, signal, sys\nforks = []\ndef interrupt():\n    forks.append(1)\n"
        f"    if len(forks) == {fork}:\n        os.killpg(0, signal.SIGINT)\n"
        "from faction_tools.cli import main\nos.register_at_fork(after_in_parent=interrupt)\nsys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", script, *MANY_RUNS], capture_output=True, text=True, timeout=60, start_new_session=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped by ctrl-C after 0 of 1,000,000 runs\n")


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 130), ("SIGKILL", -9)])
def test_no_worker_outlives_a_simulation_that_is_killed(here, name, code):
    child = subprocess.Popen([*FACTION, *MANY_RUNS], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    limit = time.monotonic() + 60
    while len(processes(child.pid)) < 4:
        assert time.monotonic() < limit and child.poll() is None
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGTERM) if name == "SIGTERM" else child.kill()
    assert child.wait(60) == code
    if name == "SIGTERM":
        complained = child.stderr.read()
        assert complained.startswith("stopped by ctrl-C after ") and complained.count("\n") == 1, complained
    while processes(child.pid):
        assert time.monotonic() < limit, "a worker is left"
        time.sleep(0.05)
    child.stderr.close()


def processes(session):
    """Return the processes of a session that are not zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, of, *_ = stat.read_text().rpartition(")")[2].split()
            if int(of) == session and state != "Z":
                found.append(stat.parent.name)
    return found


def test_dask_without_distributed(here):
    script = (
        "import sys\nclass Missing:\n    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'distributed':\n            raise ModuleNotFoundError(\"No module named 'distributed'\", name=name)\n"
        "sys.meta_path.insert(0, Missing())\nfrom faction_tools.cli import main\nsys.exit(main())"
    )
    words = ["simulate", "greenhouse", "--runs", "5", "--dask", "tcp://127.0.0.1:1"]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert refused(done) == "distributed is not installed; run: pip install 'faction[dask]'"


def test_a_fault_of_ours_still_shows_where_it_is(here):
    script = "import sys; from faction_tools import cli; cli.COMMANDS['oops'] = 'fail'; sys.exit(cli.main(['oops']))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" in done.stderr and "faction_tools.commands.oops" in done.stderr
