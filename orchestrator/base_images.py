"""Which images a Dockerfile starts from, and getting those that the engine lacks.

We pull them ourselves, before the build: so a registry that cannot be reached is told apart from a
Dockerfile that does not build, and BuildKit, which would ask a client session of ours for credentials, never
has to pull. What cannot be read here (a name that only the front end can work out) is left to the engine.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

from draftsman.domain.errors import BuildError, HostError
from orchestrator.engine import Engine, EngineRefusedError
from orchestrator.json_lines import JsonLines

_HEREDOC = re.compile(r"<<-?([\"']?)([A-Za-z_][A-Za-z0-9_]*)\1")
_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}")
_ABSENT = ("not found", "manifest unknown", "does not exist", "pull access denied", "invalid reference")
"""What registries and engines say of an image that is not there (or that is not shown to strangers)."""


def base_images(dockerfile: str, build_args: Mapping[str, str], target: str | None = None) -> tuple[str, ...]:
    """Return the images that the Dockerfile takes from outside, in order, each once.

    Stages that come after `target` are left out. Names that hold anything unresolved are left out.
    """
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    found: dict[str, None] = {}
    for instruction, rest in _instructions(dockerfile):
        if instruction == "ARG" and not stages and not found:
            name, _, default = rest.partition("=")
            arguments[name.strip()] = build_args.get(name.strip(), default.strip().strip("\"'"))
        elif instruction == "FROM":
            if target is not None and target.lower() in stages:
                break
            words = [word for word in rest.split() if not word.startswith("--")]
            _note(words[0] if words else "", arguments, stages, found)
            stages.add(words[2].lower() if len(words) >= 3 and words[1].lower() == "as" else f"#{len(stages)}")
        elif instruction == "COPY":
            origin = re.match(r"(?:--\S+\s+)*?--from=(\S+)", rest)
            if origin and not origin.group(1).isdigit():
                _note(origin.group(1), arguments, stages, found)
    return tuple(found)


def _note(word: str, arguments: Mapping[str, str], stages: set[str], found: dict[str, None]) -> None:
    name = _VARIABLE.sub(lambda match: arguments.get(match.group(1) or match.group(2)) or match.group(3) or "$", word)
    if name.lower() not in stages and name != "scratch" and _REFERENCE.fullmatch(name):
        found[name] = None


def _instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Yield (INSTRUCTION, rest) with continued lines joined; comments and bodies of heredocs are skipped."""
    lines = iter(dockerfile.removeprefix("\ufeff").splitlines())
    escape = "`" if re.match(r"(?:\s*#.*\n)*?\s*#\s*escape\s*=\s*`", dockerfile, re.IGNORECASE) else "\\"
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        while text.endswith(escape):
            text = text[:-1] + " "
            for more in lines:
                if more.strip() and not more.strip().startswith("#"):
                    text += more.strip()
                    break
            else:
                break
        instruction, _, rest = text.partition(" ")
        if instruction.upper() in ("RUN", "COPY", "ADD"):
            for heredoc in _HEREDOC.finditer(rest):
                for body in lines:
                    if body.strip() == heredoc.group(2):
                        break
        yield instruction.upper(), rest.strip()


async def get_missing(
    engine: Engine,
    names: tuple[str, ...],
    *,
    output: Callable[[bytes], Awaitable[None]],
    platform: str | None = None,
    refresh: bool = False,
) -> None:
    """Pull those images that the engine lacks (with `refresh`: all of them).

    Raises BuildError where an image does not exist, HostError where the registry cannot be reached.
    """
    for name in names:
        if refresh or not await _is_present(engine, name):
            await output(f"Pulling {name}\n".encode())
            await _pull(engine, name, platform)


async def _is_present(engine: Engine, name: str) -> bool:
    try:
        await engine.call("GET", f"images/{name}/json")
    except EngineRefusedError as error:
        if error.status == 404:
            return False
        raise
    return True


async def _pull(engine: Engine, name: str, platform: str | None) -> None:
    has_tag = ":" in name.rpartition("/")[2] or "@" in name
    params = {"fromImage": name if has_tag else f"{name}:latest"} | ({"platform": platform} if platform else {})
    try:
        async with engine.stream("POST", "images/create", params=params) as answer:
            async for message in _messages(answer.iter_any()):
                if "error" in message:
                    raise EngineRefusedError(500, str(message["error"]))
    except EngineRefusedError as error:
        raise pull_failure(name, error.message) from error


async def _messages(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, object]]:
    lines = JsonLines()
    async for chunk in chunks:
        for message in lines.feed(chunk):
            yield message


def pull_failure(name: str, message: str) -> BuildError | HostError:
    """Return the error for an image that could not be pulled: the author's where there is no such image."""
    if any(sign in message.lower() for sign in _ABSENT):
        return BuildError(
            f"The base image {name} could not be found: correct its name in the Dockerfile, or the version that "
            "it was chosen by.",
            message,
        )
    return HostError(f"The base image {name} could not be pulled: {message}")
