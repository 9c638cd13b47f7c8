"""One run of `draftsman run` on a real project: the plan, the result, the log, and what both say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.images.engine_client import find_client
from tests.images.ensure import ensure
from tests.real.archives import get_archive
from tests.real.counts import Counted, count_tests
from tests.real.projects import Project
from tests.real.repository import lay_out

RUN_SECONDS = 280


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a project: the JSON of `draftsman plan` and `draftsman run`, and the run's log."""

    plan: dict[str, Any]
    result: dict[str, Any]
    log: str

    @property
    def images(self) -> tuple[str, ...]:
        """Return the images that the plan takes, the one of the tests first. What its steps install has none."""
        return tuple(one["image"] for one in self.plan["toolchains"] if one["image"] is not None)

    @property
    def counted(self) -> Counted:
        """Return how many tests ran, by the log."""
        return count_tests(self.log.splitlines())


def check(project: Project, folder: Path) -> Checked:
    """Plan and run the project in `folder`, with settings of its own. Raises ArchiveError, StandInError, UnknownImage.

    Images are made present first, as `make images` does for those that every test needs.
    """
    repository = _repository(project, folder)
    ensure(find_client(), project.images, lambda _: None)
    environment = _settings(folder)
    plan = _draftsman("plan", repository, environment, "--json")
    run = _draftsman("run", repository, environment, "--json")
    return Checked(
        plan=json.loads(plan.stdout) if plan.stdout.startswith("{") else {"toolchains": [], "error": plan.stderr},
        result=json.loads(run.stdout) if run.stdout.startswith("{") else {"conclusion": "error", "title": run.stderr},
        log=run.stderr,
    )


def print_plan(project: Project, folder: Path) -> str:
    """Return what `draftsman plan` prints for a person. Raises ArchiveError."""
    return _draftsman("plan", _repository(project, folder), _settings(folder)).stdout


def _repository(project: Project, folder: Path) -> Path:
    repository = folder / project.name
    repository.mkdir()
    lay_out(get_archive(project), repository)
    return repository


def _draftsman(
    command: str, repository: Path, environment: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    order = [sys.executable, "-m", "draftsman.cli.main", command, str(repository), *options]
    return subprocess.run(
        order, env=environment, capture_output=True, text=True, errors="replace", timeout=RUN_SECONDS, check=False
    )


def _settings(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is configured but where Draftsman keeps its files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_"))}
    return kept | {"DRAFTSMAN_HOME": str(folder / "home"), "NO_COLOR": "1"}
