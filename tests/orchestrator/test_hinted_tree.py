"""Which `.draftsman.toml` counts for a commit, read from real git repositories."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import ProfileOverrides
from orchestrator.hinted_tree import read_tree
from tests.orchestrator.local_repository import LocalRepository

FILES = {"requirements.txt": "pytest\n", "test_app.py": "import pytest\n"}
MINE = 'fast = ["make lint"]\n'
STRANGERS = 'fast = ["curl evil"]\n'


@pytest.fixture
def repository(tmp_path: Path) -> LocalRepository:
    return LocalRepository(tmp_path)


async def test_a_trusted_commits_own_file_counts(repository: LocalRepository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    head = repository.commit({".draftsman.toml": 'fast = ["make other"]\n'})
    assert (await repository.plan(head, base_sha=base)).profile.fast == ("make other",)


async def test_a_strangers_file_has_no_effect_where_the_base_has_one(repository: LocalRepository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    head = repository.commit({".draftsman.toml": STRANGERS})
    made = await repository.plan(head, trusted=False, base_sha=base)
    assert made.profile.fast == ("make lint",)
    assert "evil" not in str(made)


@pytest.mark.parametrize("knows_base", [True, False])
async def test_a_strangers_file_has_no_effect_where_the_base_has_none(
    repository: LocalRepository, knows_base: bool
) -> None:
    base = repository.commit(FILES)
    head = repository.commit({".draftsman.toml": STRANGERS})
    made = await repository.plan(head, trusted=False, base_sha=base if knows_base else None)
    assert made.profile.fast == ()
    assert made.profile.full == ("python -m pytest",)


async def test_a_stranger_cannot_take_the_bases_file_away_or_break_it(repository: LocalRepository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    without = repository.commit({".draftsman.toml": None})
    broken = repository.commit({".draftsman.toml": "fast = [\n"})
    for head in (without, broken):
        assert (await repository.plan(head, trusted=False, base_sha=base)).profile.fast == ("make lint",)
    with pytest.raises(PlanError, match=r"\.draftsman\.toml:"):
        await repository.plan(broken)


async def test_the_dockerfile_that_the_file_names_is_read_wherever_it_lies(repository: LocalRepository) -> None:
    head = repository.commit(
        {**FILES, "deep/own.image": "FROM own\n", ".draftsman.toml": 'dockerfile = "deep/own.image"'}
    )
    assert (await repository.plan(head)).dockerfile == "FROM own\n"
    profile = ProfileOverrides(fast=("a",), dockerfile="deep/own.image", dockerfile_mode="path")
    assert (await repository.plan(head, overrides=profile)).dockerfile == "FROM own\n"


async def test_a_file_that_is_a_link_is_none(repository: LocalRepository) -> None:
    repository.commit({**FILES, "elsewhere.toml": STRANGERS})
    (repository.folder / ".draftsman.toml").symlink_to("elsewhere.toml")
    repository.git("add", "-A")
    repository.git("commit", "-qm", "link")
    assert (await repository.plan(repository.git("rev-parse", "HEAD"))).profile.fast == ()


async def test_trees_of_both_commits_are_read_from_one_mirror(repository: LocalRepository) -> None:
    base = repository.commit({**FILES, ".draftsman.toml": MINE})
    head = repository.commit({"more.py": ""})
    remote = await repository.order(head).remote()
    await asyncio.gather(repository.mirror.fetch(remote, head, "a"), repository.mirror.fetch(remote, base, "b"))
    tree = await read_tree(repository.mirror, head, repo_file_from=base)
    assert "more.py" in tree.paths
    assert tree.text(".draftsman.toml") == MINE
