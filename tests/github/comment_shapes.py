"""The JSON that GitHub shows for issues, comments and reactions."""

from tests.github import shapes
from tests.github.comments import Comment, Conversation, Issue, Reaction, comments_on
from tests.github.pulls import Pull
from tests.github.roles import association
from tests.github.shapes import Json

CONTENTS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def issue(found: Issue | Pull) -> Json:
    """An issue, or a pull request as the issue that it is too."""
    repository = found.repository
    addresses = repository.state.addresses
    api = f"{addresses.api}/repos/{repository.full_name}"
    url = f"{api}/issues/{found.number}"
    user = shapes.account(found.user, addresses)
    shape: Json = {
        "url": url,
        "repository_url": api,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": page_url(found),
        "id": found.id + 1 if isinstance(found, Pull) else found.id,
        "node_id": shapes.node_id("I", found.id),
        "number": found.number,
        "title": found.title,
        "user": user,
        "labels": [],
        "state": found.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(comments_on(repository, found.number)),
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "closed_at": found.closed_at,
        "author_association": association(repository, found.user),
        "active_lock_reason": None,
        "body": found.body,
        "reactions": reaction_rollup(url, ()),
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": None,
        "state_reason": None,
    }
    if isinstance(found, Pull):
        shape["draft"] = found.draft
        page = page_url(found)
        shape["pull_request"] = {
            "url": f"{api}/pulls/{found.number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": found.merged_at,
        }
    return shape


def page_url(found: Conversation) -> str:
    kind = "pull" if isinstance(found, Pull) else "issues"
    repository = found.repository
    return f"{repository.state.addresses.web}/{repository.full_name}/{kind}/{found.number}"


def comment(found: Comment) -> Json:
    repository = found.repository
    state = repository.state
    api = f"{state.addresses.api}/repos/{repository.full_name}/issues"
    url = f"{api}/comments/{found.id}"
    by_app = shapes.app(state.app, state.addresses, len(state.installations)) if found.by_app else None
    return {
        "url": url,
        "html_url": f"{page_url(found.on)}#issuecomment-{found.id}",
        "issue_url": f"{api}/{found.on.number}",
        "id": found.id,
        "node_id": shapes.node_id("IC", found.id),
        "user": shapes.account(found.user, state.addresses),
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "author_association": association(repository, found.user),
        "body": found.body,
        "reactions": reaction_rollup(url, found.reactions),
        "performed_via_github_app": by_app,
    }


def reaction_rollup(url: str, contents: list[str] | tuple[str, ...]) -> Json:
    counts = {content: contents.count(content) for content in CONTENTS}
    return {"url": f"{url}/reactions", "total_count": len(contents), **counts}


def reaction(found: Reaction, comment_on: Comment) -> Json:
    return {
        "id": found.id,
        "node_id": shapes.node_id("RE", found.id),
        "user": shapes.account(found.user, comment_on.repository.state.addresses),
        "content": found.content,
        "created_at": found.created_at,
    }
