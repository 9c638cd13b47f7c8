"""The JSON that GitHub shows for accounts, repositories, pull requests, commits, Apps and installations.

The large ones start from templates that were cut out of GitHub's own examples (`cut_payloads.py`); the same
shapes are used in API answers and in webhook payloads.
"""

import base64
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from tests.github.git_repository import ChangedFile, Commit, Signature
from tests.github.installations import Installation
from tests.github.pulls import Pull
from tests.github.repository import Repository
from tests.github.state import Account, Addresses, App

TEMPLATES = Path(__file__).parent / "payloads"

Json = dict[str, Any]


@functools.cache
def template(name: str) -> str:
    return (TEMPLATES / f"{name}.json").read_text(encoding="utf-8")


def filled(name: str, addresses: Addresses, values: Mapping[str, str]) -> Json:
    """The template with its placeholders replaced. Values are names, numbers and SHAs: no JSON escapes."""
    text = template(name)
    host = addresses.web.partition("://")[2]
    for key, value in {"API": addresses.api, "WEB": addresses.web, "HOST": host, **values}.items():
        text = text.replace(f"%{key}%", value)
    return cast(Json, json.loads(text))


def node_id(kind: str, number: int) -> str:
    return base64.b64encode(f"{kind}{number}".encode()).decode()


def account(person: Account, addresses: Addresses) -> Json:
    # The brackets of `name[bot]` are escaped in addresses.
    shape = filled("account", addresses, {"LOGIN": quote(person.login)})
    return shape | {"id": person.id, "node_id": node_id("U", person.id), "type": person.type, "login": person.login}


def repository(repo: Repository) -> Json:
    addresses = repo.state.addresses
    shape = filled("repository", addresses, {"REPO": repo.full_name})
    pulls = sum(pull.state == "open" for pull in repo.pulls.values())
    return shape | {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "owner": account(repo.owner, addresses),
        "private": repo.private,
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
        "clone_url": repo.clone_url,
        "fork": repo.parent is not None,
        "created_at": repo.created_at,
        "updated_at": repo.created_at,
        "pushed_at": repo.created_at,
        "open_issues": pulls,
        "open_issues_count": pulls,
    }


def repository_stub(repo: Repository) -> Json:
    """The little that installation events say about a repository."""
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
    }


def pull_side(owner: Account, repo: Repository | None, branch: str, sha: str, addresses: Addresses) -> Json:
    """One end of a pull request; a repository that is gone is null, "unknown repository" on the page."""
    return {
        "label": f"{owner.login}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": account(owner, addresses),
        "repo": repository(repo) if repo else None,
    }


def pull(request: Pull, changed: list[ChangedFile], commits: int) -> Json:
    addresses = request.repository.state.addresses
    names = {
        "REPO": request.repository.full_name,
        "NUMBER": str(request.number),
        "SHA": request.head_sha,
        "LOGIN": quote(request.user.login),
    }
    mergeable = request.merge_sha is not None
    return filled("pull_request", addresses, names) | {
        "id": request.id,
        "node_id": node_id("PR", request.id),
        "number": request.number,
        "state": request.state,
        "title": request.title,
        "body": request.body,
        "user": account(request.user, addresses),
        "draft": request.draft,
        "author_association": request.author_association,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
        "closed_at": request.closed_at,
        "merged_at": request.merged_at,
        "merged": request.merged_at is not None,
        "merged_by": account(request.merged_by, addresses) if request.merged_by else None,
        "merge_commit_sha": request.merge_sha,
        "mergeable": mergeable if request.state == "open" else None,
        "mergeable_state": ("clean" if mergeable else "dirty") if request.state == "open" else "unknown",
        "head": pull_side(
            request.head_owner, request.head_repository, request.head_branch, request.head_sha, addresses
        ),
        "base": pull_side(
            request.repository.owner, request.repository, request.base_branch, request.base_sha, addresses
        ),
        "commits": commits,
        "changed_files": len(changed),
        "additions": sum(file.additions for file in changed),
        "deletions": sum(file.deletions for file in changed),
    }


def pull_minimal(request: Pull) -> Json:
    """What check runs and check suites say about a pull request (never about one from a fork)."""
    repo = request.repository
    url = f"{repo.state.addresses.api}/repos/{repo.full_name}"
    side = {"repo": {"id": repo.id, "name": repo.name, "url": url}}
    return {
        "id": request.id,
        "number": request.number,
        "url": f"{url}/pulls/{request.number}",
        "head": {"ref": request.head_branch, "sha": request.head_sha, **side},
        "base": {"ref": request.base_branch, "sha": request.base_sha, **side},
    }


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def signature(who: Signature) -> Json:
    return {"name": who.name, "email": who.email, "date": iso(who.seconds)}


