"""Follows paths inside of a repository, as `cd` and `working-directory` do."""

from __future__ import annotations

from orchestrator.planning import grammar

WORKSPACE = "/github/workspace"
"""Stands for the top folder in values of ours."""


def joined(folder: str, path: str) -> str | None:
    """Return the folder that `path` names from `folder`, empty for the top; None outside of the repository."""
    if path == WORKSPACE or path.startswith(WORKSPACE + "/"):
        folder, path = "", path.removeprefix(WORKSPACE).lstrip("/")
    if path.startswith("/"):
        return None
    parts = folder.split("/") if folder else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    found = "/".join(parts)
    return found if not found or grammar.is_tree_path(found) else None
