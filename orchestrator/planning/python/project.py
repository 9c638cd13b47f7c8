"""Reads what a Python project declares: dependencies, extras, groups, and whether it can be installed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from configparser import RawConfigParser
from dataclasses import dataclass, field
from typing import Any

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.documents import Document, read_ini, read_toml, strings, table
from orchestrator.planning.python import files
from orchestrator.planning.python.layout import undecided_packages

REQUIREMENT_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]{0,99})\s*(?:[\[<>=!~;@ ]|$)")
SETUP_PY_EXTRA = re.compile(r"[\"'](tests?|testing|dev|develop|development|lint)[\"']\s*:")
ITSELF = re.compile(
    r"^[ \t]*+(?:(?:-e|--editable)=?[ \t]*+)?\.(?:\[[A-Za-z0-9 ,._-]*+\])?[ \t\r]*+(?:#.*)?$", re.MULTILINE
)
LOCKED_NAME = re.compile(r'^name = "([A-Za-z0-9._-]{1,100})"$', re.MULTILINE)

MAX_SETS = 100
"""Extras that are read, and groups."""

MAX_LINES = 5000
"""Lines of a requirement file that are read."""


@dataclass(frozen=True, slots=True)
class PythonProject:
    """What the files of a Python project declare. Names of distributions are normalised.

    `installable_by` is the file by which `pip install -e .` works. `candidates` are the top folders among
    which setuptools cannot choose; then `installable_by` is None, and dependencies are installed one by one.
    `installs_itself` is the requirement file that holds the project (`-e .`). `paths` are all of the commit's,
    in order.
    """

    tree: Tree
    pyproject: Document
    manifests: tuple[str, ...]
    requirement_files: tuple[str, ...]
    installable_by: str | None
    candidates: tuple[str, ...] = ()
    installs_itself: str | None = None
    dependencies: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    extras: dict[str, frozenset[str]] = field(default_factory=dict)
    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def normalise(name: str) -> str:
    """Return a distribution's name in the form in which all its spellings are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_names(lines: tuple[str, ...]) -> frozenset[str]:
    """Return the distributions that requirement lines name; options and URLs name none."""
    matches = (REQUIREMENT_NAME.match(line) for line in lines if not line.lstrip().startswith(("-", "#")))
    return frozenset(normalise(match.group(1)) for match in matches if match)


def read_project(tree: Tree) -> PythonProject:
    """Return what the commit declares for Python. Raises PlanError where a manifest is malformed."""
    pyproject = read_toml(tree, "pyproject.toml")
    setup_cfg = read_ini(tree, "setup.cfg")
    project = table(pyproject, "project")
    requirement_files = _requirement_files(tree)
    required = [requirement_names(_lines(tree, path)) for path in requirement_files]
    candidates = undecided_packages(tree, pyproject, setup_cfg)
    install_requires = setup_cfg.get("options", "install_requires", fallback=None) or ""
    return PythonProject(
        tree=tree,
        pyproject=pyproject,
        manifests=_manifests(tree, requirement_files),
        requirement_files=requirement_files,
        installable_by=None if candidates else _installable_by(tree, pyproject, setup_cfg.has_section("metadata")),
        candidates=candidates,
        installs_itself=next((path for path in requirement_files if ITSELF.search(tree.text(path) or "")), None),
        dependencies=requirement_names(strings(project.get("dependencies")))
        | requirement_names(tuple(install_requires.splitlines()))
        | _poetry_names(pyproject),
        required=frozenset().union(*required),
        extras=_extras(tree, pyproject, setup_cfg),
        groups=_groups(pyproject),
        locked=frozenset(map(normalise, LOCKED_NAME.findall(tree.text("uv.lock") or ""))),
        paths=tuple(sorted(tree.paths)),
        sources=tuple(files.sources(tree.paths)),
        tests=tuple(files.tests(tree.paths)),
    )


def _lines(tree: Tree, path: str) -> tuple[str, ...]:
    return tuple((tree.text(path) or "").splitlines()[:MAX_LINES])


