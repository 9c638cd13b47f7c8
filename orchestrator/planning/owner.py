"""Which ecosystem owns a repository's tests, where several have some: the manager, and what runs first, are its own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from draftsman.domain.plan import Evidence, Tree
from orchestrator.planning import any_rules
from orchestrator.planning.documents import read_json, read_toml, table
from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import Seen, Workflows, is_workflow

SOURCES = {
    **dict.fromkeys((".py", ".pyi", ".pyx"), "python"),
    **dict.fromkeys((".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte"), "node"),
    **dict.fromkeys((".rb", ".rake", ".erb"), "ruby"),
    ".go": "go",
    ".rs": "rust",
}
TESTING = re.compile(r"(?:^|[:_-])(?:py|unit)?tests?(?:[:_-]|$)|^(?:rspec|tox|nox)$")
OTHERS_CODE = frozenset({"vendor", "node_modules", "third_party", "dist"})


@dataclass(frozen=True, slots=True)
class Claim:
    """An ecosystem that has tests: its command words, its evidence, and whether it only builds for another one."""

    ecosystem: str
    words: frozenset[str]
    evidence: tuple[Evidence, ...]
    builds: bool


def owner_of(claims: Sequence[Claim], tree: Tree, workflows: Workflows, trail: Trail) -> str:
    """Return the ecosystem that owns the tests, and note why. There is at least one claim.

    In this order: one that is more than a build step of another, whose tests a workflow runs, whose manifest names
    the project, whose source files are the most.
    """
    if len(claims) < 2 or not trail.applies(any_rules.OWNER):
        return claims[0].ecosystem
    called = tuple(_tests(workflows))
    files = _sources(tree.paths)

    def weight(claim: Claim) -> tuple[bool, bool, bool, int]:
        run = any(_is_run(claim, seen) for seen in called) or _by_workflow(claim)
        return not claim.builds, run, _names_project(claim.ecosystem, tree), files[claim.ecosystem]

    ranked = sorted(claims, key=weight, reverse=True)  # stable: the order of the ecosystems where all is equal
    best, second = weight(ranked[0]), weight(ranked[1])
    reasons = ("the other one builds for it", "a workflow runs its tests", "its manifest names the project")
    told = [reason for reason, one, other in zip(reasons, best, second, strict=False) if one > other]
    counted = ", ".join(f"{files[one.ecosystem]} files of {one.ecosystem}" for one in ranked)
    name = ranked[0].ecosystem
    trail.note("dependency_manager", name, f"owns the tests: {told[0] if told else counted}", by=any_rules.OWNER)
    return name


def _tests(workflows: Workflows) -> Iterable[Seen]:
    for job in workflows.jobs:
        yield from (seen for seen in (*job.commands, *job.unfinished) if not seen.folder)


def _is_run(claim: Claim, seen: Seen) -> bool:
    """Return whether a command, or one that it is known to run, is a test of this ecosystem."""
    for text in (seen.text, *seen.inner):
        words = [word for word in text.split() if "=" not in word][:4]
        if words and words[0] in claim.words and any(map(TESTING.search, words)):
            return True
    return False


def _by_workflow(claim: Claim) -> bool:
    return any(one.decides == "full" and one.file is not None and is_workflow(one.file) for one in claim.evidence)


def _names_project(ecosystem: str, tree: Tree) -> bool:
    """Return whether a manifest at the top names what the repository is: a package, a module, a gem."""
    if ecosystem == "go":
        return "go.mod" in tree.paths
    if ecosystem == "rust":
        return bool(table(read_toml(tree, "Cargo.toml"), "package").get("name"))
    if ecosystem == "ruby":
        return any(path.endswith(".gemspec") for path in tree.paths if "/" not in path)
    if ecosystem == "node":
        manifest = read_json(tree, "package.json")
        # Without a version npm publishes nothing: such a manifest only lists what is used.
        return all(manifest.get(key) for key in ("name", "version")) and manifest.get("private") is not True
    said = read_toml(tree, "pyproject.toml")
    named = table(said, "project").get("name") or table(said, "tool", "poetry").get("name")
    return bool(named) or "setup.py" in tree.paths


def _sources(paths: Iterable[str]) -> Counter[str]:
    """Return the number of source files by ecosystem, without what comes from others."""
    found: Counter[str] = Counter()
    for path in paths:
        name = path.rpartition("/")[2]
        _, dot, ending = name.rpartition(".")
        ecosystem = SOURCES.get(dot + ending)
        if ecosystem is not None and OTHERS_CODE.isdisjoint(path.split("/")[:-1]):
            found[ecosystem] += 1
    return found
