"""faction simulate as a person runs it: what it refuses, what it shows meanwhile, and how it ends when something is in its way."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import pexpect
import pyte
import pytest
from command import FACTION, faction, is_refused

from faction_tools.fleet.examples import EXAMPLE
from faction_tools.shown import palette
from faction_tools.shown.page import TEMPLATE, page
from faction_tools.simulator import campaign
from faction_tools.simulator.history import history
from faction_tools.simulator.scenario import load, shipped
from faction_tools.simulator.simulation import Simulation

# A run that takes some ten seconds.
BIG = ["greenhouse", "--set", "cluster.nodes=400", "--set", "cluster.interval_ms=5000", "--set", "cluster.deadline_ms=300000"]
COLOUR = re.compile("#[0-9a-f]{6}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--runs -3", "--runs -3: not a whole number of at least 1; write, for example, --runs 4"),
        ("--runs many", "--runs many: not a whole number of at least 1"),
        ("--jobs 0 --runs 2", "--jobs 0: not a whole number of at least 1"),
        ("--seed -1", "--seed -1: not a whole number of at least 0"),
        (f"--seed {10**30}", f"--seed {10**30}: not a whole number up to 4,611,686,018,427,387,904"),
        (f"--runs {10**20}", f"--runs {10**20}: not a whole number up to 10,000,000"),
        ("--runs 2 --jobs 100000", "--jobs 100000: not a whole number up to 256"),
        ("--set cluster.power_on_ms=1e308", "cluster.power_on_ms=1e308: must be 1000000000000 or less"),
        ("--set cluster.start_up_ms={normal=[1,1e308]}", "cluster.start_up_ms.normal[1]: 1e+308: must be 1000000000000 or less"),
        ("--set medium.delay_ms={exponential=[-5,1]}", "medium.delay_ms.exponential[0]: -5: must be 0 or more"),
        ("--set limit_ms=1e308", "limit_ms=1e308: must be 1000000000000 or less"),
        ("--confidence 1.5", "--confidence 1.5: not a share between 0 and 1; write, for example, --confidence 0.999"),
        ("--confidence nan", "--confidence nan: not a share between 0 and 1"),
        ("--confidence high", "--confidence high: not a share between 0 and 1"),
        ("--picture x.svg --runs 2", "--picture and --runs cannot work together: a picture shows one run or a sweep; leave out --runs"),
        ("--picture x.svg --confidence 0.9", "--picture and --confidence cannot work together"),
        ("--page x.html --runs 2", "--page and --runs cannot work together: there is one page for one run; choose that run with --seed"),
        ("--journal x --runs 2", "--journal and --runs cannot work together"),
        ("--journal x --sweep medium.loss=0,1", "--journal and --sweep cannot work together"),
        ("--json --sweep medium.loss=0,1", "--json and --sweep cannot work together: a sweep is a table"),
        ("--confidence 0.9 --sweep medium.loss=0,1", "--confidence and --sweep cannot work together"),
        ("--jobs 2", "--jobs 2: one run takes one process; add --runs, --confidence or --sweep"),
        ("--dask tcp://127.0.0.1:1", "--dask tcp://127.0.0.1:1: one run takes one process"),
        ("--dask tcp://127.0.0.1:1 --runs 2 --jobs 2", "--jobs and --dask cannot work together"),
        ("--sweep medium.loss", "--sweep medium.loss: no values; write it as medium.loss=0,0.1,0.2"),
        ("--picture x.pdf", "--picture x.pdf: unknown suffix '.pdf'; choose .svg or .png"),
        ("--picture x", "--picture x: unknown suffix ''; choose .svg or .png"),
        ("--page x.svg", "--page x.svg: unknown suffix '.svg'; choose .html or .htm"),
        ("--page nowhere/x.html", "--page nowhere/x.html: there is no folder nowhere; make it first"),
        ("--journal .", "--journal .: is a folder; name a file"),
        ("--journal pyproject.toml", "--journal pyproject.toml: already exists; choose another name or delete it"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(options, said):
    done = faction("simulate", "greenhouse", *options.split())
    assert is_refused(done, said), done.stdout + done.stderr


def test_an_option_without_a_scenario_is_refused():
    assert is_refused(faction("simulate", "--runs", "3"), "--runs: it needs a scenario; faction simulate lists the names")


def test_a_folder_with_the_name_of_a_picture_is_refused(tmp_path):
    (tmp_path / "run.svg").mkdir()
    assert is_refused(faction("simulate", "greenhouse", "--picture", tmp_path / "run.svg"), "run.svg: is a folder; name a file")


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\0\0\xff\xfe", b"title = '\xff'", None])
def test_a_scenario_that_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    done = faction("simulate", path)
    assert is_refused(done, str(path)), done.stdout + done.stderr


@pytest.mark.parametrize("change", ["title.x=1", "cluster=3", "medium.links.0.loss=1", "=1", "nodes.5=1", "medium.loss"])
def test_a_change_that_fits_nowhere_is_refused(change):
    done = faction("simulate", "greenhouse", "--set", change)
    assert done.returncode == 2 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 2, done.stderr


@pytest.mark.parametrize("option", ["picture run.svg", "picture run.png", "page run.html"])
def test_a_full_disk_is_one_line(tmp_path, option):
    name, file = option.split()
    path = tmp_path / file
    path.symlink_to("/dev/full")
    done = faction("simulate", "greenhouse", f"--{name}", path)
    assert done.returncode == 2 and "12 of 12 nodes Bootstrapped" in done.stdout
    assert done.stderr.splitlines()[1:] == [f"{path}: no space left on the disk; free some space or choose another place"]


@pytest.mark.parametrize("words", [("greenhouse", "--json"), ("greenhouse",), ("split", "--runs", "40")])
def test_an_output_that_is_full_is_one_line(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*FACTION, "simulate", *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("standard output: no space left on the disk")


def test_brackets_and_dollars_in_names_are_only_text(tmp_path):
    path = tmp_path / "[bold]a.toml"
    text = (TEMPLATE.parents[1] / "simulator" / "scenarios" / "greenhouse.toml").read_text()
    path.write_text(re.sub('title = ".*"', r'title = "[/b] $\\\\x$ [red]"', text))
    one = faction("simulate", path, "--picture", tmp_path / "run.svg")
    assert one.returncode == 0 and one.stdout.startswith(r"[/b] $\x$ [red], seed 1"), one.stdout + one.stderr
    many = faction("simulate", path, "--runs", "5", width=200)
    assert many.returncode == 0 and "[bold]a." in many.stdout.replace("\n", ""), many.stdout + many.stderr


def on_terminal(*words, until="", seconds=0.0, columns=80):
    """Run the command on a terminal, with ctrl-C so many seconds after it wrote until, a pattern.

    Return (all it wrote, the lines that are left, exit code).
    """
    child = pexpect.spawn(FACTION[0], [*FACTION[1:], "simulate", *words], dimensions=(40, columns), timeout=300)
    written = b""
    if until:
        child.expect(until)
        written = child.before + child.after
        time.sleep(seconds)
        child.sendintr()
    written += child.read()
    child.close()
    screen = pyte.Screen(columns, 40)
    pyte.ByteStream(screen).feed(written)
    return written.decode(errors="replace"), [line.rstrip() for line in screen.display], child.exitstatus


def test_a_big_run_shows_its_progress_and_ctrl_c_keeps_it(tmp_path):
    written, left, code = on_terminal(
        *BIG, "--set", "medium.access=free", "--page", str(tmp_path / "run.html"), until="s simulated", seconds=3
    )
    assert re.search(r"\d\.\d s simulated, nodes concluded:", written) and "0/400" in written, written[-2000:]
    assert code == 130 and (tmp_path / "run.html").stat().st_size > 100_000
    text = "\n".join(left)
    assert "0 of 400 nodes Bootstrapped; " in text and "stopped by ctrl-C at " in text and "concluded" not in text, text


def test_progress_rises_with_what_the_nodes_count():
    """All nodes get their verdicts at the end, but the progress is seen before."""
    found = []
    run = Simulation(load("greenhouse", ["cluster.nodes=40"]), 1)
    run.run(lambda: found.append((run.progress, sum(board.is_concluded for board in run.boards))))
    assert found[0][0] == 0 and run.progress == 1 and all(0 <= share <= 1 for share, _ in found)
    before = {round(share, 1) for share, concluded in found if concluded == 0}
    assert len(before) >= 6, before
    dark = Simulation(load("greenhouse", ["medium.loss=1.0"]), 1).run()
    assert dark.progress == 1  # all have timed out


def test_many_runs_show_their_progress_and_ctrl_c_keeps_them():
    written, left, code = on_terminal("greenhouse", "--runs", "100000", until=r"[1-9]\d*/100000")
    text = "\n".join(left)
    assert "/100000" in written and code == 130
    assert "greenhouse: " in text and " runs of 100,000" in text and "all Bootstrapped in 100.00% of the runs" in text, text
    assert re.search(r"stopped by ctrl-C after [\d,]+ of 100,000 runs", text) and "Traceback" not in written


def test_ctrl_c_during_a_sweep_ends_all_of_it():
    begin = time.monotonic()
    written, left, code = on_terminal("greenhouse", "--sweep", "medium.loss=0,0.1,0.2", "--runs", "50000", until=r"[1-9]\d*/150000")
    text = "\n".join(left)
    assert code == 130 and "sweep of medium.loss" in text and "of 150,000 runs" in text, text
    assert time.monotonic() - begin < 30


def test_ctrl_c_before_the_first_run_is_done_is_one_line():
    _, left, code = on_terminal(*BIG, "--runs", "4", until="0/4", seconds=2)
    lines = [line for line in left if line]
    assert code == 130 and lines[-1] == "stopped by ctrl-C after 0 of 4 runs" and len(lines) <= 2, lines


def test_without_a_terminal_there_is_no_progress():
    done = faction("simulate", "greenhouse", "--runs", "50")
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("words", [("--json",), ("--runs", "3", "--json")])
def test_json_goes_out_unwrapped_on_a_terminal(words):
    written, _, code = on_terminal("greenhouse", *words, columns=40)
    lines = [line for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).splitlines() if line.lstrip("\r").startswith("{")]
    assert code == 0 and [json.loads(line)["bootstrapped"] for line in lines] == [12] * (3 if "--runs" in words else 1), written


def test_what_still_waits_for_a_worker_is_given_up():
    with suppress(KeyboardInterrupt), campaign.local_executor(1) as pool:
        futures = [pool.submit(time.sleep, 0.1) for _ in range(100)]
        raise KeyboardInterrupt
    assert sum(future.cancelled() for future in futures) > 90


def test_a_worker_that_is_killed_is_one_line():
    child = subprocess.Popen([*FACTION, "simulate", "greenhouse", "--runs", "100000", "--jobs", "1"], stderr=subprocess.PIPE, text=True)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    while not children.read_text():
        time.sleep(0.1)
    os.kill(int(children.read_text().split()[-1]), signal.SIGKILL)
    _, complained = child.communicate(timeout=300)
    assert child.returncode == 2 and len(complained.splitlines()) == 1, complained
    assert complained.startswith("a worker ended before its work was done")


README = (TEMPLATE.parents[1] / "README.md").read_text().partition("## Simulate first")[2].partition("## How to change it")[0]


def commands():
    """Return the words of each command in the section of the README."""
    lines = README.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("faction ")]


def test_the_commands_of_the_readme_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faction.toml").write_text(EXAMPLE)
    assert len(commands()) == 9
    for words in commands():
        fewer = {
            "10000": "40",
            "0.999": "0.9",
            "200": "10",
            "cluster.nodes=50": "cluster.nodes=12",
            "cluster.nodes=300": "cluster.nodes=10",
            "medium.reach=0.25": "medium.reach=2.0",
        }
        done = faction(*[fewer.get(word, word) for word in words], *(["--runs", "10"] if "--sweep" in words else []))
        assert done.returncode == 0 and done.stdout, (words, done.stderr)
        assert done.stdout in README or not {"brownout", "tunnel"} & set(words), done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"faction.toml", "run.html", "run.svg", "loss.svg", "tunnel.png"}


def test_the_example_of_the_readme_runs():
    (program,) = [part.partition("```")[0] for part in README.split("```python\n")[1:]]
    exec(program, {})


def test_the_readme_names_every_scenario():
    assert set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)) == set(shipped())


def test_the_page_has_the_colours_of_the_palette():
    run = page(history(Simulation("greenhouse", 1, record=True).run()))
    colours = {*palette.COLOURS.values(), palette.OFF_COLOUR}
    assert colours <= set(COLOUR.findall(run)) and not colours & set(COLOUR.findall(TEMPLATE.read_text()))


class Watched(ProcessPoolExecutor):
    """Workers that note when they begin and end each task, in a file."""

    def __init__(self, path, workers):
        super().__init__(workers)
        self.path = str(path)

    def submit(self, call, *words):
        return super().submit(noted, self.path, call, *words)


def noted(path, call, *words):
    begin = time.monotonic()
    result = call(*words)
    with open(path, "a") as file:
        file.write(f"{os.getpid()} {begin} {time.monotonic()}\n")
    return result


def idle_share(path, runs):
    """Return the share of the time in which a worker had no run to do, from the first begin to the last end, and who has worked.

    It is measured in the workers. So other programs, which take time from all of them, do not matter.
    """
    with Watched(path, 2) as pool:
        done = campaign.run(load("greenhouse", ["cluster.nodes=4"]), "greenhouse", runs, pool, workers=2)
    assert [each["seed"] for each in done.outcomes] == list(range(1, runs + 1))
    spans = [(pid, float(begin), float(end)) for pid, begin, end in map(str.split, path.read_text().splitlines())]
    whole = 2 * (max(end for *_, end in spans) - min(begin for _, begin, _ in spans))
    return 1 - sum(end - begin for _, begin, end in spans) / whole, {pid for pid, *_ in spans}


def test_all_cores_work_until_the_end(tmp_path):
    shares = []
    while len(shares) < 3 and min(shares, default=1) >= 0.1:  # a busy computer may let one of them wait
        share, workers = idle_share(tmp_path / str(len(shares)), 1500)
        assert len(workers) == 2
        shares.append(share)
    assert min(shares) < 0.1, shares


@pytest.mark.parametrize(("runs", "nodes", "workers"), [(1, 4, 2), (10_000, 12, 2), (1000, 12, 64), (50, 400, 8), (7, 4, 100)])
def test_the_last_chunks_are_small_and_nothing_is_left_out(runs, nodes, workers):
    chunks = list(campaign._chunks(range(5, 5 + runs), nodes, workers))
    assert [seed for chunk in chunks for seed in chunk] == list(range(5, 5 + runs))
    sizes = [len(chunk) for chunk in chunks]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] <= campaign.CHUNK
    assert len(sizes) >= min(runs, campaign.CHUNKS * workers) and sizes[-min(runs, workers) :] == [1] * min(runs, workers)


def test_the_table_of_a_sweep_cuts_no_word_in_a_narrow_terminal():
    words = "simulate greenhouse --set cluster.nodes=2 --sweep cluster.start_up_ms=1000,2000 --runs 3"
    done = faction(*words.split(), width=60)
    assert done.returncode == 0 and "…" not in done.stdout and "sweep of cluster.start_up_ms" in done.stdout, done.stdout
    for word in ("value", "median,", "99th,", "frames", "100.0%"):
        assert word in done.stdout, done.stdout
