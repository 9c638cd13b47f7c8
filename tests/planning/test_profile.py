"""What a person set wins, field by field, and the plan says so."""

from __future__ import annotations

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides, Toolchain, Tree
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, tree_of

PYTHON = {"requirements.txt": "pytest\nruff\n", "app.py": "", "test_app.py": "def test_a(): ..."}
NODE = {"package.json": '{"scripts": {"test": "node --test"}}'}


def plan(files: dict[str, str], overrides: ProfileOverrides, **options: object) -> Plan:
    return make_plan(tree_of(files), repo="octo/case", overrides=overrides, templates=TEMPLATES, **options)  # type: ignore[arg-type]


def test_each_field_wins_by_itself() -> None:
    made = plan(PYTHON, ProfileOverrides(fast=("ruff check app.py",)))
    assert made.profile.fast == ("ruff check app.py",)
    assert made.profile.full == ("python -m pytest",)
    fast = [one for one in made.evidence if one.decides == "fast"]
    assert [one.rule for one in fast] == ["set in the profile"]


def test_an_empty_tier_that_a_person_set_stays_empty() -> None:
    made = plan(PYTHON, ProfileOverrides(full=()))
    assert made.profile.full == ()
    assert made.profile.fast == ("ruff check .",)


def test_the_profiles_manager_is_used_throughout() -> None:
    made = plan(PYTHON, ProfileOverrides(dependency_manager="uv"))
    assert made.profile.dependency_manager == "uv"
    assert made.profile.full == ("uv run --no-sync python -m pytest",)
    assert made.caches == ("uv", "pip")
    assert "uv==" in made.dockerfile


def test_a_setup_command_decides_the_manager_that_nobody_set() -> None:
    made = plan({**PYTHON, "uv.lock": ""}, ProfileOverrides(setup="pip install -r requirements.txt"))
    assert made.profile.dependency_manager == "pip"
    assert made.profile.full == ("python -m pytest",)


def test_nothing_is_added_to_a_setup_command_that_a_person_set() -> None:
    files = {"pyproject.toml": "[tool.ruff]\n", "app.py": "", "test_app.py": "import pytest"}
    made = plan(files, ProfileOverrides(setup="pip install pytest"))
    assert made.profile.setup == "pip install pytest"
    assert made.profile.fast == ()
    assert any("setup does not install ruff" in one.rule for one in made.evidence)
    made = plan(files, ProfileOverrides(setup="pip install pytest ruff==0.14.0"))
    assert made.profile.fast == ("ruff check .",)
    assert made.profile.full == ("python -m pytest",)


def test_commands_of_the_profile_bring_their_toolchains() -> None:
    made = plan({"README.md": ""}, ProfileOverrides(full=("cd web && CI=1 npm test", "python check.py")))
    assert [one.image for one in made.toolchains] == ["python:3.13-slim", "node:24-slim"]
    assert made.profile.setup == ""
    assert made.caches == ("pip", "npm")


def test_unknown_manager_is_refused() -> None:
    with pytest.raises(PlanError, match="'maven' is not one that Draftsman knows"):
        plan(PYTHON, ProfileOverrides(dependency_manager="maven"))


def test_own_dockerfile_is_the_plan_and_nothing_is_generated() -> None:
    files = {**PYTHON, "ci/Dockerfile": "FROM example\n"}
    tree = Tree(frozenset(files), {path: text.encode() for path, text in files.items()})
    made = make_plan(tree, repo="a/b", overrides=ProfileOverrides(dockerfile="ci/Dockerfile"), templates=TEMPLATES)
    assert made.dockerfile == "FROM example\n"
    assert made.profile.dockerfile == "ci/Dockerfile"
    assert made.toolchains == (Toolchain("python", "", "example"),)
    assert made.profile.full == ("python -m pytest",)
    assert not any(one.decides == "python version" for one in made.evidence)


@pytest.mark.parametrize("path", ["Dockerfile", "../Dockerfile", "/etc/passwd"])
def test_absent_own_dockerfile_is_refused(path: str) -> None:
    with pytest.raises(PlanError, match="is not in this commit"):
        plan(PYTHON, ProfileOverrides(dockerfile=path))


def test_changed_profile_is_another_image_and_the_same_one_is_not() -> None:
    first = plan(PYTHON, ProfileOverrides())
    assert first.dockerfile == plan(PYTHON, ProfileOverrides()).dockerfile
    assert first.dockerfile != plan(PYTHON, ProfileOverrides(setup="pip install pytest")).dockerfile


def test_mirror_and_certificates_reach_the_dockerfile() -> None:
    made = plan({**PYTHON, **NODE}, ProfileOverrides(), image_prefix="mirror.example:5000/hub/", ca_bundle=True)
    assert "FROM mirror.example:5000/hub/python:3.13-slim" in made.dockerfile
    assert "COPY --from=mirror.example:5000/hub/node:24-slim " in made.dockerfile
    assert "COPY draftsman-ca.crt /etc/ssl/certs/draftsman-ca.crt" in made.dockerfile
    for name in (
        "SSL_CERT_FILE",
        "PIP_CERT",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
    ):
        assert f"{name}=/etc/ssl/certs/draftsman-ca.crt" in made.dockerfile
    assert "draftsman-ca" not in plan(PYTHON, ProfileOverrides()).dockerfile


def test_several_ecosystems_join_and_the_tests_owner_gives_the_manager() -> None:
    made = plan({**NODE, "pyproject.toml": "[tool.ruff]\nselect = ['E']\n", "app.py": ""}, ProfileOverrides())
    assert made.profile.dependency_manager == "npm"
    assert made.profile.fast == ("ruff check .",)
    assert made.profile.full == ("npm test",)


def test_package_json_without_checks_beside_python_is_not_used() -> None:
    made = plan({**PYTHON, "package.json": '{"devDependencies": {"prettier": "3"}}'}, ProfileOverrides())
    assert [one.ecosystem for one in made.toolchains] == ["python"]
    assert any(one.rule == "a node project with nothing to check: not used" for one in made.evidence)
