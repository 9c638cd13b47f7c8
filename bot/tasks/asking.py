"""Questions to GitHub that tasks have: what a ref names, who somebody is, what a pull request looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bot.github_error import GitHubError
from bot.payload import PayloadError, sha
from bot.tasks.desk import Desk, is_gone
from bot.trust import Permission, permission_of
from draftsman.domain.run import Ref, RefKind, Repository

READ_CONTENTS = {"contents": "read"}
READ_PULLS = {"pull_requests": "read"}
READ_METADATA = {"metadata": "read"}
READ_MEMBERS = {"members": "read"}

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")


async def head_of(desk: Desk, repository: Repository, ref: Ref, *, drafts: bool = True) -> str | None:
    """Return the commit that the ref names now, None where it names none: a branch that is gone, a closed pull request.

    Without `drafts`, one that is a draft names none, too. Raises GitHubError.
    """
    if ref.kind is RefKind.PULL_REQUEST:
        found = await pull(desk, repository, int(ref.name))
        if found is None or found.get("state") != "open" or (found.get("draft") is True and not drafts):
            return None
        return _sha(found, "head.sha")
    prefix = "tags" if ref.kind is RefKind.TAG else "heads"
    path = f"/repos/{repository.full_name}/git/ref/{prefix}/{quote(ref.name)}"
    try:
        answer = await desk.github.request(repository, READ_CONTENTS, "GET", path)
    except GitHubError as error:
        if is_gone(error):
            return None
        raise
    return _sha(answer.body, "object.sha")


async def pull(desk: Desk, repository: Repository, number: int) -> Mapping[str, Any] | None:
    """Return the pull request, None where there is none. Raises GitHubError."""
    path = f"/repos/{repository.full_name}/pulls/{number}"
    try:
        answer = await desk.github.request(repository, READ_PULLS, "GET", path)
    except GitHubError as error:
        if is_gone(error):
            return None
        raise
    if not isinstance(answer.body, Mapping):
        raise GitHubError("GitHub answered a pull request with something else.", status=502)
    return answer.body


async def permission(desk: Desk, repository: Repository, login: str) -> Permission:
    """Return what GitHub lets this person do in the repository. Raises GitHubError."""
    if not _LOGIN.fullmatch(login):
        return Permission.NONE
    path = f"/repos/{repository.full_name}/collaborators/{quote(login)}/permission"
    try:
        answer = await desk.github.request(repository, READ_METADATA, "GET", path)
    except GitHubError as error:
        if is_gone(error):
            return Permission.NONE
        raise
    body = answer.body if isinstance(answer.body, Mapping) else {}
    return permission_of(str(body.get("permission")), str(body.get("role_name")))


async def has_merged(desk: Desk, repository: Repository, login: str) -> bool | None:
    """Return whether a pull request of this person was merged here, None where GitHub does not say."""
    if not _LOGIN.fullmatch(login):
        return None
    name = f"app/{login.removesuffix('[bot]')}" if login.endswith("[bot]") else login
    query = {"q": f"repo:{repository.full_name} type:pr is:merged author:{name}", "per_page": "1"}
    try:
        answer = await desk.github.request(repository, READ_PULLS, "GET", "/search/issues", query=query)
    except GitHubError as error:
        # 422: an account that search does not know. Whatever else is refused for good leaves it unknown, too.
        if not error.transient:
            return None
        raise
    count = answer.body.get("total_count") if isinstance(answer.body, Mapping) else None
    return count > 0 if isinstance(count, int) else None


async def is_member(desk: Desk, repository: Repository, team: tuple[str, str], login: str) -> bool:
    """Return whether the person is in the team; not, where the App may not know. Raises GitHubError."""
    path = f"/orgs/{quote(team[0])}/teams/{quote(team[1])}/memberships/{quote(login)}"
    try:
        answer = await desk.github.request(repository, READ_MEMBERS, "GET", path)
    except GitHubError as error:
        if error.status in (403, 404, 422):
            return False
        raise
    return isinstance(answer.body, Mapping) and answer.body.get("state") == "active"


def _sha(body: Any, path: str) -> str:
    try:
        return sha(body if isinstance(body, Mapping) else {}, path)
    except PayloadError as error:
        raise GitHubError(f"GitHub answered without a commit: {error}.", status=502) from error
