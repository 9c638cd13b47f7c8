"""What people do while faults are provoked: they push, open pull requests and write comments."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from typing import Any

from tests.chaos.engine import READY
from tests.chaos.ledger import Ledger
from tests.github import GitHubStandIn, Pull, Repository
from tests.scenario.samples import WORDS, checks

FAST_LINES, FULL_LINES = 120, 30
PAUSE_SECONDS = 0.02


def counting(tier: str, lines: int, pause: float = 0.0) -> str:
    """Return the shell command that prints so many numbered lines."""
    sleep = f"; sleep {pause}" if pause else ""
    return f'i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo "line $i of {tier}"{sleep}; done'


def checked(fast: str, full: str = "true", *, made_by: str = "") -> dict[str, str]:
    """Return a repository whose tiers are these commands; its image needs nothing that has to be fetched.

    `made_by` is a shell command of the image's build.
    """
    dockerfile = f"FROM {READY}\n" + (f"RUN {made_by}\n" if made_by else "")
    return checks(fast, full, 'dockerfile = "Dockerfile"\n') | {"Dockerfile": dockerfile}


COUNTS = checked(counting("fast", FAST_LINES, PAUSE_SECONDS), counting("full", FULL_LINES))
FAILS = checked(f"{counting('fast', FULL_LINES)}; exit 3")
_NUMBERS = itertools.count(1)


class People:
    """Somebody who has repositories of an owner of their own, and pushes to them. Every push is a new branch."""

    def __init__(self, github: GitHubStandIn, ledger: Ledger, name: str) -> None:
        self.github = github
        self.ledger = ledger
        self.name = name

    async def repository(self, files: dict[str, str], what: str, *, owner: str = "") -> Repository:
        """Return a new repository with these files."""
        return await self.github.create_repository(f"{owner or self.name}/{what}-{next(_NUMBERS)}", files=files)

    async def commit(self, repository: Repository, branch: str = "", **more: Any) -> str:
        """Push a commit, by default to a branch of its own, and return its SHA."""
        number = next(_NUMBERS)
        files = {f"{number}.md": f"{number}\n"}
        return await repository.commit(files, message=f"Change {number}", branch=branch or f"b{number}", **more)

    async def prose(self, repository: Repository | None = None) -> str:
        """Push to a repository that has nothing to check: neutral, with no container."""
        home = repository or await self.repository(WORDS, "words")
        sha = await self.commit(home)
        self.ledger.expect(home, sha, "a commit with nothing to check", "neutral", "neutral")
        return sha

    async def counted(self, repository: Repository | None = None) -> str:
        """Push to a repository whose checks take some seconds and print numbered lines."""
        home = repository or await self.repository(COUNTS, "counts")
        sha = await self.commit(home)
        self._expect_counted(home, sha, "a commit that is checked")
        return sha

    def _expect_counted(self, home: Repository, sha: str, what: str, *, may_be_superseded: bool = False) -> None:
        self.ledger.expect(
            home,
            sha,
            what,
            "success",
            "success",
            fast_lines=FAST_LINES,
            full_lines=FULL_LINES,
            may_be_superseded=may_be_superseded,
        )

    async def built(self, seconds: float = 3) -> str:
        """Push to a repository with a Dockerfile of its own, whose build takes a while and is nobody else's."""
        made = f"sleep {seconds}; echo {self.name}-{next(_NUMBERS)} > /made"
        home = await self.repository(checked(counting("fast", FULL_LINES), made_by=made), "builds")
        sha = await self.commit(home)
        self.ledger.expect(home, sha, "a commit that needs a build", "success", "success", fast_lines=FULL_LINES)
        return sha

    async def red(self) -> str:
        """Push a commit whose fast checks fail: it must not be tried again."""
        home = await self.repository(FAILS, "red")
        sha = await self.commit(home)
        what = "a commit whose checks fail"
        self.ledger.expect(home, sha, what, "failure", "failure", fast_lines=FULL_LINES)
        return sha

    async def proposed(self) -> str:
        """Push and open a pull request for it: two events, one run."""
        home = await self.repository(COUNTS, "proposes")
        sha = await self.commit(home, "feature")
        self._expect_counted(home, sha, "the head of a pull request")
        await home.open_pull("Feature", head="feature")
        return sha

    async def in_a_hurry(self) -> str:
        """Push three times in a row to one branch that has a pull request: the newest commit is what counts."""
        home = await self.repository(COUNTS, "hurries")
        first = await self.commit(home, "feature")
        self._expect_counted(home, first, "an older head", may_be_superseded=True)
        await home.open_pull("Feature", head="feature")
        second = await self.commit(home, "feature")
        self._expect_counted(home, second, "an older head", may_be_superseded=True)
        third = await self.commit(home, "feature")
        self._expect_counted(home, third, "the newest head")
        return third

    async def asks(self) -> Pull:
        """Open a pull request that has nothing to check, and ask for help under it."""
        home = await self.repository(WORDS, "asks")
        sha = await self.commit(home, "feature")
        self.ledger.expect(home, sha, "the head of a pull request", "neutral", "neutral")
        pull = await home.open_pull("Feature", head="feature")
        self.ledger.commands.append(await pull.comment("/draftsman help"))
        return pull


def some_load(people: People, luck: random.Random, *, amount: int = 1) -> list[Callable[[], Coroutine[Any, Any, Any]]]:
    """Return things to do, `amount` times a mixture of everything, in random order."""
    mixture = [people.prose] * 3 + [people.counted, people.red, people.built, people.proposed, people.in_a_hurry]
    chosen: list[Callable[[], Coroutine[Any, Any, Any]]] = []
    for _ in range(amount):
        chosen += [*luck.sample(mixture, 5), people.asks]
    luck.shuffle(chosen)
    return chosen


async def put_on(people: People, luck: random.Random, *, seconds: float, amount: int = 1) -> None:
    """Do some things, spread over so many seconds."""

    async def later(what: Callable[[], Coroutine[Any, Any, Any]], pause: float) -> None:
        await asyncio.sleep(pause)
        await what()

    things = some_load(people, luck, amount=amount)
    await asyncio.gather(*(later(thing, luck.uniform(0, seconds)) for thing in things))
