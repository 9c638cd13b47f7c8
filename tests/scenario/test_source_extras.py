"""A repository that asks for its submodules has them in its checks."""

from __future__ import annotations

import pytest

from tests.orchestrator.git_trees import with_gitlinks
from tests.scenario.conftest import World

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

LOOKS = 'fast = ["cat lib/lib.txt && git submodule status"]\nfull = []\n'


@pytest.mark.parametrize(("asks", "conclusion"), [("submodules = true\n", "success"), ("", "failure")])
async def test_submodules_are_there_where_they_are_asked_for(world: World, asks: str, conclusion: str) -> None:
    name = "with" if asks else "without"
    lib = await world.github.create_repository(f"acme/lib-{name}", files={"lib.txt": "lib\n"}, private=False)
    lib_sha = await lib.commit({"lib.txt": "newer\n"})
    repository = await world.github.create_repository(f"acme/{name}", files={"a": "a"})
    modules = f'[submodule "lib"]\n\tpath = lib\n\turl = ../lib-{name}.git\n'
    sha = await with_gitlinks(repository, {".draftsman.toml": asks + LOOKS, ".gitmodules": modules}, {"lib": lib_sha})
    results = await world.results(sha)
    assert results["fast"].conclusion == conclusion
