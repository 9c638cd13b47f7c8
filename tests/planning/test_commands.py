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
    manifest = '{"packageManager": "npm@11.4.2", "scripts": {"test": "node --test"}}'
    made = plan({"package.json": manifest, "yarn.lock": "", "package-lock.json": ""})
    assert made.profile.setup == "npm ci"
    assert any("stale, not used" in one.rule and one.file == "yarn.lock" for one in made.evidence)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("karma start --single-run", "needs a browser"),
        ("npx playwright test", "needs a browser"),
        ("vitest --browser.enabled", "needs a browser"),
        ("ng test --watch=false", "needs a browser"),
        ("vitest watch", "it watches"),
        ("nodemon -x jest", "it watches"),
        ("jest --updateSnapshot", "it rewrites"),
        ("docker compose up -d && mocha", "needs more than the repository"),
        ("cross-env CI=1 codecov", "needs more than the repository"),
        ("npm test --prefix web && npm publish", "needs more than the repository"),
        ("pytest -q && tox", "another language"),
        ("echo ok", "it only echoes"),
        ("true", "it only echoes"),
    ],
)
def test_tests_that_cannot_run_here_give_way(command: str, why: str) -> None:
    made = scripts(test=command, test_unit="mocha")
    assert made.profile.full == ("npm run test:unit",)
    assert any("script `test` is not run" in one.rule and why in one.rule for one in made.evidence)


@pytest.mark.parametrize(
    "command",
    ["jest", "vitest", "vitest run --coverage", "react-scripts test", "nyc mocha", "npm run build && node --test dist"],
)
def test_runners_that_end_by_themselves_are_run(command: str) -> None:
    assert scripts(test=command, build="tsc").profile.full == ("npm test",)


def node_workflow(*runs: str) -> str:
    steps = "".join(f"      - run: {json.dumps(run)}\n" for run in runs)
    return f"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n{steps}"


@pytest.mark.parametrize(
    ("runs", "fast", "full"),
    [
        (["yarn lint", "yarn test"], ("yarn lint",), ("yarn test",)),
        (["yarn run lint", "yarn jest --ci"], ("yarn run lint",), ("yarn jest --ci",)),
        (["yarn tsc --noEmit", "yarn test --shard=1/2"], ("yarn tsc --noEmit",), ("yarn test",)),
        (["yarn lint --fix", "yarn test --watch"], ("yarn run lint",), ("yarn test",)),
        (["yarn eslint 'src/**/*.ts'", "yarn test"], ("yarn eslint 'src/**/*.ts'",), ("yarn test",)),
        (["npx prettier .", "npx cypress run"], ("yarn run lint",), ("yarn test",)),
        (["yarn format", "yarn lint"], ("yarn lint",), ("yarn test",)),
        (["yarn test:types", "yarn lint:format"], ("yarn test:types", "yarn lint:format"), ("yarn test",)),
        (["yarn tsc --version", "yarn test:types"], ("yarn run lint", "yarn test:types"), ("yarn test",)),
        (["yarn test compiler", "yarn test", "yarn coverage"], ("yarn run lint",), ("yarn test",)),
        (["yarn coverage"], ("yarn run lint",), ("yarn coverage",)),
        (["corepack yarn lint", "corepack yarn test"], ("yarn lint",), ("yarn test",)),
        (
            ["yarn workspaces run lint", "yarn workspace a test"],
            ("yarn workspaces run lint",),
            ("yarn test",),
        ),
        (["yarn workspace docs lint"], ("yarn run lint",), ("yarn test",)),
        (["yarn ci"], ("yarn run lint",), ("yarn ci",)),
        (["npx nx affected -t test"], ("yarn run lint",), ("yarn test",)),
    ],
)
def test_what_workflows_run_of_node(runs: list[str], fast: tuple[str, ...], full: tuple[str, ...]) -> None:
    manifest = {
        "scripts": {
            "lint": "eslint .",
            "lint:format": "oxfmt --check",
            "format": "oxfmt",
            "test": "jest",
            "test:types": "tsd",
            "coverage": "jest --coverage",
            "ci": "yarn lint && yarn test",
        },
        "devDependencies": {"eslint": "^9", "typescript": "^5", "jest": "^30", "prettier": "^3", "nx": "^21"},
    }
    files = {"package.json": json.dumps(manifest), "yarn.lock": "", ".github/workflows/ci.yml": node_workflow(*runs)}
    made = plan(files)
    assert made.profile.fast == fast
    assert made.profile.full == full


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


def test_the_stale_one_of_two_locks_is_told() -> None:
    made = plan({"pyproject.toml": '[project]\nname = "a"\n', "poetry.lock": "", "uv.lock": "", "a.py": ""})
    assert made.profile.dependency_manager == "uv"
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


