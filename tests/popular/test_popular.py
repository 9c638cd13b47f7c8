"""The list of popular repositories is well formed, and the comparer tells right plans from wrong ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from draftsman.domain.plan import Plan, Profile, Toolchain
from tests.popular.__main__ import as_json, lines, rows
from tests.popular.compare import accepts, judge, refused, share
from tests.popular.expectations import LISTS, Expectation, ListError, read
from tests.popular.mirrors import wrong_quotes
from tests.popular.plans import judge_all

_SHA = "0" * 40
_ENTRY = """
[equivalents]
"ruff check" = ['\\bruff check\\b(?!.*--fix)']
"hooks" = ['\\bpre-commit run\\b']
"pytest" = ['\\bpytest\\b']
"uv sync" = ['\\buv sync\\b']

[[repository]]
name = "octo/sample"
sha = "SHA"
why = "a test"
ecosystems = ["python"]
may = ["node"]
manager = { accepts = ["uv"], quote = "ci.yml:2: run: uv sync" }
versions = [
  { ecosystem = "python", accepts = ["3.10..3.13"], quote = 'ci.yml:1: python: ["3.10", "3.13"]' },
  { ecosystem = "node", accepts = [">=20"], quote = "ci.yml:1: python" },
]
setup = [{ is = ["uv sync"], quote = "ci.yml:2: run: uv sync" }]
tests = [{ is = ["pytest"], quote = "ci.yml:3: run: uv run pytest" }, { never = '\\btox\\b', quote = "ci.yml:3: run" }]
lint = [{ is = ["ruff check"], hook = true, quote = "ci.yml:4: run: uv run ruff check ." }]
"""
_WORKFLOW = 'python: ["3.10", "3.13"]\n  run: uv sync\n  run: uv run pytest -q\n  run: uv run ruff check .\n'
_PROJECT = """
[project]
name = "sample"
version = "1"
requires-python = ">=3.10"

