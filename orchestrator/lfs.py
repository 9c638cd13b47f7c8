"""Fetches the files of Git LFS that a commit points to (git-lfs: docs/spec.md, docs/api/batch.md).

Pointers are a stranger's text, and so is what a server answers: sizes and counts are capped, every object is checked
against the SHA-256 that its pointer names, and the token goes to the repository's own server alone. `lfs.url` and
`.lfsconfig` are not read: objects come from where the repository does.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from draftsman.domain.errors import HostError, PlanError, SourceError
from orchestrator.git import basic_header, git
from orchestrator.lfs_answers import Action, read_answer, refusal
from orchestrator.outages import disk_cause
from orchestrator.pinned_session import pinned_session
from orchestrator.remote_places import Server, checked_place, server_of, shown
from orchestrator.runners.interface import LfsFile
from orchestrator.source import Mirror, Remote
from orchestrator.submodules import path_fault
from orchestrator.tree_objects import Commit, Entry

POINTER_BYTES = 1024
"""A pointer is smaller than this (the specification)."""
MAX_FILES = 5000
MAX_OBJECT = 2 * 2**30
MAX_TOTAL = 8 * 2**30
MAX_KEPT = 16 * 2**30
"""Bytes that are kept of one repository for its next runs."""
BATCH = 100
"""Objects asked for at once: what git-lfs asks for."""

_VERSION = "version https://git-lfs.github.com/spec/v1"
_LEAST_BYTES = len(_VERSION) + len("oid sha256:") + 64 + len("size 0") + 3
_READ_BYTES = 64 * 2**20
"""Small files that are looked at, the smallest first: a pointer of this kind has about 130 bytes."""
_ANSWER_BYTES = 4 * 2**20
_CHUNK = 256 * 1024
_MEDIA = "application/vnd.git-lfs+json"
_OID = re.compile(r"oid sha256:([0-9a-f]{64})")
_SIZE = re.compile(r"size (0|[1-9][0-9]{0,14})")
_INCOMING = "incoming-"
_LEFT_OVER_SECONDS = 86_400
_REGULAR = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What stands in git in place of a file: the SHA-256 of its content, and its size in bytes."""

    oid: str
    size: int


async def fetch_lfs(mirror: Mirror, remote: Remote, sha: str, folder: Path) -> tuple[LfsFile, ...]:
    """Return the files of the commit that are in Git LFS, each with a file below `folder` that holds its content.

    Raises PlanError for what is too large or too many, SourceError where an object cannot be had.
    """
    pointers = await find_pointers(mirror, sha)
    wanted = {pointer.oid: pointer for pointer in pointers.values()}
    check_sizes(pointers)
    store = Objects(mirror.folder / "lfs" / "objects", folder)
    missing = [pointer for pointer in wanted.values() if not store.take(pointer)]
    if remote.is_local:
        await asyncio.to_thread(_copy_local, Path(remote.url) / "lfs" / "objects", missing, store)
    elif missing:
        await _download(remote, missing, store)
    await asyncio.to_thread(store.prune)
    return tuple(LfsFile(path, pointer.oid, store.file(pointer.oid)) for path, pointer in sorted(pointers.items()))


def parse_pointer(content: bytes) -> Pointer | None:
    """Return what a pointer names, None for every other text, and for pointers with extensions, whose content only
    their extension can make.
    """
    if len(content) >= POINTER_BYTES:
        return None
    try:
        lines = content.decode("ascii").split("\n")
    except UnicodeDecodeError:
        return None
    if len(lines) != 4 or lines[0] != _VERSION or lines[3]:
        return None
    oid, size = _OID.fullmatch(lines[1]), _SIZE.fullmatch(lines[2])
    return Pointer(oid[1], int(size[1])) if oid and size else None


def check_sizes(pointers: Mapping[str, Pointer]) -> None:
    """Raise PlanError where files of LFS are too many or too large, or two pointers contradict each other."""
    sizes: dict[str, int] = {}
    for path, pointer in pointers.items():
        if pointer.size > MAX_OBJECT:
            raise PlanError(f"{shown(path)} is in Git LFS and has more than {MAX_OBJECT >> 30} GiB: it is not fetched.")
        if sizes.setdefault(pointer.oid, pointer.size) != pointer.size:
            raise PlanError(f"The Git LFS pointer {shown(path)} gives another size than one to the same object.")
    if len(pointers) > MAX_FILES:
        raise PlanError(f"This commit has more than {MAX_FILES:,} files in Git LFS: no more are fetched.")
    if sum(sizes.values()) > MAX_TOTAL:
        raise PlanError(f"The Git LFS files of this commit take more than {MAX_TOTAL >> 30} GiB: they are not fetched.")


