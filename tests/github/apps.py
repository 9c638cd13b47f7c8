"""Operations of the App itself and of its installations: who am I, where am I installed, give me a token."""

from tests.github import shapes
from tests.github.calls import Answer, Call, Handler, not_found, page
from tests.github.installations import Installation
from tests.github.tokens import issue_token


async def get_app(call: Call) -> Answer:
    state = call.state
    return Answer(shapes.app(state.app, state.addresses, len(state.installations)))


async def list_installations(call: Call) -> Answer:
    state = call.state
    items, headers = page(call, list(state.installations.values()), f"{state.addresses.api}/app/installations")
    return Answer([shapes.installation(i, state.app, state.addresses) for i in items], headers=headers)


async def get_installation(call: Call) -> Answer:
    return Answer(shapes.installation(find_installation(call), call.state.app, call.state.addresses))


async def create_token(call: Call) -> Answer:
    token = issue_token(call.state, find_installation(call), call.body or {})
    narrowed = {}
    if token.repository_ids is not None:
        repositories = [call.state.repositories[number] for number in sorted(token.repository_ids)]
        narrowed = {"repositories": [shapes.repository(repo) for repo in repositories]}
    selected = token.repository_ids is not None or token.installation.repository_ids is not None
    body = {
        "token": token.token,
        "expires_at": shapes.iso(token.expires_at),
        "permissions": dict(token.permissions),
        "repository_selection": "selected" if selected else "all",
        **narrowed,
    }
    return Answer(body, 201)


async def revoke_token(call: Call) -> Answer:
    if call.token is not None:
        call.token.revoked = True
    return Answer(None, 204)


async def get_repository_installation(call: Call) -> Answer:
    installation = call.state.installation_of(call.repository)
    if installation is None:
        raise not_found()
    return Answer(shapes.installation(installation, call.state.app, call.state.addresses))


async def list_repositories(call: Call) -> Answer:
    if call.token is None:
        raise not_found()
    covered = [repo for repo in call.state.repositories.values() if call.token.covers(repo)]
    items, headers = page(call, covered, f"{call.state.addresses.api}/installation/repositories")
    selection = "all" if call.token.installation.repository_ids is None else "selected"
    body = {
        "total_count": len(covered),
        "repository_selection": selection,
        "repositories": [shapes.repository(repo) for repo in items],
    }
    return Answer(body, headers=headers)


def find_installation(call: Call) -> Installation:
    installation = call.state.installations.get(call.path["installation_id"])
    if installation is None:
        raise not_found()
    return installation


OPERATIONS: dict[str, Handler] = {
    "apps/get-authenticated": get_app,
    "apps/list-installations": list_installations,
    "apps/get-installation": get_installation,
    "apps/create-installation-access-token": create_token,
    "apps/revoke-installation-access-token": revoke_token,
    "apps/get-repo-installation": get_repository_installation,
    "apps/list-repos-accessible-to-installation": list_repositories,
}
