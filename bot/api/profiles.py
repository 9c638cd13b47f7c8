"""`/api/v1/profiles`: list, read, set and delete what a person said about a repository.

A person's fields win one by one; null, and what is left out of a PUT, is inferred.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlencode

from aiohttp import web

from bot.api.body import read_object
from bot.api.preconditions import check_match, etag_of, is_known, stale
from bot.api.problem import ProblemError
from draftsman.domain.profile import PAIRS, RepoProfile
from draftsman.domain.profile_document import READ_ONLY, document
from draftsman.domain.profile_rules import FieldError, ProfileError, edited, is_repository, replaced
from draftsman.store import profiles
from draftsman.store.database import Pool

ROOT = "/api/v1/profiles"

LARGEST_PAGE = 200
USUAL_PAGE = 50

ACTOR = "api"
"""Who the audit trail names: all who have the token are one."""

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Profiles:
    """The handlers, over one database."""

    pool: Pool[Any]

    async def listing(self, request: web.Request) -> web.Response:
        """Answer one page of profiles, in order of name, with the way to the next."""
        limit = _limit(request.query.get("limit"))
        found = await profiles.page(self.pool, after=request.query.get("after", ""), limit=limit + 1)
        shown, more = found[:limit], len(found) > limit
        following = f"{ROOT}?{urlencode({'limit': limit, 'after': shown[-1].repo}, safe='/')}" if more else None
        body = {
            "items": [_shown(profile) for profile in shown],
            "links": {"self": str(request.rel_url), "next": following},
        }
        return _answer(body, headers={"Link": f'<{following}>; rel="next"'} if following else {})

    async def read(self, request: web.Request) -> web.Response:
        """Answer one profile with its ETag; 304 where the client has it already."""
        profile = await self._found(request)
        if is_known(request, profile):
            return web.Response(status=304, headers={"ETag": etag_of(profile)})
        return _profile(profile)

    async def put(self, request: web.Request) -> web.Response:
        """Make the profile, or set exactly these fields; null and absent ones are inferred."""
        repo = _repo(request)
        fields = _fields(await read_object(request, (JSON,)))
        setting = {name: value for name, value in fields.items() if value is not None}
        before = await profiles.get(self.pool, repo)
        check_match(request, before, required=True)
        after = replaced(before or RepoProfile(repo), setting)
        if before is None:
            kept = await profiles.insert(self.pool, after, actor=ACTOR)
            if kept is None:
                raise stale(await profiles.get(self.pool, repo))
            return _profile(kept, HTTPStatus.CREATED, {"Location": _address(kept)})
        kept = await profiles.update(self.pool, before, after, actor=ACTOR)
        if kept is None:
            raise stale(await profiles.get(self.pool, repo))
        return _profile(kept)

    async def patch(self, request: web.Request) -> web.Response:
        """Set single fields (RFC 7396); null gives one back to inference."""
        fields = _fields(await read_object(request, (MERGE_PATCH, JSON)))

        def change(before: RepoProfile) -> RepoProfile:
            setting = {name: _merged(before, name, value) for name, value in fields.items() if value is not None}
            return edited(before, setting, [name for name, value in fields.items() if value is None])

        for _ in range(_TRIES):
            before = await self._found(request)
            check_match(request, before)
            kept = await profiles.update(self.pool, before, change(before), actor=ACTOR)
            if kept is not None:
                return _profile(kept)
        raise ProblemError(503, "The profile is being changed all the time: try again in a moment.")

    async def delete(self, request: web.Request) -> web.Response:
        """Delete what a person set and what was inferred: the next run infers anew."""
        for _ in range(_TRIES):
            before = await self._found(request)
            check_match(request, before)
            if await profiles.delete(self.pool, before, actor=ACTOR):
                return web.Response(status=204)
        raise ProblemError(503, "The profile is being changed all the time: try again in a moment.")

    async def _found(self, request: web.Request) -> RepoProfile:
        repo = _repo(request)
        profile = await profiles.get(self.pool, repo)
        if profile is None:
            if request.headers.get("If-Match"):
                raise stale(None)
            raise ProblemError(404, f"There is no profile of {repo} yet: PUT makes one, and so does its first run.")
        return profile


def _merged(before: RepoProfile, name: str, value: Any) -> Any:
    """Return the value that a merge patch makes: names with values merge one by one, everything else is replaced."""
    if name not in PAIRS or not isinstance(value, dict):
        return value
    kept = dict(cast(tuple[tuple[str, str], ...], before.explicit.get(name, ())))
    return {key: content for key, content in {**kept, **value}.items() if content is not None}


def _repo(request: web.Request) -> str:
    repo = f"{request.match_info['owner']}/{request.match_info['repo']}"
    if not is_repository(repo):
        raise ProblemError(404, "No repository on GitHub can have this name: the address ends in OWNER/NAME.")
    return repo.lower()


def _fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body, without members that are shown only. Raises ProfileError where one of them is sent."""
    shown = [name for name in body if name in READ_ONLY]
    if shown:
        raise ProfileError([FieldError(name, "This is shown only: leave it out of what you send.") for name in shown])
    return body


def _limit(given: str | None) -> int:
    if given is None:
        return USUAL_PAGE
    if not (given.isascii() and given.isdigit() and len(given) < 6 and 1 <= int(given) <= LARGEST_PAGE):
        error = FieldError("limit", f"This must be a number from 1 to {LARGEST_PAGE}.")
        raise ProblemError(400, "The address has a wrong parameter.", errors=[error])
    return int(given)


def _address(profile: RepoProfile) -> str:
    return f"{ROOT}/{profile.repo}"


def _shown(profile: RepoProfile) -> dict[str, Any]:
    return {**document(profile), "links": {"self": _address(profile)}}


def _profile(profile: RepoProfile, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return _answer(_shown(profile), status, {"ETag": etag_of(profile), **(headers or {})})


def _answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=JSON, headers=dict(headers or {}))
