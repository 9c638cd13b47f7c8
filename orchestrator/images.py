"""The image that an attempt runs in: there already, or built once, however many attempts want it.

Two builds make one: the Dockerfile as the plan has it (`draftsman-base/...`), and the runner layer on top of
whatever that gave (`draftsman-runner/...`). Both tags carry the same key, and labels that tell what they are.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, StrictUndefined

from draftsman import resources
from draftsman.domain.errors import BuildError, EngineError, HostError
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import Plan
from orchestrator.base_images import base_images, get_missing
from orchestrator.build_context import with_file
from orchestrator.builder import Output, build
from orchestrator.dockerfile_rules import check_dockerfile, check_triggers
from orchestrator.engine import Engine, EngineFacts, EngineRefusedError
from orchestrator.image_key import BASE_PREFIX, image_key, image_tag

LABEL_MANAGED = "draftsman.managed"
LABEL_KEY = "draftsman.key"
LABEL_REPO = "draftsman.repo"
LABEL_BUILT_AT = "draftsman.built-at"

_LAYER_TEMPLATE = "runner-layer.Dockerfile.j2"
_UNREACHABLE = ("Temporary failure resolving", "Could not resolve", "Failed to fetch", "temporary error", "Curl error")
"""What apt-get, apk and dnf say when their mirrors cannot be reached."""
_UNTRUSTED = (
    "certificate verify failed",
    "certificate problem",
    "certificate signed by unknown authority",
    "self-signed certificate",
    "self signed certificate",
    "unable to get local issuer certificate",
    "SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY",
)
"""What tools say of a certificate that they do not trust."""
_WITHOUT_CA = (
    "This Dockerfile is built as it is: the host's CA bundle (DRAFTSMAN_CA_BUNDLE) is not part of it. Copy the "
    "certificates in the Dockerfile where its instructions need them."
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?")


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What every build of this worker gets. `ca_bundle` is PEM; `proxies` are environment variables."""

    ca_bundle: bytes | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 1800


@dataclass(frozen=True, slots=True)
class RunnerLayer:
    """What lies on top of every image. `version` changes with any of its bytes."""

    template: str
    entrypoint: bytes

    @property
    def version(self) -> str:
        """Return what stands for the layer in the image key."""
        return hashlib.sha256(self.template.encode() + b"\0" + self.entrypoint).hexdigest()

    def render(self, base: str, *, user: str, has_ca: bool) -> str:
        """Return the layer's Dockerfile on `base`. Raises BuildError where the image's USER is not a plain name."""
        if user and not _USER.fullmatch(user):
            raise BuildError(f"The Dockerfile's USER {user[:80]!r} is not a user's name or number.")
        environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
        return environment.from_string(self.template).render(base=base, user=user, has_ca=has_ca)


def read_runner_layer() -> RunnerLayer:
    """Return the runner layer that ships with the code."""
    return RunnerLayer(resources.dockerfile_templates()[_LAYER_TEMPLATE], resources.entrypoint())


def name_image(
    layer: RunnerLayer, *, repo: str, plan: Plan, settings: BuildSettings, context_digest: str
) -> tuple[str, str]:
    """Return the tag and the key of the image for this plan. `context_digest` stands for what a build can see."""
    key = image_key(
        dockerfile=plan.dockerfile,
        layer_version=layer.version,
        ca_bundle=settings.ca_bundle,
        build_args={},
        target=None,
        platform=None,
        context_digest=context_digest,
    )
    return image_tag(repo, key), key


async def ensure(
    engine: Engine,
    *,
    repo: str,
    plan: Plan,
    settings: BuildSettings,
    context: Callable[[], AsyncIterator[bytes]] | None,
    context_digest: str,
    lock: Callable[[str], AbstractAsyncContextManager[None]],
    entered_building: Callable[[], Awaitable[None]],
    output: Output,
) -> ImageUsed:
    """Return the image for this plan, built now where the engine does not have it.

    `context` yields the tree as a tar, for a Dockerfile of the repository's own (at
    `plan.profile.dockerfile`); None where it is generated, which sees nothing of the tree. `lock` is held per
    key while building. Raises BuildError where the Dockerfile is at fault, HostError where we are.
    """
    if context is not None:
        check_dockerfile(plan.dockerfile, _arguments(engine.facts, settings))
    layer = read_runner_layer()
    tag, key = name_image(layer, repo=repo, plan=plan, settings=settings, context_digest=context_digest)
    cached = ImageUsed(tag=tag, key=key, cached=True, build_seconds=0.0)
    if await _is_built(engine, tag, key):
        await output(f"Image {tag} is there already\n".encode())
        return cached
    await entered_building()
    async with lock(key):
        if await _is_built(engine, tag, key):
            await output(f"Image {tag} was built by another run meanwhile\n".encode())
            return cached
        begin = time.monotonic()
        await _build_both(engine, layer, repo, key, plan, settings, context, output)
    return ImageUsed(tag=tag, key=key, cached=False, build_seconds=round(time.monotonic() - begin, 3))


async def _is_built(engine: Engine, tag: str, key: str) -> bool:
    image = await _inspect(engine, tag)
    return image is not None and ((image.get("Config") or {}).get("Labels") or {}).get(LABEL_KEY) == key


