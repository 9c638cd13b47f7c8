"""Every real project runs green with nothing configured, and the list of them is as complete as it claims to be."""

from __future__ import annotations

import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.real.checked import check, print_plan
from tests.real.document import SHOWN_PLANS, checks, plan_in, shown_plan
from tests.real.projects import LEAST_TESTS, REGISTRIES, Project, read_projects
from tests.real.repository import lay_out

PROJECTS = read_projects()
DOCUMENT = Path(__file__).parents[2] / "docs/zero-config.md"


@pytest.mark.real
@pytest.mark.engine
@pytest.mark.parametrize("project", PROJECTS, ids=str)
def test_it_runs_green_with_nothing_configured(project: Project, tmp_path: Path) -> None:
    checked = check(project, tmp_path)
    said = f"{checked.result['title']}\n{checked.log[-6000:]}"
    assert checked.result["conclusion"] == "success", said
    assert checked.plan["profile"]["dependency_manager"] == project.manager
    assert checked.images == project.images
    assert checked.counted.failed == 0, said
    assert checked.counted.passed >= project.tests, said
    assert checks(checked) in _row(project), "docs/zero-config.md says otherwise: see `python -m tests.real`"


@pytest.mark.real
@pytest.mark.parametrize("name", SHOWN_PLANS)
def test_the_document_shows_the_plan_that_is_printed(name: str, tmp_path: Path) -> None:
    project = next(one for one in PROJECTS if one.name == name)
    assert plan_in(DOCUMENT.read_text("utf-8"), name) == shown_plan(print_plan(project, tmp_path))


def test_the_list_has_every_manager_and_registry_that_can_be_run_here() -> None:
    managers = {project.manager for project in PROJECTS}
    assert managers >= {"uv", "pip", "pdm", "npm", "pnpm", "yarn", "bun"}
    assert {project.registry for project in PROJECTS} <= set(REGISTRIES)
    assert len(PROJECTS) >= 12
    assert len({project.name for project in PROJECTS}) == len(PROJECTS)


def test_every_project_is_pinned_and_has_tests_worth_the_name() -> None:
    for project in PROJECTS:
        assert re.fullmatch(r"[0-9a-f]{64}", project.sha256), project
        assert project.tests >= LEAST_TESTS, project
        assert (project.suite != "") == (project.registry == "debian"), project


def test_some_project_is_of_two_ecosystems() -> None:
    assert {"python", "node"} in [{image.partition(":")[0] for image in project.images} for project in PROJECTS]


def test_the_document_names_every_project_with_its_version() -> None:
    for project in PROJECTS:
        assert _row(project), project


def _row(project: Project) -> str:
    rows = DOCUMENT.read_text("utf-8").splitlines()
    return next((one for one in rows if one.startswith(f"| {project.name} {project.version} |")), "")


def test_files_go_into_the_commit_as_they_were_published(tmp_path: Path) -> None:
    source = tmp_path / "widget-1.0"
    source.mkdir()
    files = {
        ".gitattributes": b"* text=auto eol=lf\n",
        ".gitignore": b"built.js\n",
        "built.js": b"1\r\n",
        "a": b"2\r\n",
    }
    for name, content in files.items():
        (source / name).write_bytes(content)
    archive = tmp_path / "widget-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source, "widget-1.0")
    lay_out(archive, tmp_path / "repository")
    committed = _committed(tmp_path / "repository")
    assert committed == files


def _committed(repository: Path) -> dict[str, bytes]:
    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True).stdout

    names = git("ls-tree", "-r", "--name-only", "HEAD").decode().split()
    return {name: git("cat-file", "blob", f"HEAD:{name}") for name in names}
