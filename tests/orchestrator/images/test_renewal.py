"""Old images are built anew, failed builds are not, and what cannot be renewed goes on to serve."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from draftsman.domain.errors import BuildError, HostError
from orchestrator.images.build import BuildSettings
from tests.orchestrator.image_parts import Images, age_of, make_older, run, unique
from tests.orchestrator.registry import Registry
from tests.orchestrator.sandbox_parts import make_plan


@pytest.mark.engine
async def test_an_old_image_is_built_anew_from_nothing_that_was_there(images: Images, registry: Registry) -> None:
    plan = make_plan(unique(f"FROM {registry.name}:3.13-slim\n") + "RUN cat /proc/sys/kernel/random/uuid > /when\n")
    first = await images(plan)
    when = await run(first.tag, "cat", "/when")
    old = await make_older(images, first.tag, days=8)
    pulled = registry.pulled
    renewed = await images(plan)
    assert registry.pulled > pulled
    assert (renewed.tag, renewed.cached) == (first.tag, False)
    assert await run(renewed.tag, "cat", "/when") != when
    assert await age_of(images, renewed.tag) < timedelta(hours=1)
    assert (await images(plan)).cached
    left = await images.engine.call("GET", "images/json", params={"all": "0"})
    assert old not in {image["Id"] for image in left}


@pytest.mark.engine
async def test_the_age_is_a_setting(images: Images) -> None:
    plan = make_plan(unique())
    await make_older(images, (await images(plan)).tag, days=8)
    assert (await images(plan, settings=BuildSettings(max_age_seconds=9 * 86400.0))).cached


@pytest.mark.engine
async def test_an_old_image_serves_where_the_registry_is_away(images: Images) -> None:
    name = await _only_here(images)
    plan = make_plan(unique().replace("python:3.13-slim", name))
    first = await images(plan)
    old = await make_older(images, first.tag, days=8)
    ready = await images.ready(plan)
    assert (ready.image.tag, ready.image.cached) == (first.tag, True)
    assert (await images.engine.call("GET", f"images/{first.tag}/json"))["Id"] == old
    (warning,) = ready.plan.warnings
    assert "could not be renewed: The base image 127.0.0.1:9/base:1 could not be pulled" in warning
    assert warning in images.log.decode()
    assert images.records.failures == {}


async def _only_here(images: Images) -> str:
    """Return the name of an image that the engine has, of a registry that does not answer."""
    tag = {"repo": "127.0.0.1:9/base", "tag": "1"}
    await images.engine.call("POST", "images/python:3.13-slim/tag", params=tag)
    return "127.0.0.1:9/base:1"


@pytest.mark.engine
async def test_a_failed_build_is_not_tried_again_until_somebody_asks(images: Images) -> None:
    plan = make_plan(unique() + "# a comment\nRUN echo the reason; exit 3\n", path="docker/Dockerfile")
    with pytest.raises(BuildError, match=r"line 5 of docker/Dockerfile, `RUN echo the .*`, exited 3") as first:
        await images(plan)
    assert first.value.detail.endswith("the reason")
    images.log, images.built = b"", 0
    with pytest.raises(BuildError) as again:
        await images(plan)
    assert str(again.value) == str(first.value)
    assert f"`draftsman images rebuild {images.repo}`" in again.value.detail
    assert again.value.detail.endswith("the reason")
    assert (images.log, images.built) == (b"", 0)
    for ask in ({"rebuild": True}, {}):
        images.log = b""
        images.records.asked_at = None if ask else datetime.now(UTC)
        with pytest.raises(BuildError, match="exited 3"):
            await images(plan, **ask)
        assert b"the reason" in images.log


@pytest.mark.engine
async def test_what_could_not_be_reached_is_tried_again(images: Images) -> None:
    text = unique() + "RUN echo 'Could not resolve host: example.com'; exit 1\n"
    for _ in range(2):
        images.log = b""
        with pytest.raises(BuildError, match="exited 1"):
            await images(make_plan(text))
        assert b"with BuildKit" in images.log
    with pytest.raises(HostError):
        await images(make_plan("FROM 127.0.0.1:9/absent:1\n"))
    assert images.records.failures == {}


@pytest.mark.engine
async def test_asked_for_the_next_run_builds_anew_and_the_one_after_does_not(images: Images) -> None:
    plan = make_plan(unique() + "RUN cat /proc/sys/kernel/random/uuid > /when\n")
    first = await images(plan)
    when = await run(first.tag, "cat", "/when")
    await make_older(images, first.tag, days=0.01)
    images.records.asked_at = datetime.now(UTC)
    renewed = await images(plan)
    assert (renewed.cached, (await images(plan)).cached) == (False, True)
    assert await run(renewed.tag, "cat", "/when") != when
    assert not (await images(plan, rebuild=True, repo=f"{images.repo}-other")).cached


@pytest.mark.engine
async def test_an_old_image_that_does_not_build_any_more_serves_and_is_not_tried_at_every_run(
    images: Images, registry: Registry
) -> None:
    # Proxies are no part of the key, and the build sees them: the same Dockerfile builds, and then does not.
    plan = make_plan(unique(f"FROM {registry.name}:3.13-slim\n") + 'RUN test -z "$http_proxy"\n', path="Dockerfile")
    first = await images(plan)
    await make_older(images, first.tag, days=8)
    failing = BuildSettings(proxies={"http_proxy": "http://127.0.0.1:9"}, timeout_seconds=300)
    for building in (b"with BuildKit", b"is there already"):
        images.log = b""
        ready = await images.ready(plan, settings=failing)
        assert (ready.image.tag, ready.image.cached) == (first.tag, True)
        assert "could not be renewed: The image did not build: line" in ready.plan.warnings[0]
        assert building in images.log
