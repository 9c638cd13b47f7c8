"""The operation that tells a caller its rate limit."""

from tests.github.calls import Answer, Call, Handler
from tests.github.state import RateLimit


async def get_rate_limit(call: Call) -> Answer:
    caller = f"installation {call.token.installation.id}" if call.token else "app"
    core, search = (rate(call.state.rate_limit(caller, resource)) for resource in ("core", "search"))
    return Answer({"resources": {"core": core, "search": search}, "rate": core})


def rate(limit: RateLimit) -> dict[str, int]:
    used = limit.limit - limit.remaining
    return {"limit": limit.limit, "remaining": limit.remaining, "reset": int(limit.reset), "used": used}


OPERATIONS: dict[str, Handler] = {"rate-limit/get": get_rate_limit}
