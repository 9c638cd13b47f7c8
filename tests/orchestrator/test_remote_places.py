"""Which addresses a stranger's commit may have this host fetch from."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from aiohttp import web

from draftsman.domain.errors import PlanError, SourceError
from orchestrator.git import GitError, git
from orchestrator.pinned_session import pinned_session
from orchestrator.remote_places import Place, Server, checked_place, is_public, server_of

pytestmark = pytest.mark.hostile

OWN = Server("git.example.com", 8443)


def resolving(*addresses: str) -> object:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "2001:db8::1", "nonsense", "",
    ],
)  # fmt: skip
def test_addresses_that_only_this_host_reaches_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["140.82.121.3", "2606:50c0:8000::153", "64:ff9b::8c52:7903", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ssh://git@example.com/a", "git@example.com:a/b", "ext::sh -c id", "git://example.com/a",
        "/srv/git/a.git", "https://user@example.com/a", "https://user:pass@example.com/a", "https://exa mple.com/a",
        "https://example.com\\@127.0.0.1/a", "https://example.com:0/a", "https://example.com:70000/a", "https:///a",
        "https://example.com/a b", "https://example.com/a\nb", "https://exämple.com/", "HTTPS://example.com", "-https://a",
    ],
)  # fmt: skip
async def test_only_plain_web_urls_are_places(url: str) -> None:
    assert server_of(url) is None
    with pytest.raises(PlanError, match="only plain http and https URLs"):
        await checked_place(url, "The submodule a", own=OWN)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a", "http://2130706433/a", "http://0x7f.1/a", "http://[::1]/a", "http://[::ffff:127.0.0.1]:80/a",
        "http://localhost/a", "http://LOCALHOST./a", "http://a.localhost:9/a", "http://metadata.google.internal/a",
        "http://169.254.169.254/latest", "http://10.1.2.3/a", "http://127.0.0.1:8443/a",
    ],
)  # fmt: skip
async def test_a_url_that_leads_inside_is_refused(url: str) -> None:
    with pytest.raises(PlanError, match="not public"):
        await checked_place(url, "The submodule a", own=OWN)


@pytest.mark.parametrize("addresses", [("10.0.0.1",), ("140.82.121.3", "127.0.0.1"), ()])
async def test_a_name_with_any_address_inside_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(PlanError, match="not public"):
        await checked_place("https://evil.example/a", "It", own=OWN, resolve=resolving(*addresses))  # type: ignore[arg-type]


async def test_the_servers_own_port_counts() -> None:
    inside = resolving("10.0.0.1")
    own = await checked_place("https://GIT.example.com:8443/b", "It", own=OWN, resolve=inside)  # type: ignore[arg-type]
    assert (own.server, own.pin) == (OWN, None)
    with pytest.raises(PlanError):
        await checked_place("https://git.example.com/b", "It", own=OWN, resolve=inside)  # type: ignore[arg-type]


async def test_a_name_that_is_none_is_said_as_such() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such host")

    with pytest.raises(SourceError, match="cannot be resolved"):
        await checked_place("https://nowhere.invalid/a", "It", own=None, resolve=resolve)


async def test_what_was_looked_at_is_what_git_connects_to(github_port: int) -> None:
    place = Place("x", Server("nowhere.invalid", github_port), ("127.0.0.1",))
    assert Place("x", Server("a", 1), ("1.2.3.4", "2606::1")).pin == "a:1:1.2.3.4,[2606::1]"
    url = f"http://nowhere.invalid:{github_port}/a.git"
    with pytest.raises(GitError) as pinned:
        await git("ls-remote", url, config={"http.curloptResolve": place.pin or ""})
    assert "418" in pinned.value.detail, "the server answered"
    with pytest.raises(GitError) as loose:
        await git("ls-remote", url)
    assert "resolve host" in loose.value.detail


async def test_what_was_looked_at_is_what_a_session_connects_to(github_port: int) -> None:
    url = f"http://nowhere.invalid:{github_port}/a"
    async with pinned_session() as (session, pin):
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)
        pin(Place(url, Server("nowhere.invalid", github_port), ("127.0.0.1",)))
        async with session.get(url) as answer:
            assert answer.status == 418


@pytest.fixture
async def github_port() -> object:
    """The port of a server that answers 418."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=418)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()
