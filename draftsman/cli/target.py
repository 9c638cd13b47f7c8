"""What `plan` and `run` are pointed at: a folder with a git repository, or a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from draftsman.domain.errors import SourceError
from orchestrator.git import GitError, git
from orchestrator.source import Remote

_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_OWNER_AND_NAME = re.compile(r"[/:]([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+?)(?:\.git)?/?$")


@dataclass(frozen=True, slots=True)
class Target:
    """One commit of a repository that a person named. `dirty` says that the folder has changes that are not in it."""

    repo: str
    sha: str
    remote: Remote
    identity: str
    dirty: bool = False


async def resolve(where: str, sha: str | None) -> Target:
    """Return the commit that is meant: `sha`, else HEAD. Raises SourceError with a sentence that says what is wrong."""
    if re.match(r"https?://", where):
        return await _resolve_url(where, sha)
    if re.match(r"[a-z+]+://|[\w.-]+@[\w.-]+:", where):
        raise SourceError(f"{where} is no folder and no https URL: clone it and name the folder, or use its https URL.")
    return await _resolve_folder(Path(where), sha)


async def _resolve_url(url: str, sha: str | None) -> Target:
    if sha is not None and not _FULL_SHA.fullmatch(sha):
        raise SourceError("With a URL, --sha must be a full commit SHA.")
    if sha is None:
        try:
            listing = (await git("ls-remote", url, "HEAD")).decode()
        except GitError as error:
            raise SourceError(f"{url} cannot be read.", error.detail) from error
        if not listing:
            raise SourceError(f"{url} has no commits.")
        sha = listing.split()[0]
    name = _name_of(url) or "remote/repository"
    return Target(name, sha, Remote(name, url), url)


async def _resolve_folder(folder: Path, sha: str | None) -> Target:
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder.")
    trusting = {"safe.directory": "*"}
    try:
        # The common folder has the objects of every worktree; HEAD is asked of the folder itself.
        answer = await git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=folder, config=trusting)
    except GitError as error:
        raise SourceError(f"{folder} is not in a git repository: `git init` and commit first.") from error
    git_folder = Path(answer.decode().removesuffix("\n"))
    try:
        commit = f"{sha or 'HEAD'}^{{commit}}"
        found = await git("rev-parse", "--verify", "--end-of-options", commit, cwd=folder, config=trusting)
    except GitError as error:
        raise SourceError(f"{folder} has no commit {sha or 'HEAD'}.", error.detail) from error
    dirty = sha is None and await _has_changes(folder)
    origin = await _origin(folder, trusting)
    name = (_name_of(origin) if origin else None) or _local_name(folder)
    return Target(name, found.decode().strip(), Remote(str(folder), str(git_folder)), str(git_folder.resolve()), dirty)


async def _has_changes(folder: Path) -> bool:
    """Return whether the folder differs from its commit, as far as can be told without running code of the folder.

    A clean filter of the repository's own configuration is a command; each is set to nothing for this call.
    """
    try:
        listed = await git("config", "--name-only", "--get-regexp", r"^filter\.", cwd=folder)
    except GitError:
        listed = b""  # none is configured
    neutral = {name: "false" if name.endswith(".required") else "" for name in listed.decode().splitlines()}
    try:
        return bool(await git("status", "--porcelain", "--ignore-submodules=all", cwd=folder, config=neutral))
    except GitError:
        return False  # a bare repository, or somebody else's


async def _origin(folder: Path, config: dict[str, str]) -> str | None:
    try:
        return (await git("config", "--get", "remote.origin.url", cwd=folder, config=config)).decode().strip()
    except GitError:
        return None  # a repository without a remote is a usual one


def _name_of(url: str) -> str | None:
    found = _OWNER_AND_NAME.search(url)
    return None if found is None else f"{found[1]}/{found[2]}"


def _local_name(folder: Path) -> str:
    return "local/" + (re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name) or "repository")
