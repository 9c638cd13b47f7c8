"""Fetches the submodules of a commit, each into a mirror of its own, and hands them over as bundles.

`.gitmodules` is a stranger's: its paths and URLs are checked before anything is done with them. A token is made for one
repository, so submodules are fetched without one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from draftsman.domain.errors import CommitGoneError, PlanError, SourceError
from orchestrator.git import GitError, git
from orchestrator.remote_places import Place, checked_place, server_of, shown
from orchestrator.runners.interface import Submodule
from orchestrator.source import Mirror, Mirrors, Remote
from orchestrator.tree_objects import SUBMODULE, Commit, Entry

FILE = ".gitmodules"
MAX_DEPTH = 5
MAX_SUBMODULES = 100
_MAX_FILE_BYTES = 128 * 1024
_MAX_PATH = 1000
_BUNDLES_BYTES = 8 * 2**30
_REGULAR = ("100644", "100755")
_PLAIN = re.compile(r"[!-,.-~][!-~]{0,2000}")
"""Printable ASCII without blanks, and no option of a program."""
_KEY = re.compile(r"submodule\.(?P<name>.+)\.(?P<field>[a-z]+)", re.DOTALL)
_SSH = re.compile(
    r"(?:ssh://(?:[\w.-]+@)?(?P<host>[\w.-]+)(?::[0-9]+)?/|(?:[\w.-]+@)(?P<also>[\w.-]+):)(?P<path>[^/].*)"
)
# Characters that HFS+ leaves out when it compares names (git's utf8.c: next_hfs_char).
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Declared:
    """What `.gitmodules` says of one path."""

    path: str
    url: str
    is_wanted: bool = True


@dataclass(frozen=True, slots=True)
class _Level:
    """A commit whose submodules are looked for: where it is checked out ("" for the top), and its own URL."""

    mirror: Mirror
    sha: str
    prefix: str
    url: str
    depth: int


async def fetch_submodules(
    mirrors: Mirrors, mirror: Mirror, remote: Remote, sha: str, run: str, folder: Path
) -> tuple[Submodule, ...]:
    """Write a bundle of each submodule into `folder`; return them, each behind the one that it lies in.

    Raises PlanError for what the commit says wrong, SourceError where a submodule cannot be fetched.
    """
    own = server_of(remote.url)
    found: list[Submodule] = []
    levels = [_Level(mirror, sha, "", remote.url, 0)]
    held: list[tuple[Mirror, str]] = []
    room = _BUNDLES_BYTES
    try:
        while levels:
            level = levels.pop(0)
            for path, wanted, declared in await _listed(level):
                if len(found) >= MAX_SUBMODULES:
                    raise PlanError(f"This commit has more than {MAX_SUBMODULES} submodules: no more are fetched.")
                if level.depth >= MAX_DEPTH:
                    raise PlanError(
                        f"The submodule {shown(path)} lies deeper than {MAX_DEPTH} submodules in each other."
                    )
                what = f"The submodule {shown(path)}"
                url = absolute_url(declared.url, level.url, what, top=remote.url)
                place = await checked_place(url, what, own=own)
                inner = mirrors.of(f"submodule:{url}")
                key = f"{run}-submodule-{len(found)}"
                held.append((inner, key))
                await _fetched(inner, place, path, wanted, key)
                bundle = folder / f"{len(found)}.bundle"
                await inner.bundle(key, bundle)
                room -= bundle.stat().st_size
                if room < 0:
                    raise PlanError(f"The submodules of this commit take more than {_BUNDLES_BYTES >> 30} GiB.")
                found.append(Submodule(path, wanted, bundle))
                levels.append(_Level(inner, wanted, f"{path}/", url, level.depth + 1))
    finally:
        for inner, key in held:
            await inner.release(key)
    return tuple(found)


async def _listed(level: _Level) -> list[tuple[str, str, Declared]]:
    """Return (path from the top, SHA, what was declared) of the submodules of one commit."""
    entries = await Commit(level.mirror.folder, level.sha).entries()
    links = {path: entry.id for path, entry in entries.items() if entry.mode == SUBMODULE}
    if not links:
        return []
    where = shown(f"{level.prefix}{FILE}")
    declared = {one.path: one for one in await _declared(level.mirror, entries.get(FILE), where)}
    found = []
    for path in sorted(links):
        fault = path_fault(path)
        if fault:
            raise PlanError(f"The submodule {shown(level.prefix + path)} cannot be checked out: {fault}.")
        if path not in declared:
            raise PlanError(
                f"{where} has no URL of the submodule {shown(path)}: add it there, or remove the submodule."
            )
        if declared[path].is_wanted:
            found.append((f"{level.prefix}{path}", links[path], declared[path]))
    return found


async def _declared(mirror: Mirror, entry: Entry | None, where: str) -> list[Declared]:
    if entry is None:
        return []
    if entry.mode not in _REGULAR or entry.size > _MAX_FILE_BYTES:
        raise PlanError(f"{where} is no regular file of at most {_MAX_FILE_BYTES // 1024} KiB.")
    try:
        # A blob includes no other files: git reads includes from its own configuration only.
        listing = await git("config", "--blob", entry.id, "--no-includes", "-z", "--list", cwd=mirror.folder)
    except GitError as error:
        raise PlanError(f"{where} is malformed: git cannot read it.", error.detail) from error
    return list(parse_modules(listing))


def parse_modules(listing: bytes) -> Iterator[Declared]:
    """Yield what `git config -z --list` says of submodules; the last value of a key counts, as in git."""
    fields: dict[str, dict[str, str]] = {}
    for item in listing.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = item.partition("\n")
        found = _KEY.fullmatch(key)
        if found is not None:
            fields.setdefault(found["name"], {})[found["field"]] = value
    for one in fields.values():
        if "path" in one:
            yield _one(one)


def _one(fields: Mapping[str, str]) -> Declared:
    return Declared(fields["path"].removesuffix("/"), fields.get("url", ""), fields.get("update") != "none")


def path_fault(path: str) -> str:
    """Return why a path of a stranger's tree is not written to, "" where it may be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "its path is not UTF-8"
    if not path or len(path) > _MAX_PATH:
        return f"its path is empty or longer than {_MAX_PATH} characters"
    if any(ord(char) < 32 or ord(char) == 127 for char in path) or "\\" in path:
        return "its path has a control character or a backslash"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "its path is absolute, or has `.`, `..` or an empty part"
    if any(map(_is_git_folder, parts)):
        return "its path leads into a `.git` folder"
    return ""


