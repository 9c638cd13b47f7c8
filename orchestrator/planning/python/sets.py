"""Which extras and dependency groups the checks need: by their names, and by the tools that they hold."""

from __future__ import annotations

from collections.abc import Mapping

CHECK_TOOLS = frozenset(
    {"pytest", "ruff", "mypy", "black", "isort", "flake8", "pyright", "basedpyright", "pylint", "ty"}
)
CHECK_SETS = frozenset(
    {"test", "tests", "testing", "dev", "develop", "development", "lint", "linting", "linters", "qa", "quality"}
    | {"typing", "types", "typecheck", "type-check", "typechecking", "check", "checks", "ci", "style", "static"}
    | {"unit", "unittest", "unit-test", "unit-tests", "pytest", "mypy"}
)
"""Extras and groups that are installed for their name; others are for the tools that they hold."""

NOT_CHECK_SETS = frozenset(
    {"all", "doc", "docs", "documentation", "release", "publish", "deploy", "deployment", "bench", "benchmark"}
    | {"benchmarks", "benchmarking", "profiling", "examples", "notebook", "notebooks", "build", "packaging", "e2e"}
    | {"tox", "nox", "pre-commit"}
)


def checking(sets: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the extras or groups that tests and checks need, in the order of the file."""
    return tuple(
        name
        for name, members in sets.items()
        if name.lower().replace("_", "-") in CHECK_SETS
        or (members & CHECK_TOOLS and name.lower() not in NOT_CHECK_SETS)
    )
