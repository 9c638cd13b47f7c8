"""What GitHub tells the App when something happens in a repository: which events, in which order."""

from tests.github import payloads
from tests.github.checks import Checks, CheckSuite
from tests.github.deliveries import DeliveryLog
from tests.github.repository import Pull, RefUpdate, Repository
from tests.github.shapes import Json
from tests.github.state import Account, State


class Announcements:
    """Makes check suites and webhook deliveries out of pushes and pull requests.

    An event goes out if `auto_deliver` is on, the App has a webhook URL and subscribes to the event, and is
    installed on the repository. Deliveries are sent one after another, so that a test which awaited the cause
    has seen the answers.
    """

    def __init__(self, state: State, checks: Checks, log: DeliveryLog) -> None:
        self._state = state
        self._checks = checks
        self._log = log
        self.auto_deliver = False

    async def ref_moved(self, repository: Repository, update: RefUpdate) -> None:
        """Announce a push, and the check suite that GitHub makes for its head."""
        installation = self._state.installation_of(repository)
        if installation is None:
            return
        suite = self._open_suite(repository, update)
        if self._sends("push"):
            await self._send("push", await payloads.push(repository, update, installation))
        if suite and self._sends("check_suite"):
            payload = await payloads.check_suite(
                self._checks, repository, suite, "requested", update.sender, installation
            )
            await self._send("check_suite", payload)

    async def pull_changed(self, pull: Pull, action: str, sender: Account, before: str | None) -> None:
        """Announce a change of a pull request to the base repository's installation."""
        installation = self._state.installation_of(pull.repository)
        if installation and self._sends("pull_request"):
            payload = await payloads.pull_request(pull, action, sender, installation, before)
            await self._send("pull_request", payload)

    def _open_suite(self, repository: Repository, update: RefUpdate) -> CheckSuite | None:
        if not update.after or not update.ref.startswith("refs/heads/"):
            return None
        suite = self._checks.suite(self._state, repository, update.after)
        suite.head_branch = suite.head_branch or update.ref.removeprefix("refs/heads/")
        suite.before = suite.before or update.before
        return suite

    def _sends(self, event: str) -> bool:
        app = self._state.app
        return self.auto_deliver and app.webhook_url is not None and event in app.events

    async def _send(self, event: str, payload: Json) -> None:
        if self._state.app.webhook_url is not None:
            await self._log.deliver(event, payload, to=self._state.app.webhook_url)
