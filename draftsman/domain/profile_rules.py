"""What a profile's fields may hold. Everything that is wrong is said at once, each with its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from draftsman.domain.errors import DraftsmanError
from draftsman.domain.profile import FIELDS, RepoProfile, Value, digest, ordered

DEPENDENCY_MANAGERS = (
    "bun",
    "bundler",
    "cargo",
    "go",
    "none",
    "npm",
    "pdm",
    "pip",
    "pipenv",
    "pnpm",
    "poetry",
    "uv",
    "yarn",
)
"""What `dependency_manager` may be."""

MODES = ("auto", "path", "generate")
"""What `dockerfile_mode` may be. `auto` is the same as not set."""

MAX_COMMANDS = 50
"""Commands of one tier."""

MAX_COMMAND = 10_000
"""Characters of a command."""

MAX_PATH = 1000
MAX_BUILD_ARGS = 50
MAX_BUILD_ARG = 4000
"""Characters of a build argument's value."""

LIMITS = (
    "memory_mb",
    "cpus",
    "pids",
    "timeout_seconds",
    "step_timeout_seconds",
    "no_output_timeout_seconds",
    "file_size_mb",
    "log_mb",
    "workspace_mb",
)
"""What a profile's `limits` may name. None of them goes beyond what an administrator allows."""

MAX_GLOBS = 50
MAX_GLOB = 200
MAX_STARS = 6
"""Stars of one path: each costs time on every file that a job left."""

MAX_ERRORS = 20
"""Errors that are said at once: nobody reads more, and a stranger can make any number."""

MAX_DOCKERFILE = 100_000
"""Characters of an edited Dockerfile."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
"""The name of a build argument."""

TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""The name of a stage, or its number."""

