"""Which images a Dockerfile starts from, and getting those that the engine lacks.

We pull them ourselves, before the build: so a registry that cannot be reached is told apart from a
Dockerfile that does not build, and BuildKit, which would ask a client session of ours for credentials, never
has to pull. What cannot be read here (a name that only the front end can work out) is left to the engine.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from draftsman.domain.errors import BuildError, HostError
from draftsman.domain.retry import Cause
from orchestrator.dockerfiles.lexer import read_instructions
from orchestrator.dockerfiles.words import expand, read_pairs
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.json_lines import JsonLines
from orchestrator.outages import pull_cause

_REFERENCE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/:@-]{0,253}[A-Za-z0-9])?")
_ORIGIN = re.compile(r"(?:^--from=|^--mount=(?:[^,]*,)*from=)([^,]*)")
_NUMBERS = re.compile(r"(?P<image>.+):(?P<numbers>[0-9]+(?:\.[0-9]+)+)(?P<rest>(?:-[A-Za-z0-9_.-]+)?)")
_ABSENT = ("not found", "manifest unknown", "does not exist", "pull access denied", "invalid reference")
"""What registries and engines say of an image that is not there (or that is not shown to strangers)."""


def base_images(dockerfile: str, arguments: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images that the Dockerfile takes from outside, in order, each once.

    `arguments` are those that the build gets, or that BuildKit defines. Names that hold anything unresolved are
    left out. Raises BuildError where the Dockerfile cannot be read.
    """
    known = dict(arguments)
    stages: set[str] = set()
    found: dict[str, None] = {}

    def note(word: str, escape: str) -> None:
        name = expand(word, escape, known.get)
        if name.lower() not in stages and name != "scratch" and _REFERENCE.fullmatch(name):
            found[name] = None

    for instruction in read_instructions(dockerfile):
        if instruction.name == "ARG" and not stages:
            pairs = read_pairs(instruction.rest, instruction.escape, known.get)
            known |= {name: value for name, value in pairs if value is not None and name not in arguments}
        elif instruction.name == "FROM":
            words = [*instruction.rest.split(), ""]
            note(words[0], instruction.escape)
            stages.add(words[2].lower() if len(words) > 3 and words[1].lower() == "as" else f"#{len(stages)}")
        elif instruction.name in ("COPY", "RUN"):
            for origin in filter(None, map(_ORIGIN.search, instruction.flags)):
                if not origin[1].isdigit():
                    note(origin[1], instruction.escape)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Pulls:
    """How images are got: `prefix` is the mirror of the official ones.

    `fresh` asks for newer ones of those that are there too; with `or_present` those do where no registry answers.
    """

    timeout_seconds: float
    fresh: bool = False
    or_present: bool = False
    prefix: str = ""


class AbsentImageError(BuildError):
    """There is no such image. `name` is the one that the Dockerfile asks for."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(
            f"The base image {name} could not be found: correct its name in the Dockerfile, or the version that "
            "it was chosen by.",
            message,
        )
        self.name = name


async def get_missing(
    engine: Engine, names: tuple[str, ...], pulls: Pulls, *, output: Callable[[bytes], Awaitable[None]]
) -> None:
    """Pull those images that the engine lacks, all within the time of `pulls`.

    Raises AbsentImageError where an image does not exist, HostError where the registry cannot be reached or is too
    slow. An image that only this engine has is taken as it is.
    """
    name = ""
    try:
        async with asyncio.timeout(pulls.timeout_seconds):
            for name in names:
                present = await _is_present(engine, name)
                if present and not pulls.fresh:
                    continue
                await output(f"Pulling {name}\n".encode())
                try:
                    await _pull(engine, name, pulls.prefix)
                except (AbsentImageError, HostError) as error:
                    if not present or not (pulls.or_present or isinstance(error, AbsentImageError)):
                        raise
                    await output(f"{error} The one on this engine is used.\n".encode())
    except TimeoutError as error:
        raise HostError(
            f"The base image {name} was not pulled within {pulls.timeout_seconds:.0f} s, the limit set by "
            "DRAFTSMAN_BUILD_TIMEOUT_SECONDS. Is its registry reachable from the Docker engine?",
            cause=Cause.REGISTRY,
        ) from error


def coarser_names(name: str) -> tuple[str, ...]:
    """Return the images to try where this one does not exist, the nearest first: `python:3.12-slim` for `3.12.99`.

    Python's tags keep two numbers; the others come down to one. Empty where the tag has no such numbers.
    """
    found = _NUMBERS.fullmatch(name)
    if found is None:
        return ()
    numbers = found["numbers"].split(".")
    fewest = 2 if found["image"].rpartition("/")[2] == "python" else 1
    return tuple(
        f"{found['image']}:{'.'.join(numbers[:count])}{found['rest']}"
        for count in range(len(numbers) - 1, fewest - 1, -1)
    )


async def _is_present(engine: Engine, name: str) -> bool:
    try:
        await engine.call("GET", f"images/{name}/json")
    except EngineRefusedError as error:
        if error.status == 404:
            return False
        raise
    return True


async def _pull(engine: Engine, name: str, prefix: str) -> None:
    """Pull an image; an official one comes from the mirror, and gets the name that the Dockerfile calls it by."""
    mirrored = prefix if prefix and "@" not in name and not _has_registry(name) else ""
    whole = name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
    try:
        async with engine.stream("POST", "images/create", params={"fromImage": mirrored + whole}) as answer:
            async for message in _messages(answer.iter_any()):
                if "error" in message:
                    raise EngineRefusedError(500, str(message["error"]))
        if mirrored:
            repo, _, tag = whole.rpartition(":")
            await engine.call("POST", f"images/{mirrored}{whole}/tag", params={"repo": repo, "tag": tag})
    except EngineRefusedError as error:
        raise pull_failure(name, error.message) from error


def _has_registry(name: str) -> bool:
    """Return whether a name says which registry it is of: its first part has a dot or a colon, or is localhost."""
    first, separator, _ = name.partition("/")
    return bool(separator) and ("." in first or ":" in first or first == "localhost")


async def _messages(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, object]]:
    lines = JsonLines()
    async for chunk in chunks:
        for message in lines.feed(chunk):
            yield message


def pull_failure(name: str, message: str) -> BuildError | HostError:
    """Return the error for an image that could not be pulled: the author's where there is no such image."""
    if any(sign in message.lower() for sign in _ABSENT):
        return AbsentImageError(name, message)
    return HostError(f"The base image {name} could not be pulled: {message}", cause=pull_cause(message))
