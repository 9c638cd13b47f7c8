"""Labels: what a worker offers."""

from __future__ import annotations

import pytest

from draftsman.domain.labels import covers, named, offered


@pytest.mark.parametrize(
    ("own", "os", "architecture", "all_of_them"),
    [
        ((), "linux", "amd64", ("linux", "amd64")),
        (("gpu", "linux"), "linux", "arm64", ("linux", "arm64", "gpu")),
        (("gpu",), "", "", ("gpu",)),
        ((), "Linux", "x86 64", ("linux",)),
    ],
)
def test_a_worker_offers_what_its_engine_is_and_what_it_was_given(
    own: tuple[str, ...], os: str, architecture: str, all_of_them: tuple[str, ...]
) -> None:
    assert offered(own, os=os, architecture=architecture) == all_of_them


def test_all_that_is_needed_must_be_offered() -> None:
    assert covers(("linux", "gpu"), ("gpu",))
    assert covers((), ())
    assert not covers(("linux", "gpu"), ("gpu", "arm64"))


def test_labels_are_named_in_order() -> None:
    assert named(("gpu",)) == "the label gpu"
    assert named(("gpu", "arm64", "big")) == "the labels arm64, big and gpu"
