"""Builds one image: the Dockerfile as the plan has it, and the runner layer on top of whatever that gave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace

from draftsman.domain.errors import BuildError, EngineError
from draftsman.domain.plan import Plan
from orchestrator.dockerfiles.cache_ids import separate_caches
from orchestrator.dockerfiles.choice import CA_FILE
from orchestrator.dockerfiles.rules import check_dockerfile, check_triggers
from orchestrator.engine import Engine, EngineFacts
from orchestrator.images.base_images import AbsentImageError, Pulls, base_images, coarser_names, get_missing
from orchestrator.images.builder import Output, Recipe, build
from orchestrator.images.context import context_tar, pack
from orchestrator.images.failure import WITHOUT_CA, layer_failure, own_failure
from orchestrator.images.key import BASE_PREFIX, image_tag
from orchestrator.images.labels import inspect, labels
from orchestrator.images.runner_layer import RunnerLayer
from orchestrator.tree_objects import Commit, Entry

DAY = 86_400.0
_GENERATED_PATH = "Dockerfile"


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What every build of this worker gets.

    `ca_bundle` is PEM, `proxies` are environment variables, `image_prefix` is the mirror of the official images.
    An image older than `max_age_seconds` is built anew.
    """

    ca_bundle: bytes | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 1800
    memory_bytes: int | None = None
    max_age_seconds: float = 7 * DAY
    image_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Build:
    """One image to be built. `files` are those of the commit that the Dockerfile can see.

    `fresh` builds from newer base images and from nothing of earlier builds; where somebody `asked` for it, a registry
    that is away is no obstacle.
    """

    repo: str
    key: str
    plan: Plan
    settings: BuildSettings
    commit: Commit | None
    files: Mapping[str, Entry]
    fresh: bool
    asked: bool = False

    @property
    def path(self) -> str:
        """Return the Dockerfile's path in the context."""
        return self.plan.profile.dockerfile or _GENERATED_PATH

    @property
    def called(self) -> str:
        """Return what people call the Dockerfile."""
        return self.plan.profile.dockerfile or "the generated Dockerfile"


def build_arguments(facts: EngineFacts, settings: BuildSettings, plan: Plan) -> dict[str, str]:
    """Return the build arguments that have a value before any ARG: ours, the profile's, and those of BuildKit."""
    defined: dict[str, str] = {}
    if facts.buildkit:
        for side in ("TARGET", "BUILD"):
            platform = f"{facts.os}/{facts.architecture}"
            defined |= {f"{side}PLATFORM": platform, f"{side}OS": facts.os, f"{side}ARCH": facts.architecture}
    return {**defined, **settings.proxies, **dict(plan.profile.build_args)}


async def build_image(engine: Engine, layer: RunnerLayer, made: Build, output: Output) -> tuple[str, ...]:
    """Build both images and return what a person should know of them.

    Raises BuildError where the Dockerfile is at fault, HostError where we are.
    """
    made, notes = await _get_bases(engine, made, output)
    base = image_tag(made.repo, made.key, BASE_PREFIX)
    tagged = labels(made.repo, made.key, notes)
    await _build_base(engine, made, base, tagged, output)
    image = await inspect(engine, base)
    if image is None:
        raise EngineError(f"The image {base} vanished from the Docker engine right after its build; run this again.")
    user = str((image.get("Config") or {}).get("User") or "")
    ca = _ca(made.settings)
    text = layer.render(base, user=user, has_ca=bool(ca))
    files = pack({"Dockerfile": text.encode(), "entrypoint": layer.entrypoint, **ca})
    recipe = Recipe(image_tag(made.repo, made.key), text, called="the runner layer", labels=tagged)
    try:
        await _run(engine, made, recipe, files, output)
    except BuildError as error:
        raise layer_failure(error) from error
    return notes


def _ca(settings: BuildSettings) -> dict[str, bytes]:
    return {} if settings.ca_bundle is None else {CA_FILE: settings.ca_bundle}


async def _get_bases(engine: Engine, made: Build, output: Output) -> tuple[Build, tuple[str, ...]]:
    """Get the base images. Of a generated Dockerfile, a patch release that does not exist gives way to its minor."""
    notes: tuple[str, ...] = ()
    settings = made.settings
    pulls = Pulls(settings.timeout_seconds, fresh=made.fresh, or_present=made.asked, prefix=settings.image_prefix)
    while True:
        arguments = build_arguments(engine.facts, made.settings, made.plan)
        names = base_images(made.plan.dockerfile, arguments)
        try:
            await get_missing(engine, names, pulls, output=output)
        except AbsentImageError as error:
            coarser = coarser_names(error.name)
            if made.plan.profile.dockerfile is not None or not coarser:
                raise
            note = f"There is no image {error.name}: {coarser[0]} is used instead."
            await output(f"{note}\n".encode())
            text = made.plan.dockerfile.replace(error.name, coarser[0])
            made, notes = replace(made, plan=replace(made.plan, dockerfile=text)), (*notes, note)
            continue
        await _check_bases(engine, names, made.plan, arguments)
        return made, notes


async def _check_bases(engine: Engine, names: Iterable[str], plan: Plan, arguments: Mapping[str, str]) -> None:
    """Look at what the base images bring along: ONBUILD runs in our builds, and ENV decides what `$NAME` means."""
    inherited: set[str] = set()
    for name in names:
        config = (await inspect(engine, name) or {}).get("Config") or {}
        check_triggers(name, map(str, config.get("OnBuild") or ()))
        inherited |= {str(entry).partition("=")[0] for entry in config.get("Env") or ()}
    check_dockerfile(plan.dockerfile, arguments, frozenset(inherited))


async def _build_base(engine: Engine, made: Build, tag: str, tagged: Mapping[str, str], output: Output) -> None:
    """Build the Dockerfile: the very text that was checked, whatever the tree holds at its path."""
    plan, settings = made.plan, made.settings
    is_own = plan.profile.dockerfile is not None
    if is_own and settings.ca_bundle is not None:
        await output(WITHOUT_CA.encode() + b"\n")
    text = separate_caches(plan.dockerfile, made.repo)
    ours = {} if is_own else _ca(settings)
    recipe = Recipe(
        tag,
        plan.dockerfile,
        dockerfile=made.path,
        called=made.called,
        labels=tagged,
        build_args=dict(plan.profile.build_args) if is_own else {},
        target=plan.profile.dockerfile_target if is_own else None,
        fresh=made.fresh,
    )
    context = context_tar(made.commit, made.files, {**ours, made.path: text.encode()})
    try:
        await _run(engine, made, recipe, context, output)
    except BuildError as error:
        raise own_failure(error, has_ca=is_own and settings.ca_bundle is not None) from error


async def _run(
    engine: Engine, made: Build, recipe: Recipe, context: bytes | AsyncIterator[bytes], output: Output
) -> None:
    arguments = {**made.settings.proxies, **recipe.build_args}
    limited = replace(recipe, build_args=arguments, memory_bytes=made.settings.memory_bytes)
    await build(engine, limited, context, timeout_seconds=made.settings.timeout_seconds, output=output)
