"""The page of a run: what it tells, what it must not let through."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from uuid import UUID

import pytest

from bot.dashboard.log_sections import LARGEST_SECTION, MOST_SECTIONS, PAGE_LOG, LogSection, shares, unpack
from bot.dashboard.run_page import loud_steps, render_run
from bot.dashboard.run_view import RunView
from draftsman.domain.finding import Finding, Level
from draftsman.domain.outcome import ImageUsed
from draftsman.domain.plan import Evidence, Plan, Profile, Tier, Toolchain
from draftsman.domain.retry import Cause
from draftsman.domain.run import Attempt, Conclusion, Ref, RefKind, Repository, Run, RunState, Trust
from draftsman.store.logs import PackedChunk
from draftsman.store.steps import StepRecord

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN_ID = UUID("11111111-2222-3333-4444-555555555555")
SHA = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


def packed(name: str, *contents: bytes) -> list[PackedChunk]:
    """A section's chunks as the store returns them."""
    starts = [sum(map(len, contents[:number])) for number in range(len(contents))]
    whole = sum(map(len, contents))
    return [
        PackedChunk(name, start, len(content), whole, zlib.compress(content))
        for start, content in zip(starts, contents, strict=True)
    ]


ATTEMPT = Attempt(
    id=UUID(int=7),
    run=Run(
        RUN_ID, Repository(1, "acme/widgets", "https://github.com/acme/widgets.git", "main", False), SHA, "head", NOON
    ),
    number=2,
    trust=Trust.TRUSTED,
    state=RunState.FINISHED,
    conclusion=Conclusion.FAILURE,
    title="full failed: pytest",
    detail="`pytest` ended with exit code 1.",
    epoch=1,
    version=3,
    created_at=NOON,
    started_at=NOON + timedelta(seconds=2),
    finished_at=NOON + timedelta(seconds=75),
)

VIEW = RunView(
    attempt=ATTEMPT,
    now=NOON + timedelta(minutes=5),
    page_url=f"/runs/{RUN_ID}",
    refs=(Ref(RefKind.PULL_REQUEST, "12"), Ref(RefKind.BRANCH, "feature/colours")),
    plan=Plan(
        Profile(None, "uv", "uv sync", ("ruff check .",), ("pytest", "mypy .")),
        (Toolchain("python", "3.13", "python:3.13-slim"),),
        "FROM python:3.13-slim\n",
        ("uv",),
        (Evidence("python", ".python-version", 1, "3.13", "exact tool file"),),
        ("No lock file: versions may drift.",),
    ),
    image=ImageUsed("draftsman-runner/acme/widgets:0123456789ab", "0" * 64, False, 41.5),
    steps=(
        StepRecord("setup-1", Tier.SETUP, "uv sync", "finished", 0, 3.21),
        StepRecord("fast-1", Tier.FAST, "ruff check .", "finished", 0, 0.4),
        StepRecord("full-1", Tier.FULL, "pytest", "finished", 1, 61.0),
        StepRecord("full-2", Tier.FULL, "mypy .", "pending", None, None),
    ),
    findings=(
        Finding(
            Tier.FULL, "tests/test a.py", 8, Level.FAILURE, "tests/test a.py::test_b", "assert 1 == 2\nwhere", "pytest"
        ),
    ),
    sections=(
        LogSection("prepare", b"fetching\n"),
        LogSection("image", b"Step 1/4\n"),
        LogSection("fast-1", b"\x1b[32mAll checks passed!\x1b[0m\n"),
        LogSection("full-1", b"E   assert 1 == 2\n"),
    ),
    attempts=(ATTEMPT, replace(ATTEMPT, id=UUID(int=6), number=1, conclusion=Conclusion.ERROR, title="engine away")),
    timings={"source": 0.8, "image": 41.5, "total": 73.0},
)


