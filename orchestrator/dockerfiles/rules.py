"""What a repository's own Dockerfile may not do. A build is strangers' code outside the job's fence.

The engine's builder fetches `ADD URL` in the host's network, where a loopback address is the host's own; and it
takes any image that the engine has as a base, other repositories' with their sources in it too. What cannot be
told before the build is refused where it could be one of these. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from draftsman.domain.errors import BuildError
from orchestrator.dockerfiles.copied_files import takes_from_context
from orchestrator.dockerfiles.lexer import Instruction, read_instructions, triggered
from orchestrator.dockerfiles.words import UNKNOWN, expand, read_json, read_pairs
from orchestrator.images.key import BASE_PREFIX, RUNNER_PREFIX

_OURS = re.compile(rf"(?:^|[/=]){RUNNER_PREFIX}/|(?:^|[/=]){BASE_PREFIX}/")
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}")
"""What the classic builder takes for an image's id, or the beginning of one."""
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[^/\s:]*@[^/\s:]*:")
_REMOTE_STARTS = ("http://", "https://", "git://", "ssh://", "git@")
_SYNTAX = re.compile(r"\s*(?:#|//)\s*syntax\s*=\s*(.*?)\s*", re.IGNORECASE)
_ALLOWED_SYNTAX = re.compile(
    r"(?:docker\.io/)?docker/dockerfile:1(?:[.-][A-Za-z0-9_.-]{1,60})?(?:@sha256:[0-9a-f]{64})?"
)
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FROM_VARIABLE = re.compile(r"(?:^--from=|[=,]\"?from=)[^,]*\$", re.IGNORECASE)


@dataclass(slots=True)
class _Scope:
    """The variables that one stage knows. ENV goes before ARG, and what the base image sets as well."""

    env: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    all_unknown: bool = False


def check_dockerfile(
    text: str, arguments: Mapping[str, str] | None = None, inherited: frozenset[str] = frozenset()
) -> None:
    """Return if the Dockerfile may be built. Raises BuildError with a sentence that names the line.

    `arguments` are those that the build gets, or that BuildKit defines; `inherited` names the variables that
    the base images set, whose values count for nothing here.
    """
    _check_syntax(text)
    _Check(dict(arguments or {}), inherited).run(read_instructions(text))


def check_build_args(arguments: Mapping[str, str]) -> None:
    """Return if a profile may set these build arguments. Raises BuildError for one that steers the builder itself."""
    for name in arguments:
        if not _ARGUMENT.fullmatch(name) or name.upper().startswith("BUILDKIT_"):
            raise BuildError(f"The profile's build argument {name[:80]!r} is not one that a Dockerfile may have.")


def check_triggers(image: str, triggers: Iterable[str]) -> None:
    """Return if the ONBUILD instructions of a base image may run here. Raises BuildError."""
    for trigger in triggers:
        try:
            check_dockerfile(trigger)
            _check_trigger(read_instructions(trigger))
        except BuildError as error:
            raise BuildError(
                f"The base image {image} cannot be used: its ONBUILD `{trigger[:120]}`. {error}"
            ) from error


def _check_trigger(instructions: Iterable[Instruction]) -> None:
    """Refuse what only the Dockerfile itself may do: its own text is what the image's key and caches come from."""
    for instruction in instructions:
        if takes_from_context(instruction):
            raise BuildError("It takes files of the repository: copy them in the Dockerfile itself.")
        if any("cache" in flag.lower() for flag in instruction.flags):
            raise BuildError("It mounts a cache that every repository would share.")


def _check_syntax(text: str) -> None:
    if text.removeprefix("\ufeff").lstrip().startswith("{"):
        raise BuildError("The Dockerfile begins with `{`: JSON is not a Dockerfile.")
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith(("#", "//")):
            return
        found = _SYNTAX.fullmatch(line)
        if found and not _ALLOWED_SYNTAX.fullmatch(found[1]):
            raise BuildError(
                f"Line {number} of the Dockerfile asks for the front end {found[1][:120]!r}: only "
                "`# syntax=docker/dockerfile:1` (and its versions) may read a Dockerfile here."
            )


