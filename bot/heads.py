"""Compares what GitHub's repositories look like with what the store knows, where deliveries may have been lost.

Looked at are the default branch and the open pull requests of each repository that is served, and whatever is not
checked to its end. A repository that was never seen runs its default branch once, and no backlog of pull requests.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from bot import unseen_events
from bot.github import Answer, GitHub
from bot.github_error import GitHubError
from bot.intake import Receiver, keep
from bot.introduction import note_installations
from bot.paging import pages
from bot.payload import Payload, PayloadError, at, flag, full_name, sha
from bot.spinning import finish_spinning
from bot.unseen_events import Event, Place
from bot.webhooks import wake_workers
from draftsman.domain.errors import DraftsmanError, HostError
from draftsman.domain.run import Ref, RefKind
from draftsman.store import heads, refs, repositories
from draftsman.store.database import DATABASE_AWAY

log = logging.getLogger(__name__)

READ = {"metadata": "read", "contents": "read", "pull_requests": "read"}

FIRST_CONTACTS = 20
"""Repositories of an installation that run at the first contact: an organization may have thousands."""

PULL_PAGES = 10
"""Pages of 100 open pull requests of one repository that are looked at, those that changed last first."""

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one repository, or of an account whose repositories could not be read.

    `missed` are sentences about events that never came, and about check runs that were left unfinished; `note` says why
    it was not looked at. `id` is the repository's, None for an account.
    """

    name: str
    id: int | None = None
    missed: tuple[str, ...] = ()
    note: str = ""
    error: DraftsmanError | None = None

    @property
    def transient(self) -> bool:
        """Return whether another try may succeed soon where this one failed."""
        return isinstance(self.error, GitHubError) and self.error.transient


async def compare(
    github: GitHub,
    receiver: Receiver,
    *,
    since: datetime | None = None,
    only: str | None = None,
    skip: Collection[int] = (),
) -> AsyncIterator[Compared]:
    """Find the heads that no event told of, and keep the events that should have; yield what came of each repository.

    `since` leaves out what did not change after it; `only` is one OWNER/NAME; `skip` holds ids of repositories that
    were looked at already. One that is broken does not stop the others. Raises GitHubError where GitHub does not say
    where the App is installed, and what Postgres raises.
    """
    for installed in await note_installations(github, receiver.pool):
        if installed.suspended or (only and only.lower().partition("/")[0] != installed.account.lower()):
            continue
        look = _Look(github, receiver, installed.id)
        try:
            async for found in _installation(look, since=since, only=only, skip=skip):
                yield found
        except GitHubError as error:
            yield Compared(installed.account, error=error)


async def first_contact(
    github: GitHub, receiver: Receiver, installation_id: int, repositories: Sequence[str] | None
) -> list[Compared]:
    """Run the default branch of these OWNER/NAMEs of an installation once, or of all (None).

    Only the FIRST_CONTACTS that were pushed to last; the others run when something happens there. An empty repository
    has nothing to run, and one that is not served is left alone. Doing it twice does nothing more. Raises GitHubError
    where it should be tried again.
    """
    look = _Look(github, receiver, installation_id)
    wanted = None if repositories is None else {name.lower() for name in repositories}
    places = [place for place in await look.places() if wanted is None or _name(place).lower() in wanted]
    served = await look.served(places)
    first = _newest([place for place in places if _name(place) in served])
    results = [await _examined(look, place, seen_at=None, since=None) for place in first]
    for result in results:
        if result.error is not None and result.transient:
            raise result.error
    return results


