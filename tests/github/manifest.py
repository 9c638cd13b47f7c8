"""Registering an App by its manifest, and installing it: the pages that a browser meets, and the exchange of the code.

The App that comes out of it takes the place of the stand-in's own: it hosts one.
"""

import asyncio
import ipaddress
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.github import payloads, shapes
from tests.github.calls import Answer, Call, Handler, Refusal
from tests.github.deliveries import DeliveryLog
from tests.github.state import Account, App, State
from tests.github.tokens import LEVELS

if TYPE_CHECKING:
    from tests.github.stand_in import GitHubStandIn

# docs.github.com, "Registering a GitHub App from a manifest": all three steps within one hour.
CODE_SECONDS = 3600
LONGEST_NAME = 34
PERSON = "octocat"

FIELDS = frozenset(
    (
        "name",
        "url",
        "hook_attributes",
        "redirect_url",
        "callback_urls",
        "setup_url",
        "description",
        "public",
        "default_events",
        "default_permissions",
        "request_oauth_on_install",
        "setup_on_update",
    )
)

# What an event is about; GitHub refuses one whose permission the manifest does not ask for.
EVENT_PERMISSIONS = {
    "check_run": ("checks",),
    "check_suite": ("checks",),
    "commit_comment": ("contents",),
    "create": ("contents",),
    "delete": ("contents",),
    "deployment": ("deployments",),
    "fork": ("contents",),
    "issue_comment": ("issues", "pull_requests"),
    "issues": ("issues",),
    "label": ("metadata",),
    "member": ("members",),
    "merge_group": ("merge_queues",),
    "public": ("metadata",),
    "pull_request": ("pull_requests",),
    "pull_request_review": ("pull_requests",),
    "pull_request_review_comment": ("pull_requests",),
    "push": ("contents",),
    "release": ("contents",),
    "repository": ("metadata",),
    "star": ("metadata",),
    "status": ("statuses",),
    "team": ("members",),
    "workflow_run": ("actions",),
}


class InvalidManifestError(Exception):
    """What GitHub's page says is wrong with a manifest."""


@dataclass(frozen=True)
class Draft:
    """A manifest that was shown to a person, who has not confirmed it yet."""

    manifest: Mapping[str, Any]
    owner: Account
    state: str


@dataclass(frozen=True)
class Registered:
    """An App whose code nobody has exchanged yet."""

    app: App
    client_secret: str
    registered_at: float


