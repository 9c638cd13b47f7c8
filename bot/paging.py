"""Lists of GitHub that come in pages. Only a page's name is taken from an answer, never an address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bot.github import Answer
from bot.github_error import GitHubError

PER_PAGE = "100"
"""The most that GitHub gives at once."""

Ask = Callable[[Mapping[str, str]], Awaitable[Answer]]
"""Asks for the list with this query."""

_NEXT = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="next"')


def next_page(answer: Answer, parameter: str) -> str | None:
    """Return what `parameter` is in the address of the next page, None on the last page."""
    found = _NEXT.search(answer.headers.get("Link", ""))
    if found is None:
        return None
    try:
        values = parse_qs(urlsplit(found[1]).query).get(parameter, [])
    except ValueError:
        return None
    return values[0] if values else None


def items_of(answer: Answer, under: str | None = None) -> list[Mapping[str, Any]]:
    """Return the objects of one page, which are in the answer's field `under` where it is given. Raises GitHubError."""
    found = answer.body.get(under) if under is not None and isinstance(answer.body, Mapping) else answer.body
    if not isinstance(found, list):
        raise GitHubError("GitHub answered a list with something else.", status=502)
    return [item for item in found if isinstance(item, Mapping)]


async def pages(
    ask: Ask, query: Mapping[str, str] | None = None, *, under: str | None = None, most: int = 1000
) -> AsyncIterator[list[Mapping[str, Any]]]:
    """Yield the pages of a list whose pages are numbered, `most` at most. Raises GitHubError."""
    page = "1"
    for _ in range(most):
        answer = await ask({**(query or {}), "per_page": PER_PAGE, "page": page})
        yield items_of(answer, under)
        following = next_page(answer, "page")
        if following is None:
            return
        page = following
