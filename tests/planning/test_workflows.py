"""What is read of a repository's own workflows."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.planning.trail import Trail
from orchestrator.planning.workflows import MAX_WORKFLOWS, Workflows, read_workflows, workflow_reads
from orchestrator.planning.workflows.expressions import UNKNOWN, Scope, evaluated, interpolated, may_hold
from orchestrator.planning.workflows.marked_yaml import UnreadableYamlError, read_marked
from orchestrator.planning.workflows.matrix import cells_of, chosen_cells
from tests.planning.cases import tree_of

CI = ".github/workflows/ci.yml"


def read(files: dict[str, str]) -> Workflows:
    return read_workflows(tree_of(files))


def job(body: str, **files: str) -> Workflows:
    """Read one job on Linux that a push starts; keys of `files` have `__` for `/`."""
    text = "on: push\njobs:\n  one:\n    runs-on: ubuntu-latest\n" + textwrap.indent(textwrap.dedent(body), "    ")
    return read({CI: text, **{path.replace("__", "/"): text for path, text in files.items()}})


def steps(*runs: str) -> Workflows:
    return job("steps:\n" + "".join(f"  - {run}\n" for run in runs))


def commands(found: Workflows) -> list[str]:
    return [seen.text for seen in found.commands]


@pytest.mark.parametrize(
    ("trigger", "runs"),
    [
        ("push", True),
        ("[workflow_dispatch, pull_request]", True),
        ("{merge_group: null}", True),
        ("{push: {branches: [main]}}", True),
        ("{push: {tags: ['v*'], branches: ['**']}}", True),
        ("{pull_request: {types: [opened, reopened]}}", True),
        ("{push: {tags: ['v*']}}", False),
        ("{pull_request: {types: [closed]}}", False),
        ("pull_request_target", False),
        ("[schedule, release]", False),
        ("{workflow_call: null}", False),
        ("3", False),
    ],
)
def test_workflows_count_that_a_change_starts(trigger: str, *, runs: bool) -> None:
    text = f"on: {trigger}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: pytest # push\n"
    assert commands(read({CI: text})) == ["pytest"] * runs


def test_command_names_its_own_line() -> None:
    found = job(
        """
        steps:
          - run: |
              # first

              pip install -e .
              ruff check . && \\
                mypy src
          - run: pytest -q
          - run: >
              tox
              run
          - {run: nox}
        """
    )
    assert [(seen.line, seen.text) for seen in found.commands] == [
        (10, "pip install -e ."),
        (11, "ruff check ."),
        (12, "mypy src"),
        (13, "pytest -q"),
        (14, "tox run"),
        (17, "nox"),
    ]


def test_folders_and_variables_come_from_step_job_and_workflow() -> None:
    text = """\
on: push
env: {TOP: "1", CI: "true", CODECOV_TOKEN: x, SECRET: "${{ secrets.X }}"}
defaults: {run: {working-directory: web}}
jobs:
  a:
    env: {MODE: "${{ env.TOP }}2"}
    steps:
      - run: npm test
      - run: npm run lint
        working-directory: ./api/
        env: {DEBUG: "a b", BAD: "a;b", AT: "${{ github.workspace }}/x"}
      - run: npm run e2e
        working-directory: ${{ inputs.where }}${{ steps.x.outputs.y }}
  b:
    defaults: {run: {working-directory: .}}
    steps:
      - run: make test
