"""The merge of a commit into its base, by real git in a real mirror."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftsman.domain.errors import HostError, PlanError
from draftsman.domain.finding import Finding, Level
from draftsman.domain.plan import Tier
from orchestrator import merging
from orchestrator.git import git
from orchestrator.head_lines import hunks_of, moved, on_head
from orchestrator.merging import MergeConflictError, merge
from orchestrator.source import Mirror
from orchestrator.tested import fetch_tested
from tests.orchestrator.local_repository import LocalRepository

TEN = "".join(f"line {number}\n" for number in range(1, 11))


@pytest.fixture
def repository(tmp_path: Path) -> LocalRepository:
    return LocalRepository(tmp_path)


def diverged(
    repository: LocalRepository, ours: dict[str, str | None], theirs: dict[str, str | None]
) -> tuple[str, str]:
    """Return head and base: two commits on a first one that holds `a.py`, `b.py` and `README.md`."""
    first = repository.commit({"a.py": TEN, "b.py": TEN, "README.md": "hello\n"})
    base = repository.commit(theirs)
    repository.git("checkout", "-q", "-b", "feature", first)
    return repository.commit(ours), base


def at(path: str, line: int, end_line: int | None = None) -> Finding:
    return Finding(Tier.FULL, path, line, Level.FAILURE, "t", "m", "tool", end_line)


async def test_the_merge_has_what_both_sides_changed_and_is_the_same_everywhere(
    repository: LocalRepository, tmp_path: Path
) -> None:
    head, base = diverged(repository, {"a.py": TEN + "ours\n"}, {"a.py": "theirs\n" + TEN, "new.py": "x = 1\n"})
    order = repository.order(head, merge_into=base, base_branch="main")
    tested = await fetch_tested(order, repository.mirror)
    merged = await repository.mirror.tree(tested.sha, sorted)
    assert merged.text("a.py") == "theirs\n" + TEN + "ours\n"
    assert "new.py" in tested.tree.paths
    said = await git("log", "-1", "--format=%P %an %at", tested.sha, cwd=repository.mirror.folder)
    dated = repository.git("log", "-1", "--format=%ct", head)
    assert said.decode().strip() == f"{base} {head} Draftsman {dated}"
    assert await repository.mirror.held(order.id) == tested.sha
    other = LocalRepository.__new__(LocalRepository)
    other.folder, other.mirror = repository.folder, Mirror(tmp_path / "another.git")
    again = await fetch_tested(other.order(head, merge_into=base, base_branch="main"), other.mirror)
    assert again.sha == tested.sha
    assert tested.sha not in repository.git("rev-list", "--all")


async def test_what_is_tested_of_a_merge_is_bundled_and_released(repository: LocalRepository, tmp_path: Path) -> None:
    head, base = diverged(repository, {"a.py": "1\n"}, {"b.py": "2\n"})
    order = repository.order(head, merge_into=base)
    tested = await fetch_tested(order, repository.mirror)
    await repository.mirror.bundle(order.id, tmp_path / "source.bundle")
    listed = await git("ls-remote", str(tmp_path / "source.bundle"), config={"protocol.file.allow": "always"})
    assert tested.sha in listed.decode()
    await repository.mirror.release(order.id)
    assert not await git("for-each-ref", "refs/draftsman", cwd=repository.mirror.folder)


async def test_a_conflict_names_its_base_its_paths_and_what_to_do(repository: LocalRepository) -> None:
    ours: dict[str, str | None] = {"a.py": "ours\n", "b`.py": "ours\n", "README.md": None}
    theirs: dict[str, str | None] = {"a.py": "theirs\n", "b`.py": "theirs\n", "README.md": "changed\n"}
    head, base = diverged(repository, ours, theirs)
    with pytest.raises(MergeConflictError) as caught:
        await fetch_tested(repository.order(head, merge_into=base, base_branch="main"), repository.mirror)
    assert str(caught.value) == f"conflicts with main at {base[:7]}"
    assert "- `README.md`\n- `a.py`\n- `b'.py`\n" in caught.value.detail
    assert "rebase onto it" in caught.value.detail


async def test_many_conflicts_are_counted(repository: LocalRepository) -> None:
    many = {f"{number:02}.txt": "{}\n" for number in range(30)}
    head, base = diverged(
        repository,
        {name: text.format("ours") for name, text in many.items()},
        {name: text.format("theirs") for name, text in many.items()},
    )
    with pytest.raises(MergeConflictError) as caught:
        await fetch_tested(repository.order(head, merge_into=base), repository.mirror)
    assert "- and 10 more\n" in caught.value.detail
    assert caught.value.detail.count("\n- `") + 1 - caught.value.detail.count("\n- and") == merging.MOST_CONFLICTS


async def test_a_history_of_its_own_is_said_as_such(repository: LocalRepository) -> None:
    base = repository.commit({"a": "1"})
    repository.git("checkout", "-q", "--orphan", "other")
    head = repository.commit({"b": "1"})
    with pytest.raises(MergeConflictError, match="no history in common with main"):
        await fetch_tested(repository.order(head, merge_into=base, base_branch="main"), repository.mirror)


async def test_an_older_git_says_what_to_install(
    repository: LocalRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, base = diverged(repository, {"a.py": "1\n"}, {"b.py": "2\n"})
    await fetch_tested(repository.order(head, merge_into=base), repository.mirror)
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.34.1\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    with pytest.raises(HostError, match=r"'git version 2\.34\.1'.*git 2\.38 or newer"):
        await merge(repository.mirror, head, base, into="main")


@pytest.mark.hostile
async def test_a_head_that_unfolds_to_a_billion_files_is_refused_and_not_merged(repository: LocalRepository) -> None:
    head, base = diverged(repository, {"a.py": "1\n"}, {"b.py": "2\n", "README.md": None})
    tree = repository.git("rev-parse", f"{head}^{{tree}}")
    for _ in range(9):
        listing = repository.folder / "listing"
        listing.write_text("".join(f"040000 tree {tree}\td{number}\n" for number in range(10)))
        process = await asyncio.create_subprocess_shell(
            f"git -C {repository.folder} mktree < {listing}", stdout=asyncio.subprocess.PIPE
        )
        tree = (await process.communicate())[0].decode().strip()
    bomb = repository.git("commit-tree", "-p", head, "-m", "bomb", tree)
    repository.git("branch", "bomb", bomb)
    with pytest.raises(PlanError, match="more than 500,000 files"):
        await fetch_tested(repository.order(bomb, merge_into=base), repository.mirror)


@pytest.mark.hostile
async def test_a_file_that_takes_all_memory_to_merge_is_our_clear_error(
    repository: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "_MEMORY_BYTES", 128 * 2**20)
    head, base = diverged(repository, {"a.py": "x\n" * 12_000_000}, {"a.py": "y\n" + TEN})
    with pytest.raises(HostError, match=r"could not merge .* into main at"):
        await fetch_tested(repository.order(head, merge_into=base, base_branch="main"), repository.mirror)


async def test_findings_stand_where_the_head_has_their_lines(repository: LocalRepository) -> None:
    head, base = diverged(
        repository,
        {"a.py": TEN + "ours\n", "own.py": "x\n"},
        {"a.py": "theirs\n" + TEN.replace("line 5\n", "five\n5b\n"), "new.py": "x = 1\n"},
    )
    tested = await fetch_tested(repository.order(head, merge_into=base), repository.mirror)
    found = [
        at("a.py", 1),  # only the base has it
        at("a.py", 2),  # line 1
        at("a.py", 6),  # was changed by the base
        at("a.py", 8),  # line 6
        at("a.py", 5, end_line=8),  # lines 4 to 6
        at("a.py", 13),  # ours
        at("new.py", 1),
        at("own.py", 1),
        at("b.py", 3),
    ]
    placed = await on_head(found, repository.mirror, merge=tested.sha, head=head)
    assert [(one.path, one.line, one.end_line) for one in placed] == [
        ("a.py", 1, None),
        ("a.py", 6, None),
        ("a.py", 4, 6),
        ("a.py", 11, None),
        ("own.py", 1, None),
        ("b.py", 3, None),
    ]


LINES = st.lists(st.sampled_from("abc"), max_size=12)


@given(st.data(), st.lists(st.tuples(st.booleans(), LINES, LINES), max_size=6))
def test_a_line_that_both_have_is_found_again(
    data: st.DataObject, parts: list[tuple[bool, list[str], list[str]]]
) -> None:
    there: list[tuple[int, int]] = []  # lines that are kept, numbered in the merge and in the head
    changed: set[int] = set()
    diff = b"--- a/x\n+++ b/x\n"
    old = new = 0
    for keeps, before, after in parts:
        if keeps:
            there += [(old + number, new + number) for number in range(1, len(before) + 1)]
            old, new = old + len(before), new + len(before)
        elif before or after:
            changed |= set(range(old + 1, old + len(before) + 1))
            start = old + 1 if before else old
            diff += f"@@ -{start},{len(before)} +{new + 1},{len(after)} @@\n".encode()
            diff += "".join(f"-@@ {text}\n" for text in before).encode()
            diff += "".join(f"+{text}\n" for text in after).encode()
            old, new = old + len(before), new + len(after)
    hunks = hunks_of(diff)
    for line, expected in there:
        placed = moved(at("x", line), hunks)
        assert placed is not None
        assert placed.line == expected
    if changed:
        assert moved(at("x", data.draw(st.sampled_from(sorted(changed)))), hunks) is None
