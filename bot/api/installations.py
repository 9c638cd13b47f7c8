"""`/api/v1/installations`: where the App is installed, and who of them is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.api.answers import ACTOR, json_answer, known_answer, read_number
from bot.api.body import check_members, read_object
from bot.api.problem import ProblemError
from draftsman.steering import Steering
from draftsman.store import installations
from draftsman.store.installations import Installation

ROOT = "/api/v1/installations"

DECISIONS = ("approved", "refused")
"""What `state` may be set to; until then it is `pending`."""

_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Installations:
    """The handlers."""

    steering: Steering

    async def listing(self, request: web.Request) -> web.Response:
        """Answer all installations, the oldest first."""
        found = await installations.everywhere(self.steering.pool)
        return known_answer(request, {"items": [_shown(one) for one in found], "links": {"self": ROOT}})

    async def put_state(self, request: web.Request) -> web.Response:
        """Let an installation be served, or not any more."""
        number = read_number(request.match_info["id"], largest=_LARGEST_ID)
        given = await read_object(request)
        check_members(given, {"state": _check_state}, needed=("state",))
        decided = None
        if number is not None:
            decided = await self.steering.decide(number, approved=given["state"] == "approved", by=ACTOR)
        if decided is None:
            raise ProblemError(404, f"There is no such installation: GET {ROOT} lists them.")
        return json_answer(_shown(decided))


def _check_state(given: object) -> str:
    return "" if given in DECISIONS else " or ".join(DECISIONS)


def _shown(one: Installation) -> dict[str, Any]:
    return {**one.document(), "links": {"state": f"{ROOT}/{one.id}/state"}}
