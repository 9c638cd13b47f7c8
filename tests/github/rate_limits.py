"""The operation that tells a caller its rate limit."""

from tests.github.calls import Answer, Call, Handler


async def get_rate_limit(call: Call) -> Answer:
    caller = f"installation {call.token.installation.id}" if call.token else "app"
    limit = call.state.rate_limit(caller)
    core = {
        "limit": limit.limit,
        "remaining": limit.remaining,
        "reset": int(limit.reset),
        "used": limit.limit - limit.remaining,
    }
    return Answer({"resources": {"core": core, "search": core}, "rate": core})


OPERATIONS: dict[str, Handler] = {"rate-limit/get": get_rate_limit}
