"""What each operation demands of its caller (docs.github.com, "Permissions required for GitHub Apps")."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Need:
    """Who must call: the App itself (JWT), an installation (token with a permission), or anybody.

    `alternative` is another permission that opens the same door at the same level.
    """

    caller: Literal["app", "installation", "user", "anybody"]
    permission: str = "metadata"
    level: str = "read"
    alternative: str | None = None


APP = Need("app")
ANYBODY = Need("anybody")


def token(permission: str, level: str = "read", *, alternative: str | None = None) -> Need:
    return Need("installation", permission, level, alternative)


def comments(level: str = "read") -> Need:
    """A pull request is an issue too: either permission lets an App speak there."""
    return token("issues", level, alternative="pull_requests")


NEEDS = {
    "apps/get-authenticated": APP,
    "apps/create-from-manifest": ANYBODY,
    "apps/list-installations": APP,
    "apps/get-installation": APP,
    "apps/create-installation-access-token": APP,
    "apps/revoke-installation-access-token": token("metadata"),
    "apps/get-repo-installation": APP,
    "apps/list-repos-accessible-to-installation": token("metadata"),
    "apps/get-webhook-config-for-app": APP,
    "apps/update-webhook-config-for-app": APP,
    "apps/list-webhook-deliveries": APP,
    "apps/get-webhook-delivery": APP,
    "apps/redeliver-webhook-delivery": APP,
    "checks/create": token("checks", "write"),
    "checks/update": token("checks", "write"),
    "checks/get": token("checks"),
    "checks/list-annotations": token("checks"),
    "checks/list-for-ref": token("checks"),
    "checks/rerequest-run": token("checks", "write"),
    "checks/list-suites-for-ref": token("checks"),
    "checks/get-suite": token("checks"),
    "checks/list-for-suite": token("checks"),
    "checks/rerequest-suite": token("checks", "write"),
    "git/get-ref": token("contents"),
    "git/get-commit": token("contents"),
    "git/create-blob": token("contents", "write"),
    "git/create-tree": token("contents", "write"),
    "git/create-commit": token("contents", "write"),
    "git/create-ref": token("contents", "write"),
    "git/update-ref": token("contents", "write"),
    "issues/create-comment": comments("write"),
    "issues/update-comment": comments("write"),
    "issues/delete-comment": comments("write"),
    "issues/get-comment": comments(),
    "issues/list-comments": comments(),
    "meta/root": ANYBODY,
    "pulls/list": token("pull_requests"),
    "pulls/get": token("pull_requests"),
    "pulls/list-files": token("pull_requests"),
    "pulls/create": token("pull_requests", "write"),
    "rate-limit/get": ANYBODY,
    "reactions/create-for-issue-comment": comments("write"),
    "reactions/list-for-issue-comment": comments(),
    "reactions/delete-for-issue-comment": comments("write"),
    "repos/get": token("metadata"),
    "repos/get-branch": token("contents"),
    "repos/get-commit": token("contents"),
    "repos/compare-commits-with-basehead": token("contents"),
    "repos/get-collaborator-permission-level": token("metadata"),
    "repos/list-pull-requests-associated-with-commit": token("pull_requests"),
    "search/issues-and-pull-requests": token("pull_requests", alternative="issues"),
    "teams/get-membership-for-user-in-org": token("members"),
    "users/get-authenticated": Need("user"),
}
