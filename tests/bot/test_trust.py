"""Who may do what, which pull requests wait, and what an approval is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import Verb
from bot.trust import (
    Approved,
    Asker,
    Permission,
    Refused,
    Waits,
    approve,
    is_listed,
    listed_people,
    listed_teams,
    may,
    needs_approval,
    permission_of,
)
from draftsman.domain.policy import DEFAULTS, ApprovalPolicy, RepoPolicy

OLD, NEW = "a1b2c3d" + "0" * 33, "d4e5f6a" + "1" * 33


@pytest.mark.parametrize(
    ("permission", "role", "expected"),
    [
        ("admin", "admin", Permission.ADMIN),
        ("write", "maintain", Permission.MAINTAIN),
        ("write", "write", Permission.WRITE),
        ("read", "triage", Permission.TRIAGE),
        ("read", "read", Permission.READ),
        ("none", "none", Permission.NONE),
        ("write", "release-captain", Permission.WRITE),
        ("read", "maintain", Permission.READ),
        ("read", "admin", Permission.READ),
        ("write", "", Permission.WRITE),
        ("owner", "admin", Permission.NONE),
        ("", "", Permission.NONE),
    ],
)
def test_permission_is_what_github_says(permission: str, role: str, expected: Permission) -> None:
    assert permission_of(permission, role) is expected


def allowed(permission: Permission, *, is_author: bool, pull_allowed: bool) -> set[str]:
    asker = Asker("stranger", "acme/widgets", permission, is_author)
    return {str(verb) for verb in Verb if may(verb, asker, pull_allowed=pull_allowed) is None}


@pytest.mark.parametrize("permission", [Permission.WRITE, Permission.MAINTAIN, Permission.ADMIN])
@pytest.mark.parametrize("pull_allowed", [True, False])
def test_whoever_may_write_may_do_everything(permission: Permission, pull_allowed: bool) -> None:
    assert allowed(permission, is_author=False, pull_allowed=pull_allowed) == set(map(str, Verb))


@pytest.mark.parametrize("permission", [Permission.READ, Permission.TRIAGE])
def test_what_is_left_for_others(permission: Permission) -> None:
    author = {"test", "cancel", "plan", "logs", "help"}
    assert allowed(permission, is_author=True, pull_allowed=True) == author
    assert allowed(permission, is_author=True, pull_allowed=False) == {"cancel", "help"}
    assert allowed(permission, is_author=False, pull_allowed=True) == {"help"}
    assert allowed(permission, is_author=False, pull_allowed=False) == {"help"}


@pytest.mark.parametrize("is_author", [True, False])
def test_without_access_nothing_is_left(is_author: bool) -> None:
    assert allowed(Permission.NONE, is_author=is_author, pull_allowed=True) == set()


def refusal(verb: Verb, permission: Permission = Permission.READ, **fields: Any) -> str:
    asker = Asker("stranger", "acme/widgets", permission, fields.get("is_author", False))
    refused = may(verb, asker, pull_allowed=fields.get("pull_allowed", True))
    assert isinstance(refused, Refused)
    return refused.sentence


def test_an_author_does_not_steer_the_checks_of_a_commit_that_others_name_as_well() -> None:
    author, maintainer = Permission.READ, Permission.WRITE
    for pull_allowed in (True, False):
        for verb in (Verb.TEST, Verb.CANCEL):
            asker = Asker("stranger", "acme/widgets", author, is_author=True)
            refused = may(verb, asker, pull_allowed=pull_allowed, named_elsewhere=True)
            assert refused is not None
            assert "names this commit too" in refused.sentence
            assert may(verb, replace(asker, permission=maintainer), pull_allowed=True, named_elsewhere=True) is None
    assert may(Verb.LOGS, asker, pull_allowed=True, named_elsewhere=True) is None


def test_a_refusal_says_why_and_who_can() -> None:
    assert refusal(Verb.APPROVE) == "`approve` needs write permission on `acme/widgets`; `stranger` has read."
    assert refusal(Verb.REBUILD, Permission.TRIAGE, is_author=True).endswith("`stranger` has triage.")
    assert "its author may use this too" in refusal(Verb.TEST)
    waits = refusal(Verb.TEST, is_author=True, pull_allowed=False)
    assert "comes from a fork" in waits
    assert "approved its newest commit" in waits
    assert refusal(Verb.HELP, Permission.NONE) == "`stranger` has no access to this repository."


def waits(policy: RepoPolicy, author: str = "newcomer", **fields: Any) -> Waits | None:
    known = {"author_type": "User", "in_listed_team": False, "merged_before": False, **fields}
    return needs_approval(policy, author=author, **known)


def policy(approval: ApprovalPolicy = ApprovalPolicy.FIRST_TIME, *trusted: str) -> RepoPolicy:
    return DEFAULTS.changed({"approval": str(approval), "trusted": trusted})


@pytest.mark.parametrize(("merged", "runs"), [(True, True), (False, False), (None, False)])
def test_first_time_authors_wait(merged: bool | None, runs: bool) -> None:
    assert (waits(DEFAULTS, merged_before=merged) is None) is runs


def test_the_other_policies() -> None:
    assert waits(policy(ApprovalPolicy.ALL), merged_before=True)
    assert waits(policy(ApprovalPolicy.OPEN)) is None
    never = waits(policy(ApprovalPolicy.NEVER, "newcomer"), in_listed_team=True, merged_before=True)
    assert never is not None
    assert not never.approval_helps


@pytest.mark.parametrize("approval", [ApprovalPolicy.FIRST_TIME, ApprovalPolicy.ALL])
def test_people_teams_and_bots_on_the_list_need_none(approval: ApprovalPolicy) -> None:
    listed = policy(approval, "Octocat", "renovate[bot]", "acme/core")
    assert waits(listed, "octoCat") is None
    assert waits(listed, "renovate[bot]", author_type="Bot") is None
    assert waits(listed, "newcomer", in_listed_team=True) is None
    assert waits(listed, "newcomer")


def test_a_person_is_not_taken_for_a_bot_or_a_team() -> None:
    listed = policy(ApprovalPolicy.ALL, "renovate[bot]", "acme/core")
    assert not is_listed(listed, "renovate", "User")
    assert not is_listed(listed, "renovate[bot]", "User")
    assert not is_listed(listed, "acme/core", "User")
    assert not is_listed(policy(ApprovalPolicy.ALL, "renovate"), "renovate", "Bot")


@pytest.mark.parametrize("author", ["ghost", "Ghost", ""])
def test_those_who_deleted_their_account_are_nobody(author: str) -> None:
    assert waits(DEFAULTS, author, merged_before=True, in_listed_team=True)
    assert not is_listed(RepoPolicy(trusted=("ghost",)), author, "User")


def test_the_list_is_told_apart_for_the_caller() -> None:
    listed = policy(ApprovalPolicy.ALL, "octocat", "acme/core", "renovate[bot]", "acme/docs")
    assert listed_people(listed) == ("octocat", "renovate[bot]")
    assert listed_teams(listed) == (("acme", "core"), ("acme", "docs"))


def test_a_bare_approval_is_for_the_head_that_stood() -> None:
    assert approve(asked_sha=None, newest_head_when_asked=NEW, head_now=NEW) == Approved(NEW)


def test_a_push_between_comment_and_approval_is_not_approved() -> None:
    refused = approve(asked_sha=None, newest_head_when_asked=OLD, head_now=NEW)
    assert isinstance(refused, Refused)
    assert "`a1b2c3d` to `d4e5f6a`" in refused.sentence
    assert f"`/draftsman approve {NEW}`" in refused.sentence


def test_a_head_that_nobody_told_us_of_is_not_approved_unnamed() -> None:
    refused = approve(asked_sha=None, newest_head_when_asked=None, head_now=NEW)
    assert isinstance(refused, Refused)
    assert NEW in refused.sentence


@pytest.mark.parametrize("asked", [OLD, OLD[:7], "d4e5f6b", NEW[:6], ""])
def test_the_sha_of_another_commit_approves_nothing(asked: str) -> None:
    refused = approve(asked_sha=asked, newest_head_when_asked=NEW, head_now=NEW)
    assert isinstance(refused, Refused)
    assert "is not the head of this pull request" in refused.sentence


@pytest.mark.parametrize("known", [OLD, NEW, None])
def test_a_full_sha_stands_for_itself(known: str | None) -> None:
    assert approve(asked_sha=NEW, newest_head_when_asked=known, head_now=NEW) == Approved(NEW)


def test_an_abbreviation_does_not_reach_a_twin_pushed_since() -> None:
    twin = NEW[:7] + "9" * 33
    assert approve(asked_sha=NEW[:7], newest_head_when_asked=NEW, head_now=NEW) == Approved(NEW)
    assert isinstance(approve(asked_sha=NEW[:7], newest_head_when_asked=NEW, head_now=twin), Refused)
    assert isinstance(approve(asked_sha=NEW[:7], newest_head_when_asked=None, head_now=twin), Refused)


SHAS = st.text("ab", min_size=40, max_size=40)


@given(SHAS, SHAS | st.none(), st.integers(0, 40) | st.none(), SHAS)
def test_no_commit_but_the_head_is_ever_approved(head: str, known: str | None, digits: int | None, other: str) -> None:
    for asked in (None, head[:digits], other[:digits]):
        found = approve(asked_sha=asked, newest_head_when_asked=known, head_now=head)
        if isinstance(found, Approved):
            assert found.sha == head
            assert head in (asked, known)
