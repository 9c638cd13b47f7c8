"""The page of a run and the log of an attempt, out of a real database."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from draftsman.domain.run import Conclusion
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.work import claim, make_findings, make_plan
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
