"""Which make targets, recipes and scripts are the checks where no ecosystem brings tests."""

from __future__ import annotations

import pytest

from orchestrator.planning.task_runners import TaskChecks, task_runner_checks, warn_of_services
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import read_workflows
from tests.planning.cases import tree_of

CI = ".github/workflows/ci.yml"


def checks(files: dict[str, str], programs: frozenset[str] = frozenset()) -> TaskChecks:
    tree = tree_of(files)
    return task_runner_checks(tree, read_workflows(tree), Trail(), programs)


def running(*commands: str) -> str:
    return "on: push\njobs: {a: {steps: [" + ", ".join(f"{{run: {command}}}" for command in commands) + "]}}\n"


@pytest.mark.parametrize(
    ("command", "full"),
    [
        ("make test", True),
        ("make -j4 unit-tests", True),
        ("make check-ci", True),
        ("./run-tests.sh", True),
        ("bash tests/run_tests.sh -v", True),
        ("bats test", True),
        ("make install-test", False),
        ("./rename_test.sh --check", False),
        ("scripts/fetch-tests.sh", False),
        ("make latest", False),
        ("make build test", False),
        ("protest.sh", False),
        ("test.sh", False),
        ("npm test", False),
    ],
)
def test_commands_named_after_tests(command: str, *, full: bool) -> None:
    assert checks({CI: running(command)}).full == (command,) * full


def test_task_of_a_language_runs_where_its_tools_are() -> None:
    files = {"Makefile": "test:\n\tgo test $(PKGS)\n"}
    assert checks(files).full == ()
    assert checks(files, frozenset({"go"})).full == ("make test",)


def test_workflow_that_cannot_run_here_leaves_the_next_best() -> None:
    files = {CI: running("make test-all"), "Makefile": "test-all:\n\tdocker run x\ntest:\n\t./run.sh\n"}
    found = checks(files)
    assert found.full == ("make test",)
    assert found.apt == ("make",)


def test_packages_are_those_of_the_recipes() -> None:
    files = {"Makefile": "test:\n\tcmake -B out\n\tbats $(TESTS)\n", "a.cpp": ""}
    assert set(checks(files).apt) == {"make", "cmake", "g++", "bats"}


def test_services_of_jobs_that_test_nothing_are_not_warned_of() -> None:
    service = "services: {db: {image: 'postgres:16'}}"
    text = "on: push\njobs:\n  a: {%s, steps: [{run: ./migrate.sh}]}\n  b: {%s, steps: [{run: ./unit-test.sh}]}\n"
    assert warnings(text % (service, "")) == ()
    assert warnings(text % (service, service)) == (
        f"Its CI starts postgres:16 ({CI}:4): tests that need it fail here.",
    )


def warnings(workflow: str) -> tuple[str, ...]:
    trail = Trail()
    warn_of_services(read_workflows(tree_of({CI: workflow})), trail)
    return trail.warnings