class Manifests:
    """The Apps that are on their way. `local_webhooks`: take webhook URLs of this machine, as GitHub does not."""

    def __init__(self, state: State, log: DeliveryLog) -> None:
        self._state = state
        self._log = log
        self._drafts: dict[str, Draft] = {}
        self._codes: dict[str, Registered] = {}
        self._names: set[str] = set()
        self._pings: set[asyncio.Task[Any]] = set()
        self.local_webhooks = False
        self.public = False

    def draft(self, text: str, owner: Account, state: str) -> tuple[str, Draft]:
        """The ticket of a manifest that may be confirmed. Raises `InvalidManifestError` in GitHub's words."""
        try:
            manifest = json.loads(text)
        except ValueError:
            raise InvalidManifestError("the manifest is no JSON") from None
        if problems := check(manifest, self._state, local_webhooks=self.local_webhooks):
            raise InvalidManifestError(" ".join(problems))
        ticket = secrets.token_hex(8)
        self._drafts[ticket] = Draft(manifest, owner, state)
        return ticket, self._drafts[ticket]

    def register(self, ticket: str, name: str) -> str:
        """Where the browser goes once the App is registered under this name. Raises `InvalidManifestError`."""
        draft = self._drafts[ticket]
        self._check_name(name)
        del self._drafts[ticket]
        self._names.add(name.lower())
        code = secrets.token_hex(20)
        self._codes[code] = Registered(self._make(draft, name), secrets.token_hex(20), self._state.clock.now())
        self.public = bool(draft.manifest.get("public", True))
        query = {"code": code} | ({"state": draft.state} if draft.state else {})
        return f"{draft.manifest['redirect_url']}?{urlencode(query)}"

    def operations(self) -> dict[str, Handler]:
        """The handler of the exchange."""
        return {"apps/create-from-manifest": self._convert}

    async def _convert(self, call: Call) -> Answer:
        found = self._codes.pop(call.path["code"], None)
        if found is None or found.registered_at + CODE_SECONDS < self._state.clock.now():
            raise Refusal(404, "Not Found", mistake=False)
        state, app = self._state, found.app
        state.app = app
        state.installations.clear()
        state.tokens.clear()
        if app.webhook_url is not None:
            # GitHub does not wait for its receiver, either.
            ping = asyncio.create_task(self._log.deliver("ping", payloads.ping(state), to=app.webhook_url))
            self._pings.add(ping)
            ping.add_done_callback(self._pings.discard)
        body = shapes.app(app, state.addresses, 0) | {
            "client_id": app.client_id,
            "client_secret": found.client_secret,
            "webhook_secret": app.webhook_secret,
            "pem": app.private_key_pem,
        }
        return Answer(body, 201)

    def _check_name(self, name: str) -> None:
        if not name.strip():
            raise InvalidManifestError("Name can't be blank")
        if len(name) > LONGEST_NAME:
            raise InvalidManifestError(f"Name is too long (maximum is {LONGEST_NAME} characters)")
        if name.lower() in self._names or name.lower() == self._state.app.name.lower():
            raise InvalidManifestError("Name has already been taken")

    def _make(self, draft: Draft, name: str) -> App:
        hook = draft.manifest.get("hook_attributes")
        return App(
            id=self._state.next_id(),
            client_id="Iv23li" + secrets.token_hex(7),
            slug=re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
            name=name,
            owner=draft.owner,
            webhook_secret=secrets.token_hex(20),
            private_key=rsa.generate_private_key(public_exponent=65537, key_size=2048),
            created_at=self._state.clock.timestamp(),
            hook_id=self._state.next_id(),
            permissions=dict(draft.manifest.get("default_permissions", {})),
            events=tuple(draft.manifest.get("default_events", ())),
            webhook_url=hook["url"] if hook and hook.get("active", True) else None,
        )


def check(manifest: Any, state: State, *, local_webhooks: bool) -> list[str]:
    """What GitHub would find wrong with this manifest, beside its name."""
    if not isinstance(manifest, dict):
        return ["the manifest is no object"]
    problems = [f"{name} is not supported" for name in sorted(manifest.keys() - FIELDS)]
    hook = manifest.get("hook_attributes")
    # Of a hook without a URL, too: GitHub names the field without its parent.
    if not is_url(manifest.get("url")) or (hook is not None and not is_url(hook.get("url"))):
        problems.append('Error "url" wasn\'t supplied.')
    elif hook is not None and not local_webhooks and is_local(hook["url"]):
        problems.append("Hook url is not supported because it isn't reachable over the public Internet (localhost)")
    if not is_url(manifest.get("redirect_url")):
        problems.append('Error "redirect_url" wasn\'t supplied.')
    permissions = manifest.get("default_permissions", {})
    known = state_permissions()
    problems += [f"Default permission {name} is not supported" for name in permissions if name not in known]
    problems += [
        f"Default permission {name} cannot be {level}" for name, level in permissions.items() if level not in LEVELS
    ]
    unsupported = [
        event
        for event in manifest.get("default_events", ())
        if not any(wanted in permissions or wanted == "metadata" for wanted in EVENT_PERMISSIONS.get(event, ()))
    ]
    if unsupported:
        problems.append(f"Default events unsupported: {', '.join(unsupported)}")
    return problems


def state_permissions() -> frozenset[str]:
    """The permissions that an App can ask for, as GitHub's description lists them."""
    from tests.github.cut_spec import CUT

    description = json.loads(CUT.read_text(encoding="utf-8"))
    return frozenset(description["components"]["schemas"]["app-permissions"]["properties"])


