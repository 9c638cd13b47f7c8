"""No repository sees what another one's builds left in a cache mount."""

from __future__ import annotations

import re
import uuid

import pytest

from orchestrator.dockerfiles.cache_ids import separate_caches
from orchestrator.dockerfiles.lexer import read_instructions
from orchestrator.engine import Engine
from orchestrator.images.builder import Recipe, build
from orchestrator.images.context import pack


def _ids(text: str) -> list[str]:
    return re.findall(r"id=([^,\s\"]*)", text)


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nCOPY . /\nRUN make\n",
        "FROM a\nRUN --mount=type=bind,from=b,target=/x --network=none make\n",
        "FROM a\nRUN echo --mount=type=cache,target=/x\n",
        "FROM a\nRUN <<EOF\nRUN --mount=type=cache,target=/x y\nEOF\n",
    ],
)
def test_what_mounts_no_cache_stays_as_it_is(text: str) -> None:
    assert separate_caches(text, "acme/widgets") == text


@pytest.mark.parametrize(
    "run",
    [
        "RUN --mount=type=cache,target=/x make",
        "run --mount=target=/x,type=cache make",
        "RUN --MOUNT=TYPE=CACHE,target=/x make",
        'RUN --mount="type=cache,target=/x" make',
        "RUN --mount=ty\\pe=cache,target=/x make",
        'RUN --mount=type=cache,"target=/x" make',
        "RUN --network=none --mount=type=cache,target=/x make",
        "RUN --mount=type=bind,target=/y --mount=type=cache,target=/x make",
        "RUN \\\n  --mount=type=cache,target=/x \\\n  # a comment\n  make",
        "ONBUILD RUN --mount=type=cache,target=/x make",
        "RUN --mount=type=cache,target=/x,id=/x make",
        "RUN --mount=type=cache,id=a,id=/x,target=/x make",
    ],
)
def test_every_way_of_writing_a_cache_mount_gets_an_id_of_the_repository(run: str) -> None:
    text = f"FROM a\n{run}\nRUN last\n"
    mine, theirs = separate_caches(text, "acme/widgets"), separate_caches(text, "acme/gadgets")
    assert len(_ids(mine)) == 1
    assert _ids(mine) != _ids(theirs)
    assert _ids(mine) == _ids(separate_caches(text, "Acme/Widgets"))
    assert _ids(mine)[0].startswith("draftsman-")
    assert mine.count("\n") == text.count("\n")
    before, after = read_instructions(text), read_instructions(mine)
    assert [(one.name, one.rest if "ONBUILD" not in one.name else "") for one in before] == [
        (one.name, one.rest if "ONBUILD" not in one.name else "") for one in after
    ]


def test_caches_of_one_repository_stay_apart_and_are_shared_by_name() -> None:
    text = "FROM a\n" + "".join(f"RUN --mount=type=cache,target={t},id={i} x\n" for t, i in (("/a", "1"), ("/b", "1")))
    first, second = _ids(separate_caches(text, "a/b"))
    assert first == second
    other = _ids(separate_caches("FROM a\nRUN --mount=type=cache,target=/a x\n", "a/b"))
    assert other != [first]


def test_an_id_cannot_leave_its_repository() -> None:
    for name in ("../../x", "$(x)", "${X}", 'a",id=b', "draftsman-0"):
        quoted = name.replace('"', '\\"')
        (only,) = _ids(separate_caches(f"FROM a\nRUN --mount=type=cache,target=/a,id={quoted} x\n", "a/b"))
        assert re.fullmatch(r"draftsman-[0-9a-f]{24}-[0-9a-f]{24}", only)


def test_a_heredoc_follows_its_instruction() -> None:
    text = "FROM a\nRUN --mount=type=cache,target=/x \\\n  sh <<EOF\nmake\nEOF\nRUN last\n"
    lines = separate_caches(text, "a/b").split("\n")
    assert lines[1] == ""
    assert lines[2].endswith("sh <<EOF")
    assert lines[3:] == ["make", "EOF", "RUN last", ""]


@pytest.mark.engine
async def test_two_repositories_do_not_see_each_others_files(engine: Engine) -> None:
    log = b""

    async def output(text: bytes) -> None:
        nonlocal log
        log += text

    async def run(repo: str, command: str) -> str:
        nonlocal log
        log = b""
        text = f"FROM busybox\nRUN --mount=type=cache,id={mark},target=/c {command}; echo {uuid.uuid4()}; ls /c\n"
        own = separate_caches(text, repo)
        recipe = Recipe(f"draftsman-tests/cache-ids:{mark}", text)
        await build(engine, recipe, pack({"Dockerfile": own.encode()}), timeout_seconds=60, output=output)
        return log.decode().partition("draftsman-")[2]

    mark = uuid.uuid4().hex
    try:
        await run("acme/widgets", "touch /c/of-widgets")
        assert re.search(r"^#\d+ of-widgets$", await run("acme/widgets", "true"), re.MULTILINE)
        assert not re.search(r"^#\d+ of-widgets$", await run("acme/gadgets", "true"), re.MULTILINE)
    finally:
        await engine.call("DELETE", f"images/draftsman-tests/cache-ids:{mark}", params={"force": "1"})
