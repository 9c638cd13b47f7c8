"""The buttons beside check runs: re-run one, the failed ones, all; and the buttons that the App itself offers."""

from tests.github.announcer import Announcer
from tests.github.checks import CheckRun, Checks
from tests.github.repository import Repository
from tests.github.state import State

# What "Re-run failed checks" takes.
FAILED = frozenset(("failure", "timed_out", "cancelled"))


class CheckButtons:
    """What people press. GitHub shows these buttons to those who may write, but the App must not rely on it."""

    state: State
    checks: Checks

    @property
    def _announcer(self) -> Announcer:
        return self.state.announcer

    async def press_rerun(self, check_run: CheckRun, by: str = "octocat") -> None:
        """Press "Re-run" on one check run: `check_run.rerequested` with the run as it is now."""
        await self._announcer.check_run_changed(self._now(check_run), "rerequested", self.state.account(by))

    async def press_rerun_failed(self, repository: Repository, sha: str, by: str = "octocat") -> list[CheckRun]:
        """The check runs whose newest state failed, `check_run.rerequested` delivered for each."""
        failed = [run for run in self.checks.newest(repository, sha)[::-1] if run.conclusion in FAILED]
        for run in failed:
            await self.press_rerun(run, by)
        return failed

    async def press_rerun_all(self, repository: Repository, sha: str, by: str = "octocat") -> None:
        """Press "Re-run all checks": `check_suite.rerequested` for the commit's suite."""
        suite = self.checks.suite(self.state, repository, sha)
        await self._announcer.check_suite_changed(suite, "rerequested", self.state.account(by))

    async def press_button(self, check_run: CheckRun, identifier: str, by: str = "octocat") -> None:
        """Press a button that the check run offers: `check_run.requested_action`.

        Raises `ValueError` if it does not offer one with this identifier.
        """
        run = self._now(check_run)
        offered = [str(action["identifier"]) for action in run.actions]
        if identifier not in offered:
            raise ValueError(f"{run.name} offers {', '.join(offered) or 'no buttons'}, not {identifier!r}")
        sender = self.state.account(by)
        await self._announcer.check_run_changed(run, "requested_action", sender, identifier=identifier)

    def _now(self, check_run: CheckRun) -> CheckRun:
        return self.checks.history[check_run.id][-1]