async def _inspect(engine: Engine, tag: str) -> dict[str, Any] | None:
    try:
        answer: dict[str, Any] = await engine.call("GET", f"images/{tag}/json")
    except EngineRefusedError as error:
        if error.status == 404:
            return None
        raise
    return answer


async def _build_both(
    engine: Engine,
    layer: RunnerLayer,
    repo: str,
    key: str,
    plan: Plan,
    settings: BuildSettings,
    context: Callable[[], AsyncIterator[bytes]] | None,
    output: Output,
) -> None:
    base, labels = image_tag(repo, key, BASE_PREFIX), _labels(repo, key)
    ca = {} if settings.ca_bundle is None else {"draftsman-ca.crt": settings.ca_bundle}
    arguments = _arguments(engine.facts, settings)
    names = base_images(plan.dockerfile, arguments)
    await get_missing(engine, names, output=output, timeout_seconds=settings.timeout_seconds)
    if context is None:
        files = pack({"Dockerfile": plan.dockerfile.encode(), **ca})
        await _build(engine, files, "Dockerfile", base, labels, settings, output)
    else:
        await _check_bases(engine, names, plan, arguments)
        await _build_own(engine, context(), plan, base, labels, settings, output)
    image = await _inspect(engine, base)
    if image is None:
        raise EngineError(f"The image {base} vanished from the Docker engine right after its build; run this again.")
    user = str((image.get("Config") or {}).get("User") or "")
    text = layer.render(base, user=user, has_ca=bool(ca))
    files = pack({"Dockerfile": text.encode(), "entrypoint": layer.entrypoint, **ca})
    try:
        await _build(engine, files, "Dockerfile", image_tag(repo, key), labels, settings, output)
    except BuildError as error:
        raise layer_failure(error) from error


async def _build(
    engine: Engine,
    context: bytes | AsyncIterator[bytes],
    dockerfile: str,
    tag: str,
    labels: Mapping[str, str],
    settings: BuildSettings,
    output: Output,
) -> None:
    await build(
        engine,
        context=context,
        dockerfile=dockerfile,
        tag=tag,
        labels=labels,
        build_args=settings.proxies,
        timeout_seconds=settings.timeout_seconds,
        output=output,
    )


async def _build_own(
    engine: Engine,
    context: AsyncIterator[bytes],
    plan: Plan,
    tag: str,
    labels: Mapping[str, str],
    settings: BuildSettings,
    output: Output,
) -> None:
    """Build a Dockerfile of the repository's own: the very text that was checked, whatever its tree makes of it."""
    path = plan.profile.dockerfile or "Dockerfile"
    if settings.ca_bundle is not None:
        await output(_WITHOUT_CA.encode() + b"\n")
    try:
        await _build(engine, with_file(context, path, plan.dockerfile.encode()), path, tag, labels, settings, output)
    except BuildError as error:
        raise own_failure(error, has_ca=settings.ca_bundle is not None) from error


def own_failure(error: BuildError, *, has_ca: bool) -> BuildError:
    """Return the error for a repository's own Dockerfile; of a refused certificate it says where that may lie."""
    if has_ca and any(sign in f"{error}\n{error.detail}" for sign in _UNTRUSTED):
        return BuildError(str(error), f"{_WITHOUT_CA}\n{error.detail}")
    return error


async def _check_bases(engine: Engine, names: Iterable[str], plan: Plan, arguments: Mapping[str, str]) -> None:
    """Look at what the base images bring along: ONBUILD runs in our builds, and ENV decides what `$NAME` means."""
    inherited: set[str] = set()
    for name in names:
        config = (await _inspect(engine, name) or {}).get("Config") or {}
        check_triggers(name, map(str, config.get("OnBuild") or ()))
        inherited |= {str(entry).partition("=")[0] for entry in config.get("Env") or ()}
    check_dockerfile(plan.dockerfile, arguments, frozenset(inherited))


def _arguments(facts: EngineFacts, settings: BuildSettings) -> dict[str, str]:
    """Return the build arguments that have a value before any ARG: ours, and those that BuildKit defines."""
    defined: dict[str, str] = {}
    if facts.buildkit:
        for side in ("TARGET", "BUILD"):
            platform = f"{facts.os}/{facts.architecture}"
            defined |= {f"{side}PLATFORM": platform, f"{side}OS": facts.os, f"{side}ARCH": facts.architecture}
    return {**defined, **settings.proxies}


def layer_failure(error: BuildError) -> BuildError | HostError:
    """Return the error for a runner layer that did not build: ours where its packages could not be fetched."""
    if any(sign in error.detail for sign in _UNREACHABLE):
        return HostError("git could not be installed in the image: its packages could not be fetched.", error.detail)
    return BuildError(
        "The image cannot run checks: Draftsman's layer on top of it (a shell, git, certificates) did not build. Use "
        "a base image that has git, or apt-get, apk, dnf or microdnf to install it with.",
        f"{error}\n{error.detail}",
    )


def _labels(repo: str, key: str) -> dict[str, str]:
    return {
        LABEL_MANAGED: "1",
        LABEL_KEY: key,
        LABEL_REPO: repo,
        LABEL_BUILT_AT: datetime.now(UTC).isoformat(timespec="seconds"),
    }


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a tar of these files, the same bytes for the same files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()
