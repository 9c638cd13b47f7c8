"""Check suites and check runs: the state GitHub keeps, and the operations on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.github import check_rules, shapes
from tests.github.calls import Answer, Call, Handler, Refusal, not_found, page
from tests.github.repository import Repository
from tests.github.shapes import Json
from tests.github.state import State

# A suite says the worst of its runs (docs.github.com, "About check suites"), worst first.
SEVERITY = (
    "action_required",
    "timed_out",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
)


@dataclass(frozen=True)
class CheckRun:
    """One state of a check run. `annotations` are all that were ever sent, since updates append."""

    id: int
    suite_id: int
    repository_id: int
    head_sha: str
    name: str
    status: str
    started_at: str
    conclusion: str | None = None
    completed_at: str | None = None
    details_url: str | None = None
    external_id: str = ""
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: tuple[Mapping[str, Any], ...] = ()
    actions: tuple[Mapping[str, Any], ...] = ()


@dataclass
class CheckSuite:
    """What gathers the check runs of the App for one commit of one repository."""

    id: int
    repository_id: int
    head_sha: str
    head_branch: str | None
    before: str | None
    created_at: str


@dataclass
class Checks:
    """All suites and runs; `history` keeps every state of a run, the newest last."""

    suites: dict[int, CheckSuite] = field(default_factory=dict)
    history: dict[int, list[CheckRun]] = field(default_factory=dict)

    def runs(self, repository: Repository, head_sha: str | None = None) -> list[CheckRun]:
        """The newest state of every run of the repository (of the commit), the newest run first."""
        newest = (states[-1] for states in self.history.values())
        found = [r for r in newest if r.repository_id == repository.id and head_sha in (None, r.head_sha)]
        return sorted(found, key=lambda run: -run.id)

    def newest(self, repository: Repository, head_sha: str) -> list[CheckRun]:
        """The newest run of each name on this commit, the newest first: what a person sees."""
        found: dict[str, CheckRun] = {}
        for run in self.runs(repository, head_sha):
            found.setdefault(run.name, run)
        return list(found.values())

    def suite(self, state: State, repository: Repository, head_sha: str) -> CheckSuite:
        """The App's suite for this commit, made if there is none yet."""
        for suite in self.suites.values():
            if (suite.repository_id, suite.head_sha) == (repository.id, head_sha):
                return suite
        created = state.clock.timestamp()
        suite = CheckSuite(state.next_id(), repository.id, head_sha, None, None, created)
        self.suites[suite.id] = suite
        return suite