class _Check:
    def __init__(self, given: dict[str, str], inherited: frozenset[str]) -> None:
        self._given = given
        self._inherited = inherited
        self._global: dict[str, str] = {}
        self._stages: dict[str, dict[str, str]] = {}
        self._scope: _Scope | None = None

    def run(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            self._check(instruction)
            if instruction.name == "FROM":
                self._enter_stage(instruction)
            elif instruction.name in ("ARG", "ENV"):
                self._set(instruction)

    def _check(self, instruction: Instruction) -> None:
        for flag in instruction.flags:
            _check_flag(instruction, flag, self._stages)
        if instruction.name == "ADD":
            for source in _sources(instruction.rest):
                self._check_source(instruction, source)
        elif instruction.name == "ONBUILD":
            # It runs in a later build, in which none of these variables need to be the same.
            inner = triggered(instruction)
            _Check({}, frozenset()).run([inner])

    def _check_source(self, instruction: Instruction, source: str) -> None:
        known, unknown, _ = expand(source, instruction.escape, self._in_stage).partition(UNKNOWN)
        if _REMOTE.match(known) or (unknown and any(start.startswith(known.lower()) for start in _REMOTE_STARTS)):
            raise BuildError(
                f"Line {instruction.line} of the Dockerfile: `ADD {source[:120]}` "
                + ("may be" if unknown else "is")
                + " a URL or a git repository, which the builder would fetch in the network of its host. Fetch it in "
                "a RUN instruction (with curl, say), or ADD a path that begins with a folder's name."
            )

    def _enter_stage(self, instruction: Instruction) -> None:
        words = instruction.rest.split()
        image = expand(words[0], instruction.escape, self._of_file) if words else ""
        parent = self._stages.get(image.lower())
        if parent is None:
            _check_image(instruction, image)
        self._scope = _Scope(env=dict(parent or {}), all_unknown=parent is not None and UNKNOWN in parent)
        if len(words) >= 3 and words[1].lower() == "as":
            self._stages[words[2].lower()] = self._scope.env

    def _set(self, instruction: Instruction) -> None:
        scope = self._scope
        lookup = self._of_file if scope is None else self._in_stage
        for name, value in read_pairs(instruction.rest, instruction.escape, lookup):
            if scope is None:
                _put(self._global, name, self._given.get(name, value if value is not None else ""))
            elif UNKNOWN in name:
                scope.all_unknown = True
                scope.env[UNKNOWN] = ""
            elif instruction.name == "ENV":
                scope.env[name] = value or ""
            else:
                declared = value if value is not None else self._global.get(name, UNKNOWN)
                _put(scope.arguments, name, self._given.get(name, declared))

    def _of_file(self, name: str) -> str | None:
        """Return what a variable is before the first stage, and in every FROM."""
        return self._global.get(name, self._given.get(name))

    def _in_stage(self, name: str) -> str | None:
        scope = self._scope
        if scope is None or scope.all_unknown:
            return UNKNOWN
        if name in scope.env:
            return scope.env[name]
        return UNKNOWN if name in self._inherited else scope.arguments.get(name, UNKNOWN)


def _put(values: dict[str, str], name: str, value: str) -> None:
    """Set a variable; declared twice with different values, it is not known which one counts."""
    values[name] = value if values.get(name, value) == value else UNKNOWN


def _sources(rest: str) -> list[str]:
    """Return the sources of ADD in either form. JSON has no quotes to remove, which does it no harm."""
    return [*rest.split()[:-1], *(read_json(rest) or [])[:-1]]


def _check_image(instruction: Instruction, image: str) -> None:
    if UNKNOWN in image:
        raise BuildError(
            f"Line {instruction.line} of the Dockerfile: the image of `FROM {instruction.rest[:120]}` cannot be told "
            "before the build. Use plain variables with one default each."
        )
    if _OURS.search(image.lower()) or _IMAGE_ID.fullmatch(image):
        _refuse_image(instruction)


def _refuse_image(instruction: Instruction) -> None:
    raise BuildError(
        f"Line {instruction.line} of the Dockerfile takes files from an image that Draftsman built, or from one "
        "that has no name: name an image of a registry."
    )


def _check_flag(instruction: Instruction, flag: str, stages: Iterable[str]) -> None:
    name, _, value = flag.lower().partition("=")
    by_id = name == "--from" and value not in stages and not value.isdigit() and _IMAGE_ID.fullmatch(value)
    if by_id or _OURS.search(flag.lower()):
        _refuse_image(instruction)
    if _FROM_VARIABLE.search(flag):
        raise BuildError(
            f"Line {instruction.line} of the Dockerfile: {flag[:120]!r} takes files from an image that a variable "
            "names. Name it with `FROM ... AS name` first."
        )
    allowed = {"--network": ("default", "none"), "--security": ("sandbox",), "--device": ()}.get(name)
    if allowed is not None and value not in allowed:
        raise BuildError(
            f"Line {instruction.line} of the Dockerfile: {flag[:120]!r} reaches out of the build's container, which "
            "is not allowed here. Remove it."
        )