"""
    found = read({CI: text})
    assert [(seen.text, seen.folder, seen.env) for one in found.jobs for seen in one.commands] == [
        ("npm test", "web", (("MODE", "12"), ("TOP", "1"))),
        ("npm run lint", "api", (("DEBUG", "a b"), ("MODE", "12"), ("TOP", "1"))),
        ("make test", "", (("TOP", "1"),)),
    ]
    assert commands(found) == ["make test"]


def test_other_shells_and_repositories_are_not_read() -> None:
    found = job(
        """
        steps:
          - {run: a, shell: pwsh}
          - {run: b, shell: "bash -el {0}"}
          - uses: actions/checkout@v4
            with: {repository: octo/other, path: other}
          - {run: c}
          - {run: d, working-directory: other}
          - uses: actions/checkout@v4
            with: {repository: octo/other}
          - {run: e}
        """
    )
    assert commands(found) == ["b", "c"]


def test_checkout_in_a_folder_is_the_top() -> None:
    found = job(
        """
        steps:
          - uses: actions/checkout@v4
            with: {path: mine}
          - {run: a}
          - {run: b, working-directory: mine}
          - {run: cd mine/web && c}
        """
    )
    assert [(seen.text, seen.folder) for seen in found.jobs[0].commands] == [("b", ""), ("c", "web")]


def test_steps_that_may_fail_or_never_run_are_no_checks() -> None:
    found = steps(
        "{run: a, continue-on-error: true}",
        "{run: b, if: failure()}",
        "{run: c, if: \"runner.os == 'Windows'\"}",
        "{run: d, if: github.event_name == 'pull_request'}",
        "{run: e, if: \"steps.x.outputs.y == 'z'\"}",
    )
    assert commands(found) == ["d", "e"]


def test_cells_that_may_fail_are_no_checks() -> None:
    found = job(
        """
        continue-on-error: ${{ matrix.experimental == 'true' }}
        strategy: {matrix: {include: [{task: old, experimental: "false"}, {task: new, experimental: "true"}]}}
        steps: [{run: "nox -s ${{ matrix.task }}"}]
        """
    )
    assert commands(found) == ["nox -s old"]


def test_matrix_takes_the_default_versions_and_every_task() -> None:
    found = job(
        """
        strategy:
          matrix:
            os: [windows-latest, ubuntu-latest]
            python: ["3.9", "3.13", "3.14", pypy3.11]
            session: [lint, tests]
            exclude: [{session: lint, python: "3.9"}]
            include: [{session: docs, python: "3.12"}, {session: tests, extra: --slow}]
        steps:
          - uses: actions/setup-python@v5
            with: {python-version: "${{ matrix.python }}"}
          - run: nox -s ${{ matrix.session }} -p ${{ matrix.python }} ${{ matrix.extra }}
        """
    )
    assert commands(found) == ["nox -s lint -p 3.13", "nox -s tests -p 3.13 --slow", "nox -s docs -p 3.12"]
    assert [seen.text for seen in found.versions_of("python")] == ["3.9", "3.13", "3.14", "pypy3.11", "3.12"]


def test_first_words_tell_which_tool_runs() -> None:
    found = steps("{run: uv run tox run -e $PYTHON-mypy}", "{run: cd web && npm test $X}", "{run: $X y}", "{run: a}")
    assert [(seen.text, seen.folder) for seen in found.jobs[0].unfinished] == [
        ("uv run tox run -e", ""),
        ("npm test", "web"),
    ]
    assert commands(found) == ["a"]


def test_matrix_that_is_not_written_down_leaves_its_commands_out() -> None:
    found = job(
        """
        strategy: {matrix: "${{ fromJSON(needs.x.outputs.y) }}"}
        steps:
          - run: nox -s ${{ matrix.session }}
          - run: pytest
        """
    )
    assert commands(found) == ["pytest"]


def test_shards_are_run_as_one() -> None:
    found = job("strategy: {matrix: {shard: [1, 2]}}\nsteps: [{run: 'vitest run --shard=${{ matrix.shard }}/2'}]")
    assert commands(found) == ["vitest run"]


def test_versions_of_setup_actions_images_and_rustup() -> None:
    found = job(
        """
        container: {image: "node:20.11-bookworm"}
        services: {db: {image: "postgres:16"}, cache: "redis", bad: {image: "a b"}}
        steps:
          - uses: actions/setup-go@v5
            with: {go-version: "1.24", go-version-file: go.mod}
          - uses: ruby/setup-ruby@v1
            with: {ruby-version: "3.3", bundler-cache: "true"}
          - uses: pnpm/action-setup@v4
            with: {version: 9}
          - uses: astral-sh/setup-uv@v6
            with: {version: 0.9.1, python-version: "3.12"}
          - uses: dtolnay/rust-toolchain@1.85
          - run: rustup toolchain install nightly --profile minimal
          - uses: actions/setup-node@v4
            with: {node-version-file: .nvmrc}
          - uses: actions/setup-python@v5
            with:
              python-version: |
                3.11
                3.13
        """,
        **{"go.mod": "", ".nvmrc": "22"},
    )
    versions = {name: [seen.text for seen in each] for name, each in (found.versions or {}).items()}
    assert versions == {
        "node": ["20.11"],
        "go": ["1.24"],
        "ruby": ["3.3"],
        "pnpm": ["9"],
        "uv": ["0.9.1"],
        "python": ["3.12", "3.11", "3.13"],
        "rust": ["1.85", "nightly"],
    }
    assert [seen.text for seen in found.version_files_of("go")] == ["go.mod"]
    assert [seen.place for seen in found.version_files_of("node")] == [f"{CI}:20"]
    assert found.jobs[0].services == ("postgres:16", "redis")
    assert commands(found)[0] == "bundle install"


def test_actions_that_check_are_their_command() -> None:
    found = steps(
        "{uses: golangci/golangci-lint-action@v8, with: {args: --timeout=5m}}",
        "{uses: psf/black@stable}",
        "{uses: actions-rs/cargo@v1, with: {command: test, args: --all}}",
    )
    assert commands(found) == ["golangci-lint run --timeout=5m", "black --check --diff .", "cargo test --all"]


def test_workflows_that_call_each_other_end() -> None:
    call = (
        "on: [push, workflow_call]\njobs:\n  a:\n    uses: ./.github/workflows/{}.yml\n  b:\n    steps: [{{run: {}}}]\n"
    )
    found = read({f".github/workflows/{one}.yml": call.format(other, one) for one, other in ("ab", "ba")})
    assert sorted(commands(found)) == ["a", "b"]


def test_scripts_tell_what_they_run() -> None:
    files = {
        CI: "on: push\njobs: {a: {steps: [{run: ./ci/test.sh -v}, {run: python ci/x.py}, {run: bin/check}]}}\n",
        "ci/test.sh": "#!/bin/bash\nset -e\nif x; then y; fi\npytest tests\nmypy $FILES\n",
        "ci/x.py": "import os\npytest\n",
        "bin/check": "#!/usr/bin/env ruby\nputs 1\n",
    }
    assert [(seen.text, seen.inner) for seen in read(files).commands] == [
        ("./ci/test.sh -v", ("pytest tests", "mypy")),
        ("python ci/x.py", ()),
        ("bin/check", ()),
    ]


def test_names_that_promise_checks_are_read_first() -> None:
    paths = [f".github/workflows/{name}.yml" for name in [f"a{n}" for n in range(20)] + ["release", "tests", "lint"]]
    chosen = workflow_reads(
        [*paths, "Makefile", "scripts/deploy.py", "scripts/test.sh", ".github/actions/x/action.yml"]
    )
    assert chosen[:2] == [".github/workflows/lint.yml", ".github/workflows/tests.yml"]
    assert len([path for path in chosen if path.startswith(".github/workflows/")]) == MAX_WORKFLOWS
    assert {"Makefile", "scripts/test.sh", ".github/actions/x/action.yml"} <= set(chosen)
    assert "scripts/deploy.py" not in chosen


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("matrix.os == 'Ubuntu'", True),
        ("matrix['os'] != 'ubuntu'", False),
        ("matrix.absent || 'x'", "x"),
        ("matrix.os && 'a' || 'b'", "a"),
        ("!(matrix.os == 'x') && startsWith('ABC', 'ab')", True),
        ("contains('it''s', '''')", True),
        ("format('py{0}-{1}', '3', matrix.os)", "py3-ubuntu"),
        ("secrets.X", UNKNOWN),
        ("secrets.X && false", False),
        ("true || secrets.X", True),
        ("github.ref", UNKNOWN),
        ("hashFiles('**/x')", UNKNOWN),
        ("matrix.os ==", UNKNOWN),
        ("((", UNKNOWN),
        ("'open", UNKNOWN),
        ("a b", UNKNOWN),
        ("", UNKNOWN),
        ("(" * 70 + "1" + ")" * 5, UNKNOWN),
    ],
)
def test_expressions(text: str, value: object) -> None:
    assert evaluated(text, Scope(matrix={"os": "ubuntu"})) == value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("github.event_name == 'push' || github.event.pull_request.head.repo.fork", True),
        ("github.ref == 'refs/heads/main'", False),
        ("${{ github.ref != 'refs/heads/main' }}", True),
        ("startsWith(github.ref, 'refs/tags/')", False),
        ("github.event_name == 'schedule'", False),
        ("github.repository == 'octo/x' && github.event_name != 'schedule'", True),
        ("always() && !cancelled()", True),
        ("x ${{ false }}", True),
    ],
)
def test_conditions_hold_for_a_branch_or_a_pull_request(condition: str, *, holds: bool) -> None:
    assert may_hold(condition, Scope()) is holds


@given(st.text(alphabet="${}'()|&=!.a1 \n", max_size=80))
def test_any_text_is_interpolated(text: str) -> None:
    interpolated(text, Scope())
    evaluated(text, Scope())


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["os", "include", "x"]), inner),
        max_leaves=15,
    )
)
def test_any_matrix_gives_cells(matrix: object) -> None:
    cells = cells_of(matrix)
    assert cells is None or chosen_cells(cells)


def test_yaml_that_aliases_itself_or_is_too_deep_is_read_or_left() -> None:
    assert isinstance(read_marked("a: &a [*a]\n"), dict)
    deep = "a: " + "\n".join(" " * n + "b:" for n in range(1, 300))
    for text in ("- " * 60_000 + "a", "? " * 60_000 + "a", deep, "a: [1"):
        with pytest.raises(UnreadableYamlError):
            read_marked(text)
    assert commands(read({CI: "on: push\njobs: &j\n  a: {steps: &s [{run: a}, *s, *j]}\n  b: *j\n"})) == ["a"]


def test_matrix_keeps_to_this_kind_of_machine() -> None:
    matrix = {"arch": ["arm64", "armhf", "amd64", "mips64el", "x86"], "build": ["debug", "release"]}
    cells = cells_of(matrix)
    assert cells is not None
    assert [cell["arch"] for cell in cells] == ["amd64", "amd64"]
    assert [cell["build"] for cell in chosen_cells(cells)] == ["debug", "release"]


def test_workflows_beyond_the_limit_are_named_and_not_read() -> None:
    start = "on: push\n" + "# a remark\n" * 9_000
    steps = {name: f"jobs: {{a: {{steps: [{{run: make {name}}}]}}}}\n" for name in "ab"}
    files = {f".github/workflows/ci-{name}.yml": start + jobs for name, jobs in steps.items()}
    trail = Trail()
    found = read_workflows(tree_of(files), trail)
    assert commands(found) == ["make a"]
    assert trail.warnings == (
        ".github/workflows/ci-b.yml and workflows after it are not read: those before it are too large together.",
    )


def test_an_action_that_cannot_be_read_is_warned_of() -> None:
    workflow = "on: push\njobs:\n  a:\n    steps:\n      - uses: ./.github/actions/setup\n      - run: make a\n"
    trail = Trail()
    found = read_workflows(tree_of({CI: workflow, ".github/actions/setup/action.yml": "runs:\n  steps: [\n"}), trail)
    assert commands(found) == ["make a"]
    (warning,) = trail.warnings
    assert warning.startswith(".github/actions/setup/action.yml:3 cannot be read")


def test_a_cell_of_a_matrix_names_the_folder_and_the_manifest() -> None:
    workflow = """on: push
jobs:
  a:
    strategy: {matrix: {folder: [., examples/web]}}
    steps:
      - run: cargo test --manifest-path ${{ matrix.folder }}/Cargo.toml --workspace
      - run: npm test
        working-directory: ${{ matrix.folder }}
"""
    found = [(seen.text, seen.folder) for job in read({CI: workflow}).jobs for seen in job.commands]
    assert ("cargo test --workspace", "") in found
    assert [folder for text, folder in found if text == "npm test"] == ["", "examples/web"]
