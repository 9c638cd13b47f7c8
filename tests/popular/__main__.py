"""`python -m tests.popular --mirrors FOLDER`: plans the popular repositories and says what differs.

FOLDER holds one bare repository each, `<owner>+<name>`, with the commit that the list names. Nothing is fetched.
`--list` chooses the list, `--only` takes some repositories. `--json` prints the same for programs, `--markdown` the
rows of `docs/zero-config.md`; `--quotes` plans nothing and checks that every quoted line stands in its commit. The exit
code is 0 wherever a table was printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from draftsman.ansi import harmless
from tests.popular.compare import Judgement, Miss, share
from tests.popular.expectations import LISTS, PARTS, Expectation, ListError, Part, read
from tests.popular.mirrors import wrong_quotes
from tests.popular.plans import judge_all

_TITLES: dict[Part, str] = {
    "toolchain": "ecosystem, version and manager",
    "commands": "setup and tests",
    "lint": "lint and types",
}
_ASKED: dict[Part, int] = {"toolchain": 95, "commands": 90, "lint": 80}


def as_json(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Return the table for programs: percentages, and what differs in each repository."""
    return {
        "percent": {
            part: {"right": right, "judged": judged, "percent": _percent(right, judged)}
            for part in PARTS
            for right, judged in [share(judgements, part)]
        },
        "repositories": [
            {
                "name": one.expectation.name,
                "sha": one.expectation.sha,
                "parts": {part: _word(one, part) for part in PARTS},
                "refused": one.refused,
                "misses": [asdict(miss) for miss in one.misses],
                "extra": list(one.extra),
            }
            for one in judgements
        ],
    }


def lines(judgements: Sequence[Judgement]) -> list[str]:
    """Return the table for a person: one line a repository, its misses below it, the percentages last."""
    written = [f"{'repository':32} {'toolchain':10} {'commands':10} {'lint':10}"]
    for one in judgements:
        words = " ".join(f"{_word(one, part):10}" for part in PARTS)
        written.append(f"{one.expectation.name:32} {words}".rstrip())
        if one.refused:
            written.append(f"    refused: {one.refused}")
        for miss in one.misses:
            written += [
                f"    {miss.topic}: expected {miss.expected}",
                f"        because {miss.quote}",
                f"        planned {miss.planned}",
            ]
        written += [f"    also runs: {command}" for command in one.extra]
    written.append("")
    for part in PARTS:
        right, judged = share(judgements, part)
        percent = f"{_percent(right, judged):5.1f} %" if judged else "  none"
        written.append(f"{_TITLES[part]:32} {right:3} of {judged:3}  {percent}  (asked: {_ASKED[part]} %)")
    return written


def rows(judgements: Sequence[Judgement]) -> list[str]:
    """Return the rows of the document's table: a repository at its commit, its three parts, what differs."""
    written = []
    for one in judgements:
        words = " | ".join(_word(one, part) for part in PARTS)
        differs = one.refused or "; ".join(map(_difference, one.misses))
        name = f"{one.expectation.name}@{one.expectation.sha[:12]}"
        written.append(f"| {name} | {words} | {_cell(differs)} |")
    return written


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _difference(miss: Miss) -> str:
    where = ":".join(miss.quote.split(":")[:2])
    return f"{miss.topic}: expected {miss.expected} ({where}), planned {miss.planned or 'none'}"


def _word(one: Judgement, part: Part) -> str:
    if not one.judged(part):
        return "unjudged"
    return "right" if one.right(part) else "differs"


def _percent(right: int, judged: int) -> float:
    return round(100 * right / judged, 1) if judged else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.popular", description=__doc__)
    parser.add_argument("--mirrors", type=Path, required=True, help="folder of bare repositories, <owner>+<name>")
    parser.add_argument("--only", action="append", default=[], metavar="OWNER/NAME", help="take just these")
    parser.add_argument("--list", choices=sorted(LISTS), default="first", help="which list (default: first)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", action="store_true", help="print the rows of the document")
    parser.add_argument("--quotes", action="store_true", help="plan nothing, check the quoted lines")
    options = parser.parse_args(arguments)
    try:
        chosen = _choose(read(LISTS[options.list]), options.only)
        if options.quotes:
            return _quotes(options.mirrors, chosen)
        judgements = asyncio.run(judge_all(options.mirrors, chosen))
    except ListError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(as_json(judgements), indent=2))
    elif options.markdown:
        print("\n".join(map(harmless, rows(judgements))))
    else:
        print("\n".join(harmless(line) for line in lines(judgements)))
    return 0


def _choose(expectations: list[Expectation], only: Sequence[str]) -> list[Expectation]:
    if unknown := set(only) - {one.name for one in expectations}:
        raise ListError(f"The list does not have {', '.join(sorted(unknown))}.")
    return [one for one in expectations if not only or one.name in only]


def _quotes(mirrors: Path, expectations: list[Expectation]) -> int:
    wrong = asyncio.run(wrong_quotes(mirrors, expectations))
    count = sum(len(list(one.quotes)) for one in expectations)
    print("\n".join([*wrong, f"{count - len(wrong)} of {count} quotes stand in their commits"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
