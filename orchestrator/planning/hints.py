"""Names the files of a commit that planning wants to read."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.planning.ecosystems import ECOSYSTEMS
from orchestrator.planning.tool_files import TOOL_FILES
from orchestrator.planning.workflows import MAX_WORKFLOWS, is_workflow

MAX_FILES = 200

DOCKERFILES = re.compile(r"(\.devcontainer/)?(Dockerfile(\.[A-Za-z0-9_-]+)?|[A-Za-z0-9_-]+\.Dockerfile)")


def wanted(paths: Iterable[str], dockerfile: str | None = None) -> list[str]:
    """Return the files that planning wants to read, the weightiest first, at most `MAX_FILES`.

    `dockerfile` is the profile's path, read as well where the commit has it.
    """
    present = frozenset(paths)
    ordered = sorted(present)
    chosen = [dockerfile] if dockerfile is not None and dockerfile in present else []
    chosen += [path for path in TOOL_FILES if path in present]
    for ecosystem in ECOSYSTEMS:
        chosen += ecosystem.reads(present)
    chosen += list(filter(is_workflow, ordered))[:MAX_WORKFLOWS]
    chosen += [path for path in ordered if DOCKERFILES.fullmatch(path)][:10]
    return list(dict.fromkeys(chosen))[:MAX_FILES]
