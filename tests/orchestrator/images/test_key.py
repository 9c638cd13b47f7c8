"""Image keys and tags."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.images.key import image_key, image_tag

# The grammar of distribution/reference: components of a name, then a tag.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}")

OWNERS = st.from_regex(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,18}", fullmatch=True)
NAMES = st.text("abzABZ019._-", min_size=1, max_size=100).filter(lambda name: name not in (".", ".."))

BASE: dict[str, Any] = {
    "dockerfile": "FROM x",
    "layer_version": "1",
    "ca_bundle": None,
    "build_args": {"A": "1"},
    "target": None,
    "platform": None,
    "context_digest": "",
}


def test_the_key_is_stable() -> None:
    assert image_key(**BASE) == image_key(**BASE)
    assert re.fullmatch(r"[0-9a-f]{64}", image_key(**BASE))


def test_the_order_of_build_args_does_not_count() -> None:
    one = image_key(**BASE | {"build_args": {"A": "1", "B": "2"}})
    assert one == image_key(**BASE | {"build_args": {"B": "2", "A": "1"}})


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("dockerfile", "FROM y"),
        ("layer_version", "2"),
        ("ca_bundle", b""),
        ("build_args", {"A": "2"}),
        ("target", ""),
        ("platform", "linux/arm64"),
        ("context_digest", "0"),
        ("path", "Dockerfile"),
        ("image_prefix", "mirror.example/"),
        ("programs", ("node",)),
    ],
)
def test_every_part_counts(part: str, value: object) -> None:
    assert image_key(**BASE) != image_key(**BASE | {part: value})


def test_a_plain_name_stays_readable() -> None:
    assert image_tag("Acme/Shopify-App", "a1b2c3d4e5f6" + "0" * 52) == "draftsman-runner/acme/shopify-app:a1b2c3d4e5f6"


@given(OWNERS, NAMES)
def test_every_name_that_github_allows_gives_a_legal_reference(owner: str, name: str) -> None:
    tag = image_tag(f"{owner}/{name}", "0" * 64, prefix="draftsman-base")
    assert _REFERENCE.fullmatch(tag)
    assert len(tag) <= 255


@given(OWNERS, NAMES, OWNERS, NAMES)
def test_two_repositories_never_share_a_tag(owner: str, name: str, other_owner: str, other_name: str) -> None:
    one, other = f"{owner}/{name}", f"{other_owner}/{other_name}"
    assume(one.lower() != other.lower())
    assert image_tag(one, "0" * 64) != image_tag(other, "0" * 64)


@given(NAMES)
def test_a_name_cannot_take_the_form_of_a_spelled_one(name: str) -> None:
    spelled = image_tag(f"acme/{name}", "0" * 64).split("/")[2].split(":")[0]
    if spelled != name.lower():
        assert image_tag(f"acme/{spelled}", "0" * 64) != image_tag(f"acme/{name}", "0" * 64)


def test_case_does_not_make_another_repository() -> None:
    assert image_tag("Acme/_X", "0" * 64) == image_tag("acme/_x", "0" * 64)


@pytest.mark.parametrize("name", ["", "acme", "/x", "acme/", "a/b/c"])
def test_what_is_no_repository_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        image_tag(name, "0" * 64)
