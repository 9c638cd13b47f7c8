"""The HTTP side of the stand-in: every request is recorded, judged, authenticated, and answered like GitHub."""

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from tests.github import git_http
from tests.github.calls import Answer, Call, Handler, Moved, Refusal, not_found
from tests.github.description import Description, Operation, WrongRequestError
from tests.github.faults import Fault, Faults
from tests.github.permissions import NEEDS, Need
from tests.github.repository import Repository
from tests.github.requests import RecordedRequest, Violation
from tests.github.state import Account, InstallationToken, RateLimit, State
from tests.github.tokens import allows, check_app_jwt, find_token

API_VERSION = "2022-11-28"
# Where GitHub sends whoever uses the old name of a repository; its description does not have this path.
BY_ID = re.compile(r"/repositories/(\d+)(/.*)?")
MEDIA_TYPES = ("application/vnd.github+json", "application/vnd.github.v3+json")
# GitHub's own cap on a request body is not documented; check runs with full output and 50 annotations fit.
BODY_BYTES = 16 * 1024 * 1024


@dataclass
class Front:
    """Everything that answering a request needs. `prefix` is the API's path, `/api/v3` on Enterprise Server."""

    state: State
    description: Description
    handlers: Mapping[str, Handler]
    faults: Faults
    people: dict[str, Account]
    requests: list[RecordedRequest]
    violations: list[Violation]
    prefix: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request that is not for the control surface."""
        is_git = git_http.PATH.fullmatch(request.path) is not None
        # A git request is streamed to git; only an API request is read here.
        body = b"" if is_git else await request.read()
        record = RecordedRequest(
            request.method,
            request.path,
            dict(request.query),
            dict(request.headers),
            body,
            self.state.clock.now(),
        )
        self.requests.append(record)
        fault = self.faults.take(request.method, request.path, is_git=is_git)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        # Git's answer is streamed while git works: there, every fault comes first.
        after_work = fault is not None and fault.after_work and not is_git
        if fault and not after_work and (early := self._fail(request, record, fault)):
            return early
        response = await (self._git(request, record) if is_git else self._api(request, record))
        if fault and after_work:
            return self._fail(request, record, fault) or response
        record.status = response.status
        return response

    def _fail(self, request: web.Request, record: RecordedRequest, fault: Fault) -> web.Response | None:
        if fault.reset:
            if request.transport is not None:
                request.transport.abort()
            # Written to a closed connection: it goes nowhere.
            return web.Response(status=500)
        if fault.status is None:
            return None
        record.status = fault.status
        return self._respond(Answer(fault.body, fault.status, fault.headers), None)

    async def _git(self, request: web.Request, record: RecordedRequest) -> web.StreamResponse:
        try:
            wanted = git_http.read_request(request)
            if wanted is None:
                raise not_found()
            repository, pusher = git_http.authorize(self.state, wanted, self.people)
        except Refusal as refusal:
            self._note(record, refusal)
            headers = git_http.NEEDS_LOGIN if refusal.status == 401 else {}
            if isinstance(refusal, Moved):
                headers = {"Location": refusal.location}
            return web.Response(status=refusal.status, text=refusal.message, headers=headers)
        record.operation_id = f"git/{wanted.rest}"
        return await git_http.serve(request, wanted, repository, pusher)

    async def _api(self, request: web.Request, record: RecordedRequest) -> web.Response:
        limit: RateLimit | None = None
        try:
            operation, raw_path = self._match(request)
            record.operation_id = operation.id
            check_headers(request.headers)
            caller, token = self._authenticate(NEEDS[operation.id], request.headers.get("Authorization", ""))
            limit = self.state.rate_limit(caller, "search" if operation.id.startswith("search/") else "core")
            self._count(operation, caller, limit)
            call = self._read(operation, raw_path, request, record.body, token)
            answer = await self._answer(operation, call)
        except Refusal as refusal:
            self._note(record, refusal)
            headers = {"Location": refusal.location} if isinstance(refusal, Moved) else {}
            answer = Answer(refusal.body(), refusal.status, headers)
        return self._respond(answer, limit, request)

    def _match(self, request: web.Request) -> tuple[Operation, dict[str, str]]:
        raw = request.raw_path.partition("?")[0]
        found = None
        if raw.startswith(f"{self.prefix}/"):
            found = self.description.match(request.method, self._by_name(raw.removeprefix(self.prefix)))
        if found is None:
            raise Refusal(404, "Not Found: GitHub's description (or our cut of it) has no such operation")
        return found

    def _by_name(self, path: str) -> str:
        by_id = BY_ID.fullmatch(path)
        repository = by_id and self.state.repositories.get(int(by_id[1]))
        return f"/repos/{repository.full_name}{by_id[2] or ''}" if by_id and repository else path

    def _read(
        self,
        operation: Operation,
        raw_path: Mapping[str, str],
        request: web.Request,
        body: bytes,
        token: InstallationToken | None,
    ) -> Call:
        try:
            path = self.description.read_path(operation, raw_path)
        except WrongRequestError as wrong:
            raise Refusal(404, f"Not Found: {wrong}") from None
        repository = self._find_repository(path, NEEDS[operation.id], request, token)
        try:
            query = self.description.read_query(operation, request.query)
            content_type = request.headers.get("Content-Type", "")
            return Call(
                self.state,
                operation.id,
                path,
                query,
                self.description.read_body(operation, body, content_type),
                token,
                repository,
            )
        except WrongRequestError as wrong:
            status = 400 if any(p.startswith("Problems parsing JSON") for p in wrong.problems) else 422
            message = "Invalid request.\n\n" + "\n".join(wrong.problems)
            raise Refusal(status, message, wrong.problems) from None

    def _authenticate(self, need: Need, header: str) -> tuple[str, InstallationToken | None]:
        """A name for the caller, and the installation token if it has one. Raises `Refusal`."""
        scheme, _, credential = header.partition(" ")
        if need.caller == "anybody" and not header:
            return "anonymous", None
        if scheme.lower() not in ("bearer", "token") or not credential:
            raise Refusal(401, "Requires authentication")
        is_jwt = credential.count(".") == 2
        if need.caller == "app" or (need.caller == "anybody" and is_jwt):
            if scheme.lower() != "bearer":
                raise Refusal(401, "A JSON web token could not be decoded")
            check_app_jwt(credential, self.state.app, self.state.clock.now())
            return "app", None
        if is_jwt or need.caller == "user":
            raise Refusal(403, "Resource not accessible by integration")
        token = find_token(self.state, credential)
        return f"installation {token.installation.id}", token

    def _find_repository(
        self, path: Mapping[str, Any], need: Need, request: web.Request, token: InstallationToken | None
    ) -> Repository | None:
        if "owner" not in path:
            if token is not None:
                check_permission(token, need)
            return None
        repository = self.state.repository(path["owner"], path["repo"])
        if repository is None:
            raise self._moved(path["owner"], path["repo"], request, token)
        reads = request.method == "GET"
        if token is None or (reads and not repository.private):
            # The App itself may ask about any repository; anybody may read a public one.
            return repository
        if not token.covers(repository):
            # A mistake, unless the repository was within reach and was taken away.
            mistake = repository.id not in token.installation.lost
            raise Refusal(404, f"Not Found: the token does not cover {repository.full_name}", mistake=mistake)
        check_permission(token, need)
        return repository

    def _moved(self, owner: str, name: str, request: web.Request, token: InstallationToken | None) -> Refusal:
        """The way to where the repository of this old name is now; 404 for whoever may not see it."""
        repository = self.state.moved_repository(owner, name)
        if repository is None or (token is not None and repository.private and not token.covers(repository)):
            return not_found()
        raw = request.raw_path.removeprefix(f"{self.prefix}/repos/{owner}/{name}")
        return Moved(f"{self.state.addresses.api}/repositories/{repository.id}{raw}", reads=request.method == "GET")

    def _count(self, operation: Operation, caller: str, limit: RateLimit) -> None:
        if operation.id == "rate-limit/get":
            return
        if limit.remaining <= 0:
            raise Refusal(403, f"API rate limit exceeded for {caller}.", mistake=False)
        limit.remaining -= 1

    async def _answer(self, operation: Operation, call: Call) -> Answer:
        handler = self.handlers.get(operation.id)
        if handler is None:
            raise Refusal(501, f"The stand-in knows {operation.id} but does not implement it yet")
        answer = await handler(call)
        if problems := self.description.check_answer(operation, answer.status, answer.body):
            raise Refusal(500, "The stand-in's own answer breaks the description", problems)
        return answer

    def _note(self, record: RecordedRequest, refusal: Refusal) -> None:
        record.status = refusal.status
        if refusal.mistake:
            reason = "; ".join([refusal.message, *map(str, refusal.errors)])
            self.violations.append(Violation(replace(record), refusal.status, reason))

    def _respond(self, answer: Answer, limit: RateLimit | None, request: web.Request | None = None) -> web.Response:
        headers = {
            "Date": self.state.clock.http_date(),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": secrets.token_hex(12).upper(),
            "X-GitHub-Api-Version-Selected": API_VERSION,
            **(rate_limit_headers(limit) if limit else {}),
            **answer.headers,
        }
        if answer.body is None:
            return web.Response(status=answer.status, headers=headers)
        body = json.dumps(answer.body).encode()
        if request is not None and request.method == "GET" and answer.status == 200:
            etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
            headers["ETag"] = etag
            if request.headers.get("If-None-Match") == etag:
                if limit:
                    limit.remaining += 1  # A conditional request that changes nothing is free.
                return web.Response(status=304, headers=headers)
        return web.Response(
            status=answer.status, body=body, headers=headers, content_type="application/json", charset="utf-8"
        )


def check_permission(token: InstallationToken, need: Need) -> None:
    """Nothing, if the token may do it; raises `Refusal` (403) if not."""
    wanted = filter(None, (need.permission, need.alternative))
    if not any(allows(token.permissions, permission, need.level) for permission in wanted):
        raise Refusal(403, f"Resource not accessible by integration: needs {need.permission}: {need.level}")


def check_headers(headers: Mapping[str, str]) -> None:
    """Nothing, if the headers are those of a careful client; raises `Refusal` if not.

    GitHub itself demands the User-Agent only. The others pin what our own code was written against.
    """
    if not headers.get("User-Agent"):
        raise Refusal(
            403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
        )
    if headers.get("Accept", "").partition(";")[0].strip() not in MEDIA_TYPES:
        raise Refusal(415, f"Must accept '{MEDIA_TYPES[0]}', not {headers.get('Accept', '')!r}")
    if headers.get("X-GitHub-Api-Version") != API_VERSION:
        raise Refusal(400, f"Send the header X-GitHub-Api-Version: {API_VERSION}")


def rate_limit_headers(limit: RateLimit) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit.limit),
        "X-RateLimit-Remaining": str(max(0, limit.remaining)),
        "X-RateLimit-Used": str(limit.limit - limit.remaining),
        "X-RateLimit-Reset": str(int(limit.reset)),
        "X-RateLimit-Resource": limit.resource,
    }
