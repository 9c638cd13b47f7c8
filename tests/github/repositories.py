"""Operations that read repositories, commits and pull requests."""

from tests.github import shapes
from tests.github.calls import Answer, Call, Handler, Refusal, not_found, page
from tests.github.comments import comments_on
from tests.github.pulls import Pull


async def get_repository(call: Call) -> Answer:
    return Answer(shapes.repository(call.repository))


async def get_commit(call: Call) -> Answer:
    git = call.repository.git
    sha = await git.head(call.path["ref"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.path['ref']}", mistake=False)
    commit = await git.read_commit(sha)
    changed = await git.changed_files(commit.parents[0] if commit.parents else None, sha)
    return Answer(shapes.commit(call.repository, commit, changed))


async def list_pulls(call: Call) -> Answer:
    wanted = call.query.get("state", "open")
    found = [
        pull
        for pull in call.repository.pulls.values()
        if wanted in ("all", pull.state)
        and call.query.get("head") in (None, f"{pull.head_owner.login}:{pull.head_branch}")
        and call.query.get("base") in (None, pull.base_branch)
    ]
    order = call.query.get("sort", "created")
    newest_first = call.query.get("direction", "desc" if order == "created" else "asc") == "desc"
    # Many are made within a second: the number says which came first.
    found.sort(key=lambda p: (p.updated_at if order == "updated" else "", p.number), reverse=newest_first)
    url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/pulls"
    items, headers = page(call, found, url)
    return Answer([await pull_shape(pull) for pull in items], headers=headers)


async def get_pull(call: Call) -> Answer:
    return Answer(await pull_shape(find_pull(call)))


async def list_files(call: Call) -> Answer:
    pull = find_pull(call)
    git = call.repository.git
    changed = await git.changed_files(await git.merge_base(pull.base_sha, pull.head_sha), pull.head_sha)
    url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/pulls/{pull.number}/files"
    items, headers = page(call, changed, url)
    return Answer([shapes.diff_entry(call.repository, file, pull.head_sha) for file in items], headers=headers)


async def list_pulls_of_commit(call: Call) -> Answer:
    """Open pull requests with the commit as their head, and merged ones that brought it in."""
    sha = call.path["commit_sha"]
    if await call.repository.git.head(sha) is None:
        raise Refusal(422, f"No commit found for SHA: {sha}", mistake=False)
    found = [p for p in call.repository.pulls.values() if sha in (p.head_sha, p.merged_at and p.merge_sha)]
    url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/commits/{sha}/pulls"
    items, headers = page(call, found, url)
    return Answer([await pull_shape(pull) for pull in items], headers=headers)


def find_pull(call: Call) -> Pull:
    pull = call.repository.pulls.get(call.path["pull_number"])
    if pull is None:
        raise not_found()
    return pull


async def pull_shape(pull: Pull) -> shapes.Json:
    """The pull request with its size, as API and webhooks show it."""
    git = pull.repository.git
    start = await git.merge_base(pull.base_sha, pull.head_sha)
    changed = await git.changed_files(start, pull.head_sha)
    commits = await git.commits_between(start, pull.head_sha)
    comments = len(comments_on(pull.repository, pull.number))
    return shapes.pull(pull, changed, len(commits)) | {"comments": comments}


OPERATIONS: dict[str, Handler] = {
    "repos/get": get_repository,
    "repos/get-commit": get_commit,
    "pulls/list": list_pulls,
    "pulls/get": get_pull,
    "pulls/list-files": list_files,
    "repos/list-pull-requests-associated-with-commit": list_pulls_of_commit,
}