def operations(checks: Checks) -> dict[str, Handler]:
    """The handlers of GitHub's `checks/*` operations over this state."""

    def find_run(call: Call) -> CheckRun:
        states = checks.history.get(call.path["check_run_id"])
        if not states or states[-1].repository_id != call.repository.id:
            raise not_found()
        return states[-1]

    async def create(call: Call) -> Answer:
        refuse_if(check_rules.complaints(call.body, creating=True))
        sha = call.body["head_sha"]
        if await call.repository.git.head(sha) != sha:
            raise Refusal(422, f"No commit found for SHA: {sha}")
        suite = checks.suite(call.state, call.repository, sha)
        now = call.state.clock.timestamp()
        run = CheckRun(
            id=call.state.next_id(),
            suite_id=suite.id,
            repository_id=call.repository.id,
            head_sha=sha,
            name=call.body["name"],
            status="queued",
            started_at=now,
        )
        run = updated(run, call.body, now)
        checks.history[run.id] = [run]
        await announce(call, run, None)
        return Answer(run_shape(checks, call.state, call.repository, run), 201)

    async def update(call: Call) -> Answer:
        before = find_run(call)
        refuse_if(check_rules.complaints(call.body, creating=False))
        run = updated(before, call.body, call.state.clock.timestamp())
        checks.history[run.id].append(run)
        await announce(call, run, before)
        return Answer(run_shape(checks, call.state, call.repository, run))

    async def announce(call: Call, run: CheckRun, before: CheckRun | None) -> None:
        """Tell what the App did to its run; `before` is the run's state before, None for a new one."""
        announcer, sender = call.state.announcer, call.state.app_account
        if before is None:
            await announcer.check_run_changed(run, "created", sender)
        if run.status == "completed" and (before is None or before.status != "completed"):
            await announcer.check_run_changed(run, "completed", sender)

    async def rerequest_run(call: Call) -> Answer:
        run = find_run(call)
        if run.status != "completed":
            raise Refusal(422, "This check run is not rerequestable", mistake=False)
        await call.state.announcer.check_run_changed(run, "rerequested", call.state.app_account)
        return Answer({}, 201)

    async def rerequest_suite(call: Call) -> Answer:
        await call.state.announcer.check_suite_changed(find_suite(call), "rerequested", call.state.app_account)
        return Answer({}, 201)

    async def get(call: Call) -> Answer:
        return Answer(run_shape(checks, call.state, call.repository, find_run(call)))

    async def list_annotations(call: Call) -> Answer:
        run = find_run(call)
        url = f"{run_url(call.repository, run.id)}/annotations"
        items, headers = page(call, run.annotations, url)
        web = f"{call.state.addresses.web}/{call.repository.full_name}/blob/{run.head_sha}"
        return Answer([annotation_shape(item, web) for item in items], headers=headers)

    async def list_for_ref(call: Call) -> Answer:
        sha = await call.repository.git.head(call.path["ref"])
        if sha is None:
            raise Refusal(422, f"No commit found for SHA: {call.path['ref']}", mistake=False)
        return listing(call, checks.runs(call.repository, sha), f"commits/{call.path['ref']}/check-runs")

    async def list_for_suite(call: Call) -> Answer:
        suite = find_suite(call)
        runs = [run for run in checks.runs(call.repository) if run.suite_id == suite.id]
        return listing(call, runs, f"check-suites/{suite.id}/check-runs")

    def listing(call: Call, runs: list[CheckRun], path: str) -> Answer:
        chosen = filtered(runs, call.query, call.state.app.id)
        url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/{path}"
        items, headers = page(call, chosen, url)
        shown = [run_shape(checks, call.state, call.repository, run) for run in items]
        return Answer({"total_count": len(chosen), "check_runs": shown}, headers=headers)

    def find_suite(call: Call) -> CheckSuite:
        suite = checks.suites.get(call.path["check_suite_id"])
        if suite is None or suite.repository_id != call.repository.id:
            raise not_found()
        return suite

    async def get_suite(call: Call) -> Answer:
        return Answer(await suite_shape(checks, call.state, call.repository, find_suite(call)))

    async def list_suites(call: Call) -> Answer:
        sha = await call.repository.git.head(call.path["ref"])
        if sha is None:
            raise Refusal(422, f"No commit found for SHA: {call.path['ref']}", mistake=False)
        found = [s for s in checks.suites.values() if (s.repository_id, s.head_sha) == (call.repository.id, sha)]
        if call.query.get("app_id", call.state.app.id) != call.state.app.id:
            found = []
        if "check_name" in call.query:
            named = {r.suite_id for r in checks.runs(call.repository, sha) if r.name == call.query["check_name"]}
            found = [s for s in found if s.id in named]
        url = f"{call.state.addresses.api}/repos/{call.repository.full_name}/commits/{sha}/check-suites"
        items, headers = page(call, found, url)
        shown = [await suite_shape(checks, call.state, call.repository, suite) for suite in items]
        return Answer({"total_count": len(found), "check_suites": shown}, headers=headers)

    return {
        "checks/create": create,
        "checks/update": update,
        "checks/get": get,
        "checks/list-annotations": list_annotations,
        "checks/list-for-ref": list_for_ref,
        "checks/list-for-suite": list_for_suite,
        "checks/get-suite": get_suite,
        "checks/list-suites-for-ref": list_suites,
        "checks/rerequest-run": rerequest_run,
        "checks/rerequest-suite": rerequest_suite,
    }


def refuse_if(found: list[str]) -> None:
    if found:
        message = "Invalid request.\n\n" + "\n".join(found)
        raise Refusal(422, message, [{"resource": "CheckRun", "code": "custom", "message": m} for m in found])


