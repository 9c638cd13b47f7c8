"""Which Python: the exact files first, then what the manifests allow, lock, classifiers, workflows, default."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import nodesemver
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from orchestrator.planning import grammar
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import line_of, malformed, read_ini, read_toml, table, toml_line, written
from orchestrator.planning.python import rules
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.python.tox import read_tox
from orchestrator.planning.python.version_files import (
    EXACT,
    devcontainer,
    environment_yml,
    exact,
    exact_files,
    workflow_files,
)
from orchestrator.planning.rule import Rule
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import PYTHON, PYTHON_DEFAULT
from orchestrator.planning.workflows import Seen, Workflows

CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.[0-9]{1,2})[\"'\s,]")
MINOR = re.compile(r"(3\.[0-9]{1,2})(?:\.[0-9x*]{1,3})?")
TOX_FACTOR = re.compile(r"py3([0-9]{1,2})")
WHAT_NAMES = "the classifiers or the workflows name it"
PATCH_LEVELS = 60
"""More patch releases than any minor version of Python has had."""


@dataclass(frozen=True, slots=True)
class Named:
    """Minor versions that something lists beside a range, and the words that say what lists them."""

    versions: frozenset[str]
    what: str


def choose_python(project: PythonProject, workflows: Workflows, trail: Trail) -> str:
    """Return the version for the image's tag, `3.13` or `3.11.4`. Raises PlanError for a malformed hint."""
    tree = project.tree
    classifiers = _classifiers(project)
    tested = {match.group(1): seen for seen in _workflow_versions(workflows) if (match := MINOR.fullmatch(seen.text))}
    named = Named(frozenset(), "")
    if trail.applies(rules.NAMED_VERSIONS):
        what = "the classifiers name it" if classifiers else "the workflows test with it"
        named = Named(classifiers | frozenset(tested), what if not (classifiers and tested) else WHAT_NAMES)
    candidates = [
        *exact_files(tree, trail),
        *workflow_files(tree, workflows),
        *_constraints(project, named, trail),
        *devcontainer(tree),
        *_lock(project, named, trail),
        *_classifier_candidate(project, classifiers),
        *_tox_candidate(project, trail),
        *_hatch_candidate(project),
        *environment_yml(tree),
        *_workflow_candidate(tested),
    ]
    return choose("Python", candidates, PYTHON_DEFAULT, PYTHON, trail)


def _constraints(project: PythonProject, named: Named, trail: Trail) -> Iterator[Candidate]:
    """Offer what the manifests allow, in the order of their weight."""
    tree = project.tree
    pyproject_text = tree.text("pyproject.toml")
    requires = table(project.pyproject, "project").get("requires-python")
    if requires is not None and trail.applies(rules.REQUIRES_PYTHON):
        line = toml_line(pyproject_text, "project", "requires-python")
        yield _ranged(requires, "pyproject.toml", line, "`requires-python`", named, rules.REQUIRES_PYTHON)
    poetry = table(project.pyproject, "tool", "poetry", "dependencies").get("python")
    if poetry is not None and trail.applies(rules.POETRY_PYTHON):
        line = toml_line(pyproject_text, "tool.poetry.dependencies", "python")
        yield _poetry(poetry, line, named)
    if trail.applies(rules.PIPFILE_PYTHON):
        yield from _pipfile(project)
    setup_cfg = read_ini(tree, "setup.cfg").get("options", "python_requires", fallback=None)
    if setup_cfg and trail.applies(rules.SETUP_CFG_PYTHON):
        line = line_of(tree.text("setup.cfg"), r"^python_requires")
        yield _ranged(setup_cfg, "setup.cfg", line, "`python_requires`", named, rules.SETUP_CFG_PYTHON)
    if trail.applies(rules.SETUP_PY_PYTHON):
        pattern = r"python_requires\s*=\s*[\"']([^\"']*)[\"']"
        yield from _found(project, "setup.py", pattern, "`python_requires`", named, rules.SETUP_PY_PYTHON)