async def find_pointers(mirror: Mirror, sha: str) -> dict[str, Pointer]:
    """Return the pointers of a commit by path: small regular files that `.gitattributes` marks with `filter=lfs`."""
    entries = await Commit(mirror.folder, sha).entries()
    if not any(path.rpartition("/")[2] == ".gitattributes" for path in entries):
        return {}
    small = [
        entry for entry in entries.values() if entry.mode in _REGULAR and _LEAST_BYTES <= entry.size < POINTER_BYTES
    ]
    by_id = await _pointers_of(mirror, sha, small)
    found = {path: by_id[entry.id] for path, entry in entries.items() if entry.mode in _REGULAR and entry.id in by_id}
    marked = await _marked(mirror, sha, found) if found else frozenset()
    for path in marked:
        if fault := path_fault(path):
            raise PlanError(f"The Git LFS file {shown(path)} cannot be written: {fault}.")
    return {path: pointer for path, pointer in found.items() if path in marked}


async def _pointers_of(mirror: Mirror, sha: str, entries: Iterable[Entry]) -> dict[str, Pointer]:
    """Return the pointers among these files, by object id."""
    chosen: list[Entry] = []
    room = _READ_BYTES
    for entry in sorted({entry.id: entry for entry in entries}.values(), key=lambda one: one.size):
        room -= entry.size
        if room < 0:
            break
        chosen.append(entry)
    found: dict[str, Pointer] = {}
    position = 0
    held = bytearray()
    async for part in Commit(mirror.folder, sha).contents(chosen):
        held += part
        while position < len(chosen) and len(held) >= chosen[position].size:
            entry = chosen[position]
            pointer = parse_pointer(bytes(held[: entry.size]))
            if pointer is not None:
                found[entry.id] = pointer
            del held[: entry.size]
            position += 1
    return found


async def _marked(mirror: Mirror, sha: str, paths: Iterable[str]) -> frozenset[str]:
    """Return those of the paths that have the attribute `filter=lfs`.

    git reads attributes from an index, and a mirror has none: a repository beside it borrows its objects for that.
    """
    with tempfile.TemporaryDirectory(prefix="attributes-", dir=mirror.folder) as name:
        beside = Path(name)
        await git("init", "--bare", "--quiet", cwd=beside)
        (beside / "objects" / "info" / "alternates").write_text(f"{mirror.folder.resolve() / 'objects'}\n")
        await git("read-tree", sha, cwd=beside)
        asked = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
        answer = await git("check-attr", "--cached", "-z", "--stdin", "filter", cwd=beside, stdin=asked)
    fields = answer.split(b"\0")
    triples = zip(fields[0::3], fields[2::3], strict=False)
    return frozenset(path.decode("utf-8", "surrogateescape") for path, value in triples if value == b"lfs")


class Objects:
    """The objects of one run: kept in the mirror for the next run, and linked or copied into the run's own folder."""

    def __init__(self, cache: Path, folder: Path) -> None:
        self._cache = cache
        self._folder = folder

    def file(self, oid: str) -> Path:
        """Return where this run has an object."""
        return self._folder / oid

    def take(self, pointer: Pointer) -> bool:
        """Give the run an object that is kept. Returns whether there was one of the right size."""
        kept = self._kept(pointer.oid)
        try:
            if kept.stat().st_size != pointer.size:
                return False
            _link(kept, self.file(pointer.oid))
            os.utime(kept)
        except FileNotFoundError:
            return False
        return True

    def scratch(self) -> Path:
        """Return a new file's path in which an object is gathered."""
        self._cache.mkdir(parents=True, exist_ok=True)
        return self._cache / f"{_INCOMING}{uuid.uuid4().hex}"

    def keep(self, gathered: Path, pointer: Pointer) -> None:
        """Keep a file that was checked, and give it to the run."""
        kept = self._kept(pointer.oid)
        kept.parent.mkdir(parents=True, exist_ok=True)
        gathered.replace(kept)
        _link(kept, self.file(pointer.oid))

    def prune(self) -> None:
        """Remove what was used longest ago where too much is kept. The runs have links of their own."""
        now = time.time()
        room = MAX_KEPT
        files = []
        for path in self._cache.rglob("*"):
            with suppress(FileNotFoundError):  # another run's may have been renamed meanwhile
                if path.is_file():
                    files.append((path, path.stat()))
        for path, seen in sorted(files, key=lambda one: -one[1].st_mtime):
            is_coming = path.name.startswith(_INCOMING)
            room -= seen.st_size
            if now - seen.st_mtime > _LEFT_OVER_SECONDS if is_coming else room < 0:
                path.unlink(missing_ok=True)

    def _kept(self, oid: str) -> Path:
        return self._cache / oid[:2] / oid[2:4] / oid


def _link(kept: Path, target: Path) -> None:
    with suppress(FileExistsError):
        try:
            os.link(kept, target)
        except FileExistsError:
            raise
        except OSError:  # another file system
            shutil.copyfile(kept, target)


