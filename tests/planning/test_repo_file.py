"""`.draftsman.toml` stands between the profile and inference, and says nothing about the sandbox."""

from __future__ import annotations

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides, Tier, Tree
from orchestrator.planning.plan import make_plan
from orchestrator.planning.repo_file import named_dockerfile
from tests.planning.cases import TEMPLATES, tree_of

PYTHON = {"requirements.txt": "pytest\n", "test_app.py": "import pytest\n"}
NOTHING_SET = ProfileOverrides()


def plan(text: str, overrides: ProfileOverrides = NOTHING_SET, files: dict[str, str] = PYTHON) -> Plan:
    tree = tree_of({**files, ".draftsman.toml": text})
    more = {path: files[path].encode() for path in files if "Dockerfile" in path}
    tree = Tree(tree.paths, {**tree.contents, **more})
    return make_plan(tree, repo="octo/case", overrides=overrides, templates=TEMPLATES)


def places(made: Plan, decides: str) -> list[tuple[str | None, int | None, str]]:
    return [(one.file, one.line, one.rule) for one in made.evidence if one.decides == decides]


def test_it_sets_commands_and_the_evidence_names_its_lines() -> None:
    made = plan('# ours\nsetup = "make deps"\n\nfast = [\n  "make lint",\n]\nfull = []\ndependency_manager = "uv"\n')
    assert (made.profile.setup, made.profile.fast, made.profile.full) == ("make deps", ("make lint",), ())
    assert made.profile.dependency_manager == "uv"
    for decides, line in (("setup", 2), ("fast", 4), ("full", 7), ("dependency_manager", 8)):
        assert places(made, decides) == [(".draftsman.toml", line, "set in .draftsman.toml")]


def test_a_field_that_it_leaves_out_is_inferred() -> None:
    made = plan('fast = ["make lint"]\n')
    assert (made.profile.fast, made.profile.full) == (("make lint",), ("python -m pytest",))


def test_it_asks_for_submodules_and_lfs() -> None:
    made = plan("submodules = true\nlfs = true\n", ProfileOverrides(lfs=False))
    assert (made.profile.submodules, made.profile.lfs) == (True, False)
    assert places(made, "submodules") == [(".draftsman.toml", 1, "set in .draftsman.toml")]
    assert places(made, "lfs") == [(None, None, "set in the profile"), (".draftsman.toml", 2, "lost to the profile")]
    assert made.dockerfile == plan("").dockerfile, "the image is the same"


def test_the_profile_wins_field_by_field_and_the_evidence_says_what_lost() -> None:
    made = plan('fast = ["a"]\nfull = ["b"]\n', ProfileOverrides(fast=("mine",)))
    assert (made.profile.fast, made.profile.full) == (("mine",), ("b",))
    assert places(made, "fast") == [
        (None, None, "set in the profile"),
        (".draftsman.toml", 1, "lost to the profile"),
    ]


def test_a_changed_file_is_another_image() -> None:
    assert plan('setup = "a"\n').dockerfile == plan('setup = "a"\n# more\n').dockerfile
    assert plan('setup = "a"\n').dockerfile != plan('setup = "b"\n').dockerfile


OWN = {**PYTHON, "ci/Dockerfile": "FROM own\n", "other/Dockerfile": "FROM other\n"}


def test_it_names_a_dockerfile() -> None:
    made = plan('dockerfile = "ci/Dockerfile"\n', files=OWN)
    assert (made.dockerfile, made.profile.dockerfile) == ("FROM own\n", "ci/Dockerfile")
    assert (".draftsman.toml", 1, "set in .draftsman.toml") in places(made, "dockerfile")


def test_stage_and_arguments_have_evidence_without_values() -> None:
    made = plan('dockerfile = "ci/Dockerfile"\ndockerfile_target = "t"\n[build_args]\nA = "hush"\n', files=OWN)
    assert places(made, "dockerfile_target") == [(".draftsman.toml", 2, "set in .draftsman.toml")]
    assert places(made, "build_args") == [(".draftsman.toml", 3, "set in .draftsman.toml")]
    assert "hush" not in str(made.evidence)
    assert (made.profile.dockerfile_target, made.profile.build_args) == ("t", (("A", "hush"),))


def test_an_edited_dockerfile_is_built_and_the_generated_one_kept_beside_it() -> None:
    edited = ProfileOverrides(generated_dockerfile="FROM mine\n", dockerfile_mode="generate")
    made = plan('dockerfile = "ci/Dockerfile"\n', edited, OWN)
    assert made.dockerfile == "FROM mine\n"
    assert made.fallback == plan("").dockerfile
    assert places(made, "generated_dockerfile") == [(None, None, "set in the profile")]


def test_whoever_chooses_the_dockerfile_says_all_about_it() -> None:
    text = 'dockerfile = "ci/Dockerfile"\ndockerfile_target = "t"\n'
    made = plan(text, ProfileOverrides(dockerfile="other/Dockerfile", dockerfile_mode="path"), OWN)
    assert made.dockerfile == "FROM other\n"
    assert made.profile.dockerfile_target is None
    made = plan(text, ProfileOverrides(dockerfile_mode="generate"), OWN)
    assert made.profile.dockerfile is None


