"""A profile as a person edits it: TOML, with what was inferred in comments."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, cast

from draftsman.domain.profile import FIELDS, PAIRS, RepoProfile, Value
from draftsman.domain.profile_rules import LIMITS, FieldError, ProfileError

_HEAD = """\
# How {repo} is set up and checked. A line without `#` is yours and stays as you write it; a line with `#` shows
# what was inferred, and changes with the repository. Remove `#` to make it yours, remove the line to give it back.
"""

_HINTS: Mapping[str, str] = {
    "dockerfile_mode": "auto, path (the file at `dockerfile`), or generate",
    "dockerfile": "a path in the repository",
    "dockerfile_target": "the stage that is built",
    "build_args": "not for secrets",
    "dependency_manager": "see `draftsman profile set --help`",
    "setup": 'installs what the checks need; "" for nothing',
    "fast": "linters and type checkers, in order; [] for none",
    "full": "tests, in order; [] for none",
    "allow_failure": "commands that may fail without turning anything red",
    "artifacts": "files to keep: paths, with * for any name and ** for any folders",
    "limits": f"at most what the administrator allows: {', '.join(LIMITS)}",
    "paths": "a change that touches none of these is not checked, with * for any name and ** for any folders",
    "paths_ignore": "files that a change is not checked for",
    "submodules": "true fetches the files of submodules",
    "lfs": "true fetches the files of Git LFS",
}

_EDITED = tuple(name for name in FIELDS if name != "generated_dockerfile")
"""The generated Dockerfile has a command of its own: `draftsman profile dockerfile`."""

_EXAMPLES: Mapping[str, Value] = {
    "dockerfile": "ci/Dockerfile",
    "dockerfile_target": "test",
    "build_args": (("NAME", "value"),),
    "allow_failure": ("npm audit",),
    "artifacts": ("build/report.html",),
    "limits": (("memory_mb", "2048"),),
    "paths": ("src/**", "tests/**"),
    "paths_ignore": ("docs/**", "**/*.md"),
}
"""What is shown where there is nothing to show."""


def to_text(profile: RepoProfile) -> str:
    """Return the profile as text for an editor."""
    lines = [_HEAD.format(repo=profile.repo)]
    for name in _EDITED:
        value = profile.value(name)
        if name in profile.explicit:
            lines += [f"# {name}: {_HINTS[name]}", f"{name} = {_written(profile.explicit[name], name)}"]
            if inferred := (profile.inferred or {}).get(name):
                lines.append(_commented(f"inferred: {name} = {_written(inferred, name)}"))
        elif value is None or (name in _EXAMPLES and not value):
            lines.append(f"# {name}: {_HINTS[name]}; not set, this is an example")
            lines.append(_commented(f"{name} = {_written(_EXAMPLES[name], name)}"))
        else:
            lines += [f"# {name}: {_HINTS[name]}", _commented(f"{name} = {_written(value, name)}")]
        lines.append("")
    return "\n".join(lines)


def from_text(text: str) -> dict[str, Any]:
    """Return the fields that the text sets. Raises ProfileError naming the line where it is no TOML."""
    try:
        fields = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"line \d+", str(error))
        where = place.group() if place else "the text"
        raise ProfileError([FieldError(where, f"This is no TOML ({error}).")]) from None
    if "generated_dockerfile" in fields:
        sentence = "It is not edited here, but with `draftsman profile dockerfile --edit`."
        raise ProfileError([FieldError("generated_dockerfile", sentence)])
    return fields


def _written(value: Value, name: str) -> str:
    """Return a value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if name in PAIRS:
        pairs = cast(tuple[tuple[str, str], ...], value)
        return "{ " + ", ".join(f"{key} = {_string(content)}" for key, content in pairs) + " }" if value else "{}"
    if len(value) < 2:
        return "[" + ", ".join(_string(str(command)) for command in value) + "]"
    return "[\n" + "".join(f"    {_string(str(command))},\n" for command in value) + "]"


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _commented(text: str) -> str:
    return "\n".join(f"# {line}" for line in text.split("\n"))
