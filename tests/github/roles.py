"""Roles on a repository: who may do what, and the hint about it that GitHub puts beside a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from tests.github.repository import Repository
    from tests.github.state import Account

Role = Literal["admin", "maintain", "write", "triage", "read"]
ROLES: tuple[Role, ...] = get_args(Role)


def role_of(repository: Repository, person: Account) -> Role | None:
    """The role of this account in the repository, None if it may not even read it."""
    if person is repository.owner:
        return "admin"
    return repository.roles.get(person.login.lower()) or (None if repository.private else "read")


def reaches(role: Role | None, wanted: Role) -> bool:
    """Whether the role is this one or a mightier one."""
    return role is not None and ROLES.index(role) <= ROLES.index(wanted)


def association(repository: Repository, person: Account) -> str:
    """The `author_association` that GitHub would show: a hint, not a permission."""
    if person is repository.owner:
        return "OWNER"
    login, organization = person.login.lower(), repository.owner.login.lower()
    if any(login in team for (org, _), team in repository.state.teams.items() if org == organization):
        return "MEMBER"
    if login in repository.roles:
        return "COLLABORATOR"
    merged = any(pull.merged_at and pull.user is person for pull in repository.pulls.values())
    return "CONTRIBUTOR" if merged else "NONE"
