"""Terminal output as HTML: colours kept, everything hostile gone."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dashboard.ansi import Terminal

ALLOWED = re.compile(
    r'<span(?: class="[a-z0-9 ]+")?(?: style="(?:(?:background-)?color:#[0-9a-f]{6};?)+")?>'
    r"|</span>|&(?:lt|gt|amp|quot|#x27);|[^<>&\"']"
)


def html(text: str) -> str:
    return Terminal().line(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("<script>alert('x')</script>", "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;"),
        ("\x1b[31mred\x1b[0m", '<span class="c1">red</span>'),
        ("\x1b[1;92mgood\x1b[m done", '<span class="bold c10">good</span> done'),
        ("\x1b[41mon red\x1b[49m", '<span class="b1">on red</span>'),
        ("\x1b[38;5;9mx", '<span class="c9">x</span>'),
        ("\x1b[38;5;208mx", '<span style="color:#ff8700">x</span>'),
        ("\x1b[48;5;240mx", '<span style="background-color:#585858">x</span>'),
        ("\x1b[38;2;1;2;255mx", '<span style="color:#0102ff">x</span>'),
        ("\x1b[38:2:1:2:3mx", '<span style="color:#010203">x</span>'),
        ("\x1b[1mbold \x1b[22mnot", '<span class="bold">bold </span>not'),
        ("\x1b[7mx\x1b[27my", '<span class="reverse">x</span>y'),
        ("\x1b[7;31mx", '<span class="reverse b1">x</span>'),
        ("\x1b[31m\x1b[0m", ""),
    ],
)
def test_colours_and_weights(text: str, expected: str) -> None:
    assert html(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]8;;javascript:alert(1)\x07shown\x1b]8;;\x07",
        "\x1b]8;;https://evil.example\x1b\\shown\x1b]8;;\x1b\\",
        "\x1b]0;a new title\x07shown",
        "\x1b[2J\x1b[Hshown\x1b[K",
        "\x1b[?25lshown\x1b(B",
        "\x1bPdevice\x1b\\shown",
        "\x1b[999999999999999999mshown",
        "\x1b[38;5;300mshown",
        "\x1b[<31mshown",
        "\x00s\x08h\x07own\x7f",
        "s\u202eh\u2066own",
        "12 %\r50 %\rshown",
        "shown\r",
        "shown\x1b[31",
        "shown\x1b]8;;https://evil.example",
        "shown\x1b",
    ],
)
def test_other_control_sequences_leave_nothing(text: str) -> None:
    assert html(text) == "shown"


def test_a_colour_that_is_not_ended_lasts_to_the_next_lines_and_each_line_is_whole() -> None:
    terminal = Terminal()
    assert terminal.line("\x1b[33mfirst") == '<span class="c3">first</span>'
    assert terminal.line("second") == '<span class="c3">second</span>'
    assert terminal.line("third\x1b[0m fourth") == '<span class="c3">third</span> fourth'
    assert terminal.line("fifth") == "fifth"


@given(st.text(alphabet=st.sampled_from("\x1b[]0123456789;:mKHP\\\x07<>&\"'a é\r\x00\x9b"), max_size=200))
def test_whatever_is_printed_only_our_own_spans_come_out(text: str) -> None:
    out = html(text)
    assert ALLOWED.sub("", out) == ""
    assert out.count("<span") == out.count("</span>")


@pytest.mark.hostile
@pytest.mark.parametrize("unit", ["\x1b[", "\x1b[1;", "\x1b]8;;", "\x1b", "\x1b[31mx", "\x1bP", "1;", "&"])
def test_a_megabyte_takes_seconds_whatever_it_is_made_of(unit: str) -> None:
    started = time.process_time()
    out = html(unit * (2**20 // len(unit)))
    assert time.process_time() - started < 60
    assert len(out) < 20 * 2**20
