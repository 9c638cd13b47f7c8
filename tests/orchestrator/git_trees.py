"""Commits with submodules, made in the GitHub stand-in's repositories without a checkout."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.github.git_repository import Files
from tests.github.repository import Repository


def run(folder: Path, *arguments: str, given: str | None = None) -> str:
    """Return what git printed."""
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout.strip()


async def with_gitlinks(repository: Repository, files: Files, links: Mapping[str, str]) -> str:
    """Return the SHA of a new commit on the default branch with these files, and gitlinks at paths of the top."""
    folder = repository.git.folder
    sha = await repository.commit({"changed": ",".join(links.values()), **files})
    listing = run(folder, "ls-tree", sha)
    kept = [line for line in listing.splitlines() if line.partition("\t")[2] not in links]
    lines = [*kept, *(f"160000 commit {target}\t{path}" for path, target in links.items())]
    tree = run(folder, "mktree", "--missing", given="\n".join(lines) + "\n")
    made = run(folder, "commit-tree", "-m", "links", "-p", sha, tree)
    await repository.move_ref(f"refs/heads/{repository.default_branch}", made)
    return made
