"""The App's JWT and installation tokens: what opens a door, and what does not."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.github.client import Client


async def test_app_may_call_itself_by_id_or_client_id(client: Client) -> None:
    for issuer in (str(client.github.app.id), client.github.app.client_id):
        reply = await client.call("GET", "/app", token=client.app_jwt(iss=issuer))
        assert reply.status == 200
        assert reply.json["id"] == client.github.app.id


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"expires": 700}, "too far in the future"),
        ({"expires": -1}, "must be a numeric value"),
        ({"issued": 120}, "'Issued at' claim"),
        ({"iss": "42"}, "'Issuer' claim"),
        ({"exp": None}, "'Expiration time' claim"),
    ],
)
async def test_wrong_jwt_is_refused(client: Client, claims: dict[str, Any], says: str) -> None:
    with client.github.expect_violations() as violations:
        reply = await client.call("GET", "/app", token=client.app_jwt(**claims))
    assert reply.status == 401
    assert says in reply.json["message"]
    assert len(violations) == 1


async def test_jwt_signed_with_another_key_is_refused(client: Client) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = stranger.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    with client.github.expect_violations():
        reply = await client.call("GET", "/app", token=client.app_jwt(key=pem))
    assert (reply.status, reply.json["message"]) == (401, "A JSON web token could not be decoded")


async def test_clock_moves_what_a_jwt_is_worth(client: Client) -> None:
    jwt = client.app_jwt()
    client.github.clock.advance(600)
    with client.github.expect_violations():
        reply = await client.call("GET", "/app", token=jwt)
    assert reply.status == 401
    assert (await client.call("GET", "/app")).status == 200, "a JWT made by the Date header's clock works"


async def test_token_carries_what_the_installation_has(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets")
    number = client.github.installation_id(repo)
    reply = await client.call("POST", f"/app/installations/{number}/access_tokens")
    assert reply.status == 201
    assert reply.json["permissions"] == client.github.app.permissions
    assert reply.json["repository_selection"] == "all"
    assert reply.json["token"].startswith("ghs_")


async def test_token_is_narrowed_to_repositories_and_permissions(client: Client) -> None:
    github = client.github
    widgets = await github.create_repository("acme/widgets", files={"a": "1"})
    gears = await github.create_repository("acme/gears", files={"a": "1"})
    token = await client.token(widgets, {"repositories": ["widgets"], "permissions": {"contents": "read"}})
    assert (await client.call("GET", "/repos/acme/widgets/commits/main", token=token)).status == 200
    with github.expect_violations() as violations:
        assert (await client.call("GET", "/repos/acme/gears", token=token)).status == 404
        assert (await client.call("GET", "/repos/acme/widgets/pulls", token=token)).status == 403
    assert len(violations) == 2
    by_id = await client.token(gears, {"repository_ids": [gears.id]})
    listed = await client.call("GET", "/installation/repositories", token=by_id)
    assert [repo["full_name"] for repo in listed.json["repositories"]] == ["acme/gears"]


@pytest.mark.parametrize(
    "body",
    [
        {"repositories": ["nowhere"]},
        {"repository_ids": [1]},
        {"permissions": {"contents": "write"}},
        {"permissions": {"administration": "read"}},
        {"permissions": {"checks": "admin"}},
        {"permissions": {"check": "write"}},
        {"repositories": ["widgets"], "repository_ids": [1]},
        {"state": "success"},
        {"repositories": "widgets"},
    ],
)
async def test_token_wider_than_the_installation_is_refused(client: Client, body: Any) -> None:
    repo = await client.github.create_repository("acme/widgets")
    number = client.github.installation_id(repo)
    with client.github.expect_violations() as violations:
        reply = await client.call("POST", f"/app/installations/{number}/access_tokens", body)
    assert reply.status == 422
    assert violations


async def test_token_of_one_account_opens_no_other(client: Client) -> None:
    await client.github.create_repository("acme/widgets", files={"a": "1"})
    other = await client.github.create_repository("globex/reactor", files={"a": "1"})
    with client.github.expect_violations():
        reply = await client.call("GET", "/repos/acme/widgets", token=await client.token(other))
    assert reply.status == 404


async def test_token_ends_after_an_hour(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets")
    token = await client.token(repo)
    client.github.clock.advance(3601)
    reply = await client.call("GET", "/repos/acme/widgets", token=token)
    assert (reply.status, reply.json["message"]) == (401, "Bad credentials")
    client.github.assert_no_violations()  # Time passes for correct clients as well.


async def test_selected_repositories_limit_an_installation(client: Client) -> None:
    github = client.github
    widgets = await github.create_repository("acme/widgets", install=False)
    await github.create_repository("acme/secret", install=False)
    installation = await github.install("acme", repositories=[widgets])
    reply = await client.call("GET", "/repos/acme/widgets/installation")
    assert (reply.status, reply.json["id"]) == (200, installation.id)
    assert (await client.call("GET", "/repos/acme/secret/installation")).status == 404
    with github.expect_violations():
        reply = await client.call("GET", "/repos/acme/secret", token=await client.token(widgets))
    assert reply.status == 404


async def test_credentials_of_the_wrong_kind_are_refused(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets")
    token = await client.token(repo)
    with client.github.expect_violations() as violations:
        assert (await client.call("GET", "/app", token=token)).status == 401
        assert (await client.call("GET", "/repos/acme/widgets", token=client.app_jwt())).status == 403
        assert (await client.call("GET", "/repos/acme/widgets", token="")).status == 401
        assert (await client.call("GET", "/repos/acme/widgets", token="ghs_unknown")).status == 401
    assert len(violations) == 4


async def test_rate_limit_counts_down_and_refuses(client: Client) -> None:
    repo = await client.github.create_repository("acme/widgets")
    token = await client.token(repo)
    first = await client.call("GET", "/repos/acme/widgets", token=token)
    etag = first.headers["ETag"]
    unchanged = await client.call("GET", "/repos/acme/widgets", token=token, headers={"If-None-Match": etag})
    assert unchanged.status == 304
    second = await client.call("GET", "/repos/acme/widgets", token=token)
    spent = int(first.headers["X-RateLimit-Remaining"]) - int(second.headers["X-RateLimit-Remaining"])
    assert spent == 1, "a conditional request that finds nothing new is free"
    limit = client.github.state.rate_limit(f"installation {client.github.installation_id(repo)}")
    limit.remaining = 0
    reply = await client.call("GET", "/repos/acme/widgets", token=token)
    assert reply.status == 403
    assert "rate limit exceeded" in reply.json["message"]
    assert reply.headers["X-RateLimit-Remaining"] == "0"
    assert int(reply.headers["X-RateLimit-Reset"]) > time.time()
    assert (await client.call("GET", "/rate_limit", token=token)).json["rate"]["remaining"] == 0
