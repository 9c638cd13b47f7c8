"""How much of an installation's limits is used, and what is held back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.budget import LONGEST_WINDOW, Budget, Pace
from bot.github import CHECKS, GitHub
from bot.github_error import GitHubError
from draftsman.domain.run import Repository
from tests.github import GitHubStandIn

GITHUBS_TIME = 1_800_000_000.0


def headers(remaining: int, *, limit: int = 5000, seconds: float = 1800, resource: str = "core") -> Mapping[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(GITHUBS_TIME + seconds)),
        "X-RateLimit-Resource": resource,
    }


def after(remaining: int, now: float = 100) -> Budget:
    return Budget().answered(headers(remaining), githubs_time=GITHUBS_TIME, now=now)


@pytest.mark.parametrize(
    ("remaining", "thrifty", "paused"),
    [
        (5000, False, False),
        (1000, False, False),
        (999, True, False),
        (150, True, False),
        (149, True, True),
        (0, True, True),
    ],
)
def test_what_is_left_of_the_hour_decides(remaining: int, thrifty: bool, paused: bool) -> None:
    budget = after(remaining)
    assert budget.is_thrifty(100) is thrifty
    assert (budget.paused_until(100) > 100) is paused
    # Behind the reset all is there again, whether an answer said so or not.
    assert not budget.is_thrifty(1900)
    assert budget.paused_until(1900) <= 1900


def test_a_pause_for_the_hour_ends_with_it() -> None:
    assert after(10).paused_until(100) == 1900


def test_answers_that_overtake_each_other_count_down_and_a_new_hour_counts_anew() -> None:
    budget = after(140).answered(headers(170), githubs_time=GITHUBS_TIME, now=100)
    assert budget.remaining == 140
    later = budget.answered(headers(4999, seconds=5400), githubs_time=GITHUBS_TIME + 1801, now=1901)
    assert later.remaining == 4999
    assert not later.is_thrifty(1901)


def test_other_limits_and_headers_that_make_no_sense_change_nothing() -> None:
    known = after(4000)
    for odd in (
        headers(0, resource="search"),
        {},
        {**headers(0), "X-RateLimit-Reset": "soon"},
        {**headers(0), "X-RateLimit-Limit": "0"},
    ):
        assert known.answered(odd, githubs_time=GITHUBS_TIME, now=100) == known
    far = Budget().answered(headers(0, seconds=10**9), githubs_time=GITHUBS_TIME, now=100)
    assert far.paused_until(100) == 100 + LONGEST_WINDOW


def test_a_refusal_counts_as_long_as_it_says_and_the_longest_one_wins() -> None:
    budget = Budget().refused(60, 100).refused(5, 110)
    assert budget.paused_until(110) == 160
    assert budget.paused_until(161) <= 161


def test_so_many_creations_a_minute_and_then_a_pause() -> None:
    budget, now = Budget(), 100.0
    for _ in range(Pace().creations):
        assert budget.paused_until(now) <= now
        budget = budget.sending("POST", now)
        now += 0.1
    assert budget.paused_until(now) == 160
    assert budget.paused_until(160.01) <= 160.01


@given(st.lists(st.tuples(st.sampled_from(["GET", "POST", "PATCH"]), st.floats(0, 5)), max_size=400))
def test_whoever_waits_stays_below_githubs_secondary_limits(work: list[tuple[str, float]]) -> None:
    budget, now = Budget(), 0.0
    sent: list[tuple[float, str]] = []
    for method, pause in work:
        now = max(now + pause, budget.paused_until(now))
        budget = budget.sending(method, now)
        sent.append((now, method))
    for at, _ in sent:
        minute = [method for when, method in sent if at <= when < at + 60]
        assert minute.count("POST") < 80
        assert sum(1 if method == "GET" else 5 for method in minute) <= 900


async def test_the_client_says_until_when_an_installation_is_left_alone(
    github: GitHubStandIn, app_client: GitHub
) -> None:
    hosted = await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})
    installation = github.installation_id(hosted)
    repository = Repository(hosted.id, hosted.full_name, hosted.clone_url, "main", True, installation)
    path = f"/repos/{hosted.full_name}"
    assert app_client.paused_until(installation) <= time.monotonic()
    github.faults.fail(429, path="access_tokens", retry_after=2)
    with pytest.raises(GitHubError):
        await app_client.request(repository, CHECKS, "GET", path)
    assert 1 < app_client.paused_until(installation) - time.monotonic() <= 2
    assert list(app_client.paused()) == [installation]
    await asyncio.sleep(2)
    github.state.rate_limit(f"installation {installation}").remaining = 600
    await app_client.request(repository, CHECKS, "GET", path)
    assert app_client.paused() == {}
    assert app_client.thrifty() == [installation]
    github.state.rate_limit(f"installation {installation}").remaining = 60
    await app_client.request(repository, CHECKS, "GET", path)
    assert app_client.paused_until(installation) > time.monotonic() + 60
    assert app_client.paused_until(installation + 1) <= time.monotonic()
