"""Images by way of a real registry: what one engine built, another one pulls.

There is one engine here; another one is what has none of the images, or older ones. Two engines of their own are in
`tests/machines/test_two_engines.py`.
"""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from draftsman.domain.plan import Plan
from orchestrator.engine import Engine
from orchestrator.images.labels import find_built, list_built
from orchestrator.images.records import Pushed
from orchestrator.images.registry import Credentials, Registry, RegistryError
from tests.machines.registry import Registry as RegistryServer
from tests.machines.registry import started_registry
from tests.orchestrator.image_parts import Images, make_older, run, unique
from tests.orchestrator.registry import SMALL
from tests.orchestrator.registry import Registry as BaseImages
from tests.orchestrator.sandbox_parts import make_plan
from tests.product import free_port

pytestmark = [pytest.mark.engine, pytest.mark.linux_root]

WHEN = "RUN cat /proc/sys/kernel/random/uuid > /when\n"
NOWHERE = "127.0.0.1:9/team"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RegistryServer]:
    folder = tmp_path_factory.mktemp("registry")
    async with started_registry(folder, f"127.0.0.1:{free_port()}") as up:
        yield up


@pytest.fixture
def shared(images: Images, server: RegistryServer) -> Images:
    """The function under test, with the registry."""
    images.registry = Registry(f"{server.address}/team")
    return images


async def move(images: Images, *, has: str = "") -> None:
    """Go to another engine, with a worker of its own: it has none of the images, or that of this id, without a name."""
    for image in [one for one in await list_built(images.engine) if one.repo == images.repo]:
        for name in [tag for tag in image.tags if tag.startswith("draftsman-")] if image.id == has else [image.id]:
            await images.engine.call("DELETE", f"images/{name}", params={"force": "1"})
    if images.registry is not None:
        images.registry = Registry(images.registry.address)
    images.log = b""


async def when(tag: str) -> str:
    return await run(tag, "cat", "/when")


async def names_of(images: Images) -> list[str]:
    """All names, of tags and digests, that the engine has for the repository's images."""
    answer = await images.engine.call("GET", "images/json", params={"digests": "1"})
    names = [name for one in answer for name in (*(one["RepoTags"] or ()), *(one["RepoDigests"] or ()))]
    return sorted(name for name in names if images.repo in name)


async def test_what_was_built_on_one_engine_is_pulled_on_the_next(shared: Images, server: RegistryServer) -> None:
    plan = make_plan(unique(SMALL) + WHEN)
    first = await shared(plan)
    made = await when(first.tag)
    assert await server.tags(f"team/draftsman-runner/{shared.repo}") == [first.key[:12]]
    await move(shared)
    assert await names_of(shared) == []
    second = await shared(plan)
    assert (second.tag, second.key, second.cached, shared.built) == (first.tag, first.key, True, 1)
    assert await when(second.tag) == made
    assert f"Image {first.tag} was pulled from {server.address}/team, built on ".encode() in shared.log
    # No name is left by which upkeep would not know it, and which would keep it there.
    assert [name for name in await names_of(shared) if "@" not in name] == [first.tag]
    assert not [name for name in await names_of(shared) if name.startswith(server.address)]
    assert (await shared(plan)).cached
    assert shared.log.count(b"was pulled") == 1


async def test_of_engines_that_want_it_at_the_same_time_one_builds(shared: Images) -> None:
    one = asyncio.Lock()

    @asynccontextmanager
    async def lock(_repo: str, _key: str) -> AsyncIterator[None]:
        async with one:
            yield

    plan = make_plan(unique(SMALL) + WHEN)
    used = await asyncio.gather(*(shared(plan, lock=lock) for _ in range(4)))
    assert sorted(image.cached for image in used) == [False, True, True, True]
    assert shared.log.count(b"was pushed") == 1


async def test_a_rebuilt_image_reaches_an_engine_that_has_the_one_before(shared: Images, engine: Engine) -> None:
    plan = make_plan(unique(SMALL) + WHEN)
    first = await shared(plan)
    before = await when(first.tag)
    # What the other engine has, whatever becomes of it here.
    other = (await engine.call("GET", f"images/{first.tag}/json"))["Id"]
    kept = f"tests/{shared.repo.rpartition('/')[2]}"
    for number in "12":
        await engine.call("POST", f"images/{first.tag}/tag", params={"repo": kept, "tag": number})
    try:
        rebuilt = await shared(plan, rebuild=True)
        after = await when(rebuilt.tag)
        assert (rebuilt.tag, rebuilt.cached, after != before) == (first.tag, False, True)
        await move(shared, has=other)
        name, _, tag = first.tag.rpartition(":")
        await engine.call("POST", f"images/{other}/tag", params={"repo": name, "tag": tag})
        assert await when(first.tag) == before
        there = await shared(plan)
        assert (there.cached, await when(there.tag)) == (True, after)
    finally:
        for number in "12":
            await engine.call("DELETE", f"images/{kept}:{number}", params={"force": "1"})


