"""Which version wins, by the hints that a repository holds."""

from __future__ import annotations

import json
import re

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, tree_of


def plan(files: dict[str, str]) -> Plan:
    return make_plan(tree_of(files), repo="octo/case", overrides=ProfileOverrides(), templates=TEMPLATES)


def python_image(files: dict[str, str]) -> str:
    return plan({"app.py": "", **files}).toolchains[0].image


def node_image(manifest: dict[str, object], files: dict[str, str] | None = None) -> str:
    return plan({"package.json": json.dumps(manifest), **(files or {})}).toolchains[0].image


@pytest.mark.parametrize(
    ("constraint", "version"),
    [
        (">=3.8", "3.13"),
        (">=3.11", "3.13"),
        (">=3.14", "3.15"),
        (">=3.9,<3.12", "3.11"),
        ("~=3.11", "3.13"),
        ("~=3.11.4", "3.11"),
        ("==3.12.*", "3.12"),
        ("==3.11.4", "3.11.4"),
        (">=3.11,<=3.11.6", "3.11.6"),
        ("!=3.13.*,>=3.11", "3.15"),
        ("3.12", "3.12"),
        ("<3.9", "3.8"),
        (">=3.16", "3.16"),
        (">=3.11, !=3.11.1", "3.13"),
    ],
)
def test_requires_python_takes_one_tag(constraint: str, version: str) -> None:
    text = f'[project]\nname = "a"\nrequires-python = "{constraint}"\n'
    assert python_image({"pyproject.toml": text}) == f"python:{version}-slim"


@pytest.mark.parametrize(
    ("file", "text", "version"),
    [
        (".python-version", "3.12\n3.11\npypy3.10\n", "3.12"),
        (".python-version", "# ours\n\n3.12.4  # exact\n", "3.12.4"),
        (".python-version", "cpython-3.11\n", "3.11"),
        (".python-version", "my-project-env\n", "3.13"),
        (".python-version", "3\n", "3.13"),
        (".tool-versions", "nodejs 20\npython 3.10.2 3.9\n", "3.10.2"),
        ("mise.toml", '[tools]\npython = ["3.12", "3.11"]\n', "3.12"),
        (".mise.toml", '[tools]\npython = { version = "3.14" }\n', "3.14"),
        ("runtime.txt", "python-3.11.9\n", "3.11.9"),
        ("setup.cfg", "[options]\npython_requires = >=3.9,<3.11\n", "3.10"),
        ("setup.py", "setup(name='a', python_requires='>=3.9, <3.12')\n", "3.11"),
        ("Pipfile", '[requires]\npython_version = "3.12"\n', "3.12"),
        ("uv.lock", 'version = 1\nrequires-python = "==3.11.*"\n', "3.11"),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.9,<3.12"\n', "3.11"),
        ("pyproject.toml", '[project]\nclassifiers = ["Programming Language :: Python :: 3.12"]\n', "3.12"),
        (".devcontainer.json", '{"image": "python:3.11-slim"}\n', "3.11"),
        (
            ".devcontainer/devcontainer.json",
            '{"features": {\n"ghcr.io/devcontainers/features/python:1": {"version": "3.12.1"}}}',
            "3.12.1",
        ),
        ("environment.yml", "dependencies:\n  - python = 3.10.*\n", "3.10"),
        ("tox.ini", "[tox]\nenvlist = py{38,39,310}-{a,b}\n", "3.10"),
        ("setup.cfg", "[tox:tox]\nenv_list = py311, lint\n[testenv]\ncommands = pytest\n", "3.11"),
        ("pyproject.toml", '[tool.hatch.envs.test]\nmatrix = [{python = ["3.10", "3.11"]}]\n', "3.11"),
    ],
)
def test_python_hints(file: str, text: str, version: str) -> None:
    assert python_image({file: text}) == f"python:{version}-slim"


def test_exact_file_beats_the_manifest_and_the_contradiction_is_told() -> None:
    made = plan({"app.py": "", ".python-version": "3.9\n", "pyproject.toml": '[project]\nrequires-python = ">=3.11"\n'})
    assert made.toolchains[0].version == "3.9"
    assert any("pyproject.toml:2 allows only >=3.11" in one for one in made.warnings)
    assert any("no security fixes since 2025-10-31" in one for one in made.warnings)


