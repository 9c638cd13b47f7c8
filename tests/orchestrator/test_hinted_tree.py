"""Which `.draftsman.toml` counts for a commit, read from real git repositories."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.hinted_tree import read_tree
from orchestrator.order import Order
from orchestrator.planning.plan import make_plan
from orchestrator.source import Mirror, Remote
from orchestrator.tested import fetch_tested
from tests.planning.cases import TEMPLATES

FILES = {"requirements.txt": "pytest\n", "test_app.py": "import pytest\n"}
MINE = 'fast = ["make lint"]\n'
STRANGERS = 'fast = ["curl evil"]\n'


class Repository:
    """A real repository and our mirror of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.mirror = Mirror(folder / "mirror.git")

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: dict[str, str | None]) -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-qm", "change")
        return self.git("rev-parse", "HEAD")

    def order(self, sha: str, **options: Any) -> Order:
        async def remote() -> Remote:
            return Remote("acme/widgets", str(self.folder / ".git"))

        return Order("run-1", "acme/widgets", sha, "github:7", "acme", remote, **options)

    async def plan(self, sha: str, **options: Any) -> Plan:
        order = self.order(sha, **options)
        tree = (await fetch_tested(order, self.mirror)).tree
        return make_plan(tree, repo=order.repo, overrides=order.overrides, templates=TEMPLATES)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


async def test_a_trusted_commits_own_file_counts(repository: Repository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    head = repository.commit({".draftsman.toml": 'fast = ["make other"]\n'})
    assert (await repository.plan(head, base_sha=base)).profile.fast == ("make other",)


async def test_a_strangers_file_has_no_effect_where_the_base_has_one(repository: Repository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    head = repository.commit({".draftsman.toml": STRANGERS})
    made = await repository.plan(head, trusted=False, base_sha=base)
    assert made.profile.fast == ("make lint",)
    assert "evil" not in str(made)


@pytest.mark.parametrize("knows_base", [True, False])
async def test_a_strangers_file_has_no_effect_where_the_base_has_none(repository: Repository, knows_base: bool) -> None:
    base = repository.commit(cast(dict[str, str | None], FILES))
    head = repository.commit({".draftsman.toml": STRANGERS})
    made = await repository.plan(head, trusted=False, base_sha=base if knows_base else None)
    assert made.profile.fast == ()
    assert made.profile.full == ("python -m pytest",)


async def test_a_stranger_cannot_take_the_bases_file_away_or_break_it(repository: Repository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    without = repository.commit({".draftsman.toml": None})
    broken = repository.commit({".draftsman.toml": "fast = [\n"})
    for head in (without, broken):
        assert (await repository.plan(head, trusted=False, base_sha=base)).profile.fast == ("make lint",)
    with pytest.raises(PlanError, match=r"\.draftsman\.toml:"):
        await repository.plan(broken)


async def test_the_dockerfile_that_the_file_names_is_read_wherever_it_lies(repository: Repository) -> None:
    head = repository.commit(
        {**FILES, "deep/own.image": "FROM own\n", ".draftsman.toml": 'dockerfile = "deep/own.image"'}
    )
    assert (await repository.plan(head)).dockerfile == "FROM own\n"
    profile = ProfileOverrides(fast=("a",), dockerfile="deep/own.image", dockerfile_mode="path")
    assert (await repository.plan(head, overrides=profile)).dockerfile == "FROM own\n"


async def test_a_file_that_is_a_link_is_none(repository: Repository) -> None:
    repository.commit({**FILES, "elsewhere.toml": STRANGERS})
    (repository.folder / ".draftsman.toml").symlink_to("elsewhere.toml")
    repository.git("add", "-A")
    repository.git("commit", "-qm", "link")
    assert (await repository.plan(repository.git("rev-parse", "HEAD"))).profile.fast == ()


async def test_trees_of_both_commits_are_read_from_one_mirror(repository: Repository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    head = repository.commit({"more.py": ""})
    remote = await repository.order(head).remote()
    await asyncio.gather(repository.mirror.fetch(remote, head, "a"), repository.mirror.fetch(remote, base, "b"))
    tree = await read_tree(repository.mirror, head, repo_file_from=base)
    assert "more.py" in tree.paths
    assert tree.text(".draftsman.toml") == MINE
