"""What each operation demands of its caller (docs.github.com, "Permissions required for GitHub Apps")."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Need:
    """Who must call: the App itself (JWT), an installation (token with a permission), or anybody."""

    caller: Literal["app", "installation", "user", "anybody"]
    permission: str = "metadata"
    level: str = "read"


APP = Need("app")
ANYBODY = Need("anybody")


def token(permission: str, level: str = "read") -> Need:
    return Need("installation", permission, level)


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
    "issues/create-comment": token("issues", "write"),
    "issues/update-comment": token("issues", "write"),
    "issues/get-comment": token("issues"),
    "issues/list-comments": token("issues"),
    "meta/root": ANYBODY,
    "pulls/list": token("pull_requests"),
    "pulls/get": token("pull_requests"),
    "pulls/list-files": token("pull_requests"),
    "pulls/create": token("pull_requests", "write"),
    "rate-limit/get": ANYBODY,
    "reactions/create-for-issue-comment": token("issues", "write"),
    "reactions/list-for-issue-comment": token("issues"),
    "reactions/delete-for-issue-comment": token("issues", "write"),
    "repos/get": token("metadata"),
    "repos/get-branch": token("contents"),
    "repos/get-commit": token("contents"),
    "repos/compare-commits-with-basehead": token("contents"),
    "repos/get-collaborator-permission-level": token("metadata"),
    "repos/list-pull-requests-associated-with-commit": token("pull_requests"),
    "users/get-authenticated": Need("user"),
}