def _is_git_folder(part: str) -> bool:
    """Return whether a file system somewhere takes the name for `.git` (git's is_ntfs_dotgit and is_hfs_dotgit)."""
    name = _IGNORED.sub("", part).casefold().partition(":")[0].rstrip(" .")
    return name in (".git", "git~1")


def absolute_url(url: str, parent: str, what: str, *, top: str) -> str:
    """Return the URL that is meant: a relative one counts from the parent's, and one for SSH on the server of `top` is
    read as its https one, since Draftsman has no keys (`actions/checkout` does the same).

    Raises PlanError, with `what` at the head of its sentence, for every other kind.
    """
    if not _PLAIN.fullmatch(url):
        raise PlanError(f"{what} has no URL that can be fetched: {shown(url)!r}.")
    if url.startswith(("./", "../")):
        return _joined(url, parent, what)
    ssh = _SSH.fullmatch(url)
    server = server_of(top)
    if ssh is not None and server is not None and (ssh["host"] or ssh["also"]).lower() == server.host:
        base = top[: top.index("/", top.index("://") + 3)]
        url = f"{base}/{ssh['path'].lstrip('/')}"
    if server_of(url) is None or "?" in url or "#" in url:
        raise PlanError(
            f"{what} has the URL {shown(url)}: only plain http and https URLs without credentials are fetched."
        )
    return url


def _joined(url: str, parent: str, what: str) -> str:
    """Return a relative URL as git resolves it (`git help submodule`): `..` takes the parent's last part away."""
    if server_of(parent) is None:
        raise PlanError(
            f"{what} has the relative URL {shown(url)}, and a local repository has no URL that it counts from: give "
            "the repository's https URL instead of its folder."
        )
    host, _, path = parent.partition("://")[2].partition("/")
    base = path.rstrip("/").split("/")
    parts = url.split("/")
    while parts and parts[0] in (".", ".."):
        if parts.pop(0) == "..":
            if not base:
                raise PlanError(f"{what} has the URL {shown(url)}, which leads out of {shown(parent)}.")
            base.pop()
    joined = f"{parent.partition('://')[0]}://{'/'.join([host, *base, *parts])}"
    if (
        not parts
        or any(part in ("", ".", "..") for part in parts)
        or server_of(joined) is None
        or set("?#") & set(joined)
    ):
        raise PlanError(f"{what} has the URL {shown(url)}, which cannot be resolved.")
    return joined


async def _fetched(mirror: Mirror, place: Place, path: str, sha: str, key: str) -> None:
    remote = Remote(f"the submodule {shown(path)} ({shown(place.url)})", place.url, pin=place.pin)
    copy = mirror.copy()
    try:
        try:
            await mirror.fetch(remote, sha, key)
        except GitError as error:
            log.warning("the mirror of %s is damaged and made anew: %s %s", place.url, error, error.detail)
            await mirror.set_aside(copy)
            await mirror.fetch(remote, sha, key)
    except CommitGoneError as error:
        raise CommitGoneError(
            f"The submodule {shown(path)} is at the commit {sha[:12]}, which {shown(place.url)} does not have: push it "
            "there first."
        ) from error
    except SourceError as error:
        raise SourceError(
            f"The submodule {shown(path)} could not be fetched from {shown(place.url)}. Submodules are fetched without "
            "credentials: make that repository public, or set `submodules = false` and fetch it in `setup`.",
            f"{error}\n{error.detail}".strip(),
            cause=error.cause,
        ) from error
