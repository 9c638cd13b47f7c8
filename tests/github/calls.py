"""One API call inside the stand-in: what an operation is given, what it gives back, how it refuses."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.github.repository import Repository
    from tests.github.state import InstallationToken, State

DOCUMENTATION = "https://docs.github.com/rest"


class Refusal(Exception):  # noqa: N818 - it is an answer, no error of the stand-in
    """An answer that says no, in GitHub's words.

    `mistake` says that the caller did something wrong which no circumstance explains (a malformed body, a
    missing permission); it is recorded as a violation. An expired token or a pull request that is gone is
    no mistake: a correct client meets them too.
    """

    def __init__(self, status: int, message: str, errors: Sequence[Any] = (), *, mistake: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)
        self.mistake = mistake

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        errors = {"errors": self.errors} if self.errors else {}
        return {
            "message": self.message,
            **errors,
            "documentation_url": DOCUMENTATION,
            "status": str(self.status),
        }


class Moved(Refusal):
    """The answer for a repository that has another name now: 301 for what reads, 307 for what writes."""

    def __init__(self, location: str, *, reads: bool) -> None:
        super().__init__(301 if reads else 307, "Moved Permanently" if reads else "Temporary Redirect", mistake=False)
        self.location = location

    def body(self) -> dict[str, Any]:
        return {"message": self.message, "url": self.location, "documentation_url": DOCUMENTATION}


def not_found() -> Refusal:
    """GitHub's answer for what is not there, and for what the caller may not see."""
    return Refusal(404, "Not Found", mistake=False)


@dataclass(frozen=True)
class Call:
    """A validated, authenticated request for one operation."""

    state: "State"
    operation_id: str
    path: Mapping[str, Any]
    query: Mapping[str, Any]
    body: Any
    token: "InstallationToken | None"
    repository_found: "Repository | None" = None

    @property
    def repository(self) -> "Repository":
        """The repository that the path names; it is there and the caller may use it."""
        if self.repository_found is None:
            raise TypeError(f"{self.operation_id} names no repository in its path")
        return self.repository_found


@dataclass(frozen=True)
class Answer:
    """Status, JSON body (None: no body), and headers of one answer."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Answer]]


def page(call: Call, items: Sequence[Any], url: str) -> tuple[list[Any], dict[str, str]]:
    """The asked page of `items` and the `Link` header that leads to its neighbours.

    `per_page` is 30 unless the query says otherwise, `page` counts from 1 (docs.github.com, pagination).
    """
    size: int = call.query.get("per_page", 30)
    number: int = call.query.get("page", 1)
    last = max(1, -(-len(items) // size))
    places = {"prev": number - 1, "next": number + 1, "first": 1, "last": last}
    if number >= last:
        del places["next"], places["last"]
    if number <= 1:
        del places["prev"], places["first"]
    others = "".join(f"&{k}={v}" for k, v in call.query.items() if k not in ("page", "per_page"))
    links = [f'<{url}?page={n}&per_page={size}{others}>; rel="{rel}"' for rel, n in places.items()]
    return list(items[(number - 1) * size : number * size]), {"Link": ", ".join(links)} if links else {}
