"""The image of a plan: built once, reused, and what is in its runner layer."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from draftsman.domain.errors import BuildError, HostError
from orchestrator.engine import Engine
from orchestrator.images.build import BuildSettings
from orchestrator.images.builder import Recipe, build
from orchestrator.images.context import pack
from orchestrator.images.runner_layer import read_runner_layer
from tests.orchestrator.engine_fixtures import WITH_USER
from tests.orchestrator.image_parts import Images, run, unique
from tests.orchestrator.sandbox_parts import make_plan, nothing


@pytest.mark.engine
async def test_built_once_then_reused(images: Images, engine: Engine) -> None:
    plan = make_plan(unique())
    first = await images(plan)
    again = await images(plan)
    assert (first.cached, again.cached, images.built) == (False, True, 1)
    assert (first.tag, first.key) == (again.tag, again.key)
    assert first.tag == f"draftsman-runner/{images.repo}:{first.key[:12]}"
    assert first.build_seconds > 0
    assert again.build_seconds == 0
    labels = (await engine.call("GET", f"images/{first.tag}/json"))["Config"]["Labels"]
    assert (labels["draftsman.managed"], labels["draftsman.key"], labels["draftsman.repo"]) == (
        "1",
        first.key,
        images.repo,
    )
    assert labels["draftsman.built-at"]


@pytest.mark.engine
async def test_ten_attempts_build_once(images: Images) -> None:
    one = asyncio.Lock()

    @asynccontextmanager
    async def lock(_repo: str, _key: str) -> AsyncIterator[None]:
        async with one:
            yield

    plan = make_plan(unique())
    used = await asyncio.gather(*(images(plan, lock=lock) for _ in range(10)))
    assert sorted(image.cached for image in used) == [False] + [True] * 9


@pytest.mark.engine
async def test_the_layer_has_git_and_the_entrypoint_and_keeps_the_user(images: Images) -> None:
    used = await images(make_plan(unique(WITH_USER)))
    script = "id -un; git config --system safe.directory; stat -c '%U %n' /workspace /draftsman/job /draftsman/result; "
    out = await run(used.tag, "sh", "-c", script + "test -x /draftsman/entrypoint && cat /draftsman/entrypoint")
    assert out.startswith("app\n*\napp /workspace\napp /draftsman/job\napp /draftsman/result\n")
    assert out.endswith(read_runner_layer().entrypoint.decode())


@pytest.mark.engine
async def test_git_is_installed_where_it_is_missing(images: Images) -> None:
    used = await images(make_plan("FROM python:3.13-slim\n"))
    assert (await run(used.tag, "git", "--version")).startswith("git version")


@pytest.mark.engine
async def test_the_hosts_certificates_come_on_top_of_the_images(images: Images) -> None:
    mine = b"-----BEGIN CERTIFICATE-----\nof the host\n-----END CERTIFICATE-----\n"
    used = await images(make_plan(unique()), settings=BuildSettings(ca_bundle=mine))
    out = await run(used.tag, "cat", "/draftsman/ca.crt")
    assert out.endswith(mine.decode())
    assert out.count("BEGIN CERTIFICATE") > 10


@pytest.mark.engine
async def test_a_dockerfile_of_the_repository_sees_its_tree(images: Images) -> None:
    text = unique() + "COPY folder/file /copied\n"
    commit = images.commit({"docker/Dockerfile.dev": text, "folder/file": "of the tree"})
    used = await images(make_plan(text, path="docker/Dockerfile.dev"), commit=commit)
    assert await run(used.tag, "cat", "/copied") == "of the tree"


@pytest.mark.engine
async def test_the_dockerfile_that_was_checked_is_built_whatever_the_tree_says(images: Images) -> None:
    text = unique() + "COPY Dockerfile /copied\n"
    commit = images.commit({"Dockerfile": "FROM busybox\nADD http://127.0.0.1:9/ /x\n"})
    used = await images(make_plan(text, path="Dockerfile"), commit=commit)
    assert await run(used.tag, "cat", "/copied") == text


@pytest.mark.engine
async def test_a_dockerfile_that_reaches_for_the_host_is_not_built(images: Images, engine: Engine) -> None:
    reached = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    tag = f"draftsman-tests/triggers:{uuid.uuid4().hex}"
    text = f"FROM busybox\nENV FILES={url}\nONBUILD ADD {url} /x\n"
    await build(engine, Recipe(tag, text), pack({"Dockerfile": text.encode()}), timeout_seconds=60, output=nothing)
    try:
        for text, says in (
            (f"FROM busybox\nADD {url} /x\n", "Line 2 of the Dockerfile"),
            (f"FROM busybox\nONBUILD ADD {url} /x\n", "Line 2 of the Dockerfile"),
            (f"FROM {tag}\n", "its ONBUILD"),
        ):
            with pytest.raises(BuildError, match=says):
                await images(make_plan(text, path="Dockerfile"))
    finally:
        await engine.call("DELETE", f"images/{tag}", params={"force": "1"})
        server.close()
    assert not reached.is_set()


@pytest.mark.engine
async def test_a_variable_of_the_base_image_is_no_way_around(images: Images, engine: Engine) -> None:
    # PATH is set by the image: its value goes before the one that the Dockerfile shows.
    text = "FROM python:3.13-slim\nARG PATH=.\nADD $PATH /x\n"
    with pytest.raises(BuildError, match="Line 3 of the Dockerfile"):
        await images(make_plan(text, path="Dockerfile"))


@pytest.mark.engine
async def test_the_log_says_that_a_dockerfile_of_ones_own_has_no_ca_bundle(images: Images) -> None:
    settings = BuildSettings(ca_bundle=b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    text = f"FROM busybox\nRUN echo {uuid.uuid4().hex} certificate verify failed; exit 1\n"
    with pytest.raises(BuildError, match="exited 1") as caught:
        await images(make_plan(text, path="Dockerfile"), settings=settings)
    assert caught.value.detail.startswith("This Dockerfile is built as it is: the host's CA bundle")
    assert b"This Dockerfile is built as it is" in images.log


@pytest.mark.engine
async def test_a_registry_that_never_answers_is_waited_for_only_so_long(images: Images) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    name = f"127.0.0.1:{server.sockets[0].getsockname()[1]}/absent:1"
    begin = time.monotonic()
    with pytest.raises(HostError, match=r"absent:1 was not pulled within 2 s, .* DRAFTSMAN_BUILD_TIMEOUT_SECONDS"):
        await images(make_plan(f"FROM {name}\n"), settings=BuildSettings(timeout_seconds=2))
    assert time.monotonic() - begin < 8
    server.close()


@pytest.mark.engine
async def test_an_image_that_cannot_carry_the_layer_says_why(images: Images) -> None:
    with pytest.raises(BuildError, match="Use a base image that has git") as caught:
        await images(make_plan("FROM busybox\n"))
    assert "no git, and no apt-get, apk, dnf or microdnf" in caught.value.detail


@pytest.mark.engine
@pytest.mark.parametrize(
    "make", [lambda name: f"FROM {name}\n", lambda name: f"FROM busybox\nCOPY --from={name} / /\n"]
)
async def test_a_base_image_that_cannot_be_had_is_told_apart(images: Images, make: Callable[[str], str]) -> None:
    with pytest.raises(Exception, match=r"base image 127\.0\.0\.1:9/absent:1 could not be pulled") as caught:
        await images(make_plan(make("127.0.0.1:9/absent:1")))
    assert type(caught.value).__name__ == "HostError"


@pytest.mark.parametrize("user", ["app\nRUN evil", "-x", "a b", "$(x)"])
def test_a_user_that_could_be_an_instruction_is_refused(user: str) -> None:
    with pytest.raises(BuildError, match="USER"):
        read_runner_layer().render("base", user=user, has_ca=False)


def test_the_layer_renders_for_root_and_for_a_user() -> None:
    layer = read_runner_layer()
    root, app = layer.render("b", user="", has_ca=False), layer.render("b", user="1000:1000", has_ca=True)
    assert "chown 0:0 /workspace" in root
    assert "\nUSER 0\n" in root
    assert "draftsman-ca.crt" not in root
    assert app.endswith("chown 1000:1000 /workspace /draftsman/job /draftsman/result /draftsman/home\nUSER 1000:1000\n")
    assert "COPY entrypoint draftsman-ca.crt /draftsman/\n" in app


def test_the_same_files_pack_to_the_same_bytes() -> None:
    packed = pack({"a": b"1", "b/c": b""})
    assert packed == pack({"a": b"1", "b/c": b""})
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["a", "b/c"]
