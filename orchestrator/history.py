"""What a commit changed: where its history left another one, its lines and files since, and what its author said."""

from __future__ import annotations

from draftsman.domain.errors import CommitGoneError, SourceError
from orchestrator.git import GitError, git, git_ended
from orchestrator.source import Mirror, Remote

MOST_FILES = 20_000
"""Changed files that are looked at."""

_SECONDS = 20
_MEMORY_BYTES = 2 * 2**30
_MAX_MESSAGE = 64 * 1024


async def fetched_base(mirror: Mirror, remote: Remote, sha: str | None, run: str) -> str | None:
    """Bring the commit that a change is seen against here and return its SHA, None where nobody has it any more.

    Raises SourceError where the repository cannot be reached.
    """
    if sha is None or not sha.strip("0"):
        return None  # zeros stand for what was not there before
    try:
        await mirror.fetch(remote, sha, run)
    except CommitGoneError:
        return None
    return sha


async def fetched_branch(mirror: Mirror, remote: Remote, branch: str, run: str) -> str | None:
    """Bring the newest commit of a branch here and return its SHA, None where that is not possible."""
    try:
        return await mirror.fetch_branch(remote, branch, run)
    except (CommitGoneError, SourceError, GitError):
        return None


async def merge_bases(mirror: Mirror, base: str, sha: str) -> list[str]:
    """Return the best common ancestors of two commits that are here, none where they have none or git gives up."""
    try:
        _, said = await git_ended("merge-base", "--all", base, sha, cwd=mirror.folder, allowed=(0, 1), timeout=_SECONDS)
    except (GitError, OSError):
        return []
    return said.decode().split()


async def changed_files(mirror: Mirror, base: str, sha: str) -> frozenset[str] | None:
    """Return the files that the commit changes since it left `base`, those that are gone and renamed ones as well.

    None where it cannot be told: no common ancestor, or several, between which a change could hide; too many files.
    """
    ancestors = await merge_bases(mirror, base, sha)
    if len(ancestors) != 1:
        return None
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none")
    try:
        _, listed = await git_ended(
            "diff", *options, ancestors[0], sha, "--", cwd=mirror.folder, timeout=_SECONDS, memory_bytes=_MEMORY_BYTES
        )
    except (GitError, OSError):
        return None
    paths = listed.split(b"\0")[:-1]
    return None if len(paths) > MOST_FILES else frozenset(path.decode("utf-8", "surrogateescape") for path in paths)


async def message_of(mirror: Mirror, sha: str) -> str:
    """Return the message of a commit that is here, as far as anybody reads. Raises GitError."""
    said = await git("log", "-1", "--no-show-signature", "--format=%B", sha, "--", cwd=mirror.folder)
    return said[:_MAX_MESSAGE].decode("utf-8", "replace")
