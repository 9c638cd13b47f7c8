"""Which lines of a comment are its author's own words, against a CommonMark parser."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.comment_lines import own_lines

PARSER = MarkdownIt("commonmark")

BEGINNINGS = ("", "", "", " ", "   ", "    ", "\t", "> ", ">", "- ", "* ", "1. ", "-\t", "> - ", "- - ")
CONTENTS = (
    *("/x", "/x", "/x", "", "text", "# heading", "---", "===", "-", "***"),
    *("```", "````", "~~~", "``` py", "```a`b", "~~~~ ~", "`", "``", "a ` b", "\\`"),
    *("<!--", "-->", "a <!-- b", "c --> d", "<pre>", "x </pre>", "<div>", "a <b>", "<details>", "</details>"),
)


def shown(body: str) -> list[str]:
    """What the parser shows as plain text outside of quotes."""
    depth, found = 0, []
    for token in PARSER.parse(body):
        depth += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "inline" and not depth:
            found += [child.content for child in token.children or [] if child.type == "text"]
    return found


@given(st.lists(st.tuples(st.sampled_from(BEGINNINGS), st.sampled_from(CONTENTS)), max_size=9))
def test_a_line_counts_where_commonmark_shows_it_as_text(parts: list[tuple[str, str]]) -> None:
    lines = [
        f"{before}{content} {at}" if content == "/x" else before + content for at, (before, content) in enumerate(parts)
    ]
    body = "\n".join(lines)
    try:
        texts = shown(body)
    except IndexError:  # the parser's own defect, with HTML in a list
        assume(False)
    begin_with_it = {line.strip() for line in lines if re.fullmatch(r" {0,3}/x \d", line)}
    expected = [text for text in texts if text in begin_with_it]
    assert [line for line in own_lines(body) if line.startswith("/x")] == expected


@pytest.mark.parametrize(
    "body",
    [
        "> /x",
        "> quoted\n/x",
        "> - quoted\n/x",
        "- > quoted\n/x",
        "    /x",
        "\t/x",
        "text\n    /x",
        "```\n/x\n```",
        "```\n/x",
        "~~~ sh\n```\n/x\n~~~",
        "````\n```\n/x\n````",
        "```\n``` no end\n/x\n```",
        "- ```\n  /x\n  ```",
        "1. one\n   ```\n   /x\n   ```",
        "-\n\n  ```\n/x\n  ```",  # an item that is empty ends with the empty line
        "`/x`",
        "see `this\n/x\n`",
        "see ``this\n`\n/x\n``",
        "<!-- /x -->",
        "<!--\n/x\n-->",
        "<!--\n\n/x",
        "text <!-- hidden\n/x\n-->",
        "<pre>\n\n/x\n\n</pre>",
        "<details>\n/x\n</details>",
        "- /x",
        "# /x",
        "please /x",
    ],
)
def test_what_is_quoted_code_or_html_does_not_count(body: str) -> None:
    assert "/x" not in own_lines(body)


@pytest.mark.parametrize(
    "body",
    [
        "/x",
        "   /x  ",
        "\r\ntext\r\n/x\r\ntext",
        "text\r/x",
        "> quoted\n\n/x",
        "> ```\n/x",
        "> # quoted\n/x",
        "```\ncode\n```\n/x",
        "~~~\n~~~~\n/x",
        "``` not a fence ```\n/x",
        "- ```\n  code\n/x",
        "- item\n/x",
        "- item\n\n  /x",
        "a `b\n/x",
        "\\`a\n/x\n`",
        "<!-- hidden -->\n/x",
        "text <!-- never closed\n/x",
        "<details>\n\n/x\n\n</details>",
        "/x\n---",
        "1986. A year\n/x",
    ],
)
def test_what_an_author_says_counts(body: str) -> None:
    assert "/x" in own_lines(body)


def filled(pattern: str) -> str:
    return (pattern * 65_536)[:65_536]


@pytest.mark.parametrize(
    "body",
    [
        *map(
            filled,
            ("`", "``\n`", "a `", ">", "> ", ">\n\na\n", "- ", "-\n", "- - - -\n\n", "1. ", "* ", "_ ", "~~~\n", "#"),
        ),
        *map(
            filled,
            ("<!--", "<!--\n", "-->", "<pre>", "<![CDATA[", "<a ", "<a b='", "\\`", "=\n", "\n", "\r", "a\n", "\t"),
        ),
        *map(filled, ("\x00", "\u202e", "\ud800", "😀", "\u2028/x\n")),
        " ".join("`" * length for length in range(1, 360)),
        "- " * 100 + "\n" * 60_000,
        ">" * 30_000 + "\n" + (">" * 30 + "\n") * 1_000,
        "<a" + " a" * 30_000,
    ],
    ids=lambda body: ascii(body[:8]),
)
def test_hostile_lengths_are_read_to_their_end(body: str) -> None:
    """A quadratic reader would need minutes for some of these."""
    assert own_lines(f"/first\n\n{body}")[0] == "/first"
