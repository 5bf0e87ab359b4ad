"""faction simulate --dask: runs on a cluster of processes, and what is said when it is not there or ends."""

import subprocess
import sys
import threading
import time

import pytest
from command import FACTION, cpu_s, faction, is_refused
from needs import needs_distributed

needs_dask = pytest.mark.skipif(sys.version_info < (3, 10), reason="distributed needs Python 3.10")


def test_dask_without_its_library_is_one_line():
    program = "import sys; sys.modules['distributed'] = None; from faction_tools.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["simulate", "greenhouse", "--runs", "2", "--dask", "tcp://127.0.0.1:1"]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=300)
    assert is_refused(done, "distributed is not installed; run: pip install 'faction[dask]'"), done.stderr


@pytest.fixture(scope="module")
def cluster():
    """Run a scheduler with two workers; give its address, and the processes, the scheduler first."""
    module = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    processes = [subprocess.Popen(module, stderr=subprocess.PIPE, text=True)]
    try:
        address = next(line.split()[-1] for line in processes[0].stderr if "Scheduler at:" in line)
        threading.Thread(target=processes[0].stderr.read, daemon=True).start()  # nobody else reads what it logs
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard"]
        processes += [subprocess.Popen(worker, stderr=subprocess.DEVNULL) for _ in range(2)]
        yield address, processes
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


@needs_dask
@needs_distributed
def test_a_dask_cluster_runs_the_same(cluster):
    remote = faction("simulate", "greenhouse", "--runs", "60", "--json", "--dask", cluster[0])
    assert remote.returncode == 0, remote.stderr
    assert remote.stdout == faction("simulate", "greenhouse", "--runs", "60", "--json").stdout


@needs_dask
@needs_distributed
def test_what_a_dask_client_logs_stays_unsaid(cluster):
    program = (
        "import asyncio, logging, sys\n"
        "from faction_tools.simulator.campaign import dask_executor\n"
        "with dask_executor(sys.argv[1]):\n"
        "    loud = [name for name in sys.argv[2:] if logging.getLogger(name).isEnabledFor(logging.ERROR)]\n"
        "sys.exit(', '.join(loud) or 0)"
    )
    words = [sys.executable, "-c", program, cluster[0], "distributed.client", "tornado.application", "asyncio"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@needs_dask
@needs_distributed
def test_a_dask_cluster_that_is_not_there_is_one_line():
    done = faction("simulate", "greenhouse", "--runs", "2", "--dask", "tcp://127.0.0.1:1")
    assert is_refused(done, "--dask tcp://127.0.0.1:1: no scheduler answers there; start one with: dask scheduler"), done.stderr


@needs_dask
@needs_distributed
def test_a_dask_cluster_that_ends_is_one_line(cluster):
    """This comes last: it ends the cluster that the others use."""
    address, (scheduler, *workers) = cluster
    before = sum(map(cpu_s, workers))
    words = [*FACTION, "simulate", "greenhouse", "--runs", "100000", "--dask", address]
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    while sum(map(cpu_s, workers)) < before + 0.5:
        assert child.poll() is None
        time.sleep(0.05)
    scheduler.kill()
    _, complained = child.communicate(timeout=300)
    assert child.returncode == 2 and len(complained.splitlines()) == 1, complained
    assert complained.startswith(f"--dask {address}: the cluster ended before its work was done; start it again")