def _lock(project: PythonProject, named: Named, trail: Trail) -> Iterator[Candidate]:
    if trail.applies(rules.LOCK_PYTHON):
        pattern = r"^requires-python = \"([^\"]*)\"$"
        yield from _found(project, "uv.lock", pattern, "the lock's `requires-python`", named, rules.LOCK_PYTHON)


def _found(project: PythonProject, file: str, pattern: str, what: str, named: Named, by: Rule) -> Iterator[Candidate]:
    text = project.tree.text(file) or ""
    match = re.compile(pattern, re.MULTILINE).search(text)
    if match:
        yield _ranged(match.group(1), file, text.count("\n", 0, match.start()) + 1, what, named, by)


def _pipfile(project: PythonProject) -> Iterator[Candidate]:
    pipfile = table(read_toml(project.tree, "Pipfile"), "requires")
    for key in ("python_full_version", "python_version"):
        if isinstance(pipfile.get(key), str):
            line = toml_line(project.tree.text("Pipfile"), "requires", key)
            version = exact(pipfile[key], "Pipfile", line or 1)
            yield Candidate(version, "Pipfile", line, pipfile[key], f"`{key}`", by=rules.PIPFILE_PYTHON)
            return


def _ranged(value: object, file: str, line: int | None, what: str, named: Named, by: Rule) -> Candidate:
    if not isinstance(value, str) or not grammar.fits(grammar.PYTHON_RANGE, value):
        raise malformed(file, line, f"{written(value)!r} is not a version range for {what}, such as '>=3.11'.")
    try:
        allowed = SpecifierSet(value)
    except InvalidSpecifier:
        plain = EXACT.fullmatch(value)  # some write `requires-python = "3.11"`
        if plain:
            allowed = SpecifierSet(f"=={plain.group(1)}" + ".*" * (plain.group(1).count(".") < 2))
        else:
            raise malformed(
                file, line, f"{show(value)!r} is not a version range for {what}, such as '>=3.11'."
            ) from None
    version, rule = _newest(allowed, named)
    if version is None:
        raise malformed(
            file,
            line,
            f"{what} {show(value)!r} allows no Python that Draftsman knows ({PYTHON[-1].version} "
            f"to {PYTHON[0].version}). Change it, or name a Dockerfile in the profile.",
        )
    return Candidate(
        version, file, line, value, f"{what} allows it, {rule}", lambda other: _contains(allowed, other), by
    )


def _contains(allowed: SpecifierSet, version: str) -> bool:
    """Return whether a tag (`3.12` stands for its newest patch release) satisfies a range."""
    levels = range(PATCH_LEVELS, -1, -1) if version.count(".") == 1 else [None]
    return any(allowed.contains(version if level is None else f"{version}.{level}") for level in levels)


def _newest(allowed: SpecifierSet, named: Named) -> tuple[str | None, str]:
    """Return the version that a range takes, as precisely as it has to be, and the reason."""
    fitting = [release for release in PYTHON if _contains(allowed, release.version)]
    listed = [release for release in fitting if release.version in named.versions] or fitting
    by_classifier = f" and {named.what}" if listed is not fitting and listed != fitting else ""
    default = [release for release in listed if release.version == PYTHON_DEFAULT]
    chosen = next(iter(default or [release for release in listed if release.supported] or listed), None)
    if chosen is None:
        starts = [part.version for part in allowed if part.operator in (">=", "~=", "==")]
        minors = [int(match.group(1)) for start in starts if (match := re.match(r"3\.([0-9]{1,2})", start))]
        newest = max(minors, default=0)
        beyond = newest > int(PYTHON[0].version.split(".")[1])
        return (f"3.{newest}", "newer than Draftsman's table") if beyond else (None, "")
    reason = "the default" if default else "the newest supported" if chosen.supported else "the newest of an old range"
    if allowed.contains(f"{chosen.version}.{PATCH_LEVELS}"):
        return chosen.version, reason + by_classifier
    patch = next(level for level in range(PATCH_LEVELS, -1, -1) if allowed.contains(f"{chosen.version}.{level}"))
    return f"{chosen.version}.{patch}", reason + by_classifier


