"""GitHub's own examples of every event, against the table of `bot/triggers.py`, and through the whole."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest

from bot import triggers
from bot.events.decision import InstallationNote, RepositoryNote
from bot.triggers import EVENTS, Decision, Rules, decide
from draftsman.store.database import Pool
from tests.bot.conftest import Served
from tests.bot.doing import all_done, assert_no_traceback, at_work, send
from tests.github import GitHubStandIn
from tests.github.examples import all_examples, examples

RULES = Rules("https://github.com", ("[skip ci]",))
NOTHING: Sequence[str] = ()

TABLE: dict[tuple[str, str | None], Sequence[str]] = {
    ("push", "branch"): ("run", "follow"),
    ("push", "tag"): NOTHING,
    ("pull_request", "opened"): ("run", "follow"),
    ("pull_request", "synchronize"): ("run", "follow"),
    ("pull_request", "reopened"): ("run", "follow"),
    ("pull_request", "ready_for_review"): ("run", "follow"),
    ("pull_request", "closed"): ("follow",),
    ("pull_request", "converted_to_draft"): ("follow",),
    **{
        ("pull_request", action): NOTHING
        for action in (
            *("assigned", "unassigned", "labeled", "unlabeled", "locked", "unlocked"),
            *("review_requested", "review_request_removed"),
        )
    },
    ("check_suite", "requested"): ("rerun", "follow"),
    ("check_suite", "rerequested"): ("rerun",),
    ("check_suite", "completed"): NOTHING,
    ("check_run", "rerequested"): ("rerun",),
    ("check_run", "requested_action"): NOTHING,
    ("check_run", "created"): NOTHING,
    ("check_run", "completed"): NOTHING,
    ("issue_comment", "created"): NOTHING,
    ("issue_comment", "edited"): NOTHING,
    ("issue_comment", "deleted"): NOTHING,
    ("merge_group", "checks_requested"): ("run",),
    ("installation", "created"): ("first_contact", "back"),
    ("installation", "deleted"): ("removed",),
    ("installation", "suspend"): ("suspended",),
    ("installation", "unsuspend"): ("back",),
    ("installation", "new_permissions_accepted"): ("note",),
    ("installation_repositories", "added"): ("first_contact", "note"),
    ("installation_repositories", "removed"): ("note",),
    **{
        ("repository", action): ("note",)
        for action in ("created", "edited", "privatized", "publicized", "renamed", "transferred")
    },
    ("ping", None): NOTHING,
}
"""What each example calls for. The button of the one `requested_action` is none of ours, its comments are on issues."""

CASES = [pytest.param(event, payload, id=f"{event} {number}") for number, (event, payload) in enumerate(all_examples())]


def row_of(event: str, payload: dict[str, Any]) -> tuple[str, str | None]:
    if event == "push":
        return event, "branch" if payload["ref"].startswith("refs/heads/") else "tag"
    return event, payload.get("action")


def called_for(decision: Decision) -> list[str]:
    """The decision in the words of the table; what an event about a repository says of that on the side left out."""
    found = ["run"] if decision.wanted else []
    found += [str(task.kind) for task in decision.tasks]
    about = [note for note in decision.notes if isinstance(note, InstallationNote) and _says_much(note)]
    found += ["removed" if note.removed else "suspended" if note.suspended else "back" for note in about]
    return found


def _says_much(note: InstallationNote) -> bool:
    return bool(note.removed or note.suspended is not None)


@pytest.mark.parametrize(("event", "payload"), CASES)
def test_every_example_calls_for_what_the_table_says(event: str, payload: dict[str, Any]) -> None:
    decision = decide(event, payload, RULES)
    wanted = [what for what in TABLE[row_of(event, payload)] if what != "note"]
    assert called_for(decision) == wanted
    if event.startswith("installation"):
        assert any(isinstance(note, InstallationNote) for note in decision.notes)
    if event == "repository" or (decision.tasks and "repository" in payload):
        assert any(isinstance(note, RepositoryNote) for note in decision.notes)
    nothing = TABLE[row_of(event, payload)] == NOTHING
    assert decision.text.startswith("nothing: ") is nothing
    assert "not as GitHub documents it" not in decision.text


def test_the_table_has_every_example_and_every_event() -> None:
    assert {row_of(event, payload) for event, payload in all_examples()} == set(TABLE)
    assert {event for event, _ in TABLE} == EVENTS


def test_the_documented_table_names_every_event() -> None:
    documented = str(triggers.__doc__)
    assert [event for event in EVENTS if f"{event} " not in documented and f"{event}," not in documented] == []


@functools.cache
def ran() -> set[str]:
    """The commits that some example has run."""
    found = (decide(event, payload, RULES).wanted for event, payload in all_examples())
    return {wanted.head_sha for wanted in found if wanted}


async def test_every_example_goes_through_the_whole_and_comes_to_an_end(
    served: Served, github: GitHubStandIn, pool: Pool[Any], database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """GitHub, which does not know these repositories, refuses whatever is asked about them."""
    for event, payload in all_examples():
        status, answer = await send(served, event, payload)
        assert status == 202, answer
    assert await pool.fetchval("SELECT count(*) FROM deliveries") == len(all_examples())
    for payload in examples("installation"):
        if payload["action"] == "unsuspend":
            await send(served, "installation", payload)
    async with at_work(pool, github, database_url):
        await all_done(pool)
    kinds = {row["kind"]: row["tries"] for row in await pool.fetch("SELECT kind, tries FROM tasks")}
    assert set(kinds) == {"follow", "rerun", "first_contact"}
    assert await pool.fetchval("SELECT max(tries) FROM tasks") <= 20
    assert {row["head_sha"] for row in await pool.fetch("SELECT head_sha FROM runs")} == ran()
    assert_no_traceback(caplog)
