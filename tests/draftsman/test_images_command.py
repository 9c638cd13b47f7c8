"""`draftsman images` as people and programs use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.draftsman.test_command_line import PASSING, commit, draftsman, git
from tests.product import scratch_folder

pytestmark = [pytest.mark.services, pytest.mark.engine]


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", f"https://github.com/draftsman-tests/listed-{tmp_path.name}.git")
    commit(folder, PASSING)
    return folder


def test_a_run_leaves_an_image_that_is_listed_rebuilt_and_pruned(home: Path, repository: Path) -> None:
    ran = draftsman(home, "run", str(repository), "--json")
    assert ran.returncode == 0, ran.stderr
    document = json.loads(ran.stdout)
    repo, tag = document["repo"], document["image"]["tag"]

    listed = json.loads(draftsman(home, "images", "list", "--json", "--repo", repo).stdout)
    assert [row["tag"] for row in listed] == [tag]
    assert listed[0]["repo"] == repo
    assert listed[0]["in_use"] is False
    assert listed[0]["size_bytes"] > 10**6
    assert 0 <= listed[0]["age_seconds"] < 3600
    plain = draftsman(home, "images", "list", "--repo", repo).stdout
    assert tag in plain
    assert not re.search("\x1b", plain)

    assert json.loads(draftsman(home, "run", str(repository), "--json").stdout)["image"]["cached"]
    again = draftsman(home, "run", str(repository), "--rebuild", "--json")
    assert not json.loads(again.stdout)["image"]["cached"]

    would = draftsman(home, "images", "prune", "--all", "--repo", repo, "--dry-run").stdout
    assert f"would remove {tag}" in would
    gone = draftsman(home, "images", "prune", "--all", "--repo", repo).stdout
    assert f"removed {tag}" in gone
    assert "No images" in draftsman(home, "images", "list", "--repo", repo).stderr


def test_what_cannot_be_rebuilt_is_said(home: Path) -> None:
    wrong = draftsman(home, "images", "rebuild", "nonsense")
    assert wrong.returncode == 2
    assert "'nonsense' is not OWNER/NAME" in wrong.stderr
    away = draftsman(home, "images", "rebuild", "acme/widgets")
    assert away.returncode == 3
    assert "`draftsman run --rebuild`" in away.stderr
