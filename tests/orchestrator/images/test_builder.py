"""Builds on a real engine, with both builders."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from draftsman.domain.errors import BuildError, HostError
from orchestrator.engine import Engine
from orchestrator.images.builder import LOG_BYTES, Recipe, _capped, build, failed_build
from orchestrator.images.context import pack

RECIPE = Recipe("tag", "FROM a\n")


class Image:
    """One image to be built, under a tag of its own."""

    def __init__(self, engine: Engine, use_buildkit: bool) -> None:
        # The same engine, taken for one that is too old for BuildKit.
        self.engine = Engine(engine._calls, engine._streams, replace(engine.facts, buildkit=use_buildkit))
        self.use_buildkit = use_buildkit
        self.tag = f"draftsman-tests/builder:{uuid.uuid4().hex}"
        self.log = b""
        self.changes: dict[str, Any] = {}

    async def build(self, dockerfile: str, *, timeout_seconds: float = 120, **files: bytes) -> None:
        async def output(text: bytes) -> None:
            self.log += text

        recipe = Recipe(
            self.tag,
            dockerfile,
            labels={"draftsman.managed": "1", "draftsman.test": "1"},
            build_args={"WORD": "from outside"},
        )
        context = pack({"Dockerfile": dockerfile.encode(), **files})
        await build(
            self.engine, replace(recipe, **self.changes), context, timeout_seconds=timeout_seconds, output=output
        )


@pytest.fixture(params=[True, False], ids=["buildkit", "classic"])
async def image(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[Image]:
    """An image that is removed after the test."""
    made = Image(engine, request.param)
    yield made
    for image in await engine.call("GET", "images/json", params={"filters": json.dumps({"reference": [made.tag]})}):
        await engine.call("DELETE", f"images/{image['Id']}", params={"force": "1"})


@pytest.mark.engine
async def test_builds_with_labels_args_and_readable_progress(image: Image, engine: Engine) -> None:
    unique = uuid.uuid4().hex
    await image.build(
        f"FROM busybox\nARG WORD\nCOPY file /file\nRUN echo {unique} $WORD && cat /file >&2\n", file=b"in the file\n"
    )
    built = await engine.call("GET", f"images/{image.tag}/json")
    assert built["Config"]["Labels"]["draftsman.test"] == "1"
    log = image.log.decode()
    assert f"{unique} from outside" in log
    assert "in the file" in log
    assert ("with BuildKit" if image.use_buildkit else "with the classic builder") in log.splitlines()[0]


@pytest.mark.engine
async def test_a_cached_step_is_marked(image: Image) -> None:
    dockerfile = "FROM busybox\nRUN echo the same every time\n"
    await image.build(dockerfile)
    image.log = b""
    await image.build(dockerfile)
    assert ("CACHED" if image.use_buildkit else "Using cache") in image.log.decode()


@pytest.mark.engine
async def test_a_failing_instruction_is_the_authors_error(image: Image) -> None:
    with pytest.raises(
        BuildError, match=r"did not build: line 3 of the Dockerfile, `RUN echo why; exit 3`, exited 3\."
    ) as caught:
        await image.build("FROM busybox\n# a comment\nRUN echo why; exit 3\n")
    assert "RUN echo why; exit 3\nwhy" in caught.value.detail


@pytest.mark.engine
@pytest.mark.parametrize(
    ("dockerfile", "sentence"),
    [
        ("FROM busybox\nCOPY absent /\n", "absent"),
        ("FROM busybox\nNONSENSE\n", "NONSENSE"),
        ("", "empty|no build stage"),
    ],
)
async def test_a_wrong_dockerfile_is_the_authors_error(image: Image, dockerfile: str, sentence: str) -> None:
    with pytest.raises(BuildError, match=sentence):
        await image.build(dockerfile)


@pytest.mark.engine
async def test_the_line_is_told_of_what_the_builder_spells_anew(image: Image) -> None:
    with pytest.raises(BuildError, match=r"line 4 of the Dockerfile, `COPY +absent-"):
        await image.build("FROM busybox\nENV V=1\nRUN true\nCOPY \\\n  absent-$V   /there\n")


@pytest.mark.engine
async def test_a_stage_is_built_and_nothing_of_earlier_builds_is_used_where_asked(image: Image, engine: Engine) -> None:
    dockerfile = "FROM busybox AS one\nENV STAGE=one\nRUN echo a step\nFROM busybox\nENV STAGE=two\n"
    image.changes = {"target": "one"}
    await image.build(dockerfile)
    assert "STAGE=one" in (await engine.call("GET", f"images/{image.tag}/json"))["Config"]["Env"]
    image.log, image.changes = b"", {"target": "one", "fresh": True}
    await image.build(dockerfile)
    assert not re.search("CACHED|Using cache", image.log.decode().partition("echo")[2])


@pytest.mark.engine
async def test_a_build_that_takes_too_much_memory_fails_alone(image: Image) -> None:
    image.changes = {"memory_bytes": 96 * 2**20}
    takes = "x = bytearray(300 * 2**20); print(7 * 6)"
    dockerfile = f"FROM python:3.13-slim\nRUN echo {uuid.uuid4()}; python3 -c '{takes}'\n"
    with pytest.raises(BuildError, match=r"RUN .* exited (1|137)"):
        await image.build(dockerfile)
    image.changes = {"memory_bytes": 1024 * 2**20}
    await image.build(dockerfile)
    assert "42" in image.log.decode()


@pytest.mark.engine
async def test_the_time_limit_ends_the_build_in_the_engine(image: Image, engine: Engine) -> None:
    mark = uuid.uuid4().hex
    begin = time.monotonic()
    with pytest.raises(BuildError, match=r"longer than 3 s .* DRAFTSMAN_BUILD_TIMEOUT_SECONDS"):
        await image.build(f"FROM busybox\nRUN sleep 61 && echo {mark}\n", timeout_seconds=3)
    assert time.monotonic() - begin < 10
    await _assert_gone(engine, f"sleep 61 && echo {mark}")


@pytest.mark.engine
async def test_cancelling_ends_the_build_in_the_engine(image: Image, engine: Engine) -> None:
    mark = uuid.uuid4().hex
    task = asyncio.create_task(image.build(f"FROM busybox\nRUN sleep 62 && echo {mark}\n"))
    await _seen(engine, f"sleep 62 && echo {mark}")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _assert_gone(engine, f"sleep 62 && echo {mark}")


async def _is_running(engine: Engine, command: str) -> bool:
    """Return whether a process with this command line runs beside the engine."""
    body = {
        "Image": "busybox",
        "Cmd": ["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"],
        "HostConfig": {"PidMode": "host", "NetworkMode": "none"},
    }
    made = await engine.call("POST", "containers/create", body=body)
    path = f"containers/{made['Id']}"
    try:
        await engine.call("POST", f"{path}/start")
        await engine.call("POST", f"{path}/wait")
        async with engine.stream("GET", f"{path}/logs", params={"stdout": "1"}) as answer:
            return command in (await answer.read()).decode("utf-8", "replace")
    finally:
        await engine.call("DELETE", path, params={"force": "1"})


async def _seen(engine: Engine, command: str) -> None:
    async with asyncio.timeout(20):
        while not await _is_running(engine, command):
            await asyncio.sleep(0.2)


async def _assert_gone(engine: Engine, command: str) -> None:
    async with asyncio.timeout(5):
        while await _is_running(engine, command):
            await asyncio.sleep(0.2)


def test_a_full_disk_is_not_the_authors_error() -> None:
    error = failed_build("RUN make", "write /x: no space left on device", "", RECIPE)
    assert isinstance(error, HostError)


def test_an_instruction_that_ran_to_an_exit_code_is() -> None:
    message = "process ... did not complete successfully: exit code: 7"
    error = failed_build("RUN curl x", message, "connection refused", RECIPE)
    assert isinstance(error, BuildError)


async def test_output_is_capped() -> None:
    seen: list[bytes] = []

    async def output(text: bytes) -> None:
        seen.append(text)

    passed_on = _capped(output)
    for _ in range(LOG_BYTES // 2**20 + 3):
        await passed_on(b"x" * 2**20)
    assert sum(map(len, seen)) < LOG_BYTES + 200
    assert seen[-1].endswith(b"is left out)\n")
