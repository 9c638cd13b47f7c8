"""`draftsman setup`, driven by a browser against the stand-in, from nothing to an App that is installed."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from bot.setup import Wish
from draftsman.cli import settings_of
from draftsman.cli.setup import Choices, check, setup, wish_for
from draftsman.domain.errors import HostError, SettingsError
from draftsman.settings import Settings, load
from tests.github import GitHubStandIn
from tests.github.browser import Page, submit, visit
from tests.product import free_port

HOOK = "https://ci.example.com/webhooks/github"


@dataclass
class Person:
    """Somebody at a terminal with a browser."""

    github: GitHubStandIn
    folder: Path
    capsys: pytest.CaptureFixture[str]
    session: aiohttp.ClientSession
    said: str = ""

    @property
    def settings(self) -> Settings:
        return Settings(
            home=self.folder / "home", github_server_url=self.github.server_url, github_api_url=self.github.api_url
        )

    @property
    def file(self) -> Path:
        return self.folder / ".env"

    @property
    def key_file(self) -> Path:
        return self.folder / "home" / "github-app.pem"

    def choices(self, *, force: bool = False, wait: bool = False, port: int = 0) -> Choices:
        return Choices(file=self.file, port=port, browser=False, force=force, wait=wait)

    def terminal(self) -> str:
        """All that the command said so far."""
        self.said += self.capsys.readouterr().out
        return self.said

    async def line(self, beginning: str) -> str:
        """The line of the terminal that begins so, once it is there."""
        async with asyncio.timeout(20):
            while True:
                for line in self.terminal().splitlines():
                    if line.startswith(beginning):
                        return line
                await asyncio.sleep(0.02)

    async def address(self) -> str:
        return (await self.line("Open this page")).rpartition(" ")[2]

    @asynccontextmanager
    async def setting_up(self, wish: Wish, choices: Choices | None = None) -> AsyncIterator[asyncio.Task[int]]:
        """The command at work; whoever leaves before its end presses Ctrl-C."""
        task = asyncio.create_task(setup(self.settings, wish, choices or self.choices()))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def create(self, **given: str) -> Page:
        """Press the buttons up to the page that says that it is done."""
        page = await visit(self.session, await self.address())
        confirm = await submit(self.session, page)
        return await submit(self.session, confirm, given)

    async def come_back(self) -> str:
        """The address with code and state that GitHub sends the browser to, not visited yet."""
        confirm = await submit(self.session, await visit(self.session, await self.address()))
        assert confirm.form is not None
        url = self.github.url + confirm.form.action
        async with self.session.post(url, data=confirm.form.values, allow_redirects=False) as answer:
            return answer.headers["Location"]


@pytest.fixture(params=["", "/api/v3"], ids=["github.com", "enterprise"])
async def person(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Person]:
    async with GitHubStandIn.start(prefix=request.param) as github, aiohttp.ClientSession() as session:
        await github.create_repository("acme/widgets", install=False)
        yield Person(github, tmp_path, capsys, session)
        github.assert_no_violations()


@pytest.fixture
async def one_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Person]:
    async with GitHubStandIn.start() as github, aiohttp.ClientSession() as session:
        await github.create_repository("acme/widgets", install=False)
        yield Person(github, tmp_path, capsys, session)


async def test_from_nothing_to_an_installed_app(person: Person) -> None:
    person.file.write_text("# mine\nDRAFTSMAN_PORT=4000\n")
    async with person.setting_up(Wish("Draftsman", HOOK, organization="acme"), person.choices(wait=True)) as task:
        page = await visit(person.session, await person.address())
        assert "checks" in page.text
        assert HOOK in page.text
        done = await person.create(name="Draftsman of acme")
        assert done.text.startswith("App created")
        await person.line("Waiting until it is installed")
        # The link of the page is where it is installed.
        await submit(person.session, await visit(person.session, done.links[0]))
        assert await task == 0
    said = person.terminal()
    assert f"App created: Draftsman of acme ({person.github.url}/apps/draftsman-of-acme)" in said
    assert "sent a first event, a ping" in said
    assert "It is installed on acme (all repositories)." in said
    assert said.splitlines()[-1] == f"Next: draftsman up --env-file {person.file}"

    app = person.github.app
    assert (app.owner.login, app.webhook_url) == ("acme", HOOK)
    text = person.file.read_text()
    assert text.startswith("# mine\nDRAFTSMAN_PORT=4000\n")
    settings = load(settings_of.parse(person.file))
    assert settings.github_app_id == str(app.id)
    assert settings.read_private_key() == app.private_key_pem
    assert settings.github_webhook_secret is not None
    assert settings.github_webhook_secret.get_secret_value() == app.webhook_secret
    assert settings.github_client_id == app.client_id
    assert settings.github_client_secret is not None
    assert (settings.github_api_url, settings.github_server_url) == (person.github.api_url, person.github.server_url)
    assert settings.public_url == "https://ci.example.com"
    assert settings.delivery == "webhook"


async def test_secrets_are_private_and_are_shown_nowhere(one_person: Person, caplog: pytest.LogCaptureFixture) -> None:
    person = one_person
    caplog.set_level("DEBUG")
    async with person.setting_up(Wish("Draftsman", HOOK)) as task:
        done = await person.create()
        await task
    settings = load(settings_of.parse(person.file))
    assert settings.github_client_secret is not None
    secrets = [person.github.app.webhook_secret, settings.github_client_secret.get_secret_value()]
    secrets += person.github.app.private_key_pem.splitlines()[1:-1]
    shown = person.terminal() + done.text + caplog.text
    assert [secret for secret in secrets if secret in shown] == []
    assert [stat.S_IMODE(path.stat().st_mode) for path in (person.file, person.key_file)] == [0o600, 0o600]


async def test_a_polled_app_is_told_so_and_needs_nothing_that_reaches_it(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", None), person.choices(wait=True)) as task:
        done = await person.create()
        await submit(person.session, await visit(person.session, done.links[0]))
        assert await task == 0
    assert "Draftsman fetches them, nothing has to reach it" in person.terminal()
    settings = load(settings_of.parse(person.file))
    assert (settings.delivery, settings.public_url) == ("poll", None)
    assert str(person.github.app.webhook_url).startswith("https://draftsman.invalid/")


async def test_an_answer_with_another_state_is_turned_away_and_the_right_one_still_counts(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK)) as task:
        back = await person.come_back()
        code = parse_qs(urlsplit(back).query)["code"][0]
        for wrong in ({"code": code}, {"code": code, "state": ""}, {"code": code, "state": "é" * 32}):
            page = await visit(person.session, f"{back.partition('?')[0]}?{urlencode(wrong)}")
            assert (page.status, page.links) == (403, ())
        assert not any("/app-manifests/" in sent.path for sent in person.github.requests)
        assert (await visit(person.session, back)).text.startswith("App created")
        assert await task == 0


async def test_an_answer_counts_once(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK), person.choices(wait=True)):
        back = await person.come_back()
        pages = await asyncio.gather(visit(person.session, back), visit(person.session, back))
        assert sorted(page.status for page in pages) in ([200], [200, 410])
        await person.line("Install it")


async def test_github_that_was_away_is_asked_again_with_the_same_code(one_person: Person) -> None:
    person = one_person
    person.github.faults.fail(502, path=r"/app-manifests/")
    async with person.setting_up(Wish("Draftsman", HOOK)) as task:
        failed = await visit(person.session, await person.come_back())
        assert (failed.status, len(failed.links)) == (502, 1)
        assert "502" in failed.text
        assert not person.file.exists()
        assert (await visit(person.session, failed.links[0])).text.startswith("App created")
        assert await task == 0


async def test_a_code_that_is_over_is_said_and_another_can_be_had(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK)) as task:
        back = await person.come_back()
        person.github.clock.advance(3601)
        failed = await visit(person.session, back)
        assert "within an hour" in failed.text
        assert "within an hour" in person.terminal()
        assert (await visit(person.session, back)).status == 403  # its state is over, too
        person.github.clock.advance(-3601)
        assert (await person.create(name="Another one")).text.startswith("App created")
        assert await task == 0
    assert person.github.app.name == "Another one"


async def test_credentials_that_could_not_be_written_are_written_at_the_next_try(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK)) as task:
        back = await person.come_back()
        person.file.mkdir()
        failed = await visit(person.session, back)
        assert str(person.file) in failed.text
        person.file.rmdir()
        # GitHub gives them once: they are kept meanwhile.
        assert (await visit(person.session, failed.links[0])).text.startswith("App created")
        assert await task == 0
    assert load(settings_of.parse(person.file)).read_private_key() == person.github.app.private_key_pem


async def test_only_who_has_the_printed_address_can_begin(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK)):
        address = await person.address()
        for wrong in (address.partition("?")[0], f"{address}x", address[:-1]):
            page = await visit(person.session, wrong)
            assert (page.status, page.form) == (403, None)
        # A page elsewhere whose name was made to lead here.
        host = {"Host": f"evil.example:{urlsplit(address).port}"}
        async with person.session.get(address, headers=host) as answer:
            assert answer.status == 403
            assert "<form" not in await answer.text()


async def test_the_page_escapes_and_may_send_its_form_to_this_github_only(one_person: Person) -> None:
    person = one_person
    async with (
        person.setting_up(Wish('"><script>x</script>', HOOK)),
        person.session.get(await person.address()) as answer,
    ):
        text = await answer.text()
    assert "<script" not in text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert f"form-action {person.github.url};" in policy
    assert answer.headers["Cache-Control"] == "no-store"


async def test_another_apps_credentials_are_replaced_only_by_force(one_person: Person) -> None:
    person = one_person
    person.file.write_text("GITHUB_APP_ID=1\nGITHUB_PRIVATE_KEY=old\nGITHUB_WEBHOOK_SECRET=keep-me-secret\n")
    person.key_file.parent.mkdir()
    person.key_file.write_text("another App's")
    with pytest.raises(SettingsError, match="--force") as caught:
        await setup(person.settings, Wish("Draftsman", HOOK), person.choices())
    assert "GITHUB_APP_ID" in str(caught.value)
    assert str(person.key_file) in str(caught.value)
    assert "keep-me-secret" not in str(caught.value)
    assert person.key_file.read_text() == "another App's"
    async with person.setting_up(Wish("Draftsman", HOOK), person.choices(force=True)) as task:
        await person.create()
        assert await task == 0
    assert "Will be replaced: GITHUB_APP_ID" in person.terminal()
    settings = load(settings_of.parse(person.file))
    assert settings.github_app_id == str(person.github.app.id)
    assert settings.read_private_key() == person.github.app.private_key_pem
    assert stat.S_IMODE(person.key_file.stat().st_mode) == 0o600


async def test_a_key_that_came_meanwhile_is_kept(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK)) as task:
        back = await person.come_back()
        person.key_file.write_text("another App's")
        await visit(person.session, back)
        assert await task == 0
    assert person.key_file.read_text() == "another App's"
    assert load(settings_of.parse(person.file)).read_private_key() == person.github.app.private_key_pem


async def test_what_cannot_work_is_said_before_anything_is_made(one_person: Person) -> None:
    person = one_person
    wish = Wish("Draftsman", HOOK)
    unwritable = replace(person.choices(), file=person.folder / "absent" / ".env")
    halved = person.settings.model_copy(update={"github_api_url": "https://api.github.com"})
    cases: list[tuple[Callable[[], Awaitable[int]], type[Exception], str]] = [
        (lambda: setup(person.settings, wish, unwritable), SettingsError, "cannot be written"),
        (lambda: setup(halved, wish, person.choices()), SettingsError, "GITHUB_API_URL"),
        (lambda: setup(person.settings, Wish("x" * 40, HOOK), person.choices()), SettingsError, "--name"),
        (
            lambda: setup(person.settings, wish, person.choices(port=urlsplit(person.github.url).port or 0)),
            HostError,
            "--port",
        ),
    ]
    for attempt, kind, says in cases:
        with pytest.raises(kind, match=says):
            await attempt()
    assert person.github.requests == []
    assert not person.file.exists()


async def test_ctrl_c_while_waiting_loses_nothing(one_person: Person) -> None:
    person = one_person
    async with person.setting_up(Wish("Draftsman", HOOK), person.choices(wait=True)) as task:
        await person.create()
        await person.line("Waiting until it is installed")
        task.cancel()
        assert await task == 0
    assert "--check" in person.terminal()
    assert person.terminal().splitlines()[-1].startswith("Next: draftsman up")


async def test_github_that_goes_away_while_waiting_loses_nothing(one_person: Person) -> None:
    person = one_person
    person.github.faults.fail(502, path=r"/app/hook/deliveries")
    async with person.setting_up(Wish("Draftsman", None), person.choices(wait=True)) as task:
        await person.create()
        assert await task == 0
    assert "502" in person.terminal()
    assert person.terminal().splitlines()[-1].startswith("Next: draftsman up")


async def test_check_sends_the_ping_again_once_draftsman_is_up(one_person: Person) -> None:
    person = one_person
    port = free_port()
    hook = f"http://127.0.0.1:{port}/webhooks/github"
    person.github.manifests.local_webhooks = True
    async with person.setting_up(Wish("Draftsman", hook)) as task:
        await person.create()
        assert await task == 0
    settings = load(settings_of.parse(person.file))
    async with asyncio.timeout(10):
        while not person.github.deliveries:
            await asyncio.sleep(0.02)
    assert await check(settings, wait=False) == 3
    said = person.terminal()
    assert "It did not arrive either" in said
    assert "installed nowhere yet" in said

    await person.github.install("octocat")
    async with receiver(port) as received:
        assert await check(settings, wait=True) == 0
    assert received == ["ping"]
    assert "Now it arrived: it was answered 202." in person.terminal()
    assert "installed on octocat" in person.terminal()


async def test_check_names_what_the_app_lacks(one_person: Person) -> None:
    person = one_person
    person.github.app.permissions = {"checks": "read", "metadata": "read", "contents": "read"}
    person.github.app.events = ("push",)
    await person.github.install("acme")
    key = person.folder / "key.pem"
    key.write_text(person.github.app.private_key_pem)
    settings = person.settings.model_copy(
        update={"github_app_id": str(person.github.app.id), "github_private_key_file": key, "delivery": "poll"}
    )
    assert await check(settings, wait=False) == 3
    said = person.terminal()
    assert "checks: write" in said
    assert "the event merge_group" in said
    assert "contents" not in said


def test_where_events_come_from_must_be_said() -> None:
    asked = {"name": None, "org": "acme", "teams": False, "public": False}
    with pytest.raises(SettingsError, match="--poll"):
        wish_for(Settings(), webhook_url=None, poll=False, **asked)  # type: ignore[arg-type]
    public = Settings(public_url="https://ci.example.com/")
    assert wish_for(public, webhook_url=None, poll=False, **asked).webhook_url == HOOK  # type: ignore[arg-type]
    assert wish_for(public, webhook_url=None, poll=True, **asked).webhook_url is None  # type: ignore[arg-type]
    assert wish_for(public, webhook_url=None, poll=True, **asked).name == "Draftsman (acme)"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "--poll"),
        (("--poll", "--webhook-url", HOOK), "--webhook-url"),
        (("--webhook-url", "http://localhost:3000"), "github.com cannot reach localhost"),
        (("--check",), "GITHUB_APP_ID is not set"),
    ],
)
def test_what_is_missing_is_a_sentence_and_no_traceback(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_"))}
    done = subprocess.run(
        [sys.executable, "-m", "draftsman.cli.main", "setup", *arguments],
        cwd=tmp_path,
        env=inherited | {"DRAFTSMAN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob(".env*")) == []


@asynccontextmanager
async def receiver(port: int) -> AsyncIterator[list[str]]:
    """Something that answers 202 to deliveries, and the events that it got."""
    from aiohttp import web

    events: list[str] = []

    async def take(request: web.Request) -> web.Response:
        events.append(request.headers["X-GitHub-Event"])
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/webhooks/github", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield events
    finally:
        await runner.cleanup()
