"""What a profile's fields may hold, and what goes together."""

from __future__ import annotations

from typing import Any

import pytest

from draftsman.domain.plan import ProfileOverrides
from draftsman.domain.profile import RepoProfile
from draftsman.domain.profile_rules import ProfileError, edited, is_repository, replaced

EMPTY = RepoProfile("acme/widgets")


def errors_of(given: dict[str, Any], profile: RepoProfile = EMPTY) -> list[tuple[str, str]]:
    with pytest.raises(ProfileError) as caught:
        edited(profile, given)
    return [(error.field, error.detail) for error in caught.value.errors]


def test_what_is_set_overrides_and_the_rest_is_inferred() -> None:
    profile = replaced(
        EMPTY,
        {
            "setup": "uv sync\nuv pip install extra",
            "fast": [],
            "full": ["pytest -q"],
            "dependency_manager": "uv",
            "dockerfile": "ci/My Dockerfile",
            "dockerfile_target": "test",
            "build_args": {"Z": "", "A": "1 2"},
            "submodules": True,
            "lfs": False,
        },
    )
    assert profile.overrides() == ProfileOverrides(
        dockerfile="ci/My Dockerfile",
        dependency_manager="uv",
        setup="uv sync\nuv pip install extra",
        fast=(),
        full=("pytest -q",),
        dockerfile_mode="path",
        dockerfile_target="test",
        build_args=(("A", "1 2"), ("Z", "")),
        submodules=True,
        lfs=False,
    )
    assert replaced(profile, {}).overrides() == ProfileOverrides()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("dockerfile", "../Dockerfile", "`..`"),
        ("dockerfile", "ci/../../Dockerfile", "`..`"),
        ("dockerfile", "/etc/Dockerfile", "absolute"),
        ("dockerfile", "ci\\Dockerfile", "backslash"),
        ("dockerfile", "Dockerfile\nRUN evil", "line break"),
        ("dockerfile", "Dockerfile\x85", "control"),
        ("dockerfile", "ci//Dockerfile", "empty part"),
        ("dockerfile", " ", "empty"),
        ("dockerfile", "d" * 1001, "1,001 characters"),
        ("dockerfile", 7, "path of a file"),
        ("dockerfile_mode", "always", "auto, path, generate"),
        ("dockerfile_target", "a b", "stage"),
        ("dockerfile_target", "--privileged", "stage"),
        ("dependency_manager", "maven", "poetry"),
        ("dependency_manager", None, "a text"),
        ("setup", "a\x00b", "control character"),
        ("setup", "\ud800", "surrogate"),
        ("setup", ["uv sync"], "as a text"),
        ("fast", "make lint", "list of commands"),
        ("fast", [f"make {number}" for number in range(51)], "51 commands"),
        ("build_args", ["A=1"], "names with their values"),
        ("build_args", {f"A{number}": "" for number in range(51)}, "51 build arguments"),
        ("generated_dockerfile", "RUN make\n", "no FROM"),
        ("generated_dockerfile", "", "no FROM"),
        ("generated_dockerfile", "FROM a\n" + "#" * 100_000, "100,000"),
        ("submodules", "true", "true or false"),
        ("lfs", 1, "true or false"),
        ("network", "host", "no field of a profile"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(field: str, value: Any, says: str) -> None:
    [(named, detail)] = errors_of({field: value})
    assert named == field
    assert says in detail


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"full": ["pytest", ""]}, "full[1]"),
        ({"full": ["pytest", 7]}, "full[1]"),
        ({"fast": ["x" * 10_001]}, "fast[0]"),
        ({"build_args": {"1A": "x"}}, "build_args.1A"),
        ({"build_args": {"A": "x\ny"}}, "build_args.A"),
        ({"build_args": {"A": 1}}, "build_args.A"),
    ],
)
def test_the_place_inside_a_field_is_named(given: dict[str, Any], named: str) -> None:
    assert [field for field, _ in errors_of(given)] == [named]


def test_all_that_is_wrong_is_said_at_once() -> None:
    given = {"dockerfile": "../x", "dependency_manager": "maven", "fast": [""], "trust": True}
    assert [field for field, _ in errors_of(given)] == ["dockerfile", "dependency_manager", "fast[0]", "trust"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"dockerfile_mode": "path"}, ["dockerfile"]),
        ({"dockerfile_mode": "generate", "dockerfile": "Dockerfile"}, ["dockerfile_mode"]),
        ({"dockerfile_mode": "auto", "dockerfile": "Dockerfile"}, ["dockerfile_mode"]),
        ({"dockerfile": "Dockerfile", "generated_dockerfile": "FROM a"}, ["generated_dockerfile"]),
        ({"dockerfile_mode": "auto", "generated_dockerfile": "FROM a"}, ["dockerfile_mode"]),
        (
            {"dockerfile_mode": "generate", "dockerfile_target": "x", "build_args": {"A": ""}},
            ["dockerfile_target", "build_args"],
        ),
    ],
)
def test_fields_that_do_not_go_together_are_refused(given: dict[str, Any], named: list[str]) -> None:
    assert [field for field, _ in errors_of(given)] == named


def test_a_single_change_is_checked_against_what_is_set_already() -> None:
    profile = replaced(EMPTY, {"dockerfile": "Dockerfile", "dockerfile_mode": "path", "fast": ["make lint"]})
    with pytest.raises(ProfileError, match="mode `path` needs it"):
        edited(profile, {}, ["dockerfile"])
    cleared = edited(profile, {}, ["dockerfile", "dockerfile_mode"])
    assert dict(cleared.explicit) == {"fast": ("make lint",)}
    with pytest.raises(ProfileError, match="no field"):
        edited(profile, {}, ["speed"])


def test_the_mode_follows_what_is_set() -> None:
    assert replaced(EMPTY, {"dockerfile": "Dockerfile"}).mode == "path"
    assert replaced(EMPTY, {"generated_dockerfile": "FROM a\r\n"}).overrides() == ProfileOverrides(
        dockerfile_mode="generate", generated_dockerfile="FROM a\n"
    )
    assert replaced(EMPTY, {"dockerfile_mode": "auto"}).explicit == {}


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("acme/widgets", True),
        ("a-b_c/.github", True),
        ("acme", False),
        ("acme/", False),
        ("acme/..", False),
        ("acme/a/b", False),
        ("-acme/a", False),
        ("acme/a b", False),
        ("acme/a\n", False),
    ],
)
def test_names_of_repositories(name: str, possible: bool) -> None:
    assert is_repository(name) is possible
