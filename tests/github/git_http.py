"""Git over HTTP: `git http-backend` as CGI, behind the same tokens as the API."""

import asyncio
import base64
import binascii
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import ClientConnectionResetError, web

from tests.github.calls import Moved, Refusal
from tests.github.repository import Repository
from tests.github.state import Account, State
from tests.github.tokens import allows, find_token

# GitHub serves a repository with and without `.git`.
PATH = re.compile(
    r"/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?/"
    r"(?P<rest>info/refs|git-upload-pack|git-receive-pack|HEAD|objects/.+)"
)
CHUNK_BYTES = 64 * 1024
NEEDS_LOGIN = {"WWW-Authenticate": 'Basic realm="GitHub"'}


@dataclass(frozen=True)
class GitRequest:
    """Which repository a git client wants, what for, and as whom (None: nobody)."""

    owner: str
    name: str
    rest: str
    query: str
    writes: bool
    credentials: tuple[str, str] | None


def read_request(request: web.Request) -> GitRequest | None:
    """What a git client asks for, None if the path is none of git's."""
    found = PATH.fullmatch(request.path)
    if found is None:
        return None
    service = request.query.get("service", found["rest"])
    return GitRequest(
        found["owner"],
        found["name"],
        found["rest"],
        f"?{request.query_string}" if request.query_string else "",
        service == "git-receive-pack",
        basic_credentials(request.headers.get("Authorization", "")),
    )


def basic_credentials(header: str) -> tuple[str, str] | None:
    """User and password of a Basic header, None if there is none. Raises `Refusal` (401) if it is broken."""
    scheme, _, value = header.partition(" ")
    if not header:
        return None
    try:
        user, separator, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        separator = ""
    if scheme.lower() != "basic" or not separator:
        raise Refusal(401, "Git over HTTPS wants Basic authentication: x-access-token and the token")
    return user, password


def authorize(state: State, wanted: GitRequest, people: Mapping[str, Account]) -> tuple[Repository, Account | None]:
    """The repository, and the person who pushes. Raises `Refusal` in git's own terms: 401, 403 or 404.

    `people` maps passwords to persons, who may read and push everywhere. The App reads with `contents: read`.
    A repository that has another name now answers where it is (`Moved`).
    """
    repository = state.repository(wanted.owner, wanted.name)
    if repository is None and (moved := state.moved_repository(wanted.owner, wanted.name)):
        authorize_at(state, wanted, people, moved)
        raise Moved(f"{state.addresses.web}/{moved.full_name}.git/{wanted.rest}{wanted.query}", reads=True)
    return authorize_at(state, wanted, people, repository)


def authorize_at(
    state: State, wanted: GitRequest, people: Mapping[str, Account], repository: Repository | None
) -> tuple[Repository, Account | None]:
    if wanted.credentials is None:
        # git asks without credentials first, so this is no mistake.
        if repository is None or repository.private or wanted.writes:
            raise Refusal(401, "Authentication required", mistake=False)
        return repository, None
    user, password = wanted.credentials
    if person := people.get(password):
        if repository is None:
            raise Refusal(404, "Repository not found.", mistake=False)
        return repository, person
    if user != "x-access-token":
        raise Refusal(401, "The user of an installation token is x-access-token")
    token = find_token(state, password)
    if repository is None:
        raise Refusal(404, "Repository not found.", mistake=False)
    if wanted.writes:
        raise Refusal(403, "Permission to push denied: the stand-in accepts pushes from people only")
    if not repository.private:
        return repository, None
    if not token.covers(repository):
        mistake = repository.id not in token.installation.lost
        raise Refusal(404, f"Repository not found: the token does not cover {repository.full_name}", mistake=mistake)
    if not allows(token.permissions, "contents", "read"):
        raise Refusal(403, "The token needs the permission contents: read")
    return repository, None


async def serve(
    request: web.Request, wanted: GitRequest, repository: Repository, pusher: Account | None
) -> web.StreamResponse:
    """Git's answer, streamed both ways; what a person pushed is announced afterwards."""
    before = await repository.git.refs() if wanted.rest == "git-receive-pack" else None
    response = await run_backend(request, wanted, repository, pusher)
    if before is not None and pusher is not None:
        await repository.refs_moved(before, pusher)
    return response


def backend_environment(
    request: web.Request, wanted: GitRequest, repository: Repository, pusher: Account | None
) -> dict[str, str]:
    environment = {
        **os.environ,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_PROJECT_ROOT": str(repository.git.folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{wanted.rest}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": request.remote or "",
    }
    # http-backend lets whoever has a name push. No CONTENT_LENGTH and no HTTP_CONTENT_ENCODING: aiohttp has
    # unpacked a gzipped body already, so the backend must read to the end.
    for name in ("CONTENT_LENGTH", "HTTP_CONTENT_ENCODING"):
        environment.pop(name, None)
    if pusher:
        environment["REMOTE_USER"] = pusher.login
    return environment


async def run_backend(
    request: web.Request, wanted: GitRequest, repository: Repository, pusher: Account | None
) -> web.StreamResponse:
    process = await asyncio.create_subprocess_exec(
        "git",
        "http-backend",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # Progress; what goes wrong is in the answer.
        start_new_session=True,
        env=backend_environment(request, wanted, repository, pusher),
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("git http-backend was started without pipes")
    feeding = asyncio.create_task(feed(request, process.stdin))
    response = web.StreamResponse()
    try:
        await read_head(process.stdout, response)
        await response.prepare(request)
        while chunk := await process.stdout.read(CHUNK_BYTES):
            await response.write(chunk)
        await process.wait()
        await response.write_eof()
        return response
    except ClientConnectionResetError:
        return response  # The client has left; that is its right.
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        if process.returncode is None:
            # The client has left: nobody wants the rest. The backend's own children hold the pipe as well, and
            # asyncio calls a process over only when its pipes have been read to the end.
            os.killpg(process.pid, signal.SIGKILL)
            while await process.stdout.read(CHUNK_BYTES):
                pass
            await process.wait()


async def feed(request: web.Request, stdin: asyncio.StreamWriter) -> None:
    """Hand the request's body to the backend, which may stop reading early."""
    try:
        async for chunk in request.content.iter_chunked(CHUNK_BYTES):
            stdin.write(chunk)
            await stdin.drain()
        stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return


async def read_head(stdout: asyncio.StreamReader, response: web.StreamResponse) -> None:
    """Give the response the status and headers of the backend's CGI answer, whose body is still to come."""
    while line := (await stdout.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            response.set_status(int(value.split()[0]))
        else:
            response.headers[name] = value.strip()
