"""Hostile text in Markdown, read back by a CommonMark parser."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot import markdown

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")

NASTY = st.text(alphabet=st.sampled_from("`|\\*_~[]()<>@#&;-+=!$:/ \n\r\t\x00\x1bab1é\u2028😀"), max_size=60)
TEXTS = NASTY | st.text(max_size=80)


def types(source: str) -> list[str]:
    return [token.type for token in PARSER.parse(source)]


@given(TEXTS | st.text(alphabet="`a\n", max_size=300))
def test_nothing_ends_a_fence(text: str) -> None:
    shown = markdown.fence(markdown.plain(text), 10_000)
    assert types(f"before\n\n{shown}\n\nafter") == [
        *["paragraph_open", "inline", "paragraph_close"],
        "fence",
        *["paragraph_open", "inline", "paragraph_close"],
    ]


@given(TEXTS, st.integers(300, 900))
def test_a_fence_keeps_to_its_size_and_shows_the_end(text: str, limit: int) -> None:
    shown = markdown.fence("x" * 2_000 + "\n" + "`" * 400 + "\n" + text + "\nlast", limit)
    assert markdown.size(shown) <= limit
    assert types(shown) == ["fence"]
    assert "last" in shown


@given(TEXTS)
def test_code_stays_in_its_cell(text: str) -> None:
    shown = markdown.table(("a", "b"), [(markdown.code(text), "second")], 10_000)
    tokens = PARSER.parse(shown)
    cells = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "td_open"]
    assert len(cells) == 2
    assert cells[1] == "second"
    assert types(shown)[0] == "table_open"
    assert types(shown)[-1] == "table_close"


@given(TEXTS)
def test_code_is_nothing_but_code(text: str) -> None:
    [_, inline, _] = PARSER.parse(f"x {markdown.code(text)} x")
    inside = [token for token in inline.children or [] if token.type != "text" or token.content.strip("x ")]
    kinds = {token.type for token in inside}
    assert kinds in ({"code_inline"}, {"html_inline", "text"}, {"html_inline"})
    assert all(token.content in ("<code>", "</code>") for token in inside if token.type == "html_inline")


@given(TEXTS)
@example("`\\@1`")
def test_prose_makes_no_links_tags_emphasis_or_mentions(text: str) -> None:
    [_, inline, _] = PARSER.parse(f"- {markdown.escape(text)} x".removeprefix("- "))
    kinds = {token.type for token in inline.children or []}
    assert kinds <= {"text", "code_inline", "html_inline", "text_special"}
    html = {token.content for token in inline.children or [] if token.type == "html_inline"}
    assert html <= {"<code>", "</code>"}
    words = ""
    in_code = False  # GitHub finds no mentions in a code element
    for token in inline.children or []:
        in_code = token.content == "<code>" or (in_code and token.content != "</code>")
        words += token.content if token.type == "text" and not in_code else " "
    assert not any(word[:1].isalnum() for word in words.split("@")[1:])


@given(TEXTS, st.integers(3, 100))
def test_cuts_are_whole_characters_within_the_limit(text: str, limit: int) -> None:
    assert markdown.size(markdown.cut(text, limit)) <= limit
    assert markdown.size(markdown.last(text, limit)) <= limit
    assert markdown.size(markdown.fit(text.split("\n"), limit + 40, "{left} more")) <= limit + 40


def test_prose_reads_well() -> None:
    assert markdown.escape("`os` imported but unused") == "`os` imported but unused"
    assert markdown.escape("raise DRAFTSMAN_JOB_MEMORY_MB.") == "raise DRAFTSMAN_JOB_MEMORY_MB."
    assert markdown.escape("thanks @octocat") == f"thanks @{markdown.ZERO_WIDTH_SPACE}octocat"
    assert markdown.code("ruff check .") == "`ruff check .`"


def test_output_is_shown_as_a_terminal_would() -> None:
    assert markdown.plain("\x1b[31mred\x1b[0m\r\n10%\r50%\r100%\ndone\x07") == "red\n100%\ndone"
    assert markdown.plain("\x1b]8;;http://a\x07link\x1b]8;;\x07") == "link"
    assert markdown.plain("\x1b]0;title that never ends") == ""


def test_a_table_says_how_many_rows_are_left_out() -> None:
    shown = markdown.table(("a",), [(f"row {number}",) for number in range(100)], 300)
    assert markdown.size(shown) <= 300
    rows = shown.count("| row ")
    assert shown.endswith(f"| … {100 - rows} more |")