async def test_an_image_that_is_too_old_is_renewed_once_for_all_engines(shared: Images, registry: BaseImages) -> None:
    plan = make_plan(unique(f"FROM {registry.name}:3.13-slim\n") + WHEN)
    first = await shared(plan)
    [place] = shared.records.images
    await make_older(shared, first.tag, days=8)
    aged = await find_built(shared.engine, first.tag)
    assert shared.registry is not None
    assert aged is not None
    assert aged.built_at is not None
    digest = await shared.registry.push(shared.engine, first.tag, seconds=60)
    shared.records.images[place] = Pushed(digest, aged.built_at)
    before = await when(first.tag)
    await move(shared)
    renewed = await shared(plan)
    assert (renewed.cached, shared.records.images[place].built_at > aged.built_at) == (False, True)
    assert await when(renewed.tag) != before
    await move(shared)
    assert (await shared(plan)).cached


async def test_an_image_that_the_registry_lost_is_built_here_and_pushed_again(
    shared: Images, server: RegistryServer
) -> None:
    plan = make_plan(unique(SMALL))
    first = await shared(plan)
    [(place, pushed)] = shared.records.images.items()
    async with aiohttp.ClientSession() as session:
        manifest = f"http://{server.address}/v2/team/draftsman-runner/{shared.repo}/manifests/{pushed.digest}"
        assert (await session.delete(manifest)).status == 202
    await move(shared)
    again = await shared(plan)
    assert (again.tag, again.cached) == (first.tag, False)
    assert b"was not pulled, it is built here where it is missing" in shared.log
    assert shared.records.images[place].built_at > pushed.built_at
    await move(shared)
    assert (await shared(plan)).cached


async def test_what_comes_must_be_the_image_that_was_meant(shared: Images) -> None:
    theirs, ours = make_plan(unique(SMALL)), make_plan(unique(SMALL) + "RUN echo ours > /which\n")
    await shared(theirs)
    [pushed] = shared.records.images.values()
    key = (await shared(ours)).key
    mine = shared.records.images[shared.repo, key].digest
    for spoilt in (pushed.digest, mine, "sha256:" + "0" * 64, "latest"):
        shared.records.images[shared.repo, key] = Pushed(spoilt, datetime.now(UTC) + timedelta(days=1))
        await move(shared)
        built = await shared(ours)
        assert (built.cached, await run(built.tag, "cat", "/which")) == (False, "ours\n")
        assert b"was not pulled" in shared.log
        assert all(name.startswith("draftsman-") for name in await names_of(shared)), "nothing of it is left"


async def test_a_registry_that_is_away_fails_nothing_and_is_left_alone(images: Images) -> None:
    clock = [0.0]
    images.registry = Registry(NOWHERE, clock=lambda: clock[0])
    plan = make_plan(unique(SMALL))
    assert not (await images(plan)).cached
    assert b"was not pushed, other engines build it themselves: 127.0.0.1:9/team: " in images.log
    images.log = b""
    assert (await images(plan)).cached
    assert b"was not pushed" not in images.log
    clock[0] = 301
    assert (await images(plan)).cached
    assert b"was not pushed" in images.log


async def test_a_registry_that_answers_nothing_is_not_waited_for_long(images: Images, server: RegistryServer) -> None:
    images.registry = Registry(f"{server.address}/team", quiet_seconds=2)
    server.pause()
    try:
        assert not (await images(make_plan(unique(SMALL)))).cached
    finally:
        server.resume()
    assert b"was not pushed" in images.log


async def test_what_could_not_be_pushed_is_pushed_when_it_is_used_again(images: Images, server: RegistryServer) -> None:
    images.registry = Registry(NOWHERE)
    plan = make_plan(unique(SMALL))
    first = await images(plan)
    images.registry = Registry(f"{server.address}/team")
    assert (await images(plan)).cached
    assert await server.tags(f"team/draftsman-runner/{images.repo}") == [first.key[:12]]


async def test_a_run_that_is_not_trusted_pulls_and_pushes_nothing(shared: Images, server: RegistryServer) -> None:
    plan = make_plan(unique(SMALL))
    assert not (await shared(plan, trusted=False)).cached
    assert (await shared(plan, trusted=False)).cached
    assert shared.records.images == {}
    assert await server.tags(f"team/draftsman-runner/{shared.repo}") == []
    assert (await shared(plan)).cached
    assert len(shared.records.images) == 1
    await move(shared)
    assert (await shared(plan, trusted=False)).cached
    assert b"was pulled" in shared.log


