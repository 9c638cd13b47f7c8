"""ETag, If-Match and If-None-Match of a profile (RFC 9110, section 13): two editors do not overwrite each other."""

from __future__ import annotations

import re

from aiohttp import web

from bot.api.problem import ProblemError
from draftsman.domain.profile import RepoProfile

_TAGS = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_TAG = re.compile(r'(W/)?("[^"]*")')


def etag_of(profile: RepoProfile) -> str:
    """Return the profile's ETag. It changes with each change that a GET shows, also across a deletion."""
    assert profile.id is not None
    return f'"{profile.id.hex[:12]}-{profile.version}"'


def is_known(request: web.Request, profile: RepoProfile) -> bool:
    """Return whether the client has this version already (If-None-Match)."""
    given = _header(request, "If-None-Match")
    return given == "*" or etag_of(profile) in [tag for _, tag in _tags(given, "If-None-Match")]


def check_match(request: web.Request, profile: RepoProfile | None, *, required: bool = False) -> None:
    """Check If-Match, and If-None-Match of a request that changes something.

    Raises ProblemError: 412 where the profile is not the one that the client read, 428 where `required` and it is
    there but the client does not say which one it read, 400 for headers that are malformed.
    """
    given = _header(request, "If-Match")
    if given and given != "*":
        strong = [tag for weak, tag in _tags(given, "If-Match") if not weak]
        if profile is None or etag_of(profile) not in strong:
            raise stale(profile)
    if given == "*" and profile is None:
        raise stale(profile)
    if profile is None:
        return
    if is_known(request, profile):
        raise ProblemError(412, f"There is a profile of {profile.repo} already: read it, and send If-Match.")
    if required and not given:
        raise ProblemError(
            428, f"There is a profile of {profile.repo}: read it, and send its ETag as If-Match with the change."
        )


def stale(profile: RepoProfile | None) -> ProblemError:
    """Return the problem of a client that read another version than there is now."""
    if profile is None:
        return ProblemError(412, "There is no such profile any more: send the request without If-Match to make one.")
    return ProblemError(
        412,
        f"The profile of {profile.repo} was changed since you read it: read it again, and make your change there.",
        headers={"ETag": etag_of(profile)},
    )


def _header(request: web.Request, name: str) -> str:
    return ",".join(request.headers.getall(name, ())).strip()


def _tags(header: str, name: str) -> list[tuple[str, str]]:
    """Return (`W/` or nothing, tag) of each entity tag."""
    if not header or header == "*":
        return []
    if len(header) > 2000 or not _TAGS.fullmatch(header):
        raise ProblemError(400, f'{name} must be `*`, or ETags in double quotes such as "0123456789ab-4".')
    return _TAG.findall(header)
