"""Setup and checks that are inferred from manifests, settings and scripts."""

from __future__ import annotations

import json

import pytest

from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.planning.hints import MAX_FILES, wanted
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, tree_of


def plan(files: dict[str, str]) -> Plan:
    return make_plan(tree_of(files), repo="octo/case", overrides=ProfileOverrides(), templates=TEMPLATES)


def scripts(**commands: str) -> Plan:
    return plan(
        {"package.json": json.dumps({"scripts": {name.replace("_", ":"): one for name, one in commands.items()}})}
    )


@pytest.mark.parametrize(
    "command",
    [
        "eslint . --fix",
        "prettier --write .",
        "prettier . -w",
        "npm run lint:all",
        "biome check --write src",
        "echo no lint",
        "",
    ],
)
def test_scripts_that_are_no_checks_are_refused(command: str) -> None:
    made = scripts(lint=command, lint_all="npm run lint:real", lint_real="eslint --fix .")
    assert made.profile.fast == ()
    assert any("script `lint` is not run" in one.rule for one in made.evidence)


@pytest.mark.parametrize(
    "command", ["eslint .", "eslint . --fix-dry-run", "tsc --noEmit && echo ok", "prettier --check ."]
)
def test_scripts_that_check_are_run(command: str) -> None:
    assert scripts(lint=command).profile.fast == ("npm run lint",)


def test_check_that_runs_what_is_run_anyway_is_left_out() -> None:
    made = scripts(lint="eslint .", typecheck="tsc", check="npm run lint && npm run typecheck")
    assert made.profile.fast == ("npm run lint", "npm run typecheck")


def test_check_that_runs_the_tests_is_no_fast_check() -> None:
    made = scripts(check="eslint . && npm run test", test="node --test")
    assert made.profile.fast == ()
    assert made.profile.full == ("npm test",)


def test_scripts_that_call_each_other_for_ever_are_read_once() -> None:
    names = [f"s{number}" for number in range(200)]
    commands = {name: "run-s " + " ".join(names) for name in names}
    assert scripts(lint="npm run s1", **commands).profile.fast == ("npm run lint",)


def test_watching_test_gives_way_to_the_one_that_ends() -> None:
    assert scripts(test="jest --watch", test_ci="jest").profile.full == ("npm run test:ci",)


def test_dead_lock_of_another_manager_is_told() -> None:
    made = plan({"package.json": '{"scripts": {"test": "node --test"}}', "yarn.lock": ""})
    assert made.profile.setup == "npm install --no-audit --no-fund"
    assert any("yarn.lock is not used" in one for one in made.warnings)


def test_uv_runs_ruff_pinned_where_only_its_settings_are_there() -> None:
    files = {
        "pyproject.toml": '[project]\nname = "a"\n[tool.uv]\n[tool.ruff]\nrequired-version = "==0.14.2"\n',
        "test_a.py": "def test_a(): ...",
        "a.py": "",
    }
    made = plan(files)
    assert made.profile.setup == "uv sync && uv pip install pytest"
    assert made.profile.fast == ("uvx ruff@0.14.2 check .",)
    assert made.profile.full == ("uv run --no-sync python -m pytest",)


@pytest.mark.parametrize("revision", ["v0.13.1", f"{'a1' * 20}  # frozen: v0.13.1"])
def test_pre_commit_hook_names_ruff_and_its_release(revision: str) -> None:
    hooks = (
        "repos:\n- repo: https://github.com/astral-sh/ruff-pre-commit\n"
        f"  rev: {revision}\n"
        "  hooks:\n  - id: ruff-check\n  - id: ruff-format\n"
    )
    made = plan({"a.py": "", ".pre-commit-config.yaml": hooks})
    assert made.profile.setup == "pip install ruff==0.13.1"
    assert made.profile.fast == ("ruff check .", "ruff format --check .")


def test_mypy_that_is_not_installed_is_not_run_and_the_evidence_says_so() -> None:
    made = plan({"a.py": "", "mypy.ini": "[mypy]\nstrict = true\n"})
    assert made.profile.fast == ()
    assert any("setup does not install mypy" in one.rule and one.file == "mypy.ini" for one in made.evidence)


def test_mypy_checks_the_packages() -> None:
    made = plan({"pkg/__init__.py": "", "tests/__init__.py": "", "requirements.txt": "mypy", "mypy.ini": "[mypy]\n"})
    assert made.profile.fast == ("mypy pkg",)


@pytest.mark.parametrize("folder", ["requirements", "."])
def test_included_requirement_files_are_named_once(folder: str) -> None:
    prefix = "" if folder == "." else "requirements/"
    names = ("requirements.txt", "requirements-dev.txt") if folder == "." else ("base.txt", "dev.txt")
    files = {prefix + names[0]: "idna", prefix + names[1]: f"-r {names[0]}\npytest", "test_a.py": "", "a.py": ""}
    assert plan(files).profile.setup == f"pip install -r {prefix}{names[1]}"


def test_docs_requirements_are_left_alone() -> None:
    files = {
        "requirements.txt": "idna",
        "requirements-docs.txt": "sphinx",
        "docs/requirements.txt": "sphinx",
        "a.py": "",
    }
    assert plan(files).profile.setup == "pip install -r requirements.txt"


def test_django_tests_run_by_manage_py() -> None:
    files = {"manage.py": "", "requirements.txt": "Django>=5", "shop/tests.py": "from django.test import TestCase"}
    assert plan(files).profile.full == ("python manage.py test",)


def test_unittest_folder_that_is_no_package_is_named() -> None:
    made = plan({"a.py": "", "tests/test_a.py": "import unittest\n"})
    assert made.profile.full == ("python -m unittest discover -s tests",)


def test_poetry_lock_is_told_as_not_used() -> None:
    made = plan(
        {"pyproject.toml": '[tool.poetry]\nname = "a"\n[build-system]\nrequires = []\n', "poetry.lock": "", "a.py": ""}
    )
    assert made.profile.dependency_manager == "pip"
    assert any("poetry.lock is not used" in one for one in made.warnings)


def test_dependencies_bring_their_debian_packages() -> None:
    made = plan({"requirements.txt": "psycopg2==2.9\n", "a.py": ""})
    assert "libpq-dev" in made.dockerfile
    assert any("psycopg2 needs" in one.rule for one in made.evidence)


def test_broken_workflow_is_no_error() -> None:
    made = plan({"a.py": "", ".github/workflows/x.yml": "on: [push\njobs: {", ".github/workflows/y.yml": "- 1"})
    assert made.profile.full == ()


def test_wanted_files_are_bounded_and_present() -> None:
    paths = {f"tests/test_{number}.py" for number in range(5000)} | {f"requirements/{'x' * n}.txt" for n in range(500)}
    paths |= {f".github/workflows/{number}.yml" for number in range(500)} | {"pyproject.toml", "ci/Dockerfile"}
    chosen = wanted(paths, "ci/Dockerfile")
    assert len(chosen) <= MAX_FILES
    assert set(chosen) <= paths
    assert chosen[0] == "ci/Dockerfile"
    assert "pyproject.toml" in chosen


def test_requirement_file_that_installs_the_project_is_enough() -> None:
    files = {
        "requirements.txt": "-e .[full]\npytest\nruff\nblack\n",
        "pyproject.toml": "[project]\nname = 'a'\n",
        "a.py": "",
    }
    made = plan(files)
    assert made.profile.setup == "pip install -r requirements.txt"
    assert made.profile.fast == ("ruff check .",)
