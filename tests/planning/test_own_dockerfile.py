"""Which Dockerfile a plan takes: set, inferred, generated or edited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from draftsman.domain.errors import PlanError
from draftsman.domain.plan import Plan, ProfileOverrides
from orchestrator.planning.plan import make_plan
from tests.planning.cases import TEMPLATES, tree_of

OWN = "FROM python:3.12-slim AS base\nRUN pip install uv\nFROM base AS test\n"
FILES = {"requirements.txt": "pytest\n", "test_a.py": "def test_a():\n    pass\n", "Dockerfile": OWN}


def _plan(overrides: ProfileOverrides, files: dict[str, str] | None = None, repo: str = "a/b") -> Plan:
    return make_plan(tree_of(files or FILES), repo=repo, overrides=overrides, templates=TEMPLATES)


def test_auto_takes_a_fit_one_and_has_a_generated_one_to_fall_back_on() -> None:
    made = _plan(ProfileOverrides())
    assert (made.profile.dockerfile, made.dockerfile, made.inferred_dockerfile) == ("Dockerfile", OWN, True)
    generated = _plan(ProfileOverrides(dockerfile_mode="generate"))
    assert generated.profile.dockerfile is None
    assert generated.fallback is None
    assert not generated.inferred_dockerfile
    assert made.fallback is not None
    assert made.fallback.splitlines()[4:] == generated.dockerfile.splitlines()[4:]


def test_one_that_is_set_is_taken_however_fit_with_its_target_and_arguments() -> None:
    files = FILES | {"ci/Dockerfile": "FROM scratch\n"}
    made = _plan(
        ProfileOverrides(dockerfile="ci/Dockerfile", dockerfile_target="test", build_args=(("A", "1"),)), files
    )
    assert (made.dockerfile, made.inferred_dockerfile) == ("FROM scratch\n", False)
    assert (made.profile.dockerfile_target, made.profile.build_args) == ("test", (("A", "1"),))
    assert made.fallback is not None
    assert made.fallback.startswith("# Auto-generated")


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ProfileOverrides(dockerfile="../Dockerfile"),
            "'../Dockerfile' is not in this commit: it leaves the repository",
        ),
        (ProfileOverrides(dockerfile="a/../../x"), "leaves the repository"),
        (ProfileOverrides(dockerfile="/etc/passwd"), "leaves the repository"),
        (ProfileOverrides(dockerfile="absent"), "'absent' is not in this commit as a file"),
        (ProfileOverrides(dockerfile_mode="path"), "dockerfile is not set, though its dockerfile_mode is `path`"),
        (
            ProfileOverrides(dockerfile="Dockerfile", dockerfile_target="a\nRUN b"),
            "dockerfile_target .* name of a stage",
        ),
        (
            ProfileOverrides(dockerfile="Dockerfile", build_args=(("BUILDKIT_SYNTAX", "x"),)),
            "build_args cannot be used",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_named(overrides: ProfileOverrides, says: str) -> None:
    with pytest.raises(PlanError, match=f"The profile's .*{says}"):
        _plan(overrides)


def test_an_edited_one_is_kept_and_flagged_when_the_hints_move_on() -> None:
    generated = _plan(ProfileOverrides(dockerfile_mode="generate"))
    edited = generated.dockerfile + "RUN apt-get install -y something\n"
    kept = _plan(ProfileOverrides(generated_dockerfile=edited))
    assert (kept.dockerfile, kept.profile.dockerfile, kept.warnings) == (edited, None, ())
    assert kept.fallback == generated.dockerfile
    moved = _plan(ProfileOverrides(generated_dockerfile=edited), FILES | {".python-version": "3.11\n"})
    assert moved.dockerfile == edited
    (warning,) = moved.warnings
    assert "was edited, and what it was generated from has changed since" in warning
    unknown = _plan(ProfileOverrides(generated_dockerfile="FROM a\n"))
    assert (unknown.dockerfile, unknown.warnings) == ("FROM a\n", ())


def test_a_dockerfile_whose_stages_name_the_toolchain_only_elsewhere_is_generated() -> None:
    text = "FROM python:3.12 AS build\nRUN make\nFROM debian\nCOPY --from=build /site /site\n"
    assert _plan(ProfileOverrides(), FILES | {"Dockerfile": text}).profile.dockerfile is None
    through = text.replace("FROM debian", "FROM build")
    assert _plan(ProfileOverrides(), FILES | {"Dockerfile": through}).profile.dockerfile == "Dockerfile"


@pytest.mark.hostile
@pytest.mark.parametrize(
    "text", ["", "FROM", "RUN x\n", "FROM a\n\x00", "{", "FROM a\nRUN <<${X#y}\n", "FROM a\n" * 50_000]
)
def test_a_broken_one_is_never_more_than_a_reason(text: str) -> None:
    made = _plan(ProfileOverrides(), FILES | {"Dockerfile": text})
    assert replace(made.profile).dockerfile is None
    assert any("considered, not used" in one.rule for one in made.evidence)
