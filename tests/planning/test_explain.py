"""What `plan` and `plan --json` show."""

from __future__ import annotations

from draftsman.domain.plan import ProfileOverrides
from orchestrator.planning.explain import explain, lines
from orchestrator.planning.plan import make_plan
from tests.planning.cases import REPOS, TEMPLATES, read_tree

OVERRIDES = ProfileOverrides()
PLAN = make_plan(
    read_tree(REPOS / "python/uv-lock/repo", OVERRIDES), repo="octo/case", overrides=OVERRIDES, templates=TEMPLATES
)


def test_json_has_the_stable_shape() -> None:
    shown = explain(PLAN, "draftsman-runner/octo/case:0123456789ab", repo="octo/case", sha="a" * 40)
    assert list(shown) == ["repo", "sha", "profile", "toolchains", "dockerfile", "image_tag", "evidence"]
    assert shown["profile"] == {
        "dockerfile": None,
        "dependency_manager": "uv",
        "setup": "uv sync --frozen --group lint",
        "validation": {
            "fast": ["uv run --no-sync ruff check .", "uv run --no-sync ruff format --check ."],
            "full": ["uv run --no-sync pytest"],
        },
    }
    assert shown["toolchains"] == [{"ecosystem": "python", "version": "3.13", "image": "python:3.13-slim"}]
    assert set(shown["evidence"][0]) == {"decides", "file", "line", "value", "rule", "rule_id"}


def test_lines_show_each_section_with_file_line_value_and_rule() -> None:
    shown = lines(PLAN, "tag")
    for section in ("Image", "Setup", "Fast checks", "Full checks"):
        assert section in shown
    assert "    .python-version:1 3.13 - `.python-version` names it exactly: Python 3.13" in shown
    assert "  uv run --no-sync pytest" in shown


def test_lines_name_the_projects_of_several_folders_first() -> None:
    made = make_plan(
        read_tree(REPOS / "folders/backend-and-frontend/repo", OVERRIDES),
        repo="octo/case",
        overrides=OVERRIDES,
        templates=TEMPLATES,
    )
    assert lines(made, "tag")[:3] == ["Projects", "  backend - a python project", "  frontend - a node project"]
