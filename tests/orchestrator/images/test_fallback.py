"""A Dockerfile that was only inferred gives way to a generated one; one that somebody set does not."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

import pytest

from draftsman.domain.errors import BuildError
from draftsman.domain.plan import Plan
from orchestrator.images.build import BuildSettings
from orchestrator.images.programs import needed_programs
from tests.orchestrator.engine_fixtures import WITH_GIT
from tests.orchestrator.image_parts import Images, run, unique
from tests.orchestrator.registry import Registry
from tests.orchestrator.sandbox_parts import make_plan


def inferred(text: str, *, setup: str = "python3 -m venv .venv") -> Plan:
    """Return a plan whose Dockerfile was inferred."""
    plan = make_plan(text, path="Dockerfile", setup=setup, full=("python3 -m unittest",))
    return replace(plan, inferred_dockerfile=True, fallback=unique() + "RUN echo generated > /which\n")


@pytest.mark.engine
async def test_one_that_is_fit_is_used(images: Images) -> None:
    ready = await images.ready(inferred(unique() + "RUN echo own > /which\n"))
    assert await run(ready.image.tag, "cat", "/which") == "own\n"
    assert ready.plan.profile.dockerfile == "Dockerfile"
    assert ready.plan.warnings == ()


@pytest.mark.engine
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("FROM python:3.13-slim\nRUN exit 3\n", "line 2 of Dockerfile, `RUN exit 3`, exited 3"),
        ("FROM busybox\n", "Draftsman's layer on top of it"),
        ("FROM scratch\nCOPY --from=busybox /bin/true /true\n", "Draftsman's layer on top of it"),
        (WITH_GIT + "RUN rm -f /usr/bin/python3 /usr/local/bin/python3\n", "has no `python3`, which the checks call"),
        ("FROM python:3.13-slim\nADD https://example.com/x /x\n", "Line 2 of the Dockerfile: `ADD https://example"),
        ("FROM 127.0.0.1:9/x\nFROM draftsman-base/a/b:1\n", "Line 2 of the Dockerfile takes files from an image"),
    ],
)
async def test_one_that_is_not_gives_way_and_says_so(images: Images, text: str, why: str) -> None:
    plan = inferred(text)
    ready = await images.ready(plan)
    assert await run(ready.image.tag, "cat", "/which") == "generated\n"
    assert ready.plan.profile.dockerfile is None
    assert ready.plan.dockerfile == plan.fallback
    (warning,) = ready.plan.warnings
    assert warning.startswith("Dockerfile is not used: it was inferred, and is not fit for checks")
    assert why in warning
    assert why in images.log.decode()
    with pytest.raises(BuildError, match=re.escape(why)):
        await images(replace(plan, inferred_dockerfile=False), repo=f"{images.repo}-set")


@pytest.mark.engine
async def test_what_did_not_build_is_not_tried_again_and_gives_way_again(images: Images) -> None:
    plan = inferred("FROM python:3.13-slim\nRUN exit 3\n")
    first = await images.ready(plan)
    images.log = b""
    again = await images.ready(plan)
    assert (again.image.tag, again.image.cached) == (first.image.tag, True)
    assert b"with BuildKit" not in images.log
    assert "exited 3" in again.plan.warnings[0]


@pytest.mark.engine
async def test_a_base_image_that_cannot_be_had_gives_way_and_is_not_remembered(images: Images) -> None:
    ready = await images.ready(inferred("FROM 127.0.0.1:9/absent:1\n"))
    assert "127.0.0.1:9/absent:1 could not be pulled" in ready.plan.warnings[0]
    assert images.records.failures == {}


def test_of_a_dockerfile_that_was_set_the_first_command_counts_alone() -> None:
    plan = inferred("FROM a\n", setup="pip install uv && uv sync")
    assert needed_programs(plan) == ("pip", "python3", "uv")
    assert needed_programs(replace(plan, inferred_dockerfile=False)) == ("pip",)
    assert needed_programs(make_plan("FROM a\n", setup="pip install uv")) == ()


@pytest.mark.engine
async def test_a_patch_release_without_an_image_gives_way_to_its_minor(images: Images, registry: Registry) -> None:
    name = f"{registry.name}:3.13.99-slim"
    text = unique(f"FROM {name}\n")
    first = await images.ready(make_plan(text))
    again = await images.ready(make_plan(text))
    note = f"There is no image {name}: {registry.name}:3.13-slim is used instead."
    assert first.plan.warnings == again.plan.warnings == (note,)
    assert note in images.log.decode()
    assert again.image.cached
    with pytest.raises(BuildError, match=r"base image .*:3\.13\.99-slim could not be found"):
        await images(make_plan(text, path="Dockerfile"))


@pytest.mark.engine
async def test_official_images_come_from_the_mirror_and_keep_their_names(images: Images, registry: Registry) -> None:
    mirror = registry.name.removesuffix("python")
    name = f"some-official-{uuid.uuid4().hex}:3.13-slim"
    settings = BuildSettings(image_prefix=mirror, timeout_seconds=60)
    used = await images(make_plan(unique(f"FROM {name}\n"), path="Dockerfile"), settings=settings)
    assert registry.pulled
    assert "ca-certificates.crt" in await run(used.tag, "ls", "/etc/ssl/certs")
    for made in (name, mirror + name):
        await images.engine.call("DELETE", f"images/{made}", params={"force": "1"})
