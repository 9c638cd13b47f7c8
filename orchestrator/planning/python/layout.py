"""Tells projects that setuptools cannot install, since several top folders could be the package.

Source: setuptools, "Flat-layout", and `FlatLayoutPackageFinder.DEFAULT_EXCLUDE` in `setuptools/discovery.py`.
"""

from __future__ import annotations

from configparser import RawConfigParser

from draftsman.domain.plan import Tree
from orchestrator.planning.documents import Document, table

RESERVED = frozenset(
    {"ci", "bin", "debian", "doc", "docs", "documentation", "manpages", "news", "newsfragments", "changelog"}
    | {"test", "tests", "unit_test", "unit_tests", "example", "examples", "scripts", "tools", "util", "utils"}
    | {"python", "build", "benchmark", "benchmarks", "exercise", "exercises", "htmlcov", "src"}
)
"""Top folders that setuptools never takes for a package."""


def undecided_packages(tree: Tree, pyproject: Document, setup_cfg: RawConfigParser) -> tuple[str, ...]:
    """Return the top folders that keep setuptools from installing the project, none where it can."""
    backend = table(pyproject, "build-system").get("build-backend", "setuptools.build_meta")
    configured = (
        "setuptools" in table(pyproject, "tool")
        or setup_cfg.has_option("options", "packages")
        or setup_cfg.has_option("options", "py_modules")
        or "setup.py" in tree.paths
    )
    if "project" not in pyproject or configured or not (isinstance(backend, str) and backend.startswith("setuptools")):
        return ()
    if any(path.startswith("src/") for path in tree.paths):
        return ()
    tops = {path.split("/")[0] for path in tree.paths if "/" in path}
    candidates = sorted(name for name in tops if name.isidentifier() and name not in RESERVED and name[0] != "_")
    return tuple(candidates) if len(candidates) > 1 else ()
