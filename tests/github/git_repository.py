"""A bare git repository of the stand-in: commits made without a work tree, and what is asked about them."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ZERO_SHA = "0" * 40


class GitFailedError(Exception):
    """A git command of the stand-in failed; the message carries the command and what git said."""


@dataclass(frozen=True)
class GitFile:
    """A file with a mode of its own: 100755 executable, 120000 symlink (content is its target)."""

    content: str | bytes
    mode: str = "100644"


Files = Mapping[str, str | bytes | GitFile | None]


@dataclass(frozen=True)
class Signature:
    """Who wrote a commit, and when (seconds since the epoch)."""

    name: str
    email: str
    seconds: int


@dataclass(frozen=True)
class Commit:
    """What git says about one commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True)
class ChangedFile:
    """One file of a diff; `status` as GitHub names it: added, removed, modified."""

    path: str
    status: str
    additions: int
    deletions: int


async def run_git(*arguments: str, stdin: bytes = b"") -> str:
    """What the git command printed, without the last newline.

    Raises `GitFailedError` if its exit code is not zero.
    """
    environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    out, err = await process.communicate(stdin)
    if process.returncode:
        raise GitFailedError(f"git {' '.join(arguments)}: {err.decode(errors='replace').strip()}")
    return out.decode(errors="replace").removesuffix("\n")


class GitRepository:
    """The bare repository in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def git(self, *arguments: str, stdin: bytes = b"") -> str:
        return await run_git("-C", str(self.folder), *arguments, stdin=stdin)

    async def create(self, default_branch: str) -> None:
        """Make the folder a bare repository that serves any SHA it has, as GitHub does."""
        self.folder.mkdir(parents=True)
        await run_git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(self.folder))
        with (self.folder / "config").open("a", encoding="utf-8") as config:
            config.write("[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n")
            config.write("[gc]\n\tauto = 0\n[receive]\n\tdenyDeleteCurrent = refuse\n")

    async def head(self, ref: str) -> str | None:
        """The SHA that a ref (`refs/heads/main`, a SHA, a branch or tag name) means, None if nothing."""
        try:
            return await self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        except GitFailedError:
            return None

    async def commit(self, ref: str, files: Files, *, message: str, author: Signature, parent: str | None) -> str:
        """The SHA of a new commit on `parent` (None: a root commit), to which `ref` now points."""
        stamp = f"{author.name} <{author.email}> {author.seconds} +0000"
        lines = [f"commit {ref}", f"author {stamp}", f"committer {stamp}"]
        stream = bytearray("\n".join(lines).encode() + b"\n" + data_block(message))
        if parent:
            stream += f"from {parent}\n".encode()
        for path, content in files.items():
            stream += file_change(path, content)
        await self.git("fast-import", "--quiet", "--force", "--date-format=raw", stdin=bytes(stream))
        sha = await self.head(ref)
        if sha is None:
            raise GitFailedError(f"git fast-import wrote no commit to {ref}")
        return sha

    async def read_commit(self, sha: str) -> Commit:
        form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"
        found = await self.git("show", "-s", f"--format={form}", "--end-of-options", sha)
        full, tree, parents, an, ae, at, cn, ce, ct, message = found.split("\0", 9)
        return Commit(
            full,
            tree,
            tuple(parents.split()),
            Signature(an, ae, int(at)),
            Signature(cn, ce, int(ct)),
            message.rstrip("\n"),
        )

    async def commits_between(self, old: str | None, new: str) -> list[Commit]:
        """Commits reachable from `new` and not from `old`, oldest first; at most 20, as a push event has."""
        wanted = [new] if old is None else [new, f"^{old}"]
        shas = (await self.git("rev-list", "--topo-order", "--max-count=20", *wanted)).split()
        return [await self.read_commit(sha) for sha in reversed(shas)]

    async def changed_files(self, old: str | None, new: str) -> list[ChangedFile]:
        """Files that differ between two commits, or all files of `new` if `old` is None."""
        empty_tree = await self.git("hash-object", "-t", "tree", "--stdin")
        pair = (old or empty_tree, new)
        kinds = (await self.git("diff-tree", "-r", "-z", "--name-status", *pair)).split("\0")
        status = dict(zip(kinds[1::2], kinds[0::2], strict=False))
        rows = (await self.git("diff-tree", "-r", "-z", "--numstat", *pair)).split("\0")
        changed = []
        for row in filter(None, rows):
            added, deleted, path = row.split("\t", 2)
            word = {"A": "added", "D": "removed"}.get(status[path], "modified")
            changed.append(ChangedFile(path, word, number(added), number(deleted)))
        return changed

    async def merge_base(self, one: str, other: str) -> str | None:
        try:
            return await self.git("merge-base", one, other)
        except GitFailedError:
            return None

    async def merge(self, base: str, head: str, *, message: str, author: Signature) -> str | None:
        """The SHA of a merge commit of `head` into `base`, None if they conflict."""
        try:
            tree = (await self.git("merge-tree", "--write-tree", base, head)).split("\n")[0]
        except GitFailedError:
            return None
        stamp = f"{author.name} <{author.email}> {author.seconds} +0000"
        text = f"tree {tree}\nparent {base}\nparent {head}\nauthor {stamp}\ncommitter {stamp}\n\n{message}\n"
        return await self.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())

    async def set_ref(self, ref: str, sha: str | None) -> None:
        """Point the ref at the SHA; None deletes it."""
        await (self.git("update-ref", ref, sha) if sha else self.git("update-ref", "-d", ref))

    async def fetch(self, source: Path, refspecs: Sequence[str]) -> None:
        """Take refs of another repository on this disk, e.g. `+HEAD:refs/heads/main`."""
        await self.git("fetch", "--quiet", "--no-tags", "--no-auto-gc", "--", str(source), *refspecs)

    async def refs(self) -> dict[str, str]:
        """Every ref and the SHA it points to."""
        rows = (await self.git("for-each-ref", "--format=%(refname) %(objectname)")).splitlines()
        return dict(row.split(" ", 1) for row in rows)


def number(text: str) -> int:
    """A count of a numstat row; `-` stands for a binary file."""
    return 0 if text == "-" else int(text)


def data_block(content: str | bytes) -> bytes:
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return b"data %d\n%s\n" % (len(raw), raw)


def file_change(path: str, content: str | bytes | GitFile | None) -> bytes:
    """One line (and its content) of a fast-import stream; None deletes the path."""
    quoted = b'"%s"' % b"".join(
        b"\\%03o" % byte if byte < 32 or byte in b'"\\' else bytes([byte])
        for byte in path.encode("utf-8", "surrogateescape")
    )
    if content is None:
        return b"D %s\n" % quoted
    file = content if isinstance(content, GitFile) else GitFile(content)
    return b"M %s inline %s\n%s" % (file.mode.encode(), quoted, data_block(file.content))


def read_folder(folder: Path) -> dict[str, GitFile]:
    """The files below a plain folder, with executable bits and symlinks, ready for a commit.

    What belongs to no repository (`.git`, `.venv`, `node_modules`, `__pycache__`) is left out.
    """
    left_out = {".git", ".venv", "node_modules", "__pycache__"}
    files = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if left_out & set(relative.parts):
            continue
        if path.is_symlink():
            files[relative.as_posix()] = GitFile(str(path.readlink()), "120000")
        elif path.is_file():
            executable = path.stat().st_mode & 0o100
            files[relative.as_posix()] = GitFile(path.read_bytes(), "100755" if executable else "100644")
    return files
