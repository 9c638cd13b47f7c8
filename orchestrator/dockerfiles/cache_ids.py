"""Gives every repository cache mounts of its own: the ids in the Dockerfile that is built carry its name. Pure.

BuildKit keeps one store of `RUN --mount=type=cache` per engine, by id, so without this any build could read and
poison what another repository's build left there. (Its build argument BUILDKIT_CACHE_MOUNT_NS changes nothing in a
26.1 engine.)
"""

from __future__ import annotations

import hashlib

from orchestrator.dockerfiles.lexer import LogicalLine, read_instruction, read_lines, rewrite_flags, triggered
from orchestrator.dockerfiles.words import read_fields


def separate_caches(dockerfile: str, repo: str) -> str:
    """Return the Dockerfile with the id of every cache mount made the repository's own.

    An instruction that was changed stands in one line; the number of lines stays the same. Raises BuildError where
    the Dockerfile cannot be read.
    """
    lines = dockerfile.removeprefix("\ufeff").split("\n")
    owner = _short(repo.lower())
    for line in list(read_lines(dockerfile)):
        if not _has_mount(line):
            continue
        text = rewrite_flags(line, lambda flag: _own_mount(flag, owner))
        if text != line.text:
            # What was joined leaves empty lines before it: a heredoc must follow at once.
            lines[line.first - 1 : line.last] = [*([""] * (line.last - line.first)), text]
    return "\n".join(lines)


def _has_mount(line: LogicalLine) -> bool:
    instruction = read_instruction(line.text, line.first, line.escape)
    inner = triggered(instruction) if instruction.name == "ONBUILD" else instruction
    return inner.name == "RUN" and any(flag.lower().startswith("--mount=") for flag in inner.flags)


def _own_mount(flag: str, owner: str) -> str | None:
    """Return the flag with an id of the owner's, None where it mounts no cache."""
    name, _, value = flag.partition("=")
    if name.lower() != "--mount":
        return None
    fields = read_fields(value)
    parts = [(key.strip().lower(), given) for key, _, given in (field.partition("=") for field in fields)]
    if ("type", "cache") not in [(key, given.lower()) for key, given in parts]:
        return None
    # BuildKit takes the target for the id of a mount that has none.
    named = [given for key, given in parts if key == "id"] or [
        given for key, given in parts if key in ("target", "dst", "destination")
    ]
    kept = [field for field, (key, _) in zip(fields, parts, strict=True) if key != "id"]
    own = f"id=draftsman-{owner}-{_short(''.join(named[-1:]))}"
    return f"--mount={_joined([*kept, own])}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def _joined(fields: list[str]) -> str:
    """Return the fields as one line of CSV."""
    return ",".join(f'"{field.replace(chr(34), chr(34) * 2)}"' if set(field) & set(',"') else field for field in fields)