class Outline(HTMLParser):
    """Tags in order, whether they are balanced, and the text between them."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def hrefs(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.tags if tag == "a"]


def parts(page: str) -> dict[str, bool]:
    """Whether each foldable part is open, by its id."""
    return {
        attributes["id"] or "": "open" in attributes
        for tag, attributes in Outline(page).tags
        if tag == "details" and "id" in attributes
    }


def test_the_page_tells_what_ran_why_and_how_it_ended() -> None:
    outline = Outline(render_run(VIEW))
    text = " ".join(outline.text.split())
    for told in (
        "failure · acme/widgets @ 0123456 · Draftsman",
        "full failed: pytest",
        "`pytest` ended with exit code 1.",
        "attempt 2 of 2",
        "took 1 min 13 s",
        "uv sync passed in 3.2 s",
        "pytest exit code 1 in 1 min 1 s",
        "mypy . not run",
        "All checks passed!",
        "E assert 1 == 2",
        "draftsman-runner/acme/widgets:0123456789ab , built in 42 s".replace(" ,", ","),
        "python 3.13 .python-version:1 exact tool file",
        "No lock file: versions may drift.",
        "tests/test a.py:8",
        "2026-03-01 12:00:00 UTC",
        "engine away",
        "feature/colours",
    ):
        assert told in text, told


def test_a_retry_says_what_it_tries_again_and_why() -> None:
    reason = f"{Cause.NETWORK.phrase} in attempt 1"
    first = replace(ATTEMPT, number=1, conclusion=Conclusion.ERROR, cause=Cause.NETWORK, retried_as=2)
    second = replace(
        ATTEMPT, state=RunState.QUEUED, conclusion=None, title=None, retry_of=1, reason=reason, not_before=NOON
    )
    view = replace(VIEW, attempt=second, attempts=(second, first))
    text = " ".join(Outline(render_run(view)).text.split())
    assert "attempt 2 of 2 since the network failed in attempt 1 not before 2026-03-01 12:00:00 UTC" in text
    outline = Outline(render_run(replace(view, attempt=first)))
    text = " ".join(outline.text.split())
    assert "tried again as attempt 2" in text
    assert "network: the network failed" in text
    assert "since the network failed in attempt 1" in text, "in the list of attempts"
    assert f"/runs/{RUN_ID}?attempt=2" in outline.hrefs()


def test_links_lead_to_the_code_the_log_and_the_other_attempts() -> None:
    hrefs = Outline(render_run(VIEW)).hrefs()
    for href in (
        f"https://github.com/acme/widgets/commit/{SHA}",
        "https://github.com/acme/widgets/pull/12",
        f"https://github.com/acme/widgets/blob/{SHA}/tests/test%20a.py#L8",
        f"https://github.com/acme/widgets/blob/{SHA}/.python-version#L1",
        f"/runs/{RUN_ID}/2/log",
        f"/runs/{RUN_ID}?attempt=1",
    ):
        assert href in hrefs


def test_what_failed_is_open_and_the_rest_is_folded() -> None:
    assert parts(render_run(VIEW)) == {
        "log-1": False,
        "log-2": False,
        "step-setup-1": False,
        "step-fast-1": False,
        "step-full-1": True,
        "step-full-2": False,
    }


def test_only_the_page_of_an_unfinished_attempt_refreshes_itself_and_can_be_held_still() -> None:
    running = replace(VIEW, attempt=replace(ATTEMPT, state=RunState.RUNNING, conclusion=None, finished_at=None))
    assert 'http-equiv="refresh"' in render_run(running)
    assert f"/runs/{RUN_ID}?attempt=2&refresh=off" in Outline(render_run(running)).hrefs()
    assert 'http-equiv="refresh"' not in render_run(replace(running, refreshing=False))
    assert 'http-equiv="refresh"' not in render_run(VIEW)


def test_while_the_image_is_built_its_log_is_open() -> None:
    building = replace(
        VIEW,
        attempt=replace(ATTEMPT, state=RunState.BUILDING, conclusion=None, finished_at=None),
        steps=(StepRecord("fast-1", Tier.FAST, "ruff check .", "pending", None, None),),
        sections=(LogSection("prepare", b"x"), LogSection("image", b"y")),
    )
    assert parts(render_run(building)) == {"log-1": False, "log-2": True, "step-fast-1": False}


def test_a_step_that_was_running_when_the_attempt_ended_was_cut_short() -> None:
    page = render_run(
        replace(
            VIEW,
            attempt=replace(ATTEMPT, conclusion=Conclusion.TIMED_OUT),
            steps=(StepRecord("full-1", Tier.FULL, "pytest", "running", None, None),),
        )
    )
    assert "cut short" in page
    assert "timed out" in page
    assert parts(page)["step-full-1"]


def test_a_run_that_just_began_has_a_page() -> None:
    queued = replace(
        ATTEMPT,
        number=1,
        state=RunState.QUEUED,
        conclusion=None,
        title=None,
        detail=None,
        started_at=None,
        finished_at=None,
    )
    text = " ".join(Outline(render_run(RunView(queued, NOON, f"/runs/{RUN_ID}"))).text.split())
    assert "Commit 0123456" in text
    assert "Nothing has run yet." in text


@pytest.mark.parametrize("conclusion", list(Conclusion))
@pytest.mark.parametrize("state", list(RunState))
def test_every_state_and_conclusion_has_a_page(state: RunState, conclusion: Conclusion) -> None:
    Outline(render_run(replace(VIEW, attempt=replace(ATTEMPT, state=state, conclusion=conclusion))))


def test_nothing_that_strangers_wrote_becomes_markup() -> None:
    run = replace(ATTEMPT.run, repository=replace(ATTEMPT.run.repository, full_name=HOSTILE), subject=HOSTILE)
    plan = VIEW.plan
    assert plan is not None
    view = replace(
        VIEW,
        attempt=replace(ATTEMPT, run=run, title=HOSTILE, detail=HOSTILE),
        refs=(Ref(RefKind.BRANCH, HOSTILE), Ref(RefKind.PULL_REQUEST, HOSTILE)),
        plan=replace(
            plan,
            dockerfile=HOSTILE,
            warnings=(HOSTILE,),
            evidence=(Evidence(HOSTILE, HOSTILE, 3, HOSTILE, HOSTILE),),
            profile=replace(plan.profile, dockerfile=HOSTILE),
        ),
        image=ImageUsed(HOSTILE, HOSTILE, True, 0),
        steps=(StepRecord("full-1", Tier.FULL, HOSTILE, "finished", 1, 1.0),),
        findings=(Finding(Tier.FULL, HOSTILE, 1, Level.FAILURE, HOSTILE, HOSTILE, HOSTILE),),
        sections=(LogSection("full-1", HOSTILE.encode()), LogSection(HOSTILE, HOSTILE.encode())),
        attempts=(replace(ATTEMPT, title=HOSTILE), replace(ATTEMPT, title=HOSTILE)),
        timings={HOSTILE: 1.0},
    )
    outline = Outline(render_run(view))
    assert not {tag for tag, _ in outline.tags} & {"script", "img", "iframe", "form"}
    assert not any(name.startswith("on") for _, attributes in outline.tags for name in attributes)
    assert all(href.startswith(("https://github.com/", "/runs/", "#")) for href in outline.hrefs())
    assert outline.text.count("<script>alert(1)</script>") >= 14


def test_the_middle_of_a_long_log_is_left_out_and_the_page_says_how_much() -> None:
    lines = b"".join(b"line %06d\n" % number for number in range(100_000))
    sizes = {"full-1": len(lines)}
    view = replace(VIEW, sections=unpack(sizes, shares(sizes), packed("full-1", lines)))
    page = render_run(view)
    assert "line 000000" in page
    assert "line 099999" in page
    assert "line 050000" not in page
    assert "KiB of this section are left out here" in page
    assert f"/runs/{RUN_ID}/2/log" in Outline(page).hrefs()
    (section,) = view.sections
    assert len(section.head) + len(section.tail) <= LARGEST_SECTION
    assert len(section.head) + len(section.tail) + section.omitted == len(lines)
    assert section.head.endswith(b"\n")
    assert section.tail.startswith(b"line ")


@pytest.mark.parametrize("limit", [2, 3, 10, 64, 139, 140, 1000])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_section_is_its_head_and_its_end_whatever_its_chunks_are(limit: int, size: int) -> None:
    whole = b"".join(b"%d\n" % number for number in range(50))
    contents = [whole[start : start + size] for start in range(0, len(whole), size)]
    (full,) = unpack({"full-1": len(whole)}, {"full-1": limit}, packed("full-1", *contents))
    assert len(full.head) + len(full.tail) + full.omitted == len(whole)
    assert len(full.head) + len(full.tail) <= limit
    assert bool(full.omitted) is (limit < len(whole))
    assert whole.startswith(full.head)
    assert whole.endswith(full.tail)


def test_a_section_of_which_nothing_is_shown_leads_to_the_whole_log() -> None:
    (section,) = unpack({"full-1": 3 * 2**20}, {"full-1": 0}, [])
    page = render_run(replace(VIEW, sections=(section,)))
    assert "3.0 MiB of this section are left out here" in page


def test_a_page_shows_so_much_of_a_log_and_no_more() -> None:
    huge = {f"full-{number}": 5 * 2**20 for number in range(1, 21)}
    assert PAGE_LOG - 20 <= sum(shares(huge).values()) <= PAGE_LOG
    assert max(shares(huge).values()) - min(shares(huge).values()) <= 1
    assert shares({"prepare": 10, "full-1": 2**30}) == {"prepare": 10, "full-1": LARGEST_SECTION}
    many = {f"full-{number}": 2**30 for number in range(1000)}
    assert sum(share > 0 for share in shares(many).values()) == MOST_SECTIONS
    assert shares({}) == {}


def test_what_failed_or_runs_has_the_larger_part() -> None:
    sizes = {f"full-{number}": 5 * 2**20 for number in range(1, 101)}
    given = shares(sizes, first={"full-99", "full-100"})
    assert given["full-99"] == given["full-100"] == PAGE_LOG * 3 // 8
    assert given["full-1"] > 0
    assert sum(given.values()) <= PAGE_LOG
    assert loud_steps(VIEW) == {"full-1"}


def test_a_log_that_is_all_colours_does_not_blow_up_the_page() -> None:
    rainbow = b"".join(b"\x1b[1;3;4;7;9;38;2;1;2;%d;48;2;3;4;5mx" % (number % 256) for number in range(8_000))
    plain = render_run(replace(VIEW, sections=(LogSection("full-1", b"x" * len(rainbow)),)))
    colourful = render_run(replace(VIEW, sections=(LogSection("full-1", rainbow),)))
    assert len(colourful) < len(plain) + 3 * len(rainbow)
    assert Outline(colourful).text.count("x") >= 8_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\u202eb", "a\ufffdb"),
        ("a\udcffb", "a\ufffdb"),
        ("a\rb\x7f", "a\ufffdb\ufffd"),
        ("a\nb", "a\nb"),
    ],
)
def test_a_file_name_with_any_character_is_shown(name: str, shown: str) -> None:
    plan = VIEW.plan
    assert plan is not None
    view = replace(
        VIEW,
        plan=replace(plan, evidence=(Evidence("python", name, 1, name, name),), warnings=(name,), dockerfile=name),
        findings=(Finding(Tier.FULL, name, 1, Level.FAILURE, name, name, "pytest"),),
        refs=(Ref(RefKind.BRANCH, name),),
        attempt=replace(ATTEMPT, title=name, detail=name),
    )
    page = render_run(view)
    Outline(page)
    page.encode()
    assert not set(page) & set("\x00\x1b\u202e\x7f\r")
    assert page.count(f"{shown}:1") == 2
