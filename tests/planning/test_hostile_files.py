"""Files that are made to keep planning busy: each is planned, or refused in a sentence, in seconds."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides, Tree
from orchestrator.planning.explain import explain, lines
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, tree_of

pytestmark = pytest.mark.hostile

FILE = 512 * 1024
"""Bytes of the largest file that planning is given."""

INI = 64 * 1024 - 10
SECONDS = 8
"""Each took minutes or more; all take less than 3 s on a slow machine now."""

PYTHON = {"app.py": "", "test_a.py": "def test_a(): ..."}


def plan(files: dict[str, str]) -> Plan:
    return plan_tree(tree_of(files))


def plan_tree(tree: Tree) -> Plan:
    return make_plan(tree, repo="octo/case", overrides=ProfileOverrides(), templates=TEMPLATES)


def fill(unit: str, size: int = FILE) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def groups(count: int) -> str:
    """Dependency groups that all include each other."""
    names = [f"g{number}" for number in range(count)]
    every = ", ".join(f'{{include-group = "{name}"}}' for name in names)
    return "[dependency-groups]\n" + "".join(f'{name} = ["{name}", {every}]\n' for name in names)


def aliased(step: str) -> str:
    """A workflow of 50 jobs with 200 steps each, in a few hundred bytes."""
    jobs = "".join(f"  j{number}: *job\n" for number in range(49))
    steps = f"    steps: [&step {step}{', *step' * 199}]\n"
    return f"on: push\njobs:\n  a: &job\n{steps}{jobs}#{'x' * 50}\n" + "#\n" * 10_000


def workflow(commands: list[str]) -> str:
    steps = "".join(f"      - run: {command}\n" for command in commands)
    return f"on: push\njobs:\n  a:\n    steps:\n{steps}"


def workflows(text: str) -> dict[str, str]:
    return {f".github/workflows/{number}.yml": text for number in range(10)}


USES_BOTH = "{uses: ./.github/actions/a}, {uses: ./.github/actions/b}, "

SLOW: dict[str, dict[str, str]] = {
    "groups that include each other": {**PYTHON, "pyproject.toml": groups(60)},
    "dotted keys": {**PYTHON, "pyproject.toml": fill("a.", 64 * 1024) + "a = 1"},
    "dotted keys in quotes": {**PYTHON, "pyproject.toml": '"\\""."a".' * 8000 + "a = 1"},
    "dotted headers": {**PYTHON, "pyproject.toml": f"[{fill('a.', 128 * 1024)}a]"},
    "dotted keys just short enough": {
        **PYTHON,
        "pyproject.toml": "".join(f"k{n}.{'a.' * 28}b=1\n" for n in range(8000)),
    },
    "open strings and dots": {**PYTHON, "pyproject.toml": "#" + "a.b" * 40 + "\n" + fill('"""\\"')},
    "extras": {
        **PYTHON,
        "pyproject.toml": "[project.optional-dependencies]\n" + "".join(f'e{n} = ["mypy"]\n' for n in range(30_000)),
    },
    "blanks in a line of INI": {**PYTHON, "setup.cfg": f"[a]\nb{fill(' ', INI)}c"},
    "many blanks in lines of INI": {**PYTHON, "setup.cfg": "[a]\n" + fill(f"b{' ' * 99}c\n", INI)},
    "wrong lines of INI": {**PYTHON, "setup.cfg": "[a]\n" + fill("=x\n", INI)},
    "large INI": {**PYTHON, "setup.cfg": "[a]\n" + fill("=x\n")},
    "blank lines in hooks": {**PYTHON, ".pre-commit-config.yaml": fill("\n")},
    "blanks in hooks": {**PYTHON, ".pre-commit-config.yaml": fill(" ")},
    "blank lines in requirements": {**PYTHON, "requirements.txt": fill("\n")},
    "blank lines in tests": {"app.py": "", **{f"test_{number}.py": fill("\n") for number in range(20)}},
    "blank lines in .npmrc": {"package.json": "{}", "package-lock.json": "", ".npmrc": fill("\n")},
    "locks of no end": {
        "package.json": "{}",
        "yarn.lock": fill("__metadata:\n"),
        "pnpm-lock.yaml": fill("lockfileVersion: \n"),
        ".bun-version": fill("1."),
    },
    "patterns of workspaces": {
        "package.json": json.dumps({"workspaces": ["packages/" + "*a" * 40 + f"{n}" for n in range(5000)]}),
        **{f"packages/{'a' * 90}{n}/package.json": '{"scripts": {"test": "x"}}' for n in range(300)},
    },
    "dev containers": {"package.json": "{}", ".devcontainer.json": fill('"image": "' + "a/" * 60)},
    "scripts joined for ever": {
        "package.json": json.dumps({"scripts": {"test": "karma && " + "npm run a && " * 20_000, "a": "npm run test"}})
    },
    "members with tests": {
        "package.json": '{"workspaces": ["**"]}',
        **{
            f"p{n}/package.json": json.dumps({"scripts": {f"test{m}": fill("npm run test ", 2000) for m in range(200)}})
            for n in range(40)
        },
    },
    "versions of tools": {"package.json": "{}", ".tool-versions": fill("nodejs >=18.1 || ^3\n")},
    "aliased commands": {
        **PYTHON,
        **workflows(aliased('{run: "' + "\\n".join(f"flake8 x{number}" for number in range(50)) + '"}')),
    },
    "aliased versions": {
        "package.json": "{}",
        **workflows(aliased('{with: {node-version: "' + "\\n".join(f">={n}.1 <99" for n in range(20)) + '"}}')),
    },
    "flow of YAML": {**PYTHON, **workflows("[" * 40 + fill("a,", 31_000) + "]" * 40)},
    "nested YAML": {**PYTHON, **workflows("[" + ("[" * 200 + "]" * 200 + ",") * 75 + "]")},
    "many paths in commands": {
        **{f"{number}/a.py": "" for number in range(50_000)},
        "requirements.txt": "flake8\nmypy",
        ".github/workflows/a.yml": workflow([f"flake8 {'49999 ' * 28}x{number}" for number in range(130)]),
    },
    "scripts that call each other": {
        "package.json": json.dumps(
            {"scripts": {f"l{n}:lint": "run-s " + " ".join(f"l{m}:lint" for m in range(200)) for n in range(350)}}
        ),
        ".github/workflows/a.yml": workflow([f"npm run l{number}:lint" for number in range(350)]),
    },
    "matrices by alias": workflows(
        f"on: push\nx: &m {{{', '.join(f'k{n}: [1, 2, 3, 4]' for n in range(400))}}}\njobs:\n"
        + "".join(
            f"  j{n}: {{strategy: {{matrix: *m}}, steps: [{{run: 'a ${{{{ matrix.k1 }}}}'}}]}}\n" for n in range(50)
        )
    ),
    "actions that use each other": {
        **workflows(aliased("{uses: ./.github/actions/a}")),
        **{f".github/actions/{one}/action.yml": f"runs: {{steps: [{USES_BOTH * 30}]}}" for one in "ab"},
    },
    "groups in scripts": workflows(aliased('{run: "' + fill("x=(a ", 3000) + '"}')),
    "recipes that need each other": {
        ".github/workflows/a.yml": workflow([f"make t{number} t{number + 1}" for number in range(400)]),
        "Makefile": "".join(f"V{n} = x\nt{n}: all\n" for n in range(500))
        + "all:\n"
        + "\ta $(V1)\n\tb $(NONE)\n" * 3000,
    },
    "recipes of just": {
        "justfile": "test: "
        + " ".join(f"r{n}" for n in range(60))
        + "\n"
        + "".join(f"r{n}:\n" + "    a\n" * 60 for n in range(60))
    },
    "one script called often": {
        ".github/workflows/a.yml": workflow([f"./ci/a.sh {number}" for number in range(2000)]),
        "ci/a.sh": fill("a $b\n", 16_000),
    },
    "scripts that might rewrite": {
        "package.json": json.dumps({"scripts": {f"lint:{n}": fill(" prettier", 2000) for n in range(240)}}),
        ".github/workflows/a.yml": workflow([f"npm run lint:{number}" for number in range(240)]),
    },
}


