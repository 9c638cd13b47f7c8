"""Python packages that are built from Rust: the one at the top, and members of its workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from draftsman.domain.plan import Tree
from orchestrator.planning import grammar
from orchestrator.planning.documents import read_toml, strings, table, toml_line
from orchestrator.planning.rust import rules
from orchestrator.planning.trail import Trail

BUILDERS = ("maturin", "setuptools-rust", "setuptools_rust")
"""Build backends of Python that call Cargo."""

MAX_MEMBERS = 4


@dataclass(frozen=True, slots=True)
class PythonBuild:
    """Where a package says that it is built from Rust. `folder` is empty for the top of the repository."""

    folder: str
    file: str
    line: int | None


def python_build(tree: Tree, folder: str = "") -> PythonBuild | None:
    """Return where a `pyproject.toml` says that its package is built from Rust, or None. Raises PlanError."""
    file = f"{folder}/pyproject.toml" if folder else "pyproject.toml"
    requires = strings(table(read_toml(tree, file), "build-system").get("requires"))
    if any(one.startswith(BUILDERS) for one in requires):
        return PythonBuild(folder, file, toml_line(tree.text(file), "build-system", "requires"))
    return None


def python_member(tree: Tree, trail: Trail) -> PythonBuild | None:
    """Return the first member of uv's workspace at the top that is built from Rust, or None. Raises PlanError."""
    uv = table(read_toml(tree, "pyproject.toml"), "tool", "uv") if "pyproject.toml" in tree.contents else {}
    sources = [one.get("path") for one in table(uv, "sources").values() if isinstance(one, dict)]
    patterns = [*strings(table(uv, "workspace").get("members")), *filter(None, strings(sources))]
    if not patterns or not trail.applies(rules.MEMBER):
        return None
    excluded = strings(table(uv, "workspace").get("exclude"))
    folders = sorted(path.removesuffix("/pyproject.toml") for path in tree.contents if path.endswith("/pyproject.toml"))
    for folder in filter(grammar.is_tree_path, folders):
        if _matches(folder, patterns) and not _matches(folder, excluded):
            built = python_build(tree, folder)
            if built is not None:
                return built
    return None


def read_parts(tree: Tree) -> Tree:
    """Return the commit with the paths of all that was read: planning of the top leaves out other projects' files."""
    return replace(tree, paths=tree.paths | frozenset(tree.contents))


def _matches(folder: str, patterns: Sequence[str]) -> bool:
    """Return whether one of the globs names the folder; `*` stands for one part of a path."""
    parts = folder.split("/")
    for pattern in patterns[:50]:
        wanted = pattern.removeprefix("./").rstrip("/").split("/")
        if len(pattern) <= 200 and len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
            return True
    return False
