"""A run that is not trusted builds nothing out of its own tree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from draftsman.domain.errors import BuildError
from draftsman.domain.plan import Plan
from orchestrator.dockerfiles.choice import Choice, choose, generated_instead, takes_tree
from tests.orchestrator.image_parts import Images, run, unique
from tests.orchestrator.sandbox_parts import make_plan


def _plan(text: str) -> Plan:
    return replace(make_plan(text, path="Dockerfile"), fallback=unique() + "RUN echo generated > /which\n")


@pytest.mark.parametrize(
    ("trusted", "from_tree", "has_base", "choice"),
    [
        (True, True, True, Choice.PLANNED),
        (True, True, False, Choice.PLANNED),
        (True, False, False, Choice.PLANNED),
        (False, False, True, Choice.PLANNED),
        (False, True, True, Choice.OF_BASE),
        (False, True, False, Choice.GENERATED),
    ],
)
def test_the_choice(trusted: bool, from_tree: bool, has_base: bool, choice: Choice) -> None:
    assert choose(trusted=trusted, takes_tree=from_tree, base_has_image=has_base) is choice


def test_what_comes_from_the_tree() -> None:
    assert takes_tree(make_plan("FROM a\n", path="Dockerfile"))
    assert takes_tree(make_plan("FROM a\nCOPY x /x\n"))
    assert not takes_tree(make_plan("FROM a\nCOPY draftsman-ca.crt /x\nCOPY --from=b /x /x\nRUN make\n"))


def test_without_a_generated_one_there_is_an_error_and_no_build() -> None:
    with pytest.raises(BuildError, match="There is no Dockerfile to build: because"):
        generated_instead(make_plan("FROM a\n", path="Dockerfile"), "because")


@pytest.mark.engine
async def test_it_gets_the_generated_image_and_once_there_is_one_that_of_the_base(images: Images) -> None:
    theirs = _plan(unique() + "RUN echo theirs > /which\n")
    ours = _plan(unique() + "RUN echo ours > /which\n")
    first = await images.ready(theirs, trusted=False)
    assert await run(first.image.tag, "cat", "/which") == "generated\n"
    assert "Dockerfile is not used: this run is not trusted" in first.plan.warnings[0]
    await images.ready(_plan(unique() + "RUN echo of a branch > /which\n"))
    base = await images.ready(ours, on_base=True)
    second = await images.ready(theirs, trusted=False, on_base=True)
    assert await run(second.image.tag, "cat", "/which") == "ours\n"
    assert (second.image.key, second.image.cached) == (base.image.key, True)
    assert "The image is that of the base branch" in second.plan.warnings[0]
    other = replace(theirs, profile=replace(theirs.profile, dockerfile="other/Dockerfile"))
    third = await images.ready(other, trusted=False)
    assert await run(third.image.tag, "cat", "/which") == "generated\n"


@pytest.mark.engine
async def test_what_a_person_edited_is_built_unless_it_copies_from_the_tree(images: Images) -> None:
    generated = unique() + "RUN echo generated > /which\n"
    edited = replace(make_plan(unique() + "RUN echo edited > /which\n"), fallback=generated)
    assert await run((await images(edited, trusted=False)).tag, "cat", "/which") == "edited\n"
    copying = replace(edited, dockerfile=edited.dockerfile + "COPY which /which\n")
    commit = images.commit({"which": "theirs\n"})
    assert await run((await images(copying, trusted=False, commit=commit)).tag, "cat", "/which") == "generated\n"
    assert await run((await images(copying, commit=commit)).tag, "cat", "/which") == "theirs\n"


@pytest.mark.engine
async def test_a_rebuild_by_another_branch_leaves_forks_the_base_branchs_image(images: Images) -> None:
    ours = _plan(unique() + "RUN cat /proc/sys/kernel/random/uuid > /which\n")
    await images.ready(ours, on_base=True)
    rebuilt = await images.ready(ours, rebuild=True)
    used = await images.ready(_plan(unique() + "RUN echo theirs > /which\n"), trusted=False)
    assert "The image is that of the base branch" in used.plan.warnings[0]
    assert await run(used.image.tag, "cat", "/which") == await run(rebuilt.image.tag, "cat", "/which")
