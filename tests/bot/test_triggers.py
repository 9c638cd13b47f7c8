"""The table of events: what each payload calls for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.triggers import Rules, decide
from draftsman.domain.run import Ref, RefKind, Trust

RULES = Rules("https://github.example/", ("[skip ci]", "[skip draftsman]"))
SHA = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
REPOSITORY = {
    "id": 7,
    "full_name": "acme/widgets",
    "default_branch": "main",
    "private": True,
    "clone_url": "https://evil.example/acme/widgets.git",
}


def push(**fields: Any) -> dict[str, Any]:
    return {
        "ref": "refs/heads/feature/x",
        "after": SHA,
        "deleted": False,
        "head_commit": {"message": "Change"},
        "repository": REPOSITORY,
        "installation": {"id": 3},
        **fields,
    }


def pull_request(action: str = "opened", head: Any = None, **fields: Any) -> dict[str, Any]:
    head = {"sha": SHA, "repo": {"id": 7}} if head is None else head
    return {
        "action": action,
        "pull_request": {"number": 12, "draft": False, "head": head, **fields},
        "repository": REPOSITORY,
        "installation": {"id": 3},
    }


def test_a_push_runs_its_newest_commit() -> None:
    wanted = decide("push", push(), RULES).wanted
    assert wanted is not None
    assert (wanted.head_sha, wanted.trust) == (SHA, Trust.TRUSTED)
    assert wanted.ref == Ref(RefKind.BRANCH, "feature/x")
    assert wanted.repository.installation_id == 3


def test_the_clone_url_is_never_the_payloads() -> None:
    wanted = decide("push", push(), RULES).wanted
    assert wanted is not None
    assert wanted.repository.clone_url == "https://github.example/acme/widgets.git"


@pytest.mark.parametrize("name", ["../widgets", "acme/..", "acme/w?x", "acme", "a/b/c", "acme/w\n", "@evil/x", "a/%2e"])
def test_a_name_that_is_none_builds_no_url(name: str) -> None:
    decision = decide("push", push(repository=REPOSITORY | {"full_name": name}), RULES)
    assert decision.wanted is None
    assert "repository.full_name" in decision.text


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (push(ref="refs/tags/v1"), "tags start no run"),
        (push(ref="refs/notes/x"), "other than a branch"),
        (push(after="0" * 40), "deleted"),
        (push(deleted=True), "deleted"),
        (push(head_commit={"message": "docs [Skip CI]"}), "[skip ci]"),
        (push(after="main"), "`after`"),
        (push(ref="refs/heads/"), "other than a branch"),
    ],
)
def test_pushes_that_start_nothing_say_why(payload: dict[str, Any], reason: str) -> None:
    decision = decide("push", payload, RULES)
    assert decision.wanted is None
    assert reason in decision.text


def test_a_push_without_a_head_commit_runs() -> None:
    assert decide("push", push(head_commit=None), RULES).wanted is not None


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_actions_that_bring_a_commit_run_it(action: str) -> None:
    wanted = decide("pull_request", pull_request(action), RULES).wanted
    assert wanted is not None
    assert (wanted.head_sha, wanted.ref, wanted.trust) == (SHA, Ref(RefKind.PULL_REQUEST, "12"), Trust.TRUSTED)


@pytest.mark.parametrize("action", ["closed", "labeled", "edited", "converted_to_draft", "review_requested", "x"])
def test_other_actions_run_nothing(action: str) -> None:
    assert decide("pull_request", pull_request(action), RULES).wanted is None


def test_a_draft_waits_until_it_is_ready() -> None:
    decision = decide("pull_request", pull_request(draft=True), RULES)
    assert decision.wanted is None
    assert "draft" in decision.text


@pytest.mark.parametrize("repo", [{"id": 8}, None, {}], ids=["fork", "deleted fork", "no id"])
def test_the_head_of_a_fork_is_untrusted(repo: Any) -> None:
    wanted = decide("pull_request", pull_request(head={"sha": SHA, "repo": repo}), RULES).wanted
    assert wanted is not None
    assert wanted.trust is Trust.UNTRUSTED


@pytest.mark.parametrize("event", ["ping", "sponsorship", "workflow_run"])
def test_other_events_are_recorded_only(event: str) -> None:
    decision = decide(event, push(), RULES)
    assert decision.wanted is None
    assert decision.text.startswith("nothing: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    (),
    ("repository",),
    *((("repository", name)) for name in ("id", "full_name", "default_branch", "private")),
    ("installation",),
    ("installation", "id"),
    *((name,) for name in ("ref", "after", "deleted", "head_commit", "action", "pull_request")),
    ("head_commit", "message"),
    *((("pull_request", name)) for name in ("number", "draft", "head")),
    *((("pull_request", "head", name)) for name in ("sha", "repo")),
    ("pull_request", "head", "repo", "id"),
]


@given(st.sampled_from(["push", "pull_request"]), st.sampled_from(PLACES), JSON)
def test_a_hostile_payload_is_decided_never_raised(event: str, place: tuple[str, ...], hostile: Any) -> None:
    payload: Any = json.loads(json.dumps({**push(), **pull_request()}))
    if place:
        inner = payload
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = hostile
    elif isinstance(hostile, dict):
        payload = hostile
    decision = decide(event, payload, RULES)
    assert decision.text
    if decision.wanted:
        assert isinstance(decision.wanted.repository.id, int)
        assert 0 < decision.wanted.repository.id < 2**63


def test_a_branch_of_the_merge_queue_that_is_deleted_ends_its_entry() -> None:
    gone = push(ref="refs/heads/gh-readonly-queue/main/pr-1-abc", deleted=True, after="0" * 40)
    [task] = decide("push", gone, RULES).tasks
    assert (task.kind, task.detail["kind"]) == ("follow", "merge_group")


def test_a_requested_check_suite_is_looked_at_before_anything_runs_trusted() -> None:
    suite = {"head_sha": SHA, "head_branch": "main", "app": {"id": 5}, "head_commit": None}
    payload = {"action": "requested", "check_suite": suite, "repository": REPOSITORY}
    decision = decide("check_suite", payload, replace(RULES, app_id="5"))
    assert decision.wanted is None
    assert [(task.kind, task.detail.get("action")) for task in decision.tasks] == [("rerun", "start"), ("follow", None)]
    assert decide("check_suite", payload, replace(RULES, app_id="6")).tasks == ()
