"""The demo: real processes, watched as a person and as a script would."""

import os
import re
import signal
import subprocess
import sys
import time

import pexpect
import pytest
from needs import NO_MICROPYTHON, require

DEMO = [sys.executable, "-m", "faction_tools.dev.demo"]

require(NO_MICROPYTHON)


def demo(*arguments):
    return subprocess.run([*DEMO, *arguments], capture_output=True, text=True, timeout=300)


def members_of(group):
    """Return the processes of ours that run the unix board."""
    shown = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(group) in line and "main.py" in line]


def wait_until_gone(folder):
    limit = time.monotonic() + 60
    while members_of(folder):
        assert time.monotonic() < limit, members_of(folder)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "nodes"), [((), 5), (("--nodes=12", "--quorum=9", "--loss=0.3", "--seed=1"), 12), (("--nodes=1",), 1)]
)
def test_all_nodes_bootstrap(arguments, nodes):
    done = demo(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout  # no terminal: plain lines
    verdicts = re.findall(r"^ +(\d+)  \S+ .* bootstrapped +\d+\.\d\d s", done.stdout, re.MULTILINE)
    assert sorted(map(int, verdicts)) == list(range(nodes))


def test_the_late_node_holds_up_a_cluster_that_needs_all():
    done = demo("--loss=0", "--seed=3")
    bootstrapped = [float(at) for at in re.findall(r"^ *(\d\.\d\d) s  node \d: bootstrapped", done.stdout, re.MULTILINE)]
    assert len(bootstrapped) == 5 and min(bootstrapped) > 2.5, done.stdout


def test_the_common_start_is_marked_and_measured():
    done = demo("--loss=0", "--seed=3")
    assert len(re.findall(r"^ *\d\.\d\d s  node \d: .*started", done.stdout, re.MULTILINE)) == 5, done.stdout
    bars = re.findall(r"^ +\d  (\S+) .* bootstrapped +\d+\.\d\d s", done.stdout, re.MULTILINE)
    assert len(bars) == 5 and all(re.fullmatch("[^▶█]+█+▶█*", bar) for bar in bars), done.stdout
    found = re.search(r"^5 nodes: verdicts (\d+) ms apart, common start (\d+) ms apart$", done.stdout, re.MULTILINE)
    assert found and max(map(int, found.groups())) < 1000, done.stdout


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--nodes=0", "NODES=0"),
        ("--nodes=many", "NODES=many"),
        ("--nodes=65", "NODES=65"),
        ("--quorum=6", "QUORUM=6"),
        ("--quorum=0", "QUORUM=0"),
        ("--loss=1", "LOSS=1"),
        ("--loss=nan", "LOSS=nan"),
        ("--loss=-0.1", "LOSS=-0.1"),
        ("--seed=x", "SEED=x"),
    ],
)
def test_a_value_that_makes_no_sense_gets_one_line(argument, named):
    done = demo(argument)
    assert done.returncode == 2 and not done.stdout
    assert re.fullmatch(rf"demo: {re.escape(named)}: not a .* from .* to .*\n", done.stderr)


def test_a_cluster_that_times_out_is_no_success(tmp_path):
    script = "import sys; from faction_tools.dev import demo; demo.DEADLINE_MS = 900; sys.exit(demo.main())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "timed out" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_outlives_the_demo(tmp_path, number, code):
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, env=dict(os.environ, TMPDIR=str(tmp_path))) as process:
        process.stdout.readline()  # the first node has reported
        assert members_of(tmp_path)
        process.send_signal(number)
        process.communicate()
    assert process.returncode == code
    wait_until_gone(tmp_path)


def test_a_terminal_shows_a_live_table_and_the_end():
    child = pexpect.spawn(DEMO[0], DEMO[1:], dimensions=(40, 110), encoding="utf-8", timeout=120)
    child.expect("5 MicroPython processes, quorum 5, 20% of the frames lost")
    child.expect("pinging")
    child.expect("bootstrapped")
    child.expect("complete.*verdict.*sent.*dropped")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
