"""Which files of a job are kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from orchestrator.artifacts import MOST, Glob, choose_files
from orchestrator.runners.docker import DockerRunner
from orchestrator.runners.interface import JobSpec, Wanted
from tests.hostile.beside import attack
from tests.orchestrator.sandbox_parts import Commit


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("build/report.html", "build/report.html", True),
        ("build", "build/a/b.txt", True),
        ("build/*.html", "build/a.html", True),
        ("build/*.html", "build/a/b.html", False),
        ("build/**/*.html", "build/a/b/c.html", True),
        ("build/**/*.html", "build/c.html", True),
        ("**/*.log", "x.log", True),
        ("**", "a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a+b", "a+b", True),
        ("a+b", "aab", False),
        ("../x", "x", False),
        ("**/a/*.x", "q/a/b.x", True),
        ("**/a/*.x", "a/a/a/b.x", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/c/d/b/e", True),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxbyy", False),
        ("*.tar.*", "x.tar.gz", True),
    ],
)
def test_globs(pattern: str, path: str, fits: bool) -> None:
    assert Glob(pattern).fits(path) is fits


def test_names_that_a_job_chose_cost_no_time() -> None:
    begin = time.monotonic()
    assert not Glob("*a*a*a*a*a*b").fits("a" * 1000)
    assert not Glob("**/a/**/a/**/a/**/b").fits("/".join("a" * 400))
    assert time.monotonic() - begin < 2


def test_reports_are_found_and_what_was_installed_is_not() -> None:
    found = choose_files(
        [
            "junit.xml",
            "a/test-results.xml",
            "out/lcov.info",
            "x.sarif",
            "node_modules/y/junit.xml",
            "pom.xml",
            "a\x1b.sarif",
        ],
        (),
    )
    assert found == ["a/test-results.xml", "junit.xml", "out/lcov.info", "x.sarif"]


def test_patterns_come_first_and_there_is_an_end() -> None:
    paths = [f"out/{number:04}.txt" for number in range(500)] + ["junit.xml"]
    assert choose_files(paths, ["out/*"]) == sorted(paths[:500])[:MOST]
    assert choose_files(["junit.xml", "b"], ["b"]) == ["b", "junit.xml"]


@pytest.mark.engine
@pytest.mark.hostile
async def test_links_lead_nowhere_and_what_is_too_large_is_named(
    runner: DockerRunner, commit: Commit, spec_of: Callable[..., JobSpec]
) -> None:
    make = (
        "mkdir out; echo '<testsuites/>' > junit.xml; ln -s /etc etc; ln -s /etc/passwd out/passwd; "
        "ln -s /draftsman out/dir; mkfifo out/fifo; head -c 3000000 /dev/zero > out/big; echo small > out/small"
    )
    wanted = Wanted(partial(choose_files, patterns=("out/**", "etc/*", "hello.py")), file_bytes=1_000_000)
    ended = await attack(runner, commit, spec_of(fast=(make,)), with_neighbour=False, wanted=wanted)
    kept = {file.path: file.content for file in ended.end.files}
    assert kept["junit.xml"] == b"<testsuites/>\n"
    assert kept["out/small"] == b"small\n"
    assert kept["out/big"] is None
    assert not [path for path, content in kept.items() if "passwd" in path and content is not None]
    assert not any(content is not None and b"root:" in content for content in kept.values())