def is_url(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"https?://[^\s/]+\S*", value))


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def routes(github: "Callable[[], GitHubStandIn]") -> list[web.RouteDef]:
    """The pages, over the stand-in that `github()` gives."""

    def owner(request: web.Request) -> Account:
        org = request.match_info.get("org")
        if org is None:
            return github().state.account(PERSON)
        found = github().state.accounts.get(org.lower())
        if found is None or found.type != "Organization":
            raise web.HTTPNotFound(text="Not Found")
        return found

    async def ask(_: web.Request) -> web.Response:
        return page("New GitHub App", "<p>Post a manifest here.</p>")

    async def show(request: web.Request) -> web.Response:
        sent = await request.post()
        try:
            ticket, draft = github().manifests.draft(
                str(sent.get("manifest", "")), owner(request), request.query.get("state", "")
            )
        except InvalidManifestError as error:
            return invalid(error)
        return confirm(ticket, draft.owner.login, str(draft.manifest.get("name", "")))

    async def register(request: web.Request) -> web.Response:
        sent = await request.post()
        ticket, name = request.query.get("ticket", ""), str(sent.get("name", ""))
        try:
            where = github().manifests.register(ticket, name)
        except KeyError:
            raise web.HTTPNotFound(text="Not Found") from None
        except InvalidManifestError as error:
            # A person may choose another name.
            return confirm(ticket, "", name, str(error), 422)
        raise web.HTTPFound(where)

    def accounts() -> list[Account]:
        """Where the App can be installed: a private one on its owner's account alone."""
        found = [github().app.owner]
        if github().manifests.public:
            found += [repo.owner for repo in github().state.repositories.values()]
        return list(dict.fromkeys(found))

    def this_app(request: web.Request) -> App:
        if request.match_info["slug"] != github().app.slug:
            raise web.HTTPNotFound(text="Not Found")
        return github().app

    async def offer(request: web.Request) -> web.Response:
        app = this_app(request)
        choices = "".join(f"<option>{escape(account.login)}</option>" for account in accounts())
        return page(
            f"Install {escape(app.name)}",
            f'<form method="post" action="{request.path}"><select name="account">{choices}</select>'
            "<button>Install</button></form>",
        )

    async def install(request: web.Request) -> web.Response:
        this_app(request)
        sent = await request.post()
        login = str(sent.get("account", ""))
        if login.lower() not in {account.login.lower() for account in accounts()}:
            raise web.HTTPNotFound(text="Not Found")
        await github().install(login)
        return page("Installed", f"<p>{escape(github().app.name)} is installed on {escape(login)}.</p>")

    found: list[web.RouteDef] = []
    for place in ("/settings/apps", "/organizations/{org}/settings/apps"):
        found += [web.get(f"{place}/new", ask), web.post(f"{place}/new", show)]
    found.append(web.post("/settings/apps/manifest", register))
    for place in ("/apps/{slug}/installations/new", "/github-apps/{slug}/installations/new"):
        found += [web.get(place, offer), web.post(place, install)]
    return found


def page(title: str, content: str, status: int = 200) -> web.Response:
    text = f"<!doctype html><title>{title}</title><h1>{title}</h1>{content}"
    return web.Response(text=text, content_type="text/html", status=status)


def confirm(ticket: str, owner: str, name: str, problem: str = "", status: int = 200) -> web.Response:
    return page(
        f"Create GitHub App for {escape(owner)}",
        f'<p>{escape(problem)}</p><form method="post" action="/settings/apps/manifest?ticket={ticket}">'
        f'<input name="name" value="{escape(name)}"><button>Create GitHub App</button></form>',
        status,
    )


def invalid(error: InvalidManifestError) -> web.Response:
    said = "The configuration does not appear to be a valid GitHub App manifest."
    return page("Invalid GitHub App configuration", f"<p>{said}</p><p>{escape(str(error))}</p>", 422)