def _poetry(value: object, line: int | None, named: Named) -> Candidate:
    """Poetry's carets and tildes mean what npm's do, so npm's grammar reads them."""
    value = value.get("version") if isinstance(value, dict) else value
    text = value.replace(",", " ") if isinstance(value, str) else ""
    versions = [release.version for release in PYTHON]
    if not text or not grammar.fits(grammar.NODE_RANGE, text) or nodesemver.valid_range(text, False) is None:
        raise malformed("pyproject.toml", line, f"{written(value)!r} is not a version range, such as '^3.11'.")

    def allows(version: str) -> bool:
        return bool(nodesemver.satisfies(version if version.count(".") == 2 else f"{version}.999", text, False))

    fitting = [version for version in versions if allows(version)]
    listed = [version for version in fitting if version in named.versions] or fitting
    if not listed:
        raise malformed("pyproject.toml", line, f"{written(value)!r} allows no Python that Draftsman knows.")
    supported = [release.version for release in PYTHON if release.supported and release.version in listed]
    version = PYTHON_DEFAULT if PYTHON_DEFAULT in listed else (supported or listed)[0]
    rule = "Poetry's `python` allows it"
    return Candidate(version, "pyproject.toml", line, str(value), rule, allows, rules.POETRY_PYTHON)


def _classifiers(project: PythonProject) -> frozenset[str]:
    texts = (project.tree.text(path) or "" for path in ("pyproject.toml", "setup.cfg", "setup.py"))
    return frozenset(name for text in texts for name in CLASSIFIER.findall(text))


def _classifier_candidate(project: PythonProject, named: frozenset[str]) -> Iterator[Candidate]:
    version = _best(named)
    for path in ("pyproject.toml", "setup.cfg", "setup.py"):
        line = line_of(project.tree.text(path), rf"Python :: {re.escape(version or '')}[\"'\s,]")
        if line and version:
            rule = "the classifiers name it"
            yield Candidate(version, path, line, f"Python :: {version}", rule, by=rules.CLASSIFIERS)
            return


def _best(named: Iterable[str]) -> str | None:
    """Return the default if it is among these, else the newest supported, else the newest; None where none is known."""
    known = [release for release in PYTHON if release.version in named]
    best = [release for release in known if release.version == PYTHON_DEFAULT] or [
        release for release in known if release.supported
    ]
    return (best or known)[0].version if known else None


def _tox_candidate(project: PythonProject, trail: Trail) -> Iterator[Candidate]:
    if not trail.applies(rules.TOX_ENVLIST):
        return
    tox = read_tox(project)
    factors = {f"3.{match.group(1)}" for name in tox.names for match in [TOX_FACTOR.match(name)] if match}
    version = _best(factors)
    if version:
        rule = "tox's environments name it"
        yield Candidate(version, tox.file, tox.line, version, rule, by=rules.TOX_ENVLIST)


def _hatch_candidate(project: PythonProject) -> Iterator[Candidate]:
    for name, environment in list(table(project.pyproject, "tool", "hatch", "envs").items())[:50]:
        matrix = environment.get("matrix") if isinstance(environment, dict) else None
        for row in matrix[:20] if isinstance(matrix, list) else []:
            values = row.get("python") if isinstance(row, dict) else None
            version = _best({one for one in values if isinstance(one, str)} if isinstance(values, list) else ())
            if version:
                line = toml_line(project.tree.text("pyproject.toml"), f"tool.hatch.envs.{name}")
                rule = f"the matrix of hatch's environment {show(name)} names it"
                yield Candidate(version, "pyproject.toml", line, version, rule, by=rules.HATCH_MATRIX)
                return


def _workflow_versions(workflows: Workflows) -> tuple[Seen, ...]:
    return workflows.versions_of("python")


def _workflow_candidate(tested: dict[str, Seen]) -> Iterator[Candidate]:
    """Offer the default if a workflow tests with it, else the newest that one does."""
    known = [release.version for release in PYTHON if release.version in tested]
    if known:
        version = PYTHON_DEFAULT if PYTHON_DEFAULT in known else known[0]
        found = tested[version]
        rule = "the repository's own workflow tests with it"
        yield Candidate(version, found.file, found.line, version, rule, by=rules.WORKFLOW_PYTHON)