@pytest.mark.parametrize("name", SLOW)
def test_files_made_to_be_slow_are_planned_or_refused_soon(name: str) -> None:
    tree = tree_of(SLOW[name])
    began = time.process_time()
    with suppress(PlanError):
        plan_tree(tree)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("pyproject.toml", f"[a]\n\n{'a.' * 31}a = 1\n", "pyproject.toml:3: a key has more than 30 parts"),
        ("pyproject.toml", f"d = '''\n\n'''\n[{'a . ' * 31}a]\n", "pyproject.toml:4: a key has more than 30 parts"),
        ("pyproject.toml", f"a = {'[' * 5000}", "pyproject.toml:1: this TOML holds nesting"),
        ("pyproject.toml", f"a = {'1' * 5000}", "pyproject.toml:1: this TOML holds nesting or numbers"),
        ("pyproject.toml", f"[project]\nrequires-python = 0x{'f' * 5000}\n", "pyproject.toml:2: 'a huge number'"),
        ("setup.cfg", f"[a]\nb{' ' * 300}c\n", "setup.cfg:2: this line has more than 100 blanks"),
        ("tox.ini", "[a]\n" + "b = c\n" * 20_000, "tox.ini:10924: this INI file has more than 64 KiB"),
        (
            "package.json",
            f'{{"engines":\n{{"node": {"[" * 900}{"]" * 900}}}}}',
            "package.json:2: `engines.node` 'a list'",
        ),
    ],
)
def test_absurd_files_are_refused_with_file_and_line(file: str, text: str, place: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan({**PYTHON, file: text})
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    "text",
    [
        f'description = """\n{"a." * 80}\n{"." * 200}\n"""\n',
        f"url = '{'a.' * 80}' # {'a.' * 80}\n",
        f"numbers = [{', '.join(['1.5'] * 200)}]\n",
        f'escaped = "\\"{"a." * 80}"\n',
        f"a.{'.'.join('b' * 28)} = 1\n",
    ],
)
def test_dots_outside_of_keys_are_no_fault(text: str) -> None:
    assert plan({**PYTHON, "pyproject.toml": f"[tool.a]\n{text}"}).profile.full == ("python -m pytest",)


