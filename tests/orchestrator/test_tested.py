"""What a commit is seen against, and what leaves it out, in real repositories."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from draftsman.domain.errors import SourceError
from draftsman.domain.plan import Plan
from draftsman.domain.run import Naming, Ref, RefKind
from orchestrator import tested
from orchestrator.history import changed_files
from orchestrator.source import Remote
from orchestrator.tested import fetch_tested, lines_changed, of_merge, skipped_by_filters, skipped_by_marker
from tests.orchestrator.local_repository import LocalRepository

FILTER = 'full = ["make test"]\npaths = ["src/**"]\n'
GONE = "ab" * 20


@pytest.fixture
def repository(tmp_path: Path) -> LocalRepository:
    return LocalRepository(tmp_path)


def pull_request(base: str | None) -> Naming:
    return Naming(Ref(RefKind.PULL_REQUEST, "1"), base, "main")


def branch(before: str | None, name: str = "feature") -> Naming:
    return Naming(Ref(RefKind.BRANCH, name), before)


async def skipped(repository: LocalRepository, sha: str, *namings: Naming, **options: Any) -> str | None:
    options = {"filtered": True, "namings": namings, "default_branch": "main", **options}
    order = repository.order(sha, **options)
    plan: Plan = await repository.plan(sha, **options)
    return await skipped_by_filters(order, repository.mirror, plan)


async def test_a_pull_request_is_seen_against_where_it_left_its_base(repository: LocalRepository) -> None:
    first = repository.commit({".draftsman.toml": FILTER, "src/a.py": "1\n"})
    base = repository.commit({"src/a.py": "2\n"})
    repository.git("checkout", "-q", "-b", "feature", first)
    docs = repository.commit({"docs/a.md": "x"})
    why = "no changed file matches the path filters: 1 changed, e.g. docs/a.md"
    assert await skipped(repository, docs, pull_request(base)) == why
    code = repository.commit({"src/b.py": "x"})
    assert await skipped(repository, code, pull_request(base)) is None
    more = repository.commit({"docs/b.md": "x"})
    assert await skipped(repository, more, pull_request(base)) is None, "the whole pull request counts"
    assert await skipped(repository, more, branch(code)) is None, "so it does before it is opened"
    assert await skipped(repository, docs, branch(None)) == why, "a new branch leads to the default one"


async def test_a_push_to_the_default_branch_is_seen_against_the_commit_before(repository: LocalRepository) -> None:
    first = repository.commit({".draftsman.toml": FILTER, "src/a.py": "1\n"})
    docs = repository.commit({"docs/a.md": "x", "README.md": "x"})
    assert await skipped(repository, docs, branch(first, "main"))
    assert await skipped(repository, docs, branch(None, "main")) is None
    assert await skipped(repository, docs, branch("0" * 40, "main")) is None
    assert await skipped(repository, docs, branch(GONE, "main")) is None
    assert await skipped(repository, docs, branch(first, "main"), pull_request(None)) is None
    assert await skipped(repository, docs, branch(first, "main"), filtered=False) is None
    moved = repository.git("mv", "src/a.py", "docs/a.py") or repository.commit({})
    assert await skipped(repository, moved, branch(docs, "main")) is None, "a file that left src changes src"
    empty = repository.commit({})
    assert await skipped(repository, empty, branch(moved, "main")) is None


async def test_a_change_of_the_configuration_itself_always_runs(repository: LocalRepository) -> None:
    first = repository.commit({".draftsman.toml": FILTER})
    head = repository.commit({".draftsman.toml": FILTER + 'fast = ["make lint"]\n'})
    assert await skipped(repository, head, branch(first, "main")) is None


async def test_a_stranger_is_filtered_as_the_base_says_and_not_as_they_say(repository: LocalRepository) -> None:
    base = repository.commit({".draftsman.toml": FILTER})
    docs = repository.commit({"docs/a.md": "x"})
    assert await skipped(repository, docs, pull_request(base), trusted=False, base_sha=base)
    theirs = repository.commit({".draftsman.toml": 'paths = ["nothing"]\n', "src/a.py": "x"})
    assert await skipped(repository, theirs, pull_request(base), trusted=False, base_sha=base) is None
    assert await skipped(repository, docs, pull_request(GONE), trusted=False, base_sha=GONE) is None


async def test_a_change_cannot_hide_between_two_places_where_it_left_its_base(repository: LocalRepository) -> None:
    root = repository.commit({"src/a.py": "1\n", "src/b.py": "1\n"})
    one = repository.commit({"src/a.py": "2\n"})
    repository.git("checkout", "-q", "-b", "other", root)
    two = repository.commit({"src/b.py": "2\n"})
    repository.git("merge", "-q", "-m", "both", one)
    base = repository.git("rev-parse", "HEAD")
    # The head knows both and has what `one` has: merged, it takes back what `two` changed.
    tree = repository.git("rev-parse", f"{one}^{{tree}}")
    head = repository.git("commit-tree", "-p", one, "-p", two, "-m", "mine", tree)
    repository.git("branch", "crafted", head)
    remote = Remote("acme/widgets", str(repository.folder / ".git"))
    for number, sha in enumerate((base, head)):
        await repository.mirror.fetch(remote, sha, f"r{number}")
    assert await changed_files(repository.mirror, base, head) is None
    assert await changed_files(repository.mirror, root, base) == frozenset(("src/a.py", "src/b.py"))


async def test_the_lines_of_a_change_are_those_since_it_left_its_base(repository: LocalRepository) -> None:
    first = repository.commit({"a.py": "1\n2\n3\n"})
    base = repository.commit({"b.py": "1\n"})
    repository.git("checkout", "-q", "-b", "feature", first)
    repository.commit({"a.py": "one\n2\n3\n"})
    head = repository.commit({"a.py": "one\n2\n3\n4\n"})
    for options, expected in (
        ({"base_sha": base}, {"a.py": ((1, 1), (4, 4))}),
        ({"base_sha": GONE}, {"a.py": ((4, 4),)}),
        ({"base_sha": head}, {"a.py": ((4, 4),)}),
        ({}, {"a.py": ((4, 4),)}),
        ({"merge_into": base, "base_sha": base}, {"a.py": ((1, 1), (4, 4))}),
    ):
        order = repository.order(head, **options)
        tested = await fetch_tested(order, repository.mirror)
        changed = await lines_changed(order, repository.mirror, tested.sha)
        assert changed is not None
        assert dict(changed.ranges) == expected


async def test_a_base_that_cannot_be_reached_is_our_error_for_a_stranger_only(repository: LocalRepository) -> None:
    base = repository.commit({".draftsman.toml": FILTER})
    head = repository.commit({"a": "1"})
    order = repository.order(head, trusted=False, base_sha=base)
    await repository.mirror.fetch(await order.remote(), head, order.id)
    calls = []

    async def remote() -> Remote:
        calls.append(1)
        return Remote("acme/widgets", "http://127.0.0.1:1/acme/widgets.git")

    away = repository.order(head, base_sha="cd" * 20)
    object.__setattr__(away, "remote", remote)
    changed = await lines_changed(away, repository.mirror, head)
    assert changed is not None
    assert changed.has_file("a")
    assert calls
    object.__setattr__(away, "trusted", False)
    with pytest.raises(SourceError, match="could not be fetched"):
        await fetch_tested(away, repository.mirror)


async def test_a_merge_takes_its_configuration_by_the_same_rules_and_says_what_it_is(
    repository: LocalRepository,
) -> None:
    first = repository.commit({"src/a.py": "1\n"})
    base = repository.commit({".draftsman.toml": 'fast = ["make base"]\n'})
    repository.git("checkout", "-q", "-b", "feature", first)
    plain = repository.commit({"src/b.py": "1\n"})
    theirs = repository.commit({"more.toml": ""})
    options = {"merge_into": base, "base_branch": "main", "base_sha": base}
    assert (await repository.plan(plain, **options)).profile.fast == ("make base",)
    assert (await repository.plan(theirs, trusted=False, **options)).profile.fast == ("make base",)
    order = repository.order(plain, **options)
    tested = await fetch_tested(order, repository.mirror)
    noted = of_merge(order, tested.sha, await repository.plan(plain, **options))
    assert noted.evidence[0].rule.startswith(f"tested as merged into main at {base[:7]}, as commit {tested.sha}")
    assert of_merge(order, tested.sha, noted) == noted
    assert of_merge(repository.order(plain), plain, noted) == noted


async def test_a_marker_in_the_heads_message_ends_it_where_markers_count(repository: LocalRepository) -> None:
    base = repository.commit({"a": "1"})
    head = repository.commit({"a": "2"}, "Docs only\n\n[Skip CI]")
    merged = repository.order(head, skip_markers=("[skip ci]",), merge_into=base)
    await fetch_tested(merged, repository.mirror)
    assert await skipped_by_marker(merged, repository.mirror) == "skipped: the commit message has [skip ci]"
    assert await skipped_by_marker(repository.order(head), repository.mirror) is None
    other = repository.order(base, skip_markers=("[skip ci]",))
    assert await skipped_by_marker(other, repository.mirror) is None


async def test_a_remote_that_is_away_for_a_moment_is_asked_again(
    repository: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tested, "_FETCHED_AGAIN_AFTER", (0.01, 0.01))
    sha = repository.commit({"a.py": "1\n"})
    order = repository.order(sha)
    there = await order.remote()
    away = Remote("acme/widgets", "http://127.0.0.1:9/acme/widgets.git")
    answers = [away, away, there]

    async def remote() -> Remote:
        return answers.pop(0)

    found = await fetch_tested(replace(order, remote=remote), repository.mirror)
    assert (found.sha, answers) == (sha, [])
    answers += [away] * 3
    with pytest.raises(SourceError, match="could not be fetched"):
        await fetch_tested(replace(order, remote=remote, sha=GONE), repository.mirror)
    assert answers == []