@pytest.mark.parametrize(
    ("hint", "version"),
    [
        ("^20.9", "20"),
        (">=18 <21", "20"),
        ("18 || 20", "20"),
        ("18 || 22", "22"),
        ("*", "24"),
        ("20.x", "20"),
        (">=18", "24"),
        (">= 18.0.0", "24"),
        (">=25", "26"),
        ("v20.11.1", "20.11.1"),
        ("~20.11", "20.11"),
        ("^16.3", "16"),
        ("20.5 - 20.9", "20.9"),
    ],
)
def test_engines_take_one_tag(hint: str, version: str) -> None:
    assert node_image({"engines": {"node": hint}}) == f"node:{version}-slim"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v20.11.1", "20.11.1"),
        ("22", "22"),
        ("lts/*", "26"),
        ("lts/iron", "20"),
        ("lts/Jod", "22"),
        ("lts/-1", "24"),
        ("node", "26"),
        ("latest", "26"),
        ("20.x", "20"),
        ("# ours\n22 # long term\n", "22"),
    ],
)
def test_nvmrc_takes_one_tag(text: str, version: str) -> None:
    assert node_image({"engines": {"node": "*"}}, {".nvmrc": text}) == f"node:{version}-slim"


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({".node-version": "20", ".nvmrc": "22"}, "20"),
        ({".tool-versions": "nodejs 22.1.0\n"}, "22.1.0"),
        ({"mise.toml": '[tools]\nnode = "22"\n'}, "22"),
    ],
)
def test_node_files_in_order(files: dict[str, str], version: str) -> None:
    assert node_image({"volta": {"node": "18.20.0"}}, files) == f"node:{version}-slim"


