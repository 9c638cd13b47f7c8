"""What GitHub tells the App when something happens: which events, in which order."""

from collections.abc import Sequence

from tests.github import payloads
from tests.github.announcer import Changes, RefUpdate
from tests.github.checks import CheckRun, Checks, CheckSuite, suite_verdict
from tests.github.comments import Comment
from tests.github.installations import Installation
from tests.github.merge_queue import MergeGroup
from tests.github.outbox import Outbox
from tests.github.pulls import Pull
from tests.github.repository import Repository
from tests.github.shapes import Json
from tests.github.state import Account, State

# An App is told about its installations whether it asks for it or not.
UNASKED = frozenset(("installation", "installation_repositories"))


class Announcements:
    """Makes check suites and webhook deliveries out of what people, and the App itself, do.

    An event goes out if `auto_deliver` is on, the App has a webhook URL and subscribes to the event, and is
    installed (and not suspended) on the repository. Deliveries are sent one after another, so that a test
    which awaited the cause has seen the answers; what the App causes by a request of its own is delivered
    beside the answer to that request.

    `own_checks` says whether the App also hears of its own check runs (created, completed), as it does at
    GitHub; it is off, since that doubles the traffic of a test that is about something else.
    """

    def __init__(self, state: State, checks: Checks, outbox: Outbox) -> None:
        self._state = state
        self._checks = checks
        self._outbox = outbox
        self.auto_deliver = False
        self.own_checks = False

    async def ref_moved(self, repository: Repository, update: RefUpdate) -> None:
        """Announce a push, and the check suite that GitHub makes for its head."""
        installation = self._state.installation_of(repository)
        if installation is None:
            return
        suite = self._open_suite(repository, update)
        if self._sends("push", installation):
            await self._send("push", await payloads.push(repository, update, installation), update.sender)
        if suite:
            await self.check_suite_changed(suite, "requested", update.sender)

    async def pull_changed(
        self, pull: Pull, action: str, sender: Account, *, before: str | None = None, changes: Changes | None = None
    ) -> None:
        """Announce a change of a pull request to the base repository's installation."""
        installation = self._state.installation_of(pull.repository)
        if self._sends("pull_request", installation):
            payload = await payloads.pull_request(pull, action, sender, installation, before, changes)
            await self._send("pull_request", payload, sender)

    async def comment_changed(
        self, comment: Comment, action: str, sender: Account, *, changes: Changes | None = None
    ) -> None:
        """Announce a comment, the App's own ones included."""
        installation = self._state.installation_of(comment.repository)
        if self._sends("issue_comment", installation):
            payload = payloads.issue_comment(comment, action, sender, installation, changes)
            await self._send("issue_comment", payload, sender)

    async def repository_changed(
        self, repository: Repository, action: str, sender: Account, *, changes: Changes | None = None
    ) -> None:
        """Announce a new name, a new owner, or the end of a repository."""
        installation = self._state.installation_of(repository)
        if self._sends("repository", installation):
            payload = payloads.repository_event(repository, action, sender, installation, changes)
            await self._send("repository", payload, sender)

    async def merge_group_changed(
        self, group: MergeGroup, action: str, sender: Account, *, reason: str | None = None
    ) -> None:
        """Announce a merge group to an App that may read merge queues."""
        installation = self._state.installation_of(group.repository)
        if self._sends("merge_group", installation) and installation and "merge_queues" in installation.permissions:
            payload = payloads.merge_group(group, action, sender, installation, reason)
            await self._send("merge_group", payload, sender)

    async def check_run_changed(
        self, run: CheckRun, action: str, sender: Account, *, identifier: str | None = None
    ) -> None:
        """Announce a pressed button, or (`own_checks`) what the App did to its check run."""
        if action in ("created", "completed") and not self.own_checks:
            return
        repository = self._state.any_repository(run.repository_id)
        installation = self._state.installation_of(repository)
        if self._sends("check_run", installation):
            payload = await payloads.check_run(self._checks, repository, run, action, sender, installation, identifier)
            await self._send("check_run", payload, sender)
        suite = self._checks.suites[run.suite_id]
        if action == "completed" and suite_verdict(self._checks.newest(repository, suite.head_sha))[1]:
            await self.check_suite_changed(suite, "completed", sender)

    async def check_suite_changed(self, suite: CheckSuite, action: str, sender: Account) -> None:
        """Announce a check suite: requested by a push, or once more by a person."""
        repository = self._state.any_repository(suite.repository_id)
        installation = self._state.installation_of(repository)
        if self._sends("check_suite", installation):
            payload = await payloads.check_suite(self._checks, repository, suite, action, sender, installation)
            await self._send("check_suite", payload, sender)

    async def installation_changed(self, installation: Installation, action: str, sender: Account) -> None:
        """Announce what happened to the App on an account."""
        if self._sends("installation", None):
            payload = payloads.installation_event(self._state, installation, action, sender)
            await self._send("installation", payload, sender)

    async def installation_repositories_changed(
        self,
        installation: Installation,
        sender: Account,
        *,
        added: Sequence[Repository] = (),
        removed: Sequence[Repository] = (),
    ) -> None:
        """Announce which repositories the App sees more, or no longer."""
        if self._sends("installation_repositories", None):
            payload = payloads.installation_repositories(self._state, installation, sender, added, removed)
            await self._send("installation_repositories", payload, sender)

    def _open_suite(self, repository: Repository, update: RefUpdate) -> CheckSuite | None:
        if not update.after or not update.ref.startswith("refs/heads/"):
            return None
        suite = self._checks.suite(self._state, repository, update.after)
        suite.head_branch = suite.head_branch or update.ref.removeprefix("refs/heads/")
        suite.before = suite.before or update.before
        return suite

    def _sends(self, event: str, installation: Installation | None) -> bool:
        app = self._state.app
        if not self.auto_deliver or app.webhook_url is None:
            return False
        installed = installation is not None and installation.suspended_at is None
        return event in UNASKED or (installed and event in app.events)

    async def _send(self, event: str, payload: Json, sender: Account) -> None:
        # Nobody who waits for the answer to a request can take the delivery that the request causes.
        await self._outbox.send(event, payload, background=sender is self._state.app_account)
