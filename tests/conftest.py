"""One suite, several interpreters: every test of a module in a folder named portable runs on each of RUNTIMES.

pytest never imports these modules. It reads the names of their tests. When the first test of a module is due, the module
runs in a process of the runtime. device_timeout, in seconds, is an option of the configuration file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.needs import require
from runtimes import RUNTIMES, ModuleRun, Report, Runtime


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the longest time that a module may take on a runtime."""
    parser.addini("device_timeout", "seconds after which a portable module's run is killed", default="240")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that host/needs.py puts on tests."""
    config.addinivalue_line("markers", "needs(missing): skip, or fail in CI, where something is missing; see host/needs.py")


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
        for runtime in RUNTIMES:
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
        self._require_runtime()
        report = self.parent.report(self._runtime, self._test)
        if report.outcome == "failed":
            raise DeviceFailure(report.output)
        self.add_report_section("call", "output on " + self._runtime.name, report.output)
        if report.outcome == "skipped":
            pytest.skip(report.reason)

    def _require_runtime(self) -> None:
        require(self._runtime.missing())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show a failure on the device as it was seen there."""
        if isinstance(excinfo.value, DeviceFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Say where the test is."""
        return self.path, self._line - 1, self.name
