"""GitHub, as far as Draftsman uses it: an App with its key, repositories, checks, webhooks, git, on one port.

async with GitHubStandIn.start() as github:
    github.webhook_url = "http://127.0.0.1:3000/webhooks/github"
    github.auto_deliver = True
    widgets = await github.create_repository("acme/widgets", files={"a.py": "x = 1\\n"})
    sha = await widgets.commit({"a.py": "x = 2\\n"}, branch="feature")
    pull = await widgets.open_pull("Count to two", head="feature")
    ...
    assert [run.status for run in github.check_run_history("Draftsman / fast", sha)] == [...]
    github.assert_no_violations()
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.github import (
    apps,
    checks,
    comment_api,
    control,
    deliveries,
    manifest,
    payloads,
    people,
    rate_limits,
    refs,
    repositories,
    search,
)
from tests.github.announcements import Announcements
from tests.github.announcer import RefUpdate
from tests.github.app import BODY_BYTES, Front
from tests.github.check_buttons import CheckButtons
from tests.github.checks import CheckRun, Checks
from tests.github.clock import Clock
from tests.github.comments import Comment, comments_on
from tests.github.deliveries import Delivery, DeliveryLog
from tests.github.description import load_description
from tests.github.faults import Faults
from tests.github.git_repository import Files, GitRepository
from tests.github.installations import Installation
from tests.github.misbehaviour import BadLuck, DeliveryOdds, RequestOdds
from tests.github.outbox import Outbox
from tests.github.pulls import Pull
from tests.github.render import render_check_run
from tests.github.repository import Repository
from tests.github.requests import RecordedRequest, Violation
from tests.github.shapes import Json
from tests.github.state import Addresses, App, State


class GitHubStandIn(CheckButtons):
    """A running stand-in; make one with `GitHubStandIn.start()`."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, address: str, prefix: str) -> None:
        self._folder = folder
        self.clock = Clock()
        self.state = State(self.clock, Addresses(api=address + prefix, web=address))
        self.checks = Checks()
        self.faults = Faults()
        self.requests: list[RecordedRequest] = []
        self.violations: list[Violation] = []
        self._log = DeliveryLog(self.state, session)
        self.manifests = manifest.Manifests(self.state, self._log)
        self._outbox = Outbox(self.state, self._log)
        self._announcements = Announcements(self.state, self.checks, self._outbox)
        self.state.announcer = self._announcements
        self.front = Front(
            state=self.state,
            description=load_description(),
            handlers={
                **apps.OPERATIONS,
                **repositories.OPERATIONS,
                **rate_limits.OPERATIONS,
                **comment_api.OPERATIONS,
                **people.OPERATIONS,
                **refs.OPERATIONS,
                **search.OPERATIONS,
                **checks.operations(self.checks),
                **deliveries.operations(self._log),
                **self.manifests.operations(),
            },
            faults=self.faults,
            people={},
            requests=self.requests,
            violations=self.violations,
            prefix=prefix,
        )

    @classmethod
    @asynccontextmanager
    async def start(
        cls, host: str = "127.0.0.1", port: int = 0, *, prefix: str = "", public_host: str | None = None
    ) -> AsyncIterator[GitHubStandIn]:
        """A stand-in that listens until the block ends; port 0 takes a free one.

        `prefix` is the API's path (`/api/v3` as on Enterprise Server, default none). `public_host` is the
        host in the addresses that it gives out, where clients cannot reach `host` by that name.
        """
        with tempfile.TemporaryDirectory(prefix="github-stand-in-") as folder:
            async with aiohttp.ClientSession() as session:
                server = web.Application(client_max_size=BODY_BYTES)
                runner = web.AppRunner(server, access_log=None, shutdown_timeout=1)
                github: list[GitHubStandIn] = []

                async def answer(request: web.Request) -> web.StreamResponse:
                    return await github[0].front.handle(request)

                server.add_routes(control.routes(lambda: github[0]))
                server.add_routes(manifest.routes(lambda: github[0]))
                server.router.add_route("*", "/{path:.*}", answer)
                await runner.setup()
                try:
                    site = web.TCPSite(runner, host, port)
                    await site.start()
                    bound = runner.addresses[0][1]
                    address = f"http://{public_host or host}:{bound}"
                    github.append(cls(Path(folder), session, address, prefix))
                    yield github[0]
                finally:
                    if github:
                        await github[0]._outbox.close()
                    await runner.cleanup()

    # What a Draftsman is told about it.

    @property
    def url(self) -> str:
        """The web (and git) address; the API's is `api_url`."""
        return self.state.addresses.web

    @property
    def server_url(self) -> str:
        """For `GITHUB_SERVER_URL`."""
        return self.state.addresses.web

    @property
    def api_url(self) -> str:
        """For `GITHUB_API_URL`."""
        return self.state.addresses.api

    @property
    def app(self) -> App:
        """The App: id, client id, private key (PEM), webhook secret, permissions, events."""
        return self.state.app

    @property
    def webhook_url(self) -> str | None:
        return self.app.webhook_url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.app.webhook_url = url

    @property
    def auto_deliver(self) -> bool:
        """Whether pushes and pull requests make deliveries by themselves."""
        return self._announcements.auto_deliver

    @auto_deliver.setter
    def auto_deliver(self, wanted: bool) -> None:
        self._announcements.auto_deliver = wanted

    @property
    def own_checks(self) -> bool:
        """Whether the App hears of its own check runs too (created, completed), as it does at GitHub."""
        return self._announcements.own_checks

    @own_checks.setter
    def own_checks(self, wanted: bool) -> None:
        self._announcements.own_checks = wanted

    # What a test does.

    async def create_repository(
        self,
        full_name: str,
        *,
        private: bool = True,
        files: Files | None = None,
        default_branch: str = "main",
        parent: Repository | None = None,
        install: bool = True,
    ) -> Repository:
        """A new repository, with a first commit if `files` are given or `parent` (a fork takes its branches).

        `install` puts the App on the owner's account, unless it is there; the owner of a fork usually has
        not got it. The first commit is older than any webhook: nothing is delivered for it.
        """
        owner, _, name = full_name.partition("/")
        if self.state.repository(owner, name) is not None:
            raise ValueError(f"{full_name} is there already; choose another name")
        number = self.state.next_id()
        # Numbered, since the name of a repository that was renamed or deleted is free for another one.
        git = GitRepository(self._folder / owner.lower() / f"{name.lower()}-{number}.git")
        await git.create(default_branch)
        account = self.state.account(owner, "Organization" if parent is None else "User")
        repository = Repository(
            id=number,
            owner=account,
            name=name,
            private=private,
            git=git,
            state=self.state,
            created_at=self.clock.timestamp(),
            default_branch=default_branch,
            parent=parent,
        )
        if parent is not None:
            await git.fetch(parent.git.folder, ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])
        if files is not None:
            signature = repository.signature(self.state.account("octocat"))
            ref = f"refs/heads/{default_branch}"
            await git.commit(ref, files, message=f"Start {full_name}", author=signature, parent=await git.head(ref))
        self.state.repositories[repository.id] = repository
        if install and self.state.installation_of(repository) is None:
            self.state.install(owner)
        return repository

    async def fork(self, repository: Repository, owner: str) -> Repository:
        """A person's fork of the repository, with all its branches; the App is not installed there."""
        full_name = f"{owner}/{repository.name}"
        return await self.create_repository(full_name, private=repository.private, parent=repository, install=False)

    async def install(
        self,
        account: str,
        *,
        repositories: list[Repository] | None = None,
        permissions: Mapping[str, str] | None = None,
        by: str = "octocat",
    ) -> Installation:
        """The App's new installation; by default on all repositories, with all that the App asks for.

        `installation.created` is delivered for it (for one that `create_repository` makes, nothing is).
        """
        ids = None if repositories is None else {repository.id for repository in repositories}
        installation = self.state.install(account, repository_ids=ids, permissions=permissions)
        await self._announcements.installation_changed(installation, "created", self.state.account(by))
        return installation

    def installation(self, repository: Repository) -> Installation:
        """The installation that covers the repository. Raises `LookupError` if there is none."""
        installation = self.state.installation_of(repository)
        if installation is None:
            raise LookupError(f"the App is not installed on {repository.full_name}")
        return installation

    def add_team(self, organization: str, slug: str, members: Iterable[str]) -> None:
        """Make a team of these people; the first is its maintainer. It replaces a team of the same name."""
        logins = [self.state.account(login).login.lower() for login in members]
        roles = {login: "member" if number else "maintainer" for number, login in enumerate(logins)}
        self.state.teams[organization.lower(), slug.lower()] = roles

    def add_person(self, login: str, password: str | None = None) -> str:
        """The password (a new one, if none is given) with which this person may push to every repository over HTTP."""
        password = password or "ghp_" + secrets.token_hex(18)
        self.front.people[password] = self.state.account(login)
        return password

    def installation_id(self, repository: Repository) -> int:
        """The id of the installation that covers the repository. Raises `LookupError` if there is none."""
        return self.installation(repository).id

    def misbehave(
        self, seed: int, *, deliveries: Mapping[str, Any] | None = None, requests: Mapping[str, Any] | None = None
    ) -> None:
        """Have bad days from now on, the same ones for the same seed.

        `deliveries` are fields of `DeliveryOdds` (drop, lose_answer, duplicate, delay, delay_seconds, window),
        `requests` of `RequestOdds` (limited, too_many, broken, broken_after, reset, reset_after, slow, ...).
        Only what happens by itself suffers: `deliver`, `ping` and redeliveries work as ever, and so does git.
        """
        if deliveries is not None:
            self._outbox.misbehave(DeliveryOdds(**deliveries), seed)
        if requests is not None:
            self.faults.luck = BadLuck(RequestOdds(**requests), seed)

    async def behave(self) -> None:
        """Have good days again; what was held back is sent first, and has arrived when this returns."""
        self.faults.luck = None
        await self._outbox.behave()

    async def settle(self) -> None:
        """Wait for the deliveries that the App's own requests caused (people's have arrived already)."""
        await self._outbox.settle()

    def forget_deliveries(self) -> None:
        """Empty the list of deliveries that the API shows, as three days do; `deliveries` keeps them."""
        self._log.forget()

    async def deliver(self, event: str, payload: Json, *, to: str | None = None) -> Delivery:
        """The finished delivery of this payload to `to` (default: the App's webhook URL)."""
        target = to or self.webhook_url
        if target is None:
            raise ValueError("say where to deliver: set webhook_url or pass to=")
        return await self._log.deliver(event, payload, to=target)

    async def ping(self, *, to: str | None = None) -> Delivery:
        """The delivery of a ping."""
        return await self.deliver("ping", payloads.ping(self.state), to=to)

    async def push_payload(
        self, repository: Repository, ref: str, *, before: str | None, after: str | None, forced: bool = False
    ) -> Json:
        """The payload of a push of `ref` (`refs/heads/main`); None where the ref was or is not there."""
        update = RefUpdate(ref, before, after, forced, self.state.account("octocat"))
        return await payloads.push(repository, update, self.state.installation_of(repository))

    async def pull_payload(self, pull: Pull, action: str, *, before: str | None = None) -> Json:
        """The payload of `pull_request` with this action; `before` is the old head of a `synchronize`."""
        installation = self.state.installation_of(pull.repository)
        return await payloads.pull_request(pull, action, pull.user, installation, before)

    def installation_payload(self, installation: Installation, action: str) -> Json:
        """The payload of `installation`: created, deleted, suspend, unsuspend."""
        sender = self.state.account("octocat")
        return payloads.installation_event(self.state, installation, action, sender)

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """The same delivery once more, with the same GUID."""
        return await self._log.redeliver(delivery)

    # What a test looks at.

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery so far, the oldest first, failed ones included."""
        return self._log.sent

    def check_runs(self, head_sha: str | None = None, *, name: str | None = None) -> list[CheckRun]:
        """The newest state of the check runs (of a commit, of a name), the oldest run first."""
        newest = [states[-1] for states in self.checks.history.values()]
        return [run for run in newest if head_sha in (None, run.head_sha) and name in (None, run.name)]

    def check_run_history(self, check_run: int | str, head_sha: str | None = None) -> list[CheckRun]:
        """Every state of one check run, the oldest first.

        `check_run` is its id, or its name (the newest run of that name, of that commit if given). Empty if
        there is no such run.
        """
        if isinstance(check_run, int):
            return list(self.checks.history.get(check_run, ()))
        found = self.check_runs(head_sha, name=check_run)
        return list(self.checks.history[found[-1].id]) if found else []

    def comments(self, repository: Repository, number: int) -> list[Comment]:
        """What a person sees under the pull request or issue, the oldest first."""
        return comments_on(repository, number)

    def comment_history(self, repository: Repository | None = None) -> list[Comment]:
        """Every comment that there ever was (in a repository), deleted ones included, the oldest first."""
        everything = self.state.comments.values()
        return [comment for comment in everything if repository in (None, comment.repository)]

    def render_check_runs(self, head_sha: str | None = None, *, colour: bool = False) -> str:
        """The newest state of the check runs (of a commit), as a person would see them on GitHub."""
        return "\n".join(self.render_check_run(run, colour=colour) for run in self.check_runs(head_sha))

    def render_check_run(self, run: CheckRun, *, colour: bool = False) -> str:
        """This state of a check run, as a person would see it on GitHub."""
        shape = checks.run_shape(self.checks, self.state, self.state.any_repository(run.repository_id), run)
        return render_check_run(shape, run.annotations, colour=colour)

    def assert_no_violations(self) -> None:
        """Fail with every request so far that a correct client would not have sent."""
        if self.violations:
            raise AssertionError("GitHub would refuse:\n" + "\n".join(map(str, self.violations)))

    @contextmanager
    def expect_violations(self) -> Iterator[list[Violation]]:
        """The violations inside the block, taken off the record: they were made on purpose."""
        start = len(self.violations)
        expected: list[Violation] = []
        try:
            yield expected
        finally:
            expected.extend(self.violations[start:])
            del self.violations[start:]
