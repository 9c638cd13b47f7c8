"""Who is calling: App JWTs and installation tokens, checked as GitHub checks them."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from tests.github.calls import Refusal
from tests.github.installations import Installation
from tests.github.state import TOKEN_LIFE_SECONDS, App, InstallationToken, State

JWT_LIFE_SECONDS = 600
CLOCK_SKEW_SECONDS = 60
LEVELS = ("read", "write", "admin")


def check_app_jwt(encoded: str, app: App, now: float) -> None:
    """Nothing, if this JWT proves to be the App; raises `Refusal` (401) with GitHub's message if not.

    RS256; `iss` is the App's id or client id; `exp` at most 10 minutes ahead; `iat` not in the future but for
    60 s of drift (docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App").
    """
    try:
        claims = jwt.decode(
            encoded,
            app.private_key.public_key(),
            algorithms=["RS256"],
            options={"verify_signature": True, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidTokenError:
        raise Refusal(401, "A JSON web token could not be decoded") from None
    if str(claims.get("iss")) not in (str(app.id), app.client_id):
        raise Refusal(401, "'Issuer' claim ('iss') must be the App's id or client id")
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or issued > now + CLOCK_SKEW_SECONDS:
        raise Refusal(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )
    if not isinstance(expires, int) or expires <= now:
        raise Refusal(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which "
            "the assertion expires",
        )
    if expires > now + JWT_LIFE_SECONDS:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")


def find_token(state: State, text: str) -> InstallationToken:
    """The installation token with this text; raises `Refusal` 401 if it is unknown or over, 403 if suspended.

    A token that was right once is no mistake of the caller: time passes and installations go.
    """
    token = state.tokens.get(text)
    if token is None:
        raise Refusal(401, "Bad credentials")
    if token.revoked or token.expires_at <= state.clock.now():
        raise Refusal(401, "Bad credentials", mistake=False)
    if token.installation.id not in state.installations:
        raise Refusal(401, "Bad credentials", mistake=False)
    if token.installation.suspended_at:
        raise Refusal(403, "This installation has been suspended", mistake=False)
    return token


def allows(granted: Mapping[str, str], permission: str, level: str) -> bool:
    """Whether the granted permissions contain this one at this level or above."""
    have = granted.get(permission)
    # Everybody who may see a repository at all may read its metadata.
    if permission == "metadata" and level == "read":
        return True
    return have is not None and LEVELS.index(have) >= LEVELS.index(level)


def issue_token(state: State, installation: Installation, wanted: Mapping[str, Any]) -> InstallationToken:
    """A new token of the installation, narrowed to the repositories and permissions of the request body.

    Raises `Refusal` (422) if the body asks for more than the installation has.
    """
    if installation.suspended_at:
        raise Refusal(403, "This installation has been suspended", mistake=False)
    if "repositories" in wanted and "repository_ids" in wanted:
        raise Refusal(422, "Name the repositories by name or by id, not both")
    permissions: Mapping[str, str] = wanted.get("permissions") or installation.permissions
    for permission, level in permissions.items():
        if not allows(installation.permissions, permission, level):
            raise Refusal(422, "The permissions requested are not granted to this installation.")
    token = InstallationToken(
        token="ghs_" + secrets.token_urlsafe(27).replace("-", "a").replace("_", "b"),
        installation=installation,
        permissions={"metadata": "read", **permissions},
        repository_ids=narrowed_ids(state, installation, wanted.get("repositories"), wanted.get("repository_ids")),
        expires_at=float(int(state.clock.now()) + TOKEN_LIFE_SECONDS),
    )
    state.tokens[token.token] = token
    return token


def narrowed_ids(
    state: State, installation: Installation, names: Sequence[str] | None, ids: Sequence[int] | None
) -> frozenset[int] | None:
    """The ids of the repositories asked for, None if all; names are without the owner."""
    covered = {repo.id: repo.name.lower() for repo in state.repositories_of(installation)}
    if names is not None:
        by_name = {name: number for number, name in covered.items()}
        wanted: set[int | str] = {by_name.get(name.lower(), name.lower()) for name in names}
    elif ids is not None:
        wanted = set(ids)
    else:
        return None
    missing = wanted - covered.keys()
    if missing or not wanted:
        raise Refusal(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
            # What was within reach and is gone is no mistake.
            mistake=not wanted or not missing <= gone(state, installation),
        )
    if len(wanted) > 500:
        raise Refusal(422, "A token can be narrowed to at most 500 repositories")
    return frozenset(number for number in wanted if isinstance(number, int))


def gone(state: State, installation: Installation) -> set[int | str]:
    """Ids and names (lower case) of the repositories that the installation covered once, and does no more."""
    lost = [state.any_repository(number) for number in installation.lost]
    deleted = [repo for repo in state.deleted_repositories.values() if installation.covers(repo)]
    found = {repo.id: repo.name.lower() for repo in [*lost, *deleted]}
    moved = {name.partition("/")[2] for name in state.moved_repositories}
    return {*found, *found.values(), *moved}
