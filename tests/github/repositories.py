"""Operations that read repositories, commits and pull requests."""

from tests.github import shapes
from tests.github.calls import Answer, Call, Handler, Refusal, not_found, page
from tests.github.repository import Pull


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
        and call.query.get("head") in (None, f"{pull.head_repository.owner.login}:{pull.head_branch}")
        and call.query.get("base") in (None, pull.base_branch)
    ]
    # Newest first unless `direction=asc`; every pull request here is as old as its number says.
    found.sort(key=lambda pull: pull.number, reverse=call.query.get("direction", "desc") == "desc")
    url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/pulls"
    items, headers = page(call, found, url)
    return Answer([await pull_shape(pull) for pull in items], headers=headers)


async def get_pull(call: Call) -> Answer:
    pull = call.repository.pulls.get(call.path["pull_number"])
    if pull is None:
        raise not_found()
    return Answer(await pull_shape(pull))


async def pull_shape(pull: Pull) -> shapes.Json:
    """The pull request with its size, as API and webhooks show it."""
    git = pull.repository.git
    start = await git.merge_base(pull.base_sha, pull.head_sha)
    changed = await git.changed_files(start, pull.head_sha)
    commits = await git.commits_between(start, pull.head_sha)
    return shapes.pull(pull, changed, len(commits))


OPERATIONS: dict[str, Handler] = {
    "repos/get": get_repository,
    "repos/get-commit": get_commit,
    "pulls/list": list_pulls,
    "pulls/get": get_pull,
}
