"""The managers and task runners that a Python image gets, each in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.planning.command_words import called_programs
from orchestrator.planning.versions import PYTHON_TOOLS, UV

ENVIRONMENT = {
    "poetry": ("POETRY_VIRTUALENVS_IN_PROJECT=true",),
    "pdm": ("PDM_CHECK_UPDATE=false",),
    "pipenv": ("PIPENV_VENV_IN_PROJECT=1", "PIPENV_NOSPIN=1"),
    "hatch": (),
    "tox": (),
    "nox": (),
}
"""The tools, and the variables that an image with them sets. A project's environment belongs to the job's own files:
the caches that these tools would put it into are shared by many jobs."""


def image_tools(commands: Iterable[str], version: str, noxfile: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the image's steps and variables for the tools that the commands call.

    `version` is the image's Python, which decides the newest release that runs on it.
    """
    programs = called_programs(commands)
    steps: list[str] = []
    variables: list[str] = []
    for tool, env in ENVIRONMENT.items():
        if tool in programs:
            pinned = pinned_for(tool, version)
            steps += [
                f"python -m venv /opt/{tool}",
                f"python -m pip --python /opt/{tool}/bin/python install --no-cache-dir {pinned}",
                f"ln -s /opt/{tool}/bin/{tool} /usr/local/bin/{tool}",
            ]
            variables += env
    if "nox" in programs and "uv" in noxfile and "uv" not in programs:
        steps.append(f"python -m pip install --no-cache-dir uv=={UV}")
    return tuple(steps), tuple(variables)


def pinned_for(tool: str, version: str) -> str:
    """Return pip's words for a tool on a Python: the newest release, or for an old Python the last that ran on it."""
    minor = int(version.split(".")[1]) if version.count(".") else 0
    releases = PYTHON_TOOLS[tool]
    return next((release for since, release in releases if minor >= since), releases[-1][1])
