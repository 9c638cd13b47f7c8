"""A wheel in an empty environment is the whole product."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import pytest

from draftsman import __version__
from tests.demo.story import base_files
from tests.github import GitHubStandIn
from tests.product import running, scratch_folder
from tests.release.installed import ROOT, Installed, build_wheel, install

# It is installed for each process of the test run that needs it: from the cache within a second or two.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="draftsman-wheel-") as folder:
        yield build_wheel(Path(folder))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="draftsman-installed-") as folder:
        yield install(wheel, Path(folder))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in base_files().items():
        path = tmp_path / "greeting" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    folder = tmp_path / "greeting"
    commit = "git init -q -b main && git add -A && git -c user.name=a -c user.email=a@b.c commit -qm Start"
    subprocess.run(commit, shell=True, cwd=folder, check=True)
    return folder


def test_it_carries_all_that_is_read_and_nothing_that_is_not_the_product(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {
        "bot",
        "draftsman",
        "orchestrator",
        f"draftsman-{__version__}.dist-info",
    }
    in_checkout = {
        str(path.relative_to(ROOT))
        for package in ("bot", "draftsman", "orchestrator")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert in_checkout <= names
    for folder in ("dockerfiles/templates", "runner_image"):
        carried = {f"draftsman/resources/{folder}/{path.name}" for path in (ROOT / folder).iterdir() if path.is_file()}
        assert carried <= names


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        said = Parser().parsestr(archive.read(f"draftsman-{__version__}.dist-info/METADATA").decode())
    assert (said["Name"], said["Version"]) == ("draftsman", __version__)
    assert said["Requires-Python"] == ">=3.11"
    assert said["License-Expression"] == "Apache-2.0"
    assert said["Description-Content-Type"] == "text/markdown"
    assert "Operating System :: MacOS" in said.get_all("Classifier", [])
    # No address of ours is made up; one is added once there is one.
    assert said.get_all("Project-URL") is None
    assert "# Draftsman" in str(said.get_payload())


def test_its_program_tells_its_version_and_its_commands(installed: Installed) -> None:
    assert installed.run("--version").stdout == f"draftsman {__version__}\n"
    assert "worker" in installed.run("--help").stdout


def test_it_runs_the_checks_of_a_repository(installed: Installed, repository: Path, tmp_path: Path) -> None:
    ended = installed.run("run", str(repository), "--json", settings={"DRAFTSMAN_HOME": str(tmp_path / "home")})
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result["conclusion"] == "success"
    assert {step["tier"] for step in result["steps"]} >= {"fast", "full"}


@pytest.mark.services
async def test_it_is_up_and_takes_a_push(installed: Installed) -> None:
    with scratch_folder() as folder:
        for name in ("bot", "draftsman", "orchestrator", "typer"):  # what lies in the current folder is not ours
            (folder / f"{name}.py").write_text("raise SystemExit('imported from the current folder')\n")
        async with (
            GitHubStandIn.start() as github,
            running(github, folder, program=(str(installed.program),)),
        ):
            greeting = await github.create_repository("acme/greeting", files=base_files())
            sha = await greeting.commit({"docs/more.md": "More.\n"}, branch="more")
            async with asyncio.timeout(300):
                while [run.conclusion for run in github.check_runs(sha)] != ["success", "success"]:
                    await asyncio.sleep(0.2)
            github.assert_no_violations()
