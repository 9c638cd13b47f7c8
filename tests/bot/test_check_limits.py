"""Whatever is in a check run, GitHub takes it, and nothing in its Markdown is cut open."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.check_reading import LOG_BYTES
from bot.checks import check_run_body
from bot.comparison import Base, BaseBranch
from bot.markdown import size
from draftsman.domain.plan import Evidence, Plan, Tier
from draftsman.domain.run import Conclusion, Naming, Ref, RefKind
from draftsman.store.steps import StepRecord
from tests.bot.views import ALL_PASSED, FAILURE, SUCCESS, bodies, finding, make_view, merge_of
from tests.bot.work import make_plan

CHARACTERS = "`|\n@<>*_~#-&\\\r\t \x1b[1m😀é\U0001f468\u200d\U0001f469\u2028\x00\ud800aZ"
WILD = st.one_of(
    st.text(max_size=400),
    st.text(alphabet="`|\n@<😀", max_size=400).map(lambda text: text * 20),
    st.text(alphabet=CHARACTERS, max_size=60),
    st.text(alphabet=CHARACTERS, min_size=1, max_size=3).map(lambda text: text * 30_000),  # one huge line, as a rule
    st.sampled_from(
        [
            "```\nnever closed",
            "<details><summary>",
            "| a | b |\r\n|---|---|\r\n",
            "~~~~",
            "😀" * 17_000,
            "\r\n" * 40_000,
        ]
    ),
)
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def assert_whole(source: str) -> None:
    """Nothing in the Markdown is left open, nor closed by what strangers wrote."""
    tokens = PARSER.parse(f"{source}\n\nthe end")
    assert [token.content for token in tokens[-2:-1]] == ["the end"]
    html = "".join(token.content for token in tokens if token.type == "html_block")
    assert html.count("<details>") == html.count("</details>") <= 1
    assert "<summary>" not in html.replace("<details><summary>", "")


@settings(max_examples=40, deadline=None)
@given(
    commands=st.lists(WILD, max_size=60),
    wild=WILD,
    log=WILD.map(lambda text: text * 40),
    number=st.integers(0, 400),
    conclusion=st.sampled_from(Conclusion),
)
def test_whatever_is_in_it_github_takes_it(
    commands: list[str], wild: str, log: str, number: int, conclusion: Conclusion
) -> None:
    plan = Plan(
        profile=make_plan(fast=commands).profile,
        toolchains=(),
        dockerfile="",
        caches=(),
        evidence=tuple(Evidence(wild, wild, 3, wild, wild) for _ in range(100)),
        warnings=(wild,) * 100,
    )
    steps = tuple(
        StepRecord(f"fast-{at}", Tier.FAST, command, "finished", at % 2, 1.0) for at, command in enumerate(commands)
    )
    findings = tuple(finding(line=line + 1, message=wild, title=wild) for line in range(number))
    view = replace(
        merge_of(make_view(plan=plan, title=wild, detail=wild * 3, conclusion=conclusion, asked_by=wild, number=2)),
        steps=steps,
        findings=findings,
        log_tail=log[-LOG_BYTES:],
        written=wild,
        namings=(Naming(Ref(RefKind.PULL_REQUEST, wild), base_branch=wild),),
        base=Base(BaseBranch(wild, is_own=False), "abc1234", steps, findings[:1]),
    )
    for body in bodies(view):
        assert size(body.title) <= 255
        assert "\n" not in body.title
        assert size(body.summary) <= 65_535
        assert body.summary.endswith(f"[whole log and details]({view.details_url})")
        assert_whole(body.summary)
        if body.text is not None:
            assert size(body.text) <= 65_535
            assert_whole(body.text)
            assert [token.type for token in PARSER.parse(body.text)] == ["fence"]
        for one in body.annotations:
            assert 0 < len(one["title"]) <= 255
            assert 0 < size(one["message"]) <= 64 * 1024
        for text in (body.title, body.summary, body.text or ""):
            text.encode()  # no half of a character anywhere


def test_the_end_of_a_log_is_kept_at_whole_lines_and_whole_characters() -> None:
    view = make_view(conclusion=FAILURE, codes={"setup-1": 0, "fast-1": 1})
    many = "\r\n".join(f"{number} 😀 line" for number in range(9_000))
    text = check_run_body(replace(view, log_tail=many), Tier.FAST).text or ""
    assert text.splitlines()[1].endswith(" 😀 line")
    assert text.splitlines()[-2] == "8999 😀 line"
    assert size(text) <= LOG_BYTES // 2
    one = check_run_body(replace(view, log_tail="😀" * 20_000), Tier.FAST).text or ""
    assert set(one.splitlines()[1]) == {"😀"}


def test_what_the_job_wrote_keeps_its_lines_and_stays_a_quotation() -> None:
    view = replace(make_view(conclusion=SUCCESS, codes=ALL_PASSED), written="# Coverage\r\n\r\n- 93 %\n```\nx")
    fast, _ = bodies(view)
    assert "> \\# Coverage\n>\n> \\- 93 %\n> \\`\\`\\`\n> x\n" in fast.summary
