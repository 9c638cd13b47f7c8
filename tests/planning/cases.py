"""Reads the case repositories in `tests/repos/<ecosystem>/<case>/`: `repo/` and `expected.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from draftsman.domain.plan import ProfileOverrides, Tree
from orchestrator.planning.hints import wanted

ROOT = Path(__file__).parents[2]
REPOS = ROOT / "tests/repos"
TEMPLATES = {path.name: path.read_text() for path in (ROOT / "dockerfiles/templates").glob("*.j2")}


@dataclass(frozen=True)
class Case:
    """A repository, what a person set for it, and what should come out."""

    name: str
    repo: Path
    overrides: ProfileOverrides
    expected: dict[str, Any]


def read_cases() -> list[Case]:
    """Return all cases in order of name."""
    found = []
    for file in sorted(REPOS.glob("*/*/expected.toml")):
        expected = tomllib.loads(file.read_text())
        profile: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in expected.get("profile", {}).items()
        }
        name = str(file.parent.relative_to(REPOS))
        found.append(Case(name, file.parent / "repo", ProfileOverrides(**profile), expected))
    return found


def read_tree(repo: Path, overrides: ProfileOverrides) -> Tree:
    """Return a folder as planning sees a commit."""
    files = {str(path.relative_to(repo)): path for path in repo.rglob("*") if path.is_file()}
    return Tree(frozenset(files), {path: files[path].read_bytes() for path in wanted(files, overrides.dockerfile)})


def tree_of(files: dict[str, str]) -> Tree:
    """Return a commit that holds these files."""
    return Tree(frozenset(files), {path: files[path].encode() for path in wanted(files)})
