"""The REST API over real HTTP and a real Postgres; every answer fits the published description."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.api.body import LARGEST_BODY
from bot.api.profiles import LARGEST_PAGE
from draftsman.store import profiles
from draftsman.store.database import Pool
from tests.bot.api import TOKEN, Api, serve_api
from tests.bot.work import make_plan

ROOT = "/api/v1/profiles"
WIDGETS = f"{ROOT}/acme/widgets"


@pytest.fixture
async def api(pool: Pool[Any]) -> AsyncIterator[Api]:
    async for served in serve_api(pool, TOKEN):
        yield served


@pytest.fixture
async def api_without_token(pool: Pool[Any]) -> AsyncIterator[Api]:
    async for served in serve_api(pool, None):
        yield served


async def test_a_profile_is_made_read_changed_and_deleted(api: Api) -> None:
    made = await api.send("PUT", WIDGETS, {"fast": ["make lint"], "setup": ""}, If_None_Match="*")
    assert (made.status, made.headers["Location"]) == (201, WIDGETS)
    read = await api.send("GET", f"{ROOT}/Acme/Widgets")
    assert (read.status, read.etag, read.body) == (200, made.etag, made.body)
    assert (read.body["repo"], read.body["explicit_fields"]) == ("acme/widgets", ["setup", "fast"])
    assert read.body["inferred"] is None
    changed = await api.send("PATCH", WIDGETS, {"full": ["pytest"], "setup": None}, If_Match=read.etag)
    assert (changed.status, changed.body["explicit_fields"]) == (200, ["fast", "full"])
    replaced = await api.send("PUT", WIDGETS, {"dependency_manager": "uv", "fast": None}, If_Match=changed.etag)
    assert (replaced.status, replaced.body["explicit_fields"]) == (200, ["dependency_manager"])
    gone = await api.send("DELETE", WIDGETS, If_Match=replaced.etag)
    assert gone.status == 204
    assert (await api.send("GET", WIDGETS)).status == 404


async def test_an_inferred_profile_is_taken_over_field_by_field(api: Api, pool: Pool[Any]) -> None:
    await profiles.keep_inferred(pool, "acme/widgets", make_plan(), "hash")
    read = await api.send("GET", WIDGETS)
    assert (read.body["fast"], read.body["explicit_fields"]) == (["ruff check ."], [])
    assert read.body["generated_dockerfile"].startswith("FROM")
    taken = await api.send("PATCH", WIDGETS, {"fast": ["ruff check src"]})
    assert (taken.body["fast"], taken.body["inferred"]["fast"]) == (["ruff check src"], ["ruff check ."])
    assert (await profiles.overrides_for(pool, "acme/widgets")).fast == ("ruff check src",)
    back = await api.send("PATCH", WIDGETS, {"fast": None})
    assert (back.body["fast"], back.body["explicit_fields"]) == (["ruff check ."], [])


async def test_every_field_goes_in_and_comes_out(api: Api) -> None:
    fields = {
        "dockerfile_mode": "path",
        "dockerfile": "ci/Dockerfile",
        "dockerfile_target": "test",
        "build_args": {"A": "1", "B": ""},
        "dependency_manager": "npm",
        "setup": "npm ci",
        "fast": [],
        "full": ["npm test", "echo é"],
        "submodules": True,
        "lfs": False,
    }
    made = await api.send("PUT", WIDGETS, fields)
    assert {name: made.body[name] for name in fields} == fields
    assert set(made.body["explicit_fields"]) == set(fields)
    generated = await api.send("PUT", f"{ROOT}/acme/b", {"generated_dockerfile": "FROM mine\n"})
    assert (generated.body["generated_dockerfile"], generated.body["dockerfile_mode"]) == ("FROM mine\n", "generate")


async def test_a_patch_merges_build_arguments_one_by_one(api: Api) -> None:
    await api.send("PUT", WIDGETS, {"dockerfile": "Dockerfile", "build_args": {"A": "1", "B": "2"}})
    changed = await api.send("PATCH", WIDGETS, {"build_args": {"A": None, "C": "3"}})
    assert changed.body["build_args"] == {"B": "2", "C": "3"}


async def test_two_editors_do_not_overwrite_each_other(api: Api) -> None:
    first = await api.send("PUT", WIDGETS, {"setup": "a"})
    unsaid = await api.send("PUT", WIDGETS, {"setup": "b"})
    assert (unsaid.status, "If-Match" in unsaid.body["detail"]) == (428, True)
    assert (await api.send("PUT", WIDGETS, {"setup": "b"}, If_None_Match="*")).status == 412
    changed = await api.send("PUT", WIDGETS, {"setup": "b"}, If_Match=first.etag)
    for method, body in (("PUT", {"setup": "c"}), ("PATCH", {"setup": "c"}), ("DELETE", None)):
        late = await api.send(method, WIDGETS, body, If_Match=first.etag)
        assert (late.status, late.etag) == (412, changed.etag)
    assert (await api.send("GET", WIDGETS)).body["setup"] == "b"
    weak = await api.send("PUT", WIDGETS, {"setup": "c"}, If_Match=f"W/{changed.etag}")
    assert weak.status == 412
    several = await api.send("PUT", WIDGETS, {"setup": "c"}, If_Match=f'"other", {changed.etag}')
    assert several.status == 200
    assert (await api.send("PUT", WIDGETS, {"setup": "d"}, If_Match="*")).status == 200


async def test_an_etag_of_a_deleted_profile_is_worth_nothing(api: Api) -> None:
    first = await api.send("PUT", WIDGETS, {"setup": "a"})
    await api.send("DELETE", WIDGETS)
    for method, body in (("PUT", {"setup": "c"}), ("PATCH", {"setup": "c"}), ("DELETE", None)):
        assert (await api.send(method, WIDGETS, body, If_Match=first.etag)).status == 412
    again = await api.send("PUT", WIDGETS, {"setup": "a"})
    assert again.etag != first.etag


async def test_of_editors_at_the_same_moment_one_wins(api: Api) -> None:
    first = await api.send("PUT", WIDGETS, {"setup": "start"})
    answers = await asyncio.gather(
        *(api.send("PUT", WIDGETS, {"setup": f"s{number}"}, If_Match=first.etag) for number in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7
    made = await asyncio.gather(*(api.send("PUT", f"{ROOT}/acme/new", {"setup": f"{number}"}) for number in range(8)))
    assert sorted(answer.status for answer in made)[:2] in ([201, 412], [201, 428])


async def test_patches_of_different_fields_at_once_are_all_kept(api: Api) -> None:
    await api.send("PUT", WIDGETS, {})
    fields: list[dict[str, Any]] = [{"setup": "a"}, {"fast": ["b"]}, {"full": ["c"]}, {"dependency_manager": "pip"}]
    answers = await asyncio.gather(*(api.send("PATCH", WIDGETS, field) for field in fields))
    assert {answer.status for answer in answers} == {200}
    assert len((await api.send("GET", WIDGETS)).body["explicit_fields"]) == 4


async def test_what_is_not_changed_is_not_sent_again(api: Api) -> None:
    made = await api.send("PUT", WIDGETS, {"setup": "a"})
    assert (await api.send("GET", WIDGETS, If_None_Match=made.etag)).status == 304
    assert (await api.send("PATCH", WIDGETS, {"setup": "a"})).etag == made.etag


async def test_wrong_fields_are_all_named_and_nothing_is_kept(api: Api) -> None:
    body = {"dockerfile": "../x", "fast": ["a", ""], "build_args": {"A": 1}, "trust": "all", "repo": "a/b"}
    shown_only = await api.send("PUT", WIDGETS, body)
    assert (shown_only.status, shown_only.fields) == (422, ["repo"])
    del body["repo"]
    wrong = await api.send("PUT", WIDGETS, body)
    assert (wrong.status, wrong.fields) == (422, ["dockerfile", "fast[1]", "build_args.A", "trust"])
    assert (await api.send("GET", WIDGETS)).status == 404
    together = await api.send("PUT", WIDGETS, {"dockerfile_mode": "path"})
    assert (together.status, together.fields) == (422, ["dockerfile"])


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("PUT", WIDGETS, b"{", {}, 400),
        ("PUT", WIDGETS, b"\xff", {}, 400),
        ("PUT", WIDGETS, b"[]", {}, 400),
        ("PUT", WIDGETS, b"null", {}, 400),
        ("PUT", WIDGETS, b'{"setup": NaN}', {}, 400),
        ("PUT", WIDGETS, b'{"setup": "a", "setup": "b"}', {}, 400),
        ("PUT", WIDGETS, b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, 400),
        ("PUT", WIDGETS, b'{"x": ' + b"9" * 5000 + b"}", {}, 400),
        ("PUT", WIDGETS, b'{"setup": "\\ud800"}', {}, 422),
        ("PUT", WIDGETS, b'{"\\ud800": 1}', {}, 422),
        ("PUT", WIDGETS, b'{"setup": "\\u0000"}', {}, 422),
        ("PUT", WIDGETS, b" " * (LARGEST_BODY + 1), {}, 413),
        ("PUT", WIDGETS, b"{}", {"Content_Type": "text/plain"}, 415),
        ("PUT", WIDGETS, b"{}", {"Content_Type": "application/merge-patch+json"}, 415),
        ("PUT", WIDGETS, b"{}", {"Content_Encoding": "gzip"}, 415),
        ("PATCH", WIDGETS, b"{}", {"Content_Type": "application/json-patch+json"}, 415),
        ("PATCH", WIDGETS, {"setup": "a"}, {}, 404),
        ("DELETE", WIDGETS, None, {}, 404),
        ("GET", WIDGETS, None, {}, 404),
        ("GET", WIDGETS + "%2Fmore", None, {}, 404),
        ("GET", f"{ROOT}/acme/%00", None, {}, 404),
        ("GET", f"{ROOT}/acme/..%2Fx", None, {}, 404),
        ("PUT", WIDGETS, {}, {"If_Match": "nonsense"}, 400),
        ("PUT", WIDGETS, {}, {"If_Match": '"gone-1"'}, 412),
        ("POST", WIDGETS, None, {}, 405),
        ("POST", ROOT, {}, {}, 405),
        ("GET", "/api/v1/nowhere", None, {}, 404),
        ("GET", "/api/v1/", None, {}, 404),
        ("GET", f"{ROOT}?limit=0", None, {}, 400),
        ("GET", f"{ROOT}?limit={LARGEST_PAGE + 1}", None, {}, 400),
        ("GET", f"{ROOT}?limit=many", None, {}, 400),
    ],
)
async def test_what_cannot_be_done_is_a_problem_document(
    api: Api, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    answer = await api.send(method, path, body, **headers)
    assert answer.status == status
    assert answer.body["detail"]
    if status == 405:
        assert "GET" in answer.headers["Allow"]
    if status == 415 and method == "PATCH":
        assert "application/merge-patch+json" in answer.headers["Accept-Patch"]


async def test_a_body_without_a_length_is_limited_too(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 65536 + 2):
            yield b" " * 65536

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with api.session.put(api.url + WIDGETS, data=endless(), headers=headers) as response:
        assert response.status == 413


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9", TOKEN]
)
async def test_without_the_token_nothing_is_shown_or_done(api: Api, pool: Pool[Any], authorization: str) -> None:
    await profiles.keep_inferred(pool, "acme/widgets", make_plan(), "hash")
    for method, path in (("GET", ROOT), ("GET", WIDGETS), ("DELETE", WIDGETS), ("GET", f"{ROOT}/acme/absent")):
        answer = await api.send(method, path, Authorization=authorization)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert await profiles.get(pool, "acme/widgets") is not None


async def test_without_the_setting_the_api_is_off_and_says_which(api_without_token: Api) -> None:
    for authorization in ("", f"Bearer {TOKEN}", "Bearer ", "Bearer None"):
        answer = await api_without_token.send("GET", ROOT, Authorization=authorization)
        assert answer.status == 403
        assert "DRAFTSMAN_ADMIN_TOKEN" in answer.body["detail"]


async def test_pages_lead_through_all_profiles(api: Api, pool: Pool[Any]) -> None:
    assert (await api.send("GET", ROOT)).body["items"] == []
    for number in range(5):
        await profiles.keep_inferred(pool, f"acme/w{number}", make_plan(), "hash")
    path: str | None = f"{ROOT}?limit=2"
    names: list[str] = []
    pages = 0
    while path is not None:
        page = await api.send("GET", path)
        names += [item["repo"] for item in page.body["items"]]
        path = page.body["links"]["next"]
        assert ("Link" in page.headers) is (path is not None)
        pages += 1
    assert (names, pages) == ([f"acme/w{number}" for number in range(5)], 3)


async def test_changes_are_in_the_audit_trail(api: Api, pool: Pool[Any]) -> None:
    await api.send("PUT", WIDGETS, {"setup": "a"})
    await api.send("PATCH", WIDGETS, {"setup": "b"})
    await api.send("DELETE", WIDGETS)
    rows = await pool.fetch("SELECT actor, action FROM audit_events ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("api", "profile.created"),
        ("api", "profile.changed"),
        ("api", "profile.deleted"),
    ]


async def test_a_database_that_is_away_is_said(api: Api, pool: Pool[Any]) -> None:
    pool.terminate()
    answer = await api.send("PATCH", WIDGETS, {"setup": "a"})
    assert answer.status == 503


async def test_what_the_description_allows_is_taken_and_what_it_forbids_is_not(api: Api) -> None:
    validator = api.described.validator("ProfileFields")
    bodies: list[tuple[dict[str, Any], bool]] = [
        ({"setup": None, "fast": [], "build_args": {}}, True),
        ({"dockerfile_mode": "auto", "dependency_manager": "none"}, True),
        ({"dependency_manager": "maven"}, False),
        ({"fast": [""]}, False),
        ({"build_args": {"1": "x"}}, False),
        ({"dockerfile_target": "a b"}, False),
        ({"submodules": True, "lfs": None}, True),
        ({"submodules": "yes"}, False),
        ({"lfs": 1}, False),
        ({"network": "host"}, False),
        ({"setup": "x" * 10_001}, False),
    ]
    for number, (body, allowed) in enumerate(bodies):
        assert validator.is_valid(body) is allowed, body
        answer = await api.send("PUT", f"{ROOT}/acme/r{number}", body)
        assert (answer.status == 201) is allowed, answer.body


async def test_the_description_names_every_address_and_method(api: Api) -> None:
    paths = {path: sorted(set(item) - {"parameters"}) for path, item in api.description["paths"].items()}
    runs, policies = "/api/v1/runs", "/api/v1/policies"
    assert paths == {
        ROOT: ["get"],
        f"{ROOT}/{{owner}}/{{repo}}": ["delete", "get", "patch", "put"],
        runs: ["get"],
        f"{runs}/{{run}}": ["get"],
        f"{runs}/{{run}}/log": ["get"],
        f"{runs}/{{run}}/rerun": ["post"],
        f"{runs}/{{run}}/cancel": ["post"],
        f"{runs}/{{run}}/approve": ["post"],
        f"{runs}/{{run}}/purge": ["post"],
        f"{runs}/{{run}}/attempts/{{number}}": ["get"],
        f"{runs}/{{run}}/attempts/{{number}}/log": ["get"],
        f"{runs}/{{run}}/attempts/{{number}}/purge": ["post"],
        "/api/v1/queue": ["get"],
        "/api/v1/queue/pause": ["delete", "put"],
        "/api/v1/queue/pause/{owner}/{repo}": ["delete", "put"],
        "/api/v1/queue/workers/{worker}/drain": ["delete", "put"],
        f"{policies}/{{owner}}/{{repo}}": ["delete", "get", "patch"],
        "/api/v1/installations": ["get"],
        "/api/v1/installations/{id}/state": ["put"],
        "/api/v1/audit": ["get"],
        "/api/v1/deliveries": ["get"],
        "/api/v1/deliveries/{guid}": ["get"],
        "/api/v1/deliveries/{guid}/purge": ["post"],
    }
    assert api.description["openapi"] == "3.1.0"
