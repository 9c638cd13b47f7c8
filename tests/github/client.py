"""A careful client of GitHub's API for the stand-in's own tests; it shares nothing with Draftsman's."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from tests.github.repository import Repository
from tests.github.stand_in import GitHubStandIn

HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "tests",
}


@dataclass(frozen=True)
class Reply:
    """Status, parsed body and headers of one answer."""

    status: int
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Client:
    """Calls the stand-in as its App or with a token."""

    github: GitHubStandIn
    session: aiohttp.ClientSession

    def app_jwt(self, *, issued: int = -60, expires: int = 480, key: str | None = None, **claims: Any) -> str:
        """A JWT of the App; `issued` and `expires` are seconds from now."""
        now = int(self.github.clock.now())
        payload = {"iss": str(self.github.app.id), "iat": now + issued, "exp": now + expires, **claims}
        return jwt.encode(payload, key or self.github.app.private_key_pem, "RS256")

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """The answer; `token` None calls as the App, "" with no credentials. A header "" is left out."""
        credential = self.app_jwt() if token is None else token
        sent = {**HEADERS, "Authorization": f"Bearer {credential}" if credential else "", **(headers or {})}
        left_out = [name for name, value in sent.items() if not value]
        content: dict[str, Any] = {"json": body} if raw is None else {"data": raw}
        async with self.session.request(
            method,
            self.github.api_url + path,
            headers={name: value for name, value in sent.items() if value},
            skip_auto_headers=left_out,
            **content,
        ) as response:
            answer = await response.json() if response.content_type == "application/json" else None
            return Reply(response.status, answer, response.headers)

    async def token(self, repository: Repository, body: Any = None) -> str:
        """A token of the repository's installation, narrowed by the body."""
        number = self.github.installation_id(repository)
        reply = await self.call("POST", f"/app/installations/{number}/access_tokens", body)
        assert reply.status == 201, reply.json
        return str(reply.json["token"])


@asynccontextmanager
async def running() -> AsyncIterator[Client]:
    """A client of a stand-in of its own."""
    async with GitHubStandIn.start() as github, aiohttp.ClientSession() as session:
        yield Client(github, session)


async def git(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a git command that asks nobody for a password."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example.com",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example.com",
        },
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace")


def with_token(repository: Repository, token: str, user: str = "x-access-token") -> str:
    """The clone URL with credentials in it."""
    return repository.clone_url.replace("://", f"://{user}:{token}@")
