"""Which Python: the exact files first, then what the manifests allow, lock, classifiers, workflows, default."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nodesemver
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.choice import Candidate, choose
from orchestrator.planning.documents import line_of, malformed, read_ini, read_toml, table, toml_line, written
from orchestrator.planning.python.project import PythonProject
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import PYTHON, PYTHON_DEFAULT
from orchestrator.planning.workflows import Workflows

EXACT = re.compile(r"(?:c?python[-@]?)?([0-9]{1,2}(?:\.[0-9]{1,3}){0,2})(t)?(?:[-+][A-Za-z0-9_.+-]{1,60})?")
OTHER_PYTHON = re.compile(r"(?:pypy|graalpy)[A-Za-z0-9.+-]{0,60}|[0-9]{1,2}(?:\.[0-9]{1,3}){0,2}t")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,99}")
CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.[0-9]{1,2})[\"'\s,]")
PATCH_LEVELS = 60
"""More patch releases than any minor version of Python has had."""


def choose_python(project: PythonProject, workflows: Workflows, trail: Trail) -> str:
    """Return the version for the image's tag, `3.13` or `3.11.4`. Raises PlanError for a malformed hint."""
    tree = project.tree
    named = _classifiers(project)
    candidates = [
        *_python_version_file(tree, trail),
        *_tool_files(tree),
        *_runtime_txt(tree),
        *_constraints(project, named),
        *_classifier_candidate(project, named),
        *_workflow_candidate(workflows),
    ]
    return choose("Python", candidates, PYTHON_DEFAULT, PYTHON, trail)


def _exact(text: str, file: str, line: int) -> str:
    """Return the version in `3.12`, `3.12.4`, `cpython-3.12` or `python3.12`."""
    match = EXACT.fullmatch(text)
    if match is None:
        raise malformed(file, line, f"{show(text)!r} is not a Python version. Write one such as 3.13.")
    if match.group(2):
        raise malformed(
            file,
            line,
            f"{show(text)!r} asks for free-threaded Python, which has no official image. "
            "Name a Dockerfile in the profile, or an ordinary version here.",
        )
    return PYTHON_DEFAULT if match.group(1) == "3" else match.group(1)


