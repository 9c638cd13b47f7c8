"""Which files of a commit are workflows, local actions, and the scripts and tasks that they may run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.planning.justfile import JUSTFILES
from orchestrator.planning.makefile import MAKEFILES

FOLDER = ".github/workflows/"
BUILD_FILES = ("CMakeLists.txt", "Makefile.am", "Makefile.in", "meson.build")
MAX_WORKFLOWS = 10
MAX_ACTIONS = 10
MAX_SCRIPTS = 25

CHECKING_NAMES = re.compile(
    r"(?:^|[^a-z])(?:ci|tests?|testing|checks?|lint(?:ing|er)?|quality|main|build|pr|pull|unit)"
)
PLAIN_NAMES = re.compile(r"(?:ci|tests?|testing|checks?|lint(?:ing|er)?|main|build|python|node|ruby|go|rust)")
OTHER_NAMES = re.compile(
    r"(?:release|publish|deploy|pages|docs?|codeql|stale|label|nightly|bench|scorecard|dependabot|docker|integration|e2e)"
)
ACTION = re.compile(r"\.github/(?:[^/]+/){1,3}action\.ya?ml")
SCRIPT = re.compile(
    r"(?:\.?ci|scripts?|bin|tools|hack|dev|tests?|\.github/(?:scripts|workflows))/[^/]+|[^/]+\.(?:sh|bash)"
)
SCRIPT_NAMES = re.compile(
    r"(?:^|[^a-z])(?:ci|run|tests?|unit|checks?|lint|format|fmt|types?|typecheck|mypy|validate|verify|all)(?:[^a-z]|$)"
)
SCRIPT_ENDINGS = ("", ".sh", ".bash")


def is_workflow(path: str) -> bool:
    """Return whether the path is that of a workflow."""
    return path.startswith(FOLDER) and path.endswith((".yml", ".yaml")) and path.count("/") == 2


def ranked_workflows(paths: Iterable[str]) -> list[str]:
    """Return the paths of workflows, those first whose names promise checks, at most `MAX_WORKFLOWS`."""
    return sorted(filter(is_workflow, paths), key=lambda path: (_rank(path), path))[:MAX_WORKFLOWS]


def workflow_reads(paths: Iterable[str]) -> list[str]:
    """Return the files that reading workflows and task runners may need, at most about 50."""
    workflows: list[str] = []
    actions: list[str] = []
    scripts: list[str] = []
    tasks: list[str] = []
    for path in paths:
        if is_workflow(path):
            workflows.append(path)
        elif path.startswith(".github/") and ACTION.fullmatch(path):
            actions.append(path)
        elif path.count("/") <= 2 and _is_script(path):
            scripts.append(path)
        if path.count("/") == 0 and path in (*MAKEFILES, *JUSTFILES, *BUILD_FILES):
            tasks.append(path)
    scripts.sort(key=lambda path: (SCRIPT_NAMES.search(path.rpartition("/")[2]) is None, path))
    return [
        *ranked_workflows(workflows),
        *sorted(actions, key=lambda path: (path.count("/"), path))[:MAX_ACTIONS],
        *sorted(tasks),
        *scripts[:MAX_SCRIPTS],
    ]


def _rank(path: str) -> tuple[int, bool]:
    """Return the sort key of a workflow: `test.yml` before `test-coverage.yml`."""
    name = path.removeprefix(FOLDER).rpartition(".")[0].lower()
    kind = 2 if OTHER_NAMES.search(name) else 0 if CHECKING_NAMES.search(name) else 1
    return kind, PLAIN_NAMES.fullmatch(name) is None


def _is_script(path: str) -> bool:
    name = path.rpartition("/")[2]
    return "." + name.partition(".")[2] in (".", ".sh", ".bash") and SCRIPT.fullmatch(path) is not None
