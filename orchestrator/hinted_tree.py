"""Reads what planning needs of a commit, with the `.draftsman.toml` that counts for it."""

from __future__ import annotations

from collections.abc import Iterable

from draftsman.domain.plan import Tree
from orchestrator.planning.hints import wanted
from orchestrator.planning.repo_file import NAME, named_dockerfile
from orchestrator.source import Mirror


async def read_tree(mirror: Mirror, sha: str, *, repo_file_from: str | None, dockerfile: str | None = None) -> Tree:
    """Return the commit's tree, with the `.draftsman.toml` of the commit `repo_file_from`, or with none.

    A stranger's commit must not say how it is checked: its own file is out of the tree where another one counts. Both
    commits must be in the mirror. `dockerfile` is the path that the profile sets.
    """
    tree = await mirror.tree(sha, lambda paths: wanted(paths, dockerfile))
    if repo_file_from != sha:
        tree = await _with_repo_file(mirror, tree, repo_file_from)
    named = named_dockerfile(tree.contents.get(NAME))
    if named is None or named in tree.contents or named not in tree.paths:
        return tree
    more = await mirror.tree(sha, lambda _: [named])
    return Tree(tree.paths, {**tree.contents, **more.contents})


async def _with_repo_file(mirror: Mirror, tree: Tree, base: str | None) -> Tree:
    paths = tree.paths - {NAME}
    contents = {path: content for path, content in tree.contents.items() if path != NAME}
    if base is not None:
        other = await mirror.tree(base, _only_repo_file)
        paths |= other.paths & {NAME}
        contents |= other.contents
    return Tree(paths, contents)


def _only_repo_file(paths: Iterable[str]) -> list[str]:
    return [NAME] if NAME in set(paths) else []