@pytest.mark.parametrize(
    ("manifest", "files", "package"),
    [
        ({"packageManager": "pnpm@9.1.0+sha256.abc"}, {}, "pnpm@9.1.0"),
        ({"packageManager": "pnpm@9"}, {}, "pnpm@9.15.9"),
        ({"packageManager": "pnpm"}, {"pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, "pnpm@7.33.7"),
        ({}, {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "pnpm@10.34.8"),
        ({}, {"pnpm-lock.yaml": "lockfileVersion: 5.3\n"}, "pnpm@6.35.1"),
        ({"engines": {"pnpm": ">=9"}}, {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm@10.34.8"),
        ({"engines": {"pnpm": "^8.6.12"}}, {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm@8.15.9"),
        ({"engines": {"pnpm": "~8.6.12"}}, {"pnpm-lock.yaml": ""}, "pnpm@8.6.12"),
        ({"packageManager": "yarn@1.22.19"}, {"yarn.lock": ""}, "yarn@1.22.19"),
        ({"packageManager": "yarn@4.0.0-rc.45"}, {"yarn.lock": ""}, "@yarnpkg/cli-dist@4.0.0-rc.45"),
        ({"engines": {"yarn": ">=1.22"}}, {"yarn.lock": "__metadata:\n  version: 8\n"}, "@yarnpkg/cli-dist@4.13.0"),
        ({}, {"yarn.lock": "__metadata:\n  version: 10\n"}, "@yarnpkg/cli-dist@4.18.1"),
        ({}, {"yarn.lock": "__metadata:\n  version: 6\n"}, "@yarnpkg/cli-dist@3.8.7"),
        ({}, {"yarn.lock": "# yarn lockfile v1\n", ".yarnrc.yml": ""}, "yarn@1.22.22"),
        ({}, {"bun.lock": "", ".bun-version": "bun-v1.2.4"}, "bun@1.2.4"),
        ({}, {"bun.lock": "", ".tool-versions": "bun 1.1.38\n"}, "bun@1.1.38"),
        ({"packageManager": "npm@11.4.2"}, {}, "npm@11.4.2"),
    ],
)
def test_managers_of_node_are_pinned_in_the_image(
    manifest: dict[str, object], files: dict[str, str], package: str
) -> None:
    made = plan({"package.json": json.dumps(manifest), **files})
    assert re.search(rf"^RUN npm install -g .* {re.escape(package)}$", made.dockerfile, re.MULTILINE)


@pytest.mark.parametrize("manifest", [{}, {"engines": {"npm": ">=9"}}, {"packageManager": "npm"}])
def test_npm_of_no_exact_version_is_the_one_that_comes_with_node(manifest: dict[str, object]) -> None:
    assert "npm install -g" not in plan({"package.json": json.dumps(manifest)}).dockerfile


def test_npm_that_does_not_run_on_the_node_is_not_installed() -> None:
    files = {"package.json": '{"packageManager": "npm@11.4.2"}', ".nvmrc": "18"}
    made = plan(files)
    assert "npm install -g" not in made.dockerfile
    assert any("does not run on Node 18" in one.rule for one in made.evidence)


def test_exact_node_below_what_the_manager_needs_is_kept_and_warned_of() -> None:
    made = plan({"package.json": '{"packageManager": "pnpm@10.4.1"}', ".nvmrc": "16"})
    assert made.toolchains[0].version == "16"
    assert any("needs Node >=18.12" in one for one in made.warnings)


def test_volta_beats_engines() -> None:
    assert node_image({"volta": {"node": "22.3.0"}, "engines": {"node": ">=18"}}) == "node:22.3.0-slim"


def test_workflow_names_the_version_where_nothing_else_does() -> None:
    workflow = (
        'on: push\njobs:\n  a:\n    steps:\n      - uses: actions/setup-node@v4\n        with: {node-version: "22"}\n'
    )
    assert node_image({}, {".github/workflows/ci.yml": workflow}) == "node:22-slim"


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.x!"\n'}, "pyproject.toml:2"),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = 3\n'}, "pyproject.toml:3"),
        ({"pyproject.toml": '[project]\nrequires-python = "<3"\n'}, "pyproject.toml:2"),
        ({"pyproject.toml": '[project]\nrequires-python = "0-0"\n'}, "pyproject.toml:2"),
        ({".python-version": "3.13t\n"}, ".python-version:1"),
        ({".python-version": "pypy3.10\n"}, ".python-version:1"),
        ({".tool-versions": "python\n"}, ".tool-versions:1"),
        ({"setup.cfg": "python_requires = 3\n"}, "setup.cfg:1"),
        ({"Pipfile": '[requires]\npython_version = "3.x"\n'}, "Pipfile:2"),
        ({"Pipfile": '[requires]\npython_version = "0"\n'}, "Pipfile:2"),
        ({".python-version": "2.7.18\n"}, ".python-version:1"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = ["3"]\n'}, "pyproject.toml:2"),
        ({"tox.toml": "env_list = [\n"}, "tox.toml:2"),
        ({"package.json": '{"engines":\n{"node": "$(id)"}}'}, "package.json:2"),
        ({"package.json": '{"engines": {"node": "<1"}}'}, "package.json:1"),
        ({"package.json": "[]"}, "package.json:1"),
        ({"package.json": "{}", ".nvmrc": "lts/nonsense"}, ".nvmrc:1"),
        ({"package.json": "{}", ".nvmrc": "007"}, ".nvmrc:1"),
        ({"package.json": '{"engines": {"node": ">=99"}}'}, "package.json:1"),
        ({"package.json": '{"packageManager": 3}'}, "package.json:1"),
        ({"package.json": '{\n"packageManager": "cargo@1"}'}, "package.json:2"),
        ({"package.json": '{\n"packageManager": "yarn@4;id"}'}, "package.json:2"),
        ({"package.json": '{"devEngines": {"runtime":\n{"name": "node", "version": "new"}}}'}, "package.json:2"),
        ({"package.json": "{}", ".node-version": "22; id"}, ".node-version:1"),
        ({"package.json": "[" * 100_000}, "package.json:1"),
    ],
)
def test_malformed_hints_name_file_and_line(files: dict[str, str], place: str) -> None:
    with pytest.raises(PlanError, match=rf"^{place}: "):
        plan({"app.py": "", **files})
