"""The merge of a commit into its base, made in our mirror and pushed nowhere.

It is the same commit however often it is made: author, date and message come from its two parents.
"""

from __future__ import annotations

import re

from draftsman.domain.errors import AuthorError, HostError
from orchestrator.git import GitError, git, git_ended
from orchestrator.planning.trail import show
from orchestrator.source import Mirror

MOST_CONFLICTS = 20
"""Conflicting paths that are shown."""

_SECONDS = 60
_MEMORY_BYTES = 2 * 2**30
_LEAST_GIT = (2, 38)
_AUTHOR = "Draftsman <draftsman@draftsman.invalid>"
_LATEST = 2**32  # seconds since 1970; a commit may claim any
_CONFLICT, _NO_COMMON_HISTORY = 1, "refusing to merge unrelated histories"


class MergeConflictError(AuthorError):
    """The commit cannot be merged into its base. `detail` names the paths."""


async def merge(mirror: Mirror, head: str, base: str, *, into: str) -> str:
    """Return the SHA of the commit that merges `head` into `base`; both must be in the mirror.

    `into` is what a person calls the base. Raises MergeConflictError, and HostError where git cannot do it here.
    """
    await _demand_version()
    place = f"{show(into)} at {base[:7]}"
    try:
        code, said = await git_ended(
            *("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", base, head),
            cwd=mirror.folder,
            config={"merge.renameLimit": "1000"},
            timeout=_SECONDS,
            allowed=(0, _CONFLICT),
            memory_bytes=_MEMORY_BYTES,
        )
    except GitError as error:
        if _NO_COMMON_HISTORY in error.detail:
            sentence = f"has no history in common with {place}"
            raise MergeConflictError(sentence, "Rebase the commits onto it, then push.") from error
        raise HostError(f"git could not merge {head[:7]} into {place}: {error}", error.detail) from error
    tree, *paths = said.decode("utf-8", "surrogateescape").split("\0")
    if code == _CONFLICT:
        raise MergeConflictError(f"conflicts with {place}", _told(dict.fromkeys(filter(None, paths)), into))
    return await _commit(mirror, tree, base, head)


async def _commit(mirror: Mirror, tree: str, base: str, head: str) -> str:
    """Write the merge commit as an object: `git commit-tree` would take what is missing here from the host."""
    said = await git("log", "-1", "--no-show-signature", "--format=%ct", head, "--", cwd=mirror.folder)
    date = said.decode().strip()
    at = min(int(date), _LATEST) if date.isdigit() else 0
    signed = f"{_AUTHOR} {at} +0000"
    text = (
        f"tree {tree}\nparent {base}\nparent {head}\nauthor {signed}\ncommitter {signed}\n\nMerge {head} into {base}\n"
    )
    made = await git("hash-object", "-t", "commit", "-w", "--stdin", cwd=mirror.folder, stdin=text.encode())
    return made.decode().strip()


async def _demand_version() -> None:
    said = (await git("version")).decode("utf-8", "replace").strip()
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _LEAST_GIT:
        raise HostError(
            f"A pull request cannot be tested merged into its base here: the worker's machine has {said[:40]!r}, and "
            "that takes git 2.38 or newer. Install one, or turn merge testing off."
        )


def _told(paths: dict[str, None], into: str) -> str:
    """Return the conflicting paths and what to do, in Markdown."""
    named = [show(path).replace("`", "'") for path in sorted(paths)]
    listed = [f"- `{path}`" for path in named[:MOST_CONFLICTS]]
    if len(named) > MOST_CONFLICTS:
        listed.append(f"- and {len(named) - MOST_CONFLICTS} more")
    branch = show(into).replace("`", "'")
    what = "These paths conflict:\n\n" + "\n".join(listed) + "\n\n" if listed else ""
    return f"{what}Merge `{branch}` into the branch, or rebase onto it, resolve them, and push."