def updated(run: CheckRun, body: Mapping[str, Any], now: str) -> CheckRun:
    """The run after a valid create or update body: fields replace, annotations append, actions replace."""
    output: Mapping[str, Any] = body.get("output") or {}
    status = "completed" if "conclusion" in body else body.get("status", run.status)
    plain = ("name", "details_url", "external_id", "started_at", "conclusion", "completed_at")
    run = replace(run, status=status, **{name: body[name] for name in plain if name in body})
    run = replace(run, **{name: output[name] for name in ("title", "summary", "text") if name in output})
    if status != "completed":
        run = replace(run, conclusion=None, completed_at=None)
    elif run.completed_at is None:
        run = replace(run, completed_at=now)
    actions = tuple(body["actions"]) if "actions" in body else run.actions
    return replace(run, annotations=(*run.annotations, *output.get("annotations", ())), actions=actions)


def filtered(runs: list[CheckRun], query: Mapping[str, Any], app_id: int) -> list[CheckRun]:
    """The runs that a listing asks for; `filter=latest` (the default) is the newest run of each name."""
    if query.get("app_id", app_id) != app_id:
        return []
    if query.get("filter", "latest") == "latest":
        newest: dict[str, CheckRun] = {}
        for run in runs:
            newest.setdefault(run.name, run)
        runs = list(newest.values())
    wanted = {"name": query.get("check_name"), "status": query.get("status")}
    return [run for run in runs if all(v in (None, getattr(run, k)) for k, v in wanted.items())]


def run_url(repository: Repository, run_id: int) -> str:
    return f"{repository.state.addresses.api}/repos/{repository.full_name}/check-runs/{run_id}"


def run_shape(checks: Checks, state: State, repository: Repository, run: CheckRun) -> Json:
    """The check run as the API shows it."""
    url = run_url(repository, run.id)
    page_url = f"{state.addresses.web}/{repository.full_name}/runs/{run.id}"
    pulls = [p for p in repository.pulls.values() if p.head_sha == run.head_sha and not p.from_fork]
    return {
        "id": run.id,
        "node_id": shapes.node_id("CR", run.id),
        "head_sha": run.head_sha,
        "name": run.name,
        "url": url,
        "html_url": page_url,
        "details_url": run.details_url or page_url,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "external_id": run.external_id,
        "check_suite": {"id": run.suite_id},
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "app": shapes.app(state.app, state.addresses, len(state.installations)),
        "pull_requests": [shapes.pull_minimal(pull) for pull in pulls if pull.state == "open"],
    }


def annotation_shape(annotation: Mapping[str, Any], blob_url: str) -> Json:
    absent = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
    return {**absent, **annotation, "blob_href": f"{blob_url}/{annotation['path']}"}


def suite_verdict(runs: list[CheckRun]) -> tuple[str, str | None]:
    """Status and conclusion of a suite with these runs (the newest of each name)."""
    if not runs:
        return "queued", None
    if any(run.status != "completed" for run in runs):
        return ("in_progress" if any(run.status != "queued" for run in runs) else "queued"), None
    return "completed", min((str(run.conclusion) for run in runs), key=SEVERITY.index)


async def suite_shape(checks: Checks, state: State, repository: Repository, suite: CheckSuite) -> Json:
    """The check suite as the API shows it."""
    runs = filtered(checks.runs(repository, suite.head_sha), {}, state.app.id)
    status, conclusion = suite_verdict(runs)
    url = f"{state.addresses.api}/repos/{repository.full_name}/check-suites/{suite.id}"
    pulls = [p for p in repository.pulls.values() if p.head_sha == suite.head_sha and not p.from_fork]
    return {
        "id": suite.id,
        "node_id": shapes.node_id("CS", suite.id),
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": status,
        "conclusion": conclusion,
        "url": url,
        "before": suite.before,
        "after": suite.head_sha,
        "pull_requests": [shapes.pull_minimal(pull) for pull in pulls if pull.state == "open"],
        "app": shapes.app(state.app, state.addresses, len(state.installations)),
        "repository": shapes.repository(repository),
        "created_at": suite.created_at,
        "updated_at": suite.created_at,
        "head_commit": shapes.simple_commit(await repository.git.read_commit(suite.head_sha)),
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
    }
