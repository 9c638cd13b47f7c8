"""The stand-in's own small surface under `/_stand-in/`: for people who play, and for the demo. JSON in and out.

    GET  /_stand-in/                                    everything: repositories, pull requests, check runs, faults
    GET  /_stand-in/check-runs?sha=SHA                  the check runs as text, as a person would see them
    POST /_stand-in/repos                               {"full_name", "private"?, "files"?}
    POST /_stand-in/repos/{owner}/{repo}/commits        {"files": {path: text or null}, "message"?, "branch"?}
    POST /_stand-in/repos/{owner}/{repo}/pulls          {"title", "head", "base"?, "draft"?, "head_repository"?}
    POST /_stand-in/repos/{owner}/{repo}/pulls/{number}/{close|reopen|ready|merge}
    POST /_stand-in/deliveries/{id}/redeliver

It asks for no password: bind the stand-in to an address that only friends can reach.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.github.git_repository import GitFailedError
from tests.github.repository import Repository
from tests.github.shapes import Json, iso

if TYPE_CHECKING:
    from tests.github.stand_in import GitHubStandIn

PREFIX = "/_stand-in"
RECENT = 50


def overview(github: "GitHubStandIn") -> Json:
    """What there is, with the newest of what grows."""
    return {
        "api_url": github.api_url,
        "server_url": github.server_url,
        "app": {"id": github.app.id, "slug": github.app.slug, "webhook_url": github.webhook_url},
        "repositories": [repository_overview(repo) for repo in github.state.repositories.values()],
        "check_runs": [
            {"id": run.id, "name": run.name, "head_sha": run.head_sha, "status": run.status}
            | {"conclusion": run.conclusion, "title": run.title}
            for run in github.check_runs()[-RECENT:]
        ],
        "deliveries": [
            {"id": delivery.id, "event": delivery.event, "action": delivery.action}
            | {"at": iso(delivery.delivered_at), "status_code": delivery.status_code, "status": delivery.status}
            for delivery in github.deliveries[-RECENT:]
        ],
        "violations": [str(violation) for violation in github.violations[-RECENT:]],
    }


def repository_overview(repo: Repository) -> Json:
    return {
        "full_name": repo.full_name,
        "private": repo.private,
        "default_branch": repo.default_branch,
        "clone_url": repo.clone_url,
        "pulls": [
            {"number": pull.number, "title": pull.title, "state": pull.state, "head_sha": pull.head_sha}
            | {"head": pull.head_branch, "base": pull.base_branch}
            for pull in repo.pulls.values()
        ],
    }


def routes(github: "Callable[[], GitHubStandIn]") -> list[web.RouteDef]:
    """The routes of the control surface over the stand-in that `github()` gives."""

    def find(request: web.Request) -> Repository:
        return find_repository(github(), f"{request.match_info['owner']}/{request.match_info['repo']}")

    async def show(request: web.Request) -> web.Response:
        return web.json_response(overview(github()))

    async def show_check_runs(request: web.Request) -> web.Response:
        return web.Response(text=github().render_check_runs(request.query.get("sha")))

    async def create_repository(request: web.Request) -> web.Response:
        wanted = await read(request, {"full_name"}, {"private", "files"})
        repo = await github().create_repository(**wanted)
        return web.json_response(repository_overview(repo), status=201)

    async def commit(request: web.Request) -> web.Response:
        wanted = await read(request, {"files"}, {"message", "branch", "author"})
        sha = await find(request).commit(wanted.pop("files"), **wanted)
        return web.json_response({"sha": sha}, status=201)

    async def open_pull(request: web.Request) -> web.Response:
        wanted = await read(request, {"title", "head"}, {"base", "body", "draft", "author", "head_repository"})
        if "head_repository" in wanted:
            wanted["head_repository"] = find_repository(github(), wanted["head_repository"])
        pull = await find(request).open_pull(wanted.pop("title"), **wanted)
        page = f"{github().server_url}/{pull.repository.full_name}/pull/{pull.number}"
        answer = {"number": pull.number, "head_sha": pull.head_sha, "html_url": page}
        return web.json_response(answer, status=201)

    async def change_pull(request: web.Request) -> web.Response:
        pull = find(request).pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise LookupError("there is no such pull request")
        acts: dict[str, Callable[[], Awaitable[Any]]] = {
            "close": pull.close,
            "reopen": pull.reopen,
            "ready": pull.mark_ready,
            "merge": pull.merge,
        }
        await acts[request.match_info["act"]]()
        return web.json_response({"number": pull.number, "state": pull.state})

    async def redeliver(request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"])
        for delivery in list(github().deliveries):
            if delivery.id == wanted:
                again = await github().redeliver(delivery)
                return web.json_response({"id": again.id, "status_code": again.status_code}, status=201)
        raise LookupError("there is no such delivery")

    repo = f"{PREFIX}/repos/{{owner}}/{{repo}}"
    return [
        web.get(f"{PREFIX}/", answering(show)),
        web.get(f"{PREFIX}/check-runs", answering(show_check_runs)),
        web.post(f"{PREFIX}/repos", answering(create_repository)),
        web.post(f"{repo}/commits", answering(commit)),
        web.post(f"{repo}/pulls", answering(open_pull)),
        web.post(f"{repo}/pulls/{{number:\\d+}}/{{act:close|reopen|ready|merge}}", answering(change_pull)),
        web.post(f"{PREFIX}/deliveries/{{id:\\d+}}/redeliver", answering(redeliver)),
    ]


def find_repository(github: "GitHubStandIn", full_name: str) -> Repository:
    found = github.state.repository(*full_name.split("/", 1)) if "/" in full_name else None
    if found is None:
        raise LookupError(f"there is no repository {full_name}")
    return found


async def read(request: web.Request, required: set[str], optional: set[str]) -> dict[str, Any]:
    """The request's JSON object. Raises `ValueError` if it has not got just these fields."""
    wanted = await request.json()
    if not isinstance(wanted, dict) or not required <= wanted.keys() <= required | optional:
        names = ", ".join(sorted(required))
        raise ValueError(f"send a JSON object with {names} and perhaps {', '.join(sorted(optional))}")
    return wanted


Handler = Callable[[web.Request], Awaitable[web.Response]]


def answering(handler: Handler) -> Handler:
    """The handler with its complaints as JSON answers."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except LookupError as error:
            return web.json_response({"message": str(error.args[0])}, status=404)
        except (ValueError, GitFailedError) as error:
            return web.json_response({"message": str(error)}, status=422)

    return answer
