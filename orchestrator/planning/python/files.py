"""Tells the roles of Python files by their paths: sources, tests, requirement files, and decoys."""

from __future__ import annotations

import re
from collections.abc import Iterable

REQUIREMENTS = re.compile(
    r"(?:requirements[/._-])?(?P<kind>base|common|main|prod|dev|development|develop|test|tests|testing|lint|ci)?"
    r"[._-]?(?:requirements)?\.txt"
)
TEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test|tests)\.py")

DECOY_FOLDERS = frozenset(
    {
        "doc",
        "docs",
        "example",
        "examples",
        "sample",
        "samples",
        "node_modules",
        "vendor",
        "third_party",
        "site-packages",
        "venv",
        "env",
    }
)
"""Folders whose Python files are not the project's own. Hidden folders are decoys too."""

LOOSE_FOLDERS = frozenset({"scripts", "tools", "hack", "ci", "bin"})
"""Folders whose Python files do not make a project by themselves."""

MAX_TEST_SAMPLE = 20
MAX_REQUIREMENTS = 30

READ = (
    *(".python-version", "runtime.txt", "pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "uv.lock"),
    *("ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", ".flake8", ".isort.cfg", "pyrightconfig.json"),
    *("pytest.ini", ".pytest.ini", "tox.ini", ".pre-commit-config.yaml"),
)


def reads(paths: frozenset[str]) -> list[str]:
    """Return the files that Python's planning reads: manifests, settings, requirements, a sample of tests."""
    chosen = [path for path in READ if path in paths]
    chosen += sorted(filter(is_requirements, paths))[:MAX_REQUIREMENTS]
    return chosen + tests(paths)[:MAX_TEST_SAMPLE]


def is_requirements(path: str) -> bool:
    """Return whether it is a requirement file that development installs (`requirements/dev.txt`...)."""
    return "requirements" in path and REQUIREMENTS.fullmatch(path) is not None


def requirements_weight(path: str) -> tuple[bool, str]:
    """Return the sort key of requirement files: what runs first, then what tests and checks."""
    match = REQUIREMENTS.fullmatch(path)
    kind = match.group("kind") if match else None
    return (kind not in (None, "base", "common", "main", "prod"), path)


def sources(paths: Iterable[str]) -> list[str]:
    """Return the project's own Python files, in order of path, without those in decoy folders."""
    return sorted(path for path in paths if path.endswith(".py") and not _is_decoy(path))


def tests(paths: Iterable[str]) -> list[str]:
    """Return the files that test runners collect, in order of path."""
    return [path for path in sources(paths) if TEST_FILE.fullmatch(path)]


def stands_alone(path: str) -> bool:
    """Return whether a Python file outside any manifest hints at a Python project."""
    return path.split("/")[0] not in LOOSE_FOLDERS or TEST_FILE.fullmatch(path) is not None


def _is_decoy(path: str) -> bool:
    folders = path.split("/")[:-1]
    return any(folder in DECOY_FOLDERS or folder.startswith(".") for folder in folders)
