"""A bare mirror per repository: fetches exactly one SHA, and reads files out of git objects.

Nothing is ever checked out on the host, so symlinks and paths that leave the tree cannot bite.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from draftsman.domain.errors import CommitGoneError, PlanError, SourceError
from draftsman.domain.plan import Tree
from orchestrator.file_lock import locked
from orchestrator.git import GitError, git, git_stream, token_config
from orchestrator.outages import disk_cause

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git allows in the name of a branch, and no more than GitHub does.
_BRANCH = re.compile(r"(?!.*(?:\.\.|@\{|//|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,255}")
_FETCH_SECONDS = 900
_MAX_FILES = 500_000
_MAX_LISTING_BYTES = 128 * 2**20
_MAX_HINT_BYTES = 512 * 1024
_MAX_LOCK_BYTES = 2 * 2**20
_MAX_DIFF_BYTES = 32 * 2**20
_DIFF_SECONDS = 20
_COPY = "draftsman-copy"
"""A file with the name of our copy."""
_LEAST_ROOM = 2**20
"""Bytes below which a disk counts as full."""
_MAX_HINTS_BYTES = 16 * 2**20
# A person named this repository: whoever owns its files, and whether a ref still names the commit, is no matter.
_LOCAL_UPLOAD_PACK = "git -c 'safe.directory=*' -c uploadpack.allowAnySHA1InWant=true upload-pack"
_GONE = ("not our ref", "couldn't find remote ref", "unadvertised object")
# What git says where our own copy, not the remote, is at fault.
_DAMAGED = (
    "bad object",
    "bad tree object",
    "index-pack failed",
    "loose object",
    "not a git repository",
    "object file",
    "packfile",
)

# What git says where the remote will say the same again.
_REFUSED = ("Authentication failed", "not found", "returned error: 40", "terminal prompts disabled", "SSL certificate")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a repository is fetched from. `token` goes to `url` alone; None for public and local ones.

    `pin` holds git to addresses that were looked at: a value of its `http.curloptResolve`.
    """

    name: str
    url: str
    token: str | None = None
    pin: str | None = None

    @property
    def is_local(self) -> bool:
        """Return whether the repository lies on this machine, named by the person who asked for the run."""
        return not self.url.startswith(("http://", "https://"))


