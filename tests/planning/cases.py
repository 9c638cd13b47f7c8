"""Reads the case repositories in `tests/repos/<ecosystem>/<case>/`: `repo/` and `expected.toml`.

`expected.toml` names the rules that the case proves (`proves`), what a person set (`[profile]`), and what must come
out: manager, setup, fast, full, images, caches, toolchains that are `installed` into an image, and, where they matter,
parts of Dockerfile, evidence and warnings; or `error`, the sentence with which the commit is refused.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Evidence, Plan, ProfileOverrides, Tree
from orchestrator.planning.hints import wanted
from orchestrator.planning.plan import make_plan

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

    @property
    def proves(self) -> tuple[str, ...]:
        """Return the ids of the rules that this case needs."""
        return tuple(self.expected.get("proves", ()))

    def plan(self, without: frozenset[str] = frozenset()) -> Plan:
        """Return the plan of the repository, with some rules turned off. Raises PlanError."""
        tree = read_tree(self.repo, self.overrides)
        return make_plan(tree, repo="octo/case", overrides=self.overrides, templates=TEMPLATES, without=without)

    def check(self, without: frozenset[str] = frozenset()) -> None:
        """Raise AssertionError where the plan is not what it should be."""
        refusal, plan = self._outcome(without)
        if "error" in self.expected:
            assert self.expected["error"] in refusal, refusal or "this should be refused"
            return
        assert plan is not None, f"refused: {refusal}"
        _check_plan(plan, self.expected)

    def _outcome(self, without: frozenset[str]) -> tuple[str, Plan | None]:
        try:
            return "", self.plan(without)
        except PlanError as error:
            return str(error), None


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


def _check_plan(plan: Plan, expected: dict[str, Any]) -> None:
    assert plan.profile.dependency_manager == expected["manager"]
    assert plan.profile.setup == expected["setup"]
    assert list(plan.profile.fast) == expected["fast"]
    assert list(plan.profile.full) == expected["full"]
    assert [one.image for one in plan.toolchains if one.image] == expected["images"]
    assert [f"{one.ecosystem} {one.version}" for one in plan.toolchains if not one.image] == expected.get(
        "installed", []
    )
    assert list(plan.caches) == expected["caches"]
    for part in expected.get("dockerfile_has", []):
        assert part in plan.dockerfile
    for seen in expected.get("evidence", []):
        assert any(_matches(one, seen) for one in plan.evidence), (seen, plan.evidence)
    for sentence in expected.get("warnings", []):
        assert any(sentence in one for one in plan.warnings), plan.warnings
    if not expected.get("warnings"):
        assert plan.warnings == ()


def _matches(evidence: Evidence, wanted: dict[str, str | int]) -> bool:
    return all(
        str(value) in evidence.rule if key == "rule" else getattr(evidence, key) == value
        for key, value in wanted.items()
    )