def workflow_of(*commands: str) -> dict[str, str]:
    steps = "".join(f"      - run: {json.dumps(command)}\n" for command in commands)
    return {".github/workflows/ci.yml": f"on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n{steps}"}


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("pytest", "python -m pytest"),
        ("py.test -x tests", "python -m pytest -x tests"),
        ("python3 -W error -m pytest tests --cov app --cov-report xml", "python -m pytest tests"),
        ("coverage run --branch -m pytest tests", "python -m pytest tests"),
        ("pytest -n auto --dist loadfile -nlogical tests -k 'a and not b'", "python -m pytest tests -k 'a and not b'"),
        ("pytest elsewhere", "python -m pytest"),
        ("pytest tests/test_a.py::test_a", "python -m pytest tests/test_a.py::test_a"),
        ("pytest --pyargs app.tests", "python -m pytest --pyargs app.tests"),
        ("python -m unittest discover -s tests -v", "python -m unittest discover -s tests -v"),
        ("trial app.tests", "trial app.tests"),
        ("pytest --version", "python -m pytest"),
    ],
)
def test_the_workflow_says_how_the_tests_run(command: str, run: str) -> None:
    files = {"requirements.txt": "pytest\n", "app.py": "", "tests/test_a.py": "def test_a(): ...\n"}
    assert plan({**files, **workflow_of(command)}).profile.full == (run,)


@pytest.mark.parametrize(
    ("install", "setup"),
    [
        ("python -m pip install --upgrade pip setuptools wheel", "pip install -e . && pip install pytest"),
        ("pip install -U -q .[cli] 'pytest>=8,<9'", "pip install '.[cli]' 'pytest>=8,<9'"),
        ("pip install --no-build-isolation -e .", "pip install --no-build-isolation -e . && pip install pytest"),
        ("uv pip install --system -e '.[cli]' pytest", "pip install -e '.[cli]' pytest"),
        ("pip install -r reqs/ci.txt -c reqs/limits.txt", "pip install -r reqs/ci.txt -c reqs/limits.txt"),
        ("pip install -r reqs/none.txt pytest", "pip install -e . && pip install pytest"),
        ("pip install dist/app-1.0-py3-none-any.whl pytest", "pip install . pytest"),
        ("pip install app pytest", "pip install . pytest"),
        ("pip install codecov pytest", "pip install -e . && pip install pytest"),
        ("pip install git+https://example.org/x.git", "pip install -e . && pip install pytest"),
    ],
)
def test_the_workflow_says_what_is_installed(install: str, setup: str) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "app"\n[project.optional-dependencies]\ncli = ["click"]\n',
        "app.py": "",
        "test_a.py": "def test_a(): ...\n",
        "reqs/ci.txt": "pytest\n",
        "reqs/limits.txt": "pytest<9\n",
    }
    assert plan({**files, **workflow_of(install, "pytest")}).profile.setup == setup


@pytest.mark.parametrize(
    ("command", "fast"),
    [
        ("ruff check --output-format=github app.py", ("ruff check app.py",)),
        ("ruff check --fix .", ("ruff check .",)),
        ("black app.py", ("ruff check .",)),
        ("black --check --line-length 100 app.py", ("black --check --line-length 100 app.py",)),
        ("mypy -p app --error-format x", ("mypy -p app",)),
        ("flake8 --exit-zero app.py", ("flake8",)),
        ("isort --check --diff app.py", ("isort --check --diff app.py",)),
    ],
)
def test_linters_are_called_as_the_workflow_does_where_they_only_check(command: str, fast: tuple[str, ...]) -> None:
    files = {"requirements.txt": "ruff\nblack\nmypy\nflake8\nisort\n", "app.py": ""}
    assert plan({**files, **workflow_of(command)}).profile.fast == fast


@pytest.mark.parametrize(
    ("environments", "chosen"),
    [
        ("py311, py312", "py313"),
        ("py312, py313, docs", "py313"),
        ("{py312,py313}-{dj42,dj52,djmain}", "py313-dj52"),
        ("py3, lint", "py313"),
        ("lint, tests, docs", "tests"),
        ("pypy3, py39-x", "py313-x"),
    ],
)
def test_tox_runs_the_environment_of_the_one_python(environments: str, chosen: str) -> None:
    files = {
        "tox.ini": f"[tox]\nenvlist = {environments}\n[testenv]\ndeps = pytest\ncommands = pytest\n",
        "setup.py": "from setuptools import setup\nsetup(name='a', python_requires='==3.13.*')\n",
        "test_a.py": "def test_a(): ...\n",
    }
    made = plan({**files, **workflow_of("tox")})
    assert made.profile.full == (f"tox run -e {chosen} --skip-pkg-install",)
    assert "tox==4" in made.dockerfile


@pytest.mark.parametrize(
    ("python", "release"), [("3.13", "poetry==2"), ("3.9", "poetry==2.2.1"), ("3.8", "poetry==1.8.5")]
)
def test_old_pythons_get_the_last_tool_that_runs_on_them(python: str, release: str) -> None:
    files = {"pyproject.toml": '[tool.poetry]\nname = "a"\n', ".python-version": python, "a.py": "", "poetry.lock": ""}
    assert f"install --no-cache-dir {release}" in plan(files).dockerfile