@dataclass(frozen=True, slots=True)
class _Look:
    """What looking at the repositories of one installation needs."""

    github: GitHub
    receiver: Receiver
    installation_id: int

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Read something. Raises GitHubError."""
        return await self.github.installation_request(self.installation_id, READ, "GET", path, query=query)

    async def found(self, path: str) -> Payload | None:
        """Return the object at the path, None where there is none. Raises GitHubError."""
        try:
            answer = await self.get(path)
        except GitHubError as error:
            if error.status in (404, 410):
                return None
            raise
        if not isinstance(answer.body, Mapping):
            raise GitHubError(f"GitHub answered {path} with something else.", status=502)
        return answer.body

    async def places(self) -> list[Place]:
        """Return the repositories that can be checked. Raises GitHubError."""
        listed = pages(lambda query: self.get("/installation/repositories", query), under="repositories")
        places = [Place(item, self.installation_id) async for page in listed for item in page]
        return [place for place in places if _is_usable(place)]

    async def served(self, places: Sequence[Place]) -> set[str]:
        """Return the names of those that this instance serves."""
        admission = self.receiver.rules.admission
        return await heads.admitted(
            self.receiver.pool,
            [_name(place) for place in places],
            self.installation_id,
            allow=admission.allow,
            deny=admission.deny,
        )


def _is_usable(place: Place) -> bool:
    try:
        _ = _name(place), place.id, place.default_branch
        # GitHub takes no check runs there.
        closed = any(flag(place.repository, name, absent=False) for name in ("archived", "disabled"))
    except PayloadError as error:
        log.warning("a repository of installation %s is left out: %s", place.installation_id, error)
        return False
    return not closed


def _name(place: Place) -> str:
    return full_name(place.repository, "full_name")


def _newest(places: Sequence[Place]) -> list[Place]:
    by_push = sorted(places, key=lambda place: _time(place.repository, "pushed_at") or _EPOCH, reverse=True)
    return by_push[:FIRST_CONTACTS]


def _time(payload: Payload, path: str) -> datetime | None:
    found = at(payload, path)
    try:
        return datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return None


async def _installation(
    look: _Look, *, since: datetime | None, only: str | None, skip: Collection[int]
) -> AsyncIterator[Compared]:
    pool = look.receiver.pool
    places = [place for place in await look.places() if only is None or _name(place).lower() == only.lower()]
    served = await look.served(places)
    seen = await heads.first_seen(pool, [place.id for place in places])
    first = {place.id for place in _newest([p for p in places if _is_first(p, seen, since) and _name(p) in served])}
    for place in places:
        if place.id in skip:
            continue
        if _name(place) not in served:
            yield Compared(_name(place), place.id, note="not served by this Draftsman")
        elif place.id in seen or place.id in first:
            yield await _examined(look, place, seen_at=seen.get(place.id), since=since)
        else:
            yield Compared(_name(place), place.id, note="never seen: it runs when something happens there")


def _is_first(place: Place, seen: Mapping[int, datetime], since: datetime | None) -> bool:
    if place.id in seen:
        return False
    # In an installation that is known, those that were left at the first contact are left until they change.
    return since is None or not seen or (_time(place.repository, "pushed_at") or _EPOCH) >= since


async def _examined(look: _Look, place: Place, *, seen_at: datetime | None, since: datetime | None) -> Compared:
    """Return what came of the repository. Raises GitHubError where a limit holds for the whole installation."""
    missed: list[str] = []
    looked: list[str] = []
    error: DraftsmanError | None = None
    try:
        async for event in _events(look, place, looked, seen_at=seen_at, since=since):
            received = await keep(look.receiver, *event)
            if not received.duplicate:
                missed.append(received.decision.text)
                log.info("%s, an event that never came: %s", _name(place), received.decision.text)
            if received.run_id is not None:
                await wake_workers(look.receiver.wake)
        missed += await _spinning(look, place, looked)
    except GitHubError as refused:
        if refused.limited:
            raise
        error = refused
    except DATABASE_AWAY:
        raise
    except DraftsmanError as broken:
        error = broken
    except Exception as broken:
        # What Postgres refuses, or a defect of ours: with this one repository only.
        log.exception("%s could not be compared", _name(place))
        error = HostError(f"it could not be compared: {broken!r}")
    if error is not None:
        log.warning("%s: %s", _name(place), error)
    return Compared(_name(place), place.id, missed=tuple(missed), error=error)


async def _spinning(look: _Look, place: Place, heads_looked_at: Sequence[str]) -> list[str]:
    pool = look.receiver.pool
    repository = await repositories.get(pool, place.id)
    if repository is None:
        return []
    found = [await finish_spinning(look.github, pool, repository, sha) for sha in dict.fromkeys(heads_looked_at)]
    return [sentence for sentences in found for sentence in sentences]


async def _events(
    look: _Look, place: Place, looked: list[str], *, seen_at: datetime | None, since: datetime | None
) -> AsyncIterator[Event]:
    """Yield the events that never came. `seen_at` is None for a repository that was never seen.

    The commits that were looked at are appended to `looked`.
    """
    default = place.default_branch
    under_way = await heads.under_way(look.receiver.pool, place.id)
    branch = await _branch(look, place, default)
    if branch is not None:
        looked.append(unseen_events.head_of_branch(branch))
        if event := await _push(look, place, branch):
            yield event
    if seen_at is None:
        return
    floor = max(seen_at, since or seen_at).replace(microsecond=0)
    is_open = set()
    async for pull in _open_pulls(look, place, floor):
        is_open.add(unseen_events.ref_of_pull(pull))
        looked.append(sha(pull, "head.sha"))
        if event := await _pull(look, place, pull):
            yield event
    for ref, known in under_way:
        if ref in is_open or ref == Ref(RefKind.BRANCH, default):
            continue
        if ref.kind is RefKind.PULL_REQUEST:
            found = await look.found(f"/repos/{_name(place)}/pulls/{ref.name}")
            if found is not None and at(found, "state") == "closed":
                yield unseen_events.pull_closed(place, found)
        elif (moved := await _branch(look, place, ref.name)) is None:
            yield unseen_events.branch_deleted(place, ref.name, before=known)
        elif event := await _push(look, place, moved):
            yield event


async def _branch(look: _Look, place: Place, name: str) -> Payload | None:
    return await look.found(f"/repos/{_name(place)}/branches/{quote(name, safe='')}")


async def _push(look: _Look, place: Place, branch: Payload) -> Event | None:
    ref, head_sha = Ref(RefKind.BRANCH, str(at(branch, "name"))), unseen_events.head_of_branch(branch)
    checked = await heads.checked(look.receiver.pool, place.id, ref, head_sha)
    if checked.done:
        return None
    before = await refs.head_at(look.receiver.pool, place.id, ref, at=datetime.now(UTC))
    return unseen_events.pushed(place, branch, before=before, since=checked.since)


async def _open_pulls(look: _Look, place: Place, floor: datetime) -> AsyncIterator[Payload]:
    """Yield the open pull requests that changed since the floor, that which changed last first."""
    query = {"state": "open", "sort": "updated", "direction": "desc"}
    path = f"/repos/{_name(place)}/pulls"
    async for page in pages(lambda asked: look.get(path, asked), query, most=PULL_PAGES):
        for pull in page:
            if (_time(pull, "updated_at") or floor) < floor:
                return
            yield pull


async def _pull(look: _Look, place: Place, pull: Payload) -> Event | None:
    ref = unseen_events.ref_of_pull(pull)
    checked = await heads.checked(look.receiver.pool, place.id, ref, sha(pull, "head.sha"))
    if checked.done:
        return None
    before = await refs.head_at(look.receiver.pool, place.id, ref, at=datetime.now(UTC))
    return unseen_events.pull_moved(place, pull, before=before, since=checked.since)