async def test_a_forks_pull_request_has_the_base_branchs_image_on_any_engine(shared: Images) -> None:
    generated = unique(SMALL) + "RUN echo generated > /which\n"

    def plan(which: str) -> Plan:
        own = unique(SMALL) + f"RUN echo {which} > /which\n"
        return replace(make_plan(own, path="Dockerfile"), fallback=generated)

    theirs = plan("theirs")
    assert await run((await shared(theirs, trusted=False)).tag, "cat", "/which") == "generated\n"
    await shared(plan("ours"), on_base=True)
    await move(shared)
    used = await shared.ready(theirs, trusted=False)
    assert (used.image.cached, await run(used.image.tag, "cat", "/which")) == (True, "ours\n")
    # The base branch moves on at another engine, and this one has the image of before under the same name.
    before = await names_of(shared)
    newer = await shared(plan("newer"), on_base=True)
    await shared.engine.call("DELETE", f"images/{newer.tag}", params={"force": "1"})
    for name in before:
        if ":base-" in name:
            repo, _, tag = name.rpartition(":")
            old = next(one for one in before if ":base-" not in one and one.startswith("draftsman-runner/"))
            await shared.engine.call("POST", f"images/{old}/tag", params={"repo": repo, "tag": tag})
    used = await shared.ready(theirs, trusted=False)
    assert await run(used.image.tag, "cat", "/which") == "newer\n"
    # Where the registry is away, it has what is here.
    shared.registry = Registry(NOWHERE)
    used = await shared.ready(theirs, trusted=False)
    assert await run(used.image.tag, "cat", "/which") == "newer\n"


async def test_a_failed_build_is_shared_too(shared: Images) -> None:
    plan = make_plan(f"FROM busybox\nRUN echo {unique('')!r}; exit 3\n", path="Dockerfile")
    for times in (1, 1):
        with pytest.raises(Exception, match="exited 3"):
            await shared(plan)
        assert shared.built == times


@asynccontextmanager
async def guarded(server: RegistryServer, user: str, password: str) -> AsyncIterator[str]:
    """The address of a door before the registry that lets in who knows the password."""
    login = base64.b64encode(f"{user}:{password}".encode()).decode()

    async def pass_on(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Basic {login}":
            refusal = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return web.json_response(refusal, status=401, headers={"WWW-Authenticate": 'Basic realm="tests"'})
        headers = {name: value for name, value in request.headers.items() if name != "Transfer-Encoding"}
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            sent = io.BytesIO(await request.read()) if request.can_read_body else None
            url = f"http://{server.address}{request.rel_url}"
            async with session.request(request.method, url, data=sent, headers=headers) as answer:
                kept = {name: value for name, value in answer.headers.items() if name != "Transfer-Encoding"}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", pass_on)
    door = TestServer(application, host="127.0.0.1")
    await door.start_server()
    try:
        yield f"127.0.0.1:{door.port}"
    finally:
        await door.close()


async def test_whether_a_registry_answers_is_told(engine: Engine, server: RegistryServer) -> None:
    await Registry(server.address).look(engine)
    await Registry(f"{server.address}/team").look(engine)
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9/team: "):
        await Registry(NOWHERE).look(engine)
    async with guarded(server, "robot", "hush-hush") as address:
        await Registry(address, Credentials("robot", "hush-hush")).look(engine)
        for stranger in (None, Credentials("robot", "wrong")):
            with pytest.raises(RegistryError, match=r"unauthorized|no basic auth credentials"):
                await Registry(address, stranger).look(engine)


async def test_a_registry_may_want_a_password(images: Images, server: RegistryServer) -> None:
    async with guarded(server, "robot", "pa:ss word") as address:
        known, wrong = Credentials("robot", "pa:ss word"), Credentials("robot", "hush-hush")
        plan = make_plan(unique(SMALL))
        images.registry = Registry(f"{address}/team", known)
        first = await images(plan)
        assert await server.tags(f"team/draftsman-runner/{images.repo}") == [first.key[:12]]
        await move(images)
        images.registry = Registry(f"{address}/team", wrong)
        assert not (await images(plan)).cached
        assert b"was not pulled" in images.log
        assert b"hush" not in images.log + repr(wrong).encode()
        await move(images)
        images.registry = Registry(f"{address}/team", known)
        assert (await images(plan)).cached
