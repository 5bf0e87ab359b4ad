"""One suite, several interpreters: every test of a module in a folder named portable runs on each of RUNTIMES.

pytest never imports these modules. It reads the names of their tests. When the first test of a module is due, the module
runs in a process of the runtime. device_timeout, in seconds, is an option of the configuration file. A module with a line
NOT_ON = ("micropython-32bit",) is not run on these runtimes.

With xdist, what shares a set-up stays together, and what takes long begins first. A failure is named when it happens.
"""

from __future__ import annotations

import ast
import functools
import gc
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.needs import require
from runtimes import RUNTIMES, ModuleRun, Report, Runtime

# Files of which a test takes ten seconds or more. They begin first, so that no core is idle while the last of them runs.
LONG = (
    "test_harness.py",
    "test_board_types.py",
    "test_simulate_command.py",
    "test_simulate_dask.py",
    "test_probe.py",
    "test_simulate.py",
    "test_promela.py",
    "test_survival.py",
    "test_survival_circuitpython.py",
    "test_deploy_all.py",
    "test_interrupted.py",
    "test_simulate_shown.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the longest time that a module may take on a runtime."""
    parser.addini("device_timeout", "seconds after which a portable module's run is killed", default="240")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that host/needs.py puts on tests."""
    config.addinivalue_line("markers", "needs(missing): skip, or fail in CI, where something is missing; see host/needs.py")
    config.pluginmanager.register(NamedFailures(config))
    heed_signals()


def heed_signals() -> None:
    """Heed what a script's background job, or nohup, ignores: what the tests start inherits it, and some tests press ctrl-C."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


class NamedFailures:
    """Names a test when it has failed. pytest shows the whole of the failures only when all tests are done."""

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Print the name of the test and its last words; in a worker of xdist nothing: there is no terminal."""
        terminal = self._plugins.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            words = [line for line in report.longreprtext.splitlines() if line.startswith("E ")] or report.longreprtext.splitlines()[-3:]
            terminal.write_line("\nFAILED %s" % report.nodeid, red=True)
            terminal.write_line("\n".join(words[:5] + report.capstderr.splitlines()[-5:]))


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what stays until the end: the modules, and all the tests."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the files that take long in front."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what deals out the tests to the workers of xdist: one by one, but together those that share a set-up."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path, _, test = nodeid.partition("::")
            if path.rpartition("/")[0].endswith("portable"):
                return path + test[test.rfind("[") :]
            return path if has_shared_fixture(config.rootpath / path) else nodeid

    config.option.loadscopereorder = False  # the files that take long stay in front
    return Scheduler(config, log)


@functools.cache
def has_shared_fixture(path: Path) -> bool:
    """Tell whether tests of a file share a fixture."""
    return re.search(r"fixture\(.*scope=", path.read_text(encoding="utf-8")) is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test, or fail it in CI, where something is missing that it needs."""
    for mark in item.iter_markers("needs"):
        require(mark.args[0])


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Keep pytest from importing a portable module."""
    return PortableModule.from_parent(parent, path=module_path) if module_path.parent.name == "portable" else None


class PortableModule(pytest.File):
    """A module of tests that runs on every runtime."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._runs: dict[str, ModuleRun] = {}

    def collect(self) -> Iterator[PortableTest]:
        """Yield each test for each runtime, without importing the module."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        if not tests:
            raise self.CollectError("%s: no test_* function" % self.path)
        elsewhere = _constant(tree, "NOT_ON")
        unknown = set(elsewhere) - {runtime.name for runtime in RUNTIMES}
        if unknown:
            raise self.CollectError("%s: NOT_ON: no runtime %s" % (self.path, ", ".join(sorted(unknown))))
        for runtime in RUNTIMES:
            if runtime.name in elsewhere:
                continue
            for test in tests:
                name = "%s[%s]" % (test.name, runtime.name)
                yield PortableTest.from_parent(self, name=name, test=test.name, line=test.lineno, runtime=runtime)

    def report(self, runtime: Runtime, test: str) -> Report:
        """Return what became of a test on a runtime; the first call for a runtime runs the module."""
        run = self._runs.get(runtime.name)
        if run is None:
            timeout_s = float(self.config.getini("device_timeout"))
            run = self._runs[runtime.name] = ModuleRun(runtime, self.path, timeout_s)
        return run.report(test)


def _constant(tree: ast.Module, name: str) -> tuple[str, ...]:
    """Return the names in the tuple that a module assigns to a name; none if there is no such line."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return tuple(ast.literal_eval(node.value))
    return ()


class DeviceFailure(Exception):
    """A test failed on its runtime; the text is what it printed there, with the traceback."""


class PortableTest(pytest.Item):
    """One test on one runtime."""

    parent: PortableModule

    def __init__(self, *, test: str, line: int, runtime: Runtime, **options: Any) -> None:
        super().__init__(**options)
        self._test = test
        self._line = line
        self._runtime = runtime

    def runtest(self) -> None:
        """Pass, fail or skip as the test did on its runtime."""
        require(self._runtime.missing())
        report = self.parent.report(self._runtime, self._test)
        if report.outcome == "failed":
            raise DeviceFailure(report.output)
        self.add_report_section("call", "output on " + self._runtime.name, report.output)
        if report.outcome == "skipped":
            pytest.skip(report.reason)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show a failure on the device as it was seen there."""
        if isinstance(excinfo.value, DeviceFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test is."""
        return self.path, self._line - 1, self.name
