"""The command line as people and programs use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import scratch_folder

pytestmark = pytest.mark.services

PASSING = {
    ".python-version": "3.13\n",
    "calculator.py": "def add(a, b):\n    return a + b\n",
    "test_calculator.py": (
        "import unittest\n\nfrom calculator import add\n\n\nclass AddTest(unittest.TestCase):\n"
        "    def test_adds(self):\n        self.assertEqual(add(1, 2), 3)\n"
    ),
}


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch_folder() as folder:
        yield folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, PASSING)
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "change")
    return git(folder, "rev-parse", "HEAD")


def draftsman(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DRAFTSMAN_", "GITHUB_", "DATABASE_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "draftsman.cli.main", *arguments],
        env=environment | {"DRAFTSMAN_HOME": str(home), **settings},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.engine
def test_run_says_in_json_that_all_checks_passed(home: Path, repository: Path) -> None:
    sha = git(repository, "rev-parse", "HEAD")
    done = draftsman(home, "run", str(repository), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) >= {"run_id", "repo", "sha", "conclusion", "image", "steps", "annotations", "timings"}
    assert (result["sha"], result["conclusion"], result["annotations"]) == (sha, "success", [])
    assert set(result["image"]) == {"tag", "cached", "build_seconds"}
    assert [(step["tier"], step["exit_code"]) for step in result["steps"]] == [("full", 0)]
    assert set(result["steps"][0]) == {"name", "tier", "command", "exit_code", "seconds"}
    assert result["timings"]["total"] > 0


@pytest.mark.engine
def test_run_ends_with_1_on_a_failing_test_and_names_its_line(home: Path, repository: Path) -> None:
    commit(repository, {"calculator.py": "def add(a, b):\n    return a - b\n"})
    done = draftsman(home, "run", str(repository), "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert result["conclusion"] == "failure"
    assert [(found["path"], found["line"]) for found in result["annotations"]] == [("test_calculator.py", 8)]


@pytest.mark.engine
def test_run_checks_the_commit_that_is_asked_for_and_leaves_changes_out(home: Path, repository: Path) -> None:
    good = git(repository, "rev-parse", "HEAD")
    commit(repository, {"calculator.py": "broken\n"})
    (repository / "calculator.py").write_text("not committed\n")
    done = draftsman(home, "run", str(repository), "--sha", good)
    assert done.returncode == 0, done.stderr
    assert "\x1b[" not in done.stdout
    assert "success" in done.stdout
    done = draftsman(home, "run", str(repository))
    assert done.returncode == 1
    assert "not committed" in done.stderr


@pytest.mark.engine
def test_run_uses_the_repositorys_own_dockerfile_that_needs_buildkit(home: Path, repository: Path) -> None:
    own = (
        f"FROM python:3.13-slim\nLABEL test={uuid.uuid4()}\nCOPY --link requirements.txt /tmp/\n"
        "RUN --mount=type=cache,target=/root/.cache/pip pip install --no-index -r /tmp/requirements.txt\n"
        "RUN <<EOF\nset -e\necho 'made by its own Dockerfile' > /made\nEOF\n"
    )
    test = (
        "import unittest\n\n\nclass Image(unittest.TestCase):\n    def test_own(self):\n        open('/made').close()\n"
    )
    commit(repository, {"Dockerfile": own, "requirements.txt": "", "test_image.py": test})
    planned = json.loads(draftsman(home, "plan", str(repository), "--json").stdout)
    assert planned["profile"]["dockerfile"] == "Dockerfile"
    done = draftsman(home, "run", str(repository), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["conclusion"] == "success"
    assert result["image"]["tag"] == planned["image_tag"]
    assert "with BuildKit" in done.stderr


def test_run_without_an_engine_says_so_and_ends_with_3(home: Path, repository: Path) -> None:
    done = draftsman(home, "run", str(repository), DOCKER_HOST=f"unix://{home}/absent.sock")
    assert done.returncode == 3
    assert "Docker engine" in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_explains_itself_with_files_and_lines(home: Path, repository: Path) -> None:
    done = draftsman(home, "plan", str(repository))
    assert done.returncode == 0, done.stderr
    assert ".python-version:1" in done.stdout
    assert "python -m unittest" in done.stdout
    assert "draftsman-runner/local/project:" in done.stdout


def test_plan_takes_what_the_repository_says_itself(home: Path, repository: Path) -> None:
    commit(repository, {".draftsman.toml": '# ours\nfull = ["make test"]\n'})
    plan = json.loads(draftsman(home, "plan", str(repository), "--json").stdout)
    assert plan["profile"]["validation"]["full"] == ["make test"]
    [said] = [item for item in plan["evidence"] if item["decides"] == "full"]
    assert (said["file"], said["line"], said["rule"]) == (".draftsman.toml", 2, "set in .draftsman.toml")
    commit(repository, {".draftsman.toml": 'full = ["make test"]\nnetwork = "host"\n'})
    refused = draftsman(home, "plan", str(repository))
    assert refused.returncode == 3
    assert ".draftsman.toml:2: network: this is no key" in refused.stderr


def test_plan_in_json_holds_what_programs_need(home: Path, repository: Path) -> None:
    plan = json.loads(draftsman(home, "plan", str(repository), "--json").stdout)
    assert set(plan) == {"repo", "sha", "profile", "toolchains", "dockerfile", "image_tag", "evidence"}
    assert plan["sha"] == git(repository, "rev-parse", "HEAD")
    assert plan["toolchains"] == [{"ecosystem": "python", "version": "3.13", "image": "python:3.13-slim"}]
    assert set(plan["profile"]) == {"dockerfile", "dependency_manager", "setup", "validation"}
    assert all(set(item) == {"decides", "file", "line", "value", "rule", "rule_id"} for item in plan["evidence"])


@pytest.mark.engine
def test_plan_names_the_image_that_run_uses(home: Path, repository: Path) -> None:
    plan = json.loads(draftsman(home, "plan", str(repository), "--json").stdout)
    result = json.loads(draftsman(home, "run", str(repository), "--json").stdout)
    assert plan["image_tag"] == result["image"]["tag"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("plan", "/absent"), 3, "is not a folder"),
        (("plan", "/"), 3, "is not in a git repository"),
        (("plan", "http://127.0.0.1:1/x.git"), 3, "cannot be read"),
        (("run", "--tier", "setup", "."), 2, "fast or full"),
        (("nonsense",), 2, "No such command"),
        (("runs", "list"), 3, "draftsman up"),
        (("serve",), 2, "GITHUB_WEBHOOK_SECRET"),
        (("up",), 2, "GITHUB_PRIVATE_KEY_FILE"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    home: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = draftsman(home, *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hint_that_is_malformed_is_named_with_its_line(home: Path, repository: Path) -> None:
    commit(repository, {"pyproject.toml": "[project]\nname = \n"})
    done = draftsman(home, "plan", str(repository))
    assert done.returncode == 3
    assert "pyproject.toml:2" in done.stderr


def test_an_unreadable_private_key_ends_the_start_with_a_sentence(home: Path) -> None:
    key = home / "key.pem"
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\nnonsense\n-----END RSA PRIVATE KEY-----\n")
    done = draftsman(
        home,
        "up",
        GITHUB_APP_ID="1",
        GITHUB_WEBHOOK_SECRET="s",
        GITHUB_PRIVATE_KEY_FILE=str(key),
        DRAFTSMAN_PORT="1",
    )
    assert done.returncode in (2, 3)
    assert "private key" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_names_what_is_missing_and_ends_with_3(home: Path) -> None:
    done = draftsman(home, "doctor", "--json", "--only", "private-key", "--only", "disk")
    assert done.returncode == 3
    looked = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert looked["private-key"]["ok"] is False
    assert "GITHUB_PRIVATE_KEY_FILE" in looked["private-key"]["found"]


def test_migrate_can_be_run_again(home: Path) -> None:
    first = draftsman(home, "migrate")
    assert (first.returncode, "applied 0001_first" in first.stdout) == (0, True), first.stderr
    assert "up to date" in draftsman(home, "migrate").stdout


def test_plan_runs_no_filter_of_the_folders_own_configuration(home: Path, repository: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    commit(repository, {".gitattributes": "*.py filter=evil\n"})
    git(repository, "config", "filter.evil.clean", f"sh -c 'touch {proof}; cat'")
    git(repository, "config", "core.fsmonitor", f"touch {proof}")
    proof.unlink(missing_ok=True)
    (repository / "calculator.py").write_text("changed\n")
    assert draftsman(home, "plan", str(repository)).returncode == 0
    assert not proof.exists()


def test_plan_of_a_bare_repository_works_and_of_an_ssh_address_says_what_does(home: Path, repository: Path) -> None:
    bare = home / "bare.git"
    git(repository, "clone", "-q", "--bare", str(repository), str(bare))
    assert draftsman(home, "plan", str(bare)).returncode == 0
    assert "https URL" in draftsman(home, "plan", "git@example.com:acme/widgets.git").stderr
