"""Names the files of a commit that planning wants to read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from orchestrator.planning.ecosystems import ECOSYSTEMS
from orchestrator.planning.folders import MAX_FOLDERS, project_folders
from orchestrator.planning.own_dockerfile import CANDIDATES
from orchestrator.planning.repo_file import NAME as REPO_FILE
from orchestrator.planning.submodules import FILE as SUBMODULES
from orchestrator.planning.tool_files import TOOL_FILES
from orchestrator.planning.workflows import workflow_reads

MAX_FILES = 300
MAX_IN_FOLDER = 25


def wanted(paths: Iterable[str], dockerfile: str | None = None) -> list[str]:
    """Return the files that planning wants to read, the weightiest first, at most `MAX_FILES`.

    `dockerfile` is the profile's path, read as well where the commit has it.
    """
    present = frozenset(paths)
    ordered = sorted(present)
    chosen = [REPO_FILE] if REPO_FILE in present else []
    chosen += [dockerfile] if dockerfile is not None and dockerfile in present else []
    chosen += [path for path in (SUBMODULES, *TOOL_FILES) if path in present]
    chosen += workflow_reads(ordered)
    for ecosystem in ECOSYSTEMS:
        chosen += ecosystem.reads(present)
    for folder in project_folders(ordered)[: 2 * MAX_FOLDERS]:
        chosen += _inside(folder, ordered)
    chosen += [path for name in CANDIDATES for path in (name, f"{name}.dockerignore") if path in present]
    chosen += [".dockerignore"] if ".dockerignore" in present else []
    return list(dict.fromkeys(chosen))[:MAX_FILES]


def _inside(folder: str, ordered: list[str]) -> list[str]:
    """Return what the ecosystems read of a project in a folder, at most `MAX_IN_FOLDER` files."""
    start, end = bisect_left(ordered, f"{folder}/"), bisect_left(ordered, f"{folder}0")  # "0" comes after "/"
    inner = frozenset(path[len(folder) + 1 :] for path in ordered[start:end])
    wanted_inside = [path for ecosystem in ECOSYSTEMS for path in ecosystem.reads(inner)]
    return [f"{folder}/{path}" for path in wanted_inside[:MAX_IN_FOLDER]]
