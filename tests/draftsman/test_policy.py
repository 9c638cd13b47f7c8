"""A repository's policy, as JSON and as a person sets it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.labels import MOST_LABELS
from draftsman.domain.policy import DEFAULTS, FIELDS, MOST_TRUSTED, SWITCHES, ApprovalPolicy, PolicyError, policy_value


def test_what_holds_where_nobody_sets_anything() -> None:
    assert DEFAULTS.document() == {
        "approval": "approve-first-time",
        "trusted": [],
        "merge_testing": False,
        "run_drafts": False,
        "run_tags": False,
        "supersede": True,
        "supersede_default_branch": False,
        "runs_on": [],
    }


def test_a_document_is_taken_back() -> None:
    changed = DEFAULTS.changed({"approval": "Open", "trusted": "@Octocat, acme/Core renovate[bot]", "run_tags": "true"})
    assert changed.approval is ApprovalPolicy.OPEN
    assert changed.trusted == ("octocat", "acme/core", "renovate[bot]")
    assert changed.run_tags
    assert changed.changed({"runs_on": "GPU, arm64"}).runs_on == ("gpu", "arm64")
    assert DEFAULTS.changed(changed.document()) == changed


def test_an_entry_counts_once() -> None:
    assert policy_value("trusted", ["a", "A", "@a"]) == ("a",)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("approval", "sometimes", "approve-first-time, approve-all, open, never"),
        ("approval", None, "approve-first-time"),
        ("trusted", ["octo cat"], "'octo cat' is neither"),
        ("trusted", ["acme/core/x"], "is neither"),
        ("trusted", ["acme/renovate[bot]"], "is neither"),
        ("trusted", ["-x"], "is neither"),
        ("trusted", ["é"], "is neither"),
        ("trusted", ["a\n"], None),
        ("trusted", [7], "is neither"),
        ("trusted", ["ghost"], "deleted their account"),
        ("trusted", {"a": 1}, "must be a list"),
        ("trusted", [f"u{number}" for number in range(MOST_TRUSTED + 1)], f"{MOST_TRUSTED} entries"),
        ("runs_on", ["gpu", "two words"], "'two words' is no label"),
        ("runs_on", [""], "is no label"),
        ("runs_on", {"gpu": True}, "must be a list"),
        ("runs_on", [f"l{number}" for number in range(MOST_LABELS + 1)], f"{MOST_LABELS} labels"),
        ("run_tags", "maybe", "true or false"),
        ("run_tags", 1, "true or false"),
        ("supersede", None, "true or false"),
        ("colour", "red", "there is no such field"),
    ],
)
def test_what_is_wrong_is_named(field: str, value: object, says: str | None) -> None:
    if says is None:
        assert policy_value(field, value) == ("a",)
        return
    with pytest.raises(PolicyError, match=field) as caught:
        DEFAULTS.changed({field: value})
    assert says in str(caught.value)


JSON = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=10) | st.integers(), max_size=3)
)


@given(st.sampled_from(FIELDS) | st.text(max_size=10), JSON)
def test_anything_else_is_refused_with_a_sentence(field: str, value: object) -> None:
    refusal = ""
    try:
        found = policy_value(field, value)
    except PolicyError as error:
        refusal = str(error)
    if refusal:
        assert refusal.isprintable()
    else:
        assert field in FIELDS
        assert isinstance(found, bool) == (field in SWITCHES)
