"""GitHub's own example payloads are all here."""

import pytest

from tests.github.examples import EVENTS, all_examples, examples


def test_every_action_has_an_example() -> None:
    found = all_examples()
    assert {event for event, _ in found} == set(EVENTS)
    assert len(found) == 92
    actions = {(event, payload.get("action")) for event, payload in found}
    for wanted in (
        *(("check_run", "rerequested"), ("check_run", "requested_action"), ("check_suite", "rerequested")),
        *(("pull_request", "converted_to_draft"), ("pull_request", "synchronize"), ("push", None), ("ping", None)),
        *(("installation", "suspend"), ("installation_repositories", "removed"), ("repository", "transferred")),
        *(("issue_comment", "edited"), ("merge_group", "checks_requested")),
    ):
        assert wanted in actions


def test_examples_can_be_changed_without_harm() -> None:
    examples("push")[0]["ref"] = "changed"
    assert examples("push")[0]["ref"] != "changed"


def test_unknown_event_is_named() -> None:
    with pytest.raises(ValueError, match="no examples of 'pusch'"):
        examples("pusch")