def _extras(tree: Tree, pyproject: Document, setup_cfg: RawConfigParser) -> dict[str, frozenset[str]]:
    """Return what the extras of pyproject.toml, setup.cfg and setup.py hold; a setup.py's tell their names alone."""
    extras = {
        name: requirement_names(strings(lines))
        for name, lines in _usable_sets(table(pyproject, "project", "optional-dependencies"))
    }
    if setup_cfg.has_section("options.extras_require"):
        listed = _usable_sets(setup_cfg["options.extras_require"])
        extras |= {name: requirement_names(tuple((lines or "").splitlines())) for name, lines in listed}
    for name in dict.fromkeys(SETUP_PY_EXTRA.findall(tree.text("setup.py") or "")):
        extras.setdefault(name, frozenset())
    return extras


def _usable_sets(sets: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the extras or groups whose names can stand in a command, at most `MAX_SETS`."""
    return [(name, value) for name, value in sets.items() if grammar.fits(grammar.DISTRIBUTION, name)][:MAX_SETS]


def _manifests(tree: Tree, requirement_files: tuple[str, ...]) -> tuple[str, ...]:
    named = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "uv.lock")
    return tuple(path for path in named if path in tree.paths) + requirement_files


def _requirement_files(tree: Tree) -> tuple[str, ...]:
    """Return the requirement files to install, without those that another one of them includes."""
    found = [path for path in tree.paths if files.is_requirements(path) and grammar.is_tree_path(path)]
    ordered = sorted(found, key=files.requirements_weight)[: files.MAX_REQUIREMENTS]
    included = set()
    for path in ordered:
        folder = path.rpartition("/")[0]
        for line in _lines(tree, path):
            match = re.match(r"\s*(?:-r|--requirement)[ =]?\s*(\S+)", line)
            if match:
                target = f"{folder}/{match.group(1)}" if folder else match.group(1)
                included.add(target.replace("./", ""))
    return tuple(path for path in ordered if path not in included) or tuple(ordered[:1])


def _installable_by(tree: Tree, pyproject: Document, has_metadata: bool) -> str | None:
    """Return the file that makes `pip install -e .` work, or None."""
    if table(pyproject, "project") or table(pyproject, "build-system"):
        return "pyproject.toml"
    if "setup.py" in tree.paths:
        return "setup.py"
    return "setup.cfg" if has_metadata else None


def _poetry_names(pyproject: Document) -> frozenset[str]:
    """Return the dependencies that a reader can see in Poetry's table."""
    names = set(table(pyproject, "tool", "poetry", "dependencies"))
    return frozenset(map(normalise, names - {"python"}))


def _groups(pyproject: Document) -> dict[str, frozenset[str]]:
    """Return PEP 735 groups, and uv's older `dev-dependencies` as `dev`, with included groups resolved."""
    raw = dict(_usable_sets(table(pyproject, "dependency-groups")))
    own = {name: requirement_names(strings(lines)) for name, lines in raw.items()}
    includes = {name: _included(lines) for name, lines in raw.items()}
    groups = {name: frozenset().union(*(own[one] for one in _closure(name, includes))) for name in raw}
    legacy = requirement_names(strings(table(pyproject, "tool", "uv").get("dev-dependencies")))
    if legacy:
        groups["dev"] = groups.get("dev", frozenset()) | legacy
    return groups


def _included(lines: object) -> tuple[str, ...]:
    """Return the groups that a group includes by name."""
    items = lines[:MAX_SETS] if isinstance(lines, list) else []
    names = (item.get("include-group") for item in items if isinstance(item, dict))
    return tuple(name for name in names if isinstance(name, str))


def _closure(name: str, includes: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the group and all that it includes, directly or not, each once, nearest first."""
    found = {name: None}
    waiting = deque([name])
    while waiting:
        new = [one for one in includes[waiting.popleft()] if one in includes and one not in found]
        found |= dict.fromkeys(new)
        waiting.extend(dict.fromkeys(new))
    return list(found)
