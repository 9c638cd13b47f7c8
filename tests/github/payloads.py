"""Webhook payloads about the stand-in's own repositories, shaped like GitHub's."""

from tests.github import shapes
from tests.github.checks import Checks, CheckSuite, suite_shape
from tests.github.git_repository import ZERO_SHA, Commit
from tests.github.repositories import pull_shape
from tests.github.repository import Pull, RefUpdate, Repository
from tests.github.shapes import Json
from tests.github.state import Account, Installation, State


def envelope(repository: Repository, sender: Account, installation: Installation | None) -> Json:
    """What every event about a repository carries."""
    addresses = repository.state.addresses
    payload: Json = {
        "repository": shapes.repository(repository),
        "sender": shapes.account(sender, addresses),
    }
    if repository.owner.type == "Organization":
        payload["organization"] = organization(repository.owner, repository.state)
    if installation:
        payload["installation"] = {
            "id": installation.id,
            "node_id": shapes.node_id("I", installation.id),
        }
    return payload


def organization(owner: Account, state: State) -> Json:
    url = f"{state.addresses.api}/orgs/{owner.login}"
    return {
        "login": owner.login,
        "id": owner.id,
        "node_id": shapes.node_id("O", owner.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{state.addresses.web}/avatars/{owner.login}",
        "description": None,
    }


async def push(repository: Repository, update: RefUpdate, installation: Installation | None) -> Json:
    """The payload of `push`; a deleted ref has no commits and an all-zero `after`."""
    before, after = update.before or ZERO_SHA, update.after or ZERO_SHA
    commits: list[Json] = []
    if update.after:
        found = await repository.git.commits_between(update.before, update.after)
        commits = [await pushed(repository, commit) for commit in found]
    base = envelope(repository, update.sender, installation)
    created, pushed_at = (int(repository.state.clock.now()),) * 2
    page = f"{repository.state.addresses.web}/{repository.full_name}"
    span = f"{before[:12]}...{after[:12]}"
    # Only here does GitHub give these two as numbers, and the owner a name.
    base["repository"] |= {
        "created_at": created,
        "pushed_at": pushed_at,
        "stargazers": 0,
        "master_branch": repository.default_branch,
        "organization": repository.owner.login,
        "owner": base["repository"]["owner"] | {"name": repository.owner.login, "email": None},
    }
    person = repository.signature(update.sender)
    head = await repository.git.head(update.after) if update.after else None
    return {
        **base,
        "ref": update.ref,
        "before": before,
        "after": after,
        "base_ref": None,
        "created": update.before is None,
        "deleted": update.after is None,
        "forced": update.forced,
        "compare": f"{page}/compare/{span}",
        "commits": commits,
        "head_commit": await pushed(repository, await repository.git.read_commit(head)) if head else None,
        "pusher": {"name": person.name, "email": person.email},
    }


async def pushed(repository: Repository, commit: Commit) -> Json:
    parent = commit.parents[0] if commit.parents else None
    return shapes.pushed_commit(repository, commit, await repository.git.changed_files(parent, commit.sha))


async def pull_request(
    pull: Pull, action: str, sender: Account, installation: Installation | None, before: str | None = None
) -> Json:
    """The payload of `pull_request`: opened, synchronize (with `before`), reopened, ready_for_review, closed."""
    moved = {"before": before or ZERO_SHA, "after": pull.head_sha} if action == "synchronize" else {}
    return {
        "action": action,
        "number": pull.number,
        "pull_request": await pull_shape(pull),
        **moved,
        **envelope(pull.repository, sender, installation),
    }


async def check_suite(
    checks: Checks,
    repository: Repository,
    suite: CheckSuite,
    action: str,
    sender: Account,
    installation: Installation | None,
) -> Json:
    """The payload of `check_suite`: requested, rerequested."""
    shape = await suite_shape(checks, repository.state, repository, suite)
    del shape["repository"]
    return {"action": action, "check_suite": shape, **envelope(repository, sender, installation)}


def ping(state: State) -> Json:
    """The payload that an App's webhook gets when it is set up."""
    hook = f"{state.addresses.api}/app/hook"
    now = state.clock.timestamp()
    return {
        "zen": "Anything added dilutes everything else.",
        "hook_id": state.app.hook_id,
        "hook": {
            "type": "App",
            "id": state.app.hook_id,
            "name": "web",
            "active": True,
            "app_id": state.app.id,
            "events": list(state.app.events),
            "config": {"content_type": "json", "insecure_ssl": "0", "url": state.app.webhook_url or hook},
            "created_at": now,
            "updated_at": now,
            "deliveries_url": f"{hook}/deliveries",
        },
    }


def installation_event(state: State, installation: Installation, action: str, sender: Account) -> Json:
    """The payload of `installation`: created, deleted, suspend, unsuspend."""
    return {
        "action": action,
        "installation": shapes.installation(installation, state.app, state.addresses),
        "repositories": [shapes.repository_stub(repo) for repo in state.repositories_of(installation)],
        "requester": None,
        "sender": shapes.account(sender, state.addresses),
    }