def test_included_groups_count_with_all_that_they_include() -> None:
    toml = (
        '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "c"}, {include-group = "a"}]\n'
        'c = ["ruff"]\nd = ["sphinx", {include-group = "absent"}]\n'
    )
    made = plan({**PYTHON, "pyproject.toml": toml})
    assert made.profile.setup == "uv sync --group a --group b --group c && uv pip install pytest"
    assert made.profile.fast == ("uv run --no-sync ruff check .",)


def test_names_of_files_are_shown_without_what_a_terminal_obeys() -> None:
    paths = [
        "test_\udcff\x1b[31m\n.py",
        "requirements\u202e.py",
        "Dockerfile",
        "x/package.json",
        "\x9b\udc80/package.json",
    ]
    made = plan_tree(Tree(frozenset(paths), dict.fromkeys(paths, b"def test_a(): ...")))
    shown = [one.file for one in made.evidence if one.file]
    assert "test_\ufffd [31m .py" in shown
    assert "\ufffd/package.json" in shown
    written = "\n".join([*lines(made, "tag"), json.dumps(explain(made, "tag"), ensure_ascii=False)])
    assert all(line.isprintable() for line in written.splitlines())
    assert written.encode()


def test_first_line_of_tool_versions_decides() -> None:
    made = plan({**PYTHON, ".tool-versions": "python 3.12\npython 3.11\n"})
    assert made.toolchains[0].version == "3.12"


def test_test_behind_blank_lines_is_found_at_its_own_line() -> None:
    made = plan({"app.py": "", "test_a.py": "\n\n\n  import unittest\n"})
    assert any(one.file == "test_a.py" and one.line == 4 for one in made.evidence)


@pytest.mark.parametrize("path", ["package.json", "pyproject.toml", "setup.cfg", "server/package.json"])
def test_a_manifest_that_is_too_large_is_named(path: str) -> None:
    tree = Tree(frozenset({path, "tests/test_a.py"}), {}, unread=frozenset({path}))
    with pytest.raises(PlanError, match=f"^{path}:1: this file is too large"):
        make_plan(tree, repo="octo/case", overrides=ProfileOverrides(), templates=TEMPLATES)