def _copy_local(objects: Path, missing: list[Pointer], store: Objects) -> None:
    """Take objects from a local repository, where git-lfs keeps those that it fetched."""
    for pointer in missing:
        scratch = store.scratch()
        try:
            digest = hashlib.sha256()
            room = pointer.size
            with (
                (objects / pointer.oid[:2] / pointer.oid[2:4] / pointer.oid).open("rb") as have,
                scratch.open("wb") as copy,
            ):
                while part := have.read(min(_CHUNK, room + 1)):
                    room -= len(part)
                    if room < 0:
                        break
                    digest.update(part)
                    copy.write(part)
            if room or digest.hexdigest() != pointer.oid:
                raise SourceError(f"The local Git LFS object {pointer.oid[:12]} is damaged: `git lfs fsck` mends it.")
            store.keep(scratch, pointer)
        except FileNotFoundError as error:
            raise SourceError(
                f"The Git LFS object {pointer.oid[:12]} is not in the local repository: `git lfs fetch` brings it."
            ) from error
        finally:
            scratch.unlink(missing_ok=True)


async def _download(remote: Remote, missing: list[Pointer], store: Objects) -> None:
    own = server_of(remote.url)
    if own is None:
        raise SourceError(
            f"Git LFS files cannot be fetched from {shown(remote.url)}: that is no plain http or https URL."
        )
    async with pinned_session() as (session, pin):
        for start in range(0, len(missing), BATCH):
            asked = missing[start : start + BATCH]
            for pointer, action in await _batch(session, remote, asked):
                try:
                    place = await checked_place(action.href, f"The Git LFS object {pointer.oid[:12]}", own=own)
                except PlanError as error:  # the server's doing, not the commit's
                    raise SourceError(str(error)) from error
                pin(place)
                headers = _headers(action, place.server, own, remote.token)
                await _fetch(session, action.href, headers, pointer, store)


async def _batch(
    session: aiohttp.ClientSession, remote: Remote, asked: list[Pointer]
) -> Iterator[tuple[Pointer, Action]]:
    body = {
        "operation": "download",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": pointer.oid, "size": pointer.size} for pointer in asked],
    }
    headers = {"Accept": _MEDIA, "Content-Type": _MEDIA}
    if remote.token:
        headers["Authorization"] = basic_header(remote.token)
    try:
        async with session.post(
            batch_url(remote.url), data=json.dumps(body), headers=headers, allow_redirects=False
        ) as answer:
            content = await _read(answer, _ANSWER_BYTES)
            if answer.status != 200:
                raise refusal(remote.name, answer.status, content)
    except (aiohttp.ClientError, TimeoutError) as error:
        sentence = f"The Git LFS server of {remote.name} cannot be reached."
        raise SourceError(sentence, repr(error), transient=True) from error
    actions = read_answer(content, remote.name, {pointer.oid: pointer.size for pointer in asked})
    return ((pointer, actions[pointer.oid]) for pointer in asked)


def batch_url(url: str) -> str:
    """Return where the batch API of a repository is (git-lfs: docs/api/server-discovery.md)."""
    base = url.rstrip("/")
    return f"{base if base.endswith('.git') else base + '.git'}/info/lfs/objects/batch"


def _headers(action: Action, server: Server, own: Server, token: str | None) -> dict[str, str]:
    headers = dict(action.headers)
    if token and server == own and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = basic_header(token)
    return headers


async def _fetch(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], pointer: Pointer, store: Objects
) -> None:
    what = f"The Git LFS object {pointer.oid[:12]}"
    scratch = store.scratch()
    try:
        # Encoded already: another encoding would break a signature.
        async with session.get(URL(url, encoded=True), headers=headers, allow_redirects=False) as answer:
            if answer.status != 200:
                sentence = f"{what} could not be downloaded: its server answered {answer.status}."
                raise SourceError(sentence, transient=answer.status >= 500 or answer.status == 429)
            digest, room = hashlib.sha256(), pointer.size
            with scratch.open("wb") as gathered:
                async for part in answer.content.iter_chunked(_CHUNK):
                    room -= len(part)
                    if room < 0:
                        raise SourceError(f"{what} is larger than its pointer says.")
                    digest.update(part)
                    await asyncio.to_thread(gathered.write, part)
        if room or digest.hexdigest() != pointer.oid:
            raise SourceError(f"{what} is not what its pointer names: size or SHA-256 differ.")
        await asyncio.to_thread(store.keep, scratch, pointer)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        gone = not isinstance(error, ValueError)  # a URL that is none stays so
        raise SourceError(f"{what} could not be downloaded.", repr(error), transient=gone) from error
    except OSError as error:
        sentence = f"{what} could not be kept: {error.strerror or error}. Is the disk full?"
        raise HostError(sentence, cause=disk_cause(str(error))) from error
    finally:
        scratch.unlink(missing_ok=True)


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    content = bytearray()
    async for part in answer.content.iter_chunked(_CHUNK):
        content += part
        if len(content) > limit:
            raise SourceError(f"The Git LFS server answered more than {limit >> 20} MiB.")
    return bytes(content)
