"""Tells the roles of Python files by their paths: sources, tests, requirement files, and decoys."""

from __future__ import annotations

import re
from collections.abc import Iterable

REQUIREMENTS = re.compile(
    r"(?:tests?/(?=requirements))?(?:requirements[/._-])?"
    r"(?P<kind>base|common|main|prod|dev|development|develop|tests?|testing|lint|linting|ci|typing|check)?"
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

VERSION_FILE = re.compile(
    r"(?:[A-Za-z0-9_.-]{1,60}/){0,2}\.?python[-_]version[A-Za-z0-9._-]{0,40}(?<!^\.python-version)"
)
MAX_VERSION_FILES = 10
MAX_DEPTH = 20
MAX_TEST_SAMPLE = 20
MAX_REQUIREMENTS = 30
MAX_SUB_PROJECTS = 20

READ = (
    *(".python-version", "runtime.txt", "pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "uv.lock"),
    *("poetry.lock", "Pipfile.lock", "pdm.lock", "hatch.toml", "tox.ini", "tox.toml", "noxfile.py"),
    *("ruff.toml", ".ruff.toml", "mypy.ini", ".mypy.ini", ".flake8", ".isort.cfg", "pyrightconfig.json"),
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pylintrc", "ty.toml", ".pre-commit-config.yaml"),
    *(".devcontainer/devcontainer.json", ".devcontainer.json", "environment.yml", "environment.yaml"),
)
MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
"""What makes a folder a project that can be installed."""


def reads(paths: frozenset[str]) -> list[str]:
    """Return the files that Python's planning reads: manifests, settings, requirements, a sample of tests."""
    chosen = [path for path in READ if path in paths]
    chosen += sorted(filter(is_requirement_list, paths), key=requirements_weight)[:MAX_REQUIREMENTS]
    sub_projects = [f"{name}/pyproject.toml" for name in sub_folders(paths) if f"{name}/pyproject.toml" in paths]
    chosen += sorted(filter(is_version_file, paths))[:MAX_VERSION_FILES]
    return chosen + tests(paths)[:MAX_TEST_SAMPLE] + sub_projects[:MAX_SUB_PROJECTS]


def sub_folders(paths: Iterable[str]) -> list[str]:
    """Return the folders below the top, at most two deep, that hold a manifest, in order of path."""
    found = set()
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in MANIFESTS and folder and folder.count("/") <= 1 and not _is_decoy(path):
            found.add(folder)
    return sorted(found)


def in_sub_project(path: str, paths: frozenset[str]) -> bool:
    """Return whether a folder above a file, but below the top, holds a manifest."""
    parts = path.split("/")[:-1]
    folders = ("/".join(parts[:depth]) for depth in range(1, min(len(parts), MAX_DEPTH) + 1))
    return any(f"{folder}/{name}" in paths for folder in folders for name in MANIFESTS)


def is_requirements(path: str) -> bool:
    """Return whether it is a requirement file that development installs (`requirements/dev.txt`...)."""
    return "requirements" in path and REQUIREMENTS.fullmatch(path) is not None


def is_version_file(path: str) -> bool:
    """Return whether it may be a file, other than the usual one, that names the version for workflows."""
    return VERSION_FILE.fullmatch(path) is not None


def is_requirement_list(path: str) -> bool:
    """Return whether it may be a file of requirements that a workflow or another such file names."""
    listed = path.endswith((".txt", ".in", ".pip")) and path.count("/") <= 2
    return listed and any(word in path for word in ("requirement", "reqs", "deps", "constraints"))


def requirements_weight(path: str) -> tuple[bool, bool, str]:
    """Return the sort key of requirement files: what runs first, then what tests and checks, then all others."""
    match = REQUIREMENTS.fullmatch(path)
    kind = match.group("kind") if match else None
    return (match is None, kind not in (None, "base", "common", "main", "prod"), path)


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
