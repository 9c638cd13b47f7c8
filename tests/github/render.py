"""A check run as a person would see it on GitHub, for a terminal: pure, API answers in, text out.

What a check run says was written by code under test as well, so control characters never get through.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

ICONS = {
    "success": "✔",
    "failure": "✘",
    "timed_out": "✘",
    "action_required": "!",
    "cancelled": "⊘",
    "neutral": "■",
    "skipped": "⏭",
    "in_progress": "●",
    "queued": "○",
}
COLOURS = {
    "success": 32,
    "failure": 31,
    "timed_out": 31,
    "action_required": 33,
    "in_progress": 33,
    "warning": 33,
    "notice": 36,
}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<ticks>`+)(?P<code>.+?)(?P=ticks)(?!`)"
    r"|!?\[(?P<link>(?:\\.|[^\]\\])*)\]\((?P<address>[^)\s]+)\)"
    r"|(?P<marks>\*\*|__)(?P<bold>.+?)(?P=marks)"
)
TABLE_RULE = re.compile(r"\|?[\s:|-]+\|?")


def render_check_run(
    run: Mapping[str, Any], annotations: Sequence[Mapping[str, Any]] = (), *, width: int = 100, colour: bool = False
) -> str:
    """The check run (an answer of the API) with its annotations, as lines of at most about `width` columns.

    Tables and code blocks are not wrapped: broken, nobody can read them.
    """
    verdict = str(run["conclusion"] or run["status"])
    head = f"{ICONS.get(verdict, '?')} {clean(run['name'])} — {verdict.replace('_', ' ')}"
    output = run["output"]
    lines = [painted(head, verdict, colour) + f"  ({run['head_sha'][:7]})"]
    if output["title"]:
        lines.append(f"  {clean(output['title'])}")
    for text in (output["summary"], output["text"]):
        if text:
            lines += ["", *indented(markdown_lines(text, width - 4), "    ")]
    if annotations:
        lines += ["", f"  Annotations ({len(annotations)})"]
        for annotation in annotations:
            lines += indented(annotation_lines(annotation, width - 4, colour), "    ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def annotation_lines(annotation: Mapping[str, Any], width: int, colour: bool) -> Iterator[str]:
    """`path:line level title message`; further lines of the message below."""
    level = str(annotation["annotation_level"])
    span = str(annotation["start_line"])
    if annotation["end_line"] != annotation["start_line"]:
        span += f"-{annotation['end_line']}"
    elif annotation.get("start_column"):
        span += f":{annotation['start_column']}"
    first, *rest = clean(annotation["message"]).splitlines() or [""]
    title = clean(annotation.get("title") or "")
    parts = [f"{clean(annotation['path'])}:{span}", painted(level, level, colour), title, first]
    yield " ".join(part for part in parts if part)
    for line in rest:
        yield from textwrap.wrap(line, width, initial_indent="  ", subsequent_indent="  ") or [""]


def markdown_lines(text: str, width: int) -> Iterator[str]:
    """Markdown as plain lines: tables aligned, code as it is, the rest without its marks and wrapped."""
    table: list[str] = []
    in_code = False
    for line in clean(text).splitlines():
        if not in_code and line.lstrip().startswith("|"):
            table.append(line)
            continue
        yield from table_lines(table)
        table = []
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif in_code:
            yield f"  {line}"
        else:
            yield from prose_lines(line, width)
    yield from table_lines(table)


def prose_lines(line: str, width: int) -> Iterable[str]:
    line = plain(re.sub(r"<summary>(.*?)</summary>", r"▸ \1", line))
    line = re.sub(r"^\s*#{1,6}\s+", "", re.sub(r"</?[a-z][^<>]*>", "", line))
    bullet = re.match(r"\s*(?:[-*+]|\d+\.)\s+", line)
    return textwrap.wrap(line, width, subsequent_indent=" " * len(bullet[0]) if bullet else "") or [""]


def table_lines(rows: Sequence[str]) -> Iterator[str]:
    """A markdown table with aligned columns and a rule under its head."""
    cells = [
        [plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]
        for row in rows
        if not TABLE_RULE.fullmatch(row.strip())
    ]
    if not cells:
        return
    columns = max(map(len, cells))
    cells = [row + [""] * (columns - len(row)) for row in cells]
    widths = [max(len(row[index]) for row in cells) for index in range(columns)]
    for number, row in enumerate(cells):
        yield "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True))
        if number == 0:
            yield "  ".join("─" * size for size in widths)


def plain(text: str) -> str:
    """Inline markdown without its marks; a link shows where it leads, and an escaped mark stands for itself."""
    return INLINE.sub(_plain_part, text)


def _plain_part(found: re.Match[str]) -> str:
    if found["link"] is not None:
        return f"{plain(found['link'])} ({found['address']})"
    if found["bold"] is not None:
        return plain(found["bold"])
    return found["escaped"] or found["code"].strip()


def clean(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").expandtabs(4))


def painted(text: str, key: str, colour: bool) -> str:
    return f"\x1b[{COLOURS[key]}m{text}\x1b[0m" if colour and key in COLOURS else text


def indented(lines: Iterable[str], by: str) -> Iterator[str]:
    return (f"{by}{line}" for line in lines)