def simple_commit(commit: Commit) -> Json:
    """The commit as check suites show it."""
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "message": commit.message,
        "timestamp": iso(commit.committer.seconds),
        "author": {"name": commit.author.name, "email": commit.author.email},
        "committer": {"name": commit.committer.name, "email": commit.committer.email},
    }


def pushed_commit(repo: Repository, commit: Commit, changed: list[ChangedFile]) -> Json:
    """The commit as a push event shows it."""
    return simple_commit(commit) | {
        "distinct": True,
        "url": f"{repo.state.addresses.web}/{repo.full_name}/commit/{commit.sha}",
        "author": {"name": commit.author.name, "email": commit.author.email, "username": commit.author.name},
        **{word: [file.path for file in changed if file.status == word] for word in ("added", "removed", "modified")},
    }


def commit(repo: Repository, found: Commit, changed: list[ChangedFile]) -> Json:
    """The commit as `GET /repos/{owner}/{repo}/commits/{ref}` shows it."""
    addresses = repo.state.addresses
    url = f"{addresses.api}/repos/{repo.full_name}"
    page = f"{addresses.web}/{repo.full_name}"
    unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None}
    return {
        "url": f"{url}/commits/{found.sha}",
        "sha": found.sha,
        "node_id": base64.b64encode(f"C{found.sha}".encode()).decode(),
        "html_url": f"{page}/commit/{found.sha}",
        "comments_url": f"{url}/commits/{found.sha}/comments",
        "commit": {
            "url": f"{url}/git/commits/{found.sha}",
            "author": signature(found.author),
            "committer": signature(found.committer),
            "message": found.message,
            "tree": {"sha": found.tree, "url": f"{url}/git/trees/{found.tree}"},
            "comment_count": 0,
            "verification": unsigned | {"verified_at": None},
        },
        "author": account(repo.state.account(found.author.name), addresses),
        "committer": account(repo.state.account(found.committer.name), addresses),
        "parents": [{"sha": p, "url": f"{url}/commits/{p}", "html_url": f"{page}/commit/{p}"} for p in found.parents],
        "stats": {
            "additions": sum(file.additions for file in changed),
            "deletions": sum(file.deletions for file in changed),
            "total": sum(file.additions + file.deletions for file in changed),
        },
        "files": [diff_entry(repo, file, found.sha) for file in changed],
    }


def diff_entry(repo: Repository, file: ChangedFile, sha: str) -> Json:
    api, page = (f"{repo.state.addresses.api}/repos/{repo.full_name}", f"{repo.state.addresses.web}/{repo.full_name}")
    return {
        "sha": sha,
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{page}/blob/{sha}/{file.path}",
        "raw_url": f"{page}/raw/{sha}/{file.path}",
        "contents_url": f"{api}/contents/{file.path}?ref={sha}",
    }


def app(application: App, addresses: Addresses, installations: int) -> Json:
    """The App as `GET /app` shows it; check runs carry it too."""
    return {
        "id": application.id,
        "slug": application.slug,
        "node_id": node_id("A", application.id),
        "client_id": application.client_id,
        "owner": account(application.owner, addresses),
        "name": application.name,
        "description": None,
        "external_url": addresses.web,
        "html_url": f"{addresses.web}/apps/{application.slug}",
        "created_at": application.created_at,
        "updated_at": application.created_at,
        "permissions": dict(application.permissions),
        "events": list(application.events),
        "installations_count": installations,
    }


def installation(found: Installation, application: App, addresses: Addresses) -> Json:
    settings = f"organizations/{found.account.login}/" if found.account.type == "Organization" else ""
    return {
        "id": found.id,
        "account": account(found.account, addresses),
        "app_id": application.id,
        "client_id": application.client_id,
        "app_slug": application.slug,
        "target_id": found.account.id,
        "target_type": found.account.type,
        "repository_selection": "all" if found.repository_ids is None else "selected",
        "access_tokens_url": f"{addresses.api}/app/installations/{found.id}/access_tokens",
        "repositories_url": f"{addresses.api}/installation/repositories",
        "html_url": f"{addresses.web}/{settings}settings/installations/{found.id}",
        "permissions": dict(found.permissions),
        "events": list(found.events),
        "created_at": found.created_at,
        "updated_at": found.created_at,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_at": found.suspended_at,
        "suspended_by": account(found.suspended_by, addresses) if found.suspended_by else None,
    }
