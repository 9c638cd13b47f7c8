"""What Draftsman answers, read by a Markdown parser."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot import replies
from bot.commands import Scope, Unclear, Verb, parse
from bot.markdown import ZERO_WIDTH_SPACE, size
from draftsman.domain.plan import Evidence, Plan, Toolchain
from draftsman.domain.run import Conclusion, RunState
from tests.bot.views import SHA, make_view
from tests.bot.work import make_plan

PARSER = MarkdownIt("gfm-like", {"html": True, "linkify": False})
PAGE = "https://draftsman.example/runs/7?attempt=1"
HOSTILE = (
    "@octocat see #12 and acme/widgets#12 GH-12 https://github.com/acme/widgets/issues/12 "
    "www.example.com [x](http://evil) <img src=x> <!-- draftsman:reply:9 --> | ` \u202e\x00"
)
NASTY = st.text(alphabet=st.sampled_from("`~|\\*_[]()<>@#&-!:/ \n\r\x00\x1bab1é😀\ud800"), max_size=80) | st.just(
    HOSTILE
)


def seen(markdown: str) -> str:
    """The text outside of code, as GitHub looks for mentions and references in it."""
    words: list[str] = []
    for token in PARSER.parse(markdown):
        in_code = False
        for child in token.children or []:
            in_code = child.content == "<code>" or (in_code and child.content != "</code>")
            words.append(child.content if child.type in ("text", "text_special") and not in_code else " ")
        words.append("\n")
    return "".join(words)


def notifies(markdown: str) -> list[str]:
    return re.findall(r"@[^\W_]|#\d|\bGH-\d|https?://|www\.", seen(markdown))


def links(markdown: str) -> set[str]:
    inside = (child for token in PARSER.parse(markdown) for child in token.children or [])
    return {str(child.attrs["href"]) for child in inside if child.type == "link_open"}


def hostile_plan(text: str) -> Plan:
    return replace(
        make_plan(setup=text or "x", fast=(text or "x",), full=()),
        toolchains=(Toolchain("python", text, ""),),
        evidence=(Evidence(text, text, 7, text, text),),
        warnings=(text,),
    )


def test_help_names_every_command_and_who_may() -> None:
    shown = replies.help_reply(aliases=True)
    assert all(f"/draftsman {verb}" in shown for verb in Verb)
    assert "`/test`" in shown
    assert "`/test`" not in replies.help_reply(aliases=False)
    rows = {line.split("|")[1].strip(): line for line in shown.splitlines() if line.startswith("| ")}
    assert "author" in rows["`/draftsman cancel`"]
    assert "author" not in rows["`/draftsman rebuild`"]
    assert "everybody" in rows["`/draftsman help`"]


def test_a_plan_shows_its_steps_and_its_reasons() -> None:
    plan = replace(make_plan(full=()), toolchains=(Toolchain("python", "3.12", "python:3.12-slim"),))
    shown = replies.plan_reply(plan, SHA, PAGE)
    assert "What is run for `ec26c3e`" in shown
    assert all(part in shown for part in ("`uv sync`", "`ruff check .`", "`python 3.12`", "`pyproject.toml:7`"))
    assert "No full checks were found" in shown
    assert links(shown) == {PAGE}


def test_a_plan_that_is_not_made_yet() -> None:
    assert "no plan for `ec26c3e` yet" in replies.plan_reply(None, SHA, PAGE)


def logs(*args: Any, tail: str = "", **fields: Any) -> str:
    return replies.logs_reply(replace(make_view(*args, **fields), log_tail=tail))


def test_logs_show_where_it_failed_and_the_end() -> None:
    shown = logs(
        conclusion=Conclusion.FAILURE,
        codes={"setup-1": 0, "fast-1": 0, "full-1": 1},
        tail="x\n" * 50_000 + "\x1b[31mE  assert 1 == 2\x1b[0m\n",
    )
    assert shown.startswith("`pytest` failed (exit 1) · attempt 1 of `ec26c3e`")
    assert shown.endswith("x\nE  assert 1 == 2\n```")
    assert size(shown) < 13_000
    assert links(shown) == {PAGE}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"state": RunState.WAITING}, "there is no log"),
        ({"state": RunState.QUEUED}, "there is no log"),
        ({"state": RunState.PREPARING}, "It runs"),
        ({"state": RunState.RUNNING, "codes": {"setup-1": "running"}}, "`uv sync` runs"),
        ({"conclusion": Conclusion.SUCCESS, "title": "all passed"}, "`all passed`"),
        (
            {"conclusion": Conclusion.TIMED_OUT, "codes": {"setup-1": "running"}, "title": "the limit is 30 min"},
            "`uv sync` was cut short: `the limit is 30 min`",
        ),
    ],
)
def test_logs_of_anything_else(arguments: dict[str, Any], says: str) -> None:
    shown = logs(**arguments)
    assert says in shown
    assert links(shown) == {PAGE}


def test_what_was_done_is_said() -> None:
    assert replies.queued(SHA, None) == "The checks of `ec26c3e` are queued."
    assert replies.queued(SHA, Scope.FAST) == "The fast checks of `ec26c3e` are queued."
    assert "merged into its base" in replies.queued(SHA, Scope.MERGE)
    assert replies.approved(SHA).startswith("Approved `ec26c3e`: its checks are queued.")
    assert replies.cancelled(SHA) == "The checks of `ec26c3e` are cancelled."
    assert replies.cancelled(None) == "There was nothing to cancel."
    assert "`ec26c3e`" in replies.rebuilding(SHA)
    assert "no repair command is configured for this repository" in replies.no_repair()
    assert replies.done_reply(["a", "b", "a"]) == "- a\n- b"
    assert replies.refusals_reply(["no."]) == "- no."


def test_a_retry_finds_the_answer_of_its_comment_only() -> None:
    body = replies.reply(["hello"], 12)
    assert replies.is_reply_to(body, 12)
    assert replies.is_reply_to(body.replace("\n", "\r\n") + "\n", 12)
    assert not replies.is_reply_to(body, 1)
    assert not replies.is_reply_to(body, 2)
    assert not replies.is_reply_to(f"> {replies.marker(12)}\n\nthanks", 12)
    assert "draftsman:reply" not in seen(body)


@given(NASTY)
def test_strangers_text_notifies_nobody_and_links_nowhere(text: str) -> None:
    view = make_view(conclusion=Conclusion.FAILURE, codes={"setup-1": 1}, plan=hostile_plan(text), title=text)
    unclear = [item for item in parse(f"/draftsman {text}\n\n/draftsman x{text}") if isinstance(item, Unclear)]
    parts = (
        replies.unclear_reply(unclear),
        replies.plan_reply(hostile_plan(text), SHA, PAGE),
        replies.logs_reply(replace(view, log_tail=text)),
        replies.logs_reply(replace(make_view(conclusion=Conclusion.ERROR, title=text), log_tail="")),
    )
    body = replies.reply(parts, 5)
    assert not notifies(body)
    assert links(body) <= {PAGE}
    assert replies.is_reply_to(body, 5)
    assert not replies.is_reply_to(body, 9)
    body.encode()


def test_the_words_of_strangers_stay_readable() -> None:
    shown = replies.plan_reply(replace(make_plan(), warnings=("see https://a.example/x and #12",)), SHA, PAGE)
    assert "see https://a.example/x and #12" in seen(shown).replace(ZERO_WIDTH_SPACE, "")


FENCE = "`````text\n" + "log line\n" * 3_000 + "`````"
FOLD = "<details><summary>Why</summary>\n\n" + "| a | b |\n" * 6_000 + "\n</details>"


@given(st.lists(st.sampled_from([FENCE, FOLD, "short", "", "é" * 70_000]), max_size=8))
def test_an_answer_keeps_to_its_size_and_closes_what_it_opened(parts: list[str]) -> None:
    body = replies.reply(parts, 3)
    assert size(body) <= replies.LIMIT
    assert replies.is_reply_to(body, 3)
    assert body.count("<details>") == body.count("</details>")
    assert body.count("`````") % 2 == 0
    assert PARSER.parse(body)[-1].content.strip() == replies.marker(3)
    assert ("left out" in body) == (size("\n\n".join(filter(None, parts))) > replies.LIMIT - 80)


def test_an_answer_of_everything_fits() -> None:
    plan = hostile_plan("`x` " * 200)
    many = replace(
        plan,
        profile=replace(plan.profile, fast=("make " + "y" * 500,) * 50, full=("z" * 500,) * 50),
        evidence=plan.evidence * 200,
        warnings=("w" * 500,) * 100,
    )
    parts = [
        replies.help_reply(aliases=True),
        replies.plan_reply(many, SHA, PAGE),
        logs(RunState.RUNNING, tail="x\n" * 9_000),
    ]
    assert "left out" not in replies.reply(parts, 1)
