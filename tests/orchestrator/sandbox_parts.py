"""What the tests of the sandbox are made of: a tiny repository, a plan, and a sink that remembers."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from draftsman.domain.plan import Plan, Profile
from draftsman.domain.progress import Output, Progress, StepFinished, StepStarted
from orchestrator.runners.interface import Source


@dataclass(frozen=True)
class Commit:
    """A commit of a repository made for a test, and a bundle of it."""

    folder: Path
    sha: str
    bundle: Path

    @property
    def source(self) -> Source:
        """Return it as a runner takes it."""
        return Source(self.bundle)


def make_commit(folder: Path, files: dict[str, str]) -> Commit:
    """Make a repository in `folder` with one commit, tagged v1.0, and its bundle beside it."""
    repository = folder / "repository"
    repository.mkdir(parents=True)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    for name, content in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(content)
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message=First")
    git("tag", "v1.0")
    bundle = folder / "source.bundle"
    git("update-ref", "refs/draftsman/run/1", "HEAD")
    git("bundle", "create", "--quiet", str(bundle), "refs/draftsman/run/1", "--tags")
    return Commit(repository, git("rev-parse", "HEAD"), bundle)


def make_plan(
    dockerfile: str,
    *,
    setup: str = "",
    fast: tuple[str, ...] = (),
    full: tuple[str, ...] = (),
    path: str | None = None,
) -> Plan:
    """Return a plan with this Dockerfile (at `path` in the repository) and these commands."""
    return Plan(Profile(path, "pip", setup, fast, full), (), dockerfile, (), ())


@dataclass
class Remembered:
    """A sink that keeps all progress; with `fail_at`, it raises once that step starts."""

    progress: list[Progress] = field(default_factory=list)
    fail_at: str | None = None

    async def __call__(self, progress: Progress) -> None:
        self.progress.append(progress)
        if isinstance(progress, StepStarted) and progress.step.id == self.fail_at:
            raise RuntimeError("the sink fails, as the test wants")

    def text(self, section: str) -> str:
        """Return all output of a section."""
        parts = [item.content for item in self.progress if isinstance(item, Output) and item.section == section]
        return b"".join(parts).decode()

    @property
    def started(self) -> list[str]:
        """Return the ids of the steps that started."""
        return [item.step.id for item in self.progress if isinstance(item, StepStarted)]

    @property
    def ended(self) -> dict[str, int]:
        """Return the exit codes of the steps that ended."""
        return {item.result.id: item.result.exit_code for item in self.progress if isinstance(item, StepFinished)}


@asynccontextmanager
async def no_lock(_repo: str, _key: str) -> AsyncIterator[None]:
    """Stand for a lock that nobody else holds."""
    yield


async def nothing(_: bytes = b"") -> None:
    """Take output, or a notice, and do nothing."""