# GitHub's own rules, and the underscore of its managed users.
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ANY_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_FROM = re.compile(r"^[ \t]{0,100}FROM[ \t]", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field, as in `fast[2]` or `build_args.NAME`, and what to do."""

    field: str
    detail: str

    @property
    def name(self) -> str:
        """Return the field itself, without the place inside it."""
        return re.split(r"[.\[]", self.field, maxsplit=1)[0]


class ProfileError(DraftsmanError):
    """A profile that cannot be kept. `errors` names each field that is wrong."""

    def __init__(self, errors: list[FieldError]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{error.field}: {error.detail}" for error in errors))


class _WrongError(Exception):
    """One value does not fit. `place` is where inside the field, as in `[2]`."""

    def __init__(self, detail: str, place: str = "") -> None:
        super().__init__(detail)
        self.place = place


def is_repository(name: str) -> bool:
    """Return whether the name is OWNER/NAME as GitHub allows it."""
    owner, slash, repository = name.partition("/")
    return bool(slash and _OWNER.fullmatch(owner) and _REPOSITORY.fullmatch(repository)) and repository not in (
        ".",
        "..",
    )


def check_fields(given: Mapping[str, object], errors: list[FieldError]) -> dict[str, Value]:
    """Return the fields that are right, and add to `errors` what is wrong with the others."""
    values: dict[str, Value] = {}
    for name, value in given.items():
        if len(errors) >= MAX_ERRORS:
            break
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            errors.append(FieldError(_shown(name), f"This is no field of a profile. The fields are {known}."))
            continue
        try:
            values[name] = _READERS[name](value)
        except _WrongError as error:
            errors.append(FieldError(f"{name}{error.place}", str(error)))
    return ordered(values)


def check_together(values: Mapping[str, Value], errors: list[FieldError]) -> dict[str, Value]:
    """Return all the fields that are set, without a mode of `auto`; add to `errors` what does not go together."""
    mode = values.get("dockerfile_mode")
    if mode == "path" and "dockerfile" not in values:
        errors.append(
            FieldError("dockerfile", "The mode `path` needs it: set the path of the repository's Dockerfile.")
        )
    if mode in ("auto", "generate") and "dockerfile" in values:
        errors.append(
            FieldError("dockerfile_mode", f"`{mode}` takes no `dockerfile`: clear that field, or set the mode `path`.")
        )
    if mode in ("auto", "path") and "generated_dockerfile" in values:
        errors.append(
            FieldError(
                "dockerfile_mode",
                f"With `{mode}` the edited `generated_dockerfile` has no effect: clear it, or set the mode `generate`.",
            )
        )
    generates = mode == "generate" or ("generated_dockerfile" in values and mode is None)
    if generates and mode is None and "dockerfile" in values:
        errors.append(
            FieldError("generated_dockerfile", "`dockerfile` is set as well: clear one of them, only one can be built.")
        )
    if generates:
        wrong = [name for name in ("dockerfile_target", "build_args") if name in values]
        errors += [FieldError(name, "A generated Dockerfile has none: clear this field.") for name in wrong]
    return {name: value for name, value in values.items() if (name, value) != ("dockerfile_mode", "auto")}


def replaced(profile: RepoProfile, given: Mapping[str, object]) -> RepoProfile:
    """Return the profile with exactly these fields set by a person. Raises ProfileError with all that is wrong."""
    return _applied(profile, given, cleared=FIELDS)


def edited(profile: RepoProfile, given: Mapping[str, object], clearing: Iterable[str] = ()) -> RepoProfile:
    """Return the profile with these fields set, and others given back to inference; the rest stays as it is.

    Raises ProfileError with all that is wrong.
    """
    return _applied(profile, given, cleared=tuple(clearing))


def _applied(profile: RepoProfile, given: Mapping[str, object], *, cleared: tuple[str, ...]) -> RepoProfile:
    errors: list[FieldError] = []
    check_fields(dict.fromkeys(name for name in cleared if name not in FIELDS), errors)
    kept = {name: value for name, value in profile.explicit.items() if name not in cleared}
    values = check_fields(given, errors)
    explicit = check_together({**kept, **values}, errors)
    if errors:
        raise ProfileError(errors)
    return replace(profile, explicit=ordered(explicit), edited_from=_edited_from(profile, explicit))


def _edited_from(before: RepoProfile, explicit: Mapping[str, Value]) -> str | None:
    edited_text = explicit.get("generated_dockerfile")
    if edited_text is not None and edited_text == before.explicit.get("generated_dockerfile"):
        return before.edited_from
    generated = (before.inferred or {}).get("generated_dockerfile")
    return digest(generated) if edited_text is not None and isinstance(generated, str) else None


def _text(value: object, limit: int, *, what: str = "a text") -> str:
    if not isinstance(value, str):
        raise _WrongError(f"This must be {what}.")
    if len(value) > limit:
        raise _WrongError(f"This has {len(value):,} characters; at most {limit:,} are kept.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _WrongError("This holds half a character (a lone surrogate), which is no Unicode.") from None
    return value


def _choice(value: object, known: tuple[str, ...]) -> str:
    text = _text(value, 100)
    if text not in known:
        raise _WrongError(f"{_shown(text)!r} is not known here; choose one of {', '.join(known)}.")
    return text


def _mode(value: object) -> Value:
    return _choice(value, MODES)


def _manager(value: object) -> Value:
    return _choice(value, DEPENDENCY_MANAGERS)


def _yes_or_no(value: object) -> Value:
    if not isinstance(value, bool):
        raise _WrongError("This must be true or false.")
    return value


def _path(value: object) -> Value:
    text = _text(value, MAX_PATH, what="the path of a file")
    if not text.strip():
        raise _WrongError("This is empty: give the path of a file in the repository, or clear the field.")
    if _ANY_CONTROL.search(text) or "\\" in text:
        raise _WrongError("A path has no backslash, line break or control character; folders are parted by `/`.")
    if text.startswith("/"):
        raise _WrongError("This is an absolute path: give it from the top of the repository, without the first `/`.")
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise _WrongError("A path in the repository has no `..`, no `.` and no empty part: write `ci/Dockerfile`.")
    return text


def _target(value: object) -> Value:
    text = _text(value, 100, what="the name of a stage")
    if not TARGET.fullmatch(text):
        raise _WrongError("This is no name of a stage: letters, digits, `_`, `.` and `-`.")
    return text


def _build_args(value: object) -> Value:
    if not isinstance(value, Mapping):
        raise _WrongError("This must be names with their values.")
    if len(value) > MAX_BUILD_ARGS:
        raise _WrongError(f"These are {len(value)} build arguments; at most {MAX_BUILD_ARGS} are kept.")
    pairs = []
    for name, content in value.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise _WrongError("A name has letters, digits and `_`, and begins with no digit.", f".{_shown(str(name))}")
        try:
            text = _text(content, MAX_BUILD_ARG)
        except _WrongError as error:
            raise _WrongError(str(error), f".{name}") from None
        if _ANY_CONTROL.search(text):
            raise _WrongError("A value has no line break and no control character.", f".{name}")
        pairs.append((name, text))
    return tuple(sorted(pairs))


def _command(value: object) -> str:
    text = _text(value, MAX_COMMAND, what="a command, as a text")
    if _CONTROL.search(text):
        raise _WrongError("A command has no control character but line break and tab.")
    return text


def _setup(value: object) -> Value:
    return _command(value)


def _commands(value: object) -> Value:
    if not isinstance(value, list | tuple):
        raise _WrongError("This must be a list of commands, each a text.")
    if len(value) > MAX_COMMANDS:
        raise _WrongError(f"These are {len(value)} commands; at most {MAX_COMMANDS} are kept.")
    commands = []
    for position, command in enumerate(value):
        try:
            commands.append(_command(command))
        except _WrongError as error:
            raise _WrongError(str(error), f"[{position}]") from None
        if not command.strip():
            raise _WrongError(
                "This command is empty: leave it out. An empty list means nothing to run.", f"[{position}]"
            )
    return tuple(commands)


def _globs(value: object) -> Value:
    if not isinstance(value, list | tuple):
        raise _WrongError("This must be a list of paths, each a text; `*` and `**` stand for any name and any folders.")
    if len(value) > MAX_GLOBS:
        raise _WrongError(f"These are {len(value)} paths; at most {MAX_GLOBS} are kept.")
    globs = []
    for position, glob in enumerate(value):
        try:
            globs.append(str(_path(glob)))
        except _WrongError as error:
            raise _WrongError(str(error), f"[{position}]") from None
        if len(globs[-1]) > MAX_GLOB or globs[-1].count("*") > MAX_STARS:
            detail = f"A path here has at most {MAX_GLOB} characters and {MAX_STARS} stars."
            raise _WrongError(detail, f"[{position}]")
    return tuple(globs)


def _limits(value: object) -> Value:
    if not isinstance(value, Mapping):
        raise _WrongError("This must be names with their values.")
    pairs = []
    for name, content in value.items():
        if name not in LIMITS:
            raise _WrongError(f"This is no limit; they are {', '.join(LIMITS)}.", f".{_shown(str(name))}")
        text = str(content) if isinstance(content, int | float | str) and not isinstance(content, bool) else ""
        whole = r"[0-9]{1,9}(\.[0-9]{1,3})?" if name == "cpus" else r"[0-9]{1,9}"
        if not re.fullmatch(whole, text) or float(text) <= 0:
            raise _WrongError("This must be a number above 0.", f".{name}")
        pairs.append((str(name), text))
    return tuple(sorted(pairs))


def _dockerfile_text(value: object) -> Value:
    text = _text(value, MAX_DOCKERFILE, what="the text of a Dockerfile").replace("\r\n", "\n")
    if _CONTROL.search(text):
        raise _WrongError("A Dockerfile has no control character but line break and tab.")
    if not _FROM.search(text):
        raise _WrongError("This is no Dockerfile: it has no FROM. Clear the field to have one generated.")
    return text


_READERS: Mapping[str, Callable[[object], Value]] = {
    "dockerfile_mode": _mode,
    "dockerfile": _path,
    "dockerfile_target": _target,
    "build_args": _build_args,
    "dependency_manager": _manager,
    "setup": _setup,
    "fast": _commands,
    "full": _commands,
    "allow_failure": _commands,
    "artifacts": _globs,
    "limits": _limits,
    "paths": _globs,
    "paths_ignore": _globs,
    "submodules": _yes_or_no,
    "lfs": _yes_or_no,
    "generated_dockerfile": _dockerfile_text,
}


def _shown(text: str) -> str:
    """Return a stranger's text on one line and short."""
    return "".join(char if char.isprintable() else " " for char in text[:100])