[dependency-groups]
dev = ["pytest>=8", "ruff"]
"""


def _expectation(folder: Path, *, sha: str = _SHA, entry: str = _ENTRY) -> Expectation:
    file = folder / "list.toml"
    file.write_text(entry.replace("SHA", sha))
    return read(file)[0]


def _plan(
    *,
    toolchains: dict[str, str] | None = None,
    manager: str = "uv",
    setup: str = "uv sync --frozen",
    fast: tuple[str, ...] = ("uv run ruff check .",),
    full: tuple[str, ...] = ("uv run pytest",),
) -> Plan:
    chains = tuple(Toolchain(name, version, "") for name, version in (toolchains or {"python": "3.13"}).items())
    return Plan(Profile(None, manager, setup, fast, full), chains, "", (), ())


def test_the_list_is_of_the_form_that_it_describes_and_spans_every_ecosystem() -> None:
    expectations = read()
    assert len(expectations) >= 40
    assert len({one.name for one in expectations}) == len(expectations)
    assert {name for one in expectations for name in one.ecosystems} == {"python", "node", "bun", "ruby", "go", "rust"}
    managers = {manager for one in expectations for manager in one.managers}
    assert managers >= {"uv", "pip", "poetry", "pdm", "pipenv", "npm", "yarn", "pnpm", "bun", "bundler", "go", "cargo"}
    assert all(one.why for one in expectations)


def test_the_second_list_is_of_the_same_form_and_shares_nothing_with_the_first() -> None:
    first, second = read(), read(LISTS["second"])
    assert len(second) >= 16
    assert not {one.name for one in first} & {one.name for one in second}
    assert {name for one in second for name in one.ecosystems} == {"python", "node", "bun", "ruby", "go", "rust"}


def test_the_document_has_a_row_for_each_repository_at_its_commit() -> None:
    document = (Path(__file__).parents[2] / "docs/zero-config.md").read_text("utf-8")
    for one in (*read(), *read(LISTS["second"])):
        assert f"\n| {one.name}@{one.sha[:12]} |" in document, one.name


def test_a_row_of_the_document_says_what_differs_and_where_that_stands(tmp_path: Path) -> None:
    (row,) = rows([judge(_plan(full=("a | b",)), _expectation(tmp_path))])
    assert row == (
        f"| octo/sample@{_SHA[:12]} | right | differs | right | tests: expected pytest (ci.yml:3), planned a \\| b |"
    )


def test_a_right_plan_has_no_misses(tmp_path: Path) -> None:
    judgement = judge(_plan(), _expectation(tmp_path))
    assert judgement.misses == ()
    assert judgement.extra == ()
    assert all(judgement.right(part) for part in ("toolchain", "commands", "lint"))


@pytest.mark.parametrize(
    ("plan", "topic"),
    [
        (_plan(toolchains={"python": "3.14"}), "python version"),
        (_plan(toolchains={"ruby": "3.4"}), "ecosystems"),
        (_plan(toolchains={"python": "3.13", "ruby": "3.4"}), "ecosystems"),
        (_plan(toolchains={"python": "3.13", "node": "18"}), "node version"),
        (_plan(manager="pip"), "manager"),
        (_plan(setup="pip install -e ."), "setup"),
        (_plan(full=()), "tests"),
        (_plan(full=("uv run pytest", "tox run")), "tests"),
        (_plan(fast=("uv run ruff check --fix .",)), "lint and types"),
    ],
)
def test_a_difference_is_named_with_both_values(plan: Plan, topic: str, tmp_path: Path) -> None:
    (miss,) = judge(plan, _expectation(tmp_path)).misses
    assert miss.topic == topic
    assert miss.expected
    assert miss.quote.startswith("ci.yml:")
    assert miss.planned


def test_tests_in_the_fast_checks_are_no_full_checks(tmp_path: Path) -> None:
    plan = _plan(fast=("uv run ruff check .", "uv run pytest"), full=())
    assert [miss.topic for miss in judge(plan, _expectation(tmp_path)).misses] == ["tests"]


def test_the_hooks_stand_for_the_linter_that_is_one_of_them(tmp_path: Path) -> None:
    plan = _plan(fast=("uvx pre-commit run --all-files",))
    assert judge(plan, _expectation(tmp_path)).misses == ()


def test_a_toolchain_that_may_be_there_is_judged_where_it_is(tmp_path: Path) -> None:
    plan = _plan(toolchains={"python": "3.13", "node": "24"})
    assert judge(plan, _expectation(tmp_path)).misses == ()


def test_more_than_is_expected_is_listed_and_no_miss(tmp_path: Path) -> None:
    judgement = judge(_plan(fast=("uv run ruff check .", "uv run mypy")), _expectation(tmp_path))
    assert judgement.misses == ()
    assert judgement.extra == ("uv run mypy",)


def test_an_unjudged_part_leaves_the_percentages(tmp_path: Path) -> None:
    entry = _ENTRY[: _ENTRY.index("lint = ")] + 'unjudged = { lint = "nobody lints" }\n'
    judgements = [judge(_plan(fast=()), _expectation(tmp_path, entry=entry)), judge(_plan(), _expectation(tmp_path))]
    assert share(judgements, "lint") == (1, 1)
    assert share(judgements, "commands") == (2, 2)


def test_a_refused_repository_is_wrong_in_every_judged_part(tmp_path: Path) -> None:
    judgements = [
        refused("package.json:3: this is not valid JSON", _expectation(tmp_path)),
        judge(_plan(), _expectation(tmp_path)),
    ]
    assert [share(judgements, part) for part in ("toolchain", "commands", "lint")] == [(1, 2)] * 3
    assert any("refused: package.json:3" in line for line in lines(judgements))
    assert as_json(judgements)["percent"]["lint"] == {"right": 1, "judged": 2, "percent": 50.0}


@pytest.mark.parametrize(
    ("accepted", "version", "right"),
    [
        ("3.12", "3.12", True),
        ("3.12", "3.12.4", True),
        ("3.1", "3.12", False),
        ("3.10..3.14", "3.9", False),
        ("3.10..3.14", "3.14.2", True),
        ("3.10..3.14", "3.15", False),
        ("18..26", "24", True),
        ("18..26", "26.1.0", True),
        (">=1.88", "1.100", True),
        (">=1.88", "1.87.9", False),
        (">=1.88", "1", True),
        ("stable", "stable", True),
        ("3.12", "stable", False),
    ],
)
def test_versions(accepted: str, version: str, right: bool) -> None:
    assert accepts([accepted], version) is right


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("why = ", "reason = "), "unknown keys"),
        (('is = ["pytest"]', 'is = ["nose"]'), "no equivalents called"),
        (("ci.yml:3: run: uv run pytest", "uv run pytest"), "no quote"),
        (("lint = [", 'unjudged = { lint = "-" }\nlint = ['), "either expected or unjudged"),
        (('ecosystems = ["python"]', 'ecosystems = ["python", "go"]'), "no versions"),
        (("'\\bpytest\\b'", "'('"), "no pattern"),
    ],
)
def test_a_malformed_entry_is_named(change: tuple[str, str], says: str, tmp_path: Path) -> None:
    entry = _ENTRY.replace(*change)
    assert entry != _ENTRY
    with pytest.raises(ListError, match=says):
        _expectation(tmp_path, entry=entry)


def _mirror(folder: Path) -> str:
    """Make the bare repository of `octo/sample` and return its commit."""
    work = folder / "work"
    work.mkdir(parents=True)
    (work / "ci.yml").write_text(_WORKFLOW)
    (work / "sample.py").write_text("def one() -> int:\n    return 1\n")
    (work / "tests").mkdir()
    (work / "tests/test_sample.py").write_text("def test_one() -> None:\n    assert True\n")
    (work / "uv.lock").write_text('version = 1\nrequires-python = ">=3.10"\n')
    (work / "pyproject.toml").write_text(_PROJECT)
    person = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for arguments in (("init", "-q"), ("add", "."), (*person, "commit", "-qm", "sample")):
        subprocess.run(["git", *arguments], cwd=work, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(folder / "octo+sample")], check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=work, check=True, capture_output=True, text=True)
    return head.stdout.strip()


async def test_a_mirror_is_planned_and_its_quotes_are_checked(tmp_path: Path) -> None:
    mirrors = tmp_path / "mirrors"
    sha = _mirror(mirrors)
    expectation = _expectation(tmp_path, sha=sha)
    (judgement,) = await judge_all(mirrors, [expectation])
    assert judgement.refused == ""
    assert judgement.right("toolchain")
    assert judgement.right("commands")
    assert json.loads(json.dumps(as_json([judgement])))["repositories"][0]["sha"] == sha
    assert await wrong_quotes(mirrors, [expectation]) == []
    wrong = _expectation(tmp_path, sha=sha, entry=_ENTRY.replace("ci.yml:2: run: uv", "ci.yml:2: run: pip"))
    assert len(await wrong_quotes(mirrors, [wrong])) == 2


async def test_a_missing_mirror_or_commit_is_no_miss_of_the_plan(tmp_path: Path) -> None:
    mirrors = tmp_path / "mirrors"
    _mirror(mirrors)
    with pytest.raises(ListError, match="does not hold"):
        await judge_all(mirrors, [_expectation(tmp_path)])
    with pytest.raises(ListError, match="no bare repository"):
        await judge_all(tmp_path / "nowhere", [_expectation(tmp_path)])
