"""The manifest flow: what we ask GitHub to register, and what we take from its answer."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from bot.github_error import GitHubError
from bot.setup import (
    EVENTS,
    NOWHERE,
    PERMISSIONS,
    Wish,
    convert,
    form_address,
    install_address,
    manifest,
    read_credentials,
    webhook_address,
)
from draftsman.domain.errors import SettingsError
from tests.github import GitHubStandIn
from tests.github.manifest import check

GITHUB = "https://github.com"
HOOK = "https://ci.example.com/webhooks/github"
ANSWER = {
    "id": 12,
    "name": "Draftsman",
    "slug": "draftsman",
    "html_url": "https://github.com/apps/draftsman",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    "webhook_secret": "hush-hook",
    "client_id": "Iv1.abc",
    "client_secret": "hush-client",
}


def made(wish: Wish) -> dict[str, Any]:
    return manifest(wish, server_url=GITHUB, redirect_url="http://127.0.0.1:1/created")


@pytest.mark.parametrize(
    "wish",
    [
        Wish("Draftsman", HOOK),
        Wish("Draftsman", None, organization="acme"),
        Wish("Draftsman (acme)", HOOK, organization="acme", public=True, teams=True),
    ],
)
async def test_github_takes_every_manifest_that_we_make(github: GitHubStandIn, wish: Wish) -> None:
    assert check(json.loads(json.dumps(made(wish))), github.state, local_webhooks=False) == []


def test_the_least_permissions_are_asked_for_and_teams_only_where_wanted() -> None:
    assert made(Wish("D", HOOK))["default_permissions"] == PERMISSIONS
    assert made(Wish("D", HOOK, teams=True))["default_permissions"] == {**PERMISSIONS, "members": "read"}
    assert {level for name, level in PERMISSIONS.items() if name == "contents"} == {"read"}
    assert not {"installation", "installation_repositories"} & set(EVENTS)


def test_an_app_is_private_unless_asked() -> None:
    assert made(Wish("D", HOOK))["public"] is False


def test_a_polled_app_sends_its_events_to_a_name_that_can_never_exist() -> None:
    hook = made(Wish("D", None))["hook_attributes"]
    # Active: of an inactive hook GitHub keeps no deliveries that could be listed.
    assert hook == {"url": NOWHERE, "active": True}
    assert ".invalid/" in NOWHERE


def test_the_page_is_known_from_the_webhook() -> None:
    assert Wish("D", HOOK).public_url == "https://ci.example.com"
    assert Wish("D", "https://ci.example.com/in/webhooks/github").public_url == "https://ci.example.com/in"
    assert Wish("D", "https://ci.example.com/elsewhere").public_url is None
    assert webhook_address("https://ci.example.com") == webhook_address("https://ci.example.com/") == HOOK
    assert webhook_address("https://ci.example.com/elsewhere") == "https://ci.example.com/elsewhere"


@pytest.mark.parametrize(
    "url",
    [
        "ci.example.com",
        "ftp://ci.example.com/",
        "https://",
        "https://me:secret@ci.example.com/webhooks/github",
        "https://ci.example.com:port/",
        "https://ci.example .com/",
        "https://ci.example.com/\x1b[2J",
        "https://[::1/",
    ],
)
def test_a_webhook_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match="--webhook-url"):
        webhook_address(url)


@pytest.mark.parametrize(
    "host", ["localhost:3000", "127.0.0.1", "10.1.2.3", "192.168.0.9", "[::1]", "myhost", "a.localhost", "nas.local"]
)
def test_an_address_that_github_com_cannot_reach_is_said_before_anything_is_made(host: str) -> None:
    wish = Wish("D", f"http://{host}/webhooks/github")
    with pytest.raises(SettingsError, match="--poll"):
        wish.check(GITHUB)
    wish.check("https://github.example.com")  # an Enterprise Server may stand beside us


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        (Wish("", HOOK), "--name"),
        (Wish(" ", HOOK), "--name"),
        (Wish("n" * 35, HOOK), "--name"),
        (Wish("a\nb", HOOK), "--name"),
        (Wish("D", HOOK, organization="acme/../admin"), "--org"),
        (Wish("D", HOOK, organization=""), "--org"),
    ],
)
def test_what_github_would_refuse_is_refused_by_name(wish: Wish, names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        wish.check(GITHUB)


def test_addresses_of_github() -> None:
    assert form_address(GITHUB, None, "a b") == "https://github.com/settings/apps/new?state=a+b"
    assert form_address(f"{GITHUB}/", "acme", "s") == "https://github.com/organizations/acme/settings/apps/new?state=s"
    assert install_address("https://github.com/apps/draftsman") == "https://github.com/apps/draftsman/installations/new"


def test_the_credentials_show_no_secret() -> None:
    found = read_credentials(ANSWER, GITHUB)
    assert (found.app_id, found.html_url) == (12, "https://github.com/apps/draftsman")
    shown = f"{found} {found!r}"
    assert "hush" not in shown
    assert "AAAA" not in shown


@pytest.mark.parametrize(
    ("server", "leads_to"),
    [
        (GITHUB, "https://github.com/apps/draftsman"),
        ("https://github.example.com", "https://github.example.com/github-apps/draftsman"),
    ],
)
@pytest.mark.parametrize("page", ["javascript:alert(1)", "https://github.com.evil.example/apps/x", "http://evil"])
def test_the_link_to_the_app_leads_to_this_github_only(server: str, leads_to: str, page: str) -> None:
    assert read_credentials(ANSWER | {"html_url": page}, server).html_url == leads_to


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        ANSWER | {"pem": "no key"},
        ANSWER | {"id": "x"},
        ANSWER | {"client_secret": "two\nGITHUB_APP_ID=1"},
        ANSWER | {"html_url": "http://evil", "slug": "../x"},
    ],
)
def test_an_answer_without_whole_credentials_says_so(body: Any) -> None:
    with pytest.raises(GitHubError, match="no whole set of credentials"):
        read_credentials(body, GITHUB)


async def test_an_unknown_code_is_told_without_the_code(github: GitHubStandIn) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(GitHubError) as caught:
            await convert(session, api_url=github.api_url, server_url=github.server_url, code="s3cret/../x")
    assert not caught.value.transient
    assert "within an hour" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    # Quoted whole: no code leads to another place of the API.
    assert github.requests[-1].path == "/app-manifests/s3cret/../x/conversions"
    assert github.requests[-1].operation_id == "apps/create-from-manifest"


async def test_github_that_is_away_may_be_asked_again(github: GitHubStandIn) -> None:
    async with aiohttp.ClientSession() as session:
        for fault in ({"status": 502}, {"reset": True}):
            if "status" in fault:
                github.faults.fail(502, path=r"/app-manifests/.*")
            else:
                github.faults.reset(path=r"/app-manifests/.*")
            with pytest.raises(GitHubError) as caught:
                await convert(session, api_url=github.api_url, server_url=github.server_url, code="c0de")
            assert caught.value.transient
            assert "c0de" not in str(caught.value)