def _python_version_file(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    """Offer the first version in the file; the others are for tools that test with several."""
    found = False
    for number, raw in enumerate((tree.text(".python-version") or "").splitlines(), start=1):
        text = raw.split("#")[0].strip()
        if not text or (found and OTHER_PYTHON.fullmatch(text)):
            continue
        if text.startswith("pypy"):
            what = f"{show(text)!r} asks for PyPy, for which no image is generated. Name a Dockerfile in the profile."
            raise malformed(".python-version", number, what)
        if ENVIRONMENT_NAME.fullmatch(text) and not EXACT.fullmatch(text):
            rule = "the name of a virtual environment, not a version: ignored"
            trail.note("python version", text, rule, file=".python-version", line=number)
            continue
        version = _exact(text, ".python-version", number)
        if not found:
            yield Candidate(version, ".python-version", number, text, "`.python-version` names it exactly")
        found = True


def _tool_files(tree: Tree) -> Iterator[Candidate]:
    for hint in read_tool_files(tree, ("python",)):
        version = _exact(hint.text, hint.file, hint.line)
        yield Candidate(version, hint.file, hint.line, hint.text, f"`{hint.file}` names it exactly")


def _runtime_txt(tree: Tree) -> Iterator[Candidate]:
    for number, line in enumerate((tree.text("runtime.txt") or "").splitlines(), start=1):
        if line.strip().startswith("python-"):
            text = line.strip()
            yield Candidate(
                _exact(text, "runtime.txt", number), "runtime.txt", number, text, "`runtime.txt` names it exactly"
            )
            return


def _constraints(project: PythonProject, named: frozenset[str]) -> Iterator[Candidate]:
    tree = project.tree
    pyproject_text = tree.text("pyproject.toml")
    requires = table(project.pyproject, "project").get("requires-python")
    if requires is not None:
        line = toml_line(pyproject_text, "project", "requires-python")
        yield _ranged(requires, "pyproject.toml", line, "`requires-python`", named)
    poetry = table(project.pyproject, "tool", "poetry", "dependencies").get("python")
    if poetry is not None:
        line = toml_line(pyproject_text, "tool.poetry.dependencies", "python")
        yield _poetry(poetry, line, named)
    pipfile = table(read_toml(tree, "Pipfile"), "requires")
    for key in ("python_full_version", "python_version"):
        if isinstance(pipfile.get(key), str):
            line = toml_line(tree.text("Pipfile"), "requires", key)
            version = _exact(pipfile[key], "Pipfile", line or 1)
            yield Candidate(version, "Pipfile", line, pipfile[key], f"`{key}`")
            break
    setup_cfg = read_ini(tree, "setup.cfg").get("options", "python_requires", fallback=None)
    if setup_cfg:
        line = line_of(tree.text("setup.cfg"), r"^python_requires")
        yield _ranged(setup_cfg, "setup.cfg", line, "`python_requires`", named)
    for file, pattern, rule in (
        ("setup.py", r"python_requires\s*=\s*[\"']([^\"']*)[\"']", "`python_requires`"),
        ("uv.lock", r"^requires-python = \"([^\"]*)\"$", "the lock's `requires-python`"),
    ):
        text = tree.text(file) or ""
        match = re.compile(pattern, re.MULTILINE).search(text)
        if match:
            yield _ranged(match.group(1), file, text.count("\n", 0, match.start()) + 1, rule, named)


def _ranged(value: object, file: str, line: int | None, what: str, named: frozenset[str]) -> Candidate:
    if not isinstance(value, str) or not grammar.fits(grammar.PYTHON_RANGE, value):
        raise malformed(file, line, f"{written(value)!r} is not a version range for {what}, such as '>=3.11'.")
    try:
        allowed = SpecifierSet(value)
    except InvalidSpecifier:
        if EXACT.fullmatch(value):  # some write `requires-python = "3.11"`
            allowed = SpecifierSet(f"=={value}" + ".*" * (value.count(".") < 2))
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
    return Candidate(version, file, line, value, f"{what} allows it, {rule}", lambda other: _contains(allowed, other))


def _contains(allowed: SpecifierSet, version: str) -> bool:
    """Return whether a tag (`3.12` stands for its newest patch release) satisfies a range."""
    levels = range(PATCH_LEVELS, -1, -1) if version.count(".") == 1 else [None]
    return any(allowed.contains(version if level is None else f"{version}.{level}") for level in levels)


def _newest(allowed: SpecifierSet, named: frozenset[str]) -> tuple[str | None, str]:
    """Return the version that a range takes, as precisely as it has to be, and the reason."""
    fitting = [release for release in PYTHON if _contains(allowed, release.version)]
    listed = [release for release in fitting if release.version in named] or fitting
    by_classifier = " and the classifiers name it" if listed is not fitting and listed != fitting else ""
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


def _poetry(value: object, line: int | None, named: frozenset[str]) -> Candidate:
    """Poetry's carets and tildes mean what npm's do, so npm's grammar reads them."""
    value = value.get("version") if isinstance(value, dict) else value
    text = value.replace(",", " ") if isinstance(value, str) else ""
    versions = [release.version for release in PYTHON]
    if not text or not grammar.fits(grammar.NODE_RANGE, text) or nodesemver.valid_range(text, False) is None:
        raise malformed("pyproject.toml", line, f"{written(value)!r} is not a version range, such as '^3.11'.")

    def allows(version: str) -> bool:
        return bool(nodesemver.satisfies(version if version.count(".") == 2 else f"{version}.999", text, False))

    fitting = [version for version in versions if allows(version)]
    listed = [version for version in fitting if version in named] or fitting
    if not listed:
        raise malformed("pyproject.toml", line, f"{written(value)!r} allows no Python that Draftsman knows.")
    supported = [release.version for release in PYTHON if release.supported and release.version in listed]
    version = PYTHON_DEFAULT if PYTHON_DEFAULT in listed else (supported or listed)[0]
    return Candidate(version, "pyproject.toml", line, str(value), "Poetry's `python` allows it", allows)


def _classifiers(project: PythonProject) -> frozenset[str]:
    texts = (project.tree.text(path) or "" for path in ("pyproject.toml", "setup.cfg", "setup.py"))
    return frozenset(name for text in texts for name in CLASSIFIER.findall(text))


def _classifier_candidate(project: PythonProject, named: frozenset[str]) -> Iterator[Candidate]:
    known = [release.version for release in PYTHON if release.version in named]
    if not known:
        return
    supported = [release.version for release in PYTHON if release.supported and release.version in named]
    version = PYTHON_DEFAULT if PYTHON_DEFAULT in named else (supported or known)[0]
    for path in ("pyproject.toml", "setup.cfg", "setup.py"):
        line = line_of(project.tree.text(path), rf"Python :: {re.escape(version)}[\"'\s,]")
        if line:
            yield Candidate(version, path, line, f"Python :: {version}", "the classifiers name it")
            return


def _workflow_candidate(workflows: Workflows) -> Iterator[Candidate]:
    """Offer the default if a workflow tests with it, else the newest that one does."""
    seen = {found.text: found for found in workflows.versions_of("python")}
    known = [release.version for release in PYTHON if release.version in seen]
    if known:
        version = PYTHON_DEFAULT if PYTHON_DEFAULT in known else known[0]
        found = seen[version]
        yield Candidate(version, found.file, found.line, version, "the repository's own workflow tests with it")
