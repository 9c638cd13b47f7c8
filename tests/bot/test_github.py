"""Our client of GitHub's API, against the stand-in."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest

from bot import github as github_client
from bot.github import CHECKS, CONTENTS, GitHub
from bot.github_error import GitHubError, refusal
from bot.patience import patiently
from draftsman.domain.errors import SettingsError
from draftsman.domain.run import Repository
from tests.github import GitHubStandIn
from tests.github import Repository as Hosted


@pytest.fixture
async def hosted(github: GitHubStandIn) -> Hosted:
    return await github.create_repository("acme/widgets", files={"a.py": "x = 1\n"})


def ours(github: GitHubStandIn, hosted: Hosted) -> Repository:
    return Repository(hosted.id, hosted.full_name, hosted.clone_url, "main", True, github.installation_id(hosted))


def token_requests(github: GitHubStandIn) -> int:
    return sum(request.path.endswith("/access_tokens") for request in github.requests)


async def test_a_token_is_narrowed_to_one_repository_and_used_again(
    github: GitHubStandIn, app_client: GitHub, hosted: Hosted
) -> None:
    repository = ours(github, hosted)
    tokens = await asyncio.gather(*(app_client.contents_token(repository) for _ in range(5)))
    assert len(set(tokens)) == 1
    assert token_requests(github) == 1
    issued = github.state.tokens[tokens[0]]
    assert issued.repository_ids == frozenset({hosted.id})
    assert set(issued.permissions) <= {"contents", "metadata"}
    await app_client.token(repository, CHECKS)
    assert token_requests(github) == 2


async def test_a_token_near_its_end_is_replaced(github: GitHubStandIn, app_client: GitHub, hosted: Hosted) -> None:
    repository = ours(github, hosted)
    first = await app_client.contents_token(repository)
    github.clock.advance(56 * 60)
    await app_client.request(repository, CONTENTS, "GET", f"/repos/{hosted.full_name}")  # its answer tells the time
    assert await app_client.contents_token(repository) != first


async def test_a_clock_that_is_wrong_is_corrected_by_githubs(github: GitHubStandIn, app_client: GitHub) -> None:
    github.clock.advance(2 * 3600)
    with github.expect_violations():
        answer = await app_client.as_app("GET", "/app")
    assert answer.body["id"] == github.app.id
    await app_client.as_app("GET", "/app")


async def test_a_revoked_token_is_replaced_once(github: GitHubStandIn, app_client: GitHub, hosted: Hosted) -> None:
    repository = ours(github, hosted)
    token = await app_client.token(repository, CONTENTS)
    github.state.tokens[token].revoked = True
    with github.expect_violations():
        answer = await app_client.request(repository, CONTENTS, "GET", f"/repos/{hosted.full_name}")
    assert answer.body["id"] == hosted.id


async def test_refusals_say_whether_and_when_to_try_again(
    github: GitHubStandIn, app_client: GitHub, hosted: Hosted
) -> None:
    repository, path = ours(github, hosted), f"/repos/{hosted.full_name}"
    await app_client.token(repository, CONTENTS)
    github.faults.fail(502)
    github.faults.reset(times=2)  # the first is a kept connection that went stale, for all aiohttp knows
    github.faults.fail(404)
    github.faults.fail(403, retry_after=7)
    seen = []
    for _ in range(4):
        with pytest.raises(GitHubError) as raised:
            await app_client.request(repository, CONTENTS, "GET", path)
        error = raised.value
        seen.append((error.status, error.transient, error.limited, error.retry_after))
    assert seen == [
        (502, True, False, None),
        (None, True, False, None),
        (404, False, False, None),
        (403, True, True, 7),
    ]
    # Until then nobody's requests for the installation are sent.
    sent = len(github.requests)
    with pytest.raises(GitHubError) as raised:
        await app_client.request(repository, CONTENTS, "GET", path)
    assert raised.value.limited
    assert 6 < (raised.value.retry_after or 0) <= 7
    assert len(github.requests) == sent
    assert await app_client.contents_token(repository)  # a worker goes on: tokens are the App's own


def test_a_primary_limit_is_over_at_its_reset() -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1090"}
    assert refusal("GET /x", 403, headers, {"message": "API rate limit exceeded"}, now=1000).retry_after == 90
    assert refusal("GET /x", 403, {}, {"message": "Resource not accessible"}, now=1000).retry_after is None
    assert refusal("GET /x", 429, {}, None, now=1000).retry_after == 60
    assert refusal("GET /x", 429, {"Retry-After": "soon"}, None, now=1000).retry_after == 60


async def test_a_failed_token_request_is_made_again(github: GitHubStandIn, app_client: GitHub, hosted: Hosted) -> None:
    github.faults.fail(502, path="access_tokens")
    with pytest.raises(GitHubError):
        await app_client.contents_token(ours(github, hosted))
    assert await app_client.contents_token(ours(github, hosted))


async def test_a_worker_waits_for_its_token_while_github_is_away(
    github: GitHubStandIn, app_client: GitHub, hosted: Hosted
) -> None:
    github.faults.fail(502, path="access_tokens", times=2)
    github.faults.reset(path="access_tokens")
    github.faults.fail(403, path="access_tokens", retry_after=1)
    assert await patiently(lambda: app_client.contents_token(ours(github, hosted)))
    assert token_requests(github) == 5


async def test_patience_ends(github: GitHubStandIn, app_client: GitHub, hosted: Hosted) -> None:
    for status, retry_after in ((404, None), (403, 60)):
        github.faults.fail(status, path="access_tokens", retry_after=retry_after)
        with pytest.raises(GitHubError, match=str(status)):
            await patiently(lambda: app_client.contents_token(ours(github, hosted)), seconds=30)
    github.faults.fail(502, path="access_tokens", times=50)
    with pytest.raises(GitHubError, match="502"):
        await patiently(lambda: app_client.contents_token(ours(github, hosted)), seconds=1)


async def test_a_repository_without_installation_is_a_clear_error(app_client: GitHub) -> None:
    repository = Repository(1, "acme/widgets", "", "main", True, None)
    with pytest.raises(GitHubError, match="not installed on acme/widgets"):
        await app_client.contents_token(repository)


async def test_neither_tokens_nor_keys_are_logged(
    github: GitHubStandIn, app_client: GitHub, hosted: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    repository = ours(github, hosted)
    token = await app_client.contents_token(repository)
    github.faults.fail(404)
    with pytest.raises(GitHubError) as raised:
        await app_client.request(repository, CONTENTS, "GET", "/repos/acme/widgets")
    said = caplog.text + str(raised.value)
    assert "access_tokens" in said
    assert token not in said
    assert "eyJ" not in said


@pytest.mark.parametrize(
    "key", ["", "nonsense", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"]
)
async def test_a_private_key_that_is_none_is_said_at_the_start(key: str) -> None:
    with pytest.raises(SettingsError, match="GITHUB_PRIVATE_KEY"):
        async with github_client.connect(app_id="1", private_key=key, api_url="http://127.0.0.1:9"):
            pass


async def test_an_address_where_nobody_listens_is_transient(github: GitHubStandIn) -> None:
    async with aiohttp.ClientSession() as session:
        client = GitHub(session, app_id="1", private_key=github.app.private_key_pem, api_url="http://127.0.0.1:9")
        with pytest.raises(GitHubError) as raised:
            await client.as_app("GET", "/app")
    assert raised.value.transient
