"""`/api/v1/policies`: what an administrator decides about a repository, over what the instance has for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.api.answers import ACTOR, JSON, MERGE_PATCH, json_answer, known_answer, repository_in
from bot.api.body import read_object
from bot.api.preconditions import check_match, etag_of_body
from bot.api.problem import ProblemError
from draftsman.domain.policy import FIELDS, SWITCHES, PolicyError, RepoPolicy, policy_value
from draftsman.domain.profile_rules import MAX_ERRORS, FieldError
from draftsman.store import policies
from draftsman.store.database import Pool
from draftsman.store.policies import StoredPolicy

ROOT = "/api/v1/policies"

_LISTS = {"trusted": "logins and teams", "runs_on": "labels"}


@dataclass(frozen=True, slots=True)
class Policies:
    """The handlers, over one database. `defaults` is the instance's policy."""

    pool: Pool[Any]
    defaults: RepoPolicy

    async def read(self, request: web.Request) -> web.Response:
        """Answer the policy that is in force; every repository has one, whether it is known here or not."""
        return known_answer(request, self._shown(await policies.stored(self.pool, repository_in(request))))

    async def patch(self, request: web.Request) -> web.Response:
        """Set single fields (RFC 7396); null gives one back to the instance."""
        repo = repository_in(request)
        given = await read_object(request, (MERGE_PATCH, JSON))
        _check(given)
        return await self._change(request, repo, given)

    async def delete(self, request: web.Request) -> web.Response:
        """Let the instance's policy count for the repository again."""
        await self._change(request, repository_in(request), dict.fromkeys(FIELDS))
        return web.Response(status=204)

    async def _change(self, request: web.Request, repo: str, given: Mapping[str, Any]) -> web.Response:
        def how(before: StoredPolicy) -> Mapping[str, object]:
            check_match(request, f"the policy of {repo}", etag_of_body(self._shown(before)))
            return given

        body = self._shown(await policies.change(self.pool, repo, how, by=ACTOR))
        return json_answer(body, headers={"ETag": etag_of_body(body)})

    def _shown(self, policy: StoredPolicy) -> dict[str, Any]:
        return {**policy.document(self.defaults), "links": {"self": f"{ROOT}/{policy.repo}"}}


def _check(given: Mapping[str, Any]) -> None:
    """Raise ProblemError, 422, that names every wrong field. What people may write as text must be JSON here."""
    errors = []
    for name, value in given.items():
        try:
            if value is None and name in FIELDS:
                continue
            if name in SWITCHES and not isinstance(value, bool):
                raise PolicyError(name, "this must be true or false.")
            if name in _LISTS and not isinstance(value, list):
                raise PolicyError(name, f"this must be a list of {_LISTS[name]}.")
            policy_value(name, value)
        except PolicyError as error:
            errors.append(FieldError(error.field, f"{error.fault[0].upper()}{error.fault[1:]}"))
    if errors:
        raise ProblemError(422, "The policy is not kept: see each field's error.", errors=errors[:MAX_ERRORS])
