"""Operations that read branches and refs, and compare commits."""

from typing import Any
from urllib.parse import quote

from tests.github import shapes
from tests.github.calls import Answer, Call, Handler, Refusal, not_found
from tests.github.git_repository import Commit
from tests.github.repository import Repository


async def get_ref(call: Call) -> Answer:
    ref = f"refs/{call.path['ref']}"
    if not ref.startswith(("refs/heads/", "refs/tags/", "refs/pull/")):
        raise Refusal(404, "Not Found: ask for heads/<branch> or tags/<tag>")
    sha = (await call.repository.git.refs()).get(ref)
    if sha is None:
        raise not_found()
    api = f"{call.state.addresses.api}/repos/{call.repository.full_name}/git"
    target = {"type": "commit", "sha": sha, "url": f"{api}/commits/{sha}"}
    node = shapes.node_id(f"REF:{ref}", call.repository.id)
    return Answer({"ref": ref, "node_id": node, "url": f"{api}/{quote(ref)}", "object": target})


async def get_branch(call: Call) -> Answer:
    branch = call.path["branch"]
    sha = (await call.repository.git.refs()).get(f"refs/heads/{branch}")
    if sha is None:
        raise Refusal(404, "Branch not found", mistake=False)
    full_name, addresses = call.repository.full_name, call.state.addresses
    url = f"{addresses.api}/repos/{full_name}/branches/{quote(branch)}"
    off = {"enforcement_level": "off", "contexts": [], "checks": []}
    body = {
        "name": branch,
        "commit": await commit_shape(call.repository, await call.repository.git.read_commit(sha)),
        "_links": {"self": url, "html": f"{addresses.web}/{full_name}/tree/{quote(branch)}"},
        "protected": False,
        "protection": {"enabled": False, "required_status_checks": off},
        "protection_url": f"{url}/protection",
    }
    return Answer(body)


async def compare(call: Call) -> Answer:
    """Two commits and what lies between them; `owner:branch` names a branch of a fork."""
    base_name, dots, head_name = call.path["basehead"].partition("...")
    base, head = [await find_commit(call, name) if dots and name else None for name in (base_name, head_name)]
    start = base and head and await call.repository.git.merge_base(base, head)
    if not base or not head or not start:
        raise not_found()
    git = call.repository.git
    ahead, behind = [int(await git.git("rev-list", "--count", f"{a}..{b}")) for a, b in ((base, head), (head, base))]
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind"}.get(
        (ahead > 0, behind > 0), "diverged"
    )
    url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/compare/{call.path['basehead']}"
    web = f"{call.state.addresses.web}/{call.repository.full_name}/compare/{call.path['basehead']}"
    body = {
        "url": url,
        "html_url": web,
        "permalink_url": web,
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "base_commit": await commit_shape(call.repository, await git.read_commit(base)),
        "merge_base_commit": await commit_shape(call.repository, await git.read_commit(start)),
        "status": status,
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": [await commit_shape(call.repository, c) for c in await git.commits_between(start, head)],
        "files": [shapes.diff_entry(call.repository, file, head) for file in await git.changed_files(start, head)],
    }
    return Answer(body)


async def find_commit(call: Call, name: str) -> str | None:
    """The SHA that a branch, tag or SHA of this repository means, or `owner:branch` of one of its forks."""
    owner, colon, branch = name.partition(":")
    if not colon or owner.lower() == call.repository.owner.login.lower():
        return await call.repository.git.head(branch or owner)
    for fork in call.state.repositories.values():
        if fork.parent is call.repository and fork.owner.login.lower() == owner.lower():
            sha = await fork.git.head(f"refs/heads/{branch}")
            if sha:
                # GitHub keeps forks in one object store.
                await call.repository.git.fetch(fork.git.folder, [sha])
            return sha
    return None


async def commit_shape(repository: Repository, commit: Commit) -> dict[str, Any]:
    parent = commit.parents[0] if commit.parents else None
    return shapes.commit(repository, commit, await repository.git.changed_files(parent, commit.sha))


OPERATIONS: dict[str, Handler] = {
    "git/get-ref": get_ref,
    "repos/get-branch": get_branch,
    "repos/compare-commits-with-basehead": compare,
}
