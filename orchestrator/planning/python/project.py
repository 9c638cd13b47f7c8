"""Reads what a Python project declares: dependencies, extras, groups, and whether it can be installed."""

from __future__ import annotations

import re
from bisect import bisect_left
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
from orchestrator.planning.python.setup_py import SetupPy, read_setup_py

REQUIREMENT_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]{0,99})\s*(?:[\[<>=!~;@ ]|$)")
OWN_EXTRAS = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]{0,99})\s*\[([A-Za-z0-9 ,._-]{1,300})\]")
ITSELF = re.compile(
    r"^[ \t]*+(?:(?:-e|--editable)=?[ \t]*+)?\.(?:\[[A-Za-z0-9 ,._-]*+\])?[ \t\r]*+(?:#.*)?$", re.MULTILINE
)
INCLUDE = re.compile(r"[ \t]*+(?:-r|-c|--requirement|--constraint)[ =]?[ \t]*+(\S+)")
LOCKED_NAME = re.compile(r'^name = "([A-Za-z0-9._-]{1,100})"$', re.MULTILINE)
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock")
GIT_VERSIONS = frozenset(
    {"setuptools-scm", "hatch-vcs", "versioningit", "pbr", "poetry-dynamic-versioning", "pdm-backend"}
)

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
    in order. `groups` are PEP 735's and those of Poetry, PDM and Pipenv. `build_requires` are as written.
    `lists` holds what each file of requirements names, and which others it includes.
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
    setup_py: SetupPy = field(default_factory=SetupPy)
    build_requires: tuple[str, ...] = ()
    sub_projects: tuple[str, ...] = ()
    lists: dict[str, tuple[frozenset[str], tuple[str, ...]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the distribution's normalised name, empty where none is declared."""
        declared = table(self.pyproject, "project").get("name") or table(self.pyproject, "tool", "poetry").get("name")
        return normalise(declared) if isinstance(declared, str) else ""

    @property
    def git_versions(self) -> tuple[str, ...]:
        """Return the build requirements that read the version from git tags."""
        version = table(self.pyproject, "tool", "pdm", "version").get("source")
        found = requirement_names(self.build_requires) & GIT_VERSIONS
        return tuple(sorted(name for name in found if name != "pdm-backend" or version == "scm"))

    @property
    def build_backend(self) -> str:
        """Return the name of the build backend's module, empty where none is declared."""
        backend = table(self.pyproject, "build-system").get("build-backend")
        return backend if isinstance(backend, str) else ""


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
    lists = {path: _read_list(tree, path) for path in sorted(filter(files.is_requirement_list, tree.contents))}
    candidates = undecided_packages(tree, pyproject, setup_cfg)
    install_requires = setup_cfg.get("options", "install_requires", fallback=None) or ""
    setup_py = read_setup_py(tree)
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
        | requirement_names(setup_py.install_requires)
        | _table_names(table(pyproject, "tool", "poetry", "dependencies"))
        | _table_names(table(read_toml(tree, "Pipfile"), "packages")),
        required=frozenset().union(*(names for path, (names, _) in lists.items() if files.is_requirements(path))),
        extras=_extras(pyproject, setup_cfg, setup_py),
        groups=_groups(pyproject) | _pipenv_groups(tree),
        locked=frozenset(normalise(name) for lock in LOCKS for name in LOCKED_NAME.findall(tree.text(lock) or "")),
        paths=tuple(sorted(tree.paths)),
        sources=tuple(files.sources(tree.paths)),
        tests=tuple(files.tests(tree.paths)),
        setup_py=setup_py,
        build_requires=strings(table(pyproject, "build-system").get("requires")),
        lists=lists,
        sub_projects=tuple(files.sub_folders(tree.paths))[: files.MAX_SUB_PROJECTS],
    )


def broken_include(project: PythonProject, path: str) -> tuple[str, int, str] | None:
    """Return file, line and target of the first include, from a requirement file on, that the commit lacks."""
    waiting, seen = deque([path]), {path}
    while waiting and len(seen) <= files.MAX_REQUIREMENTS:
        current = waiting.popleft()
        for number, line in enumerate(_lines(project.tree, current), start=1):
            match = INCLUDE.match(line)
            if match is None or "://" in match.group(1) or "$" in match.group(1):
                continue
            target = _joined(current.rpartition("/")[0], match.group(1))
            if target not in project.tree.paths:
                return current, number, target
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return None


def own_tests(project: PythonProject) -> tuple[str, ...]:
    """Return the sampled tests, without those of sub-projects where the root is a project that can be installed."""
    sampled = project.tests[: files.MAX_TEST_SAMPLE]
    if project.installable_by is None or "workspace" in table(project.pyproject, "tool", "uv"):
        return sampled
    return tuple(path for path in sampled if not files.in_sub_project(path, project.tree.paths))


def has_path(project: PythonProject, path: str) -> bool:
    """Return whether the commit has this file or folder."""
    bare = path.rstrip("/").removeprefix("./")
    inside = bisect_left(project.paths, f"{bare}/")
    return bare in project.tree.paths or any(one.startswith(f"{bare}/") for one in project.paths[inside : inside + 1])


def requirements_of(project: PythonProject, path: str) -> frozenset[str]:
    """Return the distributions that a requirement file names, with those of the files that it includes."""
    found: set[str] = set()
    waiting, seen = deque([path]), {path}
    while waiting:
        names, includes = project.lists.get(waiting.popleft(), (frozenset(), ()))
        found |= names
        new = [target for target in includes if target in project.lists and target not in seen]
        seen.update(new)
        waiting.extend(dict.fromkeys(new))
    return frozenset(found)


def _read_list(tree: Tree, path: str) -> tuple[frozenset[str], tuple[str, ...]]:
    lines = _lines(tree, path)
    return requirement_names(lines), tuple(_includes(path, lines))


def _lines(tree: Tree, path: str) -> tuple[str, ...]:
    return tuple((tree.text(path) or "").splitlines()[:MAX_LINES])


def _extras(pyproject: Document, setup_cfg: RawConfigParser, setup_py: SetupPy) -> dict[str, frozenset[str]]:
    """Return what the extras of pyproject.toml, setup.cfg and setup.py hold, those that an extra includes as well."""
    project = table(pyproject, "project")
    lines = {name: strings(value) for name, value in _usable_sets(table(project, "optional-dependencies"))}
    if setup_cfg.has_section("options.extras_require"):
        listed = _usable_sets(setup_cfg["options.extras_require"])
        lines |= {name: tuple((value or "").splitlines()) for name, value in listed}
    for name, value in _usable_sets(setup_py.extras):
        lines.setdefault(name, value)
    poetry = _usable_sets(table(pyproject, "tool", "poetry", "extras"))
    for name, value in poetry:
        lines.setdefault(name, strings(value))
    own = project.get("name")
    includes = {name: _own_extras(value, own if isinstance(own, str) else "") for name, value in lines.items()}
    members = {name: requirement_names(value) for name, value in lines.items()}
    return {name: frozenset().union(*(members[one] for one in _closure(name, includes))) for name in lines}


def _own_extras(lines: tuple[str, ...], own: str) -> tuple[str, ...]:
    """Return the extras of the project itself (`own[test,docs]`) that requirement lines name."""
    matches = (OWN_EXTRAS.match(line) for line in lines[:MAX_SETS] if own)
    usable = (match.group(2) for match in matches if match and normalise(match.group(1)) == normalise(own))
    return tuple(name.strip() for names in usable for name in names.split(","))


def _usable_sets(sets: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the extras or groups whose names can stand in a command, at most `MAX_SETS`."""
    return [(name, value) for name, value in sets.items() if grammar.fits(grammar.DISTRIBUTION, name)][:MAX_SETS]


def _manifests(tree: Tree, requirement_files: tuple[str, ...]) -> tuple[str, ...]:
    named = ("pyproject.toml", "setup.py", "setup.cfg", "Pipfile", *LOCKS)
    return tuple(path for path in named if path in tree.paths) + requirement_files


def _requirement_files(tree: Tree) -> tuple[str, ...]:
    """Return the requirement files to install, without those that another one of them includes."""
    found = [path for path in tree.paths if files.is_requirements(path) and grammar.is_tree_path(path)]
    ordered = sorted(found, key=files.requirements_weight)[: files.MAX_REQUIREMENTS]
    included = {target for path in ordered for target in _includes(path, _lines(tree, path))}
    return tuple(path for path in ordered if path not in included) or tuple(ordered[:1])


def _includes(path: str, lines: tuple[str, ...]) -> list[str]:
    """Return the requirement files that one includes by `-r`."""
    folder = path.rpartition("/")[0]
    matches = (re.match(r"\s*(?:-r|--requirement)[ =]?\s*(\S+)", line) for line in lines)
    targets = [match.group(1) for match in matches if match]
    return [_joined(folder, target) for target in targets[:MAX_SETS]]


def _joined(folder: str, target: str) -> str:
    parts = folder.split("/") if folder else []
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _installable_by(tree: Tree, pyproject: Document, has_metadata: bool) -> str | None:
    """Return the file that makes `pip install -e .` work, or None."""
    if table(pyproject, "project") or table(pyproject, "build-system"):
        return "pyproject.toml"
    if "setup.py" in tree.paths:
        return "setup.py"
    return "setup.cfg" if has_metadata else None


def _table_names(dependencies: Document) -> frozenset[str]:
    """Return the names of a table whose keys are distributions (Poetry's, Pipenv's)."""
    names = (name for name in list(dependencies)[:MAX_LINES] if grammar.fits(grammar.DISTRIBUTION, name))
    return frozenset(map(normalise, names)) - {"python"}


def _groups(pyproject: Document) -> dict[str, frozenset[str]]:
    """Return PEP 735 groups with included groups resolved, and those of uv's, PDM's and Poetry's own tables."""
    raw = dict(_usable_sets(table(pyproject, "dependency-groups")))
    own = {name: requirement_names(strings(lines)) for name, lines in raw.items()}
    includes = {name: _included(lines) for name, lines in raw.items()}
    groups = {name: frozenset().union(*(own[one] for one in _closure(name, includes))) for name in raw}
    found = [("dev", requirement_names(strings(table(pyproject, "tool", "uv").get("dev-dependencies"))))]
    pdm = table(pyproject, "tool", "pdm", "dev-dependencies")
    found += [(name, requirement_names(strings(lines))) for name, lines in _usable_sets(pdm)]
    found.append(("dev", _table_names(table(pyproject, "tool", "poetry", "dev-dependencies"))))
    for name, group in _usable_sets(table(pyproject, "tool", "poetry", "group")):
        found.append((name, _table_names(table(group, "dependencies"))))
    for name, members in found:
        if members:
            groups[name] = groups.get(name, frozenset()) | members
    return groups


def _pipenv_groups(tree: Tree) -> dict[str, frozenset[str]]:
    members = _table_names(table(read_toml(tree, "Pipfile"), "dev-packages"))
    return {"dev": members} if members else {}


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
