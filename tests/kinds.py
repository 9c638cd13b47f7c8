"""Kinds of tests (markers) that have no test yet: asking for one is no failure."""

from __future__ import annotations

import pytest


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Say so, and end with 0, where `-m KIND` alone was asked of the whole suite and KIND has no test.

    Anything else that finds no test stays a failure.
    """
    config = session.config
    kind = config.option.markexpr
    known = {line.partition(":")[0].strip() for line in config.getini("markers")}
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
    reporter = config.pluginmanager.getplugin("terminalreporter")
    others = reporter is not None and reporter.stats.get("deselected")
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and kind in known and whole and others:
        reporter.write_line(f"no tests of this kind yet: {kind}")
        session.exitstatus = pytest.ExitCode.OK