def test_a_dockerfile_that_is_not_there_is_named_with_the_line() -> None:
    with pytest.raises(PlanError, match=r"^\.draftsman\.toml:2: its dockerfile 'Docker' is not in this commit"):
        plan('setup = ""\ndockerfile = "Docker"\n')


@pytest.mark.parametrize("key", ["trust", "network", "cache_scope", "secrets", "limits", "generated_dockerfile"])
@pytest.mark.parametrize(
    "text", ['\n{} = "x"\n', '\n"{}".a = "x"\n', "\n[{}]\n", '\n[ {}.a ]\nb = "x"\n', "\n[[{}]]\n"]
)
def test_other_keys_are_refused_with_their_line_and_those_that_are_known(key: str, text: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(text.format(key))
    assert str(caught.value).startswith(f".draftsman.toml:2: {key}: this is no key")
    assert "setup, fast, full, dependency_manager" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("setup = \n", r"\.draftsman\.toml:1: this is not valid TOML"),
        ("\nfast = 'make lint'\n", r"\.draftsman\.toml:2: fast: This must be a list"),
        ("\n\nfast = ['a', '']\n", r"\.draftsman\.toml:3: fast\[1\]: This command is empty"),
        ("dockerfile = '../x'\n", r"\.draftsman\.toml:1: dockerfile: .*no `\.\.`"),
        ('dockerfile = "a\\nRUN evil"\n', r"\.draftsman\.toml:1: dockerfile: .*no backslash, line break"),
        ("dependency_manager = 'maven'", r"\.draftsman\.toml:1: dependency_manager: .*choose one of"),
        ("[build_args]\nA = 1\n", r"\.draftsman\.toml:1: build_args\.A: This must be a text"),
        ("dockerfile_mode = 'path'\n", r"\.draftsman\.toml:1: dockerfile: The mode `path` needs it"),
        ("setup = ''\nx = 1\ny = 2\n", r"\.draftsman\.toml:2: x: .*; \.draftsman\.toml:3: y: "),
        ("#" * 40_000, r"\.draftsman\.toml:1: this file has more than 32 KiB"),
        ("a." * 40 + "b = 1", r"\.draftsman\.toml:1: a key has more than"),
        ("x = " + "[" * 5000 + "]" * 5000, r"\.draftsman\.toml:1: this TOML holds nesting"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(text: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan(text)


def test_a_repository_says_which_files_count_and_the_profile_says_it_instead() -> None:
    said = 'fast = ["a"]\npaths = ["src/**"]\npaths_ignore = ["**/*.md"]\n'
    made = plan(said)
    assert (made.profile.paths, made.profile.paths_ignore) == (("src/**",), ("**/*.md",))
    shown = [(one.decides, one.value, one.line) for one in made.evidence if one.decides.startswith("paths")]
    assert shown == [("paths", "src/**", 2), ("paths_ignore", "**/*.md", 3)]
    made = plan(said, overrides=ProfileOverrides(paths=(), paths_ignore=("docs/**",)))
    assert (made.profile.paths, made.profile.paths_ignore) == ((), ("docs/**",))


def test_a_repository_says_what_may_fail_and_what_is_kept_and_nothing_of_its_limits() -> None:
    made = plan('fast = ["a", "b"]\nallow_failure = ["b"]\nartifacts = ["build/**/*.html"]\n')
    fast = [(step.command, step.may_fail) for step in made.steps if step.tier is Tier.FAST]
    assert fast == [("a", False), ("b", True)]
    assert made.profile.artifacts == ("build/**/*.html",)
    with pytest.raises(PlanError, match="limits: this is no key"):
        plan("[limits]\nmemory_mb = 100000\n")


def test_a_file_that_is_too_large_to_be_read_is_refused() -> None:
    tree = Tree(frozenset([".draftsman.toml"]), {})
    with pytest.raises(PlanError, match="more than 32 KiB"):
        make_plan(tree, repo="a/b", overrides=NOTHING_SET, templates=TEMPLATES)


def test_commands_with_line_breaks_reach_no_dockerfile() -> None:
    made = plan('setup = """\nmake deps\nRUN evil\n"""\nfast = ["x\\nRUN evil"]\n')
    assert "evil" not in made.dockerfile


def test_thousands_of_wrong_keys_are_an_error_that_can_be_read() -> None:
    with pytest.raises(PlanError) as caught:
        plan("\n".join(f"k{number}=1" for number in range(3500)))
    assert len(str(caught.value)) < 10_000


def test_the_dockerfile_to_read_is_found_beforehand() -> None:
    assert named_dockerfile(b'dockerfile = "ci/Dockerfile"\n') == "ci/Dockerfile"
    assert named_dockerfile(b'[build_args]\ndockerfile = "ci/Dockerfile"\n') is None
    for content in (None, b"", b"\xff\xfe", b"dockerfile = '../x'", b"dockerfile = ["):
        assert named_dockerfile(content) is None