RUBY = {"Gemfile": 'gem "rspec"\n', "spec/a_spec.rb": ""}
GO = {"go.mod": "module a\n", "a_test.go": ""}
RUST = {"Cargo.toml": '[package]\nname = "a"\n'}
SLOW_RUBY_GO_RUST: dict[str, dict[str, str]] = {
    "blocks of a Gemfile": {**RUBY, "Gemfile": fill(" do |" * 90 + "\n")},
    "blanks of a Gemfile": {**RUBY, "Gemfile": fill("group :" + " " * 90 + ", optional " + " " * 300 + "\n")},
    "blanks of a gemspec": {**RUBY, "a.gemspec": fill("s.required_ruby_version =" + " " * 400 + "\n")},
    "Gemfiles that Gemfiles load": {
        **RUBY,
        "Gemfile": "".join(f"eval_gemfile 'Gemfile.{number}'\n" for number in range(30)),
        **{f"Gemfile.{number}": fill("gem 'a'\n") for number in range(30)},
    },
    "lock of brackets": {**RUBY, "Gemfile.lock": "GEM\n" + fill("    " + "a" * 90 + " (" + "(" * 300 + "\n")},
    "blanks of a Rakefile": {**RUBY, "test/a_test.rb": "", "Rakefile": fill(" ")},
    "modules in many folders": {**GO, **{f"m{n}/{f}": "" for n in range(20_000) for f in ("go.mod", "a/b_test.go")}},
    "members of a workspace": {**GO, "go.work": "use (\n" + "".join(f"./a{n}\n" for n in range(20_000))},
    "names in a Cargo.lock": {**RUST, "Cargo.lock": fill('name = "a')},
    "flags of many tests": {
        **RUST,
        ".github/workflows/a.yml": workflow([f"cargo test {'--features a ' * 15}{n}" for n in range(150)]),
    },
}


@pytest.mark.parametrize("name", SLOW_RUBY_GO_RUST)
def test_files_of_ruby_go_and_rust_made_to_be_slow_are_planned_or_refused_soon(name: str) -> None:
    tree = tree_of(SLOW_RUBY_GO_RUST[name])
    began = time.process_time()
    with suppress(PlanError):
        plan_tree(tree)
    assert time.process_time() - began < SECONDS


def names(count: int) -> str:
    return ", ".join(f'"lint{number}"' for number in range(count))


SLOW_PYTHON: dict[str, dict[str, str]] = {
    "setup.py of brackets": {**PYTHON, "setup.py": f"x = {'(' * 90_000}"},
    "setup.py of sums": {**PYTHON, "setup.py": f"x = {'1+' * 40_000}1"},
    "setup.py of attributes": {**PYTHON, "setup.py": f"x = a{'.b' * 40_000}"},
    "setup.py of lists that double": {
        **PYTHON,
        "setup.py": "b0 = ['x']\n" + "".join(f"b{n + 1} = b{n} + b{n}\n" for n in range(900)),
    },
    "noxfile of runs": {**PYTHON, "noxfile.py": "@nox.session\ndef t(s):\n" + " s.run('x')\n" * 7000},
    "tox environments": {**PYTHON, "tox.ini": f"[tox]\nenvlist = {'{1,2,3,4,5,6,7,8}' * 2000}\n"},
    "tox braces": {**PYTHON, "tox.ini": f"[testenv]\ncommands = {fill('{posargs:', 60_000)}\n"},
    "tox conditions": {
        **PYTHON,
        "tox.ini": "[tox]\nenvlist = lint-{1,2,3,4,5,6,7,8,9}-{1,2,3,4,5,6,7,8,9,0}-{a,b}\n[testenv]\ncommands =\n"
        + "".join(f"    {'{a,b}' * 12}-x{n}: ruff check .\n" for n in range(700)),
    },
    "packages of a uv.lock": {
        **PYTHON,
        "uv.lock": fill('[[package]]\nname = "a"\ndependencies = [\n    { name = "b" },\n    { name = "a" },\n]\n'),
    },
    "scripts that include each other": {
        **PYTHON,
        "pyproject.toml": "[tool.hatch.envs.a.scripts]\n" + "".join(f"lint{n} = [{names(90)}]\n" for n in range(90)),
    },
    "tasks that include each other": {
        **PYTHON,
        "pyproject.toml": "[tool.poe.tasks]\n" + "".join(f"lint{n} = [{names(90)}]\n" for n in range(90)),
    },
    "requirements that include themselves": {**PYTHON, "requirements.txt": fill("-r requirements.txt\n")},
    "installs": {
        **PYTHON,
        "requirements.txt": fill("a\n"),
        ".github/workflows/a.yml": workflow([f"pip install {n} {'-r requirements.txt ' * 9}" for n in range(300)]),
    },
    "words of a developers' container": {**PYTHON, ".devcontainer.json": fill(f'"image": "{"a/" * 100}')},
}


