"""`/api/v1/profiles`: list, read, set and delete what a person said about a repository.

A person's fields win one by one; null, and what is left out of a PUT, is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web

from bot.api.answers import JSON, MERGE_PATCH, json_answer, page_answer, read_limit, repository_in
from bot.api.body import read_object
from bot.api.preconditions import check_match, is_known, stale
from bot.api.problem import ProblemError
from draftsman.domain.profile import PAIRS, RepoProfile
from draftsman.domain.profile_document import READ_ONLY, document
from draftsman.domain.profile_rules import FieldError, ProfileError, edited, replaced
from draftsman.store import profiles
from draftsman.store.database import Pool

ROOT = "/api/v1/profiles"

LARGEST_PAGE = 200
USUAL_PAGE = 50

ACTOR = "api"
"""Who the audit trail names: all who have the token are one."""

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Profiles:
    """The handlers, over one database."""

    pool: Pool[Any]

    async def listing(self, request: web.Request) -> web.Response:
        """Answer one page of profiles, in order of name, with the way to the next."""
        limit = read_limit(request, usual=USUAL_PAGE, largest=LARGEST_PAGE)
        found = await profiles.page(self.pool, after=request.query.get("after", ""), limit=limit + 1)
        following = {"limit": limit, "after": found[limit - 1].repo} if len(found) > limit else None
        return page_answer(request, ROOT, [_shown(profile) for profile in found[:limit]], following)

    async def read(self, request: web.Request) -> web.Response:
        """Answer one profile with its ETag; 304 where the client has it already."""
        profile = await self._found(request)
        if is_known(request, etag_of(profile)):
            return web.Response(status=304, headers={"ETag": etag_of(profile)})
        return _profile(profile)

    async def put(self, request: web.Request) -> web.Response:
        """Make the profile, or set exactly these fields; null and absent ones are inferred."""
        repo = repository_in(request)
        fields = _fields(await read_object(request, (JSON,)))
        setting = {name: value for name, value in fields.items() if value is not None}
        before = await profiles.get(self.pool, repo)
        check_match(request, _what(repo), None if before is None else etag_of(before), required=True)
        after = replaced(before or RepoProfile(repo), setting)
        if before is None:
            kept = await profiles.insert(self.pool, after, actor=ACTOR)
            if kept is None:
                raise await self._stale(repo)
            return _profile(kept, HTTPStatus.CREATED, {"Location": _address(kept)})
        kept = await profiles.update(self.pool, before, after, actor=ACTOR)
        if kept is None:
            raise await self._stale(repo)
        return _profile(kept)

    async def patch(self, request: web.Request) -> web.Response:
        """Set single fields (RFC 7396); null gives one back to inference."""
        fields = _fields(await read_object(request, (MERGE_PATCH, JSON)))

        def change(before: RepoProfile) -> RepoProfile:
            setting = {name: _merged(before, name, value) for name, value in fields.items() if value is not None}
            return edited(before, setting, [name for name, value in fields.items() if value is None])

        for _ in range(_TRIES):
            before = await self._found(request)
            check_match(request, _what(before.repo), etag_of(before))
            kept = await profiles.update(self.pool, before, change(before), actor=ACTOR)
            if kept is not None:
                return _profile(kept)
        raise ProblemError(503, "The profile is being changed all the time: try again in a moment.")

    async def delete(self, request: web.Request) -> web.Response:
        """Delete what a person set and what was inferred: the next run infers anew."""
        for _ in range(_TRIES):
            before = await self._found(request)
            check_match(request, _what(before.repo), etag_of(before))
            if await profiles.delete(self.pool, before, actor=ACTOR):
                return web.Response(status=204)
        raise ProblemError(503, "The profile is being changed all the time: try again in a moment.")

    async def _stale(self, repo: str) -> ProblemError:
        now = await profiles.get(self.pool, repo)
        return stale(_what(repo), None if now is None else etag_of(now))

    async def _found(self, request: web.Request) -> RepoProfile:
        repo = repository_in(request)
        profile = await profiles.get(self.pool, repo)
        if profile is None:
            if request.headers.get("If-Match"):
                raise stale(_what(repo), None)
            raise ProblemError(404, f"There is no profile of {repo} yet: PUT makes one, and so does its first run.")
        return profile


def etag_of(profile: RepoProfile) -> str:
    """Return the profile's ETag. It changes with each change that a GET shows, also across a deletion."""
    assert profile.id is not None
    return f'"{profile.id.hex[:12]}-{profile.version}"'


def _what(repo: str) -> str:
    return f"the profile of {repo}"


def _merged(before: RepoProfile, name: str, value: Any) -> Any:
    """Return the value that a merge patch makes: names with values merge one by one, everything else is replaced."""
    if name not in PAIRS or not isinstance(value, dict):
        return value
    kept = dict(cast(tuple[tuple[str, str], ...], before.explicit.get(name, ())))
    return {key: content for key, content in {**kept, **value}.items() if content is not None}


def _fields(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body, without members that are shown only. Raises ProfileError where one of them is sent."""
    shown = [name for name in body if name in READ_ONLY]
    if shown:
        raise ProfileError([FieldError(name, "This is shown only: leave it out of what you send.") for name in shown])
    return body


def _address(profile: RepoProfile) -> str:
    return f"{ROOT}/{profile.repo}"


def _shown(profile: RepoProfile) -> dict[str, Any]:
    return {**document(profile), "links": {"self": _address(profile)}}


def _profile(profile: RepoProfile, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return json_answer(_shown(profile), status, {"ETag": etag_of(profile), **(headers or {})})
