"""The stand-in's own small surface under `/_stand-in/`: for people who play, and for the demo. JSON in and out.

    GET  /_stand-in/                                    everything: repositories, pull requests, check runs, faults
    GET  /_stand-in/check-runs?sha=SHA                  the check runs as text, as a person would see them
    POST /_stand-in/repos                               {"full_name", "private"?, "files"?}
    POST /_stand-in/repos/{owner}/{repo}/commits        {"files": {path: text or null}, "message"?, "branch"?}
    POST /_stand-in/repos/{owner}/{repo}/pulls          {"title", "head", "base"?, "draft"?, "head_repository"?}
    POST /_stand-in/repos/{owner}/{repo}/pulls/{number}/{close|reopen|ready|draft|merge|queue}
    GET  /_stand-in/repos/{owner}/{repo}/pulls/{number}/comments
    POST /_stand-in/repos/{owner}/{repo}/pulls/{number}/comments    {"body", "author"?}
    POST /_stand-in/repos/{owner}/{repo}/commits/{sha}/{rerun|rerun-failed}    {"by"?}
    POST /_stand-in/repos/{owner}/{repo}/forks          {"owner"}
    POST /_stand-in/repos/{owner}/{repo}/permissions    {"login", "role": admin, maintain, write, triage, read or null}
    POST /_stand-in/check-runs/{id}/rerun               {"by"?}
    POST /_stand-in/check-runs/{id}/press/{identifier}  {"by"?}
    POST /_stand-in/deliveries/{id}/redeliver

Pull requests, commits and check runs have plain pages where GitHub has them: /{owner}/{repo}/pull/{number},
/{owner}/{repo}/commit/{sha}, /{owner}/{repo}/runs/{id}.

It asks for no password: bind the stand-in to an address that only friends can reach.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.github import pages
from tests.github.checks import CheckRun
from tests.github.comments import Comment
from tests.github.git_repository import GitFailedError
from tests.github.pulls import Pull
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
    """The routes of the control surface, and of the pages, over the stand-in that `github()` gives."""

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
        pull = find_pull(request)
        acts: dict[str, Callable[[], Awaitable[Any]]] = {
            "close": pull.close,
            "reopen": pull.reopen,
            "ready": pull.mark_ready,
            "draft": pull.convert_to_draft,
            "merge": pull.merge,
            "queue": partial(pull.repository.queue_merge, pull),
        }
        await acts[request.match_info["act"]]()
        return web.json_response({"number": pull.number, "state": pull.state})

    def find_pull(request: web.Request) -> Pull:
        pull = find(request).pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise LookupError("there is no such pull request")
        return pull

    def find_check_run(request: web.Request) -> CheckRun:
        states = github().check_run_history(int(request.match_info["id"]))
        if not states:
            raise LookupError("there is no such check run")
        return states[-1]

    async def list_comments(request: web.Request) -> web.Response:
        return web.json_response([comment_overview(comment) for comment in find_pull(request).comments])

    async def comment(request: web.Request) -> web.Response:
        wanted = await read(request, {"body"}, {"author"})
        made = await find_pull(request).comment(**wanted)
        return web.json_response(comment_overview(made), status=201)

    async def rerun_commit(request: web.Request) -> web.Response:
        wanted = await read(request, set(), {"by"})
        sha = request.match_info["sha"]
        if await find(request).git.head(sha) != sha:
            raise LookupError("there is no such commit")
        if request.match_info["what"] == "rerun":
            await github().press_rerun_all(find(request), sha, **wanted)
        else:
            await github().press_rerun_failed(find(request), sha, **wanted)
        return web.json_response({"sha": sha}, status=201)

    async def rerun(request: web.Request) -> web.Response:
        wanted = await read(request, set(), {"by"})
        run = find_check_run(request)
        await github().press_rerun(run, **wanted)
        return web.json_response({"id": run.id}, status=201)

    async def press(request: web.Request) -> web.Response:
        wanted = await read(request, set(), {"by"})
        run = find_check_run(request)
        await github().press_button(run, request.match_info["identifier"], **wanted)
        return web.json_response({"id": run.id}, status=201)

    async def fork(request: web.Request) -> web.Response:
        wanted = await read(request, {"owner"}, set())
        made = await github().fork(find(request), wanted["owner"])
        return web.json_response(repository_overview(made), status=201)

    async def set_permission(request: web.Request) -> web.Response:
        wanted = await read(request, {"login", "role"}, set())
        find(request).set_permission(**wanted)
        return web.json_response(wanted, status=201)

    async def redeliver(request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"])
        for delivery in list(github().deliveries):
            if delivery.id == wanted:
                again = await github().redeliver(delivery)
                return web.json_response({"id": again.id, "status_code": again.status_code}, status=201)
        raise LookupError("there is no such delivery")

    repo = f"{PREFIX}/repos/{{owner}}/{{repo}}"
    pull = rf"{repo}/pulls/{{number:\d+}}"
    return [
        web.get(f"{PREFIX}/", answering(show)),
        web.get(f"{PREFIX}/check-runs", answering(show_check_runs)),
        web.post(f"{PREFIX}/repos", answering(create_repository)),
        web.post(f"{repo}/commits", answering(commit)),
        web.post(f"{repo}/pulls", answering(open_pull)),
        web.post(f"{pull}/{{act:close|reopen|ready|draft|merge|queue}}", answering(change_pull)),
        web.get(f"{pull}/comments", answering(list_comments)),
        web.post(f"{pull}/comments", answering(comment)),
        web.post(f"{repo}/commits/{{sha}}/{{what:rerun|rerun-failed}}", answering(rerun_commit)),
        web.post(f"{repo}/forks", answering(fork)),
        web.post(f"{repo}/permissions", answering(set_permission)),
        web.post(rf"{PREFIX}/check-runs/{{id:\d+}}/rerun", answering(rerun)),
        web.post(rf"{PREFIX}/check-runs/{{id:\d+}}/press/{{identifier}}", answering(press)),
        web.post(rf"{PREFIX}/deliveries/{{id:\d+}}/redeliver", answering(redeliver)),
        *pages.routes(github),
    ]


def find_repository(github: "GitHubStandIn", full_name: str) -> Repository:
    found = github.state.repository(*full_name.split("/", 1)) if "/" in full_name else None
    if found is None:
        raise LookupError(f"there is no repository {full_name}")
    return found


def comment_overview(comment: Comment) -> Json:
    return {"id": comment.id, "author": comment.author, "body": comment.body, "reactions": comment.reactions}


async def read(request: web.Request, required: set[str], optional: set[str]) -> dict[str, Any]:
    """The request's JSON object, empty if no body came. Raises `ValueError` if it has not got just these fields."""
    wanted = await request.json() if request.can_read_body else {}
    if not isinstance(wanted, dict) or not required <= wanted.keys() <= required | optional:
        names = ", ".join(sorted(required)) or "no fields"
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
