"""The grammar of slash commands, as somebody who comments meets it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands import MOST, Command, Scope, Unclear, Verb, parse

NASTY = st.text(
    alphabet=st.sampled_from("/draftsmn test>`~<!-\\ \t\r\n#*.1\x00\x1b\u202e\u2028\ud800é😀"), max_size=200
)


def only(body: str, *, aliases: bool = True) -> Command | Unclear:
    [item] = parse(body, aliases=aliases)
    return item


def sentence(body: str) -> str:
    item = only(body)
    assert isinstance(item, Unclear)
    return item.sentence


@pytest.mark.parametrize(
    ("body", "verb", "scope", "sha"),
    [
        ("/draftsman test", Verb.TEST, None, None),
        ("/draftsman run fast", Verb.TEST, Scope.FAST, None),
        ("/test full", Verb.TEST, Scope.FULL, None),
        ("/run merge", Verb.TEST, Scope.MERGE, None),
        ("/Draftsman  TEST\tFast  ", Verb.TEST, Scope.FAST, None),
        ("/cancel", Verb.CANCEL, None, None),
        ("/rebuild", Verb.REBUILD, None, None),
        ("/fix", Verb.FIX, None, None),
        ("/approve", Verb.APPROVE, None, None),
        ("/approve ABCDEF1", Verb.APPROVE, None, "abcdef1"),
        ("/draftsman approve " + "0a" * 32, Verb.APPROVE, None, "0a" * 32),
        ("/plan", Verb.PLAN, None, None),
        ("/logs", Verb.LOGS, None, None),
        ("/draftsman help", Verb.HELP, None, None),
        ("/draftsman", Verb.HELP, None, None),
    ],
)
def test_every_verb(body: str, verb: Verb, scope: Scope | None, sha: str | None) -> None:
    found = only(f"Thanks!\r\n\r\n   {body}\r\nand more")
    assert isinstance(found, Command)
    assert (found.verb, found.scope, found.sha) == (verb, scope, sha)


def test_several_in_one_comment_are_done_in_order_and_once() -> None:
    found = parse("/rebuild\n/test fast\ntext\n/run  FAST\n/draftsman rebuild\n/logs")
    assert [(item.verb, item.scope) for item in found if isinstance(item, Command)] == [
        (Verb.REBUILD, None),
        (Verb.TEST, Scope.FAST),
        (Verb.LOGS, None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "/test all",
        "/test pull-widgets-unit",
        "/test fast please",
        "/approve no-issue",
        "/approve cancel",
        "/cancel now",
        "/lgtm",
        "/help",
        "/tests",
        "/draftsmanship",
        "/path/to/test",
        "run /test",
        "//test",
        "",
    ],
)
def test_what_belongs_to_others_is_text(body: str) -> None:
    assert parse(body) == ()


def test_short_forms_can_be_turned_off() -> None:
    assert parse("/test\n/approve\n/test fsat", aliases=False) == ()
    found = only("/test\n/draftsman cancel", aliases=False)
    assert isinstance(found, Command)
    assert found.verb is Verb.CANCEL


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("/draftsman tset", "`/draftsman tset`: there is no such command; did you mean `/draftsman test`?"),
        ("/draftsman Aprove", "did you mean `/draftsman approve`?"),
        ("/draftsman deploy", "`/draftsman help` lists them"),
        ("/draftsman test fats", "`full`, `merge` or nothing; did you mean `/draftsman test fast`?"),
        ("/draftsman test fast full", "`fast`, `full`, `merge` or nothing"),
        ("/test fsat", "did you mean `/test fast`?"),
        ("/draftsman cancel now", "nothing goes behind it; did you mean `/draftsman cancel`?"),
        ("/draftsman approve main", "7 to 64 hexadecimal digits"),
        ("/draftsman approve abc12", "7 to 64 hexadecimal digits"),
        ("/approve abc12", "7 to 64 hexadecimal digits"),
        ("/approve " + "0" * 65, "7 to 64 hexadecimal digits"),
    ],
)
def test_a_slip_is_answered(body: str, says: str) -> None:
    assert says in sentence(body)


def test_what_is_shown_again_is_harmless() -> None:
    shown = sentence("/draftsman @octocat #12 <img src=x> `code` \u202e\x00" + "x" * 5_000)
    assert len(shown) < 600
    assert not set("\u202e\x00") & set(shown)
    assert all(part not in shown for part in ("@octocat", "<img"))


def test_a_comment_of_commands_only_is_not_done_whole() -> None:
    found = parse("\n".join(f"/approve {number:07x}" for number in range(5_000)))
    assert len(found) == MOST + 1
    assert found[MOST - 1] == Command(Verb.APPROVE, None, f"{MOST - 1:07x}", f"/approve {MOST - 1:07x}")
    last = found[MOST]
    assert isinstance(last, Unclear)
    assert f"first {MOST} commands" in last.sentence


def test_repetitions_do_not_count_against_the_most() -> None:
    assert len(parse("/test\n" * 100 + "/logs\n" * 100)) == 2


@given(NASTY | st.text(max_size=300), st.booleans())
def test_any_text_is_read(text: str, aliases: bool) -> None:
    for item in parse(text, aliases=aliases):
        assert item.line == item.line.strip()
        assert "\n" not in item.line
        assert isinstance(item, Command) or item.sentence


LINES = st.lists(
    st.sampled_from(["", "text", "/draftsman test", "- item", "  /cancel", "a `b` c", "é😀"]), min_size=1, max_size=6
)


@st.composite
def hidden(draw: st.DrawFn) -> str:
    """A block in which nothing is a command, whatever its lines are."""
    lines = draw(LINES)
    kind = draw(st.sampled_from(["fence", "quote", "lazy quote", "indented", "comment", "pre", "item"]))
    if kind == "fence":
        character, length = draw(st.sampled_from("`~")), draw(st.integers(3, 8))
        info = draw(st.sampled_from(["", "sh", " py title=x"]))
        end = character * draw(st.integers(length, length + 2))
        return "\n".join([character * length + info, *lines, character * (length - 1), *lines, end])
    if kind == "quote":
        return "\n".join(draw(st.sampled_from([">", "> ", "  > ", "> > "])) + line for line in lines)
    if kind == "lazy quote":
        return "\n".join(["> quoted", *(line for line in lines if line and not line.startswith("-"))])
    if kind == "indented":
        return "\n".join(draw(st.sampled_from(["    ", "\t", "      "])) + line for line in lines)
    if kind == "comment":
        return "\n".join(["<!-- draft", *lines, "-->"])
    if kind == "pre":
        return "\n".join(["<pre>", *lines, "</pre>"])
    return "\n".join(["- ```", *(f"  {line}" for line in lines), "  ```"])


@given(st.lists(hidden() | st.integers(0, 10**9), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_commands_outside_are_found_and_those_inside_never(parts: list[str | int], line_end: str) -> None:
    written = [f"/approve {part:010x}" if isinstance(part, int) else part for part in parts]
    expected = list(dict.fromkeys(f"{part:010x}" for part in parts if isinstance(part, int)))
    found = parse("\n\n".join(written).replace("\n", line_end))
    assert [item.sha for item in found if isinstance(item, Command)] == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    "lines",
    [
        (f"/test fas{number}" for number in range(5_000)),
        (f"/draftsman t{number}" for number in range(4_000)),
        (f"/draftsman {'t' * 60_000}",),
        (f"/test {'fast ' * 12_000}",),
    ],
    ids=["slips", "unknown", "long word", "many words"],
)
def test_hostile_commands_are_read_to_their_end(lines: Iterable[str]) -> None:
    body = "\n".join(lines)
    assert parse(f"/logs\n{body}")[0] == Command(Verb.LOGS, None, None, "/logs")
    assert len(parse(body)) <= MOST + 1
