"""The files that name a Python exactly, and those that name the developers' own environment."""

from __future__ import annotations

import re
from collections.abc import Iterator

from draftsman.domain.plan import Tree
from orchestrator.planning.choice import Candidate
from orchestrator.planning.documents import line_of, malformed, read_yaml, strings, table
from orchestrator.planning.python import files, rules
from orchestrator.planning.tool_files import read_tool_files
from orchestrator.planning.trail import Trail, show
from orchestrator.planning.versions import PYTHON, PYTHON_DEFAULT
from orchestrator.planning.workflows import Workflows

EXACT = re.compile(r"(?:c?python[-@]?)?([0-9]{1,2}(?:\.[0-9]{1,3}){0,2})(t)?(?:[-+][A-Za-z0-9_.+-]{1,60})?")
OTHER_PYTHON = re.compile(r"(?:pypy|graalpy)[A-Za-z0-9.+-]{0,60}|[0-9]{1,2}(?:\.[0-9]{1,3}){0,2}t")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,99}")
DEVCONTAINERS = (".devcontainer/devcontainer.json", ".devcontainer.json")
CONTAINER_IMAGE = re.compile(
    r'"image"\s*+:\s*+"(?:[a-z0-9.-]{1,80}/){0,6}python:(?:[0-9.]++-)?(3\.[0-9]{1,2})[^"\n]*+"'
)
CONTAINER_FEATURE = re.compile(
    r'features/python(?::[0-9.]++)?"\s*+:\s*+\{\s*+"version"\s*+:\s*+"(3\.[0-9]{1,2}(?:\.[0-9]{1,2})?)"'
)
"""The files are JSON with comments, so they are not parsed."""

CONDA_PYTHON = re.compile(r"python\s*+=\s*+(3\.[0-9]{1,2})(?:\.[0-9*]{1,3})?")
CONDA_BARE = re.compile(r"\s*+(?:python|pip|setuptools|wheel)\s*+(?:[<>=!~].*)?$")
CONDA_FILES = ("environment.yml", "environment.yaml")


def exact(text: str, file: str, line: int) -> str:
    """Return the version in `3.12`, `3.12.4`, `cpython-3.12` or `python3.12`. Raises PlanError for other text."""
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
    if match.group(1).partition(".")[0] != "3":
        what = f"{show(text)!r} is no Python 3, and no image is generated for it. Name a Dockerfile in the profile."
        raise malformed(file, line, what)
    return PYTHON_DEFAULT if match.group(1) == "3" else match.group(1)


def exact_files(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    """Offer what exact files name, strongest first. Raises PlanError where one is malformed."""
    if trail.applies(rules.VERSION_FILE):
        yield from _python_version_file(tree, trail)
    if trail.applies(rules.TOOL_FILES):
        for hint in read_tool_files(tree, ("python",)):
            version = exact(hint.text, hint.file, hint.line)
            yield Candidate(
                version, hint.file, hint.line, hint.text, f"`{hint.file}` names it exactly", by=rules.TOOL_FILES
            )
    if trail.applies(rules.RUNTIME_TXT):
        yield from _runtime_txt(tree)


def _python_version_file(tree: Tree, trail: Trail) -> Iterator[Candidate]:
    """Offer the first version in the file; the others are for tools that test with several."""
    file, found = ".python-version", False
    for number, raw in enumerate((tree.text(file) or "").splitlines(), start=1):
        text = raw.split("#")[0].strip()
        if not text or (found and (OTHER_PYTHON.fullmatch(text) or EXACT.fullmatch(text))):
            continue
        if text.startswith("pypy"):
            what = f"{show(text)!r} asks for PyPy, for which no image is generated. Name a Dockerfile in the profile."
            raise malformed(file, number, what)
        if ENVIRONMENT_NAME.fullmatch(text) and not EXACT.fullmatch(text) and trail.applies(rules.ENVIRONMENT_NAME):
            rule = "the name of a virtual environment, not a version: ignored"
            trail.note("python version", text, rule, file=file, line=number, by=rules.ENVIRONMENT_NAME)
            continue
        version = exact(text, file, number)
        if not found:
            rule = "`.python-version` names it exactly"
            yield Candidate(version, file, number, text, rule, by=rules.VERSION_FILE)
        found = True


def _runtime_txt(tree: Tree) -> Iterator[Candidate]:
    file = "runtime.txt"
    for number, line in enumerate((tree.text(file) or "").splitlines(), start=1):
        text = line.strip()
        if text.startswith("python-"):
            rule = "`runtime.txt` names it exactly"
            yield Candidate(exact(text, file, number), file, number, text, rule, by=rules.RUNTIME_TXT)
            return


def workflow_files(tree: Tree, workflows: Workflows) -> Iterator[Candidate]:
    """Offer what the first file of another name says that a workflow reads the version from."""
    for seen in workflows.version_files_of("python"):
        lines = (tree.text(seen.text) or "").splitlines() if files.is_version_file(seen.text) else []
        first = next(((number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()), None)
        match = EXACT.fullmatch(first[1]) if first else None
        if first and match and match.group(1).startswith("3") and not match.group(2):
            rule = f"the workflows read it ({seen.place})"
            version = exact(first[1], seen.text, first[0])
            yield Candidate(version, seen.text, first[0], first[1], rule, by=rules.WORKFLOW_FILE)
            return


def devcontainer(tree: Tree) -> Iterator[Candidate]:
    """Offer the version of the developers' container, where its image or its Python feature names one."""
    for file in DEVCONTAINERS:
        text = tree.text(file) or ""
        match = CONTAINER_IMAGE.search(text) or CONTAINER_FEATURE.search(text)
        if match:
            line = text.count("\n", 0, match.start(1)) + 1
            rule = "the developers' container has it"
            yield Candidate(match.group(1), file, line, match.group(1), rule, by=rules.DEVCONTAINER)


def conda_dependencies(tree: Tree) -> tuple[str, int] | None:
    """Return the file of a conda environment that needs more than Python and pip, and the line of what it needs."""
    for file in CONDA_FILES:
        needs = table(read_yaml(tree, file)).get("dependencies")
        listed = needs if isinstance(needs, list) else []
        if any(isinstance(one, dict) or not CONDA_BARE.match(str(one)) for one in listed[:1000]):
            return file, line_of(tree.text(file), r"^dependencies\b") or 1
    return None


def environment_yml(tree: Tree) -> Iterator[Candidate]:
    """Offer the Python of a conda environment."""
    for file in CONDA_FILES:
        for one in strings(table(read_yaml(tree, file)).get("dependencies")):
            match = CONDA_PYTHON.match(one.strip())
            if match and any(release.version == match.group(1) for release in PYTHON):
                line = line_of(tree.text(file), r"^[ \t-]*+[\"']?python\s*+=")
                rule = f"the conda environment in `{file}` has it"
                yield Candidate(match.group(1), file, line, one.strip(), rule, by=rules.ENVIRONMENT_YML)
                return
