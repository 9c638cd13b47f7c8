"""Registering an App by its manifest, as a browser meets it."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.github.browser import Form, Page, submit, visit
from tests.github.client import Client

MANIFEST: dict[str, Any] = {
    "name": "Checks of acme",
    "url": "https://draftsman.example.com",
    "hook_attributes": {"url": "https://draftsman.example.com/webhooks/github", "active": True},
    "redirect_url": "http://127.0.0.1:1/created",
    "public": False,
    "default_permissions": {"checks": "write", "contents": "read", "metadata": "read"},
    "default_events": ["push", "check_run", "repository"],
}


async def post(client: Client, changes: dict[str, Any], *, path: str = "/settings/apps/new?state=s1") -> Page:
    manifest = {name: value for name, value in (MANIFEST | changes).items() if value is not None}
    form = Form(client.github.url + path, "post", {"manifest": json.dumps(manifest)})
    return await submit(client.session, Page(client.github.url, 200, "", form, (), {}))


async def confirm(client: Client, page: Page, name: str | None = None) -> str:
    """The address that GitHub sends the browser to."""
    assert page.form is not None, page.text
    values = page.form.values | ({"name": name} if name else {})
    url = client.github.url + page.form.action
    async with client.session.post(url, data=values, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        return answer.headers["Location"]


async def register(client: Client, changes: dict[str, Any] | None = None, **more: Any) -> str:
    """The code of a registered App."""
    where = await confirm(client, await post(client, changes or {}, **more))
    return parse_qs(urlsplit(where).query)["code"][0]


async def test_the_app_that_a_person_registers_takes_its_credentials_once(client: Client) -> None:
    where = await confirm(client, await post(client, {}), name="Another name")
    assert where.startswith("http://127.0.0.1:1/created?")
    query = parse_qs(urlsplit(where).query)
    assert query["state"] == ["s1"]
    exchange = f"/app-manifests/{query['code'][0]}/conversions"
    reply = await client.call("POST", exchange, token="")
    assert reply.status == 201, reply.json
    assert (reply.json["name"], reply.json["slug"]) == ("Another name", "another-name")
    assert "PRIVATE KEY-----" in reply.json["pem"]
    assert reply.json["events"] == MANIFEST["default_events"]
    assert (await client.call("POST", exchange, token="")).status == 404
    key, number = reply.json["pem"], str(reply.json["id"])
    shown = await client.call("GET", "/app", token=client.app_jwt(key=key, iss=number))
    assert (shown.status, shown.json["permissions"]) == (200, MANIFEST["default_permissions"])


async def test_a_code_is_good_for_an_hour(client: Client) -> None:
    code = await register(client)
    client.github.clock.advance(3601)
    assert (await client.call("POST", f"/app-manifests/{code}/conversions", token="")).status == 404


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"default_events": ["push", "installation"]}, "Default events unsupported: installation"),
        ({"default_events": ["pull_request"]}, "Default events unsupported: pull_request"),
        ({"default_events": ["pushes"]}, "Default events unsupported: pushes"),
        ({"url": None}, '"url" wasn\'t supplied'),
        ({"hook_attributes": {"active": False}}, '"url" wasn\'t supplied'),
        ({"hook_attributes": {"url": "http://localhost:3000/webhooks/github"}}, "over the public Internet"),
        ({"hook_attributes": {"url": "http://127.0.0.1:3000/webhooks/github"}}, "over the public Internet"),
        ({"default_permissions": {"check": "write"}}, "permission check is not supported"),
        ({"default_permissions": {"checks": "all"}}, "checks cannot be all"),
        ({"homepage": "https://example.com"}, "homepage is not supported"),
    ],
)
async def test_a_manifest_that_github_refuses_is_refused(client: Client, changes: dict[str, Any], says: str) -> None:
    page = await post(client, changes)
    assert page.form is None
    assert says in page.text


async def test_a_private_app_is_installed_on_its_owners_account_alone(client: Client) -> None:
    await client.github.create_repository("acme/widgets")
    await client.github.create_repository("other/things")
    path = "/organizations/acme/settings/apps/new"
    code = await register(client, path=path)
    await client.call("POST", f"/app-manifests/{code}/conversions", token="")
    assert client.github.state.installations == {}
    page = await visit(client.session, f"{client.github.url}/apps/checks-of-acme/installations/new")
    assert page.form is not None
    assert page.form.values == {"account": "acme"}
    assert (await submit(client.session, page, {"account": "other"})).status == 404
    assert "is installed on acme" in (await submit(client.session, page)).text
    assert [found.account.login for found in client.github.state.installations.values()] == ["acme"]


async def test_an_organization_that_is_not_there_has_no_apps(client: Client) -> None:
    url = f"{client.github.url}/organizations/nobody/settings/apps/new"
    async with aiohttp.ClientSession() as session, session.post(url, data={"manifest": json.dumps(MANIFEST)}) as got:
        assert got.status == 404


@pytest.mark.parametrize(
    ("name", "says"), [("Draftsman Test", "already been taken"), ("n" * 35, "too long"), ("", "can't be blank")]
)
async def test_a_name_that_cannot_be_is_asked_for_again(client: Client, name: str, says: str) -> None:
    asked = await submit(client.session, await post(client, {"name": name}))
    assert (asked.status, says in asked.text) == (422, True)
    assert (await confirm(client, asked, name="A good one")).startswith("http://127.0.0.1:1/created?")
