"""`make release` makes a release of a clean commit whose changelog says so, and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from draftsman import __version__
from tests.release.installed import ROOT, bare_environment
from tools.release import ReleaseError, check_changelog, sections

CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
DATED = f"{__version__} - 2026-11-27"


def test_the_changelog_keeps_to_the_version() -> None:
    first, *released = sections(CHANGELOG)
    assert first == "Unreleased"
    versions = [Version(title.partition(" - ")[0]) for title in released]
    assert versions == sorted(versions, reverse=True)
    assert all(version <= Version(__version__) for version in versions)


def test_the_version_is_written_in_one_place() -> None:
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text("utf-8")
    label = re.findall(r'image\.version="([^"]+)"', (ROOT / "dockerfiles/draftsman.Dockerfile").read_text("utf-8"))
    assert set(label) <= {__version__}


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        ("# Changelog\n\n## Unreleased\n\n- A new thing.\n", "still has something"),
        ("# Changelog\n\n## Unreleased\n\n## 0.0.9 - 2026-01-01\n\n- Old.\n", "0.0.9"),
        (f"# Changelog\n\n## {__version__}\n\n- No date.\n", "one of them is not right"),
        (f"# Changelog\n\n## Unreleased\n\n## {DATED}\n\n## 0.0.9 - 2026-01-01\n\n- Old.\n", "says nothing"),
    ],
)
def test_a_changelog_that_does_not_fit_is_said(changelog: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=re.escape(said)):
        check_changelog(changelog, __version__)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the files of this checkout as they are now, with a changelog that is ready."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        # The repositories of planning cases are thousands of files that nothing of this needs.
        if name and not name.startswith("tests/repos/") and (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    changelog = folder / "CHANGELOG.md"
    changelog.write_text(CHANGELOG.replace("## Unreleased\n", f"## Unreleased\n\n## {DATED}\n", 1))
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Release")


def release(folder: Path) -> subprocess.CompletedProcess[str]:
    order = [sys.executable, "-m", "tools.release"]
    return subprocess.run(order, cwd=folder, env=bare_environment(), capture_output=True, text=True, timeout=300)


@pytest.mark.services
def test_a_release_is_whole_and_the_same_for_the_same_commit(checkout: Path) -> None:
    done = release(checkout)
    assert done.returncode == 0, done.stderr
    assert "Nothing was uploaded" in done.stdout
    folder = checkout / "dist" / __version__
    assert {file.name for file in folder.iterdir()} == {
        f"draftsman-{__version__}-py3-none-any.whl",
        f"draftsman-{__version__}.tar.gz",
        f"draftsman-{__version__}.requirements.lock",
        f"draftsman-{__version__}.constraints.txt",
        f"draftsman-{__version__}.cdx.json",
        "SHA256SUMS",
    }
    sums = (folder / "SHA256SUMS").read_text()
    for line in sums.splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert len(sums.splitlines()) == 5
    bill = json.loads((folder / f"draftsman-{__version__}.cdx.json").read_text())
    assert bill["metadata"]["component"]["hashes"][0]["content"] in sums
    constraints = (folder / f"draftsman-{__version__}.constraints.txt").read_text()
    assert "aiohttp==" in constraints
    assert "--hash" not in constraints
    assert release(checkout).returncode == 0
    assert (folder / "SHA256SUMS").read_text() == sums
    assert [file.name for file in folder.parent.iterdir()] == [__version__]


@pytest.mark.services
def test_what_is_not_committed_or_was_released_already_is_no_release(checkout: Path) -> None:
    (checkout / "new.txt").write_text("not committed\n")
    done = release(checkout)
    assert (done.returncode, "new.txt" in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    git(checkout, "tag", "-a", f"v{__version__}", "-m", "out")
    commit(checkout)
    done = release(checkout)
    assert (done.returncode, "choose another version" in done.stderr) == (1, True)
    git(checkout, "tag", "-d", f"v{__version__}")
    pyproject = checkout / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"rich>=14",', '"rich>=14",\n    "toml",'))
    commit(checkout)
    done = release(checkout)
    assert (done.returncode, "requirements.lock" in done.stderr) == (1, True), done.stderr
