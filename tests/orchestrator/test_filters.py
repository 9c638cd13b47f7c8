"""Which changes path filters and markers leave out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.artifacts import Glob
from orchestrator.filters import filtered_out, marker_in

NAMES = st.lists(st.sampled_from(["src", "docs", "a.py", "b.md", "x"]), min_size=1, max_size=4).map("/".join)
GLOBS = st.sampled_from(["**", "src/**", "docs", "**/*.md", "*.py", "src/*", "x"])


@pytest.mark.parametrize(
    ("changes", "paths", "ignored", "left_out"),
    [
        ([{"docs/a.md"}], ["src/**"], [], True),
        ([{"docs/a.md", "src/a.py"}], ["src/**"], [], False),
        ([{"docs/a.md", "README.md"}], [], ["docs/**", "*.md"], True),
        ([{"docs/a.md", "a.py"}], [], ["docs/**", "*.md"], False),
        ([{"src/docs/a.md", "README.md"}], ["src/**"], ["src/docs/**"], True),
        ([{"docs/a.md"}], [], [], False),
        ([{"docs/a.md"}, {"docs/a.md", "src/a.py"}], ["src/**"], [], False),
        ([{"docs/a.md"}, None], ["src/**"], [], False),
        ([set()], ["src/**"], [], False),
        ([], ["src/**"], [], False),
        ([{".draftsman.toml"}], [], ["**"], False),
        ([{"docs/.draftsman.toml"}], [], ["**"], True),
    ],
)
def test_one_file_that_counts_is_enough_and_what_is_not_known_runs(
    changes: list[set[str] | None], paths: list[str], ignored: list[str], left_out: bool
) -> None:
    assert (filtered_out(changes, paths, ignored) is not None) is left_out


def test_the_title_says_how_many_files_changed_and_names_one_harmlessly() -> None:
    title = "no changed file matches the path filters: 3 changed, e.g. docs/a.md"
    assert filtered_out([{"docs/b.md", "docs/a.md"}, {"docs/b.md", "docs/c.md"}], ["src"], []) == title
    named = filtered_out([{"docs/\x1b[31m\udcff\n" + "x" * 300}], ["src"], [])
    assert named is not None
    assert named.isprintable()
    assert len(named) < 200


@given(st.lists(st.sets(NAMES, min_size=1), min_size=1, max_size=3), st.lists(GLOBS, max_size=3), st.lists(GLOBS))
def test_a_change_is_left_out_only_where_no_file_of_it_counts(
    changes: list[set[str]], paths: list[str], ignored: list[str]
) -> None:
    def counts(file: str) -> bool:
        named = not paths or any(Glob(glob).fits(file) for glob in paths)
        return named and not any(Glob(glob).fits(file) for glob in ignored)

    filtered = bool(paths or ignored) and not any(counts(file) for files in changes for file in files)
    assert (filtered_out(changes, paths, ignored) is not None) is filtered


def test_patterns_that_are_slow_to_try_let_the_change_run() -> None:
    files = {f"{'a/' * 400}{number}" for number in range(20_000)}
    begin = time.thread_time()
    assert filtered_out([files], [f"**/{'a/' * 40}**/{number}/**/b" for number in range(50)], []) is None
    assert time.thread_time() - begin < 15


@pytest.mark.parametrize(
    ("message", "found"),
    [("Docs\n\n[Skip CI] please", "[skip ci]"), ("skip ci", None), ("", None), ("[ci skip][skip ci]", "[skip ci]")],
)
def test_a_marker_counts_wherever_it_stands_and_in_any_case(message: str, found: str | None) -> None:
    assert marker_in(message, ("[skip ci]", "[ci skip]")) == found
