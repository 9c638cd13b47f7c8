"""Whether an image carries the programs that a plan's commands begin with: it is asked, once, after its build."""

from __future__ import annotations

import re

from draftsman.domain.plan import Plan
from orchestrator.containers import run_container
from orchestrator.engine import Engine
from orchestrator.planning.command_words import called_programs

_PYTHON = ("python", "python3", "pip", "pip3", "uv", "uvx")
_NODE = ("node", "npm", "npx", "corepack", "bun", "bunx")
_TOOLS = ("pnpm", "yarn", "poetry", "pdm", "pipenv", "hatch", "tox", "nox", "golangci-lint")
_TOOLCHAINS = frozenset((*_PYTHON, *_NODE, *_TOOLS, "ruby", "gem", "bundle", "go", "cargo", "rustc", "make"))
"""The programs that come with an image: generated ones have them all. Others a setup command may install."""

_ASK = 'for name in "$@"; do command -v "$name" >/dev/null 2>&1 || echo "$name"; done'
_SECONDS = 60


def needed_programs(plan: Plan) -> tuple[str, ...]:
    """Return the programs that the image must have: of a Dockerfile that somebody set, those of its first command.

    What follows the first command may be there by its doing, so of a set Dockerfile nothing else is asked for.
    """
    if plan.profile.dockerfile is None:
        return ()
    commands = [step.command for step in plan.steps]
    if not plan.inferred_dockerfile:
        commands = [re.split(r"&&|[;|\n]", command)[0] for command in commands[:1]]
    return tuple(sorted(called_programs(commands) & _TOOLCHAINS))


async def missing_programs(engine: Engine, tag: str, programs: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the programs that the image does not have, as its own user and shell find them."""
    if not programs:
        return ()
    body = {
        "Image": tag,
        "Entrypoint": ["/bin/sh", "-c", _ASK, "sh"],
        "Cmd": list(programs),
        "NetworkDisabled": True,
        "HostConfig": {"NetworkMode": "none", "ReadonlyRootfs": True, "CapDrop": ["ALL"], "PidsLimit": 64},
    }
    _, said = await run_container(engine, body, seconds=_SECONDS)
    return tuple(name for name in programs if name in said.split())
