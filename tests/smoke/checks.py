"""What people see on GitHub: pushes, and the two check runs that each must come to."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping

from tests.demo.story import base_files
from tests.github import CheckRun, GitHubStandIn, Repository
from tests.smoke.stack import SmokeError, Stack

DONE_SECONDS = 300.0
_TRIED_AGAIN_SECONDS = 10.0
"""A red commit that is to be tried again says so before that."""
_NAMES = ("Draftsman / fast", "Draftsman / full")
_NUMBERS = itertools.count(1)


def slow_test(seconds: int) -> dict[str, str]:
    """Return a test that takes so long: time for something to happen meanwhile."""
    return {"tests/test_slow.py": f"import time\n\n\ndef test_slowly() -> None:\n    time.sleep({seconds})\n"}


class Pushes:
    """Somebody's repository, and what becomes of their pushes."""

    def __init__(self, github: GitHubStandIn, stack: Stack, repository: Repository) -> None:
        self._github = github
        self._stack = stack
        self._repository = repository

    @classmethod
    async def begun(
        cls, github: GitHubStandIn, stack: Stack, name: str, files: Mapping[str, str] | None = None
    ) -> Pushes:
        """Return them for a new repository, by default one with nothing configured."""
        chosen = base_files() if files is None else files
        return cls(github, stack, await github.create_repository(name, private=False, files=chosen))

    async def push(self, *, seconds: int = 0) -> str:
        """Push a change to a branch of its own, with a test that takes so long. Returns the commit."""
        number = next(_NUMBERS)
        files = {f"docs/{number}.md": f"{number}\n", **(slow_test(seconds) if seconds else {})}
        sha = await self._repository.commit(files, message=f"Change {number}", branch=f"change-{number}")
        self._stack.screen.say(f"pushed {sha[:12]}")
        return sha

    async def until(self, sha: str, status: str, *, within: float = DONE_SECONDS) -> None:
        """Wait until a check run of the commit has this status. Raises SmokeError where none does."""
        begin = time.monotonic()
        while not any(run.status == status for run in self._newest(sha)):
            await self._pause(sha, begin, within, f"has no check run that is {status}")

    async def ran_again(self, sha: str, *, within: float = DONE_SECONDS) -> None:
        """Wait until the commit has more check runs than a run makes. Raises SmokeError where it gets none."""
        begin = time.monotonic()
        while len(self._github.check_runs(sha)) <= len(_NAMES):
            await self._pause(sha, begin, within, "did not run again")

    async def green(self, sha: str, *, within: float = DONE_SECONDS) -> None:
        """Wait until both check runs of the commit succeeded. Raises SmokeError where they do not.

        One that is tried again by itself is waited for.
        """
        begin = time.monotonic()
        red_since: float | None = None
        while not self._is_green(sha):
            await self._pause(sha, begin, within, "is not green")
            runs = self._newest(sha)
            if len(runs) < len(_NAMES) or any(run.status != "completed" for run in runs):
                red_since = None
            elif red_since is None:
                red_since = time.monotonic()
            elif time.monotonic() - red_since > _TRIED_AGAIN_SECONDS:
                raise await self._failed(sha, f"is red after {time.monotonic() - begin:.0f} s")
        for run in self._newest(sha):
            self._stack.screen.say(f"{run.name:18} {run.conclusion or '':10} {run.title or ''}")

    def was_tried_again(self, sha: str) -> bool:
        """Return whether the commit has check runs of more than one attempt, and say what became of the first."""
        runs = sorted(self._github.check_runs(sha), key=lambda run: run.id)
        if len(runs) > len(_NAMES):
            self._stack.screen.say(f"before that: {runs[0].conclusion}, {runs[0].title}")
        return len(runs) > len(_NAMES)

    def _newest(self, sha: str) -> list[CheckRun]:
        newest = {run.name: run for run in sorted(self._github.check_runs(sha), key=lambda run: run.id)}
        return [newest[name] for name in sorted(newest)]

    def _is_green(self, sha: str) -> bool:
        return [(run.name, run.conclusion) for run in self._newest(sha)] == [(name, "success") for name in _NAMES]

    async def _pause(self, sha: str, begin: float, within: float, what: str) -> None:
        if time.monotonic() - begin > within:
            raise await self._failed(sha, f"{what} after {within:.0f} s")
        await asyncio.sleep(0.1)

    async def _failed(self, sha: str, what: str) -> SmokeError:
        seen = [(run.name, run.status, run.conclusion, run.title) for run in self._github.check_runs(sha)]
        return SmokeError(f"{sha[:12]} {what}: {seen}\n{await self._stack.log()}")