class Mirror:
    """Our bare copy of one repository. Each run keeps its commit by a ref of its own until it is released.

    Every method raises GitError where git fails on our own copy: `set_aside` and another `fetch` mend that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fetching = asyncio.Lock()

    async def fetch(self, remote: Remote, sha: str, run: str) -> None:
        """Bring the commit and all tags here, kept by `refs/draftsman/run/<run>`.

        Raises CommitGoneError where the repository no longer has the commit, SourceError where it cannot be reached.
        """
        if not _SHA.fullmatch(sha):
            raise SourceError(f"{sha!r} is not a full commit SHA.")
        async with self._alone():
            self.folder.mkdir(exist_ok=True)
            self._remove_stale_locks()
            await git("init", "--bare", "--quiet", cwd=self.folder)
            if not self.copy():
                (self.folder / _COPY).write_text(uuid4().hex)
            if not await self._has(sha):
                await self._fetch(remote, sha, run)
            await self.hold(sha, run)
            os.utime(self.folder)  # upkeep removes mirrors that nobody fetched into for long

    async def fetch_branch(self, remote: Remote, branch: str, run: str) -> str:
        """Bring the newest commit of a branch here, kept as by `fetch`, and return its SHA. Raises as `fetch`."""
        if not _BRANCH.fullmatch(branch):
            raise SourceError(f"{branch!r} is no name of a branch.")
        async with self._alone():
            await self._fetch(remote, f"refs/heads/{branch}", run)
        found = await git("rev-parse", "--verify", f"refs/draftsman/run/{run}^{{commit}}", cwd=self.folder)
        return found.decode().strip()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Wait until nobody else changes our copy: this process, or another worker with the same home folder."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        async with self._fetching, locked(self.folder.with_name(f"{self.folder.name}.lock")):
            yield

    async def hold(self, sha: str, run: str) -> None:
        """Keep a commit that is here by the run's ref."""
        await git("update-ref", f"refs/draftsman/run/{run}", sha, cwd=self.folder)

    async def held(self, run: str) -> str:
        """Return the commit that the run's ref keeps."""
        found = await git("rev-parse", "--verify", f"refs/draftsman/run/{run}", cwd=self.folder)
        return found.decode().strip()

    def _remove_stale_locks(self) -> None:
        """Remove what a git that was killed long ago left locked."""
        for lock in (*self.folder.glob("*.lock"), *self.folder.glob("refs/**/*.lock")):
            with suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > _FETCH_SECONDS:
                    lock.unlink()

    async def _has(self, sha: str) -> bool:
        try:
            await git("cat-file", "-e", f"{sha}^{{commit}}", cwd=self.folder)
        except GitError:
            return False
        return True

    async def _fetch(self, remote: Remote, wanted: str, run: str) -> None:
        config = token_config(remote.url, remote.token) if remote.token else {}
        if remote.pin:
            config["http.curloptResolve"] = remote.pin
        # Pruned: a tag `v1` that became `v1/rc1` would be in its way for ever.
        options = ["--quiet", "--force", "--no-tags", "--prune", "--no-recurse-submodules", "--no-write-fetch-head"]
        if remote.is_local:
            config["protocol.file.allow"] = "always"
            options += ["--update-shallow", f"--upload-pack={_LOCAL_UPLOAD_PACK}"]
        refs = (f"+{wanted}:refs/draftsman/run/{run}", "+refs/tags/*:refs/tags/*")
        try:
            await git("fetch", *options, remote.url, *refs, cwd=self.folder, config=config, timeout=_FETCH_SECONDS)
        except GitError as error:
            if any(phrase in error.detail for phrase in _GONE):
                raise CommitGoneError(
                    f"{_named(wanted)} is not in {remote.name} any more: it was probably replaced by a force "
                    "push, or its branch was deleted."
                ) from error
            if any(phrase in error.detail for phrase in _DAMAGED):
                raise
            transient = not remote.is_local and not any(phrase in error.detail for phrase in _REFUSED)
            sentence = f"{remote.name} could not be fetched: {_reason(error)}"
            full = disk_cause(error.detail)
            raise SourceError(sentence, error.detail, transient=transient, cause=full) from error

    def has_no_room(self) -> bool:
        """Return whether the disk of our copies is full: git's own words do not always tell."""
        with suppress(OSError):
            return shutil.disk_usage(self.folder.parent).free < _LEAST_ROOM
        return False

    def copy(self) -> str:
        """Return the name of our copy, which one that is made anew does not have; empty where there is none yet."""
        with suppress(OSError):
            return (self.folder / _COPY).read_text("utf-8", "replace")
        return ""

    async def set_aside(self, copy: str = "") -> None:
        """Remove our copy, so that the next fetch makes it anew. One that has another name than `copy` was already."""
        async with self._alone():
            if copy and self.copy() != copy:
                return
            damaged = self.folder.with_name(f"{self.folder.name}.damaged-{time.time_ns()}")
            with suppress(FileNotFoundError):
                self.folder.rename(damaged)
            await asyncio.to_thread(shutil.rmtree, damaged, ignore_errors=True)

    async def release(self, run: str) -> None:
        """Drop the run's ref, and those of names that begin with it and a hyphen: their commits may be cleaned up.

        A failure is logged, since it is no matter of the run.
        """
        if not self.folder.is_dir():
            return  # it ended before anything was fetched
        own = f"refs/draftsman/run/{run}"
        try:
            listed = await git("for-each-ref", "--format=delete %(refname)", own, f"{own}-*", cwd=self.folder)
            await git("update-ref", "--stdin", cwd=self.folder, stdin=listed)
        except (GitError, OSError) as error:
            log.warning("the ref of %s stays in %s: %s", run, self.folder, error)

    async def tree(self, sha: str, wanted: Callable[[Iterable[str]], list[str]]) -> Tree:
        """Return the commit's file paths, and the contents of the regular files that `wanted` names.

        Raises PlanError where the commit holds more files than anybody wrote by hand.
        """
        sizes = await self._list(sha)
        names = []
        unread = set()
        room = _MAX_HINTS_BYTES
        for path in filter(sizes.__contains__, wanted(sizes)):
            if sizes[path] <= min(_largest(path), room):
                names.append(path)
                room -= sizes[path]
            else:
                unread.add(path)
        return Tree(frozenset(sizes), await self._read(sha, names), frozenset(unread))

    async def _list(self, sha: str) -> dict[str, int]:
        """Return the sizes of all regular files. Read as it comes: a few trees may name each other a billion times."""
        sizes: dict[str, int] = {}
        listed = 0
        rest = b""
        listing = git_stream("ls-tree", "-r", "-z", "-l", "--full-tree", sha, cwd=self.folder)
        async with aclosing(listing):
            async for part in listing:
                listed += len(part)
                *entries, rest = (rest + part).split(b"\0")
                for entry in entries:
                    fields, _, path = entry.partition(b"\t")
                    mode, _, _, size = fields.split()
                    if mode in (b"100644", b"100755"):
                        # git writes BAD for an object that is missing: such a file cannot be read, large or not.
                        sizes[path.decode("utf-8", "surrogateescape")] = int(size) if size.isdigit() else sys.maxsize
                if len(sizes) > _MAX_FILES or listed > _MAX_LISTING_BYTES:
                    raise PlanError(f"This commit holds more than {_MAX_FILES:,} files: Draftsman does not check it.")
        return sizes

    async def _read(self, sha: str, paths: list[str]) -> dict[str, bytes]:
        usable = [path for path in paths if "\n" not in path]
        asked = "".join(f"{sha}:{path}\n" for path in usable).encode("utf-8", "surrogateescape")
        answer = await git("cat-file", "--batch", cwd=self.folder, stdin=asked)
        contents: dict[str, bytes] = {}
        at = 0
        for path in usable:
            end = answer.index(b"\n", at)
            header = answer[at:end].split()
            at = end + 1
            if len(header) == 3 and header[1] == b"blob":
                size = int(header[2])
                contents[path] = answer[at : at + size]
                at += size + 1
        return contents

    async def diff(self, base: str | None, sha: str) -> bytes | None:
        """Return what git says of the lines that changed since `base`, else since the commit's first parent.

        None where it cannot be told: the first commit has no parent, and a diff may be too large or take too long.
        """
        options = ("--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", "-l500")
        said = bytearray()
        try:
            async with asyncio.timeout(_DIFF_SECONDS):
                async with aclosing(
                    git_stream("diff", *options, base or f"{sha}^", sha, "--", cwd=self.folder)
                ) as parts:
                    async for part in parts:
                        said += part
                        if len(said) > _MAX_DIFF_BYTES:
                            return None
        except (GitError, OSError, TimeoutError):
            return None
        return bytes(said)

    async def bundle(self, run: str, target: Path) -> None:
        """Write a git bundle of the run's commit, its history and all tags to `target`."""
        await git(
            "bundle",
            "create",
            "--quiet",
            str(target),
            f"refs/draftsman/run/{run}",
            "--tags",
            cwd=self.folder,
            timeout=300,
        )


def _named(wanted: str) -> str:
    """Return what was to be fetched, as the first words of a sentence."""
    branch = wanted.removeprefix("refs/heads/")
    return f"The commit {wanted[:12]}" if branch == wanted else f"The branch {branch}"


def _largest(path: str) -> int:
    """Return how many bytes of a file are read: nobody writes locks by hand, so they are large."""
    return _MAX_LOCK_BYTES if "lock" in path.rpartition("/")[2] else _MAX_HINT_BYTES


class Mirrors:
    """All mirrors of this worker, one folder each, named so that no two repositories meet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mirrors: dict[str, Mirror] = {}

    def of(self, identity: str) -> Mirror:
        """Return the mirror of a repository. `identity` is GitHub's id, or the path of a local one."""
        name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        return self._mirrors.setdefault(identity, Mirror(self._folder / f"{name}.git"))


def _reason(error: GitError) -> str:
    """Return git's own last sentence, which names the cause, without its prefix."""
    lines = [line for line in error.detail.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith("fatal:")]
    return (fatal or lines or [str(error)])[-1].removeprefix("fatal: ")
