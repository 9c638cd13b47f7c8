"""The page of a run and the log of an attempt, out of a real database."""

from __future__ import annotations

import asyncio
import logging
import os
import zlib
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from bot.dashboard.log_sections import PAGE_LOG, shares
from draftsman.domain.run import Conclusion
from draftsman.store import logs
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.work import Work, claim, make_findings, make_plan
from tests.github import GitHubStandIn

HOSTILE = "<script>alert(1)</script>"


async def get(served: Served, path: str) -> tuple[int, str, str]:
    async with served.session.get(f"{served.url}{path}") as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_the_page_shows_steps_log_and_findings_escaped(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    work = await claim(pool)
    await work.plan(make_plan(fast=(f"ruff check {HOSTILE}",)))
    await work.sandbox()
    await work.step("setup-1", output=b"installed\n")
    await work.step("fast-1", 1, f"src/a.py:1 {HOSTILE}\n".encode())
    await work.finish(Conclusion.FAILURE, "fast failed", findings=make_findings(1))
    run = work.attempt.run.id
    status, kind, page = await get(served, f"/runs/{run}")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert "installed" in page
    status, kind, log = await get(served, f"/runs/{run}/1/log")
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert log == f"installed\nsrc/a.py:1 {HOSTILE}\n"


async def test_the_page_of_a_run_that_has_just_begun(served: Served, github: GitHubStandIn, pool: Pool[Any]) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    run = await pool.fetchval("SELECT id FROM runs")
    assert (await get(served, f"/runs/{run}?attempt=1"))[0] == 200
    assert (await get(served, f"/runs/{run}?attempt=1&refresh=off"))[0] == 200
    assert (await get(served, f"/runs/{run}/1/log"))[2] == ""


@pytest.mark.parametrize(
    "path",
    [
        f"/runs/{uuid4()}",
        "/runs/nonsense",
        "/runs/..%2f..%2fetc",
        f"/runs/{uuid4()}/1/log",
        "/runs/%00/1/log",
        "/nowhere",
    ],
)
async def test_what_is_not_there_is_a_clean_404(served: Served, path: str) -> None:
    status, _, text = await get(served, path)
    assert status == 404
    assert "Traceback" not in text


async def test_an_attempt_that_is_not_there_is_a_404(served: Served, github: GitHubStandIn, pool: Pool[Any]) -> None:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    run = await pool.fetchval("SELECT id FROM runs")
    for path in (f"/runs/{run}?attempt=2", f"/runs/{run}?attempt=x", f"/runs/{run}/2/log", f"/runs/{run}/0/log"):
        assert (await get(served, path))[0] == 404


CHUNK = 128 * 1024
STEPS = 20
CHUNKS_OF_A_STEP = 40


async def write_log(pool: Pool[Any], attempt: UUID, content: bytes, *, chunks: int) -> None:
    """The same chunk again and again, for each step in turn, as the worker stores it."""
    await pool.execute(
        """
        INSERT INTO log_chunks (attempt_id, position, section, size, content)
        SELECT $1, n + 1, 'full-' || (n / $2 + 1), $3, $4 FROM generate_series(0, $2::int * $5::int - 1) AS n
        """,
        attempt,
        chunks,
        len(content),
        zlib.compress(content),
        STEPS,
    )


async def begin(github: GitHubStandIn, pool: Pool[Any]) -> Work:
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    await widgets.commit({"a.py": "x = 2\n"})
    work = await claim(pool)
    await work.plan(make_plan(full=[f"make check-{number}" for number in range(1, STEPS + 1)]))
    await work.sandbox()
    return work


async def test_a_huge_log_makes_a_page_of_a_bounded_size_and_others_are_answered_meanwhile(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    work = await begin(github, pool)
    line = b"\x1b[32mtests/test_widgets.py::test_colour\x1b[0m PASSED & <done>\n"
    content = (line * CHUNK)[: CHUNK - 1] + b"\n"
    await write_log(pool, work.attempt.id, content, chunks=CHUNKS_OF_A_STEP)
    for number in range(1, STEPS + 1):
        await pool.execute(
            "UPDATE steps SET state = 'finished', exit_code = $2 WHERE id = $1", f"full-{number}", int(number == 7)
        )
    page = asyncio.create_task(get(served, f"/runs/{work.attempt.run.id}"))
    healthy = 0
    while not page.done():
        healthy += (await get(served, "/health"))[0] == 200
    assert healthy
    status, _, text = await page
    assert status == 200
    assert text.count("of this section are left out here") == STEPS
    assert PAGE_LOG // 2 < text.count("test_colour") * len(line) <= PAGE_LOG
    assert len(text) < 4 * PAGE_LOG


async def test_what_is_read_for_a_page_is_the_ends_of_its_sections(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    work = await begin(github, pool)
    await write_log(pool, work.attempt.id, b"x" * CHUNK, chunks=CHUNKS_OF_A_STEP)
    sizes = await logs.section_sizes(pool, work.attempt.id)
    assert sizes == {f"full-{number}": CHUNK * CHUNKS_OF_A_STEP for number in range(1, STEPS + 1)}
    limits = shares(sizes, first={"full-7"})
    read = await logs.ends(pool, work.attempt.id, limits)
    assert {chunk.section for chunk in read} == set(sizes)
    assert sum(chunk.size for chunk in read) <= PAGE_LOG + 2 * STEPS * CHUNK
    of_seven = [chunk.start for chunk in read if chunk.section == "full-7"]
    assert of_seven == [0, CHUNK, CHUNK * (CHUNKS_OF_A_STEP - 2), CHUNK * (CHUNKS_OF_A_STEP - 1)]
    assert await logs.ends(pool, work.attempt.id, dict.fromkeys(sizes, 0)) == []


async def test_a_whole_log_is_sent_in_pieces_and_one_huge_chunk_too(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    work = await begin(github, pool)
    content = b"0123456789abcdef" * (2**20 // 4)
    await write_log(pool, work.attempt.id, content, chunks=1)
    sizes = [len(piece) async for piece in logs.pieces(pool, work.attempt.id)]
    assert max(sizes) <= logs.PIECE
    assert sum(sizes) == STEPS * len(content)
    async with served.session.get(f"{served.url}/runs/{work.attempt.run.id}/1/log") as answer:
        assert await answer.read() == content * STEPS


async def test_a_log_that_breaks_off_does_not_look_like_a_whole_one(
    served: Served, github: GitHubStandIn, pool: Pool[Any]
) -> None:
    work = await begin(github, pool)
    await write_log(pool, work.attempt.id, os.urandom(CHUNK), chunks=CHUNKS_OF_A_STEP)
    async with served.session.get(f"{served.url}/runs/{work.attempt.run.id}/1/log") as answer:
        await answer.content.readany()
        await pool.execute("ALTER TABLE log_chunks RENAME TO elsewhere")
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_a_reader_who_leaves_is_no_trouble_of_the_database(
    served: Served, github: GitHubStandIn, pool: Pool[Any], caplog: pytest.LogCaptureFixture
) -> None:
    work = await begin(github, pool)
    await write_log(pool, work.attempt.id, os.urandom(CHUNK), chunks=CHUNKS_OF_A_STEP)
    with caplog.at_level(logging.INFO):
        async with served.session.get(f"{served.url}/runs/{work.attempt.run.id}/1/log") as answer:
            await answer.content.readany()
            answer.close()
        await asyncio.sleep(0.2)
        assert (await get(served, "/health"))[0] == 200
    assert caplog.messages == []
