"""What a registry or the engine fails is tried again by itself, and people see one result."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from draftsman.domain.retry import Cause
from tests.github import CheckRun, GitHubStandIn
from tests.orchestrator.gem_index import bridge_gateway
from tests.product import running, scratch_folder
from tests.scenario.conftest import SETTINGS, World, attempt_of
from tests.scenario.samples import NAMES, checks

pytestmark = [pytest.mark.scenario, pytest.mark.engine]

RETRY_SECONDS = 2.0
PHRASE = Cause.REGISTRY.phrase
CONFIGURED = (
    "setup = '''pip install --no-input --retries 0 --no-index {url}/widget-1.0-py3-none-any.whl'''\n"
    "fast = ['''python -c \"import widget\"''']\nfull = ['''{full}''']\n"
)


@dataclass
class PackageIndex:
    """A package registry that answers 503 as often as `failures` says, then as it should."""

    wheel: bytes
    failures: int
    address: str = ""
    answered: list[int] = field(default_factory=list)


@contextmanager
def served(index: PackageIndex) -> Iterator[PackageIndex]:
    """Serve it where jobs reach it once somebody allows that: at the gateway of the engine's default network."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 503 if len(index.answered) < index.failures else 200
            index.answered.append(status)
            content = index.wheel if status == 200 else b"busy"
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: what was answered is remembered."""

    server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    index.address = f"{bridge_gateway()}:{server.server_port}"
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()


def wheel() -> bytes:
    """Return the wheel of a package that holds nothing."""
    files = {
        "widget.py": "",
        "widget-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: widget\nVersion: 1.0\n",
        "widget-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "widget-1.0.dist-info/RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return packed.getvalue()


def files_of(index: PackageIndex, full: str = "true") -> dict[str, str]:
    config = CONFIGURED.format(url=f"http://{index.address}", full=full)
    return {".python-version": "3.13\n", ".draftsman.toml": config}


def settings_for(index: PackageIndex, **more: str) -> dict[str, str]:
    own = {
        "DRAFTSMAN_RETRIES": "3",
        "DRAFTSMAN_RETRY_SECONDS": str(RETRY_SECONDS),
        "DRAFTSMAN_FENCE_ALLOW": index.address,
    }
    return {**SETTINGS, **own, **more}


async def test_a_registry_that_fails_once_is_asked_again_and_the_check_turns_green(github: GitHubStandIn) -> None:
    """And nobody is shown a failure on the way. The full check fails the first time it runs: it stays failed."""
    with scratch_folder() as folder, served(PackageIndex(wheel(), failures=1)) as index:
        async with running(github, folder, **settings_for(index)) as product:
            world = World(github, product)
            repository = await github.create_repository("acme/registry", files=files_of(index, full="exit 3"))
            sha = await repository.commit({"README.md": "m\n"}, message="m", branch="feature")
            queued = await world.until(lambda: queued_retry(world, sha), "a retry that waits")
            shown = await world.ended(sha, attempt=2)
            assert (shown["fast"].conclusion, shown["full"].conclusion) == ("success", "failure")
            assert index.answered == [503, 200]
            assert str(queued.title).startswith(
                f"attempt 2, since {PHRASE} in attempt 1: waiting for a worker, not before "
            )
            assert f"Attempt 2, since {PHRASE} in attempt 1, commit" in str(shown["fast"].summary)
            await world.settled()
            never_red(world, sha)
            first = [run for run in github.check_runs(sha) if attempt_of(run) == 1]
            for run in first:
                assert run.conclusion == "cancelled"
                assert str(run.title).startswith(f"Draftsman could not run this: {PHRASE}: setup failed: `pip install ")
                assert str(run.title).endswith("; tried again as attempt 2")
                assert "pip said: ERROR: " in str(run.summary)
                assert run.actions == ()
            rows = await world.attempts(sha)
            assert [(row["number"], row["conclusion"]) for row in rows] == [(1, "error"), (2, "failure")]
            await asyncio.sleep(2 * RETRY_SECONDS)
            assert len(await world.attempts(sha)) == 2, "a check that fails is not tried again"
            document = json.loads((await product.command("runs", "show", "--json", str(await run_of(world, sha))))[1])
            assert [one["cause"] for one in document["attempts"]] == [None, "registry"]
            assert [one["retried_as"] for one in document["attempts"]] == [None, 2]
            assert document["reason"] == f"{PHRASE} in attempt 1"
            text = (await product.command("runs", "show", str(await run_of(world, sha))))[1]
            assert f"attempt 2 (since {PHRASE} in attempt 1)" in " ".join(text.split())
            github.assert_no_violations()


async def test_a_registry_that_goes_on_failing_is_said_when_the_budget_is_spent(github: GitHubStandIn) -> None:
    with scratch_folder() as folder, served(PackageIndex(wheel(), failures=1000)) as index:
        settings = settings_for(index, DRAFTSMAN_RETRIES="1", DRAFTSMAN_RETRY_SECONDS="0.5")
        async with running(github, folder, **settings) as product:
            world = World(github, product)
            repository = await github.create_repository("acme/gone", files=files_of(index))
            sha = await repository.commit({"README.md": "m\n"}, message="m", branch="feature")
            shown = await world.ended(sha, attempt=2)
            for name in NAMES:
                assert shown[name].conclusion == "failure"
                assert str(shown[name].title).startswith(f"Draftsman could not run this: {PHRASE}: setup failed: ")
                assert "It was tried 2 times, and is not tried again by itself" in str(shown[name].summary)
                assert [action["identifier"] for action in shown[name].actions] == ["rerun"]
            assert len(await world.attempts(sha)) == 2
            index.failures = 0
            await github.press_button(shown["fast"], "rerun")
            again = await world.ended(sha, attempt=3)
            assert {run.conclusion for run in again.values()} == {"success"}
            github.assert_no_violations()


async def test_a_package_that_is_not_there_fails_at_once(world: World) -> None:
    files = checks() | {".draftsman.toml": "setup = 'echo npm error code E503; echo npm error code E404; exit 1'\n"}
    files[".draftsman.toml"] += "fast = ['true']\nfull = ['true']\n"
    repository = await world.github.create_repository("acme/absent", files=files)
    sha = await repository.commit({"README.md": "m\n"}, message="m", branch="feature")
    results = await world.results(sha)
    assert results["fast"].conclusion == "failure"
    assert "could not run this" not in results["fast"].title
    assert [row["conclusion"] for row in await world.attempts(sha)] == ["failure"]


def queued_retry(world: World, sha: str) -> CheckRun | None:
    shown = world.shown(sha).get("fast")
    return shown if shown is not None and attempt_of(shown) == 2 and shown.status == "queued" else None


def never_red(world: World, sha: str) -> None:
    """The end of the first attempt was no failure, and told only once there was a check run of the second."""
    for name in NAMES:
        first, second = world.github.check_runs(sha, name=f"Draftsman / {name}")
        ended = [state for state in world.github.check_run_history(first.id) if state.status == "completed"]
        assert all(state.conclusion == "cancelled" for state in ended)
        began = position(world, "POST", f"{first.external_id.rpartition('/1/')[0]}/2/{name}")
        assert began < position(world, "PATCH", first.external_id, completed=True)
        assert second.external_id.endswith(f"/2/{name}")


def position(world: World, method: str, external_id: str, *, completed: bool = False) -> int:
    """Return which of all requests brought the check run to that."""
    for number, request in enumerate(world.github.requests):
        body = request.json if request.method == method and "/check-runs" in request.path else {}
        fits = body.get("external_id") == external_id
        if fits and (not completed or body.get("status") == "completed"):
            return number
    raise AssertionError(f"no {method} of {external_id}")


async def run_of(world: World, sha: str) -> object:
    return (await world.rows("SELECT id FROM runs WHERE head_sha = $1", sha))[0]["id"]
