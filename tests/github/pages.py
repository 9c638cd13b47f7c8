"""Plain web pages of the stand-in where GitHub has its own: a pull request, a commit's checks, one check run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING

from aiohttp import web

from tests.github.checks import CheckRun
from tests.github.render import clean

if TYPE_CHECKING:
    from tests.github.repository import Repository
    from tests.github.stand_in import GitHubStandIn

STYLE = "body{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}pre{white-space:pre-wrap}"
# What checks and comments say was written by strangers: nothing of it is ever more than text.
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def routes(github: Callable[[], GitHubStandIn]) -> list[web.RouteDef]:
    """The pages; `github` gives the stand-in once it is there."""

    def find(request: web.Request) -> Repository:
        repository = github().state.repository(request.match_info["owner"], request.match_info["repo"])
        if repository is None:
            raise web.HTTPNotFound
        return repository

    async def show_pull(request: web.Request) -> web.Response:
        repository = find(request)
        pull = repository.pulls.get(int(request.match_info["number"]))
        if pull is None:
            raise web.HTTPNotFound
        facts = f"{'draft, ' if pull.draft else ''}{pull.state}, {pull.head_sha[:7]} into {pull.base_branch}"
        parts = [f"<p>{escape(facts)}</p>", f"<pre>{escape(clean(pull.body or ''))}</pre>", "<h2>Checks</h2>"]
        parts += checks(github(), repository, pull.head_sha)
        parts += ["<h2>Comments</h2>"]
        for comment in pull.comments:
            reactions = f" ({', '.join(comment.reactions)})" if comment.reactions else ""
            parts.append(f"<h3>{escape(comment.author + reactions)}</h3><pre>{escape(clean(comment.body))}</pre>")
        return page(f"{pull.title} #{pull.number}", parts)

    async def show_commit(request: web.Request) -> web.Response:
        repository, sha = find(request), request.match_info["sha"]
        return page(f"{repository.full_name} {sha[:7]}", list(checks(github(), repository, sha)))

    async def show_check_run(request: web.Request) -> web.Response:
        states = github().check_run_history(int(request.match_info["id"]))
        if not states or states[-1].repository_id != find(request).id:
            raise web.HTTPNotFound
        return page(states[-1].name, [shown(github(), states[-1])])

    repo = "/{owner}/{repo}"
    return [
        web.get(f"{repo}/pull/{{number:\\d+}}", show_pull),
        web.get(f"{repo}/commit/{{sha:[0-9a-f]{{40}}}}", show_commit),
        web.get(f"{repo}/commit/{{sha:[0-9a-f]{{40}}}}/checks", show_commit),
        web.get(f"{repo}/runs/{{id:\\d+}}", show_check_run),
    ]


def checks(github: GitHubStandIn, repository: Repository, sha: str) -> Iterator[str]:
    """The newest check run of each name, the oldest first."""
    for run in reversed(github.checks.newest(repository, sha)):
        yield shown(github, run)


def shown(github: GitHubStandIn, run: CheckRun) -> str:
    buttons = ", ".join(f"{action['label']} ({action['identifier']})" for action in run.actions)
    facts = f"check run {run.id}, {run.details_url or 'no details'}" + (f", buttons: {buttons}" if buttons else "")
    return f"<p>{escape(clean(facts))}</p><pre>{escape(github.render_check_run(run))}</pre>"


def page(title: str, parts: list[str]) -> web.Response:
    head = f"<!doctype html><meta charset=utf-8><title>{escape(clean(title))}</title><style>{STYLE}</style>"
    body = f"{head}<h1>{escape(clean(title))}</h1>" + "\n".join(parts)
    return web.Response(text=body, content_type="text/html", headers=HEADERS)