@pytest.mark.parametrize("name", SLOW_PYTHON)
def test_python_file_that_is_made_to_be_slow_is_planned_or_refused_in_seconds(name: str) -> None:
    tree = tree_of(SLOW_PYTHON[name])
    before = time.process_time()
    with suppress(PlanError):
        plan_tree(tree)
    assert time.process_time() - before < SECONDS


GO_FILES = {"go.mod": "module a\n", **{f"p{number}/a_test.go": "" for number in range(3000)}}
RAILS_FILES = {"Gemfile": 'gem "rspec-rails"\ngem "sqlite3"\n', **{f"spec/{n}_spec.rb": "" for n in range(5000)}}
SLOW_COMPILED: dict[str, dict[str, str]] = {
    "tests in many parts": {
        **GO_FILES,
        ".github/workflows/a.yml": workflow(
            [f"go test {' '.join(f'./p{n}x{m}/...' for m in range(40))}" for n in range(200)]
        ),
    },
    "recipes that format": {
        **GO_FILES,
        "Makefile": "lint:\n" + "\tgofmt -s -x -l a a a\n" * 5000,
        ".github/workflows/a.yml": workflow(["make lint"]),
    },
    "files put in place": {
        **RAILS_FILES,
        ".github/workflows/a.yml": workflow([*(f"cp spec/* {n}/" for n in range(190)), "bundle exec rspec"]),
    },
    "gemspec of gems": {"a.gemspec": fill('s.add_dependency "a", [' + " " * 400), "spec/a_spec.rb": ""},
    "globs of a workspace": {
        "pyproject.toml": f"[tool.uv.workspace]\nmembers = [{', '.join(repr('*a' * 90 + 'b') for _ in range(50))}]\n",
        **{f"{'a' * 90}{n}/{file}": "" for n in range(9) for file in ("pyproject.toml", "Cargo.toml")},
    },
}


@pytest.mark.parametrize("name", SLOW_COMPILED)
def test_ruby_go_or_rust_file_that_is_made_to_be_slow_is_planned_or_refused_in_seconds(name: str) -> None:
    tree = tree_of(SLOW_COMPILED[name])
    before = time.process_time()
    with suppress(PlanError):
        plan_tree(tree)
    assert time.process_time() - before < SECONDS


BUILD_FILES = {
    "cmake-of-blanks": {"CMakeLists.txt": fill(" \t") + "enable_testing"},
    "cmake-of-calls": {"CMakeLists.txt": fill("include \n")},
    "automake-of-folders": {"Makefile.am": fill("SUBDIRS a\n"), "configure.ac": ""},
    "meson-of-folders": {"meson.build": fill("subdir  ")},
    "parallel-in-itself": workflows("on: push\njobs:\n  a:\n    steps: &s\n" + "      - parallel: *s\n" * 200),
    "shells-in-shells": workflows("on: push\njobs:\n  a:\n    steps:\n      - run: " + "bash -c " * 1500 + "x\n"),
}


@pytest.mark.parametrize("name", BUILD_FILES)
def test_build_files_and_steps_made_to_be_slow_are_planned_soon(name: str) -> None:
    began = time.process_time()
    assert plan(BUILD_FILES[name]).profile.full == ()
    assert time.process_time() - began < SECONDS


def test_what_a_job_installs_and_configures_brings_no_instruction_into_the_image() -> None:
    steps = (
        "\"./configure --x='|(id)>a' && make check\"",
        "\"sudo apt-get install -y libz-dev 'x;y-dev' $(z)-dev -o=a-dev\"",
        "\"cmake -B '$(id)' . && ctest\"",
    )
    jobs = "".join(f"      - run: {step}\n" for step in steps)
    made = plan(workflows(f"on: push\njobs:\n  a:\n    env: {{X: 'a;b', Y: a b}}\n    steps:\n{jobs}"))
    assert made.profile.full == ("Y='a b' make check",)
    assert "x;y" not in made.dockerfile
    assert made.profile.setup == "Y='a b' ./configure '--x=|(id)>a'"
    assert "libz-dev" in made.dockerfile
    assert "a-dev" not in made.dockerfile.replace("libz-dev", "")
