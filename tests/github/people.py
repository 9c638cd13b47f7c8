"""Operations that tell an App who may do what: permissions on a repository, membership of a team."""

from tests.github import shapes
from tests.github.calls import Answer, Call, Handler, Refusal, not_found
from tests.github.roles import Role, reaches, role_of

# GitHub's older permission knows less: maintain is shown as write, triage as read (docs.github.com).
PERMISSIONS = {"admin": "admin", "maintain": "write", "write": "write", "triage": "read", "read": "read"}

# How a user object names the roles.
LEVELS: dict[str, Role] = {
    "admin": "admin",
    "maintain": "maintain",
    "push": "write",
    "triage": "triage",
    "pull": "read",
}


async def get_permission(call: Call) -> Answer:
    login = call.path["username"]
    person = call.state.accounts.get(login.lower())
    if person is None or person.type != "User":
        raise Refusal(404, f"{login} is not a user", mistake=False)
    role = role_of(call.repository, person)
    permission = PERMISSIONS[role] if role else "none"
    user = shapes.account(person, call.state.addresses) | {
        "role_name": role or "none",
        "permissions": {name: reaches(role, level) for name, level in LEVELS.items()},
    }
    return Answer({"permission": permission, "role_name": role or "none", "user": user})


async def get_team_membership(call: Call) -> Answer:
    organization, slug, login = (call.path[name] for name in ("org", "team_slug", "username"))
    if call.token is None or call.token.installation.account.login.lower() != organization.lower():
        raise Refusal(404, f"Not Found: the token is not of an installation on {organization}")
    role = call.state.teams.get((organization.lower(), slug.lower()), {}).get(login.lower())
    if role is None:
        raise not_found()
    url = f"{call.state.addresses.api}/organizations/{call.token.installation.account.id}/team"
    return Answer({"url": f"{url}/{slug}/memberships/{login}", "role": role, "state": "active"})


OPERATIONS: dict[str, Handler] = {
    "repos/get-collaborator-permission-level": get_permission,
    "teams/get-membership-for-user-in-org": get_team_membership,
}
