"""Webhook payloads about the stand-in's own repositories, shaped like GitHub's."""

from collections.abc import Sequence

from tests.github import comment_shapes, shapes
from tests.github.announcer import Changes, RefUpdate
from tests.github.checks import CheckRun, Checks, CheckSuite, run_shape, suite_shape
from tests.github.comments import Comment, Issue
from tests.github.git_repository import ZERO_SHA, Commit
from tests.github.installations import Installation
from tests.github.merge_queue import MergeGroup
from tests.github.pulls import Pull
from tests.github.repositories import pull_shape
from tests.github.repository import Repository
from tests.github.shapes import Json
from tests.github.state import Account, State


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
    pull: Pull,
    action: str,
    sender: Account,
    installation: Installation | None,
    before: str | None = None,
    changes: Changes | None = None,
) -> Json:
    """The payload of `pull_request`; `before` is the old head of a `synchronize`, `changes` those of `edited`."""
    moved = {"before": before or ZERO_SHA, "after": pull.head_sha} if action == "synchronize" else {}
    return {
        "action": action,
        "number": pull.number,
        "pull_request": await pull_shape(pull),
        **moved,
        **({} if changes is None else {"changes": changes}),
        **envelope(pull.repository, sender, installation),
    }


def issue_comment(
    comment: Comment, action: str, sender: Account, installation: Installation | None, changes: Changes | None
) -> Json:
    """The payload of `issue_comment`: created, edited, deleted."""
    on = comment.on
    if not isinstance(on, (Issue, Pull)):
        raise TypeError(f"a comment is on an issue or a pull request, not on {on!r}")
    return {
        "action": action,
        **({} if changes is None else {"changes": changes}),
        "issue": comment_shapes.issue(on),
        "comment": comment_shapes.comment(comment),
        **envelope(comment.repository, sender, installation),
    }


def repository_event(
    repository: Repository, action: str, sender: Account, installation: Installation | None, changes: Changes | None
) -> Json:
    """The payload of `repository`: renamed, transferred, deleted, edited, privatized, publicized."""
    shown = changes
    if changes and "owner" in changes:
        [(kind, old)] = changes["owner"]["from"].items()
        state = repository.state
        shape = organization(old, state) if kind == "organization" else shapes.account(old, state.addresses)
        shown = {"owner": {"from": {kind: shape}}}
    return {
        "action": action,
        **({} if shown is None else {"changes": shown}),
        **envelope(repository, sender, installation),
    }


def merge_group(
    group: MergeGroup, action: str, sender: Account, installation: Installation | None, reason: str | None
) -> Json:
    """The payload of `merge_group`: checks_requested, destroyed (with its reason)."""
    return {
        "action": action,
        **({} if reason is None else {"reason": reason}),
        "merge_group": {
            "head_sha": group.head_sha,
            "head_ref": f"refs/heads/{group.head_branch}",
            "base_sha": group.base_sha,
            "base_ref": f"refs/heads/{group.base_branch}",
            "head_commit": shapes.simple_commit(group.head_commit),
        },
        **envelope(group.repository, sender, installation),
    }


async def check_run(
    checks: Checks,
    repository: Repository,
    run: CheckRun,
    action: str,
    sender: Account,
    installation: Installation | None,
    identifier: str | None,
) -> Json:
    """The payload of `check_run`: created, completed, rerequested, requested_action (with the identifier)."""
    state = repository.state
    suite = await suite_shape(checks, state, repository, checks.suites[run.suite_id])
    kept = {
        *("id", "node_id", "head_branch", "head_sha", "status", "conclusion", "url", "before", "after"),
        *("pull_requests", "app", "created_at", "updated_at"),
    }
    shape = run_shape(checks, state, repository, run) | {"check_suite": {name: suite[name] for name in sorted(kept)}}
    return {
        "action": action,
        "check_run": shape,
        **({} if identifier is None else {"requested_action": {"identifier": identifier}}),
        **envelope(repository, sender, installation),
    }


async def check_suite(
    checks: Checks,
    repository: Repository,
    suite: CheckSuite,
    action: str,
    sender: Account,
    installation: Installation | None,
) -> Json:
    """The payload of `check_suite`: requested, rerequested, completed."""
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
    """The payload of `installation`: created, deleted, suspend, unsuspend, new_permissions_accepted."""
    return {
        "action": action,
        "installation": shapes.installation(installation, state.app, state.addresses),
        "repositories": [shapes.repository_stub(repo) for repo in state.repositories_of(installation)],
        "requester": None,
        "sender": shapes.account(sender, state.addresses),
    }


def installation_repositories(
    state: State,
    installation: Installation,
    sender: Account,
    added: Sequence[Repository],
    removed: Sequence[Repository],
) -> Json:
    """The payload of `installation_repositories`: added, or removed where nothing was added."""
    return {
        "action": "added" if added else "removed",
        "installation": shapes.installation(installation, state.app, state.addresses),
        "repository_selection": "all" if installation.repository_ids is None else "selected",
        "repositories_added": [shapes.repository_stub(repo) for repo in added],
        "repositories_removed": [shapes.repository_stub(repo) for repo in removed],
        "requester": None,
        "sender": shapes.account(sender, state.addresses),
    }
